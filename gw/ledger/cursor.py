"""How far each duty of the courier has come in what it reads, kept beside what it reads.

A duty reads what follows its cursor, deals with it, then moves the cursor: killed in between, it deals with the same again.
So whatever a duty hands on must be known again by whoever gets it twice (the same ids, the same file names).
"""

from gw.ledger.store import Connection, Database

_READ = "SELECT seq FROM courier_cursor WHERE name = ?"
_MOVE = (
    "INSERT INTO courier_cursor (name, seq) VALUES (?, ?) "
    "ON CONFLICT (name) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > courier_cursor.seq"
)
CURSORS = (
    "SELECT name, seq, CASE WHEN seq < given THEN given - seq ELSE 0 END, refused FROM ("
    "SELECT name, seq, COALESCE((SELECT value FROM meta WHERE name = 'call_seq'), 0) AS given, "
    "COALESCE((SELECT value FROM meta WHERE name = 'refused:' || courier_cursor.name), 0) AS refused FROM courier_cursor) known "
    "ORDER BY name"
)
"""Of each duty that goes by `call.seq`: its name, its place, how many rows are before it, how many were refused for good."""


def read_cursor(database: Database, name: str) -> int:
    """The last number that the duty has dealt with; -1: it never moved, so it may choose where to begin. Raises StoreError."""
    with database.reading() as db:
        found = db.execute(_READ, (name,)).fetchone() if db is not None else None
    return int(found[0]) if found else -1


def move_cursor(database: Database, name: str, seq: int) -> None:
    """Durable when it returns; never backwards. Raises StoreError."""
    with database.changing() as db:
        move_cursor_in(db, name, seq)


def move_cursor_in(db: Connection, name: str, seq: int) -> None:
    """As `move_cursor`, in a transaction of the caller's, which holds what was dealt with as well."""
    db.execute(_MOVE, (name, seq))
