"""The state file: one mmap shared by supervisor, workers and keeper of one host.

Layout, all int64 little-endian words of 8 bytes:
    page 0                 control words (`Word`), written by one process each
    pages 1 ..             one block of BLOCK_BYTES per worker: own words, then counters; written by that worker alone
    after all blocks       SLOTS_PER_WORKER observation slots of SLOT_BYTES per worker (see `Slots`)
A worker owns its block by a POSIX record lock on one byte of the file, which vanishes with the process. Counters only
grow and stay when a worker dies, so their sum over all blocks is monotonic for as long as the file lives; the file is
made anew at each start of the gateway.
"""

import fcntl
import mmap
import os
from enum import IntEnum
from pathlib import Path

from gw import clock

STATE_FILE = "state.mm"  # in the state directory
MAGIC = 0x67775F7374617465  # "gw_state"
FORMAT = 1
PAGE = 4096
WORKERS_MAX = 64
BLOCK_BYTES = 4096
SLOTS_PER_WORKER = 2048
SLOT_BYTES = 192
SLOT_ID_BYTES = 40  # the call id, NUL padded; what the tap observed follows
FILE_BYTES = PAGE + WORKERS_MAX * BLOCK_BYTES + WORKERS_MAX * SLOTS_PER_WORKER * SLOT_BYTES
COUNTER_BASE = 16  # first counter word inside a block


class Word(IntEnum):
    """Control words in page 0."""

    MAGIC = 0
    FORMAT = 1
    STARTED_US = 2
    SNAPSHOT_VERSION = 3  # written by the supervisor before the first worker, then by the keeper
    DRAINING = 4  # written by the supervisor: 0, or the wall time in us at which draining began
    DRAIN_DEADLINE_US = 5  # running calls are stopped at this wall time


class Own(IntEnum):
    """A worker's own words in its block."""

    PID = 0
    STARTED_US = 1
    HEARTBEAT_US = 2
    IN_FLIGHT = 3
    SNAPSHOT_VERSION = 4  # the version this worker serves
    JOURNAL_HEALTHY = 5


class StateFile:
    """Opened by path in every process. `words` is the whole file as int64."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        flags = os.O_RDWR | (os.O_CREAT | os.O_TRUNC if create else 0)
        self.fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
        if create:
            os.ftruncate(self.fd, FILE_BYTES)  # sparse: pages come into being when touched
        elif os.fstat(self.fd).st_size != FILE_BYTES:
            raise ValueError(f"{path.name} is not a state file of this version of gw")
        self.map = mmap.mmap(self.fd, FILE_BYTES)
        self.words = memoryview(self.map).cast("q")
        if create:
            self.words[Word.FORMAT] = FORMAT
            self.words[Word.STARTED_US] = clock.wall_us()
            self.words[Word.MAGIC] = MAGIC
        elif self.words[Word.MAGIC] != MAGIC or self.words[Word.FORMAT] != FORMAT:
            raise ValueError(f"{path.name} is not a state file of this version of gw")

    def claim_block(self) -> "Block":
        """The first block that nobody holds, those of the dead last (the keeper may still have to read their slots)."""
        free = [index for index in range(WORKERS_MAX) if self._try_lock(index)]
        if not free:
            raise RuntimeError(f"more than {WORKERS_MAX} workers")
        index = min(free, key=lambda at: (self._word(at, Own.PID) != 0, self._word(at, Own.STARTED_US), at))
        for other in free:
            if other != index:
                fcntl.lockf(self.fd, fcntl.LOCK_UN, 1, other)
        return Block(self, index)

    def _try_lock(self, index: int) -> bool:
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, index)
        except OSError:
            return False
        return True

    def _word(self, index: int, own: Own) -> int:
        return self.words[block_base(index) + own]

    def release_dead(self, index: int, pid: int) -> None:
        """The keeper has settled what the dead owner of this block left open: its slots may be reused."""
        if 0 <= index < WORKERS_MAX and self._word(index, Own.PID) == pid and not process_exists(pid):
            self.words[block_base(index) + Own.PID] = 0

    def live_blocks(self) -> list[int]:
        """Blocks of workers whose process exists."""
        return [index for index in range(WORKERS_MAX) if (pid := self._word(index, Own.PID)) and process_exists(pid)]

    def sum_own(self, own: Own) -> int:
        """Sum of one own word over live workers."""
        return sum(self._word(index, own) for index in self.live_blocks())

    def counter_sum(self, counter: int) -> int:
        return sum(self.words[block_base(index) + COUNTER_BASE + counter] for index in range(WORKERS_MAX))

    def close(self) -> None:
        self.words.release()
        self.map.close()
        os.close(self.fd)


def block_base(index: int) -> int:
    """Word offset of a worker's block."""
    return (PAGE + index * BLOCK_BYTES) // 8


def process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Block:
    """One worker's block: own words, counters and slots. Only its owner writes."""

    def __init__(self, state: StateFile, index: int) -> None:
        self.state = state
        self.index = index
        self.base = block_base(index)
        self.counters = state.words[self.base + COUNTER_BASE : self.base + BLOCK_BYTES // 8]
        now = clock.wall_us()
        for own, value in (
            (Own.PID, os.getpid()),
            (Own.STARTED_US, now),
            (Own.HEARTBEAT_US, now),
            (Own.IN_FLIGHT, 0),
            (Own.JOURNAL_HEALTHY, 1),
        ):
            state.words[self.base + own] = value
        first = PAGE + WORKERS_MAX * BLOCK_BYTES + index * SLOTS_PER_WORKER * SLOT_BYTES
        self._slots = memoryview(state.map)[first : first + SLOTS_PER_WORKER * SLOT_BYTES]
        self._free = list(range(SLOTS_PER_WORKER - 1, -1, -1))

    def set(self, own: Own, value: int) -> None:
        self.state.words[self.base + own] = value

    def take_slot(self, call_id: bytes) -> tuple[int, memoryview | None]:
        """(slot index, memory for the tap), or (-1, None) when all are taken: the call goes on unobserved from outside."""
        if not self._free:
            return -1, None
        slot = self._free.pop()
        at = slot * SLOT_BYTES
        self._slots[at : at + SLOT_BYTES] = bytes(SLOT_BYTES)
        self._slots[at : at + len(call_id)] = call_id
        return slot, self._slots[at + SLOT_ID_BYTES : at + SLOT_BYTES]

    def give_slot(self, slot: int) -> None:
        if slot >= 0:
            self._free.append(slot)

    def release(self) -> None:
        """A clean end: nothing is left open here."""
        self.set(Own.IN_FLIGHT, 0)
        self.set(Own.PID, 0)
        fcntl.lockf(self.state.fd, fcntl.LOCK_UN, 1, self.index)


def read_slot(state: StateFile, block: int, slot: int, call_id: str) -> bytes | None:
    """What a (dead) worker's tap had observed of this call, or None if the slot holds another call."""
    if not (0 <= block < WORKERS_MAX and 0 <= slot < SLOTS_PER_WORKER):
        return None
    at = PAGE + WORKERS_MAX * BLOCK_BYTES + (block * SLOTS_PER_WORKER + slot) * SLOT_BYTES
    raw = state.map[at : at + SLOT_BYTES]
    if raw[:SLOT_ID_BYTES].rstrip(b"\0").decode("ascii", "replace") != call_id:
        return None
    return raw[SLOT_ID_BYTES:]
