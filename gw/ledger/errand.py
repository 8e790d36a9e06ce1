"""Errands: what the control API asks of the courier, and what became of it. One row each; the newest thousand are kept."""

from typing import Any

import msgspec
from msgspec import Struct

from gw.ledger.store import Connection, Database

KEPT = 1000
ATTEMPTS_MAX = 3  # a courier that dies over an errand each time is not to die for ever

_COLUMNS = "id, kind, name, fields, asked_us, asked_by, taken_us, done_us, attempts, outcome, answer"
_PUT = f"INSERT INTO errand ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, '', '')"  # noqa: S608 - our own names
_DROP = "DELETE FROM errand WHERE done_us > 0 AND id NOT IN (SELECT id FROM errand ORDER BY asked_us DESC, id DESC LIMIT ?)"


class Errand(Struct, frozen=True):
    """Times in UTC microseconds, 0 for not yet. `outcome`: "" while it is not done, then done or failed."""

    id: str
    kind: str  # who performs it: `export`, `alert_test`, ...
    name: str  # of what it is about
    fields: dict[str, Any]
    asked_us: int
    asked_by: str
    taken_us: int = 0
    done_us: int = 0
    attempts: int = 0
    outcome: str = ""
    answer: dict[str, Any] = {}


def ask(db: Connection, errand: Errand) -> None:
    """In a transaction of the caller's (`Database.changing`). `id` is the caller's, unique."""
    fields = msgspec.json.encode(errand.fields).decode()
    db.execute(_PUT, (errand.id, errand.kind, errand.name, fields, errand.asked_us, errand.asked_by))
    db.execute(_DROP, (KEPT,))


def find(db: Connection, errand_id: str) -> Errand | None:
    row = db.execute(f"SELECT {_COLUMNS} FROM errand WHERE id = ?", (errand_id,)).fetchone()  # noqa: S608 - our own names
    return _errand(row) if row is not None else None


def latest(db: Connection, kind: str, name: str = "", limit: int = 100) -> list[Errand]:
    """The newest first; `name` "": of all."""
    query = f"SELECT {_COLUMNS} FROM errand WHERE kind = ? AND (? = '' OR name = ?) ORDER BY asked_us DESC, id DESC LIMIT ?"  # noqa: S608
    return [_errand(row) for row in db.execute(query, (kind, name, name, limit))]


def waiting(db: Connection) -> bool:
    """Whether anything waits for a courier."""
    return db.execute("SELECT 1 FROM errand WHERE done_us = 0 LIMIT 1").fetchone() is not None


def take(database: Database, kinds: tuple[str, ...], limit: int, now_us: int) -> list[Errand]:
    """The oldest that nobody has taken, taken herewith. Raises StoreError."""
    marks = ", ".join("?" * len(kinds))
    query = (
        f"SELECT {_COLUMNS} FROM errand WHERE taken_us = 0 AND done_us = 0 AND kind IN ({marks}) "  # noqa: S608 - our own names
        "ORDER BY asked_us, id LIMIT ?"
    )
    with database.reading() as db:
        if db is None or db.execute(query, (*kinds, limit)).fetchone() is None:
            return []
    with database.changing() as db:
        errands = [_errand(row) for row in db.execute(query, (*kinds, limit)).fetchall()]
        for one in errands:
            db.execute("UPDATE errand SET taken_us = ?, attempts = attempts + 1 WHERE id = ?", (now_us, one.id))
    return errands


def give_back(database: Database) -> None:
    """What a courier had taken that is no more: to be taken again, or given up. Raises StoreError."""
    with database.changing() as db:
        db.execute("UPDATE errand SET taken_us = 0 WHERE taken_us > 0 AND done_us = 0 AND attempts < ?", (ATTEMPTS_MAX,))
        db.execute(
            "UPDATE errand SET done_us = taken_us, outcome = 'failed', answer = ? WHERE taken_us > 0 AND done_us = 0",
            ('{"error":"the courier ended over it, several times"}',),
        )


def finish(database: Database, errand_id: str, outcome: str, answer: dict[str, Any], now_us: int) -> None:
    """Raises StoreError."""
    with database.changing() as db:
        db.execute(
            "UPDATE errand SET done_us = ?, outcome = ?, answer = ? WHERE id = ?",
            (now_us, outcome, msgspec.json.encode(answer).decode(), errand_id),
        )


def _errand(row: Any) -> Errand:
    values = list(row)
    values[3] = msgspec.json.decode(values[3])
    values[10] = msgspec.json.decode(values[10]) if values[10] else {}
    return Errand(*values)
