"""Frames: both twins write what msgspec would, with the length and CRC that the journal's reader wants."""

import struct
from typing import Any
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import frame as compiled
from gw._fast.ref import frame as pure
from gw.domain.text import printable

TWINS = pytest.mark.parametrize("module", [pytest.param(compiled, id="compiled"), pytest.param(pure, id="pure")])
EDGES = [0, 1, 31, 32, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**16, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1]
NUMBERS = [*EDGES, *(-edge for edge in EDGES), -33, -129, -(2**15) - 1, -(2**31) - 1, -(2**63)]
SIZES = [0, 1, 15, 16, 31, 32, 255, 256, 2**16 - 1, 2**16]
texts = st.text(st.characters(exclude_categories=("Cs",)))
values = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**64 - 1), texts),
    lambda inner: st.lists(inner, max_size=20).map(tuple),
    max_leaves=40,
)


def payload(frame: Any) -> bytes:
    whole: bytes = frame.end()
    return whole[12:]


@TWINS
def test_the_crc_is_zlibs_at_every_size(module: Any) -> None:
    for size in range(400):
        frame = module.Frame(size * 2_654_435_761 % 2**32)
        frame.begin(b"gwjC", 1)
        frame.raw(bytes(at * 7 % 251 for at in range(size)))
        whole = frame.end()
        assert struct.unpack_from("<I", whole, 8)[0] == crc32(whole[12:], crc32(whole[:8], size * 2_654_435_761 % 2**32))


@TWINS
@given(columns=st.lists(values, max_size=80), seed=st.integers(0, 2**32 - 1))
def test_a_frame_is_head_crc_and_the_bytes_of_msgspec(module: Any, columns: list[Any], seed: int) -> None:
    frame = module.Frame(seed)
    frame.begin(b"gwjC", len(columns))
    for column in columns:
        frame.value(column)
    whole = frame.end()
    encoded = msgspec.msgpack.encode(columns)
    tag_and_length = struct.pack("<4sI", b"gwjC", len(encoded))
    assert whole == tag_and_length + struct.pack("<I", crc32(encoded, crc32(tag_and_length, seed))) + encoded


@TWINS
@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_takes_its_shortest_form(module: Any, number: int) -> None:
    for write in ("number", "integer", "value"):
        frame = module.Frame()
        frame.begin(b"gwjO", 1)
        getattr(frame, write)(number)
        assert payload(frame) == msgspec.msgpack.encode([number])


@TWINS
@pytest.mark.parametrize(("number", "nearest"), [(2**63, 2**63), (2**70, 2**64 - 1), (-(2**70), -(2**63))])
def test_what_is_beyond_64_bits_is_bounded_or_refused(module: Any, number: int, nearest: int) -> None:
    frame = module.Frame()
    frame.begin(b"gwjO", 1)
    frame.integer(number)
    assert payload(frame) == msgspec.msgpack.encode([nearest])
    with pytest.raises(OverflowError):
        frame.number(number)


@TWINS
@pytest.mark.parametrize("size", SIZES)
def test_texts_and_lists_of_every_size(module: Any, size: int) -> None:
    for value in ("x" * size, "\u00e9" * (size // 2), tuple(range(size))):
        frame = module.Frame()
        frame.begin(b"gwjO", 1)
        frame.value(value)
        assert payload(frame) == msgspec.msgpack.encode([value])


@TWINS
@given(text=st.text(st.characters()), limit=st.integers(0, 40))
def test_texts_from_outside_are_shown_as_the_domain_says_and_no_surrogate_gets_through(
    module: Any, text: str, limit: int
) -> None:
    frame = module.Frame()
    frame.begin(b"gwjO", 2)
    frame.shown(text, limit)
    frame.text(text)
    shown, whole = msgspec.msgpack.decode(payload(frame), type=tuple[str, str])
    assert shown == printable(text, limit)
    assert whole == text.encode("utf-8", "replace").decode()


@TWINS
def test_what_was_encoded_once_can_be_written_again(module: Any) -> None:
    frame = module.Frame()
    frame.begin(b"gwjO", 2)
    start = frame.size
    frame.array(2)
    frame.text("a")
    frame.flag(True)
    kept = frame.since(start)
    frame.number(5)
    assert payload(frame) == msgspec.msgpack.encode([("a", True), 5])
    frame.begin(b"gwjO", 1)
    frame.raw(kept)
    assert payload(frame) == msgspec.msgpack.encode([("a", True)])
    for nowhere in (0, 11, frame.size + 1):
        with pytest.raises(ValueError, match="nothing was written"):
            frame.since(nowhere)


@TWINS
def test_what_was_begun_and_not_ended_is_forgotten(module: Any) -> None:
    frame = module.Frame(7)
    frame.begin(b"gwjC", 3)
    frame.text("left behind" * 1000)
    frame.begin(b"gwjC", 0)
    fresh = module.Frame(7)
    fresh.begin(b"gwjC", 0)
    assert frame.end() == fresh.end()


@TWINS
def test_what_no_column_holds_is_refused(module: Any) -> None:
    frame = module.Frame()
    with pytest.raises(ValueError, match="four bytes"):
        frame.begin(b"gwj", 1)
    for value in (None, 1.5, b"bytes", ["list"]):
        with pytest.raises(TypeError, match="no column holds"):
            frame.value(value)
