"""What the courier does for the audit: anchors that are signed and handed out, blocks of the ledger, retention's mark.

Each function is one transaction or one look, to be called in a thread. All raise StoreError.
"""

from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice

import msgspec
from msgspec import Struct

from gw.audit import blocks
from gw.audit.anchor import ROWS_MAX, Anchor, anchors_of, last_anchor, put_anchor, unsigned
from gw.audit.sign import Signer, Verifier, is_signed_by, signed
from gw.audit.verify import Report, Verification, merged
from gw.ledger.audit import GW, AuditRow, append, read_head, rows_from
from gw.ledger.sequence import rows_after
from gw.ledger.store import Connection, Database

RETIRE = "retire"
_RETIRED = "SELECT after_json FROM audit WHERE kind = 'ledger' AND action = 'retire' ORDER BY id DESC"


class Retired(Struct):
    """What such a row says: calls that began before then are gone, or go now."""

    before: str
    before_us: int


def put_signed_anchor(database: Database, signer: Signer, now_us: int) -> Anchor | None:
    """Over what has come since the last one; None if that is nothing."""
    with database.changing() as db:
        before = last_anchor(db)
        rows = list(islice(rows_from(db, before.last_id + 1 if before is not None else 0), ROWS_MAX))
        rows = [row for row in rows if row.hash]
        hashes = blocks.block_hashes(db, before.ledger_id if before is not None else 0, ROWS_MAX)
        if not rows and not hashes:
            return None
        anchor = signed(unsigned(before, rows, hashes, now_us), signer)
        put_anchor(db, anchor)
        return anchor


def last_signed_us(database: Database) -> int:
    """0: never."""
    with database.reading() as db:
        anchor = last_anchor(db) if db is not None else None
    return anchor.at_us if anchor is not None else 0


def anchors_after(database: Database, anchor_id: int, limit: int = 10) -> list[Anchor]:
    with database.reading() as db:
        return list(islice(anchors_of(db, anchor_id), limit)) if db is not None else []


def close_block(database: Database, *, partial_before_us: int) -> bool:
    """The next BLOCK_ROWS rows, or fewer if the first of them ended before that time. Whether there was one."""
    with database.reading() as db:
        if db is None or not _ready(db, partial_before_us):
            return False
    with database.changing() as db:
        before = blocks.last_block(db)
        rows = rows_after(db, before.last_seq if before is not None else 0, blocks.BLOCK_ROWS)
        if not rows:
            return False
        blocks.put_block(db, blocks.closed(before, rows))
    return True


def note_retired(database: Database, before_us: int, now_us: int) -> bool:
    """Says in the audit that calls which began before then go by the configuration. Whether it was news."""
    with database.reading() as db:
        if db is None or retired_before_us(db) >= before_us:
            return False
    with database.changing() as db:
        if retired_before_us(db) >= before_us:
            return False
        day = datetime.fromtimestamp(before_us // 1_000_000, UTC).strftime("%Y-%m-%d")
        after = msgspec.json.encode(Retired(day, before_us)).decode()
        append(db, AuditRow(0, now_us, GW, GW, RETIRE, "ledger", f"calls before {day}", "", after))
    return True


def retired_before_us(db: Connection) -> int:
    """What the audit says that retention has let go; 0: nothing."""
    found = 0
    for (after,) in db.execute(_RETIRED):
        with suppress(msgspec.MsgspecError):
            found = max(found, msgspec.json.decode(after, type=Retired).before_us)
    return found


def verify(database: Database, verifier: Verifier | None, kept: list[Anchor], first_id: int = 0, last_id: int = 0) -> Report:
    """`kept`: anchors that somebody else has kept. One view of the database, whatever is written meanwhile."""
    with database.reading() as db:
        if db is None:
            return Verification(None, kept, verifier).run(())
        anchors = merged(anchors_of(db), kept)
        return Verification(read_head(db), anchors, verifier, first_id, last_id).run(rows_from(db, first_id, last_id))


def verify_ledger(database: Database, verifier: Verifier | None, kept: list[Anchor]) -> blocks.LedgerReport:
    with database.reading() as db:
        if db is None:
            return blocks.LedgerReport(0, 0, 0, 0, ())
        anchors = (one for one in merged(anchors_of(db), kept) if verifier is None or is_signed_by(one, verifier))
        return blocks.verify_blocks(db, anchors, retired_before_us(db))


def _ready(db: Connection, partial_before_us: int) -> bool:
    before = blocks.last_block(db)
    after = before.last_seq if before is not None else 0
    ended = db.execute("SELECT ended_us FROM call WHERE seq > ? ORDER BY seq LIMIT 1", (after,)).fetchone()
    if ended is None:
        return False
    full = db.execute("SELECT 1 FROM call WHERE seq > ? ORDER BY seq LIMIT 1 OFFSET ?", (after, blocks.BLOCK_ROWS - 1)).fetchone()
    return full is not None or int(ended[0]) < partial_before_us
