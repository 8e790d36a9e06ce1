"""The port to the ledger's database: what gw asks of it, whatever stands behind.

A `Database` is a place: a SQLite file or a Postgres database (gw.ledger.database makes one of an address). It is read and
changed by plain SQL that both understand, and it has a `Store`, which one process writes calls through, the keeper.

A store's `commit` is one transaction: the rows, the offsets up to which the journals are thereby read, and the calls still
open move together or not at all; that makes each frame count exactly once, and the primary key of `call` makes it harmless to
offer a row again besides.

SQL that both understand: `?` for a parameter, TRUE, CASE, COUNT(*) FILTER, ON CONFLICT; no max() of two values, no sums of
truth values. What they say differently is in `Dialect`, what sums need in gw.ledger.sums.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from msgspec import Struct, field

from gw.domain.call import CallRecord

Row = tuple[Any, ...]  # a CallRecord as a tuple: values in the order of COLUMNS
COLUMNS: tuple[str, ...] = CallRecord.__struct_fields__


class StoreError(Exception):
    """The database cannot be used now (locked, full, unreachable, broken). The journals keep what it did not take."""


class Unreachable(StoreError):
    """Nobody answers there, or lets gw in, or another gateway has it; later it may be different."""


class OpenRow(NamedTuple):
    """A call that was begun and has no final record yet; both payloads are journal payloads (msgpack)."""

    call_id: str
    boot: str  # the life of the worker that owns it
    header: bytes  # SegmentHeader
    payload: bytes  # OpenCall


class Rejected(NamedTuple):
    """A whole frame that could not be understood or stored; kept verbatim in a file of its own."""

    segment: str
    start: int
    frame: bytes


class Batch(Struct):
    """What one transaction is to hold."""

    rows: list[Row] = field(default_factory=list)
    opened: dict[str, OpenRow] = field(default_factory=dict)  # by call id; without those closed by `rows`
    consumed: dict[str, int] = field(default_factory=dict)  # segment -> bytes of it that are read after this batch
    finished: list[str] = field(default_factory=list)  # segments that hold nothing more after this batch
    rejected: list[Rejected] = field(default_factory=list)
    damaged_count: int = 0  # damaged stretches passed over
    damaged_bytes: int = 0
    lost_count: int = 0  # rows that settle calls of dead workers

    @property
    def empty(self) -> bool:
        return not (self.rows or self.opened or self.consumed)


def nothing() -> bool:
    """No other work."""
    return False


class Store(Protocol):
    """All methods raise StoreError, after which the store must be closed and opened again."""

    async def open(self) -> dict[str, int]:
        """Connects, migrates, and answers how far each known segment is read."""
        ...

    async def commit(self, batch: Batch, meanwhile: Callable[[], bool] = nothing) -> int:
        """One transaction, durable when it returns. Answers how many rows were already there (and were left as they are).

        `meanwhile` is some milliseconds of other work, asked for while the database is at its own, as long as it answers that
        there may be more; once at least before rows in the number of gw.ledger.tail.PIECE are committed. What it raises fails
        the commit.
        """
        ...

    def begin_next(self, batch: Batch) -> None:
        """Said by `meanwhile`: this batch comes after the one that is being committed, most likely. What can be done of it before
        then may be begun; it stays undone if another one is committed instead, or the store is closed."""
        ...

    def open_boots(self) -> set[str]:
        """The lives of workers that have open calls."""
        ...

    async def open_calls(self, boot: str) -> list[OpenRow]: ...

    async def forget(self, segments: list[str]) -> None:
        """The files are gone: drop their offsets."""
        ...

    async def sum_up(self) -> bool:
        """Some more rows, for the sums that budgets begin with (gw.ledger.charged_sum). Whether there are more."""
        ...

    async def retire(self, before_us: int) -> bool:
        """Calls that began before go, some at a time; what they have used of budgets stays. Whether there is more to do now."""
        ...

    async def drop_hours(self, before_us: int) -> bool:
        """Sums per hour of what ended before go, an hour at a time; those per day stay. Whether one went: there may be more."""
        ...

    async def check(self) -> None:
        """Raises if it could not take a row now."""
        ...

    async def close(self) -> None:
        """Never raises."""
        ...


class Cursor(Protocol):
    """What came of a statement."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """SQL in one transaction. Rows are tuples; sums are integers of any size."""

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Cursor: ...
    def executemany(self, query: str, rows: Iterable[Sequence[Any]], /) -> object: ...


class Dialect(NamedTuple):
    """What the two databases say differently."""

    whole_table: str  # after a table's name: read it from end to end, by no index
    glob: str  # after a column: it matches the pattern that is the parameter
    pattern: Callable[[str], str]  # a glob (*, ?, [...]) as that parameter
    aside: str = ""  # before a column in a condition: no index is to be chosen for it
    by_index: str = ""  # after a table's name: by the index of this name alone; "": the database chooses well by itself


class Database(Protocol):
    """One ledger. Methods may be called from any thread; they raise StoreError, and Unreachable where nobody answers."""

    @property
    def name(self) -> str:
        """For people; without secrets."""
        ...

    @property
    def dialect(self) -> Dialect: ...

    def is_new(self) -> bool:
        """Nothing has been made yet."""
        ...

    def prepare(self) -> None:
        """Makes what is missing and brings the schema up to date."""
        ...

    def store(self) -> Store: ...

    def reading(self) -> AbstractContextManager[Connection | None]:
        """One view of the ledger for all statements of the block; None if none has been made yet. Errors of the database
        inside the block leave it as StoreError."""
        ...

    def changing(self) -> AbstractContextManager[Connection]:
        """One transaction: what is read in it stays true until its end. Kept if the block ends without an error. For what the
        database defines, not for calls. Errors as in `reading`."""
        ...

    def close(self) -> None:
        """Lets go of what is kept between two uses; the next use begins anew. Never raises."""
        ...
