"""Forward-only migrations: the plain SQL files of `migrations/`, each run once, in order, all in one transaction.

Why not Alembic: what is needed is one page of code, and a schema that can be read as SQL; it would bring SQLAlchemy along
for that, with a second description of every table. Two processes that migrate at once do it one after the other, since the
write lock is taken before the state is looked at (`test_two_processes_migrate_at_once`).
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from msgspec import inspect
from msgspec.structs import fields

from gw import clock
from gw.domain.call import CallRecord

DIRECTORY = Path(__file__).with_name("migrations")
_TRACK = "CREATE TABLE IF NOT EXISTS schema_migration (name TEXT NOT NULL PRIMARY KEY, applied_us INTEGER NOT NULL)"


def migrate(connection: sqlite3.Connection, directory: Path = DIRECTORY) -> list[str]:
    """Brings the schema up to date and answers what was applied. `connection` is in autocommit mode. Raises sqlite3.Error."""
    applied: list[str] = []
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_TRACK)
        known = {name for (name,) in connection.execute("SELECT name FROM schema_migration")}
        for path in sorted(directory.glob("*.sql")):
            if path.stem in known:
                continue
            for statement in statements(path.read_text("utf-8")):
                connection.execute(statement)
            connection.execute("INSERT INTO schema_migration VALUES (?, ?)", (path.stem, clock.wall_us()))
            applied.append(path.stem)
            applied += _append_columns(connection)  # what comes after may index them
        applied += _append_columns(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return applied


def statements(script: str) -> Iterator[str]:
    """Splits a script at the semicolons that end a statement; what follows the last one must be comment or blank."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    assert all(line.startswith("--") or not line.strip() for line in pending.splitlines()), "a statement without its semicolon"


def _append_columns(connection: sqlite3.Connection) -> list[str]:
    """Fields appended to CallRecord since the table was made become columns, so that record and table cannot drift."""
    present = {row[1] for row in connection.execute("PRAGMA table_info(call)")}
    added: list[str] = []
    if not present:
        return added  # there is no such table yet
    for field in fields(CallRecord):
        if field.name in present:
            continue
        textual = isinstance(inspect.type_info(field.type), inspect.StrType)
        column = f"{field.name} TEXT NOT NULL DEFAULT ''" if textual else f"{field.name} INTEGER NOT NULL DEFAULT 0"
        connection.execute(f"ALTER TABLE call ADD COLUMN {column}")
        added.append(f"call.{field.name}")
    return added
