"""Memory in which frames wait: what is put stands where the words say, and is written as it stands. Both implementations."""

import os
import struct
from pathlib import Path

import pytest

from gw._fast.append import BUFFER_HEAD, WriteBuffer
from gw._fast.ref.append import WriteBuffer as PureBuffer

ROOM = 100
BOTH = pytest.mark.parametrize("kind", [WriteBuffer, PureBuffer], ids=["compiled", "pure"])


def words(memory: bytearray) -> tuple[int, int, int]:
    segment, base, length = struct.unpack_from("=qqq", memory)
    return segment, base, length


@BOTH
def test_what_is_put_stands_behind_the_words(kind: type[WriteBuffer]) -> None:
    memory = bytearray(BUFFER_HEAD + ROOM)
    buffer = kind(memory)
    buffer.clear(3, 777)
    assert (words(memory), buffer.size, buffer.room) == ((3, 777, 0), 0, ROOM)
    assert buffer.put(b"first") and buffer.put(b"") and buffer.put(b"second")
    assert (words(memory), buffer.size) == ((3, 777, 11), 11)
    assert memory[BUFFER_HEAD :][:11] == b"firstsecond"
    assert not buffer.put(b"x" * (ROOM - 10)) and words(memory) == (3, 777, 11)
    assert buffer.put(b"x" * (ROOM - 11)) and not buffer.put(b"x")
    buffer.clear(4, 877)
    assert (words(memory), buffer.size) == ((4, 877, 0), 0) and buffer.put(b"again")
    assert memory[BUFFER_HEAD :][:5] == b"again"


@BOTH
def test_all_of_it_is_written_and_waits_until_it_is_cleared(kind: type[WriteBuffer], tmp_path: Path) -> None:
    buffer = kind(bytearray(BUFFER_HEAD + ROOM))
    buffer.clear(1, 0)
    buffer.put(b"one")
    buffer.put(b"two")
    with (tmp_path / "file").open("wb") as file:
        assert (buffer.write_to(file.fileno()), buffer.size) == (6, 6)
    assert (tmp_path / "file").read_bytes() == b"onetwo"
    with pytest.raises(OSError, match="Bad file descriptor"):
        buffer.write_to(os.dup(0) + 1000)


@BOTH
def test_memory_that_cannot_serve_is_refused(kind: type[WriteBuffer]) -> None:
    with pytest.raises(ValueError, match="more than 32 bytes"):
        kind(bytearray(BUFFER_HEAD))
    with pytest.raises((BufferError, TypeError)):
        kind(bytes(100))
    with pytest.raises(TypeError):
        kind(bytearray(100)).put(None)  # type: ignore[arg-type]
