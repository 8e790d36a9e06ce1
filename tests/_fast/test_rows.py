"""Rows: both twins take what msgspec would decode to a record's columns, stop at all else, and agree on any bytes."""

import struct
from typing import Any
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import rows as compiled
from gw._fast.ref import rows as pure
from gw.ledger.frames import FRAME_BYTES_MAX, frame_of

TWINS = pytest.mark.parametrize("module", [pytest.param(compiled, id="compiled"), pytest.param(pure, id="pure")])
KINDS = "utib"
SEED = 7
ALL = 1 << 30
EDGES = [0, 1, 31, 32, 127, 128, 255, 256, 2**15, 2**16, 2**31, 2**32, 2**53, 2**63 - 1]
INTEGERS = [*EDGES, *(-edge for edge in EDGES), -33, -129]
Read = tuple[int, list[tuple[Any, ...]], dict[str, tuple[str, int, bytes]]]

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=80)
records = st.tuples(texts, texts, st.integers(-(2**63) + 1, 2**63 - 1), st.booleans())
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), texts, st.binary(max_size=9)),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=12,
)


def closed(*columns: Any) -> bytes:
    return frame_of(b"gwjC", msgspec.msgpack.encode(columns), SEED)


def opened(*values: Any) -> bytes:
    return frame_of(b"gwjO", msgspec.msgpack.encode(values), SEED)


def read(module: Any, content: bytes, at: int = 0, *, kinds: str = KINDS, most: int = ALL, frames: int = ALL) -> Read:
    rows: list[tuple[Any, ...]] = []
    begun: dict[str, tuple[str, int, bytes]] = {}
    reader = module.Rows(kinds, FRAME_BYTES_MAX)
    return reader.read(content, at, SEED, "a-1.gwj", 1000, rows, begun, most, frames), rows, begun


@TWINS
@given(found=st.lists(records, max_size=8))
def test_finished_calls_are_rows_in_their_order(module: Any, found: list[tuple[Any, ...]]) -> None:
    content = b"".join(closed(*one) for one in found)
    at, rows, begun = read(module, content)
    assert (at, rows, begun) == (len(content), found, {})
    assert [list(map(type, row)) for row in rows] == [[str, str, int, bool]] * len(found)


@TWINS
@pytest.mark.parametrize("number", INTEGERS)
def test_every_size_of_an_integer_is_read(module: Any, number: int) -> None:
    assert read(module, closed("", number), kinds="ui")[1] == [("", number)]


@TWINS
@pytest.mark.parametrize("size", [0, 1, 31, 32, 63, 64, 65, 255, 256, 65_535, 65_536])
def test_every_size_of_a_text_is_read(module: Any, size: int) -> None:
    found = [("x" * size,), ("é" * size,), ("x" * size,)]
    assert read(module, b"".join(closed(*one) for one in found), kinds="t")[1] == found


def test_a_text_that_comes_again_is_the_same_object() -> None:
    (first, other), (second, another) = read(compiled, closed("team", "id") * 2, kinds="tu")[1]
    assert first is second and other is not another


def test_more_texts_than_are_kept_are_all_right() -> None:
    found = [(f"text {number}",) for number in range(20_000)]
    assert read(compiled, b"".join(closed(*one) for one in found), kinds="t")[1] == found


@TWINS
def test_a_call_that_ends_is_no_longer_begun(module: Any) -> None:
    first, second = opened(-1, "a", "x"), opened(3, "b")
    content = first + second + closed("a", "", 1, True)
    at, rows, begun = read(module, content)
    assert at == len(content) and [row[0] for row in rows] == ["a"]
    assert begun == {"b": ("a-1.gwj", 1000 + len(first), second)}


@TWINS
def test_what_is_begun_again_counts_as_it_was_last(module: Any) -> None:
    first, last = opened(1, "a", "here"), opened(1, "a", "there")
    assert read(module, first + last)[2] == {"a": ("a-1.gwj", 1000 + len(first), last)}


