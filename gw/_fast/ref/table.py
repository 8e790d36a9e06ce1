"""Pure twin of table.h: a table of 64-byte records in shared memory. Same layout, same bytes; for one process at a time.

Nothing here is atomic: while a process works on the memory with this twin, no other may, whichever of the two it uses.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

MASK = 2**64 - 1
GONE = -(2**63)
REACH = 256
RECORD_WORDS = 8
WHO_BITS = 18
FORGETTER = (1 << WHO_BITS) - 1
FREE, TENTATIVE, MEMBER = 0, 1, 2
CAPACITY_MAX = 2**24


def checked_capacity(capacity: int) -> int:
    if capacity < 2 or capacity > CAPACITY_MAX or capacity & (capacity - 1):
        raise ValueError(f"the capacity must be a power of two from 2 to 2**24, not {capacity}")
    return capacity


def words_of(memory: "Buffer", needed: int, owner: str) -> memoryview:
    """The first `needed` bytes as int64 words."""
    view = memoryview(memory).cast("B")
    if view.nbytes < needed:
        raise ValueError(f"the {owner}' memory must have {needed} bytes, not {view.nbytes}")
    if view.readonly:
        raise BufferError("the memory is not writable")
    return view[:needed].cast("q")


def unsigned(word: int) -> int:
    return word & MASK


def signed(word: int) -> int:
    word &= MASK
    return word - 2**64 if word >> 63 else word


def checked_key(key: int) -> int:
    """As the word that holds it."""
    if key == 0:
        raise ValueError("a key is not 0")
    if not 0 < key <= MASK:
        raise OverflowError("a key has 64 bits")
    return signed(key)


def next_tag(tag: int, state: int) -> int:
    return ((tag >> 2) + 1) << 2 | state


def version_tag(name_tag: int) -> int:
    return name_tag >> 2 << WHO_BITS | FORGETTER


class Table:
    """Records are named by index; `word` 0 of a record is its name, 1 .. 3 its words; each a pair of value and tag."""

    def __init__(self, words: memoryview, capacity: int) -> None:
        self.words = words
        self.capacity = capacity
        self.shift = 64 - (capacity.bit_length() - 1)
        self.reach = min(capacity, REACH)

    def pair(self, index: int, word: int) -> tuple[int, int]:
        """(value, tag)."""
        at = index * RECORD_WORDS + 2 * word
        return self.words[at], unsigned(self.words[at + 1])

    def put(self, index: int, word: int, value: int, tag: int) -> None:
        at = index * RECORD_WORDS + 2 * word
        self.words[at], self.words[at + 1] = value, signed(tag)

    def places(self, key: int) -> list[int]:
        home = (unsigned(key) * 0x9E3779B97F4A7C15 & MASK) >> self.shift
        return [(home + i) & (self.capacity - 1) for i in range(self.reach)]

    def lookup(self, key: int) -> tuple[int, int]:
        """(index, name tag) of the member with this (signed) key, or (-1, 0)."""
        for index in self.places(key):
            value, tag = self.pair(index, 0)
            if tag == 0:
                break
            if value == key and tag & 3 == MEMBER:
                return index, tag
        return -1, 0

    def _tentative_or_vacant(self, key: int) -> int:
        """A record that a killed process left tentative, those beyond it freed; else the first free one; else -1."""
        vacant = tentative = -1
        for index in self.places(key):
            value, tag = self.pair(index, 0)
            if tag & 3 == FREE:
                vacant = index if vacant < 0 else vacant
                if tag == 0:
                    break
            elif value == key and tentative < 0:
                tentative = index
            elif value == key:
                self.put(index, 0, 0, next_tag(tag, FREE))
        return tentative if tentative >= 0 else vacant

    def find(self, key: int) -> tuple[int, int]:
        """As lookup; entered if absent; -1 if all records within reach are taken."""
        index, tag = self.lookup(key)
        if index >= 0:
            return index, tag
        index = self._tentative_or_vacant(key)
        if index < 0:
            return -1, 0
        tag = self.pair(index, 0)[1]
        if tag & 3 == FREE:
            tag = next_tag(tag, TENTATIVE)
        used, used_tag = self.pair(index, 1)
        if used == GONE and used_tag < version_tag(tag):
            self.put(index, 1, 0, used_tag)
        tag = next_tag(tag, MEMBER)
        self.put(index, 0, key, tag)
        return index, tag
