"""The journal: what a worker knows of its calls, in append-only files that survive the worker.

What a segment and a frame look like stands in `gw.ledger.frames`.

Rules.
- A frame is written by one `write`, so the page cache has all of it or none when the process is killed; or with others by one,
  before which it stands in a mapped file beside the segment, and is read from there (`gw.ledger.write_buffer`).
- A live worker holds an exclusive flock on its current segment at every instant: a segment gets its final name only when
  locked and headed, and the old one is let go only when the new one stands. Free lock = sealed segment.
- A frame that cannot be written whole is cut off again, the segment is never written to again, and the writer says so
  (`healthy`); the record is kept in memory and written first when a new segment can be begun.
"""

import fcntl
import os
import secrets
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec.structs import astuple

from gw import clock
from gw._fast import Frame as FrameWriter
from gw._fast import WriteBuffer
from gw._fast import append as append_to
from gw.domain.call import CallRecord, OpenCall
from gw.ledger import write_buffer
from gw.ledger.frames import CLOSE, FORMAT, FRAME_BYTES_MAX, HEADER, OPEN, SegmentHeader, frame_of, seed_of

OWED_MAX = 16_384  # frames kept in memory while the disk refuses them, about 10 MB
RECOVER_EVERY_NS = 1_000_000_000

Fsync = Literal["none", "interval", "always"]

_encode = msgspec.msgpack.Encoder().encode
_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class JournalError(Exception):
    """The journal did not take a frame: the disk is full or broken. No new call may be begun."""


