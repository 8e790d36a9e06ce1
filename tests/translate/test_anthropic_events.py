"""The form's events as Anthropic's stream."""

import random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw._fast import DONE, Tap
from gw.domain.usage import Iteration, Usage
from gw.translate import anthropic_events
from gw.translate.anthropic_events import PING, EventWriter
from gw.translate.anthropic_stream import EventReader
from gw.translate.form import (
    ArgumentsDelta,
    BlockStart,
    BlockStop,
    Citation,
    CitationDelta,
    End,
    Event,
    Failure,
    Foreign,
    Json,
    Media,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.seal import unseal, unseal_id
from tests.translate.strategies import event_sequences, said, usages

START = Start("msg_1", "gpt-5.2")
END = End("end_turn", Usage(input_tokens=3, output_tokens=5))


def written(*events: Event, model: str = "") -> list[Json]:
    return parsed(EventWriter(model).write(list(events)))


def parsed(stream: bytes) -> list[Json]:
    """Every event has its name on the line before, and ends with a blank line."""
    found = []
    assert stream.endswith(b"\n\n") or not stream
    for event in stream.split(b"\n\n")[:-1]:
        first, second = event.split(b"\n")
        value = orjson.loads(second.removeprefix(b"data: "))
        assert first == b"event: " + value["type"].encode()
        found.append(value)
    return found


def block(events: list[Json], index: int) -> list[Json]:
    return [event for event in events if event.get("index") == index]


def test_a_whole_answer_in_the_order_that_clients_expect() -> None:
    events = written(START, BlockStart(0, Text("")), TextDelta(0, "Hi"), BlockStop(0), END, model="claude-opus-5-5")
    kinds = [event["type"] for event in events]
    blocks = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert kinds == ["message_start", "ping", *blocks, "message_delta", "message_stop"]
    message = events[0]["message"]
    assert (message["id"], message["model"], message["role"], message["content"]) == ("msg_1", "claude-opus-5-5", "assistant", [])
    assert events[3]["delta"] == {"type": "text_delta", "text": "Hi"}
    assert events[5]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}


def test_an_id_of_another_dialect_is_never_the_same_twice() -> None:
    """Some servers count from 0 to 999, and Claude Code takes messages of one id for one message."""
    first, second = (written(Start("chatcmpl-7", "m"))[0]["message"]["id"] for _ in range(2))
    assert first != second
    assert first.startswith("msg_chatcmpl-7_")
    assert written(Start("", "m"))[0]["message"]["id"].startswith("msg_")


def test_calls_that_stream_side_by_side_come_one_after_the_other() -> None:
    events = written(
        START,
        BlockStart(0, ToolUse("call_a", "Bash")),
        BlockStart(1, ToolUse("call_b", "Read")),
        ArgumentsDelta(1, '{"b":'),
        ArgumentsDelta(0, '{"a":'),
        ArgumentsDelta(1, "2}"),
        BlockStop(1),
        BlockStart(2, Text("")),
        TextDelta(2, "done"),
        ArgumentsDelta(0, "1}"),
        BlockStop(0),
        BlockStop(2),
        END,
    )
    order = [event["index"] for event in events if "index" in event]
    assert order == sorted(order)
    assert [event["delta"]["partial_json"] for event in block(events, 0)[1:-1]] == ['{"a":', "1}"]
    assert [event["delta"]["partial_json"] for event in block(events, 1)[1:-1]] == ['{"b":', "2}"]
    assert block(events, 2)[1]["delta"]["text"] == "done"


def test_blocks_of_other_dialects_leave_no_gap() -> None:
    events = written(
        START,
        BlockStart(0, Foreign("responses", "web_search_call", {"id": "ws_1"})),
        BlockStop(0),
        BlockStart(1, Text("")),
        TextDelta(1, "a"),
        BlockStop(1),
        END,
    )
    assert [event["index"] for event in events if "index" in event] == [0, 0, 0]


@pytest.mark.parametrize("deltas", [[], [ArgumentsDelta(0, "")]])
def test_a_call_without_arguments_has_an_empty_object(deltas: list[Event]) -> None:
    events = written(START, BlockStart(0, ToolUse("call_a", "Bash")), *deltas, BlockStop(0), END)
    assert [event["delta"]["partial_json"] for event in block(events, 0)[1:-1]] == ["{}"]


