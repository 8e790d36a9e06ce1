"""The ledger in SQLite: one file, one writer of calls (the keeper), any number of readers beside it (WAL).

`synchronous=FULL`: a journal segment is deleted once its rows are committed, so from then on the commit is the only copy;
with NORMAL the last commits before a power cut would be rolled back after the segment was gone. Measured, it costs
nothing that matters in batches: one sync per batch of up to 1,000 rows.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from os import O_CLOEXEC, O_CREAT, O_RDWR, close, open
from pathlib import Path
from threading import Event

import aiosqlite

from gw import clock
from gw._fast import flattened
from gw.ledger import charged_sum, rollup, rollup_fold
from gw.ledger.charged import AT
from gw.ledger.earlier import keeping
from gw.ledger.migrate import migrate
from gw.ledger.rollup_shape import HOUR_US
from gw.ledger.sequence import GIVEN, NEW_ROWS, RAISE
from gw.ledger.store import COLUMNS, Batch, Dialect, OpenRow, Row, StoreError, nothing
from gw.ledger.writing import COUNT, FORGET, OFFSET, OFFSETS, OPEN, OPEN_CALLS, OPEN_CALLS_OF, counts_of, offsets_of

SWITCH_NS = 1_000_000_000  # how long another process may be switching a new database to WAL
SWITCH_PAUSE_S = 0.02
BUSY_TIMEOUT_S = 2.0  # how long a statement waits for another writer before the keeper backs off
CHANGE_TIMEOUT_S = 10.0  # likewise, of a command or a request that changes what is defined
READ_TIMEOUT_S = 10.0
RETIRED_MAX = 500  # rows at once: some 20 ms (measured)
WAL_BYTES_KEPT = 64 << 20
# Measured at 60,000 rows in batches of 1,000, all indexes: 91-97k rows/s with SQLite's defaults, 101k with these.
WRITER_PRAGMAS = (
    "synchronous = FULL",
    f"journal_size_limit = {WAL_BYTES_KEPT}",
    "cache_size = -65536",  # KiB: the indexes' inner pages stay in memory
    "wal_autocheckpoint = 8000",  # pages of 4 KiB
)

# The thread that writes needs Python to take the rows of a statement, not while SQLite is at work: so it gets many at once.
VARIABLES_MAX = 32_766 if sqlite3.sqlite_version_info >= (3, 32) else 999  # of a statement
ROWS_AT_ONCE = min(400, VARIABLES_MAX // (len(COLUMNS) + 1))


def _insert(count: int) -> str:
    """So many rows at once."""
    row = f"({', '.join('?' * len(COLUMNS))}, ?)"
    return (
        f"INSERT INTO call ({', '.join(COLUMNS)}, seq) VALUES {', '.join([row] * count)} "  # noqa: S608 - our own field names
        "ON CONFLICT (call_id) DO NOTHING"
    )


_INSERT, _INSERT_MANY = _insert(1), _insert(ROWS_AT_ONCE)


def prepare(path: Path) -> None:
    """Makes the database if need be, readable by its owner alone, and migrates it. Raises StoreError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600))  # SQLite gives -wal and -shm the same mode
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path.name}: {error}") from error
    try:
        _to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection)
        _fold(connection)
    except sqlite3.Error as error:
        raise StoreError(f"{path.name}: {error}") from error
    finally:
        connection.close()


def _fold(connection: sqlite3.Connection) -> None:
    """What an older ledger holds, into its rollups."""
    known, more = rollup.Known(), rollup_fold.is_due(connection)
    while more:
        connection.execute("BEGIN IMMEDIATE")
        try:
            more = rollup_fold.fold(connection, known)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _to_wal(connection: sqlite3.Connection) -> None:
    """Of two that switch a new database to WAL at once, SQLite refuses one without any waiting; then it is tried again."""
    deadline_ns = clock.mono_ns() + SWITCH_NS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or clock.mono_ns() > deadline_ns:
                raise
        Event().wait(SWITCH_PAUSE_S)


