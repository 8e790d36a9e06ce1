"""The courier's part in the audit: earlier rows are taken into the chain, what has come is signed and handed out, and the chain
over the ledger is carried on."""

import asyncio
import logging
import tempfile
from pathlib import Path

from gw import clock
from gw.audit import record
from gw.audit.anchor import ROWS_MAX, Anchor, line_of
from gw.audit.sign import Signer, SignError, signer_of
from gw.config.alert_model import Audit
from gw.courier import Desk
from gw.export.errors import ExportError
from gw.export.target import target_of
from gw.ledger.audit import seal
from gw.ledger.cursor import move_cursor, read_cursor
from gw.ledger.months import begin_us, month_of
from gw.ledger.store import Database
from gw.snapshot import pepper_of

log = logging.getLogger("gw.audit")

LOOK_S = 30.0
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
STEADY_NS = 120_000_000_000  # the clock must have been of one mind for so long before retention's mark is believed
FILE, STORE = "audit:file", "audit:store"  # cursors: the last anchor that was handed out


async def keep(desk: Desk, audit: Audit, retention_months: int) -> None:
    database = desk.database
    signer = await asyncio.to_thread(_signer, desk, audit)
    await asyncio.to_thread(seal, database)
    retired = Retired(retention_months)
    while True:
        if before_us := retired.due():
            await asyncio.to_thread(record.note_retired, database, before_us, clock.wall_us())
        if audit.ledger:
            await _close_blocks(database)
        await asyncio.to_thread(sign_if_due, database, signer, audit.sign_every_h, clock.wall_us())
        await asyncio.to_thread(hand_out, database, audit)
        await asyncio.sleep(LOOK_S)


async def _close_blocks(database: Database) -> None:
    """All that can be closed now: of a ledger that is long already, one after the other."""
    closed = True
    while closed:
        closed = await asyncio.to_thread(record.close_block, database, partial_before_us=clock.wall_us() - DAY_US)


def _signer(desk: Desk, audit: Audit) -> Signer:
    """Raises OSError for a key that cannot be used: the duty is tried again."""
    try:
        return signer_of(audit.key.reveal() if audit.key else "", desk.state_dir, pepper_of(desk.config))
    except SignError as error:
        raise OSError(str(error)) from error


def sign_if_due(database: Database, signer: Signer, every_h: int, now_us: int) -> Anchor | None:
    """All that has come since, by as many anchors as it takes; the last of them."""
    if now_us - record.last_signed_us(database) < every_h * HOUR_US:
        return None
    anchor: Anchor | None = None
    full = True
    while full and (made := record.put_signed_anchor(database, signer, now_us)) is not None:
        anchor, full = made, max(len(made.rows()), len(made.blocks())) == ROWS_MAX
        log.info("the audit is signed up to entry %d (anchor %d, %s %s)", made.last_id, made.id, made.algorithm, made.key_id)
    return anchor


def hand_out(database: Database, audit: Audit) -> None:
    """Appends anchors to the file, and puts them into the store, each once, or after a crash once more. Raises OSError."""
    if audit.anchor_file:
        for anchor in _new(database, FILE):
            with Path(audit.anchor_file).open("a", encoding="utf-8") as file:
                file.write(f"{line_of(anchor)}\n")
            move_cursor(database, FILE, anchor.id)
    if audit.anchor_url:
        for anchor in _new(database, STORE):
            _put(audit, anchor)
            move_cursor(database, STORE, anchor.id)


def _new(database: Database, name: str) -> list[Anchor]:
    return record.anchors_after(database, max(read_cursor(database, name), 0))


def _put(audit: Audit, anchor: Anchor) -> None:
    try:
        target = target_of(audit.anchor_url, endpoint=audit.anchor_endpoint, region=audit.anchor_region)
        with tempfile.TemporaryDirectory(prefix="gw-anchor-") as folder:
            file = Path(folder) / "anchor.json"
            file.write_text(f"{line_of(anchor)}\n", "utf-8")
            target.put(f"anchor-{anchor.id:08}.json", file)
    except ExportError as error:
        raise OSError(f"anchor {anchor.id} cannot be put to {audit.anchor_url}: {error}") from error


class Retired:
    """Before when calls go, as the keeper reckons; said a little before the keeper acts on it."""

    def __init__(self, months: int) -> None:
        self._months = months
        self._before_us = 0
        self._since_ns = 0

    def due(self) -> int:
        """0: nothing goes, or the clock has just changed its mind."""
        if not self._months:
            return 0
        before_us = begin_us(month_of(clock.wall_us()) - self._months)
        if before_us != self._before_us:
            self._before_us, self._since_ns = before_us, clock.mono_ns()
            return 0
        return before_us if clock.mono_ns() - self._since_ns >= STEADY_NS else 0
