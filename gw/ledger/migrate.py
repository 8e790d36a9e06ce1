"""Forward-only migrations: plain SQL files, each run once, in order, all in one transaction. Each database has its own folder of
them, with the same names: what one is told, the other is told in its own words.

Why not Alembic: what is needed is one page of code, and a schema that can be read as SQL; it would bring SQLAlchemy along
for that, with a second description of every table. Two processes that migrate at once do it one after the other, since a
lock is taken before the state is looked at (`test_two_processes_migrate_at_once`).
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import inspect
from msgspec.structs import fields

from gw import clock
from gw.domain.call import CallRecord
from gw.ledger.store import Connection

DIRECTORY = Path(__file__).with_name("migrations")


class Schema(NamedTuple):
    """How one kind of database is told."""

    directory: Path
    split: Callable[[str], Iterable[str]]  # a script into what one `execute` takes
    columns: str  # query of the names of the columns of `call`; no rows if there is no such table yet
    text: str  # types of columns
    integer: str


def statements(script: str) -> Iterator[str]:
    """Splits a script at the semicolons that end a statement; what follows the last one must be comment or blank."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    assert all(line.startswith("--") or not line.strip() for line in pending.splitlines()), "a statement without its semicolon"


SQLITE = Schema(DIRECTORY / "sqlite", statements, "SELECT name FROM pragma_table_info('call')", "TEXT", "INTEGER")
POSTGRES = Schema(
    DIRECTORY / "postgres",
    lambda script: (script,),
    "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('call') AND attnum > 0 AND NOT attisdropped",
    'TEXT COLLATE "C"',
    "BIGINT",
)


def migrate(connection: sqlite3.Connection, schema: Schema = SQLITE) -> list[str]:
    """Brings a SQLite file up to date and answers what was applied. `connection` is in autocommit mode. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        applied = apply(connection, schema)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return applied


def apply(db: Connection, schema: Schema) -> list[str]:
    """As `migrate`, in a transaction of the caller's in which nobody else migrates."""
    applied: list[str] = []
    db.execute(
        "CREATE TABLE IF NOT EXISTS schema_migration "
        f"(name {schema.text} NOT NULL PRIMARY KEY, applied_us {schema.integer} NOT NULL)"
    )
    known = {name for (name,) in db.execute("SELECT name FROM schema_migration")}
    for path in sorted(schema.directory.glob("*.sql")):
        if path.stem in known:
            continue
        applied += _append_columns(db, schema)  # this one may index them, in a table that an older version has made
        for statement in schema.split(path.read_text("utf-8")):
            db.execute(statement)
        db.execute("INSERT INTO schema_migration VALUES (?, ?)", (path.stem, clock.wall_us()))
        applied.append(path.stem)
    applied += _append_columns(db, schema)
    return applied


def _append_columns(db: Connection, schema: Schema) -> list[str]:
    """Fields appended to CallRecord since the table was made become columns, so that record and table cannot drift."""
    present = {name for (name,) in db.execute(schema.columns)}
    added: list[str] = []
    if not present:
        return added  # there is no such table yet
    for field in fields(CallRecord):
        if field.name in present:
            continue
        textual = isinstance(inspect.type_info(field.type), inspect.StrType)
        column = f"{schema.text} NOT NULL DEFAULT ''" if textual else f"{schema.integer} NOT NULL DEFAULT 0"
        db.execute(f"ALTER TABLE call ADD COLUMN {field.name} {column}")
        added.append(f"call.{field.name}")
    return added
