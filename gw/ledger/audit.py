"""The audit: who changed, signed in or looked at what. Rows are only ever added, and each holds the hash of the one before it.

    content = SHA-256 of "gw-audit-1" and the row's nine values, id to after_json, as netstrings ("5:alice,"), numbers as decimals
    hash    = SHA-256 of "gw-chain-1" and prev_hash and content, as netstrings; both in lower-case hex

The first row's prev_hash is GENESIS. A row, its hashes and `audit_head` are written in the transaction of the change, which is
one of `Database.changing`: those happen one after the other, whoever writes, so that no two rows follow the same one.

What that is good for, and against whom, stands in docs/audit.md; gw/audit verifies and signs.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from gw.domain.text import printable
from gw.ledger.store import Connection, Database

GENESIS = "0" * 64
GW = "gw"  # the actor of what gw does by itself
NAME_CHARS_MAX = 300
BATCH = 500  # rows that are in memory at once while all are read

COLUMNS = ("id", "at_us", "actor", "via", "action", "kind", "name", "before_json", "after_json", "prev_hash", "hash")
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM audit"  # noqa: S608 - our own names
_INSERT = f"INSERT INTO audit ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
_SEAL = "UPDATE audit SET prev_hash = ?, hash = ? WHERE id = ?"
_HEAD = "SELECT id, hash, sealed_id FROM audit_head WHERE one = 1"
_MOVE_HEAD = (
    "INSERT INTO audit_head (one, id, hash, sealed_id) VALUES (1, ?, ?, ?) "
    "ON CONFLICT (one) DO UPDATE SET id = excluded.id, hash = excluded.hash"
)


class AuditRow(NamedTuple):
    """One change. `before_json`, `after_json`: fields without secrets, "" for none; `id` 0, no hashes: not written yet."""

    id: int
    at_us: int
    actor: str
    via: str
    action: str
    kind: str
    name: str
    before_json: str
    after_json: str
    prev_hash: str = ""
    hash: str = ""

    @property
    def content(self) -> str:
        """Digest of all but the hashes."""
        return digest("gw-audit-1", *self[:9])

    def after(self, prev_hash: str) -> "AuditRow":
        """The same row as it follows the one of that hash."""
        return self._replace(prev_hash=prev_hash, hash=link(prev_hash, self.content))


class Head(NamedTuple):
    """The last row as gw wrote it. `sealed_id`: rows up to there are older than the chain, and were taken into it later."""

    id: int = 0
    hash: str = GENESIS
    sealed_id: int = 0


def digest(*values: str | int | bytes) -> str:
    """SHA-256 over netstrings: no two lists of values have the same bytes."""
    found = sha256()
    for value in values:
        data = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        found.update(b"%d:%s," % (len(data), data))
    return found.hexdigest()


def link(prev_hash: str, content: str) -> str:
    return digest("gw-chain-1", prev_hash, content)


def append(db: Connection, row: AuditRow) -> AuditRow:
    """As it stands there now. In a transaction of the caller's (`Database.changing`)."""
    head = read_head(db) or seal_earlier(db)
    ((highest,),) = db.execute("SELECT coalesce(max(id), 0) FROM audit").fetchall()
    written = row._replace(id=max(head.id, highest) + 1).after(head.hash)
    db.execute(_INSERT, written)
    db.execute(_MOVE_HEAD, (written.id, written.hash, head.sealed_id))
    return written


def seal_earlier(db: Connection) -> Head:
    """Rows of versions without a chain become its beginning. Only ever while there is no head: whatever comes without a hash
    after that is not of gw's writing, and is left for the verification to find."""
    head = Head()
    last_id = -1
    while rows := db.execute(f"{_SELECT} WHERE id > ? ORDER BY id LIMIT ?", (last_id, BATCH)).fetchall():
        sealed = []
        for values in rows:
            row = AuditRow(*values).after(head.hash)
            head = Head(row.id, row.hash, row.id)
            sealed.append((row.prev_hash, row.hash, row.id))
        db.executemany(_SEAL, sealed)
        last_id = head.id
    if head.id:
        db.execute(_MOVE_HEAD, head)
    return head


def seal(database: Database) -> None:
    """The same, for who does not wait for the next change. Raises StoreError."""
    with database.reading() as db:
        if db is None or read_head(db) is not None or db.execute("SELECT 1 FROM audit LIMIT 1").fetchone() is None:
            return
    with database.changing() as db:
        if read_head(db) is None:
            seal_earlier(db)


def note(  # noqa: PLR0917 - a row, in its order
    database: Database, at_us: int, actor: str, via: str, action: str, kind: str, name: str, about: dict[str, Any] | None = None
) -> AuditRow:
    """What is no change of a definition: a sign-in, a look at a conversation, an export. `about`: what else there is to say, in
    JSON's types, without secrets; it stands as `after`. Raises StoreError."""
    after = msgspec.json.encode(about).decode() if about else ""
    row = AuditRow(0, at_us, actor, via, action, kind, printable(name, NAME_CHARS_MAX), "", after)
    with database.changing() as db:
        return append(db, row)


def read_head(db: Connection) -> Head | None:
    """None: no row has been chained yet."""
    found = db.execute(_HEAD).fetchone()
    return Head(*found) if found is not None else None


def read_audit(database: Database, limit: int, before_id: int | None = None, kind: str = "", name: str = "") -> list[AuditRow]:
    """Newest first. Raises StoreError."""
    wanted = {"id < ?": before_id, "kind = ?": kind or None, "name = ?": name or None}
    given = {condition: value for condition, value in wanted.items() if value is not None}
    where = f" WHERE {' AND '.join(given)}" if given else ""
    with database.reading() as db:
        if db is None:
            return []
        rows = db.execute(f"{_SELECT}{where} ORDER BY id DESC LIMIT ?", (*given.values(), limit))  # literals, parameters
        return [AuditRow(*row) for row in rows]


def rows_from(db: Connection, first_id: int = 0, last_id: int = 0) -> Iterator[AuditRow]:
    """In their order, some at a time; `last_id` 0: to the end."""
    after_id = first_id - 1
    until = " AND id <= ?" if last_id else ""
    bound = (last_id,) if last_id else ()
    while rows := db.execute(f"{_SELECT} WHERE id > ?{until} ORDER BY id LIMIT ?", (after_id, *bound, BATCH)).fetchall():
        yield from (AuditRow(*row) for row in rows)
        after_id = rows[-1][0]


def first_since(db: Connection, at_us: int) -> int:
    """The id of the first row that was written at that time or later; one past the last if there is none."""
    found = db.execute("SELECT id FROM audit WHERE at_us >= ? ORDER BY id LIMIT 1", (at_us,)).fetchone()
    if found is not None:
        return int(found[0])
    ((highest,),) = db.execute("SELECT coalesce(max(id), 0) FROM audit").fetchall()
    return int(highest) + 1
