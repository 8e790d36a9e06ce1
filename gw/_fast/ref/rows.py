"""The pure twin of rows.pyx."""

from struct import Struct
from typing import Any
from zlib import crc32

import msgspec

_HEAD = Struct("<4sII")
_TYPES = {"t": str, "u": str, "i": int, "b": bool}
_INTEGER_MAX = 2**63 - 1


class Rows:
    def __init__(self, kinds: str, frame_bytes_max: int) -> None:
        if kinds[:1] not in ("t", "u") or set(kinds) - set(_TYPES):
            raise ValueError("the id first, a text; each column a text (t, u), an integer (i) or a flag (b)")
        self._types = [_TYPES[kind] for kind in kinds]
        self._frame_bytes_max = frame_bytes_max

    def read(  # noqa: PLR0917 - as the compiled one
        self,
        content: bytes,
        at: int,
        seed: int,
        name: str,
        base: int,
        rows: list[tuple[Any, ...]],
        begun: dict[str, tuple[str, int, bytes]],
        most: int,
        frames: int,
    ) -> int:
        if not 0 <= at <= len(content):
            raise ValueError("that is not within the content")
        while frames > 0 and len(rows) + len(begun) < most:
            end = self._end(content, at, seed)
            if not end:
                break
            payload, kind = content[at + _HEAD.size : end], content[at + 3 : at + 4]
            if kind == b"C":
                values = _values(payload)
                if [type(value) for value in values] != self._types or not all(map(_fits, values)):
                    break
                rows.append(tuple(values))
                begun.pop(values[0], None)
            elif kind == b"O":
                call_id = _call_id(payload)
                if call_id is None:
                    break
                begun[call_id] = (name, base + at, content[at:end])
            else:
                break
            at, frames = end, frames - 1
        return at

    def _end(self, content: bytes, at: int, seed: int) -> int:
        """Where the whole frame at `at` ends, or 0 if none stands there."""
        if at + _HEAD.size > len(content):
            return 0
        tag, size, crc = _HEAD.unpack_from(content, at)
        end: int = at + _HEAD.size + size
        if tag[:3] != b"gwj" or size > self._frame_bytes_max or end > len(content):
            return 0
        return end if crc32(content[at + _HEAD.size : end], crc32(content[at : at + 8], seed)) == crc else 0


def _values(payload: bytes) -> list[Any]:
    try:
        found = msgspec.msgpack.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    return found if isinstance(found, list) else []


def _call_id(payload: bytes) -> str | None:
    """The second value of an array whose first is an integer, whatever else it holds; None: there is none."""
    first, count = payload[:1], 0
    if b"\x90" <= first <= b"\x9f":
        at, count = 1, first[0] & 15
    else:
        at = {b"\xdc": 3, b"\xdd": 5}.get(first, 0)
        count = int.from_bytes(payload[1:at])
    if not at or at > len(payload) or count < 2:
        return None
    texts = (range(0xA0, 0xC0), (0xD9, 0xDA, 0xDB))
    for end in range(at + 1, min(at + 9, len(payload)) + 1):  # of the integer
        try:
            slot = msgspec.msgpack.decode(payload[at:end])
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if type(slot) is not int or not _fits(slot) or end == len(payload):
            return None
        kind = payload[end]
        if kind not in texts[0] and kind not in texts[1]:
            return None
        text = end + 1 if kind in texts[0] else end + 1 + (1 << (kind - 0xD9))
        size = kind & 31 if kind in texts[0] else int.from_bytes(payload[end + 1 : text])
        try:
            return payload[text : text + size].decode() if text + size <= len(payload) else None
        except UnicodeDecodeError:
            return None
    return None


def _fits(value: object) -> bool:
    return not isinstance(value, int) or -_INTEGER_MAX <= value <= _INTEGER_MAX