class SqliteDatabase:
    """`gw.ledger.store.Database` in one SQLite file."""

    dialect = Dialect(whole_table="NOT INDEXED", glob="GLOB ?", pattern=str, by_index="INDEXED BY {}", aside="+")

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return str(self.path.absolute())

    def is_new(self) -> bool:
        return not self.path.exists()

    def prepare(self) -> None:
        prepare(self.path)

    def store(self) -> "SqliteStore":
        return SqliteStore(self.path)

    def reading(self) -> AbstractContextManager[sqlite3.Connection | None]:
        return reading(self.path)

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """The lock is taken before anything is read."""
        self.prepare()
        try:
            db = sqlite3.connect(self.path, timeout=CHANGE_TIMEOUT_S, isolation_level=None)
            try:
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            finally:
                db.close()  # rolls back what was not committed
        except sqlite3.Error as error:
            raise StoreError(f"{self.path.name}: {error}") from error

    def close(self) -> None:
        """Nothing is kept."""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection | None]:
    """A read-only connection beside the keeper with one view of the ledger, or None if that has not been made yet. Raises
    StoreError."""
    if not path.exists():
        yield None
        return
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(address, uri=True, timeout=READ_TIMEOUT_S, isolation_level=None)
        try:
            connection.execute("BEGIN")
            made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_migration'").fetchone()
            yield connection if made else None
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"{path.name}: {error}") from error


