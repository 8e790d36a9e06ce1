"""Reads the spools of all workers, from where the content store stands.

A segment is read to its end before its successor; what follows damage is found again by mark, length and CRC. Damage at the end
of a segment that is still written to is a frame on its way. Sizes are asked after the lock, so a whole segment read to its end
holds nothing more.
"""

import fcntl
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from gw.content.spool import FRAME_BYTES_MAX, HEAD, LENGTH, MAGIC, SEGMENT_NAME, Note
from gw.content.vault import ContentError

_decode = msgspec.msgpack.Decoder(Note).decode
_SEARCHED = 1 << 20


class Sent(NamedTuple):
    """One whole frame. `body`: as one piece."""

    kind: bytes  # as in gw.content.spool, in capital letters
    note: Note
    body: bytes


class Read(NamedTuple):
    """What was found, and how far each segment is read thereby."""

    sent: list[Sent]
    offsets: dict[str, int]
    damaged: int  # stretches passed over, or frames that could not be understood
    over: list[str]  # segments that hold nothing more
    more: bool  # there is more at once


Open = Callable[[bytes, bytes], bytes]  # (data, kind) -> what was sealed; raises ContentError


def segments(directory: Path) -> list[str]:
    """Names, the older of each worker's life first."""
    if not directory.is_dir():
        return []
    return sorted(path.name for path in directory.iterdir() if SEGMENT_NAME.fullmatch(path.name))


def read(directory: Path, offsets: Mapping[str, int], bytes_max: int, open_: Open) -> Read:
    """At least one frame if there is one, else up to `bytes_max` of them."""
    sent: list[Sent] = []
    moved: dict[str, int] = {}
    over: list[str] = []
    damaged, room = 0, bytes_max
    names = segments(directory)
    for name in names:
        if room <= 0:
            return Read(sent, moved, damaged, over, True)
        try:
            with (directory / name).open("rb") as file:
                whole = is_whole(file.fileno())
                frames = Segment(file.fileno(), name, offsets.get(name, 0), whole=whole)
                for kind, payload in frames.read():
                    one = understood(kind, payload, open_)
                    if one is None:
                        damaged += 1
                    else:
                        sent.append(one)
                        room -= len(one.body) + 100
                    if room <= 0:
                        break
        except FileNotFoundError:
            continue
        damaged += frames.damaged
        if frames.at != offsets.get(name, 0):
            moved[name] = frames.at
        if whole and frames.ended:
            over.append(name)
    return Read(sent, moved, damaged, over, room <= 0)


def is_whole(fd: int) -> bool:
    """Its worker is gone, or has begun another."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(fd, fcntl.LOCK_UN)
    return True


class Segment:
    """One pass. `at`: what has been read or passed over; `ended`: nothing more is there."""

    def __init__(self, fd: int, name: str, offset: int, *, whole: bool) -> None:
        self.at = offset
        self.damaged = 0
        self.ended = False
        self._fd = fd
        self._whole = whole
        self._size = os.fstat(fd).st_size
        self._seed = crc32(name.partition("-")[0].encode("ascii"))

    def read(self) -> Iterator[tuple[bytes, bytes]]:
        while self.at < self._size:
            found = self._frame(self.at)
            if found is None:
                if not self._whole:
                    return
                self.damaged += 1
                self.at = self._next(self.at + 1)
                continue
            kind, payload = found
            self.at += HEAD.size + len(payload)
            yield kind, payload
        self.ended = True

    def _frame(self, at: int) -> tuple[bytes, bytes] | None:
        head = os.pread(self._fd, HEAD.size, at)
        if len(head) < HEAD.size:
            return None
        kind, length, crc = HEAD.unpack(head)
        if kind[:3] != MAGIC or length > FRAME_BYTES_MAX or at + HEAD.size + length > self._size:
            return None
        payload = os.pread(self._fd, length, at + HEAD.size)
        if len(payload) < length or crc32(payload, crc32(head[:8], self._seed)) != crc:
            return None
        return kind, payload

    def _next(self, at: int) -> int:
        """Where the next whole frame begins; the segment's end if there is none."""
        while at < self._size:
            window = os.pread(self._fd, _SEARCHED, at)
            found = window.find(MAGIC)
            if found >= 0:
                if self._frame(at + found) is not None:
                    return at + found
                at += found + 1
            elif len(window) < _SEARCHED:
                return self._size
            else:
                at += _SEARCHED - len(MAGIC) + 1
        return self._size


def understood(kind: bytes, payload: bytes, open_: Open) -> Sent | None:
    """None if it is no note with bytes, or encrypted by a key that is not there."""
    try:
        if kind[3:].islower():
            payload = open_(payload, kind)
        (length,) = LENGTH.unpack_from(payload)
        note = _decode(memoryview(payload)[LENGTH.size : LENGTH.size + length])
    except (ContentError, msgspec.MsgspecError, struct.error):
        return None
    return Sent(kind[:3] + kind[3:].upper(), note, payload[LENGTH.size + length :])
