"""The pure twin of frame.pyx."""

import struct
from zlib import crc32

Value = str | int | bool | tuple["Value", ...]

HEAD = 12
TAG = 4
INT64_MIN, INT64_MAX, UINT64_MAX = -(2**63), 2**63 - 1, 2**64 - 1
_CRC = struct.Struct("<I")
_LENGTH = struct.Struct("<I")
# (code, format, least, most), the shortest first
_INTEGERS = (
    (0xCC, ">BB", 0, 2**8 - 1),
    (0xCD, ">BH", 0, 2**16 - 1),
    (0xCE, ">BI", 0, 2**32 - 1),
    (0xCF, ">BQ", 0, UINT64_MAX),
    (0xD0, ">Bb", -(2**7), -1),
    (0xD1, ">Bh", -(2**15), -1),
    (0xD2, ">Bi", -(2**31), -1),
    (0xD3, ">Bq", INT64_MIN, -1),
)


class Frame:
    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._bytes = bytearray(HEAD)

    @property
    def size(self) -> int:
        return len(self._bytes)

    def begin(self, kind: bytes, columns: int) -> int:
        if len(kind) != TAG:
            raise ValueError("a kind of frame is named by four bytes")
        self._bytes = bytearray(kind).ljust(HEAD, b"\0")
        return self.array(columns)

    def array(self, count: int) -> int:
        if count < 16:
            self._bytes.append(0x90 | count)
        else:
            self._bytes += struct.pack(">BH", 0xDC, count) if count < 2**16 else struct.pack(">BI", 0xDD, count)
        return 0

    def text(self, value: str) -> int:
        encoded = value.encode("utf-8", "replace")
        size = len(encoded)
        if size < 32:
            self._bytes.append(0xA0 | size)
        elif size < 2**8:
            self._bytes += struct.pack(">BB", 0xD9, size)
        else:
            self._bytes += struct.pack(">BH", 0xDA, size) if size < 2**16 else struct.pack(">BI", 0xDB, size)
        self._bytes += encoded
        return 0

    def shown(self, value: str, limit: int) -> int:
        return self.text("".join(char if char.isprintable() else "?" for char in value[:limit]))

    def number(self, value: int) -> int:
        if not INT64_MIN <= value <= INT64_MAX:
            raise OverflowError("a number of a frame has 64 bits")
        return self.integer(value)

    def integer(self, value: int) -> int:
        value = max(INT64_MIN, min(value, UINT64_MAX))
        if -32 <= value < 128:
            self._bytes.append(value & 255)
        else:
            code, form = next((code, form) for code, form, least, most in _INTEGERS if least <= value <= most)
            self._bytes += struct.pack(form, code, value)
        return 0

    def flag(self, value: bool) -> int:
        self._bytes.append(0xC3 if value else 0xC2)
        return 0

    def raw(self, encoded: bytes) -> int:
        self._bytes += encoded
        return 0

    def value(self, value: Value) -> int:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool):
            return self.flag(value)
        if isinstance(value, int):
            return self.integer(value)
        if not isinstance(value, tuple):
            raise TypeError(f"no column holds a {type(value).__name__}")
        self.array(len(value))
        for one in value:
            self.value(one)
        return 0

    def since(self, start: int) -> bytes:
        if not HEAD <= start <= len(self._bytes):
            raise ValueError("nothing was written there")
        return bytes(self._bytes[start:])

    def end(self) -> bytes:
        frame = self._bytes
        _LENGTH.pack_into(frame, TAG, len(frame) - HEAD)
        _CRC.pack_into(frame, TAG + 4, crc32(memoryview(frame)[HEAD:], crc32(frame[: TAG + 4], self._seed)))
        return bytes(frame)
