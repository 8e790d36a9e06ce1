from typing_extensions import Buffer

BUFFER_HEAD: int
"""Bytes before the first one that was put: the words SEGMENT, BASE, LENGTH (i64, native), and one of reserve."""

def append(fd: int, data: bytes) -> int:
    """Bytes written, perhaps fewer than given. Raises OSError."""

class WriteBuffer:
    """What waits to be written to a file, in memory that outlives the process: a mapped file. One thread puts; whoever else
    reads it does so by the words at its beginning, and asks for BASE again afterwards."""

    size: int
    """Bytes that wait."""

    room: int
    """Bytes that it holds at most."""

    def __init__(self, memory: Buffer) -> None:
        """Raises ValueError for memory that is too small or not aligned to 8 bytes. Empty only after `clear`."""

    def put(self, data: bytes) -> bool:
        """False: there is no room, and nothing was put."""

    def write_to(self, fd: int) -> int:
        """All of it; bytes written, perhaps fewer. It still waits. Raises OSError."""

    def clear(self, segment: int, base: int) -> None:
        """Nothing waits any more. What is put from here on belongs at `base` of this segment."""
