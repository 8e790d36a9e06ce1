"""The port to the ledger's database: what the keeper asks of it, whatever stands behind.

A store is written to by one process, the keeper. `commit` is one transaction: the rows, the offsets up to which the
journals are thereby read, and the calls still open move together or not at all; that makes each frame count exactly once,
and the primary key on `call_id` makes it harmless to offer a row again besides.
"""

from typing import Any, NamedTuple, Protocol

from msgspec import Struct, field

from gw.domain.call import CallRecord

Row = tuple[Any, ...]  # a CallRecord as a tuple: values in the order of COLUMNS
COLUMNS: tuple[str, ...] = CallRecord.__struct_fields__


class StoreError(Exception):
    """The database cannot be used now (locked, full, unreachable, broken). The journals keep what it did not take."""


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


class Store(Protocol):
    """All methods raise StoreError, after which the store must be closed and opened again."""

    async def open(self) -> dict[str, int]:
        """Connects, migrates, and answers how far each known segment is read."""
        ...

    async def commit(self, batch: Batch) -> int:
        """One transaction, durable when it returns. Answers how many rows were already there (and were left as they are)."""
        ...

    def open_boots(self) -> set[str]:
        """The lives of workers that have open calls."""
        ...

    async def open_calls(self, boot: str) -> list[OpenRow]: ...

    async def forget(self, segments: list[str]) -> None:
        """The files are gone: drop their offsets."""
        ...

    async def close(self) -> None:
        """Never raises."""
        ...
