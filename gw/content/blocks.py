"""Blocks in the database: put once, found again by their number. Synchronous; in a transaction of the caller's.

A block's hash is BLAKE2b of its kind and text, keyed by a secret of the installation: from the database alone nobody can tell
whether a text that he knows has been said.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

from gw.content import tree
from gw.content.vault import ContentError, Kept, Vault
from gw.ledger.content import mark, numbered
from gw.ledger.store import Connection

TEXT, LIST, FRAME = 0, 1, 2
_AS_IT_CAME = 9  # no kind of block: what a slice was before rules were applied to it
HASH_BYTES = 16
AT_ONCE = 200  # parameters of one statement
REMEMBERED = 200_000  # blocks whose numbers are kept in memory: some 40 MB
LAST_ID = "last_block"
GENERATION = "generation"  # grows whenever blocks are removed: what a process remembers of their numbers is over

_PUT = "INSERT INTO content_block (id, hash, kind, form, key_number, size, data) VALUES (?, ?, ?, ?, ?, ?, ?)"
_GET = "SELECT id, hash, kind, form, key_number, size, data FROM content_block WHERE id IN ({these})"
_KNOWN = "SELECT hash, id, key_number FROM content_block WHERE hash IN ({these})"
_MEND = "UPDATE content_block SET form = ?, key_number = ?, data = ? WHERE id = ?"


class Shelf:
    """Puts blocks. What it remembers lasts from one transaction to the next, if that was kept: call `begin` at the start of each,
    and `doubt` after one that failed."""

    def __init__(self, vault: Vault, secret: bytes) -> None:
        self._vault = vault
        self._secret = secret
        self._known: dict[bytes, int] = {}  # hash -> number
        self._lists: dict[tuple[int, ...], int] = {}
        self._slices: dict[bytes, int] = {}  # hash as it came -> number of what was kept of it; 0: nothing
        self._generation = -1
        self._last = 0
        self.new_bytes = 0  # of text that was not there before, since `begin`

    def begin(self, db: Connection) -> None:
        generation = numbered(db, GENERATION)
        if generation != self._generation or len(self._known) + len(self._lists) + len(self._slices) > REMEMBERED:
            self.doubt()
            self._generation = generation
        self._last = numbered(db, LAST_ID)
        self.new_bytes = 0

    def end(self, db: Connection) -> None:
        mark(db, LAST_ID, self._last)

    def doubt(self) -> None:
        self._known.clear()
        self._lists.clear()
        self._slices.clear()
        self._generation = -1

    def put(self, db: Connection, texts: Sequence[bytes], kind: int = TEXT) -> list[int]:
        """The numbers of these, in their order."""
        hashes = [hashed(self._secret, kind, text) for text in texts]
        known = self._known
        strange = {mark_: text for mark_, text in zip(hashes, texts, strict=True) if mark_ not in known}
        if strange:
            for found, number, key in _among(db, _KNOWN, list(strange)):
                mark_ = bytes(found)
                known[mark_] = number
                if not self._vault.has(key):  # its key is lost: what comes now must not depend on it
                    kept = self._vault.close(strange[mark_], mark_)
                    db.execute(_MEND, (kept.form, kept.key, kept.data, number))
            rows = []
            for mark_, text in strange.items():
                if mark_ in known:
                    continue
                self._last += 1
                kept = self._vault.close(text, mark_, secret=kind != LIST)
                rows.append((self._last, mark_, kind, kept.form, kept.key, len(text), kept.data))
                known[mark_] = self._last
                self.new_bytes += len(text)
            db.executemany(_PUT, rows)
        return [known[mark_] for mark_ in hashes]

    def put_through(self, db: Connection, slices: Sequence[bytes], rules: Callable[[bytes], bytes]) -> list[int]:
        """As `put`, of what `rules` leave of these. Rules are costly, and most of a conversation has been through them."""
        hashes = [hashed(self._secret, _AS_IT_CAME, one) for one in slices]
        strange = {mark_: one for mark_, one in zip(hashes, slices, strict=True) if mark_ not in self._slices}
        if strange:
            left = {mark_: text for mark_, one in strange.items() if (text := rules(one))}
            self._slices.update(dict.fromkeys(strange, 0))
            self._slices.update(zip(left, self.put(db, list(left.values())), strict=True))
        return [number for mark_ in hashes if (number := self._slices[mark_])]

    def put_list(self, db: Connection, numbers: Sequence[int]) -> int:
        """The number of the root of a list of these, which are at least one."""
        level = list(numbers)
        while True:
            parts = list(tree.divided(level))
            strange = [part for part in dict.fromkeys(parts) if part not in self._lists]
            if strange:
                self._lists.update(zip(strange, self.put(db, [tree.pack(part) for part in strange], LIST), strict=True))
            level = [self._lists[part] for part in parts]
            if len(level) == 1:
                return level[0]


class Reader:
    """Finds blocks again. Raises ContentError where one is missing or damaged."""

    def __init__(self, db: Connection, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._found: dict[int, tuple[int, bytes]] = {}

    def leaves(self, root: int) -> list[tuple[int, bytes]]:
        """(kind, text) of the blocks below a root, in order."""
        level = [root]
        while True:
            self._fetch(level)
            if all(self._found[number][0] != LIST for number in level):
                return [self._found[number] for number in level]
            level = [below for number in level for below in self._below(number)]

    def _below(self, number: int) -> Iterable[int]:
        kind, text = self._found[number]
        if kind != LIST:
            return (number,)
        below = unpacked(text)
        if any(one >= number for one in below):
            raise ContentError("a list of blocks is damaged")
        return below

    def _fetch(self, numbers: Iterable[int]) -> None:
        wanted = [number for number in dict.fromkeys(numbers) if number not in self._found]
        for number, hash_, kind, form, key, size, data in _among(self._db, _GET, wanted):
            text = self._vault.open(Kept(form, key, data), bytes(hash_))
            if len(text) != size:
                raise ContentError(f"block {number} is damaged")
            self._found[number] = kind, text
        missing = next((number for number in wanted if number not in self._found), 0)
        if missing:
            raise ContentError(f"block {missing} is missing")


def hashed(secret: bytes, kind: int, text: bytes) -> bytes:
    digest = blake2b(text, digest_size=HASH_BYTES, key=secret, person=b"gw-content-%d" % kind)
    return digest.digest()


def unpacked(text: bytes) -> list[int]:
    try:
        return tree.unpack(text)
    except ValueError as error:
        raise ContentError(str(error)) from error


def _among(db: Connection, statement: str, wanted: Sequence[Any]) -> Iterator[Any]:
    """The rows of a query `... IN ({these})`, for some at a time."""
    for at in range(0, len(wanted), AT_ONCE):
        these = wanted[at : at + AT_ONCE]
        yield from db.execute(statement.format(these=", ".join("?" * len(these))), these).fetchall()
