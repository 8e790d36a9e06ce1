"""The order in which rows come into the ledger: numbers that grow, and are never given twice."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import astuple

from gw.ledger import months
from gw.ledger.migrate import POSTGRES, SQLITE, apply, migrate
from gw.ledger.postgres import PostgresDatabase, Session
from gw.ledger.sequence import highest, rows_after
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import COLUMNS, Batch, Database, Row, Store, StoreError
from tests.ledger.records import NOON_US, record
from tests.support.databases import Server, query

DAY_US = 86_400_000_000


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    store = database.store()
    await store.open()
    yield store
    await store.close()


def batch(*call_ids: str, at_us: int = NOON_US) -> Batch:
    return Batch(rows=[astuple(record(one, started_us=at_us, ended_us=at_us)) for one in call_ids])


def numbered(database: Database) -> list[tuple[int, str]]:
    return [(seq, call_id) for seq, call_id in query(database, "SELECT seq, call_id FROM call ORDER BY seq")]


def read(database: Database, seq: int, limit: int = 100) -> list[tuple[int, Row]]:
    with database.reading() as db:
        assert db is not None
        return rows_after(db, seq, limit)


def given(database: Database) -> int:
    with database.reading() as db:
        assert db is not None
        return highest(db)


async def test_rows_are_numbered_in_the_order_in_which_they_came(store: Store, database: Database) -> None:
    await store.commit(batch("b", "a"))
    await store.commit(batch("c"))
    assert numbered(database) == [(1, "b"), (2, "a"), (3, "c")] and given(database) == 3


async def test_row_offered_again_keeps_its_number(store: Store, database: Database) -> None:
    await store.commit(batch("a"))
    await store.commit(batch("a", "b", "b", "c"))
    found = numbered(database)
    assert [call_id for _, call_id in found] == ["a", "b", "c"] and found[0] == (1, "a")


async def test_reader_goes_on_where_it_was(store: Store, database: Database) -> None:
    await store.commit(batch(*"abcde"))
    first = read(database, 0, 2)
    assert [(seq, row[0]) for seq, row in first] == [(1, "a"), (2, "b")] and len(first[0][1]) == len(COLUMNS)
    assert [row[0] for _, row in read(database, first[-1][0])] == ["c", "d", "e"]
    assert read(database, 5) == []
    assert first[0][1] == astuple(record("a", started_us=NOON_US, ended_us=NOON_US))


async def test_numbers_of_rows_that_are_gone_are_not_given_again(store: Store, database: Database) -> None:
    await store.commit(batch("a", "b"))
    while await store.retire(NOON_US + 60 * DAY_US):
        pass
    assert numbered(database) == [] and given(database) == 2
    await store.close()
    await store.open()
    await store.commit(batch("c"))
    assert numbered(database) == [(3, "c")]


async def test_numbers_go_on_after_a_commit_that_failed(store: Store, database: Database) -> None:
    await store.commit(batch("a"))
    spoilt = batch("x")
    spoilt.consumed = {"s1": None}  # type: ignore[dict-item]
    with pytest.raises(StoreError):
        await store.commit(spoilt)
    await store.close()
    await store.open()
    await store.commit(batch("b"))
    assert numbered(database) == [(1, "a"), (2, "b")]


def older(folder: Path, target: Path) -> None:
    """The migrations before the sequence."""
    for path in sorted(folder.glob("*.sql")):
        if path.stem < "0005":
            (target / path.name).write_text(path.read_text())


def test_rows_of_an_older_ledger_are_numbered_as_they_came(tmp_path: Path) -> None:
    older(SQLITE.directory, tmp_path)
    db = sqlite3.connect(tmp_path / "gw.db", isolation_level=None)
    migrate(db, SQLITE._replace(directory=tmp_path))
    marks = ", ".join("?" * len(COLUMNS))
    db.executemany(f"INSERT INTO call ({', '.join(COLUMNS)}) VALUES ({marks})", batch(*"cab").rows)
    assert "0005_sequence" in migrate(db)
    db.close()
    database = SqliteDatabase(tmp_path / "gw.db")
    assert numbered(database) == [(1, "c"), (2, "a"), (3, "b")] and given(database) == 3


def test_rows_of_an_older_ledger_in_postgres_keep_their_numbers(server: Server, tmp_path: Path) -> None:
    database = PostgresDatabase(server.fresh(template="template0 ENCODING 'UTF8'"))
    older(POSTGRES.directory, tmp_path)
    with database._lent() as connection, connection.transaction():
        db = Session(connection)
        apply(db, POSTGRES._replace(directory=tmp_path))
        for statement in months.making(months.month_of(NOON_US)):
            db.execute(statement)
        names = ", ".join((*COLUMNS, "rowid"))
        marks = ", ".join("?" * (len(COLUMNS) + 1))
        rows = [(*row, number) for number, row in zip((2, 5, 9), batch(*"cab").rows, strict=True)]
        db.executemany(f"INSERT INTO call ({names}) VALUES ({marks})", rows)
    database.prepare()
    assert numbered(database) == [(2, "c"), (5, "a"), (9, "b")] and given(database) == 9
    database.close()
    server.drop(database.url)


def test_empty_ledger_has_given_none(database: Database) -> None:
    database.prepare()
    assert given(database) == 0 and read(database, 0) == []
