"""A journal's bytes: how a segment is named, what a frame looks like, and how whole ones are found.

A segment is one file `<boot id>-<seq:06>.gwj`. The boot id (16 random hex digits) stands for one life of one worker;
`seq` counts its segments from 1. A segment is a run of frames, the first being its header:

    bytes 0-2   "gwj"
    byte  3     kind: H header (SegmentHeader), O a call was begun (OpenCall), C a call is finished (CallRecord)
    bytes 4-7   payload length, u32 little-endian
    bytes 8-11  CRC-32 of bytes 0-7 and the payload, u32 little-endian, seeded with the CRC-32 of the boot id
    bytes 12-   payload, msgpack array

The seed keeps a frame image inside a client's text from ever passing for a frame: the boot id is not told to anyone.

Reading never trusts: a damaged stretch is passed over to the next whole frame, which is found by its mark, length and
CRC. Damage at the end of a segment that is still written to is a frame on its way, so nothing is passed over there.
"""

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec
from msgspec import Struct

from gw.domain.call import CallRecord, OpenCall

FORMAT = 1
MAGIC = b"gwj"
HEADER, OPEN, CLOSE = b"gwjH", b"gwjO", b"gwjC"
FRAME_HEAD = struct.Struct("<4sII")
FRAME_BYTES_MAX = 1 << 20  # a record is below 10 KB; a length above this is damage
SEGMENT_NAME = re.compile(r"([0-9a-f]{16})-([0-9]{6,})\.gwj")
_TAG_AND_LENGTH = struct.Struct("<4sI")
_CRC = struct.Struct("<I")


class SegmentHeader(Struct, frozen=True, array_like=True):
    """First frame of a segment. A reader leaves formats alone that it does not know."""

    format: int
    boot: str
    worker: str
    pid: int
    opened_us: int


Payload = SegmentHeader | OpenCall | CallRecord

_DECODE: dict[bytes, Callable[[memoryview | bytes], Payload]] = {
    HEADER: msgspec.msgpack.Decoder(SegmentHeader).decode,
    OPEN: msgspec.msgpack.Decoder(OpenCall).decode,
    CLOSE: msgspec.msgpack.Decoder(CallRecord).decode,
}


class Frame(NamedTuple):
    """One whole frame; offsets within the scanned bytes. `start` beyond the former `end` means damage in between."""

    kind: bytes
    payload: memoryview
    start: int
    end: int


def seed_of(boot: str) -> int:
    return crc32(boot.encode("ascii"))


def frame_of(kind: bytes, payload: bytes, seed: int) -> bytes:
    head = _TAG_AND_LENGTH.pack(kind, len(payload))
    return b"".join((head, _CRC.pack(crc32(payload, crc32(head, seed))), payload))


def scan(content: bytes, seed: int, at: int = 0) -> Iterator[Frame]:
    """The whole frames in `content` from `at` on, in order, passing over damage between two of them."""
    view = memoryview(content)
    while True:
        end = _frame_end(content, view, at, seed)
        if not end:
            at, end = _next_frame(content, view, at + 1, seed)
            if not end:
                return
        yield Frame(content[at : at + 4], view[at + FRAME_HEAD.size : end], at, end)
        at = end


def decode(kind: bytes, payload: memoryview | bytes) -> Payload:
    """Raises msgspec.MsgspecError if the payload is not of its kind, or the kind unknown."""
    decoder = _DECODE.get(kind)
    if decoder is None:
        raise msgspec.DecodeError(f"unknown kind of frame {kind!r}")
    return decoder(payload)


def replay(path: Path, offset: int = 0) -> Iterator[tuple[bytes, Payload, int]]:
    """(kind, payload, end offset) of each whole frame of a segment from `offset` on; msgspec.MsgspecError at a poison frame."""
    named = SEGMENT_NAME.fullmatch(path.name)
    if named is None:
        raise ValueError(f"not a journal segment: {path.name}")
    for frame in scan(path.read_bytes()[offset:], seed_of(named[1])):
        yield frame.kind, decode(frame.kind, frame.payload), offset + frame.end


def split(name: str) -> tuple[str, int]:
    """Boot and number of a segment, from its name."""
    return name[:16], int(name[17:-4])


def _frame_end(content: bytes, view: memoryview, at: int, seed: int) -> int:
    """Where the whole frame at `at` ends, or 0 if none stands there."""
    if at + FRAME_HEAD.size > len(content):
        return 0
    tag, length, crc = FRAME_HEAD.unpack_from(content, at)
    end: int = at + FRAME_HEAD.size + length
    if tag[:3] != MAGIC or length > FRAME_BYTES_MAX or end > len(content):
        return 0
    if crc32(view[at + FRAME_HEAD.size : end], crc32(view[at : at + 8], seed)) != crc:
        return 0
    return end


def _next_frame(content: bytes, view: memoryview, at: int, seed: int) -> tuple[int, int]:
    """Start and end of the next whole frame at or after `at`; (0, 0) if there is none."""
    while (at := content.find(MAGIC, at)) >= 0:
        end = _frame_end(content, view, at, seed)
        if end:
            return at, end
        at += 1
    return 0, 0
