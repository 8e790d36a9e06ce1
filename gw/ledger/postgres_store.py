"""Calls into Postgres, by the keeper alone: a batch is copied straight into the ledger, which takes the rows of a COPY many at
a time; into its month's table, unless it has rows of several months, each of which the server then has to find the table of. A
COPY fails as a whole at the first row that is there; that is undone, and then the batch goes by a table of this connection, from
which the ledger takes what it has not. Rows come again only where a journal holds them twice, so nearly never. Written that way
always, rows cost the server a seventh more (measured: docs/storage.md).

That only one writes is held by a lock of the session: a second gateway on the same database waits for the first to end, for it
would take the first one's open calls for those of a dead worker. The connection's death lets it go.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection

from gw._fast import copy_text
from gw.ledger import charged_sum, months, rollup
from gw.ledger.earlier import keeping
from gw.ledger.postgres import SCHEMA, SESSION, WRITING, PostgresDatabase, WholeNumber, placeholders, translated, unreachable
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
_LOCK = f"SELECT pg_advisory_lock({WRITING}, {SCHEMA})".encode()
Connection = AsyncConnection[tuple[Any, ...]]


class PostgresStore:
    """`gw.ledger.store.Store`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._db: Connection | None = None
        self._open: dict[str, str] = {}  # call id -> boot, as in open_call: spares a DELETE for each call that was never there
        self._months: set[int] = set()  # that have a partition
        self._seq = 0  # the highest that was given
        self._known = rollup.Known()

    async def open(self) -> dict[str, int]:
        await asyncio.to_thread(self._database.prepare)
        try:
            async with asyncio.timeout(ANSWER_S):
                self._db = await AsyncConnection.connect(**self._database.parameters, autocommit=True)
        except (psycopg.Error, TimeoutError) as error:
            raise unreachable(error) from error
        async with self._translated() as db:
            db.adapters.register_loader("numeric", WholeNumber)
            await db.execute(SESSION)
            try:
                await db.execute(_LOCK)
            except psycopg.errors.LockNotAvailable as error:
                raise Unreachable("Postgres: another gateway writes to this ledger; each needs one of its own") from error
            await db.execute(_STAGE)
            for table in rollup.TABLES:
                await db.execute(_STAGE_OF[table.name])
            self._months = {month for (name,) in await rows(db, _PARTITIONS) if (month := months.month_in(name)) is not None}
            given = await rows(db, GIVEN)
            self._seq = given[0][0] if given else 0
            self._known = rollup.Known()
            self._open = {call_id: boot for call_id, boot in await rows(db, OPEN_CALLS)}
            return {name: consumed for name, consumed in await rows(db, OFFSETS)}

    async def commit(self, batch: Batch, meanwhile: Callable[[], None] = nothing) -> int:
        async with self._translated() as db:
            try:
                duplicates = await self._commit(db, batch, batch.rows, meanwhile)
            except psycopg.DataError:  # Postgres keeps no NUL in text, and says so before anything is there
                duplicates = await self._commit(db, batch, [tuple(map(_without_nul, row)) for row in batch.rows], meanwhile)
        for row in batch.rows:
            self._open.pop(row[0], None)
        for call_id, row in batch.opened.items():
            self._open[call_id] = row.boot
        return duplicates

    async def _commit(self, db: Connection, batch: Batch, offered: list[Row], meanwhile: Callable[[], None]) -> int:
        closed = [row[0] for row in offered if row[0] in self._open]
        needed = months.months_of(offered)
        made = needed - self._months
        async with db.transaction():
            for month in sorted(made):
                for statement in months.making(month):
                    await db.execute(statement.encode())
            duplicates = await self._insert(db, offered, needed, meanwhile) if offered else 0
            if closed:
                await db.execute("DELETE FROM open_call WHERE call_id = ANY(%s)", (closed,))
            if batch.opened:
                await many(db, OPEN, batch.opened.values())
            if batch.consumed:
                await many(db, OFFSET, offsets_of(batch))
            if counts := counts_of(batch, duplicates):
                await many(db, COUNT, counts)
        self._months |= made
        self._seq += len(offered)
        return duplicates

    async def _insert(self, db: Connection, offered: list[Row], needed: set[int], meanwhile: Callable[[], None]) -> int:
        """Answers how many were there. `needed`: their months."""
        duplicates = 0
        table = months.partition_of(*needed) if len(needed) == 1 else "call"
        try:
            async with db.transaction():  # a savepoint
                gathered = await self._copy(db, table, offered, meanwhile)
        except psycopg.errors.UniqueViolation:
            gathered = await self._copy(db, ASIDE, offered, meanwhile)
            duplicates = len(offered) - (await db.execute(_INSERT)).rowcount
        else:
            if table != "call" and not await rows(db, _IS_PARTITION, (table,)):  # it stays one: the rows lock it
                raise StoreError(f"Postgres: {table} is no partition of call any more")
        await db.execute(placeholders(RAISE), (self._seq + len(offered),))
        if duplicates:
            gathered = rollup.written(offered, self._seq, await rows(db, NEW_ROWS, (self._seq,)))
        await _perform(db, rollup.adding(gathered, self._known))
        return duplicates

    async def _copy(self, db: Connection, table: str, offered: list[Row], meanwhile: Callable[[], None]) -> rollup.Gathered:
        """Summed on the way, while the server is at work on what it has got: it takes longer than all that is done here."""
        gathered = rollup.Gathered()
        async with db.cursor() as cursor, cursor.copy(f"COPY {table} ({_NAMES}) FROM STDIN".encode()) as copy:
            for at in range(0, len(offered), PIECE):
                piece = offered[at : at + PIECE]
                await copy.write(_lines(piece, self._seq + 1 + at))
                gathered.add_all(piece)
                meanwhile()
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
        if self._db is not None:
            db, self._db = self._db, None
            with suppress(psycopg.Error):
                await db.close()

    @asynccontextmanager
    async def _translated(self, seconds: float = ANSWER_S) -> AsyncIterator[Connection]:
        if self._db is None:
            raise StoreError("the store is not open")
        try:
            async with asyncio.timeout(seconds):
                yield self._db
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


async def rows(db: Connection, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    found = await (db.execute(placeholders(query), values) if values else db.execute(query.encode()))
    return await found.fetchall()


async def many(db: Connection, query: str, values: Iterable[Sequence[Any]]) -> None:
    async with db.cursor() as cursor:
        await cursor.executemany(placeholders(query), list(values))


def _lines(piece: list[tuple[Any, ...]], first: int | None = None) -> bytes:
    try:
        return copy_text(piece, first)
    except ValueError as error:
        raise psycopg.DataError(str(error)) from error


def _without_nul(value: Any) -> Any:
    return value.replace("\0", "?") if isinstance(value, str) else value
