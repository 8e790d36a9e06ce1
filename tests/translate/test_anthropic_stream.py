"""Anthropic's stream as the form's events."""

import os
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw._fast import Tap
from gw.domain.usage import Iteration, Usage
from gw.translate.anthropic_events import EventWriter
from gw.translate.anthropic_stream import EventReader
from gw.translate.form import BlockStop, Citation, CitationDelta, End, Event, Failure, Foreign, Start, Text, Thinking, ToolUse
from tests._fast.golden import ANTHROPIC, content
from tests.translate.strategies import event_sequences, said

STEP = 13 if os.environ.get("GW_FAST") == "0" else 1  # the tap's pure twin takes a hundred times as long
MESSAGE = b'data: {"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
TEXT = b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
WHY = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}\n\n'


def read(*chunks: bytes) -> list[Event]:
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)] + reader.close()


def named(entries: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(entry, id=entry["file"]) for entry in entries]


@pytest.mark.parametrize("entry", named(ANTHROPIC))
def test_a_recorded_stream_reads_the_same_at_every_split(entry: dict[str, Any]) -> None:
    stream = content(entry)
    whole = read(stream)
    assert isinstance(whole[0], Start) and isinstance(whole[-1], End)
    assert all(read(stream[:at], stream[at:]) == whole for at in range(1, len(stream), STEP))
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == whole


@pytest.mark.parametrize("entry", named(ANTHROPIC))
def test_a_recorded_streams_usage_is_the_taps(entry: dict[str, Any]) -> None:
    tap = Tap()
    tap.feed(content(entry))
    fields = tap.reading()
    end = read(content(entry))[-1]
    assert isinstance(end, End)
    assert end.usage == Usage(*fields[:12], tuple(Iteration(*one) for one in fields[12]), fields[13])


@pytest.mark.parametrize("entry", named(ANTHROPIC))
def test_a_recorded_stream_written_again_says_the_same(entry: dict[str, Any]) -> None:
    events = read(content(entry))
    assert said(read(EventWriter().write(events))) == said(events)


@pytest.mark.parametrize("entry", named(ANTHROPIC))
def test_lines_that_end_otherwise_read_the_same(entry: dict[str, Any]) -> None:
    stream = content(entry)
    assert read(stream.replace(b"\n", b"\r\n")) == read(stream)


def test_what_the_recorded_streams_say() -> None:
    streams = {entry["file"][:3]: said(read(content(entry)))[0] for entry in ANTHROPIC}
    text, call = streams["a02"]
    assert text == Text("I'll check the current weather in Paris for you.")
    assert call == ToolUse("toolu_01NRLabsLyVHZPKxbKvkfSMn", "get_weather", '{"location": "Paris"}')
    thought, _ = streams["a08"]
    assert isinstance(thought, Thinking)
    assert thought.sealed_by == "anthropic" and thought.signature.startswith("c3lud") and thought.text.startswith("Simple educ")
    mcp, result, _ = streams["a18"]
    assert isinstance(mcp, Foreign) and mcp.kind == "mcp_tool_use" and mcp.value["input"] == {"message": "hello world"}
    assert isinstance(result, Foreign) and result.value["content"] == [{"type": "text", "text": "Tool echo: hello world"}]


def test_a_stream_without_its_last_event_is_whole_if_it_told_why_it_stopped() -> None:
    events = read(MESSAGE + TEXT + WHY)
    assert events[-2:] == [BlockStop(0), End("end_turn", Usage(input_tokens=3, output_tokens=9))]


def test_a_stream_that_breaks_off_has_no_end() -> None:
    assert not any(isinstance(event, End) for event in read(MESSAGE + TEXT))
    assert read(b"") == []


def test_an_error_event_is_a_failure_and_the_last() -> None:
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    assert read(MESSAGE + error + TEXT)[1:] == [Failure("overloaded_error", "Overloaded", 0, "overloaded_error")]


@pytest.mark.parametrize("stray", [b"data: {broken\n\n", b"data: nonsense\n\n", b'data: "text"\n\n'])
def test_what_is_no_event_is_a_failure(stray: bytes) -> None:
    last = read(MESSAGE + stray)[-1]
    assert isinstance(last, Failure) and (last.kind, last.code) == ("api_error", "garbled")


def test_what_other_servers_add_is_read_over() -> None:
    extra = b': comment\n\ndata: [DONE]\n\nevent: ping\ndata: {"type":"ping"}\n\ndata: {"type":"tomorrow"}\n\n'
    assert read(MESSAGE + extra + TEXT + WHY) == read(MESSAGE + TEXT + WHY)


def test_citations_come_with_their_text() -> None:
    delta = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":%b}}\n\n'
    place = b'{"type":"char_location","cited_text":"c","document_index":1,"start_char_index":2,"end_char_index":4}'
    found = [event.citation for event in read(MESSAGE + TEXT + delta % place) if isinstance(event, CitationDelta)]
    assert found == [Citation("c", document=1, unit="char", start=2, end=4)]


SHAPES = st.sampled_from((b'"type":', b'"index":', b"0", b"null", b"{}", b"[]", b'"text_delta"', b":", b","))


@settings(max_examples=200, deadline=None)
@given(event_sequences(), st.data())
def test_damage_anywhere_never_raises(events: list[Event], data: st.DataObject) -> None:
    stream = bytearray(EventWriter().write(events))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(stream)))
        stream[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=4) | SHAPES)
    read(bytes(stream))


VALUES = st.sampled_from((None, 0, -1, "", "x", [], {}, True, 1.5, [None], {"type": 3}))
KINDS = ("message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "error")
FIELDS = ("message", "index", "content_block", "delta", "usage", "error")


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4)), max_size=6))
def test_fields_of_any_type_never_raise(shapes: list[tuple[str, dict[str, Any]]]) -> None:
    read(*(b"data: " + orjson.dumps({"type": kind} | fields) + b"\n\n" for kind, fields in shapes))
