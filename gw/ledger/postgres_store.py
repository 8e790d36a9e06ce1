"""Calls into Postgres, by the keeper alone: a batch is copied straight into the ledger, which takes the rows of a COPY many at
a time; into its month's table, unless it has rows of several months, each of which the server then has to find the table of. A
COPY fails as a whole at the first row that is there; that is undone, and then the batch goes by a table of this connection, from
which the ledger takes what it has not. Rows come again only where a journal holds them twice, so nearly never. Written that way
always, rows cost the server a seventh more (measured: docs/storage.md).

A server works on a connection with one processor. So with a backlog there are two: rows of the next batch are copied on one while
the other copies the last rows of this batch, adds its sums, and commits. What was begun is committed after what was before it, or
never: should it fail, or another batch come first, it is undone and written as if nothing had been begun.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import psycopg

from gw._fast import copy_text
from gw.ledger import charged_sum, months, rollup
from gw.ledger.earlier import keeping
from gw.ledger.postgres import PostgresDatabase, placeholders, translated, unreachable
from gw.ledger.postgres_lanes import Connection, Lanes, ended, many, rows
from gw.ledger.rollup_shape import HOUR_US
from gw.ledger.sequence import GIVEN, NEW_ROWS, RAISE
from gw.ledger.store import COLUMNS, Batch, OpenRow, Row, StoreError, Unreachable, nothing
from gw.ledger.tail import PIECE
from gw.ledger.writing import COUNT, FORGET, OFFSET, OFFSETS, OPEN, OPEN_CALLS, OPEN_CALLS_OF, counts_of, offsets_of

ANSWER_S = 30.0  # longest wait for one transaction
CHECK_S = 3.0
RETIRE_S = 900.0  # for the sums of a month

_NAMES = ", ".join((*COLUMNS, "seq"))
ASIDE = "arriving"
_STAGE = f"CREATE TEMPORARY TABLE {ASIDE} (LIKE call) ON COMMIT DELETE ROWS"
_INSERT = (
    f"INSERT INTO call ({_NAMES}) SELECT {_NAMES} FROM {ASIDE} "  # noqa: S608 - our own field names
    "ON CONFLICT (call_id, started_us) DO NOTHING"
).encode()
_STAGE_OF = {  # of rollups: what is to be added
    table.name: (
        f"CREATE TEMPORARY TABLE new_{table.name} ON COMMIT DELETE ROWS "  # noqa: S608 - our own names
        f"AS SELECT {', '.join(table.columns)} FROM {table.name} WITH NO DATA"
    ).encode()
    for table in rollup.TABLES
}
_ADD = {
    table.name: (
        f"INSERT INTO {table.name} ({', '.join(table.columns)}) "  # noqa: S608 - our own names
        f"SELECT {', '.join(table.columns)} FROM new_{table.name} ORDER BY {', '.join(table.key)} {rollup.addition(table)}"
    ).encode()
    for table in rollup.TABLES
}
_PARTITIONS = "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'call'::regclass"
_IS_PARTITION = "SELECT 1 FROM pg_inherits WHERE inhrelid = ?::regclass AND inhparent = 'call'::regclass AND NOT inhdetachpending"
_NO_WAITING = "SET LOCAL lock_timeout = 200"


class Ahead(NamedTuple):
    """A batch that is being copied while the one before it is committed."""

    batch: Batch
    first: int  # `seq` of its first row
    lane: int
    copying: asyncio.Task[rollup.Gathered]


class PostgresStore:
    """`gw.ledger.store.Store`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._lanes = Lanes(database, (_STAGE.encode(), *_STAGE_OF.values()))
        self._ahead: Ahead | None = None  # its lane is in a transaction
        self._at = 0  # the lane that commits
        self._committing: set[str] = set()  # these calls
        self._reserved = 0  # the highest `seq` that is given once that has committed
        self._copying: set[asyncio.Task[rollup.Gathered]] = set()
        self._open: dict[str, str] = {}  # call id -> boot, as in open_call: spares a DELETE for each call that was never there
        self._months: set[int] = set()  # that have a partition
        self._seq = 0  # the highest that was given
        self._known = rollup.Known()

    async def open(self) -> dict[str, int]:
        await asyncio.to_thread(self._database.prepare)
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._lanes.open()
        except (psycopg.Error, TimeoutError) as error:
            raise unreachable(error) from error
        async with self._translated() as db:
            await self._lanes.claim()
            self._months = {month for (name,) in await rows(db, _PARTITIONS) if (month := months.month_in(name)) is not None}
            given = await rows(db, GIVEN)
            self._seq = given[0][0] if given else 0
            self._known = rollup.Known()
            self._open = {call_id: boot for call_id, boot in await rows(db, OPEN_CALLS)}
            return {name: consumed for name, consumed in await rows(db, OFFSETS)}

    async def commit(self, batch: Batch, meanwhile: Callable[[], bool] = nothing) -> int:
        async with self._translated():
            copied = await self._copied_ahead(batch, meanwhile)
            if copied is not None:
                duplicates = 0
                async with ended(self._lanes[self._at]) as db:
                    await self._finish(db, batch, batch.rows, copied, 0)
            else:
                try:
                    duplicates = await self._commit(batch, batch.rows, meanwhile)
                except psycopg.DataError:  # Postgres keeps no NUL in text, and says so before anything is there
                    without = [tuple(map(_without_nul, row)) for row in batch.rows]
                    duplicates = await self._commit(batch, without, meanwhile)
        self._seq += len(batch.rows)
        for row in batch.rows:
            self._open.pop(row[0], None)
        for call_id, row in batch.opened.items():
            self._open[call_id] = row.boot
        return duplicates

    def begin_next(self, batch: Batch) -> None:
        """It is copied on the other lane at once, which the server does with another processor; not, if it needs a table of its
        own first, for which it would wait, or has a row of the one before, who might wait for it."""
        if self._ahead is None and len(batch.rows) >= PIECE and months.months_of(batch.rows) <= self._months:
            if not self._committing.isdisjoint(row[0] for row in batch.rows):
                return
            lane, first = 1 - self._at, self._reserved + 1
            copying = asyncio.create_task(self._copy_ahead(lane, batch.rows, first), name="copying")
            self._copying.add(copying)
            copying.add_done_callback(self._copying.discard)
            self._ahead = Ahead(batch, first, lane, copying)

    async def _copy_ahead(self, lane: int, offered: list[Row], first: int) -> rollup.Gathered:
        async with asyncio.timeout(ANSWER_S):
            db = await self._lanes.reach(lane)
            await db.execute("BEGIN")
            return await self._copy_directly(db, offered, months.months_of(offered), first, nothing)

    async def _copied_ahead(self, batch: Batch, meanwhile: Callable[[], bool]) -> rollup.Gathered | None:
        """The sums of this batch, if its rows are copied, in an open transaction of the lane `_at`. Else nothing of it is there,
        or of another that had been begun with; `_at` is the first lane then."""
        ahead, self._ahead = self._ahead, None
        self._at, self._reserved = 0, self._seq + len(batch.rows)
        self._committing = {row[0] for row in batch.rows}
        if ahead is None:
            return None
        if ahead.batch is batch and ahead.first == self._seq + 1:
            self._at = ahead.lane
            more = True
            while more:
                await asyncio.sleep(0)
                more = meanwhile()
            with suppress(psycopg.Error, StoreError, TimeoutError):  # such as a row that is there, or no room for a connection
                return await ahead.copying
            if self._ahead is not None:
                await self._give_up(self._ahead)
        await self._give_up(ahead)
        self._at, self._ahead = 0, None
        return None

    async def _give_up(self, ahead: Ahead) -> None:
        with suppress(psycopg.Error, StoreError, TimeoutError):
            await ahead.copying
        await self._lanes.give_up(ahead.lane)

    async def _commit(self, batch: Batch, offered: list[Row], meanwhile: Callable[[], bool]) -> int:
        needed = months.months_of(offered)
        made = needed - self._months
        duplicates, gathered = 0, None
        async with self._lanes[0].transaction():
            db = self._lanes[0]
            for month in sorted(made):
                for statement in months.making(month):
                    await db.execute(statement.encode())
            if offered:
                gathered, duplicates = await self._insert(db, offered, needed, meanwhile)
            await self._finish(db, batch, offered, gathered, duplicates)
        self._months |= made
        return duplicates

    async def _finish(
        self, db: Connection, batch: Batch, offered: list[Row], gathered: rollup.Gathered | None, duplicates: int
    ) -> None:
        """What belongs into the transaction besides the rows."""
        if gathered is not None:
            await db.execute(placeholders(RAISE), (self._seq + len(offered),))
            if duplicates:
                gathered = rollup.written(offered, self._seq, await rows(db, NEW_ROWS, (self._seq,)))
            await _perform(db, rollup.adding(gathered, self._known))
        closed = [row[0] for row in offered if row[0] in self._open]
        if closed:
            await db.execute("DELETE FROM open_call WHERE call_id = ANY(%s)", (closed,))
        if batch.opened:
            await many(db, OPEN, batch.opened.values())
        if batch.consumed:
            await many(db, OFFSET, offsets_of(batch))
        if counts := counts_of(batch, duplicates):
            await many(db, COUNT, counts)

    async def _insert(
        self, db: Connection, offered: list[Row], needed: set[int], meanwhile: Callable[[], bool]
    ) -> tuple[rollup.Gathered, int]:
        """Answers the sums of all rows, and how many of them were there. `needed`: their months."""
        first = self._seq + 1
        try:
            async with db.transaction():  # a savepoint
                return await self._copy_directly(db, offered, needed, first, meanwhile), 0
        except psycopg.errors.UniqueViolation:
            gathered = await self._copy(db, ASIDE, offered, first, meanwhile)
            return gathered, len(offered) - (await db.execute(_INSERT)).rowcount

    async def _copy_directly(
        self, db: Connection, offered: list[Row], needed: set[int], first: int, meanwhile: Callable[[], bool]
    ) -> rollup.Gathered:
        table = months.partition_of(*needed) if len(needed) == 1 else "call"
        gathered = await self._copy(db, table, offered, first, meanwhile)
        if table != "call" and not await rows(db, _IS_PARTITION, (table,)):  # it stays one: the rows lock it
            raise StoreError(f"Postgres: {table} is no partition of call any more")
        return gathered

    async def _copy(
        self, db: Connection, table: str, offered: list[Row], first: int, meanwhile: Callable[[], bool]
    ) -> rollup.Gathered:
        """Summed on the way, while the server is at work on what it has got: it takes longer than all that is done here."""
        gathered = rollup.Gathered()
        more = True
        async with db.cursor() as cursor, cursor.copy(f"COPY {table} ({_NAMES}) FROM STDIN".encode()) as copy:
            for at in range(0, len(offered), PIECE):
                piece = offered[at : at + PIECE]
                await copy.write(_lines(piece, first + at))
                gathered.add_all(piece)
                more = more and meanwhile()
            while more:
                await asyncio.sleep(0)
                more = meanwhile()
        return gathered

    def open_boots(self) -> set[str]:
        return set(self._open.values())

    async def open_calls(self, boot: str) -> list[OpenRow]:
        async with self._translated() as db:
            return [OpenRow(*row) for row in await rows(db, OPEN_CALLS_OF, (boot,))]

    async def forget(self, segments: list[str]) -> None:
        async with self._translated() as db, db.transaction():
            await many(db, FORGET, [(name,) for name in segments])

    async def sum_up(self) -> bool:
        async with self._translated() as db, db.transaction():
            ((mark,),) = await rows(db, charged_sum.MARK)
            ((lowest,),) = await rows(db, charged_sum.NEXT, (mark,))
            if lowest is None:
                return False
            highest: int = min(lowest - 1 + charged_sum.ROWS_MAX, self._seq)
            for statement in charged_sum.adding(lowest, highest):
                await db.execute(statement.encode())
        return highest < self._seq

    async def retire(self, before_us: int) -> bool:
        """A month at a time: its table goes. Those who read the ledger at that moment are not waited for; then it goes later."""
        over = sorted(month for month in self._months if (months.bounds_of(month)[1] or before_us + 1) <= before_us)
        if not over:
            return False
        if self._ahead is not None:  # it has locked what is to go
            ahead, self._ahead = self._ahead, None
            await self._give_up(ahead)
        table = months.partition_of(over[0])
        async with self._translated(RETIRE_S) as db:
            try:
                async with db.transaction():
                    for statement in (keeping(table), *charged_sum.taking_out(table), charged_sum.CLEAR):
                        await db.execute(statement.encode())
                    await db.execute(_NO_WAITING)
                    await db.execute(f"DROP TABLE {table}".encode())
            except psycopg.errors.LockNotAvailable:
                return False
        self._months.discard(over[0])
        return len(over) > 1

    async def drop_hours(self, before_us: int) -> bool:
        async with self._translated() as db:
            ((first,),) = await rows(db, rollup.FIRST_HOUR)
            over = bool(first is not None and (first + 1) * HOUR_US <= before_us)
            if over:
                await db.execute(placeholders(rollup.DROP_HOUR), (first,))
        return over

    async def check(self) -> None:
        async with self._translated(CHECK_S) as db:
            await db.execute("SELECT 1")

    async def close(self) -> None:
        self._ahead = None
        for copying in self._copying:
            copying.cancel()
        await asyncio.gather(*self._copying, return_exceptions=True)
        await self._lanes.close()

    @asynccontextmanager
    async def _translated(self, seconds: float = ANSWER_S) -> AsyncIterator[Connection]:
        """A connection that is in no transaction."""
        if not self._lanes:
            raise StoreError("the store is not open")
        try:
            async with asyncio.timeout(seconds):
                yield self._lanes[0 if self._ahead is None else 1 - self._ahead.lane]
        except psycopg.Error as error:
            raise translated(error) from error
        except TimeoutError as error:
            raise Unreachable(f"Postgres: no answer within {seconds:.0f} s") from error


async def _perform(db: Connection, steps: rollup.Steps) -> None:
    """Rows are copied beside the rollup, and added to it from there."""
    step = next(steps, None)
    while step is not None:
        if isinstance(step, rollup.Ask):
            step = rollup.answered(steps, await rows(db, step.query, step.values))
            continue
        names = ", ".join(step.table.columns)
        async with db.cursor() as cursor:
            async with cursor.copy(f"COPY new_{step.table.name} ({names}) FROM STDIN".encode()) as copy:
                for at in range(0, len(step.rows), PIECE):
                    await copy.write(_lines(step.rows[at : at + PIECE]))
            await cursor.execute(_ADD[step.table.name])
        step = next(steps, None)


def _lines(piece: list[tuple[Any, ...]], first: int | None = None) -> bytes:
    try:
        return copy_text(piece, first)
    except ValueError as error:
        raise psycopg.DataError(str(error)) from error


def _without_nul(value: Any) -> Any:
    return value.replace("\0", "?") if isinstance(value, str) else value
