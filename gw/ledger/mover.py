"""Moves finished calls from the journals into the ledger, exactly once, and settles what dead workers left open.

One `move` is: read a batch, put unreadable frames aside, commit, remove finished segments, settle lives that are over. With a
backlog the next batch is read, and begun with where the database can, while it is at work on this one.
A kill between any two of these steps repeats work that changes nothing: rows are known by id, offsets move with the rows,
rejected frames have a name of their own, and segments go only after the commit.

Who counts the rows (`Follower`) hears of each once it is committed; with a backlog while the next batch is written. What needs
the ledger and that count to agree is done within `told`.
"""

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import astuple, replace

from gw import clock
from gw.domain.call import CallRecord, OpenCall
from gw.ledger.frames import SegmentHeader
from gw.ledger.store import Batch, Rejected, Row, Store, StoreError, nothing
from gw.ledger.tail import PIECE, Tail, oldest_us

SettleLost = Callable[[CallRecord, int, SegmentHeader], CallRecord]

JOURNAL_DIRECTORY = "journal"
LOCK_FILE = "keeper.lock"
CHECK_EVERY_NS = 1_000_000_000  # without any rows: an outage is to be known before there is something to write

_log = logging.getLogger("gw.keeper")
_header = msgspec.msgpack.Decoder(SegmentHeader)
_open_call = msgspec.msgpack.Decoder(OpenCall)


class KeeperBusy(Exception):
    """Another process moves this state directory's journals."""


class Moved(Struct):
    """What was moved since the start of this mover."""

    rows: int = 0  # offered to the ledger, duplicates included
    duplicates: int = 0
    damaged: int = 0
    rejected: int = 0
    lost: int = 0  # calls of dead workers, settled
    segments: int = 0  # removed


class Ahead(NamedTuple):
    """What follows the batch that is being written: read as far as there was time."""

    batch: Batch
    filling: Iterator[None]


class Follower(Protocol):
    """Told what the mover does, as it does it; must not raise."""

    def moved(self, rows: list[Row], duplicates: int) -> None:
        """These rows are committed; so many of them had been there before, and stayed as they were."""
        ...

    def failed(self) -> None:
        """A commit failed, and may have been made all the same."""
        ...

    def caught_up(self) -> None:
        """All that stood in the journals when this pass began is in the ledger, with the calls that dead workers left open."""
        ...


