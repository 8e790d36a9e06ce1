"""Whatever is fed, in whatever way the grammar allows or forbids: the reading is what an oracle says, and nothing is raised."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw._fast import usage as compiled
from gw._fast.ref import usage as pure
from tests._fast import golden, oracle
from tests._fast.streams import STOP, delta, event, shown, start, text
from tests._fast.twins import agree, named, pieces, read

# -- grammar


def test_a_document_over_several_data_lines_is_one() -> None:
    lines = json.dumps({"type": "message_delta", "usage": {"output_tokens": 9}}, indent=1).split("\n")
    found = shown("".join(f"data: {line}\r\n" for line in lines).encode() + b"\r\n")
    assert (found["output"], found["garbled"]) == (9, False)


GARBAGE = [
    (b"<html>\n<body>502</body>\n", True),
    (b'{"type":"message_stop"}', True),
    (b"data: {broken\n\n", True),
    (b'data: {"type":"message_stop"\n\n', True),
    (b'data: {"a":"\xff"}\n\n', True),
    (b'data: {"a":"x\ny"}\n\n', True),
    (b"\x00\x01\x02\n", True),
    (b"\xef\xbbdata: x\n", True),
    (b"data\n\n", False),
    (b"data:\n\n", False),
    (b"data: \n\n", False),
    (b"data: [DONE]\n\n", False),
    (b"data: null\n\n", True),
    (b"dat: {}\n\n", True),
    (b"events: x\n\n", True),
    (b"event\n\n", False),
    (b":\n:x\n\n", False),
    (b'data: {"a":1} x\n\n', True),
    (b'data: {"a":1}}\n\n', True),
    (b"data: " + b'{"a":' * 600 + b"\n\n", True),
    (b'data: {"type":"later","usage":"none"}\n\n', False),
    (b'data: {"type":"message_start","message":5}\n\n', True),
]


@pytest.mark.parametrize(("garbage", "garbled"), GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_marked_and_what_follows_is_read(garbage: bytes, garbled: bool) -> None:
    found = shown(garbage + b"\n" + start(input_tokens=4) + delta(output_tokens=3) + STOP)
    assert found["garbled"] is garbled
    assert (found["input"], found["output"], found["finished"]) == (4, 3, True)


def test_documents_without_blank_lines_are_read_and_marked() -> None:
    stream = (start(input_tokens=4) + text("abc") + delta(output_tokens=3) + STOP).replace(b"\n\n", b"\n")
    found = shown(stream)
    assert (found["input"], found["output"], found["text_bytes"], found["finished"]) == (4, 3, 3, True)
    assert found["garbled"] is True


def test_an_error_without_type_is_an_error() -> None:
    assert shown(b'event: error\ndata: {"error":{"type":"api_error","message":"m"}}\n\n')["error_type"] == "api_error"


def test_a_cut_document_changes_nothing() -> None:
    stream = start(input_tokens=4) + delta(output_tokens=3)
    for cut in range(len(start(input_tokens=4)), len(stream) - 3):
        assert named(agree([stream[:cut]]))["output"] == 0


# -- properties


def render(events: list[dict[str, Any]], draw: Any) -> bytes:
    """The events as bytes, in one of the many ways the grammar allows."""
    is_ascii, eol = draw(st.booleans()), draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    out = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    for one in events:
        style: dict[str, Any] = draw(st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 1}]))
        try:
            lines = json.dumps(one, ensure_ascii=is_ascii, **style).encode().split(b"\n")
        except UnicodeEncodeError:
            lines = json.dumps(one, **style).encode().split(b"\n")
        head = draw(
            st.sampled_from([b"", b": note" + eol, b"event: " + str(one.get("type")).encode() + eol, b"event: message" + eol])
        )
        colon, tail = draw(st.sampled_from([b"data: ", b"data:"])), draw(st.sampled_from([b"", b"  ", b"\t"]))
        out += head + b"".join(colon + line + tail + eol for line in lines) + eol * draw(st.integers(1, 2))
    return bytes(out)


@st.composite
def streams(draw: Any) -> tuple[list[dict[str, Any]], bytes]:
    events = draw(st.lists(oracle.EVENTS, max_size=8))
    return events, render(events, draw)


@settings(max_examples=300, deadline=None)
@given(streams(), st.lists(st.integers(0, 10_000), max_size=6), st.sampled_from([0, 5, 60]))
def test_reading_is_what_an_oracle_says(stream: tuple[list[dict[str, Any]], bytes], cuts: list[int], request_ttl: int) -> None:
    events, data = stream
    judge = oracle.Oracle(request_ttl)
    for one in events:
        judge.event(one)
    found = named(agree(pieces(data, cuts), request_ttl))
    spoken = found.pop("text_bytes")
    assert isinstance(spoken, int) and judge.text_bytes <= spoken <= judge.text_bytes * 3 // 2
    assert found == judge.fields()
    assert read(compiled, pieces(data, cuts), request_ttl)[1] == read(pure, [data], request_ttl)[1] == judge.news


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60), st.sampled_from([b"data: ", b"\n\n", b'{"type":"message_delta",', b'"usage":{', b"}", b"\r"])
        )
    )
)
def test_random_bytes_never_raise_and_both_agree(chunks: list[bytes]) -> None:
    agree(chunks)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(golden.ANTHROPIC),
    st.lists(st.tuples(st.integers(0, 7000), st.integers(0, 40), st.binary(max_size=4)), min_size=1, max_size=4),
    st.lists(st.integers(0, 7000), max_size=4),
)
def test_mutated_streams_never_raise_and_both_agree(
    entry: dict[str, Any], edits: list[tuple[int, int, bytes]], cuts: list[int]
) -> None:
    data = golden.content(entry)
    for at, size, with_ in edits:
        at %= len(data)
        data = data[:at] + with_ + data[at + size :]
    whole = agree([data])
    assert agree(pieces(data, cuts)) == whole


# -- size


@pytest.mark.parametrize("chunk_size", [1, 65536])
def test_a_line_of_ten_megabytes_is_counted(chunk_size: int) -> None:
    line = text("é" * 500_000 + "x" * 9_000_000)
    tap = compiled.Tap()
    for at in range(0, len(line), chunk_size):
        tap.feed(line[at : at + chunk_size])
    assert tap.text_bytes == 10_000_000
    assert named(tap.reading())["garbled"] is False


def test_each_byte_is_looked_at_once_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin counts for both: no piece of a document is kept and read again."""
    handed = 0
    feed_json = pure.TapDoc.feed_json

    def counting(self: Any, chunk: bytes, at: int, end: int) -> int:
        nonlocal handed
        stopped = feed_json(self, chunk, at, end)
        handed += stopped - at
        return stopped

    monkeypatch.setattr(pure.TapDoc, "feed_json", counting)
    line = text("x" * 100_000)
    document = len(line) - len(b"event: content_block_delta\ndata: \n\n")
    for chunk_size in (1, 7, 4096, len(line)):
        handed = 0
        read(pure, (line[at : at + chunk_size] for at in range(0, len(line), chunk_size)))
        assert handed == document


def test_a_huge_message_start_is_read() -> None:
    payload = {"type": "message_start", "message": {"junk": ["y" * 100] * 20_000, "model": "m", "usage": {"input_tokens": 6}}}
    found = named(agree(pieces(event(payload), range(0, 2_000_000, 9973))))
    assert (found["input"], found["model"], found["garbled"]) == (6, "m", False)
