from collections.abc import Iterable

class Figures:
    """Counters of 64 bits, signed: at either end they stand still. Raises IndexError for one that is not there, and OverflowError
    for a number of more than 64 bits; then nothing has changed."""

    count: int

    def __init__(self, values: Iterable[int]) -> None: ...
    def add(self, at: int, more: int) -> int:
        """Answers 0, as the next two."""

    def add_money(self, at: int, pusd: int, unit: int) -> int:
        """To an amount that is kept in two: whole units at `at`, behind it what is left, less than one. `unit` is above 0."""

    def observe(self, at: int, bounds: tuple[int, ...], value: int) -> int:
        """Into a histogram: a count for each bound (upper, inclusive) and one beyond, then the sum of what was observed."""

    def shown(self) -> list[int]:
        """As they stand now."""
