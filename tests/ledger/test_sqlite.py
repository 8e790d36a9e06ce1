"""The store: one transaction moves rows, offsets and open calls; the table is the record."""

import sqlite3
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import astuple, fields

from gw.domain.call import CallRecord
from gw.ledger import migrate as migration
from gw.ledger import sqlite
from gw.ledger.migrate import migrate, statements
from gw.ledger.sqlite import SqliteStore, path_of, prepare, reading
from gw.ledger.store import COLUMNS, Batch, OpenRow, StoreError
from tests.ledger.records import begun, record


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "gw.db")
    await store.open()
    yield store
    await store.close()


def rows(*records: CallRecord) -> Batch:
    return Batch(rows=[astuple(one) for one in records])


def open_row(call_id: str, boot: str = "b1") -> OpenRow:
    return OpenRow(call_id, boot, b"h", msgspec.msgpack.encode(begun(call_id)))


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    with reading(path) as db:
        assert db is not None
        return db.execute(statement).fetchall()


async def test_row_comes_back_as_it_went_in(store: SqliteStore, tmp_path: Path) -> None:
    sent = record("a", list_pusd=2**63 - 1, project="ü\x00'\"", iterations='[["message"]]')
    await store.commit(rows(sent))
    (found,) = query(tmp_path / "gw.db", f"SELECT {', '.join(COLUMNS)} FROM call")
    assert found == astuple(sent)


async def test_row_offered_again_is_ignored_and_counted(store: SqliteStore, tmp_path: Path) -> None:
    assert await store.commit(rows(record("a", status=200), record("b"))) == 0
    assert await store.commit(rows(record("a", status=500), record("c"), record("c"))) == 2
    path = tmp_path / "gw.db"
    assert query(path, "SELECT call_id, status FROM call ORDER BY call_id") == [("a", 200), ("b", 200), ("c", 200)]
    assert query(path, "SELECT value FROM meta WHERE name = 'duplicate_rows'") == [(2,)]


async def test_offsets_move_with_the_rows_and_are_found_again(store: SqliteStore) -> None:
    await store.commit(Batch(rows=[astuple(record("a"))], consumed={"s1": 10, "s2": 20}, finished=["s2"]))
    await store.commit(Batch(consumed={"s1": 30}))
    await store.forget(["s2"])
    await store.close()
    assert await store.open() == {"s1": 30}


async def test_open_calls_stay_until_their_row_comes(store: SqliteStore) -> None:
    await store.commit(Batch(opened={"a": open_row("a"), "b": open_row("b", "b2")}))
    assert store.open_boots() == {"b1", "b2"} and await store.open_calls("b1") == [open_row("a")]
    await store.commit(rows(record("a")))
    assert store.open_boots() == {"b2"} and await store.open_calls("b1") == []
    await store.close()
    await store.open()
    assert store.open_boots() == {"b2"}, "known again after a restart"


async def test_failed_transaction_leaves_nothing_behind(store: SqliteStore, tmp_path: Path) -> None:
    spoilt = Batch(rows=[astuple(record("a"))], opened={"x": open_row("x")}, consumed={"s1": None})  # type: ignore[dict-item]
    with pytest.raises(StoreError):
        await store.commit(spoilt)
    await store.close()
    assert await store.open() == {} and store.open_boots() == set()
    assert query(tmp_path / "gw.db", "SELECT COUNT(*) FROM call") == [(0,)]


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
    with pytest.raises(StoreError, match="not open"):
        await SqliteStore(tmp_path / "other.db").commit(Batch())


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
    assert columns == [(field.name, "TEXT" if field.type is str else "INTEGER") for field in fields(CallRecord)]


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
        migrate(db, tmp_path)
    assert db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone() == (0,)
    db.close()


def test_two_processes_migrate_at_once(tmp_path: Path) -> None:
    failures: list[StoreError] = []
    gate = threading.Barrier(4)

    def run() -> None:
        gate.wait()
        try:
            prepare(tmp_path / "gw.db")
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    files = len(list(migration.DIRECTORY.glob("*.sql")))
    assert query(tmp_path / "gw.db", "SELECT COUNT(*) FROM schema_migration") == [(files,)]


def test_script_is_split_at_statement_ends_only() -> None:
    script = "-- one; two\nCREATE TABLE a (b TEXT DEFAULT ';');\n\nSELECT\n  1;\n-- the end\n"
    assert [part.strip() for part in statements(script)] == ["-- one; two\nCREATE TABLE a (b TEXT DEFAULT ';');", "SELECT\n  1;"]
    with pytest.raises(AssertionError, match="semicolon"):
        list(statements("SELECT 1"))


def test_addresses() -> None:
    assert path_of("sqlite:///gw.db") == Path("gw.db") and path_of("sqlite:////var/gw.db") == Path("/var/gw.db")
    for wrong in ("postgres:///gw", "gw.db", "sqlite:///", "sqlite://gw.db"):
        with pytest.raises(ValueError, match="not a SQLite address"):
            path_of(wrong)
