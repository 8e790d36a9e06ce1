"""The keeper's connections to Postgres: one at rest, two with a backlog, so that one batch is copied while the one before it is
committed (gw.ledger.postgres_store).

That only one gateway writes is held by a lock of the first one's session: a second gateway on the same database waits for the
first to end, for it would take the first one's open calls for those of a dead worker. A connection's death lets its locks go. So
the second one has a lock of its own, which it takes only while the first one holds its: who has had both in turn is alone.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection

from gw.ledger.postgres import AHEAD, SCHEMA, SESSION, WRITING, PostgresDatabase, WholeNumber, placeholders
from gw.ledger.store import StoreError, Unreachable

LOCK = f"SELECT pg_advisory_lock({WRITING}, {SCHEMA})".encode()
LOCK_AHEAD_ONCE = f"SELECT pg_advisory_xact_lock({AHEAD}, {SCHEMA})".encode()
LOCK_AHEAD = f"SELECT pg_try_advisory_lock({AHEAD}, {SCHEMA})"
LOCKED = f"SELECT TRUE FROM pg_locks WHERE locktype = 'advisory' AND classid = {WRITING} AND pid = ? AND granted"  # noqa: S608
Connection = AsyncConnection[tuple[Any, ...]]


class Lanes:
    """Of one gateway. `own`: makes the tables that only a connection itself sees."""

    def __init__(self, database: PostgresDatabase, own: Sequence[bytes]) -> None:
        self._database = database
        self._own = own
        self._there: list[Connection] = []
        self._pid = 0  # of the first one's server

    def __len__(self) -> int:
        return len(self._there)

    def __getitem__(self, lane: int) -> Connection:
        return self._there[lane]

    async def open(self) -> None:
        """The first one, without its lock. Raises psycopg.Error."""
        self._there.append(await self._connected())

    async def claim(self) -> None:
        """Raises psycopg.Error or Unreachable."""
        db = self._there[0]
        try:
            await db.execute(LOCK)
            await db.execute(LOCK_AHEAD_ONCE)
        except psycopg.errors.LockNotAvailable as error:
            raise Unreachable("Postgres: another gateway writes to this ledger; each needs one of its own") from error
        await self._furnish(db)
        ((self._pid,),) = await rows(db, "SELECT pg_backend_pid()")

    async def reach(self, lane: int) -> Connection:
        """The second one is made when it is first wanted. Raises psycopg.Error or StoreError."""
        if lane == len(self._there):
            self._there.append(await self._second())
        return self._there[lane]

    async def give_up(self, lane: int) -> None:
        """What was begun there is undone. Raises psycopg.Error."""
        if lane == 0:
            await self._there[0].rollback()
        else:
            while len(self._there) > 1:
                await self._there.pop().close()

    async def close(self) -> None:
        while self._there:
            with suppress(psycopg.Error):
                await self._there.pop().close()

    async def _second(self) -> Connection:
        db = await self._connected()
        try:
            if await rows(db, LOCK_AHEAD) != [(True,)] or await rows(db, LOCKED, (self._pid,)) != [(True,)]:
                raise StoreError("Postgres: another gateway may write to this ledger")
            await self._furnish(db)
        except BaseException:
            await db.close()
            raise
        return db

    async def _connected(self) -> Connection:
        db = await AsyncConnection.connect(**self._database.parameters, autocommit=True)
        db.adapters.register_loader("numeric", WholeNumber)
        await db.execute(SESSION)
        return db

    async def _furnish(self, db: Connection) -> None:
        for statement in self._own:
            await db.execute(statement)


@asynccontextmanager
async def ended(db: Connection) -> AsyncIterator[Connection]:
    """A transaction that has begun."""
    try:
        yield db
    except BaseException:
        with suppress(psycopg.Error):
            await db.rollback()
        raise
    await db.commit()


async def rows(db: Connection, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    found = await (db.execute(placeholders(query), values) if values else db.execute(query.encode()))
    return await found.fetchall()


async def many(db: Connection, query: str, values: Iterable[Sequence[Any]]) -> None:
    async with db.cursor() as cursor:
        await cursor.executemany(placeholders(query), list(values))