@contextmanager
def sole_mover(state_dir: Path) -> Iterator[None]:
    """Holds the lock of the one process that may move these journals. Raises KeeperBusy; the lock dies with the process."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(state_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            message = f"a keeper (pid {owner}) already runs on {state_dir}; stop that gateway, or use another state_dir"
            raise KeeperBusy(message) from error
        with suppress(OSError):  # for the message above only; the disk may be full, and moving is what frees it
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(fd)


class Mover:
    """Journals of one state directory -> one store. The caller holds `sole_mover` and closes the mover."""

    def __init__(
        self,
        state_dir: Path,
        store: Store,
        settle_lost: SettleLost | None = None,
        follower: Follower | None = None,
        *,
        rows_max: int = 1000,
    ) -> None:
        self.moved = Moved()
        self.waiting_since_us = 0  # end of the oldest call that the store did not take; 0 = none waits
        self._directory = state_dir / JOURNAL_DIRECTORY
        self._store = store
        self._tail = Tail(self._directory)
        self._settle_lost = settle_lost
        self._follower = follower
        self._rows_max = rows_max
        self._ahead: Ahead | None = None
        self._ready = False
        self._answered_ns = 0  # when the store was last known to be well
        self._turn = asyncio.Lock()  # held by who writes to the store
        self._untold: list[tuple[list[Row], int]] = []  # committed rows, and how many of them had been there

    async def move(self) -> int:
        """One batch and what follows from it; answers how many frames' worth of work was done, 0 = caught up.

        Raises StoreError or OSError; nothing is lost by it, and the next call begins from what the store really holds.
        """
        batch = Batch()
        try:
            if not self._ready:
                await self._begin()
            batch = self._taken()
            self._set_aside(batch.rejected)
            full = len(batch.rows) + len(batch.opened) + len(batch.rejected) >= self._rows_max
            if not batch.empty:
                await self._commit(batch, ahead=full)
            elif self._untold:
                async with self.told():
                    pass
            elif clock.mono_ns() >= self._answered_ns + CHECK_EVERY_NS:
                await self._store.check()
                self._answered_ns = clock.mono_ns()
            settled = await self._settle_ended()
            self.waiting_since_us = 0
            if self._follower is not None and not full:
                self._follower.caught_up()
        except (StoreError, OSError):
            self.waiting_since_us = self.waiting_since_us or oldest_us(batch) or clock.wall_us()
            self._tell()
            if self._follower is not None:
                self._follower.failed()
            await self.close()
            raise
        return len(batch.rows) + len(batch.opened) + len(batch.consumed) + settled

    async def retire(self, before_us: int) -> bool:
        """As the store's, between two commits. Raises StoreError."""
        if not self._ready:
            return False
        async with self._turn:
            return await self._store.retire(before_us)

    async def drain(self) -> None:
        """Moves until the journals hold nothing more. Raises StoreError or OSError."""
        while await self.move():
            pass

    async def drop_hours(self, before_us: int) -> bool:
        """As the store's, between two commits. Raises StoreError."""
        if not self._ready:
            return False
        async with self._turn:
            return await self._store.drop_hours(before_us)

    async def sum_up(self) -> bool:
        """As the store's, between two commits. Raises StoreError."""
        if not self._ready:
            return False
        async with self._turn:
            return await self._store.sum_up()

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Between two commits, with the follower told of all rows that are in the ledger."""
        async with self._turn:
            self._tell()
            yield

    def behind_bytes(self) -> int:
        return self._tail.behind_bytes()

    @property
    def foreign(self) -> int:
        """Segments of a newer format, which wait for a newer gw."""
        return len(self._tail.foreign)

    async def close(self) -> None:
        """Lets the store go; `move` opens it again."""
        self._ready = False
        self._ahead = None
        await self._store.close()

    async def _begin(self) -> None:
        gone = self._tail.restore(await self._store.open())
        if gone:
            await self._store.forget(gone)
        if self._directory.is_dir():
            self._tail.sweep()
        self._ready = True

    def _taken(self) -> Batch:
        """The next batch."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return self._tail.take(self._rows_max)
        for _ in ahead.filling:
            pass
        return ahead.batch

    def _look_ahead(self, batch: Batch) -> Callable[[], bool]:
        """A step of what is done while this batch is written: the last one is told, and what follows this one is read. Whether
        there is more."""
        following = Batch()
        filling = self._tail.filling(following, self._rows_max, before=batch)
        self._ahead = Ahead(following, filling)
        over = object()

        def step() -> bool:
            if self._untold:
                self._tell()
                return True
            if next(filling, over) is over:
                self._store.begin_next(following)
                return False
            return True

        return step

    def _tell(self) -> None:
        while self._untold:
            rows, duplicates = self._untold.pop(0)
            if self._follower is not None and rows:
                self._follower.moved(rows, duplicates)

    async def _commit(self, batch: Batch, *, ahead: bool = False) -> None:
        """`ahead`: there is more, so this may be told while that is written, but before it is committed: a follower may read sums
        of the ledger, in which there must be what it was told and no more."""
        async with self._turn:
            if not ahead or len(batch.rows) < PIECE:
                self._tell()
            duplicates = await self._store.commit(batch, self._look_ahead(batch) if ahead else nothing)
            self._untold.append((batch.rows, duplicates))
            if not ahead:
                self._tell()
        moved = self.moved
        moved.rows += len(batch.rows)
        moved.duplicates += duplicates
        moved.damaged += batch.damaged_count
        moved.rejected += len(batch.rejected)
        moved.lost += batch.lost_count
        if batch.damaged_count:
            _log.error("passed over %d damaged bytes in the journals", batch.damaged_bytes)
        finished = self._tail.committed(batch)
        if finished:
            await self._store.forget(finished)
            moved.segments += len(finished)

    async def _settle_ended(self) -> int:
        """Settles the open calls of workers that are gone; their segments are all read by then. Answers how many."""
        if self._settle_lost is None:
            return 0
        present = self._tail.lives()
        count = 0
        for boot in sorted(self._store.open_boots() - present):
            open_rows = await self._store.open_calls(boot)
            records = [self._settled(_open_call.decode(row.payload), _header.decode(row.header)) for row in open_rows]
            await self._commit(Batch(rows=[astuple(record) for record in records], lost_count=len(records)))
            _log.warning("a worker died with %d open calls; they are settled as observed", len(records))
            count += len(records)
        for boot in self._tail.ended_lives():
            self._tail.forget_life(boot)
        return count

    def _settled(self, call: OpenCall, header: SegmentHeader) -> CallRecord:
        assert self._settle_lost is not None
        record = call.record()
        if call.free:
            return record
        try:
            return self._settle_lost(record, call.slot, header)
        except Exception:  # noqa: BLE001 - supervises foreign code: a failure there must not keep the call out of the ledger
            _log.exception("call %s of a dead worker could not be priced", record.call_id)
            return replace(record, usage_flags="settle_failed")

    def _set_aside(self, rejected: list[Rejected]) -> None:
        """Keeps frames that nobody understands, verbatim, under a name that a repetition does not double."""
        if not rejected:
            return
        aside = self._directory / "rejected"
        aside.mkdir(mode=0o700, exist_ok=True)
        for one in rejected:
            target = aside / f"{one.segment}-{one.start}.frame"
            partial = target.with_suffix(".partial")
            partial.write_bytes(one.frame)
            partial.replace(target)
            _log.error("a frame of the journal cannot be stored; kept as %s", target.name)
