"""What goes: calls that are too old or that somebody purges, then the blocks that no call needs any more. Synchronous.

Calls go first, some at a time, and leave the mark that a sweep is due; the sweep takes the blocks. Whoever is killed in between
leaves blocks that nobody can reach, and the mark. A sweep is one transaction of those that exclude each other with whoever adds
blocks: what it finds unreachable stays so until it is gone. Other processes forget the numbers they know (`GENERATION`).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gw.content.blocks import GENERATION, LAST_ID, LIST, unpacked
from gw.content.store import words_of
from gw.content.vault import Kept, Vault
from gw.ledger.content import ContentDatabase, count, mark, numbered
from gw.ledger.store import Connection

CALLS_AT_ONCE = 500
BLOCKS_AT_ONCE = 2_000
REMOVED_MAX = 100_000  # in one transaction; then others may go on
SWEEP_DUE = "sweep_due"
SEALED_WITH = "sealed_with"  # the number of the key that everything is encrypted with

_LISTS = (
    f"SELECT id, hash, form, key_number, data FROM content_block WHERE kind = {LIST} AND id < ? "  # noqa: S608 - our own words
    f"ORDER BY id DESC LIMIT {BLOCKS_AT_ONCE}"
)
_OTHERWISE = (
    f"SELECT id, hash, form, key_number, data FROM content_block WHERE kind <> {LIST} AND id > ? "  # noqa: S608 - our own words
    f"AND key_number <> ? ORDER BY id LIMIT {CALLS_AT_ONCE}"
)


class Which(NamedTuple):
    """Which calls: those to which all of these apply. None is all of them."""

    before_us: int = 0
    key: str = ""  # name or public id
    team: str = ""
    call_id: str = ""

    def condition(self) -> tuple[str, list[Any]]:
        parts: list[str] = ["TRUE"]
        values: list[Any] = []
        if self.before_us:
            parts.append("started_us < ?")
            values.append(self.before_us)
        if self.key:
            parts.append("(key_name = ? OR key_id = ?)")
            values += [self.key, self.key]
        if self.team:
            parts.append("team = ?")
            values.append(self.team)
        if self.call_id:
            parts.append("call_id = ?")
            values.append(self.call_id)
        return " AND ".join(parts), values


def counted(database: ContentDatabase, which: Which) -> int:
    """Raises StoreError."""
    condition, values = which.condition()
    with database.reading() as db:
        if db is None:
            return 0
        ((found,),) = db.execute(f"SELECT COUNT(*) FROM content_call WHERE {condition}", values).fetchall()  # noqa: S608 - our words
        return int(found)


def drop(database: ContentDatabase, vault: Vault, which: Which) -> int:
    """Some of them; how many went. 0: none is left. Raises StoreError."""
    condition, values = which.condition()
    query = f"SELECT id FROM content_call WHERE {condition} ORDER BY id LIMIT {CALLS_AT_ONCE}"  # noqa: S608 - our own words
    with database.reading() as db:
        if db is None or db.execute(query, values).fetchone() is None:
            return 0
    with database.changing() as db:
        ids = [id_ for (id_,) in db.execute(query, values).fetchall()]
        indexed = [(id_, text) for id_ in ids if (text := words_of(db, vault, id_))]
        database.forget(db, indexed)
        for table in ("content_words", "content_call"):
            db.executemany(f"DELETE FROM {table} WHERE id = ?", ((id_,) for id_ in ids))  # noqa: S608 - our own words
        mark(db, SWEEP_DUE, 1)
    return len(ids)


def is_due(database: ContentDatabase) -> bool:
    with database.reading() as db:
        return db is not None and bool(numbered(db, SWEEP_DUE))


def sweep(database: ContentDatabase, vault: Vault) -> int:
    """Blocks that went; at most REMOVED_MAX, so go on while it is due. Raises StoreError."""
    with database.changing() as db:
        live = reachable(db, vault)
        gone = 0
        for dead in _dead(db, live):
            db.executemany("DELETE FROM content_block WHERE id = ?", ((number,) for number in dead))
            gone += len(dead)
            if gone >= REMOVED_MAX:
                break
        else:
            mark(db, SWEEP_DUE, 0)
        if gone:
            count(db, GENERATION, 1)
    if gone:
        database.shrink()
    return gone


def reachable(db: Connection, vault: Vault) -> bytearray:
    """By a block's number: 1 if a call needs it. One pass over all lists, the youngest first: a list is younger than what it
    holds."""
    live = bytearray(numbered(db, LAST_ID) + 1)
    for request, answer in db.execute("SELECT request_block, answer_block FROM content_call"):
        live[request] = live[answer] = 1
    last = len(live)
    while rows := db.execute(_LISTS, (last,)).fetchall():
        for number, hash_, form, key, data in rows:
            if live[number]:
                for below in unpacked(vault.open(Kept(form, key, data), bytes(hash_))):
                    live[below] = 1
        last = rows[-1][0]
    return live


def _dead(db: Connection, live: bytearray) -> Iterator[Sequence[int]]:
    last = 0
    query = f"SELECT id FROM content_block WHERE id > ? ORDER BY id LIMIT {BLOCKS_AT_ONCE}"  # noqa: S608 - our own words
    while rows := db.execute(query, (last,)).fetchall():
        last = rows[-1][0]
        dead = [number for (number,) in rows if not live[number]]
        if dead:
            yield dead


def seal_anew(database: ContentDatabase, vault: Vault, after: int) -> int:
    """Some of the blocks that are encrypted with another key than the one in force, or not at all. The number to go on after; 0:
    nothing is left. Raises StoreError, ContentError."""
    with database.reading() as db:
        if db is None or (after == 0 and numbered(db, SEALED_WITH) == vault.current):
            return 0
    with database.changing() as db:
        rows = db.execute(_OTHERWISE, (after, vault.current)).fetchall()
        anew = []
        for number, hash_, form, key, data in rows:
            kept = vault.close(vault.open(Kept(form, key, data), bytes(hash_)), bytes(hash_))
            anew.append((kept.form, kept.key, kept.data, number))
        db.executemany("UPDATE content_block SET form = ?, key_number = ?, data = ? WHERE id = ?", anew)
        if not rows:
            mark(db, SEALED_WITH, vault.current)
    if not rows:
        if after:
            database.shrink()
        return 0
    return int(rows[-1][0])


def forget_words(database: ContentDatabase) -> None:
    """Search is off: no words are left behind. Raises StoreError."""
    with database.reading() as db:
        if db is None or db.execute("SELECT 1 FROM content_words LIMIT 1").fetchone() is None:
            return
    with database.changing() as db:
        database.forget_all(db)
        db.execute("DELETE FROM content_words")
    database.shrink()
