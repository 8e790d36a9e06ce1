"""The state file: one mmap shared by supervisor, workers and keeper of one host.

Layout, all int64 little-endian words of 8 bytes:
    page 0                 control words (`Word`), written by one process each
    pages 1 ..             one block of BLOCK_BYTES per worker: own words, then counters; written by that worker alone
    after all blocks       SLOTS_PER_WORKER observation slots of SLOT_BYTES per worker
    after these            cells of budgets with the slots of open holds, as many as observation slots (gw._fast.Cells)
    after these            buckets of rate limits (gw._fast.Buckets)
    after these            places where calls go (gw.ops.places)
A block belongs to the worker whose process id stands in it; the supervisor, who sees every worker's end, negates the id
then (`bury`), and the keeper sets it to 0 once the dead worker's calls are settled. So no lock has to outlive a fork, and
no process id is mistaken for another's that was given the same number later. Counters only grow and stay when a worker
dies, so their sum over all blocks is monotonic for as long as the file lives; the file is made anew at each start.

Slot `number` of block `index` is both an observation slot, which carries the call's id, and the hold slot of the ordinal
`hold_ordinal(index, number)`: so a dead worker's open hold is known to be of that call.
"""

import fcntl
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gw import clock
from gw._fast import Buckets, Cells, Counters, Slots, buckets_bytes, cells_bytes
from gw.ops.places import Places, places_bytes

STATE_FILE = "state.mm"  # in the state directory
MAGIC = 0x67775F7374617465  # "gw_state"
FORMAT = 2
PAGE = 4096
WORKERS_MAX = 64
BLOCK_BYTES = 4096
SLOTS_PER_WORKER = 2048
SLOT_BYTES = 192
SLOT_ID_BYTES = 40  # the call id, NUL padded; what the tap observed follows
CELLS_CAPACITY = 65_536  # budgets times accounts times windows; a cell is forgotten an hour after its window
BUCKETS_CAPACITY = 32_768  # rate limits times accounts
HOLD_SLOTS = WORKERS_MAX * SLOTS_PER_WORKER
SLOTS_AT = PAGE + WORKERS_MAX * BLOCK_BYTES
CELLS_AT = SLOTS_AT + WORKERS_MAX * SLOTS_PER_WORKER * SLOT_BYTES  # here and below: multiples of a cache line
BUCKETS_AT = CELLS_AT + cells_bytes(CELLS_CAPACITY, HOLD_SLOTS)
PLACES_AT = BUCKETS_AT + buckets_bytes(BUCKETS_CAPACITY)
FILE_BYTES = PLACES_AT + places_bytes()
COUNTER_BASE = 16  # first counter word inside a block

Number = int  # compiled, a C integer: state.pxd


class Word:
    """Control words in page 0. Plain integers: an IntEnum member costs 10 times as much as an index (measured)."""

    MAGIC = 0
    FORMAT = 1
    STARTED_US = 2
    SNAPSHOT_VERSION = 3  # written by the supervisor before the first worker, then by the keeper
    DRAINING = 4  # written by the supervisor: 0, or the wall time in us at which draining began
    DRAIN_DEADLINE_NS = 5  # running calls are stopped at this monotonic time, the same for all processes of a host
    COURIER_WANTED = 6  # written by the keeper: 0, or the wall time in us since when there is work for a courier
    WORKERS_ENDED = 7  # written by the supervisor: how many it has seen end
    ADJUSTED = 8  # the number of the last adjustment of the ledger that is in the cells; by the supervisor, then by the keeper


class Own:
    """A worker's own words in its block."""

    PID = 0  # 0: nobody's; negative: of a dead worker whose calls are not known to be settled
    STARTED_US = 1
    HEARTBEAT_NS = 2  # monotonic
    IN_FLIGHT = 3
    SNAPSHOT_VERSION = 4  # the version this worker serves
    JOURNAL_HEALTHY = 5
    WAITING = 6  # calls that wait for a budget to have room


