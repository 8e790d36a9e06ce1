"""AWS event-stream framing (application/vnd.amazon.eventstream), sans-IO: what Bedrock streams in.

    total length u32 | headers' length u32 | CRC-32 of these 8 bytes | headers | payload | CRC-32 of all before it

Everything is big-endian; the lengths count the whole message, its two CRCs included. A header is name length u8, name,
type u8, value; the types are those of `VALUES`. Source: "Event stream encoding" of the Amazon Transcribe and S3 Select guides,
and the decoder of botocore, as of November 2026.

The decoder never raises on what it is fed. Where the bytes stop being a stream it says why in `error` and reads no further:

    prelude_crc   the lengths are not what was sent      bad_length  lengths that no message can have
    message_crc   headers or payload are not             too_long    a message above the bound
    bad_header    a header that cannot be read           truncated   the stream ended within a message
"""

from collections.abc import Mapping
from struct import Struct as Layout
from typing import NamedTuple
from uuid import UUID
from zlib import crc32

MESSAGE_BYTES_MAX = 24 * 1024 * 1024  # of one message; AWS allows 16 MiB of payload (24 since 2025) and 128 KiB of headers
FRAME_BYTES = 16  # a message without headers and payload
PRELUDE_BYTES = 12
HEAD_BYTES_KEPT = 512  # a block of headers up to this size is kept with its meaning: a stream has ten different ones
HEADS_KEPT = 256
CONTENT_TYPE = b"application/vnd.amazon.eventstream"

_PRELUDE = Layout(">III")
_LENGTHS = Layout(">II")
_U32 = Layout(">I")
_U16 = Layout(">H")
_LONG = Layout(">q")
# Type of a header -> its layout, for those of fixed size; 6 and 7 have their length before them.
_FIXED = {2: Layout(">b"), 3: Layout(">h"), 4: Layout(">i"), 5: _LONG, 8: _LONG}


class Timestamp(int):
    """Milliseconds since 1970, UTC."""


Value = bool | int | bytes | str | Timestamp | UUID
VALUES = ("true", "false", "byte", "short", "integer", "long", "bytes", "string", "timestamp", "uuid")  # by their number


class Message(NamedTuple):
    """`headers` is shared between messages: read it, never write to it."""

    headers: Mapping[str, Value]
    payload: bytes


def header_block(headers: Mapping[str, Value]) -> bytes:
    """The bytes of headers, in their order. Whole numbers are written as `long`. ValueError: a name or value too long."""
    parts = []
    for name, value in headers.items():
        raw = name.encode()
        if not 0 < len(raw) < 256:
            raise ValueError(f"the name of a header has 1 to 255 bytes, {name[:40]!r} has {len(raw)}")
        parts.append(bytes((len(raw),)) + raw + _value_bytes(value))
    return b"".join(parts)


def _value_bytes(value: Value) -> bytes:
    if isinstance(value, bool):
        return b"\x00" if value else b"\x01"
    if isinstance(value, Timestamp):
        return b"\x08" + _LONG.pack(value)
    if isinstance(value, int):
        return b"\x05" + _LONG.pack(value)
    if isinstance(value, UUID):
        return b"\x09" + value.bytes
    raw = value.encode() if isinstance(value, str) else value
    if len(raw) > 0x7FFF:
        raise ValueError(f"the value of a header has at most 32767 bytes, not {len(raw)}")
    return (b"\x07" if isinstance(value, str) else b"\x06") + _U16.pack(len(raw)) + raw


def frame(head: bytes, payload: bytes) -> bytes:
    """One message of a block of headers that was made before, and a payload."""
    lengths = _LENGTHS.pack(len(head) + len(payload) + FRAME_BYTES, len(head))
    crc = crc32(lengths)
    body = b"%b%b%b%b" % (lengths, _U32.pack(crc), head, payload)
    return body + _U32.pack(crc32(body))


def encode(headers: Mapping[str, Value], payload: bytes) -> bytes:
    """One message. ValueError as header_block."""
    return frame(header_block(headers), payload)


def read_headers(block: bytes) -> dict[str, Value]:
    """The headers in a block. ValueError if it is none."""
    headers: dict[str, Value] = {}
    at, size = 0, len(block)
    while at < size:
        end = at + 1 + block[at]
        if end >= size or end == at + 1:
            raise ValueError("a header's name is empty or cut short")
        name = block[at + 1 : end].decode()
        if name in headers:
            raise ValueError("a header stands twice")
        headers[name], at = _read_value(block, block[end], end + 1)
    return headers


def _read_value(block: bytes, kind: int, at: int) -> tuple[Value, int]:
    """(value, the offset behind it). ValueError."""
    if kind < 2:
        return kind == 0, at
    if kind in (6, 7):
        start = at + 2
        end = start + int.from_bytes(block[at:start], "big")
    else:
        start = at
        end = start + (16 if kind == 9 else _FIXED[kind].size if kind in _FIXED else len(block))
    if end > len(block) or start > len(block):
        raise ValueError("a header's value is cut short, or of no known type")
    raw = block[start:end]
    if kind == 7:
        return raw.decode(), end
    if kind == 6:
        return raw, end
    if kind == 9:
        return UUID(bytes=raw), end
    number: int = _FIXED[kind].unpack(raw)[0]
    return (Timestamp(number) if kind == 8 else number), end


_HEADS: dict[bytes, Mapping[str, Value]] = {}


def _headers_of(block: bytes) -> Mapping[str, Value]:
    """As read_headers; blocks seen before are not read again."""
    found = _HEADS.get(block)
    if found is None:
        found = read_headers(block)
        if len(block) <= HEAD_BYTES_KEPT:
            if len(_HEADS) >= HEADS_KEPT:
                _HEADS.clear()
            _HEADS[block] = found
    return found


class Decoder:
    """Messages from bytes of any split. Holds at most one message that is not whole."""

    def __init__(self, bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self.error = ""
        self._bytes_max = bytes_max
        self._held = bytearray()
        self._need = PRELUDE_BYTES  # so many bytes must be held before it is worth looking again

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that are whole now; those before an error, too."""
        if self.error:
            return []
        if self._held:
            self._held += chunk
            if len(self._held) < self._need:
                return []
            chunk = bytes(self._held)
            self._held.clear()
        messages: list[Message] = []
        at, size = 0, len(chunk)
        need = PRELUDE_BYTES
        while size - at >= PRELUDE_BYTES:
            total, head_size, crc = _PRELUDE.unpack_from(chunk, at)
            if crc32(chunk[at : at + 8]) != crc:
                self.error = "prelude_crc"
            elif total > self._bytes_max:
                self.error = "too_long"
            elif total < FRAME_BYTES + head_size:
                self.error = "bad_length"
            elif total > size - at:
                need = total
                break
            else:
                self._read(chunk[at : at + total], PRELUDE_BYTES + head_size, messages)
            if self.error:
                return messages
            at += total
        self._held += chunk[at:]
        self._need = need
        return messages

    def _read(self, message: bytes, head_end: int, messages: list[Message]) -> None:
        if crc32(message[:-4]) != int.from_bytes(message[-4:], "big"):
            self.error = "message_crc"
            return
        try:
            headers = _headers_of(message[PRELUDE_BYTES:head_end])
        except ValueError:
            self.error = "bad_header"
            return
        messages.append(Message(headers, message[head_end:-4]))

    def close(self) -> str:
        """The stream is over: the error, "truncated" if it ended within a message, or ""."""
        if self._held and not self.error:
            self.error = "truncated"
            self._held.clear()
        return self.error
