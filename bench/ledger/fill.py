"""Fills a ledger with synthetic calls by the store's own commits, so that rows, numbers and rollups are what the keeper makes.

What is faster than at the keeper: batches are large; in SQLite no commit waits for the disk; and the secondary indexes of `call`
are made at the end, in one pass each, as they stood before. Whoever is killed goes on where he was: a day is marked as done with
its last batch, rows of a day begun are known by their ids, and the indexes to be made are written down in the ledger.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import accumulate, pairwise

from gw.demo.world import calls_of_day, developers, weight_of
from gw.ledger.database import database_of
from gw.ledger.rollup_shape import DAY_US
from gw.ledger.sqlite import SqliteDatabase, SqliteStore
from gw.ledger.store import Batch, Connection, Database, Store

BATCH = 20_000
DAYS = 90
SEGMENT = "synthetic"  # its offset: days that are done
SEED = 20261121
KEPT = "call_seq"  # the store looks by it for what it has just written
INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'call' AND sql IS NOT NULL",
    "postgres": "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'call' AND schemaname = current_schema() "
    "AND indexdef NOT LIKE 'CREATE UNIQUE %'",
}


async def fill(url: str, calls: int, *, until_us: int, days: int = DAYS, say: Callable[[str], object] = print) -> int:
    """Calls that end before `until_us`, of so many days. Answers how many rows were written now. Raises StoreError."""
    database = database_of(url)
    store = store_of(database)
    try:
        done = (await store.open()).get(SEGMENT, 0)
        if isinstance(store, SqliteStore):
            await _hurried(store)
        _put_off(database)
        written = await _write(store, _days(calls, until_us // DAY_US - days, days), done, say)
        await store.forget([SEGMENT])
    finally:
        await store.close()
    _finish(database, say)
    return written


def _days(calls: int, first: int, days: int) -> list[tuple[int, int]]:
    """(day since 1970, how many calls), by what a day of the week is worth."""
    ends = list(accumulate((weight_of(first + number) for number in range(days)), initial=0))
    shares = [calls * end // ends[-1] - calls * start // ends[-1] for start, end in pairwise(ends)]
    return [(first + number, share) for number, share in enumerate(shares)]


async def _write(store: Store, days: list[tuple[int, int]], done: int, say: Callable[[str], object]) -> int:
    """All days but the first `done`."""
    people, written = developers(), 0
    for number, (day, wanted) in enumerate(days[done:], done + 1):
        rows = calls_of_day(SEED, day, wanted, people)[:wanted]
        for at in range(0, max(len(rows), 1), BATCH):
            batch = Batch(rows=rows[at : at + BATCH])
            if at + BATCH >= len(rows):
                batch.consumed = {SEGMENT: number}
            written += len(batch.rows) - await store.commit(batch)
        say(f"day {number} of {len(days)}: {written:,} calls")
    return written


def store_of(database: Database) -> Store:
    return database.store()


async def _hurried(store: SqliteStore) -> None:
    async with store._translated() as db:
        for pragma in ("synchronous = OFF", "cache_size = -1048576", "wal_autocheckpoint = 100000"):
            await db.execute(f"PRAGMA {pragma}")


def _finish(database: Database, say: Callable[[str], object]) -> None:
    """Makes the indexes that were put off."""
    for name, _ in _owed(database):
        say(f"index {name}")
        with database.changing() as db:
            ((sql,),) = db.execute("SELECT sql FROM put_off WHERE name = ?", (name,)).fetchall()
            db.execute(sql.replace(" ON ONLY ", " ON "))
            db.execute("DELETE FROM put_off WHERE name = ?", (name,))
    with database.changing() as db:
        db.execute("DROP TABLE put_off")
    if isinstance(database, SqliteDatabase):
        with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA synchronous = FULL")
    else:
        with database.changing() as db:
            db.execute("ANALYZE")
    database.close()


def _put_off(database: Database) -> None:
    """Drops the secondary indexes, in one transaction with a note of what they were."""
    kind = "sqlite" if isinstance(database, SqliteDatabase) else "postgres"
    with database.changing() as db:
        db.execute("CREATE TABLE IF NOT EXISTS put_off (name TEXT PRIMARY KEY, sql TEXT NOT NULL)")
        for name, sql in db.execute(INDEXES[kind]).fetchall():
            if name != KEPT:
                db.execute("INSERT INTO put_off (name, sql) VALUES (?, ?)", (name, sql))
                db.execute(f"DROP INDEX {name}")


def _owed(database: Database) -> list[tuple[str, str]]:
    with database.reading() as db:
        return [] if db is None else _put_off_of(db)


def _put_off_of(db: Connection) -> list[tuple[str, str]]:
    return [(name, sql) for name, sql in db.execute("SELECT name, sql FROM put_off ORDER BY name")]


def run(url: str, calls: int, *, until_us: int, days: int = DAYS) -> int:
    return asyncio.run(fill(url, calls, until_us=until_us, days=days))
