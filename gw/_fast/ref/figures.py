"""The pure twin of figures.pyx."""

from bisect import bisect_left
from collections.abc import Iterable

INT64_MAX = 2**63 - 1


class Figures:
    def __init__(self, values: Iterable[int]) -> None:
        self._values = [_word(value) for value in values]
        self.count = len(self._values)

    def add(self, at: int, more: int) -> int:
        self._checked(at)
        self._values[at] = min(max(self._values[at] + _word(more), -INT64_MAX - 1), INT64_MAX)
        return 0

    def add_money(self, at: int, pusd: int, unit: int) -> int:
        if _word(unit) <= 0:
            raise ValueError("a unit is above 0")
        self._checked(at)
        self.add(at + 1, pusd)
        units, self._values[at + 1] = divmod(self._values[at + 1], unit)
        return self.add(at, units)

    def observe(self, at: int, bounds: tuple[int, ...], value: int) -> int:
        self._checked(at)
        self._checked(at + len(bounds) + 1)
        self.add(at + bisect_left(bounds, _word(value)), 1)
        return self.add(at + len(bounds) + 1, value)

    def shown(self) -> list[int]:
        return list(self._values)

    def _checked(self, at: int) -> None:
        if not 0 <= at < self.count:
            raise IndexError(f"there is no figure {at}")


def _word(value: int) -> int:
    if not -INT64_MAX - 1 <= value <= INT64_MAX:
        raise OverflowError("a number of more than 64 bits")
    return value
