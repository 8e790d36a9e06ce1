"""Pure twin of cells.pyx, cells.h and hold.h: same layout, same bytes, same results; for one process at a time.

Nothing here is atomic: two processes that work on one memory lose updates. It can end what a killed process left (`reap`),
as long as nobody else works on the memory meanwhile.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gw._fast.ref.hold import (
    ALREADY_SETTLED,
    AMOUNT_MAX,
    DONE,
    ENDED,
    EXTENDING,
    FREE,
    HARD,
    HELD,
    HOLDING,
    ITEMS_MAX,
    LEFT,
    NOT_FREE,
    NOT_HELD,
    OVERRUN,
    POSTED,
    POSTING,
    REAPED_NOTHING,
    REAPED_POST,
    REAPED_VOID,
    RETRACTING,
    SETTLED,
    SHADOW,
    SLOT_BYTES,
    SLOTS_MAX,
    SOFT,
    STALE,
    TAKEN,
    UNITS,
    USED,
    VOIDED,
    VOIDING,
    Item,
    Path,
    Slot,
)
from gw._fast.ref.table import (
    FORGETTER,
    GONE,
    MEMBER,
    RECORD_WORDS,
    WHO_BITS,
    Table,
    checked_capacity,
    checked_key,
    next_tag,
    signed,
    unsigned,
    version_tag,
    words_of,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "ALREADY_SETTLED", "AMOUNT_MAX", "CELL_BYTES", "EXTENDING", "FREE", "HARD", "HELD", "HOLDING", "ITEMS_MAX", "NOT_FREE",
    "NOT_HELD", "POSTED", "POSTING", "REAPED_NOTHING", "REAPED_POST", "REAPED_VOID", "RETRACTING", "SHADOW", "SLOTS_MAX",
    "SLOT_BYTES", "SOFT", "STALE", "TAKEN", "UNITS", "VOIDED", "VOIDING", "Cells", "Item", "Path", "Slot", "cells_bytes",
]  # fmt: skip

CELL_BYTES = 64
TAIL_BYTES = 64


def cells_bytes(capacity: int, slots: int) -> int:
    checked_capacity(capacity)
    if not 0 <= slots <= SLOTS_MAX:
        raise ValueError(f"slots must be 0 .. {SLOTS_MAX}, not {slots}")
    return capacity * CELL_BYTES + slots * SLOT_BYTES + TAIL_BYTES


class Cells:
    def __init__(self, memory: "Buffer", capacity: int, slots: int) -> None:
        self.capacity = capacity
        self.slots = slots
        self._words = words_of(memory, cells_bytes(capacity, slots), "cells")
        self._table = Table(self._words, capacity)
        self._slots_at = capacity * RECORD_WORDS

    def _at(self, index: int) -> int:
        if not 0 <= index < self.capacity:
            raise IndexError(f"no cell {index}")
        return index

    def _mark(self, value: int, tag: int) -> None:
        """The operation that left this in a word was done: its slot is told before the word is overwritten."""
        who, operation = tag & FORGETTER, tag >> WHO_BITS
        if 0 < who <= self.slots:
            at = self._slots_at + (who - 1) * (SLOT_BYTES // 8)
            if self._words[at + DONE] + 1 == operation:
                self._words[at + LEFT], self._words[at + DONE] = value, operation

    def _set(self, index: int, word: int, value: int) -> None:
        before, tag = self._table.pair(index, word)
        self._mark(before, tag)
        self._words[-8] += 1
        self._table.put(index, word, value, self._words[-8] << WHO_BITS)

    def _find(self, key: int) -> tuple[int, int]:
        word = checked_key(key)
        index, tag = self._table.find(word)
        if index >= 0 and self.used(index) == GONE:
            self._leave(index)
            index, tag = self._table.find(word)
        return index, tag

    def find(self, key: int) -> int:
        return self._find(key)[0]

    def lookup(self, key: int) -> int:
        return self._table.lookup(signed(key))[0]

    def key(self, index: int) -> int:
        value, tag = self._table.pair(self._at(index), 0)
        return unsigned(value) if tag & 3 == MEMBER else 0

    def __iter__(self) -> Iterator[int]:
        return iter([index for index in range(self.capacity) if self.key(index)])

    def used(self, index: int) -> int:
        return self._table.pair(self._at(index), USED)[0]

    def settled(self, index: int) -> int:
        return self._table.pair(self._at(index), SETTLED)[0]

    def overrun(self, index: int) -> int:
        return self._table.pair(self._at(index), OVERRUN)[0]

    def reserved(self, index: int) -> int:
        return self.used(index) - self.settled(index)

    def stamp(self, index: int) -> int:
        return self._table.pair(self._at(index), USED)[1]

    def load(self, index: int, settled: int) -> None:
        self._set(self._at(index), SETTLED, settled)
        self._set(index, USED, settled)

    def charge(self, index: int, amount: int) -> None:
        if self.used(index) != GONE:
            self._set(index, USED, self.used(index) + amount)
            self._set(index, SETTLED, self.settled(index) + amount)

    def reconcile(self, index: int, expected: int, settled: int, reserved: int) -> bool:
        if self.used(index) != expected or expected == GONE:
            return False
        self._set(index, USED, settled + reserved)
        self._set(index, SETTLED, settled)
        return True

    def forget(self, index: int) -> bool:
        used, tag = self._table.pair(self._at(index), USED)
        name_tag = self._table.pair(index, 0)[1]
        if name_tag & 3 != MEMBER or used not in (self.settled(index), GONE):
            return False
        if used != GONE:
            self._mark(used, tag)
            self._table.put(index, USED, GONE, version_tag(name_tag))
        self._leave(index)
        return True

    def _leave(self, index: int) -> None:
        name_tag = self._table.pair(index, 0)[1]
        for word in (SETTLED, OVERRUN):
            value, tag = self._table.pair(index, word)
            if tag != version_tag(name_tag):
                self._mark(value, tag)
                self._table.put(index, word, 0, version_tag(name_tag))
        self._table.put(index, 0, 0, next_tag(name_tag, FREE))

    def slot(self, ordinal: int) -> Slot:
        if not 0 <= ordinal < self.slots:
            raise IndexError(f"no slot {ordinal}")
        return Slot(self, ordinal)

    def open_slots(self, first: int = 0, count: int = -1) -> list[int]:
        end = self.slots if count < 0 else min(first + count, self.slots)
        return [ordinal for ordinal in range(max(first, 0), end) if self.slot(ordinal).state not in ENDED]