class StateFile:
    """Opened by path in every process. `words` is the whole file as int64. Raises OSError, and ValueError for another file."""

    _cells: Cells | None = None
    _buckets: Buckets | None = None
    _places: Places | None = None

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        flags = os.O_RDWR | (os.O_CREAT | os.O_TRUNC if create else 0)
        self.fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
        if create:
            _allocate(self.fd)
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

    @property
    def cells(self) -> Cells:
        """Of budgets, with the slots of open holds; the same object each time."""
        if self._cells is None:
            self._cells = Cells(memoryview(self.map)[CELLS_AT:BUCKETS_AT], CELLS_CAPACITY, HOLD_SLOTS)
        return self._cells

    @property
    def buckets(self) -> Buckets:
        """Of rate limits; the same object each time."""
        if self._buckets is None:
            self._buckets = Buckets(memoryview(self.map)[BUCKETS_AT:PLACES_AT], BUCKETS_CAPACITY)
        return self._buckets

    @property
    def places(self) -> Places:
        """Where calls go; the same object each time."""
        if self._places is None:
            self._places = Places(memoryview(self.map)[PLACES_AT:FILE_BYTES], self.fd, PLACES_AT)
        return self._places

    def claim_block(self) -> "Block":
        """A block for this process, which must have opened the file itself (a lock on an inherited one excludes nobody).

        One that is nobody's, else that of the worker that began longest ago among the dead: the keeper may still have to
        read the slots of the others.
        """
        with self.locked():
            free = [index for index in range(WORKERS_MAX) if self.owner(index) <= 0]
            if not free:
                raise RuntimeError(f"more than {WORKERS_MAX} workers")
            index = min(free, key=lambda at: (self.owner(at) != 0, self._word(at, Own.STARTED_US), at))
            for ordinal in self.open_holds(index) if self.owner(index) else ():
                self.cells.slot(ordinal).reap()  # at what was observed: the ids of their calls are about to be overwritten
            return Block(self, index)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """No block changes hands meanwhile, but by `bury`."""
        fcntl.flock(self.fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self.fd, fcntl.LOCK_UN)

    def owner(self, index: int) -> int:
        """Process id of the worker whose block it is; negative of a dead one; 0: nobody's."""
        return self._word(index, Own.PID)

    def open_holds(self, index: int) -> list[int]:
        """Ordinals of the block's hold slots that hold something."""
        return self.cells.open_slots(hold_ordinal(index, 0), SLOTS_PER_WORKER)

    def call_at(self, ordinal: int) -> str:
        """Id of the call that had or has this slot last."""
        at = SLOTS_AT + ordinal * SLOT_BYTES
        return self.map[at : at + SLOT_ID_BYTES].rstrip(b"\0").decode("ascii", "replace")

    def _word(self, index: int, own: int) -> int:
        return self.words[block_base(index) + own]

    def bury(self, pid: int) -> None:
        """The supervisor has seen this worker's end: nothing runs there; its slots wait for the keeper."""
        self.words[Word.WORKERS_ENDED] += 1
        index = self._block_of(pid)
        if index is not None:
            self.words[block_base(index) + Own.IN_FLIGHT] = 0
            self.words[block_base(index) + Own.PID] = -pid

    def release_dead(self, index: int, pid: int) -> None:
        """The keeper has settled what the dead owner of this block left open: its slots may be reused at once."""
        if 0 <= index < WORKERS_MAX and self.owner(index) == -pid:
            self.words[block_base(index) + Own.PID] = 0

    def heartbeat_ns(self, pid: int) -> int:
        """When this worker's timer last ran, monotonic; 0 if it has no block (yet)."""
        index = self._block_of(pid)
        return self._word(index, Own.HEARTBEAT_NS) if index is not None else 0

    def _block_of(self, pid: int) -> int | None:
        return next((index for index in range(WORKERS_MAX) if self.owner(index) == pid), None)

    def ever_served(self) -> bool:
        """Whether any worker of this run, alive or dead, has come up."""
        return any(self._word(index, Own.SNAPSHOT_VERSION) for index in range(WORKERS_MAX))

    def live_blocks(self) -> list[int]:
        """Blocks of workers that have begun and not ended."""
        return [index for index in range(WORKERS_MAX) if self.owner(index) > 0]

    def sum_own(self, own: int) -> int:
        """Sum of one own word over live workers."""
        return sum(self._word(index, own) for index in self.live_blocks())

    def counter_sum(self, counter: int) -> int:
        return sum(self.words[block_base(index) + COUNTER_BASE + counter] for index in range(WORKERS_MAX))

    def rename(self, path: Path) -> None:
        """Takes the place of whatever stands there. Raises OSError."""
        self.path.replace(path)
        self.path = path

    def restore_path(self) -> bool:
        """Whether the file had to be put back under its name: processes still to come must find it there.

        A removed file cannot be linked again, but on Linux a symbolic link to this process's opening of it does as well.
        Raises OSError.
        """
        own = os.fstat(self.fd)
        with suppress(FileNotFoundError):
            found = self.path.stat()
            if (found.st_ino, found.st_dev) == (own.st_ino, own.st_dev):
                return False
        partial = self.path.with_suffix(".link")
        partial.unlink(missing_ok=True)
        partial.symlink_to(f"/proc/{os.getpid()}/fd/{self.fd}")
        partial.replace(self.path)
        return True

    def close(self) -> None:
        """The memory goes with the last of the objects that were made of it: blocks, slots, paths, limits."""
        self._cells = self._buckets = self._places = None
        self.words.release()
        with suppress(BufferError):
            self.map.close()
        os.close(self.fd)


