"""The processes of a running gateway, found in /proc, and ways to end them."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from gw.clock import mono_ns
from tests.support.claims import allowed
from tests.support.gateway import GatewayUnderTest


@dataclass(frozen=True)
class Family:
    supervisor: int
    keeper: int  # 0: none at this moment
    workers: tuple[int, ...]

    @property
    def children(self) -> tuple[int, ...]:
        return (*self.workers, *((self.keeper,) if self.keeper else ()))


def family(gateway: GatewayUnderTest) -> Family:
    supervisor = gateway.process.pid
    keeper, workers = 0, []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _parent(int(entry.name)) == supervisor and alive(int(entry.name)):
            if "gw.keeper_main" in command(int(entry.name)):
                keeper = int(entry.name)
            elif "gw.courier_main" not in command(int(entry.name)):  # it begins when there is something to do
                workers.append(int(entry.name))
    return Family(supervisor, keeper, tuple(sorted(workers)))


def kill(*pids: int, number: int = signal.SIGKILL) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def alive(pid: int) -> bool:
    """Not gone, and not a zombie that only waits to be reaped: while one of its threads has not ended, its sockets are open."""
    return _field(pid, 0) not in ("", "Z", "X") or _threads(pid) > 1


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _parent(pid: int) -> int:
    return int(_field(pid, 1) or 0)


def _field(pid: int, index: int) -> str:
    """Of /proc/PID/stat, counted after the command: 0 is the state, 1 the parent; "" if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[index]
    except (OSError, IndexError):
        return ""


def await_end(pids: tuple[int, ...], timeout_s: float) -> float:
    """Seconds until none of them is alive; fails after the timeout, later if others load the machine."""
    begun_ns = mono_ns()
    while left := [pid for pid in pids if alive(pid)]:
        assert mono_ns() - begun_ns < allowed(timeout_s) * 1e9, f"still alive: { {pid: command(pid) for pid in left} }"
        os.sched_yield()
    return (mono_ns() - begun_ns) / 1e9
