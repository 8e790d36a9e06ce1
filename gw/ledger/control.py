"""What the database defines: definitions, virtual keys, versions; each change with its row in the audit (gw/ledger/audit.py).

Written a few times a day by people's commands and by the control API, beside the keeper; the database's own lock orders them.
Each change is one transaction: the rows, the audit row, and the version that the keeper watches. A key's text is in no row, so
a stolen ledger opens nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec.structs import astuple

from gw.domain.key import FormerSecret, KeyRow
from gw.domain.stored import Definition, Stored
from gw.ledger.audit import AuditRow, append
from gw.ledger.store import Connection, Database

VERSION = "control_version"

_DEFINITIONS = "SELECT kind, name, fields, version, created_us, updated_us FROM definition ORDER BY created_us, kind, name"
_KEY_COLUMNS = tuple(name for name in KeyRow.__struct_fields__ if name != "former")
_KEYS = f"SELECT {', '.join(_KEY_COLUMNS)} FROM virtual_key ORDER BY created_us, public_id"  # noqa: S608 - our own names
_PUT_KEY = (
    f"INSERT INTO virtual_key ({', '.join(_KEY_COLUMNS)}) VALUES ({', '.join('?' * len(_KEY_COLUMNS))}) "  # noqa: S608
    f"ON CONFLICT (public_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _KEY_COLUMNS)}"
)
_PUT = (
    "INSERT INTO definition (kind, name, fields, version, created_us, updated_us) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (kind, name) "
    "DO UPDATE SET fields = excluded.fields, version = excluded.version, updated_us = excluded.updated_us"
)
_MOVE = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class Change:
    """One transaction: what is there, and what becomes of it. Nothing is kept unless its block ends without an error."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self.stored = _read(db)
        self.version = self.stored.version + 1  # of everything, once this is kept; for the rows that are put
        self.made = False

    def put(self, definition: Definition) -> None:
        """New, or in the place of the one of its kind and name."""
        self.made = True
        self._db.execute(_PUT, astuple(definition))

    def remove(self, kind: str, name: str) -> None:
        self.made = True
        self._db.execute("DELETE FROM definition WHERE kind = ? AND name = ?", (kind, name))

    def put_key(self, row: KeyRow) -> None:
        """New, or in the place of the one of its public id; its former secrets as they are in `row`."""
        self.made = True
        values = astuple(row)[: len(_KEY_COLUMNS)]
        self._db.execute(_PUT_KEY, [_text(value) if isinstance(value, tuple) else value for value in values])
        self._db.execute("DELETE FROM key_secret WHERE public_id = ?", (row.public_id,))
        former = [(one.digest, row.public_id, one.until_us) for one in row.former]
        self._db.executemany("INSERT INTO key_secret (digest, public_id, until_us) VALUES (?, ?, ?)", former)

    def note(self, row: AuditRow) -> None:
        """Writes the audit."""
        append(self._db, row)


@contextmanager
def changing(database: Database) -> Iterator[Change]:
    """What `stored` says is what the change is made to. Raises StoreError."""
    with database.changing() as db:
        change = Change(db)
        yield change
        if change.made:
            db.execute(_MOVE, (VERSION, change.version))


def read_stored(database: Database) -> Stored:
    """Everything as it is now; nothing if there is no database yet. Raises StoreError."""
    with database.reading() as db:
        return Stored() if db is None else _read(db)


def control_version(database: Database) -> int:
    """Grows with every change; 0 if nothing was ever defined. Cheap enough to ask four times a second. Raises StoreError."""
    with database.reading() as db:
        return 0 if db is None else _version(db)


def _read(db: Connection) -> Stored:
    former: dict[str, list[FormerSecret]] = {}
    for known, public_id, until_us in db.execute("SELECT digest, public_id, until_us FROM key_secret ORDER BY until_us, digest"):
        former.setdefault(public_id, []).append(FormerSecret(known, until_us))
    return Stored(
        version=_version(db),
        definitions=tuple(Definition(*row) for row in db.execute(_DEFINITIONS)),
        keys=tuple(_key_row(row, former.get(row[0], [])) for row in db.execute(_KEYS)),
    )


def _version(db: Connection) -> int:
    found = db.execute("SELECT value FROM meta WHERE name = ?", (VERSION,)).fetchone()
    return int(found[0]) if found else 0


def _key_row(row: tuple[Any, ...], former: list[FormerSecret]) -> KeyRow:
    values = dict(zip(_KEY_COLUMNS, row, strict=True))
    globs = {name: msgspec.json.decode(str(values[name]), type=tuple[str, ...]) for name in ("models", "upstreams")}
    fields = {**values, **globs, "active": bool(values["active"]), "former": tuple(former)}
    return msgspec.convert(fields, KeyRow)


def _text(globs: tuple[str, ...]) -> str:
    return msgspec.json.encode(globs).decode()