class SqliteStore:
    """`gw.ledger.store.Store` on one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: aiosqlite.Connection | None = None
        self._open: dict[str, str] = {}  # call id -> boot, as in open_call: spares a DELETE for each call that was never there
        self._seq = 0  # the highest that was given
        self._known = rollup.Known()

    async def open(self) -> dict[str, int]:
        await asyncio.to_thread(prepare, self._path)
        try:
            self._db = await aiosqlite.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            async with self._translated() as db:
                for pragma in WRITER_PRAGMAS:
                    await db.execute(f"PRAGMA {pragma}")
                self._open = {call_id: boot for call_id, boot in await (await db.execute(OPEN_CALLS)).fetchall()}
                rows = await (await db.execute(OFFSETS)).fetchall()
                given = await (await db.execute(GIVEN)).fetchone()
                self._seq = 0 if given is None else given[0]
                self._known = rollup.Known()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path.name}: {error}") from error
        return {name: consumed for name, consumed in rows}

    async def commit(self, batch: Batch, meanwhile: Callable[[], bool] = nothing) -> int:
        closed = [(row[0],) for row in batch.rows if row[0] in self._open]
        async with self._translated() as db:
            await db.execute("BEGIN IMMEDIATE")
            duplicates = 0
            if batch.rows:
                gathered, duplicates = await self._insert(db, batch.rows, meanwhile)
                await db.execute(RAISE, (self._seq + len(batch.rows),))
                if duplicates:
                    numbers = await (await db.execute(NEW_ROWS, (self._seq,))).fetchall()
                    gathered = rollup.written(batch.rows, self._seq, numbers)
                await _perform(db, rollup.adding(gathered, self._known))
            if closed:
                await db.executemany("DELETE FROM open_call WHERE call_id = ?", closed)
            if batch.opened:
                await db.executemany(OPEN, batch.opened.values())
            if batch.consumed:
                await db.executemany(OFFSET, offsets_of(batch))
            if counts := counts_of(batch, duplicates):
                await db.executemany(COUNT, counts)
            await db.execute("COMMIT")
        self._seq += len(batch.rows)
        for (call_id,) in closed:
            del self._open[call_id]
        for call_id, row in batch.opened.items():
            self._open[call_id] = row.boot
        return duplicates

    async def _insert(
        self, db: aiosqlite.Connection, rows: list[Row], meanwhile: Callable[[], bool]
    ) -> tuple[rollup.Gathered, int]:
        """Answers the sums of all rows, made while SQLite writes them, and how many of them were there."""
        gathered = rollup.Gathered()
        whole = len(rows) - len(rows) % ROWS_AT_ONCE
        inserted = 0
        if whole:
            starts = range(0, whole, ROWS_AT_ONCE)
            values = (flattened(rows[at : at + ROWS_AT_ONCE], self._seq + at) for at in starts)  # made by the thread that writes
            writing = asyncio.ensure_future(db.executemany(_INSERT_MANY, values))
            await asyncio.sleep(0)  # it has begun
            more = True
            try:
                for at in starts:
                    gathered.add_all(rows[at : at + ROWS_AT_ONCE])
                while more:
                    more = meanwhile() and not writing.done()
                    await asyncio.sleep(0)
            finally:
                inserted = (await writing).rowcount
        gathered.add_all(rows[whole:])
        rest = [(*row, seq) for seq, row in enumerate(rows[whole:], self._seq + whole + 1)]
        inserted += (await db.executemany(_INSERT, rest)).rowcount if rest else 0
        return gathered, len(rows) - inserted

    def begin_next(self, batch: Batch) -> None:
        """There is one writer."""

    def open_boots(self) -> set[str]:
        return set(self._open.values())

    async def open_calls(self, boot: str) -> list[OpenRow]:
        async with self._translated() as db:
            rows = await (await db.execute(OPEN_CALLS_OF, (boot,))).fetchall()
        return [OpenRow(*row) for row in rows]

    async def forget(self, segments: list[str]) -> None:
        async with self._translated() as db:
            await db.execute("BEGIN IMMEDIATE")
            await db.executemany(FORGET, [(name,) for name in segments])
            await db.execute("COMMIT")

    async def sum_up(self) -> bool:
        async with self._translated() as db:
            ((mark,),) = await (await db.execute(charged_sum.MARK)).fetchall()
            ((lowest,),) = await (await db.execute(charged_sum.NEXT, (mark,))).fetchall()
            if lowest is None:
                return False
            highest: int = min(lowest - 1 + charged_sum.ROWS_MAX, self._seq)
            await db.execute("BEGIN IMMEDIATE")
            for statement in charged_sum.adding(lowest, highest):
                await db.execute(statement)
            await db.execute("COMMIT")
        return highest < self._seq

    async def retire(self, before_us: int) -> bool:
        """By the instant at which they were charged, which has an index; it is that of their beginning or soon after.

        Some hundred rows go between two commits, and leave room that new ones take. Tables of months under a view would let a
        month go at once, and are not slower to read (measured); but each index, column and trigger would have to be made for
        every one of them, by every migration to come. A file per month ends at SQLite's ten attached files.
        """
        oldest = f"SELECT rowid FROM call WHERE {AT} < ? ORDER BY {AT} LIMIT {RETIRED_MAX}"  # noqa: S608 - our own words
        async with self._translated() as db:
            found = [rowid for (rowid,) in await (await db.execute(oldest, (before_us,))).fetchall()]
            if found:
                these = f"rowid IN ({', '.join(map(str, found))})"
                await db.execute("BEGIN IMMEDIATE")
                for statement in (keeping("call", these), *charged_sum.taking_out("call", these)):
                    await db.execute(statement)
                await db.execute(f"DELETE FROM call WHERE {these}")  # noqa: S608 - our own words
                if len(found) < RETIRED_MAX:
                    await db.execute(charged_sum.CLEAR)
                await db.execute("COMMIT")
        return len(found) == RETIRED_MAX

    async def drop_hours(self, before_us: int) -> bool:
        async with self._translated() as db:
            ((first,),) = await (await db.execute(rollup.FIRST_HOUR)).fetchall()
            over = bool(first is not None and (first + 1) * HOUR_US <= before_us)
            if over:
                await db.execute(rollup.DROP_HOUR, (first,))
        return over

    async def check(self) -> None:
        async with self._translated() as db:
            await (await db.execute("SELECT 1 FROM meta LIMIT 1")).fetchall()  # one left open would make the next commit fail

    async def close(self) -> None:
        if self._db is not None:
            db, self._db = self._db, None
            with suppress(sqlite3.Error):
                await db.rollback()  # said, not left to the close: a statement still held somewhere would keep the lock
            with suppress(sqlite3.Error):
                await db.close()

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[aiosqlite.Connection]:
        if self._db is None:
            raise StoreError("the store is not open")
        try:
            yield self._db
        except sqlite3.Error as error:
            raise StoreError(f"{self._path.name}: {error}") from error


async def _perform(db: aiosqlite.Connection, steps: rollup.Steps) -> None:
    step = next(steps, None)
    while step is not None:
        if isinstance(step, rollup.Ask):
            step = rollup.answered(steps, list(await (await db.execute(step.query, step.values)).fetchall()))
        else:
            await db.executemany(rollup.INSERT[step.table.name], step.rows)
            step = next(steps, None)
