"""Reads the journals of all workers, from where the ledger stands, into batches.

Order matters within one life of a worker (a call's end must not be read before its beginning), so a segment is read to
its end before its successor. A segment is sealed when its lock is free or a successor stands; the size is asked after the
lock, so a sealed segment read to its end holds nothing more. A life is over when no file of it is left in the directory:
a live worker holds a segment there at every instant, and only sealed and wholly read ones are removed.

Nothing here moves by itself: `take` proposes, and `committed` is called once the batch is safe in the ledger. What follows a
batch can be read while that is being written (`filling`); if it is not written after all, the reader is `restore`d.

Frames are read in C as long as they are as they should be (`gw._fast.rows`); each other one is looked at here. The beginning of
a call that also ends in the same batch is never looked at.
"""

import fcntl
import logging
import operator
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple, fields

from gw import clock
from gw._fast import Rows
from gw.domain.call import CallRecord, OpenCall
from gw.ledger import frames, journal, write_buffer
from gw.ledger.frames import FORMAT, FRAME_BYTES_MAX, FRAME_HEAD, SEGMENT_NAME, SegmentHeader, split
from gw.ledger.store import COLUMNS, Batch, OpenRow, Rejected

log = logging.getLogger("gw.keeper")

CHUNK_BYTES = 2 << 20
WHOLE_FRAME_BYTES_MAX = FRAME_HEAD.size + FRAME_BYTES_MAX
PIECE = 400  # frames that are read at a time, some 3 ms
PARTIAL_AGE_US = 60_000_000  # an unnamed segment nobody has locked is rubbish after this long
INT64_MAX = 2**63 - 1

assert CHUNK_BYTES > WHOLE_FRAME_BYTES_MAX  # or a chunk could hold no whole frame and reading would stand still

_KINDS = {str: "t", int: "i", bool: "b"}
_ONCE = frozenset(  # texts that seldom come again
    {"call_id", "prompt_id", "iterations", "upstream_request_id", "trace_id", "parent_span_id", "attempts", "attempt_of"}
)
KINDS = "".join("u" if field.name in _ONCE else _KINDS[field.type] for field in fields(CallRecord))
Begun = dict[str, tuple[str, int, bytes]]
"""Call id -> segment, where the frame begins in it, and the frame."""


class _Taking(NamedTuple):
    """What a batch is filled from, until it is full."""

    batch: Batch
    begun: Begun  # calls that have not ended yet
    rows_max: int

    @property
    def full(self) -> bool:
        return len(self.batch.rows) + len(self.begun) >= self.rows_max


_integers = operator.itemgetter(*[index for index, field in enumerate(fields(CallRecord)) if field.type is int])
_ENDED = COLUMNS.index("ended_us")


