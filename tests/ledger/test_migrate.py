"""Migrations: both databases are told the same, each in its own words."""

from pathlib import Path

import pytest
from msgspec.structs import fields

from gw.domain.call import CallRecord
from gw.ledger import migrate, postgres
from gw.ledger.migrate import POSTGRES, SQLITE, apply
from gw.ledger.postgres import PostgresDatabase
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import COLUMNS, Database, StoreError
from tests.support.databases import Server, query

KINDS = {"INTEGER": "number", "BLOB": "bytes", "TEXT": "text", "bigint": "number", "boolean": "number", "bytea": "bytes"}
TABLES_OF_SQLITE = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
TABLES_OF_POSTGRES = (
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace "
    "AND NOT relispartition"
)
COLUMNS_OF_POSTGRES = (
    "SELECT column_name, data_type, collation_name FROM information_schema.columns "
    "WHERE table_name = ? AND table_schema = current_schema() ORDER BY ordinal_position"
)


def test_both_folders_hold_the_same_names() -> None:
    names = [sorted(path.name for path in schema.directory.glob("*.sql")) for schema in (SQLITE, POSTGRES)]
    assert names[0] == names[1] and names[0]


def columns(database: Database, table: str) -> dict[str, str]:
    """Name -> kind. Text of Postgres is ordered by its bytes, as that of SQLite always is."""
    if isinstance(database, SqliteDatabase):
        return {name: KINDS[kind] for _, name, kind, *_ in query(database, f"PRAGMA table_info({table})")}
    found = query(database, COLUMNS_OF_POSTGRES, (table,))
    assert all(collation == "C" for _, kind, collation in found if kind == "text")
    return {name: KINDS.get(kind, kind) for name, kind, _ in found}


def test_both_schemas_have_the_same_tables_and_columns(server: Server, tmp_path: Path) -> None:
    one, other = SqliteDatabase(tmp_path / "gw.db"), PostgresDatabase(server.fresh())
    one.prepare()
    tables = {name for (name,) in query(one, TABLES_OF_SQLITE)}
    assert tables == {name for (name,) in query(other, TABLES_OF_POSTGRES)} and len(tables) > 8
    for table in tables:
        assert columns(other, table) == columns(one, table), table
    other.close()
    server.drop(other.url)


def test_the_table_of_postgres_is_the_record(server: Server) -> None:
    database = PostgresDatabase(server.fresh())
    found = query(database, COLUMNS_OF_POSTGRES, ("call",))
    kinds = {str: "text", int: "bigint", bool: "boolean"}
    wanted = {field.name: kinds[field.type] for field in fields(CallRecord)} | {"seq": "bigint"}
    assert {name: kind for name, kind, _ in found} == wanted and set(COLUMNS) < set(wanted)
    database.close()
    server.drop(database.url)


def test_a_field_that_was_appended_becomes_a_column_of_every_month(server: Server) -> None:
    database = PostgresDatabase(server.fresh())
    with database.changing() as db:
        db.execute("CREATE TABLE call_2026_11 PARTITION OF call FOR VALUES FROM (0) TO (1)")
        for name in ("gw_version", "retries"):
            db.execute(f"ALTER TABLE call DROP COLUMN {name}")
        assert apply(db, POSTGRES) == ["call.retries", "call.gw_version"] and apply(db, POSTGRES) == []
    assert query(database, "SELECT retries, gw_version FROM call_2026_11") == []
    database.close()
    server.drop(database.url)


def test_a_ledger_of_an_older_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its table lacks fields that were appended since, and a migration it has not seen indexes them."""
    database = SqliteDatabase(tmp_path / "gw.db")
    database.prepare()
    with database.changing() as db:
        for index in ("call_attempt_of", "call_attempts"):
            db.execute(f"DROP INDEX {index}")
        for name in ("attempt_of", "attempts"):
            db.execute(f"ALTER TABLE call DROP COLUMN {name}")
        db.execute("DELETE FROM schema_migration WHERE name = '0016_attempts'")
        assert apply(db, SQLITE) == ["call.attempts", "call.attempt_of", "0016_attempts"] and apply(db, SQLITE) == []
    database.close()


def test_a_failed_migration_changes_nothing(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE call (call_id TEXT);\nCREATE TABLE broken (;\n")
    monkeypatch.setattr(migrate, "POSTGRES", POSTGRES._replace(directory=tmp_path))
    database = PostgresDatabase(server.fresh(template="template0"))
    with pytest.raises(StoreError, match="syntax error"):
        database.prepare()
    with database.reading() as db:
        assert db is None
    with database._lent() as connection:
        assert connection.execute(TABLES_OF_POSTGRES.encode()).fetchall() == []
    database.close()
    server.drop(database.url)


def test_a_database_in_another_encoding_is_refused(server: Server) -> None:
    url = server.fresh(template="template0 ENCODING 'LATIN1'")
    database = PostgresDatabase(url)
    with pytest.raises(StoreError, match="keeps text in LATIN1; make one with ENCODING 'UTF8'"):
        database.prepare()
    database.close()
    server.drop(url)


def test_a_server_that_is_too_old_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "VERSION_MIN", 99)
    database = PostgresDatabase(server.fresh())
    with pytest.raises(StoreError, match="is too old; it must be 99 or newer"):
        database.prepare()
    database.close()
    server.drop(database.url)
