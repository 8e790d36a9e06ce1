"""What is SQLite's own: its locks, its files, its journal. What both databases must do stands in test_store.py."""

import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import astuple, fields

from gw.domain.call import CallRecord
from gw.ledger import sqlite
from gw.ledger.migrate import SQLITE, migrate, statements
from gw.ledger.sqlite import SqliteDatabase, SqliteStore, prepare
from gw.ledger.store import Batch, StoreError
from tests.ledger.records import record
from tests.support import databases


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "gw.db")
    await store.open()
    yield store
    await store.close()


def rows(*records: CallRecord) -> Batch:
    return Batch(rows=[astuple(one) for one in records])


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    return databases.query(SqliteDatabase(path), statement)


async def test_locked_database_is_a_store_error_and_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.01)
    store = SqliteStore(tmp_path / "gw.db")
    await store.open()
    other = sqlite3.connect(tmp_path / "gw.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        await store.commit(rows(record("a")))
    await store.close()
    with pytest.raises(StoreError, match="locked"):
        await store.open()
    other.execute("ROLLBACK")
    other.close()
    await store.open()
    assert await store.commit(rows(record("a"))) == 0
    await store.close()


async def test_what_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "gw.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="not a database"):
        await SqliteStore(tmp_path / "gw.db").open()
    with pytest.raises(StoreError):
        await SqliteStore(tmp_path / "gw.db" / "below" / "gw.db").open()


async def test_commits_are_full_sync_in_wal(store: SqliteStore, tmp_path: Path) -> None:
    assert store._db is not None
    assert await (await store._db.execute("PRAGMA synchronous")).fetchone() == (2,)
    assert query(tmp_path / "gw.db", "PRAGMA journal_mode") == [("wal",)]


async def test_ledger_is_its_owners_alone(store: SqliteStore, tmp_path: Path) -> None:
    await store.commit(rows(record("a")))
    files = list(tmp_path.glob("gw.db*"))
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_table_has_the_records_fields_in_order_and_kind(tmp_path: Path) -> None:
    prepare(tmp_path / "gw.db")
    columns = [(row[1], row[2]) for row in query(tmp_path / "gw.db", "PRAGMA table_info(call)")]
    of_record = [(field.name, "TEXT" if field.type is str else "INTEGER") for field in fields(CallRecord)]
    assert columns == [*of_record, ("seq", "INTEGER")]


def test_field_appended_to_the_record_becomes_a_column(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    migrate(db)
    for name in ("gw_version", "retries"):
        db.execute(f"ALTER TABLE call DROP COLUMN {name}")
    assert migrate(db) == ["call.retries", "call.gw_version"]
    kinds = {row[1]: row[2:5] for row in db.execute("PRAGMA table_info(call)")}
    assert kinds["gw_version"] == ("TEXT", 1, "''") and kinds["retries"] == ("INTEGER", 1, "0")
    assert migrate(db) == []
    db.close()


def test_failed_migration_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE call (call_id TEXT);\nCREATE TABLE broken (;\n")
    db = sqlite3.connect(tmp_path / "gw.db", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, SQLITE._replace(directory=tmp_path))
    assert db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone() == (0,)
    db.close()


def test_script_is_split_at_statement_ends_only() -> None:
    script = "-- one; two\nCREATE TABLE a (b TEXT DEFAULT ';');\n\nSELECT\n  1;\n-- the end\n"
    assert [part.strip() for part in statements(script)] == ["-- one; two\nCREATE TABLE a (b TEXT DEFAULT ';');", "SELECT\n  1;"]
    with pytest.raises(AssertionError, match="semicolon"):
        list(statements("SELECT 1"))


async def test_a_check_does_not_keep_what_others_write_from_the_next_commit(tmp_path: Path) -> None:
    """A statement that is not read to its end holds its view, and SQLite lets nobody write from a view that is over."""
    database = SqliteDatabase(tmp_path / "gw.db")
    store = database.store()
    await store.open()
    for number in range(2):
        with database.changing() as db:
            db.execute("INSERT INTO meta (name, value) VALUES (?, 1)", (f"mark {number}",))
    await store.check()
    with database.changing() as db:
        db.execute("UPDATE meta SET value = 2")
    await store.commit(Batch(rows=[astuple(record("c1"))]))
    await store.close()