def _allocate(fd: int) -> None:
    """All pages at once (FILE_BYTES, 95 MiB): a hole touched on a full disk would kill the process by SIGBUS. Raises OSError."""
    if sys.platform == "linux":
        os.posix_fallocate(fd, 0, FILE_BYTES)
    else:
        os.ftruncate(fd, FILE_BYTES)


def block_base(index: int) -> int:
    """Word offset of a worker's block."""
    return (PAGE + index * BLOCK_BYTES) // 8


def hold_ordinal(block: int, slot: int) -> int:
    """The hold slot that goes with an observation slot."""
    return block * SLOTS_PER_WORKER + slot


class Block:
    """One worker's block: own words, counters and slots. Only its owner writes."""

    def __init__(self, state: StateFile, index: int) -> None:
        self.state = state
        self.index = index
        self.base = block_base(index)
        first = (self.base + COUNTER_BASE) * 8
        self.counters = Counters(memoryview(state.map)[first : self.base * 8 + BLOCK_BYTES])
        for own, value in (
            (Own.PID, os.getpid()),
            (Own.STARTED_US, clock.wall_us()),
            (Own.HEARTBEAT_NS, clock.mono_ns()),
            (Own.IN_FLIGHT, 0),
            (Own.JOURNAL_HEALTHY, 1),
            (Own.WAITING, 0),
        ):
            state.words[self.base + own] = value
        self.own = Counters(memoryview(state.map)[self.base * 8 : first])
        self.shared = Counters(memoryview(state.map)[:PAGE])
        first = SLOTS_AT + index * SLOTS_PER_WORKER * SLOT_BYTES
        self._slots = memoryview(state.map)[first : first + SLOTS_PER_WORKER * SLOT_BYTES]
        self._names = Slots(self._slots, SLOT_BYTES)
        # What a dead predecessor still holds here is the keeper's to settle: its slots, and the ids in them, stay as they are.
        left = {ordinal - self.ordinal(0) for ordinal in state.cells.open_slots(self.ordinal(0), SLOTS_PER_WORKER)}
        self._free = [slot for slot in range(SLOTS_PER_WORKER - 1, -1, -1) if slot not in left]

    def set(self, own: int, value: int) -> None:
        self.state.words[self.base + own] = value

    def waits(self, more: Number) -> None:
        """One call more or less waits for a budget."""
        self.state.words[self.base + Own.WAITING] += more

    def take_slot(self, call_id: str) -> Number:
        """A slot that bears this id and has observed nothing; -1 when all are taken: the call goes on unobserved from outside."""
        if not self._free:
            return -1
        slot = self._free.pop()
        self._names.name(slot, call_id)
        return slot

    def give_slot(self, slot: Number) -> None:
        if slot >= 0:
            self._free.append(slot)

    def observations(self, slot: int) -> memoryview | None:
        """Memory for the tap of the call that has this slot; None for slot -1."""
        at = slot * SLOT_BYTES
        return self._slots[at + SLOT_ID_BYTES : at + SLOT_BYTES] if slot >= 0 else None

    def ordinal(self, slot: Number) -> Number:
        """The hold slot of this slot number, for `StateFile.cells.slot`."""
        return hold_ordinal(self.index, slot)

    def release(self) -> None:
        """A clean end: nothing is left open here, unless calls could not be ended in time; then it is a dead worker's."""
        self.set(Own.IN_FLIGHT, 0)
        self.set(Own.PID, -os.getpid() if self.state.open_holds(self.index) else 0)


def read_slot(state: StateFile, block: int, slot: int, call_id: str) -> bytes | None:
    """What a (dead) worker's tap had observed of this call, or None if the slot holds another call."""
    if not (0 <= block < WORKERS_MAX and 0 <= slot < SLOTS_PER_WORKER):
        return None
    at = SLOTS_AT + hold_ordinal(block, slot) * SLOT_BYTES
    if state.call_at(hold_ordinal(block, slot)) != call_id:
        return None
    return state.map[at + SLOT_ID_BYTES : at + SLOT_BYTES]
