"""The table of virtual keys.

Written by people's commands, a few times a day, beside the keeper; SQLite's own lock orders them. A key's text is in no
row, so a stolen ledger opens nothing.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from gw import clock
from gw.domain.key import KeyRow, digest, mint
from gw.ledger.sqlite import COUNT, prepare, reading

BUSY_TIMEOUT_S = 10.0
VERSION = "keys_version"

_SELECT = "SELECT public_id, digest, name, team, models, upstreams, created_us, expires_us, revoked_us FROM virtual_key"


class KeyRefused(Exception):
    """The key cannot be created or revoked; the message says why."""


class Created(NamedTuple):
    text: str  # the key itself: show it once
    row: KeyRow


def create_key(
    path: Path,
    pepper: bytes,
    *,
    name: str,
    team: str = "",
    models: tuple[str, ...] = ("*",),
    upstreams: tuple[str, ...] = ("*",),
    expires_us: int = 0,
) -> Created:
    """Mints and stores a key. Raises KeyRefused if an unrevoked key has this name, StoreError if the database is unusable."""
    minted = mint()
    row = KeyRow(minted.public_id, digest(minted.text, pepper).hex(), name, team, models, upstreams, clock.wall_us(), expires_us)
    who = (row.public_id, row.digest, row.name, row.team)
    values = (*who, _text(models), _text(upstreams), row.created_us, row.expires_us, 0)
    with _writing(path) as db:
        if db.execute("SELECT 1 FROM virtual_key WHERE name = ? AND revoked_us = 0", (name,)).fetchone():
            raise KeyRefused(f'there is already a key named "{name}"; revoke it first, or choose another name')
        db.execute("INSERT INTO virtual_key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    return Created(minted.text, row)


def revoke_key(path: Path, named: str) -> KeyRow:
    """Revokes the unrevoked key of this name or public id. Raises KeyRefused if there is none."""
    with _writing(path) as db:
        found = db.execute(f"{_SELECT} WHERE (name = ? OR public_id = ?) AND revoked_us = 0", (named, named)).fetchall()
        if not found:
            raise KeyRefused(f'there is no active key named "{named}"; `gw key list` shows them')
        if len(found) > 1:
            raise KeyRefused(f'"{named}" is the name of one key and the public id of another')
        row = msgspec.structs.replace(_row(found[0]), revoked_us=clock.wall_us())
        db.execute("UPDATE virtual_key SET revoked_us = ? WHERE public_id = ?", (row.revoked_us, row.public_id))
    return row


def list_keys(path: Path) -> list[KeyRow]:
    """All keys, revoked ones too (a client that shows one is told so), oldest first."""
    with reading(path) as db:
        if db is None:
            return []
        return [_row(row) for row in db.execute(f"{_SELECT} ORDER BY created_us, public_id")]


def list_active(path: Path) -> list[KeyRow]:
    """The keys that are not revoked."""
    return [row for row in list_keys(path) if not row.revoked_us]


def keys_version(path: Path) -> int:
    """Grows with every change to the table; 0 if nothing was ever written. Cheap enough to ask four times a second."""
    with reading(path) as db:
        found = db.execute("SELECT value FROM meta WHERE name = ?", (VERSION,)).fetchone() if db is not None else None
    return found[0] if found else 0


@contextmanager
def _writing(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction that also moves the version."""
    prepare(path)
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute(COUNT, (VERSION, 1))
        db.execute("COMMIT")
    finally:
        db.close()  # rolls back what was not committed


def _row(values: tuple[str, str, str, str, str, str, int, int, int]) -> KeyRow:
    public_id, known, name, team, models, upstreams, created_us, expires_us, revoked_us = values
    return KeyRow(public_id, known, name, team, _globs(models), _globs(upstreams), created_us, expires_us, revoked_us)


def _globs(text: str) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])


def _text(globs: tuple[str, ...]) -> str:
    return msgspec.json.encode(globs).decode()
