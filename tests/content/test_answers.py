"""Event streams taken apart and put together again: byte by byte, whatever they hold."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gw.content.answers import Frame, Text, apart, changed, framed, is_stream, together
from tests.content.session import stream_of

GOLDEN = Path(__file__).parents[1] / "golden"
STREAMS = sorted(path.name for path in GOLDEN.iterdir() if path.suffix in {".sse", ".bin"})
LONG = 'a text that is longer than most of what is said in one go, with "quotes", line\nbreaks, ünd mehr. ' * 2


def again(stream: bytes) -> bytes:
    return together(*framed(apart(stream)))


@pytest.mark.parametrize("name", STREAMS)
def test_real_streams_come_back_byte_by_byte(name: str) -> None:
    stream = (GOLDEN / name).read_bytes()
    assert again(stream) == stream


@given(st.binary(max_size=400))
@example(b'data: {"text":"a"}{"text":"')
@example(b'"text":"a""text":"b"content_block_start"text":"c"')
def test_anything_comes_back_byte_by_byte(stream: bytes) -> None:
    assert again(stream) == stream


@given(st.text(min_size=1, max_size=300), st.integers(1, 40))
def test_streams_of_any_text_come_back_byte_by_byte(text: str, size: int) -> None:
    stream = stream_of(text.encode("utf-8", "replace").decode(), size)
    assert again(stream) == stream


@pytest.mark.parametrize("size", [1, 7, 500])
def test_a_text_is_the_literal_that_the_client_sends_back(size: int) -> None:
    frame, literals = framed(apart(stream_of(LONG, size)))
    assert literals[1] == msgspec.json.encode(LONG)
    assert b"longer than most" not in frame


def test_a_stream_of_small_pieces_takes_little_more_than_its_text() -> None:
    frame, _ = framed(apart(stream_of(LONG * 50, 4)))
    assert len(stream_of(LONG * 50, 4)) > 100 * len(LONG) and len(frame) < 25_000


def test_texts_are_told_apart_by_what_they_are() -> None:
    keys = [text.key for text in apart(stream_of(LONG)).texts if text.escaped]
    assert keys == ["thinking", "signature", "text", "partial_json"]


def test_a_text_that_was_changed_stands_whole_in_its_first_piece() -> None:
    one = apart(stream_of(LONG, 3))
    texts = [Text(text.key, b"gone") if text.key == "text" else text for text in one.texts]
    found = together(*framed(changed(one, texts)))
    assert found.count(b'"text":"gone"') == 1
    assert [text for text in apart(found).texts if text.escaped] == [text for text in texts if text.escaped]
    unchanged = framed(changed(one, list(one.texts)))
    assert unchanged == framed(one)


@pytest.mark.parametrize(
    "frame",
    [
        Frame([], b"\x00\x00", b"", b"", []),
        Frame([b"x"], b"\x01\x05", b"abc", b"", [False]),
        Frame([b"x"], b"\x01", b"abc", b"", [False]),
        Frame([b"x"], b"\x01\x02", b"", b"", [True]),
        Frame([b"x"], b"\x03\x01", b"abc", b"", [False]),
    ],
)
def test_a_frame_that_does_not_fit_is_an_error(frame: Frame) -> None:
    with pytest.raises(ValueError, match="damaged"):
        together(msgspec.msgpack.encode(frame), [])


def test_streams_are_known_by_their_beginning() -> None:
    assert is_stream(b"event: a\ndata: {}\n\n") and is_stream(b": hello\n\ndata: {}\n\n") and is_stream(b"\n\ndata: {}\n\n")
    assert not is_stream(b'{"data:": 1}') and not is_stream(b"")
