"""The way of content from a worker to the courier: append-only files of the worker's own in the state directory.

A segment is one file `<boot id>-<seq:06>.gws`, made as a journal's is: locked by its worker as long as that lives, a free lock
says that it is whole. It is a run of frames:

    bytes 0-2   "gws"
    byte  3     kind: Q request, A answer, D dropped; small letter: what follows is encrypted
    bytes 4-7   length of what follows the head, u32 little-endian
    bytes 8-11  CRC-32 of bytes 0-7 and what follows, u32 little-endian, seeded with the CRC-32 of the boot id
    bytes 12-   length of the note, u32 little-endian; the note, a msgpack array (`Note`); the bytes

On the worker's loop nothing is copied and nothing waits: references go into a queue, a thread writes them. What does not fit,
into the queue or on the disk, is dropped, and a frame says so. What a frame holds survives the worker's death.
"""

import fcntl
import logging
import os
import re
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
from msgspec import Struct

from gw import clock
from gw.config.content_model import Content, encryption_key_of
from gw.content.vault import ContentError, cipher_of, sealed
from gw.domain.account import Account

DIRECTORY = "content"
MAGIC = b"gws"
REQUEST, ANSWER, DROPPED = b"gwsQ", b"gwsA", b"gwsD"
HEAD = struct.Struct("<4sII")
LENGTH = struct.Struct("<I")
SEGMENT_NAME = re.compile(r"([0-9a-f]{16})-([0-9]{6,})\.gws")
SEGMENT_BYTES_MAX = 8 << 20
SEGMENTS_IN_SPOOL = 32  # a segment is at most this part of the spool's room: what is read already counts until its end
IDLE_S = 2.0  # a segment that nobody writes to is ended: what it holds shall not lie there for longer than it must
FRAME_BYTES_MAX = (1 << 30) + (1 << 20)
QUEUE_BYTES_MAX = 96 << 20  # of one worker: what it has not written yet
DROPPED_BYTES = 1 << 20  # beyond the spool's room, for frames that say what was dropped
ROOM_EVERY_NS = 500_000_000
CLOSE_S = 5.0

log = logging.getLogger("gw.content")
_TAG_AND_LENGTH = struct.Struct("<4sI")
UNUSABLE = (OSError, ValueError, LookupError, ContentError)  # disk or key
_encode = msgspec.msgpack.Encoder().encode


class Note(Struct, frozen=True, array_like=True):
    """Whose the bytes are."""

    call_id: str
    started_us: int
    key_id: str
    key_name: str
    team: str
    session_id: str
    size: int  # of the bytes, also where they were dropped
    encoding: str = ""  # of an answer, as its Content-Encoding says
    reason: str = ""  # why they were dropped: too_large, spool_full, spool_failed
    what: str = ""  # of what was dropped: request or answer


class Item(NamedTuple):
    kind: bytes
    note: Note
    parts: Sequence[bytes]
    settings: Content


class Answer:
    """The bytes of one answer, as they come; references alone."""

    __slots__ = ("_feed", "encoding", "limit", "note", "parts", "settings", "size")

    def __init__(self, note: Note, settings: Content) -> None:
        self.note = note
        self.settings = settings
        self.limit = settings.max_bytes_per_call
        self.parts: list[bytes] = []
        self.size = 0
        self.encoding = ""
        self._feed: Callable[[bytes], int] | None = None

    def feed(self, chunk: bytes) -> int:
        """In the place of the tap's."""
        assert self._feed is not None
        self.add(chunk)
        return self._feed(chunk)

    def beside(self, feed: Callable[[bytes], int]) -> Callable[[bytes], int]:
        self._feed = feed
        return self.feed

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size <= self.limit:
            self.parts.append(chunk)
        else:
            self.parts.clear()


