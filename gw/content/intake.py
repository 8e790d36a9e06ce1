"""From the spool into the database: batches, each one transaction with how far the spool is read. Synchronous.

Two that take in the same at once do it one after the other, and the second finds it done: offsets are read in the transaction.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

from gw.content.spooled import Read, is_whole, read, segments
from gw.content.store import Keeper
from gw.content.vault import ContentError
from gw.ledger.content import ContentDatabase, count
from gw.ledger.store import Connection

BATCH_BYTES = 8 << 20
# One call's content is not to keep all others out. Errors of the database are none of these: the batch is tried again.
BUGS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, ContentError)

log = logging.getLogger("gw.content")

_OFFSETS = "SELECT name, consumed_bytes FROM content_segment"
_OFFSET = (
    "INSERT INTO content_segment (name, consumed_bytes) VALUES (?, ?) "
    "ON CONFLICT (name) DO UPDATE SET consumed_bytes = excluded.consumed_bytes"
)


class Intake:
    def __init__(self, directory: Path, database: ContentDatabase, keeper: Keeper) -> None:
        self._directory = directory
        self._database = database
        self._keeper = keeper
        self._looked: dict[str, int] = {}  # segment -> its size when it had been read to the end

    def step(self) -> int:
        """One batch; how many frames it had. 0: nothing is there now. Raises StoreError, after which it is there still."""
        if not self._news():
            return 0
        try:
            with self._database.changing() as db:
                offsets = {name: int(consumed) for name, consumed in db.execute(_OFFSETS)}
                found = read(self._directory, offsets, BATCH_BYTES, self._keeper.open)
                self._take(db, found)
        except BaseException:
            self._keeper.doubt()
            raise
        self._tidy(found, offsets)
        return len(found.sent) + found.damaged

    def _take(self, db: Connection, found: Read) -> None:
        self._keeper.begin(db)
        for sent in found.sent:
            try:
                self._keeper.take(db, sent)
            except BUGS:
                log.exception("content of call %s cannot be taken in, and is left out", sent.note.call_id)
                self._keeper.doubt()
                count(db, "left_out", 1)
        self._keeper.end(db)
        if found.damaged:
            count(db, "damaged", found.damaged)
        if found.offsets:
            db.executemany(_OFFSET, found.offsets.items())

    def _news(self) -> bool:
        """Whether a look is worth a transaction: a segment is new, has grown since it was read to its end, or has ended."""
        for name in segments(self._directory):
            with suppress(FileNotFoundError), (self._directory / name).open("rb") as file:
                if self._looked.get(name) != os.fstat(file.fileno()).st_size or is_whole(file.fileno()):
                    return True
        return False

    def _tidy(self, found: Read, before: dict[str, int]) -> None:
        """What is taken in leaves the spool: the files, then what was known of them."""
        for name in found.over:
            (self._directory / name).unlink(missing_ok=True)
        present = set(segments(self._directory))
        gone = [name for name in {*before, *found.offsets} if name not in present]
        if gone:
            with self._database.changing() as db:
                db.executemany("DELETE FROM content_segment WHERE name = ?", ((name,) for name in gone))
        at = {**before, **found.offsets}
        self._looked = {}
        if not found.more:
            for name in present:
                with suppress(FileNotFoundError):
                    size = (self._directory / name).stat().st_size
                    if size == at.get(name, 0):
                        self._looked[name] = size
