"""What is kept, for whoever may read it: one conversation, a search, how much there is. Synchronous; nothing is changed."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple

from gw.config.content_model import Content
from gw.content.conversation import Conversation, conversation
from gw.content.store import CallRow, call_row, restored
from gw.content.vault import ContentError, Vault, vault_of
from gw.content.words import query
from gw.ledger.content import ContentDatabase, content_database
from gw.ledger.log_sql import Term
from gw.ledger.store import Connection

SEARCHED_MAX = 10_000
"""Calls that a search answers at most."""


class Raw(NamedTuple):
    """Byte by byte as it was kept."""

    request: bytes
    answer: bytes


class Stats(NamedTuple):
    """Sizes in bytes. `sent`: what the calls that are kept have sent and been answered; `kept`: what that takes on the disk."""

    calls: int
    without: int  # of them: those of which something could not be kept
    oldest_us: int  # 0: there are none
    sent: int
    blocks: int
    kept: int
    by_key: dict[int, int]  # blocks of text by the number of their key; 0: not encrypted
    counts: dict[str, int]


class Library:
    def __init__(self, content: Content, address: str) -> None:
        """`address`: of the ledger. Raises StoreError where the driver is missing."""
        self.content = content
        self.address = address
        self.database: ContentDatabase = content_database(address)
        self._vault: Vault | None = None

    @property
    def vault(self) -> Vault:
        """Raises ContentError."""
        if self._vault is None:
            self._vault = vault_of(self.content)
        return self._vault

    def row(self, call_id: str) -> CallRow | None:
        """Raises StoreError."""
        with self.database.reading() as db:
            return call_row(db, call_id) if db is not None else None

    def raw(self, call_id: str) -> Raw | None:
        """None: nothing is kept of this call. Raises StoreError, ContentError."""
        found = self._read(call_id)
        return found[1] if found is not None else None

    def conversation(self, call_id: str) -> Conversation | None:
        """To be read. None: nothing is kept of this call. Raises StoreError, ContentError."""
        found = self._read(call_id)
        return conversation(*found) if found is not None else None

    def _read(self, call_id: str) -> tuple[CallRow, Raw] | None:
        with self.database.reading() as db:
            row = call_row(db, call_id) if db is not None else None
            if db is None or row is None:
                return None
            vault = self.vault
            return row, Raw(restored(db, vault, row.request_block), restored(db, vault, row.answer_block))

    def search(self, text: str, limit: int, *, since_us: int = 0, until_us: int = 0) -> list[str]:
        """Ids of calls in which this was said, the latest first. Raises ValueError for a query without words, StoreError, and
        ContentError where nothing is indexed."""
        if not self.content.searches:
            raise ContentError("conversations are not indexed: [content] search is off, or they are encrypted")
        with self.database.reading() as db:
            most = min(limit, SEARCHED_MAX)
            return [] if db is None else search(self.database, db, text, most, since_us=since_us, until_us=until_us)

    def stats(self) -> Stats:
        """Reads all blocks' sizes. Raises StoreError."""
        with self.database.reading() as db:
            return _stats(self.database, db) if db is not None else Stats(0, 0, 0, 0, 0, 0, {}, {})


def search(
    database: ContentDatabase,
    db: Connection,
    text: str,
    limit: int,
    *,
    since_us: int = 0,
    until_us: int = 0,
    terms: Sequence[Term] = (),
) -> list[str]:
    """`terms`: what else must hold of a row of `content_call`."""
    condition, value = database.found(query(text).terms)
    bounds = {"started_us >= ?": since_us, "started_us < ?": until_us}
    where = [condition, *(one.sql for one in terms), *(sql for sql, at_us in bounds.items() if at_us)]
    values: list[Any] = [value, *(value for one in terms for value in one.values), *(at_us for at_us in bounds.values() if at_us)]
    rows = db.execute(
        f"SELECT call_id FROM content_call WHERE {' AND '.join(where)} ORDER BY started_us DESC, id DESC LIMIT ?",  # noqa: S608
        (*values, limit),
    )
    return [call_id for (call_id,) in rows]


def _stats(database: ContentDatabase, db: Connection) -> Stats:
    calls, without, oldest, sent = db.execute(
        "SELECT COUNT(*), COUNT(*) FILTER (WHERE request_problem <> '' OR answer_problem <> ''), "
        "coalesce(min(started_us), 0), "
        "coalesce(sum(CASE WHEN request_problem = '' THEN request_bytes ELSE 0 END "
        "+ CASE WHEN answer_problem = '' THEN answer_bytes ELSE 0 END), 0) FROM content_call"
    ).fetchone()
    by_key = {int(key): int(found) for key, found in db.execute(
        "SELECT key_number, COUNT(*) FROM content_block WHERE kind <> 1 GROUP BY key_number"
    )}
    ((blocks,),) = db.execute("SELECT COUNT(*) FROM content_block").fetchall()
    counts = {str(name): int(value) for name, value in db.execute("SELECT name, value FROM content_meta ORDER BY name")}
    kept = database.bytes_used(db)
    return Stats(int(calls), int(without), int(oldest), int(sent), int(blocks), kept, by_key, counts)


def text_of(data: bytes) -> dict[str, str]:
    """Bytes in JSON: as text where they are UTF-8, else in base64."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode()}