class ContentSpool:
    """One per worker. Costs nothing before the first call whose content is kept."""

    def __init__(self, directory: Path, worker: str) -> None:
        self._directory = directory
        self._worker = worker
        self._answers: dict[str, Answer] = {}  # by call id
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._given = 0  # bytes that the loop has put into the queue
        self._writer: Writer | None = None
        self._thread: threading.Thread | None = None

    def request(  # noqa: PLR0917 - called once per call, by position
        self, call_id: str, account: Account, session_id: str, started_us: int, body: bytes, settings: Content
    ) -> None:
        """The call is about to go upstream."""
        note = Note(call_id, started_us, account.key_id, account.key_name, account.team, session_id, len(body))
        self._answers[call_id] = Answer(note, settings)
        if len(body) > settings.max_bytes_per_call:
            self._drop(note, "too_large", "request", settings)
        else:
            self._put(REQUEST, note, (body,), settings, "request")

    def beside(self, call_id: str, feed: Callable[[bytes], int], encoding: bytes) -> Callable[[bytes], int]:
        """What a stream feeds instead of `feed`, which it calls."""
        answer = self._answers.get(call_id)
        if answer is None:
            return feed
        answer.encoding = encoding.decode("latin-1")
        return answer.beside(feed)

    def whole(self, call_id: str, body: bytes, encoding: bytes) -> None:
        answer = self._answers.get(call_id)
        if answer is not None:
            answer.encoding = encoding.decode("latin-1")
            answer.add(body)

    def end(self, call_id: str) -> None:
        """The call is over, however: what came of its answer is all there is."""
        answer = self._answers.pop(call_id, None)
        if answer is None or not answer.size:
            return
        note = msgspec.structs.replace(answer.note, size=answer.size, encoding=answer.encoding)
        if answer.size > answer.limit:
            self._drop(note, "too_large", "answer", answer.settings)
        else:
            self._put(ANSWER, note, answer.parts, answer.settings, "answer")

    def close(self) -> None:
        """What was put is written when this returns, unless the disk takes more than CLOSE_S."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(CLOSE_S)

    def _put(self, kind: bytes, note: Note, parts: Sequence[bytes], settings: Content, what: str) -> None:
        if self._writer is not None and self._given - self._writer.taken + note.size > QUEUE_BYTES_MAX:
            self._drop(note, "spool_full", what, settings)
            return
        self._offer(Item(kind, note, parts, settings), note.size)

    def _drop(self, note: Note, reason: str, what: str, settings: Content) -> None:
        self._offer(Item(DROPPED, msgspec.structs.replace(note, reason=reason, what=what), (), settings), 0)

    def _offer(self, item: Item, size: int) -> None:
        if self._thread is None:
            self._writer = Writer(self._directory, self._worker, self._queue)
            self._given = 0
            self._thread = threading.Thread(target=self._writer.run, name="gw-content", daemon=True)
            self._thread.start()
        self._given += size
        self._queue.put(item)


class Writer:
    """The thread's part. `taken`: bytes that it has dealt with."""

    def __init__(self, directory: Path, worker: str, queue: "SimpleQueue[Item | None]") -> None:
        self.taken = 0
        self._directory = directory
        self._worker = worker
        self._queue = queue
        self._boot = os.urandom(8).hex()
        self._seed = crc32(self._boot.encode("ascii"))
        self._seq = 0
        self._fd = -1
        self._size = 0
        self._room: tuple[int, int] = (0, 0)  # bytes in the directory, and when they are counted anew
        self._cipher: tuple[str, Any] = ("", None)  # the key's text, and what encrypts with it
        self._owed: list[Item] = []  # what could not even be said to be dropped
        self._complaint = ""

    def run(self) -> None:
        while True:
            try:
                item = self._queue.get(timeout=IDLE_S if self._fd >= 0 else None)
            except Empty:
                self._end_segment()
                continue
            if item is None:
                break
            self._take(item)
        self._end_segment()

    def _end_segment(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _take(self, item: Item) -> None:
        size = sum(map(len, item.parts))
        try:
            if item.parts and self._used() + size > item.settings.spool_mb << 20:
                raise OSError(None, "its room ([content] spool_mb) is used up")
            for owed in self._owed:
                self._write(owed)
            self._owed.clear()
            self._write(item)
        except UNUSABLE as error:
            self._failed(item, error)
        else:
            self._complaint = ""
        self.taken += size

    def _failed(self, item: Item, error: Exception) -> None:
        words = str(getattr(error, "strerror", None) or error)
        if words != self._complaint:
            log.error("content of calls is dropped: %s", words)
            self._complaint = words
        reason = "spool_full" if isinstance(error, OSError) else "spool_failed"
        what = "answer" if item.kind == ANSWER else "request"
        note = item.note if item.kind == DROPPED else msgspec.structs.replace(item.note, reason=reason, what=what)
        dropped = Item(DROPPED, note, (), item.settings)
        try:
            if self._used() > (item.settings.spool_mb << 20) + DROPPED_BYTES:
                raise OSError(None, "no room")
            self._write(dropped)
        except UNUSABLE:
            if len(self._owed) < 10_000:
                self._owed.append(dropped)

    def _write(self, item: Item) -> None:
        """Raises OSError, with nothing of the frame left in the file."""
        frame = self._frame(item)
        size = sum(map(len, frame))
        most = min(SEGMENT_BYTES_MAX, (item.settings.spool_mb << 20) // SEGMENTS_IN_SPOOL)
        if self._fd < 0 or self._size + size > most or not os.fstat(self._fd).st_nlink:
            self._begin_segment()
        try:
            if os.writev(self._fd, frame) != size:
                raise OSError(None, "the disk is full")
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size += size
        self._room = self._room[0] + size, self._room[1]

    def _frame(self, item: Item) -> list[bytes]:
        note = _encode(item.note)
        parts: list[bytes] = [LENGTH.pack(len(note)), note, *item.parts]
        kind = item.kind
        if item.settings.encryption_key.reference:
            kind = kind[:3] + kind[3:].lower()
            parts = [sealed(self._cipher_of(item.settings), b"".join(parts), kind)]
        head = _TAG_AND_LENGTH.pack(kind, sum(map(len, parts)))
        crc = crc32(head, self._seed)
        for part in parts:
            crc = crc32(part, crc)
        return _joined([head + LENGTH.pack(crc), *parts])

    def _cipher_of(self, settings: Content) -> Any:
        """Raises LookupError, ValueError, ContentError: then nothing is written at all."""
        text = settings.encryption_key.reveal()
        if self._cipher[0] != text:
            self._cipher = text, cipher_of(encryption_key_of(text))
        return self._cipher[1]

    def _used(self) -> int:
        """Of all workers, as of half a second ago."""
        now_ns = clock.mono_ns()
        if now_ns >= self._room[1]:
            total = 0
            with suppress(OSError), os.scandir(self._directory) as entries:
                for entry in entries:
                    with suppress(OSError):
                        total += entry.stat().st_size
            self._room = total, now_ns + ROOM_EVERY_NS
        return self._room[0]

    def _begin_segment(self) -> None:
        """Locked, then named; only then the former one is let go. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / f"{self._boot}-{self._seq + 1:06}.gws"
        partial = self._directory / f".{path.name}.partial"
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.rename(path)
        except OSError:
            os.close(fd)
            raise
        self._end_segment()
        self._fd, self._size = fd, 0
        self._seq += 1


def _joined(parts: list[bytes]) -> list[bytes]:
    """At most as many as one writev takes (1024), small ones together: a stream comes in hundreds."""
    if len(parts) <= 64:
        return parts
    return [parts[0], b"".join(parts[1:])]