class JournalWriter:
    """The journal of one worker. Used by one thread; only the syncing thread of `fsync = "interval"` runs beside it.

    Raises JournalError when the directory cannot be written to. `close` when done.
    """

    def __init__(
        self,
        directory: Path,
        worker: str,
        *,
        fsync: Fsync = "none",
        segment_bytes_max: int = 16 << 20,
        fsync_interval_ms: int = 200,
        on_waiting: Callable[[], None] | None = None,
    ) -> None:
        """`on_waiting`: frames are to be written many at a time. Called whenever the first of them begins to wait: `drain` is
        then to be called within moments. Without it, or with any `fsync`, each is written at once."""
        self.healthy = True
        self.lost_count = 0  # records that did not even fit into memory while the disk refused them
        self.boot = secrets.token_hex(8)
        self._directory = directory
        self._worker = worker
        self._fsync = fsync
        self._sync_each = fsync == "always"
        self._segment_bytes_max = segment_bytes_max
        self._seed = seed_of(self.boot)
        self.frame = FrameWriter(self._seed)  # each frame is written here, one after the other
        self._seq = 0
        self._fd = -1
        self._size = 0
        self._owed: deque[bytes] = deque()
        self._recover_at_ns = 0
        self._retired: deque[int] = deque()  # descriptors of ended segments, for the syncing thread to sync and close
        self._synced = (-1, 0)  # descriptor and size at the last sync
        self._stop = threading.Event()
        self._on_waiting = on_waiting
        self._buffer: WriteBuffer | None = None
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if on_waiting is not None and fsync == "none":
                self._buffer = write_buffer.create(directory, self.boot)
            self._begin_segment()
            self._empty()
        except OSError as error:
            with suppress(OSError):
                write_buffer.remove(directory, self.boot)
            raise JournalError(f"cannot write a journal in {directory}: {error.strerror or error}") from error
        self._syncer: threading.Thread | None = None
        if fsync == "interval":
            arguments = (fsync_interval_ms / 1000,)
            self._syncer = threading.Thread(target=self._sync_loop, args=arguments, name="gw-journal-sync", daemon=True)
            self._syncer.start()

    @property
    def owed_count(self) -> int:
        """Records that wait in memory for the disk."""
        return len(self._owed)

    def append(self, record: CallRecord) -> None:
        """The final record of a call; when it returns, the death of this process cannot lose it.

        On JournalError the record is owed: it is written, once, when the disk takes frames again in this process's life.
        """
        write_columns(self.frame, CLOSE, astuple(record))
        self.append_frame()

    def append_frame(self) -> None:
        """As `append`, of the record that was written into `frame`."""
        frame = self.frame.end()
        try:
            self._write(frame)
        except JournalError:
            if len(self._owed) < OWED_MAX:
                self._owed.append(frame)
            else:
                self.lost_count += 1
            raise

    def open_call(self, call: OpenCall) -> None:
        """Says that a call is about to cost money. On JournalError nothing is recorded: do not send the call."""
        write_columns(self.frame, OPEN, astuple(call))
        self.open_frame()

    def open_frame(self) -> None:
        """As `open_call`, of the call that was written into `frame`."""
        self._write(self.frame.end())

    def recover(self) -> bool:
        """Whether frames are taken. After a failure this tries a new segment, at most once a second."""
        if self.healthy:
            return True
        now_ns = clock.mono_ns()
        if now_ns < self._recover_at_ns:
            return False
        self._recover_at_ns = now_ns + RECOVER_EVERY_NS
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._begin_segment()
            self.healthy = True
            self.drain()
            self._empty()
            while self._owed:
                self._write(self._owed[0])
                self._owed.popleft()
        except (OSError, JournalError):
            self.healthy = False
        return self.healthy

    def check(self) -> None:
        """Raises JournalError if someone removed the segment: what went there since is lost, and a new one has to be begun."""
        if self.healthy and not os.fstat(self._fd).st_nlink:
            self.healthy = False
            raise JournalError("someone removed the current journal file; calls that ended in the last moment may be missing")

    def flush(self) -> None:
        """Everything written so far is on the disk when this returns. Raises JournalError."""
        self.drain()
        try:
            os.fsync(self._fd)
        except OSError as error:
            self.healthy = False
            raise JournalError(f"journal sync failed: {error.strerror}") from error

    def close(self) -> None:
        """Flushes and lets the segment go; the writer cannot be used afterwards. Safe to call twice."""
        if self._fd < 0:
            return
        if self._owed:
            self._recover_at_ns = 0
            self.recover()
        self._stop.set()
        if self._syncer is not None:
            self._syncer.join()
        try:
            self._close_retired()
            self.flush()
            if self._buffer is not None:
                write_buffer.remove(self._directory, self.boot)
        except OSError as error:
            raise JournalError(f"journal sync failed: {error.strerror}") from error
        finally:
            os.close(self._fd)
            self._fd = -1

    def drain(self) -> None:
        """What waits is in the file when this returns. On JournalError it waits on, for the next segment."""
        buffer = self._buffer
        if buffer is None or not buffer.size or self._fd < 0:
            return
        if not self.healthy:
            raise JournalError("the journal is not writable")
        try:
            self._took(buffer.write_to(self._fd), buffer.size)
        except OSError as error:
            raise self._failed(error) from error
        self._empty()

    def _empty(self) -> None:
        if self._buffer is not None:
            self._buffer.clear(self._seq, self._size)

    def _write(self, frame: bytes) -> None:
        size = len(frame)
        if size > FRAME_BYTES_MAX:
            raise JournalError(f"a frame of {size} bytes is above the limit of {FRAME_BYTES_MAX}")
        if not self.healthy and not self.recover():
            raise JournalError("the journal is not writable")
        buffer = self._buffer
        waiting = buffer.size if buffer is not None else 0
        try:
            if self._size + waiting + size > self._segment_bytes_max:
                self.drain()
                self._begin_segment()
                self._empty()
            if buffer is not None:
                first = not buffer.size
                if buffer.put(frame):
                    if first and self._on_waiting is not None:
                        self._on_waiting()
                    return
                self.drain()
                if buffer.put(frame):
                    return  # who was told is still to come
            self._took(append_to(self._fd, frame), size)
            if buffer is not None:
                self._empty()
            if self._sync_each:
                _sync(self._fd)
        except OSError as error:
            raise self._failed(error) from error

    def _took(self, written: int, size: int) -> None:
        if written != size:
            raise OSError(None, f"only {written} of {size} bytes were written (disk full?)")
        self._size += size

    def _failed(self, error: OSError) -> JournalError:
        """Nothing more goes into this segment."""
        self.healthy = False
        with suppress(OSError):  # if this fails too, readers pass over the torn frame
            os.ftruncate(self._fd, self._size)
        return JournalError(f"journal write failed: {error.strerror or error}")

    def _begin_segment(self) -> None:
        """Locked, headed, then named; only then the former one is let go. Raises OSError and leaves the former in place."""
        name = f"{self.boot}-{self._seq + 1:06}.gwj"
        path, partial = self._directory / name, self._directory / f".{name}.partial"
        header = SegmentHeader(FORMAT, self.boot, self._worker, os.getpid(), clock.wall_us())
        frame = frame_of(HEADER, _encode(header), self._seed)
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.write(fd, frame) != len(frame):
                raise OSError(None, "disk full?")
            partial.rename(path)
            if self._fsync == "always":
                os.fsync(fd)
                sync_directory(self._directory)
        except OSError:
            os.close(fd)
            with suppress(OSError):
                partial.unlink()
            raise
        former, self._fd = self._fd, fd
        self._size = len(frame)
        self._seq += 1
        if former >= 0:
            if self._fsync == "interval":
                self._retired.append(former)
            else:
                os.close(former)

    def _sync_loop(self, interval_s: float) -> None:
        while not self._stop.wait(interval_s):
            try:
                self._close_retired()
                now = (self._fd, self._size)
                if now != self._synced:
                    _sync(now[0])
                    if now[0] != self._synced[0]:
                        sync_directory(self._directory)
                    self._synced = now
            except OSError:
                self.healthy = False  # the next frame begins a new segment or fails

    def _close_retired(self) -> None:
        while self._retired:
            fd = self._retired.popleft()
            try:
                _sync(fd)
            finally:
                os.close(fd)


def write_columns(frame: FrameWriter, kind: bytes, columns: tuple[Any, ...]) -> None:
    """Text that cannot be encoded and numbers beyond 64 bits do not cost the record: they become the nearest that can be."""
    frame.begin(kind, len(columns))
    for column in columns:
        frame.value(column)


def sync_directory(directory: Path) -> None:
    """Makes names created or removed in a directory durable. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