class Tail:
    """Where every journal in one directory is read to."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._consumed: dict[str, int] = {}
        self._headers: dict[str, SegmentHeader] = {}  # by boot
        self._turn = 0
        self._rows = Rows(KINDS, FRAME_BYTES_MAX)
        self._lacking: set[str] = set()  # segments of dead writers that the disk has not let be completed yet
        self.foreign: set[str] = set()  # segments of a format this version does not know: left alone

    def restore(self, consumed: dict[str, int]) -> list[str]:
        """Begins at the ledger's offsets; answers the known segments whose files are gone."""
        self._consumed = dict(consumed)
        present = set(self._names())
        return [name for name in consumed if name not in present]

    def take(self, rows_max: int) -> Batch:
        """The next frames, at most about `rows_max` rows; an empty batch if there are none. Raises OSError."""
        batch = Batch()
        for _ in self.filling(batch, rows_max):
            pass
        return batch

    def filling(self, batch: Batch, rows_max: int, before: Batch | None = None) -> Iterator[None]:
        """As `take`, into `batch`, a piece at each step. `before`: taken, and not committed yet. Raises OSError."""
        reached = dict(self._consumed)
        finished: frozenset[str] = frozenset()
        if before is not None:
            reached.update(before.consumed)
            finished = frozenset(before.finished)
        lives = self._lives()
        boots = sorted(lives)
        self._turn += 1
        taking = _Taking(batch, {}, rows_max)
        for index in range(len(boots)):  # another life first each time, so that a long backlog of one starves none
            boot = boots[(index + self._turn) % len(boots)]
            names = lives[boot]
            for name in names:
                if name in finished:
                    continue
                if not (yield from self._read(taking, name, reached, superseded=name != names[-1])):
                    break
        self._keep_begun(taking)

    def committed(self, batch: Batch) -> list[str]:
        """The batch is durable: moves on, removes finished segments and answers their names. Raises OSError."""
        self._consumed.update(batch.consumed)
        if not batch.finished:
            return []
        for name in batch.finished:
            (self._directory / name).unlink(missing_ok=True)
        for boot in {name[:16] for name in batch.finished} - self.lives():
            write_buffer.remove(self._directory, boot)
        journal.sync_directory(self._directory)  # before their offsets are forgotten, or a power cut would bring them back
        for name in batch.finished:
            self._consumed.pop(name, None)
        return batch.finished

    def lives(self) -> set[str]:
        """The boots that have files now. Asked after `committed`, those missing are over."""
        return set(self._lives())

    def ended_lives(self) -> dict[str, SegmentHeader]:
        """Lives seen by this reader that are over."""
        present = self.lives()
        return {boot: header for boot, header in self._headers.items() if boot not in present}

    def forget_life(self, boot: str) -> None:
        self._headers.pop(boot, None)

    def behind_bytes(self) -> int:
        """Bytes written to the journals and not yet in the ledger."""
        total = 0
        for name in self._names():
            with suppress(FileNotFoundError):
                total += max(0, (self._directory / name).stat().st_size - self._consumed.get(name, 0))
        return total

    def sweep(self) -> None:
        """Removes segments without a name and buffers without a segment, whose writer died or failed. Raises OSError."""
        for path in self._directory.glob(".*.partial"):
            with suppress(FileNotFoundError):
                if clock.wall_us() - path.stat().st_mtime_ns // 1000 > PARTIAL_AGE_US:
                    path.unlink()
        write_buffer.rubbish(self._directory, self.lives(), (clock.wall_us() - PARTIAL_AGE_US) * 1000)

    def _names(self) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self._directory) if SEGMENT_NAME.fullmatch(name))
        except FileNotFoundError:
            return []

    def _lives(self) -> dict[str, list[str]]:
        """Boot -> its segments, oldest first."""
        lives: dict[str, list[str]] = {}
        for name in self._names():
            lives.setdefault(name[:16], []).append(name)
        for names in lives.values():
            names.sort(key=lambda name: split(name)[1])
        return lives

    def _read(
        self, taking: _Taking, name: str, reached: Mapping[str, int], *, superseded: bool
    ) -> Generator[None, None, bool]:
        """Reads one segment on; True if it is finished, so that its successor may follow."""
        boot = name[:16]
        path = self._directory / name
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            sealed = superseded or (_lock_is_free(fd) and self._is_complete(path))
            if boot not in self._headers:
                self._headers[boot] = _header_of(fd, boot)
            if self._headers[boot].format > FORMAT:
                self.foreign.add(name)
                return False
            return (yield from self._read_frames(taking, fd, name, reached.get(name, 0), sealed=sealed))
        finally:
            os.close(fd)

    def _is_complete(self, path: Path) -> bool:
        """Once what its writer left in memory is in it, too."""
        boot, number = split(path.name)
        if any(split(name)[1] > number for name in self._lives().get(boot, ())):
            return True  # the writer lives, and has gone on since the directory was read
        try:
            write_buffer.complete(self._directory, boot, number, path)
        except OSError as error:  # as long as the disk has no room, other journals are read
            if path.name not in self._lacking:
                log.error("%s lacks calls that a dead worker left in memory, and does not take them: %s", path.name, error)
            self._lacking.add(path.name)
            return False
        self._lacking.discard(path.name)
        return True

    def _read_frames(self, taking: _Taking, fd: int, name: str, start: int, *, sealed: bool) -> Generator[None, None, bool]:
        batch, begun, seed = taking.batch, taking.begun, frames.seed_of(name[:16])
        at = start
        finished = False
        while not taking.full:
            content = os.pread(fd, CHUNK_BYTES, at)
            if not sealed and len(content) < CHUNK_BYTES:
                content += write_buffer.rest(self._directory, *split(name), at + len(content))
            reached, whole = 0, True
            while whole and not taking.full:
                before = reached
                reached = self._rows.read(content, reached, seed, name, at, batch.rows, begun, taking.rows_max, PIECE)
                if reached == before:
                    reached, whole = self._read_strange(taking, name, at, content, reached)
                yield
            if not whole:
                rest = len(content) - reached
                if len(content) < CHUNK_BYTES:  # the end of what is written
                    if sealed:
                        _count_damage(batch, rest)
                        reached, finished = len(content), True
                    at += reached
                    break
                if rest > WHOLE_FRAME_BYTES_MAX:  # no frame on its way is as long as this
                    _count_damage(batch, rest - WHOLE_FRAME_BYTES_MAX)
                    reached += rest - WHOLE_FRAME_BYTES_MAX
            at += reached
        if finished or at != start:
            batch.consumed[name] = at
        if finished:
            batch.finished.append(name)
        return finished

    def _read_strange(self, taking: _Taking, name: str, base: int, content: bytes, reached: int) -> tuple[int, bool]:
        """The next frame, which is not as most are, or stands behind damage. Answers where it ends, and whether there was one."""
        batch, begun = taking.batch, taking.begun
        frame = next(frames.scan(content, frames.seed_of(name[:16]), reached), None)
        if frame is None:
            return reached, False
        _count_damage(batch, frame.start - reached)
        place, whole = base + frame.start, content[frame.start : frame.end]
        payload = _decoded(frame.kind, frame.payload)
        if isinstance(payload, CallRecord) and storable(row := astuple(payload)):
            batch.rows.append(row)
            begun.pop(payload.call_id, None)
        elif isinstance(payload, OpenCall):
            begun[payload.call_id] = (name, place, whole)
        elif not isinstance(payload, SegmentHeader):
            batch.rejected.append(Rejected(name, place, whole))
        return frame.end, True

    def _keep_begun(self, taking: _Taking) -> None:
        """Those that have not ended in this batch."""
        batch, headers = taking.batch, {boot: msgspec.msgpack.encode(header) for boot, header in self._headers.items()}
        for call_id, (name, place, frame) in taking.begun.items():
            payload = frame[FRAME_HEAD.size :]
            if isinstance(_decoded(frame[:4], payload), OpenCall):
                batch.opened[call_id] = OpenRow(call_id, name[:16], headers[name[:16]], payload)
            else:
                batch.rejected.append(Rejected(name, place, frame))


def _decoded(kind: bytes, payload: memoryview | bytes) -> frames.Payload | None:
    """None: it is not what its kind says."""
    try:
        return frames.decode(kind, payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def storable(row: tuple[Any, ...]) -> bool:
    """Whether every integer fits a column: an upstream may report any number."""
    integers = _integers(row)
    return bool(max(integers) <= INT64_MAX and min(integers) >= -INT64_MAX)


def oldest_us(batch: Batch) -> int:
    """When the first of these calls ended; 0 without any."""
    return min((row[_ENDED] for row in batch.rows), default=0)


def _lock_is_free(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(fd, fcntl.LOCK_UN)
    return True


def _header_of(fd: int, boot: str) -> SegmentHeader:
    """The segment's header; one that is damaged says no more than the file's name does."""
    for frame in frames.scan(os.pread(fd, 4096, 0), frames.seed_of(boot)):
        if frame.kind == frames.HEADER:
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                header = frames.decode(frame.kind, frame.payload)
                assert isinstance(header, SegmentHeader)
                return header
        break
    return SegmentHeader(FORMAT, boot, "", 0, 0)


def _count_damage(batch: Batch, size: int) -> None:
    if size:
        batch.damaged_count += 1
        batch.damaged_bytes += size
