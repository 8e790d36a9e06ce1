"""The twin: the same but for the interpreter lock, and the order of stores on machines that have none of their own."""

from os import write as append
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["BUFFER_HEAD", "WriteBuffer", "append"]

BUFFER_HEAD = 32
SEGMENT, BASE, LENGTH = 0, 8, 16
_WORD = Struct("=q")


class WriteBuffer:
    def __init__(self, memory: "Buffer") -> None:
        self._view = memoryview(memory).cast("B")
        if self._view.readonly:
            raise BufferError("the memory cannot be written to")
        if len(self._view) <= BUFFER_HEAD:
            raise ValueError(f"a buffer needs more than {BUFFER_HEAD} bytes")
        self.size = 0
        self.room = len(self._view) - BUFFER_HEAD

    def put(self, data: bytes) -> bool:
        if len(data) > self.room - self.size:
            return False
        at = BUFFER_HEAD + self.size
        self._view[at : at + len(data)] = data
        self.size += len(data)
        _WORD.pack_into(self._view, LENGTH, self.size)
        return True

    def write_to(self, fd: int) -> int:
        return append(fd, self._view[BUFFER_HEAD : BUFFER_HEAD + self.size])

    def clear(self, segment: int, base: int) -> None:
        self.size = 0
        _WORD.pack_into(self._view, LENGTH, 0)
        _WORD.pack_into(self._view, SEGMENT, segment)
        _WORD.pack_into(self._view, BASE, base)