def test_free_text_of_a_custom_tool_is_the_text_of_its_only_field() -> None:
    pieces = [ArgumentsDelta(0, piece) for piece in ('print("', "é\n", '")')]
    events = written(START, BlockStart(0, ToolUse("call_a", "run", custom=True)), *pieces, BlockStop(0), END)
    given_text = "".join(event["delta"]["partial_json"] for event in block(events, 0)[1:-1])
    assert orjson.loads(given_text) == {"input": 'print("é\n")'}
    empty = written(START, BlockStart(0, ToolUse("call_a", "run", custom=True)), BlockStop(0), END)
    assert orjson.loads(block(empty, 0)[1]["delta"]["partial_json"]) == {"input": ""}


def test_a_thought_of_another_dialect_carries_where_it_comes_from() -> None:
    head = BlockStart(0, Thinking(sealed_by="responses", id="rs_1"))
    events = written(START, head, ThinkingDelta(0, "hm"), SignatureDelta(0, "gAAA=="), BlockStop(0), END)
    shown = block(events, 0)
    assert shown[1]["delta"] == {"type": "thinking_delta", "thinking": "hm"}
    assert unseal(shown[2]["delta"]["signature"]) == ("responses", "gAAA==", "rs_1")


def test_a_thought_that_nobody_signed_gets_an_envelope() -> None:
    events = written(START, BlockStart(0, Thinking()), ThinkingDelta(0, "hm"), BlockStop(0), END)
    assert [event["delta"]["type"] for event in block(events, 0)[1:-1]] == ["thinking_delta", "signature_delta"]
    assert unseal(block(events, 0)[2]["delta"]["signature"]) == ("", "", "")


def test_a_sealed_thought_is_a_redacted_one() -> None:
    events = written(START, BlockStart(0, Thinking(redacted="xyz", sealed_by="responses", id="rs_2")), BlockStop(0), END)
    shown = block(events, 0)[0]["content_block"]
    assert shown["type"] == "redacted_thinking"
    assert unseal(shown["data"]) == ("responses", "xyz", "rs_2")


def test_a_signature_of_a_call_travels_in_its_id() -> None:
    events = written(START, BlockStart(0, ToolUse("functions.Read:0", "Read", signature="Es+/=")), BlockStop(0), END)
    assert unseal_id(block(events, 0)[0]["content_block"]["id"]) == ("functions.Read:0", "Es+/=")


def test_citations_and_pictures_have_their_words() -> None:
    page = Citation("cited", "T", document=0, unit="page", start=1, end=2)
    web = Citation("w", "W", url="https://example.com/")
    events = written(
        START,
        BlockStart(0, Text("")),
        CitationDelta(0, page),
        CitationDelta(0, web),
        CitationDelta(0, Citation("nowhere")),
        BlockStop(0),
        BlockStart(1, Media("image", "image/png", data="aGk=")),
        BlockStop(1),
        END,
    )
    kinds = [event["delta"]["citation"]["type"] for event in block(events, 0)[1:-1]]
    assert kinds == ["page_location", "web_search_result_location"]
    assert block(events, 1)[1]["delta"]["text"] == "[image, image/png: cannot be shown in this answer]"


def test_the_input_of_server_tools_comes_in_pieces() -> None:
    """Clients build it from them, and take what stands in the start for empty."""
    value = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "gw"}}
    events = written(START, BlockStart(0, Foreign("anthropic", "server_tool_use", value)), BlockStop(0), END)
    assert block(events, 0)[0]["content_block"]["input"] == {}
    assert orjson.loads(block(events, 0)[1]["delta"]["partial_json"]) == {"query": "gw"}


def test_a_ping_is_a_whole_event_until_the_end() -> None:
    writer = EventWriter()
    assert writer.ping() == PING
    writer.write([START, BlockStart(0, Text(""))])
    assert writer.ping() == PING
    writer.write([BlockStop(0), END])
    assert writer.ping() == b""


def test_a_failure_leaves_an_open_block_open_so_that_the_client_asks_again() -> None:
    writer = EventWriter()
    writer.write([START, BlockStart(0, Text("")), TextDelta(0, "a")])
    events = parsed(writer.fail(Failure("api_error", "The upstream broke.")))
    assert events == [{"type": "error", "error": {"type": "api_error", "message": "The upstream broke."}}]
    assert writer.fail(Failure("api_error", "again")) == b""
    assert writer.write([TextDelta(0, "b"), END]) == b""


