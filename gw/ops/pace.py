"""How the threads of a worker share a core: at once while it has time, in turns while it is busy.

A call goes through three threads: the server's that reads and writes sockets, its runner, and the event loop's. Who is woken
takes the core from who woke it, so that a call alone is answered soonest. With many calls under way this costs a fifth of all
time (switches, and caches that each thread finds filled by the others): then a thread that is woken had better wait until the
other has done what it has (SCHED_BATCH), which gathers the work of several calls into one turn.
"""

import os
import sys
from contextlib import suppress

from gw import clock

BUSY, IDLE = 0.6, 0.3  # of a core: above the first turns are taken, below the second no longer
ALONE = 1  # calls under way: nobody to take turns with


class Pace:
    """`look` is called at every tick of the worker. Does nothing where the kernel has no such policy, or forbids it."""

    def __init__(self) -> None:
        self.in_turns = False
        self._able = sys.platform == "linux"
        self._wall_ns, self._cpu_ns = clock.mono_ns(), clock.process_ns()

    def look(self, calls: int) -> None:
        """`calls`: how many are under way."""
        wall_ns, cpu_ns = clock.mono_ns(), clock.process_ns()
        share = (cpu_ns - self._cpu_ns) / max(1, wall_ns - self._wall_ns)
        self._wall_ns, self._cpu_ns = wall_ns, cpu_ns
        if self.in_turns:
            if share < IDLE:
                self._set(in_turns=False)
        elif share > BUSY and calls > ALONE:
            self._set(in_turns=True)

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
