from collections.abc import Iterable, Sequence
from typing import Any

from gw._fast.fields import Rules

Path = tuple[Any, ...]

class Sums:
    """41 sums of 64 bits, signed: flags, tokens, latencies, tools, and the upper and lower halves of amounts; in the order of
    gw.ledger.rollup_shape.MEASURES."""

    def __init__(self) -> None: ...
    def add(self, other: Sums) -> None:
        """Raises OverflowError if one of them would leave 64 bits; then none was added."""

    def copy(self) -> Sums: ...
    def values(self) -> tuple[int, ...]: ...

class Run(Sums):
    """What a session has, or an agent of it by one path."""

    session: tuple[Any, ...]
    """Its id and whose it is."""
    agent: str
    path: Path
    parent: str
    """The first that a row has named."""
    first_us: int
    last_us: int

    def totals(self, most: int) -> tuple[int, ...]:
        """Flags, tokens and total_us; two amounts (list, billed), each from -most to most; first_us, last_us."""

class Layout:
    """Where in a row stands what sums are made of. Rows are tuples of the columns' values: text and integers of 64 bits."""

    def __init__(self, columns: tuple[str, ...], rules: Rules) -> None:
        """Raises ValueError for columns or rules with which sums cannot be made."""

    def path_of(self, row: tuple[Any, ...]) -> Path:
        """By all dimensions. Raises ValueError for a row that is too short, as all that follows does."""

    def session_of(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """The session's id and whose it is."""

    def sums_of(self, row: tuple[Any, ...]) -> Sums:
        """What the row adds."""

    def adjusting(self, amounts: Sequence[int]) -> Sums:
        """What an adjustment adds: these differences of amounts, and no call. OverflowError where a half leaves 64 bits."""

class Gathered:
    """Rows and adjustments, summed by hour and path, and by session, agent and path. After an error it is of no more use."""

    def __init__(self, layout: Layout) -> None: ...
    def __len__(self) -> int:
        """Paths."""

    def add(self, row: tuple[Any, ...]) -> None: ...
    def add_all(self, rows: Iterable[tuple[Any, ...]]) -> None: ...
    def adjust(self, row: tuple[Any, ...], amounts: Sequence[int]) -> None:
        """`row`: of the call that the amounts change, each by its difference."""

    def hours(self) -> dict[int, dict[Path, Sums]]:
        """By the hour in which calls ended, and path."""

    def runs(self) -> list[Run]:
        """Of each agent of each session, by path. What belongs to no session and no agent has none."""

    def sessions(self) -> dict[tuple[Any, ...], Run]:
        """Of each session, of all its agents and paths; each made anew."""

def spread(paths: dict[Path, Sums], known: dict[Path, tuple[int, ...]], levels: int) -> list[dict[int, Sums]]:
    """For each level the sums by number. `known`: the numbers of a path, one for each level."""

def rows_of(cells: dict[int, Sums], level: int, at: int) -> list[tuple[int, ...]]:
    """level, `at`, number and values of each, by number."""

def rows_at(rows: list[tuple[int, ...]], at: int) -> list[tuple[int, ...]]:
    """The same rows at another time."""