@pytest.mark.parametrize(
    ("before", "closed"),
    [
        ([BlockStart(0, ToolUse("call_a", "Bash"))], True),  # the first of all: cut off in it, all is sent again
        ([BlockStart(0, Text("")), BlockStop(0), BlockStart(1, Text(""))], True),
        ([BlockStart(0, Text("")), BlockStop(0), BlockStart(1, Thinking())], False),
        ([], False),
    ],
)
def test_a_budgets_stop_closes_a_block_of_text_or_the_first(before: list[Event], closed: bool) -> None:
    writer = EventWriter()
    writer.write([START, *before])
    events = parsed(writer.fail(Failure("billing_error", "Spent.")))
    assert ("content_block_stop" in [event["type"] for event in events]) is closed
    assert events[-1]["type"] == "error"


def test_a_failure_in_the_stream_ends_it() -> None:
    events = written(START, Failure("overloaded_error", "Later."), TextDelta(0, "x"))
    assert [event["type"] for event in events] == ["message_start", "ping", "error"]


def test_blocks_that_overlap_too_much_end_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic_events, "HELD_BYTES_MAX", 1000)
    writer = EventWriter()
    writer.write([START, BlockStart(0, ToolUse("call_a", "A")), BlockStart(1, ToolUse("call_b", "B"))])
    events = parsed(writer.write([ArgumentsDelta(1, "x" * 600)] * 3))
    assert [event["type"] for event in events] == ["error"]


def test_a_lone_surrogate_is_written_as_a_question_mark() -> None:
    events = written(START, BlockStart(0, Text("")), TextDelta(0, "a\ud83d"), BlockStop(0), END)
    assert block(events, 0)[1]["delta"]["text"] == "a?"


FULL = Usage(
    input_tokens=3,
    output_tokens=50,
    cache_read_tokens=7,
    cache_write_5m_tokens=11,
    cache_write_1h_tokens=13,
    thinking_tokens=17,
    web_search_requests=2,
    web_fetch_requests=1,
    code_execution_requests=3,
    service_tier="priority",
    speed="fast",
    inference_geo="us",
    iterations=(Iteration("message", "", 3, 50, 7, 24, 11, 13), Iteration("advisor_message", "claude-x", 1, 2)),
)


def of_tap(stream: bytes, request_ttl: int = 0) -> Usage:
    tap = Tap(request_ttl)
    assert tap.feed(stream) & DONE
    fields = tap.reading()
    return Usage(*fields[:12], tuple(Iteration(*entry) for entry in fields[12]), fields[13])


def test_the_tap_reads_all_of_usage() -> None:
    assert of_tap(EventWriter().write([START, End("end_turn", FULL)])) == FULL


@given(usages(), usages())
def test_the_tap_reads_the_last_word_on_usage(first: Usage, last: Usage) -> None:
    stream = EventWriter().write([Start("msg_1", "m", first), End("end_turn", last)])
    assert of_tap(stream) == last


def test_writes_of_an_unknown_ttl_get_the_requests() -> None:
    stream = EventWriter().write([START, End("end_turn", Usage(cache_write_5m_tokens=9, ttl_assumed=True))])
    assert of_tap(stream, 60) == Usage(cache_write_1h_tokens=9, ttl_assumed=True)


@settings(deadline=None)
@given(st.booleans().flatmap(lambda both: event_sequences(overlapping=both)), st.booleans())
def test_events_come_back_from_their_bytes(events: list[Event], one_by_one: bool) -> None:
    writer, reader = EventWriter(), EventReader()
    stream = b"".join(writer.write([event]) for event in events) if one_by_one else writer.write(events)
    found = reader.feed(stream) + reader.close()
    want, end = said(events)
    got, last = said(found)
    assert [_filled(one) for one in want] == got
    assert last == end
    assert found[0] == events[0]


def _filled(one: object) -> object:
    return ToolUse(one.id, one.name, one.arguments or "{}") if isinstance(one, ToolUse) else one


@settings(deadline=None)
@given(event_sequences(overlapping=True), st.integers(0, 2**32))
def test_no_order_of_events_breaks_the_stream(events: list[Event], seed: int) -> None:
    """What no reader sends, either: the bytes stay events."""
    random.Random(seed).shuffle(events)
    parsed(EventWriter().write(events))
