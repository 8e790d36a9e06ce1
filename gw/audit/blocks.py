"""The chain over the ledger: closed ranges of `call.seq`, each a block with a mark for every row in it.

    mark        16 bytes: offset of the row's seq from the block's first (u32), minute of its beginning since 1970 (u32), 8 bytes
                of SHA-256 over "gw-call-1", the seq and the row's values as netstrings; little endian
    block hash  SHA-256 of "gw-block-1", prev_hash, id, first_seq, last_seq, row_count, column_count and the marks

So a changed row is found at its seq, not only in its block, for 16 bytes a row. A row that is not there any more is no fault if
it began before what the audit says that retention has let go. Values are read back from the database before they are hashed.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from struct import Struct as Packed
from typing import Literal, NamedTuple

from msgspec import Struct

from gw.audit.anchor import Anchor
from gw.ledger.audit import GENESIS, digest
from gw.ledger.store import COLUMNS, Connection, Row

BLOCK_ROWS = 1000
FINDINGS_MAX = 1000
MINUTE_US = 60_000_000
STARTED = COLUMNS.index("started_us")

_MARK = Packed("<II8s")
_COLUMNS = "id, first_seq, last_seq, row_count, column_count, marks, prev_hash, hash"
_SELECT = f"SELECT {_COLUMNS} FROM ledger_block"  # noqa: S608 - our own names
_INSERT = f"INSERT INTO ledger_block ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_CALLS = f"SELECT seq, {', '.join(COLUMNS)} FROM call WHERE seq > ? AND seq <= ? ORDER BY seq"  # noqa: S608


class Block(NamedTuple):
    """`first_seq`, `last_seq`: of rows that were there."""

    id: int
    first_seq: int
    last_seq: int
    row_count: int
    column_count: int
    marks: bytes
    prev_hash: str
    hash: str

    @property
    def right_hash(self) -> str:
        """What its hash has to be."""
        return digest("gw-block-1", self.prev_hash, *self[:5], self.marks)


class Mark(NamedTuple):
    minute: int
    digest: bytes


class RowFinding(Struct, frozen=True):
    """`seq`: of the call; of a fault of a block, of its first call."""

    what: Literal["edited", "missing", "inserted", "block", "rewritten"]
    block: int
    seq: int
    call_id: str
    said: str


class LedgerReport(Struct, frozen=True):
    """`gone`: rows that retention has let go; `unchained`: rows that no block holds yet."""

    blocks: int
    rows: int
    gone: int
    unchained: int
    findings: tuple[RowFinding, ...]

    @property
    def is_whole(self) -> bool:
        return not self.findings


def closed(before: Block | None, rows: Sequence[tuple[int, Row]]) -> Block:
    """The block of these rows (seq, values), which follow those of `before`."""
    first = rows[0][0]
    marks = b"".join(_MARK.pack(seq - first, row[STARTED] // MINUTE_US, row_digest(seq, row)) for seq, row in rows)
    open_ = Block(
        before.id + 1 if before is not None else 1,
        first,
        rows[-1][0],
        len(rows),
        len(COLUMNS),
        marks,
        before.hash if before is not None else GENESIS,
        "",
    )
    return open_._replace(hash=open_.right_hash)


def row_digest(seq: int, values: Iterable[object]) -> bytes:
    found = sha256(b"9:gw-call-1,%d:%d," % (len(str(seq)), seq))
    for value in values:
        data = (str(int(value)) if isinstance(value, int) else str(value)).encode("utf-8", "surrogatepass")
        found.update(b"%d:%s," % (len(data), data))
    return found.digest()[:8]


def marks_of(block: Block) -> dict[int, Mark]:
    """By seq. Raises ValueError for what are no marks."""
    if len(block.marks) % _MARK.size:
        raise ValueError(f"{len(block.marks)} bytes are no marks")
    return {block.first_seq + offset: Mark(minute, told) for offset, minute, told in _MARK.iter_unpack(block.marks)}


def last_block(db: Connection) -> Block | None:
    row = db.execute(f"{_SELECT} ORDER BY id DESC LIMIT 1").fetchone()
    return _block(row) if row is not None else None


def put_block(db: Connection, block: Block) -> None:
    db.execute(_INSERT, block)


def block_hashes(db: Connection, after_id: int, limit: int) -> list[tuple[int, str]]:
    """(id, hash) of the next ones."""
    query = "SELECT id, hash FROM ledger_block WHERE id > ? ORDER BY id LIMIT ?"
    return [(number, hashed) for number, hashed in db.execute(query, (after_id, limit))]


def blocks_of(db: Connection) -> Iterator[Block]:
    """In their order, one at a time."""
    after_id = 0
    while (row := db.execute(f"{_SELECT} WHERE id > ? ORDER BY id LIMIT 1", (after_id,)).fetchone()) is not None:
        block = _block(row)
        yield block
        after_id = block.id


def verify_blocks(db: Connection, anchors: Iterable[Anchor], gone_before_us: int) -> LedgerReport:
    """`anchors`: those that are to be believed. `gone_before_us`: calls that began before may be gone."""
    known: dict[int, str] = {}
    for anchor in anchors:
        known |= anchor.blocks()
    found = _Found(gone_before_us // MINUTE_US)
    before: Block | None = None
    for block in blocks_of(db):
        found.chain(before, block)
        signed = known.pop(block.id, "")
        if signed and not block.hash.startswith(signed):
            found.say(
                "rewritten", block, block.first_seq, "", f"{_name(block)} is not the one that was signed: it was computed anew"
            )
        found.rows_of(block, db.execute(_CALLS, (before.last_seq if before is not None else 0, block.last_seq)))
        before = block
    if known:
        first = min(known)
        lost = Block(first, 0, 0, 0, 0, b"", "", "")
        found.say("block", lost, 0, "", f"block {first}, which was signed, is missing{' with others' if len(known) > 1 else ''}")
    after = before.last_seq if before is not None else 0
    ((unchained,),) = db.execute("SELECT count(*) FROM call WHERE seq > ?", (after,)).fetchall()
    return LedgerReport(found.blocks, found.rows, found.gone, int(unchained), tuple(found.findings))


class _Found:
    def __init__(self, gone_before: int) -> None:
        self._gone_before = gone_before
        self.findings: list[RowFinding] = []
        self.blocks = self.rows = self.gone = 0

    def chain(self, before: Block | None, block: Block) -> None:
        self.blocks += 1
        if block.right_hash != block.hash:
            self.say("block", block, block.first_seq, "", f"{_name(block)} was changed: its hash does not fit what it holds")
        elif block.prev_hash != (before.hash if before is not None else GENESIS):
            if block.id != (before.id if before is not None else 0) + 1:
                said = f"blocks before {_name(block)} are missing"
            else:
                said = f"{_name(block)} does not follow the one before it, which was replaced"
            self.say("block", block, block.first_seq, "", said)

    def rows_of(self, block: Block, rows: Iterable[Sequence[object]]) -> None:
        """Those that are there now, from the end of the block before to the end of this one."""
        try:
            marks = marks_of(block)
        except ValueError:
            return
        for seq, *values in rows:
            assert isinstance(seq, int)
            self.rows += 1
            mark, call_id = marks.pop(seq, None), str(values[0])
            if mark is None:
                self.say(
                    "inserted", block, seq, call_id, f"call {call_id} (seq {seq}) was not there when {_name(block)} was closed"
                )
            elif row_digest(seq, values[: block.column_count]) != mark.digest:
                self.say("edited", block, seq, call_id, f"call {call_id} (seq {seq}) was changed after it was written")
        for seq, mark in marks.items():
            if mark.minute < self._gone_before:
                self.gone += 1
            else:
                self.say("missing", block, seq, "", f"the call with seq {seq} is missing, and retention has not let it go")

    def say(
        self,
        what: Literal["edited", "missing", "inserted", "block", "rewritten"],
        block: Block,
        seq: int,
        call_id: str,
        said: str,
    ) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(RowFinding(what, block.id, seq, call_id, said))


def _block(row: Sequence[object]) -> Block:
    values = list(row)
    values[5] = bytes(values[5])  # type: ignore[call-overload]  # a memoryview, from some drivers
    return Block(*values)  # type: ignore[arg-type]


def _name(block: Block) -> str:
    return f"block {block.id} (seq {block.first_seq} to {block.last_seq})"
