"""An anchor: what stood in the audit up to some row, signed, so that it can be told later whether it still stands there.

It holds a short digest of each row since the anchor before it, so that whoever changes rows and computes the whole chain anew is
found at the very row, and the digest of the anchor before it. Written to the database and to wherever else the configuration
says; as a line of a file it is one JSON object. Pure, but for `anchors_of`.
"""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from gw.ledger.audit import AuditRow, digest
from gw.ledger.store import Connection

ROWS_MAX = 5000  # of one anchor; more rows make more anchors
DIGEST_CHARS = 16  # 64 bits of a row's content: one can be met by chance, or by somebody who may not choose the row, never

_COLUMNS = "id, at_us, first_id, last_id, hash, digests, ledger_id, ledger_hash, ledger_digests, previous, "
_COLUMNS += "algorithm, key_id, signature"
_SELECT = f"SELECT {_COLUMNS} FROM audit_anchor"  # noqa: S608 - our own names
_INSERT = f"INSERT INTO audit_anchor ({_COLUMNS}) VALUES ({', '.join('?' * 13)})"  # noqa: S608


class Anchor(Struct, frozen=True):
    """`hash` is that of row `last_id`; `digests` is "id:digest,..." of the rows first_id to last_id. `ledger_id`, `ledger_hash`:
    the last block of the ledger's chain, 0 and "" for none; `ledger_digests`: as `digests`, of the blocks since then.
    `signature` (base64) is over `payload`."""

    id: int
    at_us: int
    first_id: int
    last_id: int
    hash: str
    digests: str
    ledger_id: int
    ledger_hash: str
    ledger_digests: str
    previous: str
    algorithm: str = ""
    key_id: str = ""
    signature: str = ""

    @property
    def payload(self) -> bytes:
        """What is signed: the digest of all values but the signature, as netstrings."""
        audit = (self.id, self.at_us, self.first_id, self.last_id, self.hash, self.digests)
        ledger = (self.ledger_id, self.ledger_hash, self.ledger_digests)
        return digest("gw-anchor-1", *audit, *ledger, self.previous, self.algorithm, self.key_id).encode()

    @property
    def digest(self) -> str:
        """What the next anchor holds of this one."""
        return digest("gw-anchor-1", self.payload, self.signature)

    def rows(self) -> dict[int, str]:
        """Id -> digest. Raises ValueError for what cannot be read."""
        return _pairs(self.digests)

    def blocks(self) -> dict[int, str]:
        """Id -> digest of the ledger's. Raises ValueError."""
        return _pairs(self.ledger_digests)


def _pairs(text: str) -> dict[int, str]:
    pairs = (part.split(":") for part in text.split(",") if part)
    return {int(number): digits for number, digits in pairs}


def short(row: AuditRow) -> str:
    return row.content[:DIGEST_CHARS]


def unsigned(before: Anchor | None, rows: list[AuditRow], blocks: list[tuple[int, str]], at_us: int) -> Anchor:
    """Over rows and blocks (id, hash) that follow those of `before`, at most ROWS_MAX of each."""
    assert len(rows) <= ROWS_MAX and len(blocks) <= ROWS_MAX
    ledger = blocks[-1] if blocks else (before.ledger_id, before.ledger_hash) if before is not None else (0, "")
    last_id, last_hash = (
        (rows[-1].id, rows[-1].hash) if rows else (before.last_id, before.hash) if before is not None else (0, "")
    )
    return Anchor(
        id=before.id + 1 if before is not None else 1,
        at_us=at_us,
        first_id=rows[0].id if rows else last_id + 1,
        last_id=last_id,
        hash=last_hash,
        digests=",".join(f"{row.id}:{short(row)}" for row in rows),
        ledger_id=ledger[0],
        ledger_hash=ledger[1],
        ledger_digests=",".join(f"{number}:{hashed[:DIGEST_CHARS]}" for number, hashed in blocks),
        previous=before.digest if before is not None else "",
    )


def line_of(anchor: Anchor) -> str:
    """One line of a file of anchors, without its end."""
    return msgspec.json.encode(anchor).decode()


def anchors_in(lines: Iterable[str], source: str) -> list[Anchor]:
    """Raises ValueError that names the line."""
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=Anchor))
        except msgspec.MsgspecError as error:
            raise ValueError(f"{source}:{number}: not an anchor: {error}") from error
    return sorted(found, key=lambda one: one.id)


def anchors_of(db: Connection, after_id: int = 0) -> Iterator[Anchor]:
    """In their order, one at a time."""
    while (row := db.execute(f"{_SELECT} WHERE id > ? ORDER BY id LIMIT 1", (after_id,)).fetchone()) is not None:
        anchor = Anchor(*row)
        yield anchor
        after_id = anchor.id


def last_anchor(db: Connection) -> Anchor | None:
    row = db.execute(f"{_SELECT} ORDER BY id DESC LIMIT 1").fetchone()
    return Anchor(*row) if row is not None else None


def put_anchor(db: Connection, anchor: Anchor) -> None:
    db.execute(_INSERT, msgspec.structs.astuple(anchor))
