"""Finished calls, in the order in which they came, for one who sends them on; its place is kept in the database.

At least once: the cursor moves when a batch has been taken. Who is killed in between, or not heard of, hands the same batch on
again, with the same ids. What is refused for good is counted (`meta`, `refused:NAME`) and passed over.
"""

import asyncio
from collections.abc import Awaitable, Callable

from gw.domain.call import CallRecord
from gw.ledger.cursor import move_cursor_in, read_cursor
from gw.ledger.sequence import highest, rows_after
from gw.ledger.store import Database
from gw.ledger.writing import COUNT

Deliver = Callable[[list[CallRecord]], Awaitable[int]]  # answers how many of them were refused for good

ROWS_MAX = 1000  # of a batch: some 1.5 MB of spans before they are compressed


class Feed:
    """One reader's view of the ledger. `name`: of its cursor. Nothing of the past is told: it begins where it is first asked."""

    def __init__(self, database: Database, name: str, rows_max: int = ROWS_MAX) -> None:
        self._database = database
        self.name = name
        self._rows_max = rows_max
        self.seq = -1  # up to which rows were read
        self._kept = -1  # as the database has it

    async def begin(self) -> None:
        """Goes on where it stood. Raises StoreError."""
        self.seq = self._kept = await asyncio.to_thread(self._begin)

    def _begin(self) -> int:
        seq = read_cursor(self._database, self.name)
        if seq >= 0:
            return seq
        with self._database.reading() as db:
            seq = 0 if db is None else highest(db)
        self._move(seq, 0)
        return seq

    async def read(self) -> list[CallRecord]:
        """The next ones; less than asked for: there are no more now. Raises StoreError."""
        records, self.seq = await asyncio.to_thread(self._read, self.seq)
        return records

    def _read(self, seq: int) -> tuple[list[CallRecord], int]:
        with self._database.reading() as db:
            rows = [] if db is None else rows_after(db, seq, self._rows_max)
        return [CallRecord(*row) for _, row in rows], rows[-1][0] if rows else seq

    async def taken(self, refused: int = 0) -> None:
        """All that was read is dealt with. Raises StoreError."""
        if self.seq != self._kept or refused:
            await asyncio.to_thread(self._move, self.seq, refused)
            self._kept = self.seq

    def _move(self, seq: int, refused: int) -> None:
        with self._database.changing() as db:
            move_cursor_in(db, self.name, seq)
            if refused:
                db.execute(COUNT, (f"refused:{self.name}", refused))

    async def run(self, deliver: Deliver, interval_s: float) -> None:
        """Until cancelled. What `deliver` raises goes to the caller, with the cursor where it was."""
        await self.begin()
        while True:
            records = await self.read()
            if records:
                await self.taken(await deliver(records))
            if len(records) < self._rows_max:
                await asyncio.sleep(interval_s)
