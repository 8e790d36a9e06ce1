"""What all processes of a host know of the places where calls go: an entry in the state file per credential of an upstream.

An entry is int64 words (gw.domain.place_entry), then the name. Words are written whole, and by whoever has news: the latest
counts. They are hints, by which workers spare each other what one of them has found out; each goes on by itself where an entry
cannot be had.
"""

import fcntl
from collections.abc import Iterator
from typing import NamedTuple

from gw.domain.place_entry import DOWN, OPEN, PROBE_US, PROBED_US, PROBES_FAILED, SHORT

PLACES_MAX = 1024
PLACE_BYTES = 256
WORDS = 8
NAME_AT = WORDS * 8
NAME_BYTES = PLACE_BYTES - NAME_AT


def places_bytes() -> int:
    return PLACES_MAX * PLACE_BYTES


class Standing(NamedTuple):
    """For metrics and people. `open_ns`, `short_ns`, `down_ns`: for how long still; 0: not so. `probed_us` 0: nobody probes."""

    open_ns: int
    short_ns: int
    down_ns: int
    probed_us: int
    probe_us: int  # how long the last probe took
    probes_failed: int  # in a row


class Entry:
    """Of one place."""

    __slots__ = ("name", "words")

    def __init__(self, words: memoryview, name: str) -> None:
        self.words = words
        self.name = name  # upstream NUL credential

    def __getitem__(self, word: int) -> int:
        return int(self.words[word])

    def __setitem__(self, word: int, value: int) -> None:
        self.words[word] = value

    def standing(self, now_ns: int) -> Standing:
        open_ns, short_ns, down_ns = (max(self[word] - now_ns, 0) for word in (OPEN, SHORT, DOWN))
        return Standing(open_ns, short_ns, down_ns, self[PROBED_US], self[PROBE_US], self[PROBES_FAILED])


class Places:
    """One in each process. `fd`: of the file that `memory`, which begins at `offset` there, is a part of."""

    def __init__(self, memory: memoryview, fd: int, offset: int) -> None:
        self._memory = memory
        self._words = memory.cast("q")
        self._lock = fd, PLACES_MAX * PLACE_BYTES, offset
        self._known: dict[bytes, Entry] = {}

    def entry(self, upstream: str, credential: str) -> Entry | None:
        """Made if it is not there. None: there is no room for it, or its name is too long."""
        name = f"{upstream}\0{credential}\0".encode()
        if len(name) > NAME_BYTES:
            return None
        found = self._known.get(name)
        if found is None:
            fd, length, start = self._lock
            # Not the lock of the blocks: that is held while the database is asked.
            fcntl.lockf(fd, fcntl.LOCK_EX, length, start)
            try:
                self._learn()
                found = self._known.get(name) or self._add(name)
            finally:
                fcntl.lockf(fd, fcntl.LOCK_UN, length, start)
        return found

    def all(self) -> Iterator[tuple[str, str, Entry]]:
        """(upstream, credential, entry) of every place that somebody had to do with since the start."""
        self._learn()
        for entry in list(self._known.values()):
            upstream, credential, _ = entry.name.split("\0")
            yield upstream, credential, entry

    def _learn(self) -> None:
        """What others have added. Entries stay where they are for as long as the file lives."""
        for index in range(len(self._known), PLACES_MAX):
            at = index * PLACE_BYTES
            raw = bytes(self._memory[at + NAME_AT : at + PLACE_BYTES])
            if not raw[0]:
                return
            name = raw[: raw.index(b"\0", raw.index(b"\0") + 1) + 1]
            self._known[name] = self._at(index, name)

    def _add(self, name: bytes) -> Entry | None:
        index = len(self._known)
        if index >= PLACES_MAX:
            return None
        at = index * PLACE_BYTES + NAME_AT
        self._memory[at : at + len(name)] = name
        entry = self._known[name] = self._at(index, name)
        return entry

    def _at(self, index: int, name: bytes) -> Entry:
        at = index * PLACE_BYTES // 8
        return Entry(self._words[at : at + WORDS], name.decode())
