"""Pure twin of laps.pyx."""

from gw import clock
from gw._fast.ref.counters import Counters

PARTS_MAX = 8


class Laps:
    def __init__(self) -> None:
        self._ns = [0] * PARTS_MAX
        self.since_ns = clock.mono_ns()

    def lap(self, part: int) -> None:
        now_ns = clock.mono_ns()
        self._ns[_checked(part)] += now_ns - self.since_ns
        self.since_ns = now_ns

    def skip(self) -> None:
        self.since_ns = clock.mono_ns()

    def __getitem__(self, part: int) -> int:
        return self._ns[_checked(part)]

    def record(self, counters: Counters, at: int, bounds_ns: tuple[int, ...], governed: int) -> None:
        size = len(bounds_ns) + 2
        for first, ns in ((at, sum(self._ns)), (at + size, sum(self._ns[:governed]))):
            counters.add(first + sum(ns > bound for bound in bounds_ns), 1)
            counters.add(first + size - 1, ns)
        for part, ns in enumerate(self._ns):
            counters.add(at + 2 * size + part, ns)


def _checked(part: int) -> int:
    if not 0 <= part < PARTS_MAX:
        raise IndexError(f"there is no part {part}")
    return part
