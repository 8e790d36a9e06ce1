"""How the threads of a worker share a core: at once while it has time, in turns while it is busy.

A call goes through three threads: the server's that reads and writes sockets, its runner, and the event loop's. Who is woken
takes the core from who woke it, so that a call alone is answered soonest. With many calls under way this costs a fifth of all
time (switches, and caches that each thread finds filled by the others): then a thread that is woken had better wait until the
other has done what it has (SCHED_BATCH), which gathers the work of several calls into one turn.

Not where other processes want the same core: behind these it would stand, too. That is seen by how long the event loop stands in
line for the core, which in a worker with a core to itself is never more than its other threads take.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from gw import clock

BUSY, IDLE = 0.6, 0.3  # of a core: above the first turns are taken, below the second no longer
ALONE = 1  # calls under way: nobody to take turns with
CROWDED = 0.5  # of its own processor time: who stands in line longer shares the core with others
SCHEDSTAT = Path("/proc/self/schedstat")  # of the main thread: ns on a processor, ns in line for one, turns


class Pace:
    """`look` is called at every tick of the worker. Does nothing where the kernel has no such policy, or forbids it."""

    def __init__(self) -> None:
        self.in_turns = False
        self._able = sys.platform == "linux"
        self._wall_ns, self._cpu_ns, self._line_ns = clock.mono_ns(), clock.process_ns(), in_line_ns()

    def look(self, calls: int) -> float:
        """`calls`: how many are under way. How much of a core this process has had since the last look."""
        wall_ns, cpu_ns, line_ns = clock.mono_ns(), clock.process_ns(), in_line_ns()
        share = (cpu_ns - self._cpu_ns) / max(1, wall_ns - self._wall_ns)
        crowded = line_ns - self._line_ns > (cpu_ns - self._cpu_ns) * CROWDED
        self._wall_ns, self._cpu_ns, self._line_ns = wall_ns, cpu_ns, line_ns
        if self.in_turns:
            if share < IDLE or crowded:
                self._set(in_turns=False)
        elif share > BUSY and calls > ALONE and not crowded:
            self._set(in_turns=True)
        return share

    def _set(self, *, in_turns: bool) -> None:
        if not self._able:
            return
        policy = os.SCHED_BATCH if in_turns else os.SCHED_OTHER
        try:
            for thread in os.listdir("/proc/self/task"):
                with suppress(ProcessLookupError):
                    os.sched_setscheduler(int(thread), policy, os.sched_param(0))
        except OSError:  # no such file system, or a container that forbids it
            self._able = False
        else:
            self.in_turns = in_turns


def in_line_ns() -> int:
    """How long the main thread has stood in line for a processor; 0 where the kernel does not say."""
    try:
        return int(SCHEDSTAT.read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
