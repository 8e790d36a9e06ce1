"""Frames on their way to a journal: a mapped file in which a worker's frames wait to be written, many by one `write`.

A `write` for each frame would cost a call more than all else that is kept of it. What stands in a mapped file survives the
process just as well. `<boot id>.buffer` holds, as native 64-bit integers, the number of the segment to which its bytes belong,
their place there, and how many they are; behind that the bytes. So file and buffer together are one stream: whoever reads a
segment goes on here where the file ends (`rest`), and of a writer that has died what the file lacks is added to it (`complete`).

The words are stored in such an order that a writer may die between any two of them:
- a frame is copied, then counted;
- what has been written is first counted as nothing, then the place moves on. A reader that finds the place moved while it read
  has read nothing.
"""

import os
import struct
from contextlib import suppress
from mmap import mmap
from pathlib import Path

from gw._fast import BUFFER_HEAD, WriteBuffer

BUFFER_BYTES = 256 << 10  # 17 ms of 15,000 calls/s
SUFFIX = ".buffer"
_WORDS = struct.Struct("=qqq")


def create(directory: Path, boot: str) -> WriteBuffer:
    """Its pages stand on the disk before it is mapped, so that to store there never fails for want of room. Raises OSError."""
    fd = os.open(directory / f"{boot}{SUFFIX}", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if os.write(fd, bytes(BUFFER_BYTES)) != BUFFER_BYTES:
            raise OSError(None, "disk full?")
        return WriteBuffer(mmap(fd, BUFFER_BYTES))
    except BaseException:
        remove(directory, boot)
        raise
    finally:
        os.close(fd)


def remove(directory: Path, boot: str) -> None:
    (directory / f"{boot}{SUFFIX}").unlink(missing_ok=True)


def rest(directory: Path, boot: str, segment: int, at: int) -> bytes:
    """What stands at `at` of a segment that is being written to, if the file ends there. Empty as well if that is no longer, or
    not yet, in the buffer: then it is in the file. Raises OSError."""
    try:
        fd = os.open(directory / f"{boot}{SUFFIX}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # it writes without one
        return b""
    try:
        before = _words(fd)
        number, base, length = _words(fd)  # twice: the first may have an old length beside a new place
        if before[:2] != (segment, base) or number != segment or not base <= at < base + length:
            return b""
        found = os.pread(fd, base + length - at, BUFFER_HEAD + at - base)
        return found if _words(fd)[:2] == (number, base) else b""
    finally:
        os.close(fd)


def complete(directory: Path, boot: str, segment: int, path: Path) -> None:
    """Adds to the last segment of a writer that has died what the file lacks; to do so twice adds nothing. Raises OSError.

    All of it is added where the file does not go on as the buffer begins: the power went, or the writer died while it went on
    from a segment that could not be written to. Then some of it may stand there twice, which harms no more than any row that
    is offered twice."""
    try:
        fd = os.open(directory / f"{boot}{SUFFIX}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        number, base, length = _words(fd)
        if number > segment or not 0 < length <= BUFFER_BYTES - BUFFER_HEAD:
            return
        waiting = os.pread(fd, length, BUFFER_HEAD)
    finally:
        os.close(fd)
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    try:
        written = os.pread(fd, length, base) if number == segment and base >= 0 else b""
        missing = waiting[len(written) :] if waiting.startswith(written) else waiting
        if os.write(fd, missing) != len(missing):
            raise OSError(None, f"{path.name} did not take all of it (disk full?)")
    finally:
        os.close(fd)
    remove(directory, boot)  # or what does not fit would be added at each look


def _words(fd: int) -> tuple[int, int, int]:
    """Segment, place and size; zeros where there are none yet."""
    head = os.pread(fd, _WORDS.size, 0)
    return _WORDS.unpack(head) if len(head) == _WORDS.size else (0, 0, 0)


def rubbish(directory: Path, boots: set[str], before_ns: int) -> None:
    """Removes the buffers of lives that have no segment and began before that time. Raises OSError."""
    for path in directory.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):
            if path.stem not in boots and path.stat().st_mtime_ns < before_ns:
                path.unlink()
