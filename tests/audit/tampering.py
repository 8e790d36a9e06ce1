"""An audit with some rows in it, and somebody who has the database to himself."""

from collections.abc import Callable
from typing import Any

from gw.audit.record import put_signed_anchor, verify
from gw.audit.sign import HmacKey
from gw.audit.verify import Report
from gw.ledger.audit import COLUMNS, GENESIS, AuditRow, append, rows_from
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Connection, Database

KEY = HmacKey(b"p" * 32)
ROWS = 9
MARKS = ", ".join("?" * len(COLUMNS))


def row(number: int) -> AuditRow:
    return AuditRow(0, 1000 + number, f"user {number}", "api", "update", "team", f"team {number}", '{"a":1}', f'{{"a":{number}}}')


def filled(database: Database, count: int = ROWS, *, anchored_at: tuple[int, ...] = ()) -> None:
    """Rows 1 to `count`; an anchor after each of the ids that are named."""
    for number in range(1, count + 1):
        with database.changing() as db:
            append(db, row(number))
        if number in anchored_at:
            assert put_signed_anchor(database, KEY, 2000 + number) is not None


def tamper(database: Database, *deeds: Callable[[Connection], object], table: str = "audit") -> None:
    """As the owner of the database, who can take the triggers away."""
    with database.changing() as db:
        if isinstance(database, SqliteDatabase):
            names = db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)).fetchall()
            for (name,) in names:
                db.execute(f"DROP TRIGGER {name}")
        else:
            db.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for deed in deeds:
            deed(db)


def sql(statement: str, *values: Any) -> Callable[[Connection], object]:
    return lambda db: db.execute(statement, values)


def rechained(db: Connection) -> None:
    """All hashes anew, and the head with them: what somebody can do who knows how it is made, and has no key."""
    rows = list(rows_from(db))
    prev_hash = GENESIS
    db.execute("DELETE FROM audit")
    for one in rows:
        made = one.after(prev_hash)
        db.execute(f"INSERT INTO audit ({', '.join(COLUMNS)}) VALUES ({MARKS})", made)
        prev_hash = made.hash
    db.execute("UPDATE audit_head SET id = ?, hash = ?", (rows[-1].id, prev_hash))


def found(report: Report) -> list[tuple[str, int, int]]:
    return [(one.what, one.row, one.last) for one in report.findings]


def verified(database: Database, first_id: int = 0, last_id: int = 0) -> Report:
    return verify(database, KEY, [], first_id, last_id)