@TWINS
@pytest.mark.parametrize(
    "strange",
    [
        closed("a", "", 1),
        closed("a", "", 1, True, ""),
        closed("a", "", 1, 1),
        closed("a", "", True, True),
        closed("a", "", 1.0, True),
        closed("a", None, 1, True),
        closed("a", b"", 1, True),
        closed("a", "", 2**63, True),
        closed("a", "", -(2**63), True),
        frame_of(b"gwjC", b"", SEED),
        frame_of(b"gwjC", b"\x80", SEED),
        frame_of(b"gwjC", msgspec.msgpack.encode(("a", "", 1, True)) + b"\xc0", SEED),
        frame_of(b"gwjC", msgspec.msgpack.encode(("a", "?", 1, True)).replace(b"?", b"\xff"), SEED),
        frame_of(b"gwjO", b"\x91\x01", SEED),
        frame_of(b"gwjO", b"\x92\x01\xa3ab", SEED),
        frame_of(b"gwjO", b"\x92\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa1a", SEED),
        frame_of(b"gwjO", b"\x92\x01\xa1\xff", SEED),
        opened("a", 1),
        frame_of(b"gwjH", msgspec.msgpack.encode((1, "a")), SEED),
        frame_of(b"gwjX", b"", SEED),
        frame_of(b"gwjC", msgspec.msgpack.encode(("a", "", 1, True)), SEED + 1),
        b"gwjC",
    ],
)
def test_it_stops_before_what_is_strange(module: Any, strange: bytes) -> None:
    good = closed("a", "", 1, True)
    at, rows, begun = read(module, good + strange + good)
    assert (at, len(rows), begun) == (len(good), 1, {})


@TWINS
def test_a_frame_above_the_limit_is_none(module: Any) -> None:
    content = closed("x" * 100, "", 1, True)
    for limit, taken in ((len(content) - 12, len(content)), (len(content) - 13, 0)):
        assert module.Rows(KINDS, limit).read(content, 0, SEED, "", 0, [], {}, ALL, ALL) == taken


@TWINS
@pytest.mark.parametrize("most, frames, taken", [(3, 9, 3), (9, 2, 2), (0, 9, 0), (9, 0, 0), (9, 9, 5)])
def test_it_takes_no_more_than_is_asked_for(module: Any, most: int, frames: int, taken: int) -> None:
    found = [opened(1, "o"), *(closed(str(number), "", 0, False) for number in range(4))]
    assert read(module, b"".join(found), most=most, frames=frames)[0] == sum(map(len, found[:taken]))


@TWINS
def test_a_place_outside_is_refused(module: Any) -> None:
    for at in (-1, 1):
        with pytest.raises(ValueError, match="within"):
            read(module, b"", at)
    for kinds in ("", "i", "tx"):
        with pytest.raises(ValueError, match="column"):
            module.Rows(kinds, FRAME_BYTES_MAX)


@given(
    kinds=st.text("tuib", max_size=5).map("u".__add__),
    frames=st.lists(st.tuples(st.sampled_from([b"gwjC", b"gwjO", b"gwjH"]), st.one_of(records.map(list), anything)), max_size=6),
    flips=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 255)), max_size=2),
)
def test_the_twins_agree_on_any_frames(kinds: str, frames: list[tuple[bytes, Any]], flips: list[tuple[int, int]]) -> None:
    """Payloads are changed below their CRC, so that damage reaches the reader."""
    content = b""
    for kind, value in frames:
        payload = bytearray(msgspec.msgpack.encode(value))
        for at, bits in flips:
            if at < len(payload):
                payload[at] ^= bits
        content += frame_of(kind, bytes(payload), SEED)
    for which in (kinds, KINDS):
        assert read(compiled, content, kinds=which) == read(pure, content, kinds=which)


@given(content=st.binary(max_size=60), head=st.booleans())
def test_the_twins_agree_on_any_bytes(content: bytes, head: bool) -> None:
    if head:
        tag = struct.pack("<4sI", b"gwjC", len(content))
        content = tag + struct.pack("<I", crc32(content, crc32(tag, SEED))) + content
    assert read(compiled, content) == read(pure, content)
