"""ConverseStream: read at every split, written as botocore reads it, whatever is wrong told as a Failure."""

from typing import Any

import orjson
import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import DONE, Tap
from gw.domain.usage import Usage
from gw.translate.anthropic_events import EventWriter as AnthropicWriter
from gw.translate.converse_meter import ConverseMeter
from gw.translate.converse_stream import EventReader
from gw.translate.converse_writer import EventWriter, head
from gw.translate.form import (
    ArgumentsDelta,
    Block,
    BlockStart,
    BlockStop,
    Citation,
    CitationDelta,
    End,
    Event,
    Failure,
    Foreign,
    Media,
    Request,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.wire.eventstream import encode, frame
from tests._fast.golden import HERE
from tests.translate.bedrock import Json, faults
from tests.translate.strategies import PNG, event_sequences, said, splits

RECORDED = (HERE / "b01_text.bin").read_bytes()
START = {"messageStart": {"role": "assistant"}}
STOP = {"messageStop": {"stopReason": "end_turn"}}
USAGE = {"inputTokens": 7, "outputTokens": 9, "totalTokens": 16}
METADATA = {"metadata": {"usage": USAGE, "metrics": {"latencyMs": 5}}}
ASKED = Request("converse", "m")


def frames(*events: Json) -> bytes:
    return b"".join(frame(head(kind), orjson.dumps(body)) for event in events for kind, body in event.items())


def delta(at: int, **inner: Any) -> Json:
    return {"contentBlockDelta": {"contentBlockIndex": at, "delta": inner}}


def stop(at: int) -> Json:
    return {"contentBlockStop": {"contentBlockIndex": at}}


def call(at: int, id: str = "tooluse_1", name: str = "look") -> Json:
    return {"contentBlockStart": {"contentBlockIndex": at, "start": {"toolUse": {"toolUseId": id, "name": name}}}}


def read(*chunks: bytes) -> list[Event]:
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)] + reader.close()


def by_botocore(stream: bytes) -> list[Json]:
    """What botocore's buffer makes of it, each event judged by the service's shapes."""
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    found = []
    for event in buffer:
        message, exception = event.headers[":message-type"], event.headers.get(":exception-type")
        kind = exception if message == "exception" else event.headers[":event-type"]
        found.append({kind: orjson.loads(event.payload)})
        assert faults(found[-1], "ConverseStreamOutput") == []
    return found


# --- the recorded stream ----------------------------------------------------------------------------------------------


def test_the_recorded_stream() -> None:
    events = read(RECORDED)
    blocks, end = said(events)
    assert events[0] == Start("", "")
    assert end == End("end_turn", Usage(input_tokens=22, output_tokens=55))
    assert [type(block) for block in blocks] == [Text]
    assert isinstance(blocks[0], Text) and blocks[0].text.startswith('Let me count the "r"s in "')


def test_the_recorded_stream_reads_the_same_at_every_split() -> None:
    whole = read(RECORDED)
    assert all(read(RECORDED[:at], RECORDED[at:]) == whole for at in range(1, len(RECORDED)))
    assert read(*(RECORDED[at : at + 1] for at in range(len(RECORDED)))) == whole


def test_the_recorded_stream_written_again_says_the_same() -> None:
    events = read(RECORDED)
    again = EventWriter(ASKED).write(events)
    by_botocore(again)
    assert said(read(again)) == said(events)


# --- any stream -------------------------------------------------------------------------------------------------------


@given(event_sequences(), st.data())
def test_what_is_written_is_read_again(events: list[Event], data: st.DataObject) -> None:
    stream = EventWriter(ASKED).write(events)
    by_botocore(stream)
    blocks, end = said(read(*data.draw(splits(stream))))
    wanted, wanted_end = said(events)
    assert isinstance(end, End) and isinstance(wanted_end, End)
    assert blocks == [block for block in wanted if not isinstance(block, Text) or block.text]
    assert weighed(end.usage) == weighed(wanted_end.usage)


def weighed(usage: Usage) -> tuple[int, ...]:
    """Thinking is within the output and not told apart by Bedrock."""
    writes = (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens)
    return (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, *writes)


@given(event_sequences(overlapping=True))
def test_calls_that_stream_side_by_side_are_told_apart(events: list[Event]) -> None:
    stream = EventWriter(ASKED).write(events)
    wanted = said(events)[0]
    assert said(read(stream))[0] == [block for block in wanted if not isinstance(block, Text) or block.text]


BLOCKS: dict[str, tuple[list[Json], list[Block]]] = {
    "a block that says nothing": ([delta(0, text=""), stop(0), stop(1)], [Text("")]),
    "thoughts, then text, then a call": (
        [
            delta(0, reasoningContent={"text": "h"}),
            delta(0, reasoningContent={"text": "m"}),
            delta(0, reasoningContent={"signature": "c2"}),
            delta(0, reasoningContent={"signature": "ln"}),
            stop(0),
            delta(1, text="so"),
            stop(1),
            call(2),
            delta(2, toolUse={"input": '{"a"'}),
            delta(2, toolUse={"input": ":1}"}),
            stop(2),
        ],
        [Thinking("hm", "c2ln", sealed_by="anthropic"), Text("so"), ToolUse("tooluse_1", "look", '{"a":1}')],
    ),
    "thoughts and text at one index": (
        [delta(0, reasoningContent={"text": "hm"}), delta(0, text="so"), stop(0)],
        [Thinking("hm", sealed_by="anthropic"), Text("so")],
    ),
    "indices with gaps": ([delta(4, text="a"), stop(4), delta(9, text="b"), stop(9)], [Text("a"), Text("b")]),
    "a sealed thought": (
        [delta(0, reasoningContent={"redactedContent": "cmVk"}), stop(0), delta(1, text="so"), stop(1)],
        [Thinking(redacted="cmVk", sealed_by="anthropic"), Text("so")],
    ),
    "two calls": ([call(0, "a"), stop(0), call(1, "b"), stop(1)], [ToolUse("a", "look"), ToolUse("b", "look")]),
    "an image": (
        [
            {"contentBlockStart": {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}}},
            delta(0, image={"source": {"bytes": PNG[:40]}}),
            delta(0, image={"source": {"bytes": PNG[40:]}}),
            stop(0),
        ],
        [Media("image", "image/png", PNG)],
    ),
    "a tool that bedrock has run": (
        [
            {"contentBlockStart": {"contentBlockIndex": 0, "start": {"toolUse": {
                "toolUseId": "s", "name": "web", "type": "server_tool_use"}}}},
            delta(0, toolUse={"input": '{"q":1}'}),
            stop(0),
            {"contentBlockStart": {"contentBlockIndex": 1, "start": {"toolResult": {"toolUseId": "s"}}}},
            delta(1, toolResult=[{"text": "x"}]),
            stop(1),
        ],
        [
            Foreign("converse", "toolUse", {
                "toolUse": {"toolUseId": "s", "name": "web", "type": "server_tool_use", "input": {"q": 1}}}),
            Foreign("converse", "toolResult", {"toolResult": {"toolUseId": "s", "content": [{"text": "x"}]}}),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_read_and_written_again(name: str) -> None:
    given, wanted = BLOCKS[name]
    events = read(frames(START, *given, STOP, METADATA))
    assert said(events)[0] == wanted
    again = EventWriter(ASKED).write(events)
    by_botocore(again)
    assert said(read(again))[0] == [block for block in wanted if block != Text("")]
    indices = [event.index for event in events if isinstance(event, BlockStart)]
    assert indices == list(range(len(wanted)))
    assert sorted(indices) == sorted(event.index for event in events if isinstance(event, BlockStop))


def test_citations() -> None:
    place = {"documentChar": {"documentIndex": 1, "start": 3, "end": 9}}
    cited = {"title": "t", "sourceContent": [{"text": "words"}], "location": place}
    events = read(frames(START, delta(0, text="so"), delta(0, citation=cited), stop(0), STOP, METADATA))
    wanted = Citation("words", "t", "", 1, "char", 3, 9)
    assert CitationDelta(0, wanted) in events
    assert CitationDelta(0, wanted) in read(EventWriter(ASKED).write(events))


# --- the end ----------------------------------------------------------------------------------------------------------

ENDS = {
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "refusal",
    "content_filtered": "refusal",
    "model_context_window_exceeded": "context_full",
    "malformed_model_output": "end_turn",
    "malformed_tool_use": "end_turn",
    "of tomorrow": "end_turn",
}


@pytest.mark.parametrize("reason", ENDS)
def test_every_reason_of_ending(reason: str) -> None:
    more = {"additionalModelResponseFields": {"stop_sequence": "END"}}
    end = read(frames(START, {"messageStop": {"stopReason": reason} | more}, METADATA))[-1]
    assert end == End(ENDS[reason], Usage(input_tokens=7, output_tokens=9), "END")  # type: ignore[arg-type]


def test_a_call_makes_an_end_of_the_turn_a_tool_use() -> None:
    end = read(frames(START, call(0), stop(0), STOP, METADATA))[-1]
    assert isinstance(end, End) and end.stop == "tool_use"


def test_the_end_waits_for_usage_or_for_the_streams_end() -> None:
    reader = EventReader()
    assert reader.feed(frames(START, STOP)) == [Start("", "")]
    assert reader.feed(frames(METADATA)) == [End("end_turn", Usage(input_tokens=7, output_tokens=9))]
    assert reader.feed(frames(METADATA)) == [] and reader.close() == []
    assert read(frames(START, STOP))[-1] == End("end_turn", Usage())
    assert read(frames(START, METADATA, STOP))[-1] == End("end_turn", Usage(input_tokens=7, output_tokens=9))
    assert read(frames(START, delta(0, text="a"))) == [Start("", ""), BlockStart(0, Text("")), TextDelta(0, "a")]


def test_usage_with_caches_and_tier() -> None:
    usage = USAGE | {
        "cacheReadInputTokens": 100,
        "cacheWriteInputTokens": 30,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 10}, {"ttl": "5m", "inputTokens": 20}],
    }
    end = read(frames(START, STOP, {"metadata": {"usage": usage, "serviceTier": {"type": "flex"}}}))[-1]
    wanted = Usage(7, 9, 100, 20, 10, service_tier="flex")
    assert isinstance(end, End) and end.usage == wanted
    *_, metadata = by_botocore(EventWriter(ASKED).write([Start("", ""), end]))
    assert metadata["metadata"]["usage"] == usage | {"totalTokens": 146}
    assert metadata["metadata"]["serviceTier"] == {"type": "flex"}


def test_a_stop_sequence_is_told_to_who_asked_for_it() -> None:
    end = End("stop_sequence", Usage(), "END")
    asked = Request("converse", foreign={"additionalModelResponseFieldPaths": ["/stop_sequence"]})
    told = by_botocore(EventWriter(asked).write([end]))[0]["messageStop"]
    assert told == {"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"}}
    assert by_botocore(EventWriter(ASKED).write([end]))[0]["messageStop"] == {"stopReason": "stop_sequence"}


# --- what is wrong ----------------------------------------------------------------------------------------------------


def raised(name: str, body: bytes = b'{"message":"slow down"}', kind: str = "exception") -> bytes:
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": kind}
    return encode(headers, body)  # type: ignore[arg-type]


KINDS = {
    "throttlingException": "rate_limit_error",
    "modelStreamErrorException": "api_error",
    "validationException": "invalid_request_error",
    "internalServerException": "api_error",
    "serviceUnavailableException": "overloaded_error",
    "modelTimeoutException": "timeout_error",
    "somethingElse": "api_error",
}


@pytest.mark.parametrize("name", KINDS)
def test_exceptions_end_the_stream(name: str) -> None:
    events = read(frames(START, delta(0, text="a")) + raised(name) + frames(STOP, METADATA))
    assert events[-1] == Failure(KINDS[name], "slow down", code=name)


def test_errors_without_a_shape() -> None:
    headers: Any = {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "oops"}
    assert read(encode(headers, b"")) == [Failure("api_error", "oops", code="InternalFailure")]


def test_a_prompt_that_is_too_long_is_told_in_words_that_claude_code_acts_on() -> None:
    (failure,) = read(raised("validationException", b'{"message":"Input is too long for requested model."}'))
    assert isinstance(failure, Failure) and failure.message.startswith("prompt is too long: ")
    body = b'{"message":"The model returned the following errors: messages.1.role: Input should be ..."}'
    (failure,) = read(raised("validationException", body))
    assert isinstance(failure, Failure) and failure.message == "messages.1.role: Input should be ..."


GARBLED = {
    "a changed byte": RECORDED[:200] + bytes((RECORDED[200] ^ 1,)) + RECORDED[201:],
    "a frame cut short": RECORDED[:-5],
    "garbage": b"<html><body>Bad Gateway</body></html>",
    "json": b'{"message":"The security token is expired"}',
    "a frame of 4 GiB": b"\xff" * 40,
    "no json": frame(head("contentBlockDelta"), b"{"),
    "no object": frame(head("contentBlockDelta"), b"[1]"),
}


@pytest.mark.parametrize("name", GARBLED)
def test_what_cannot_be_read_is_a_failure(name: str) -> None:
    failure = read(GARBLED[name])[-1]
    assert isinstance(failure, Failure) and (failure.kind, failure.code) == ("api_error", "garbled")
    assert "cannot be read" in failure.message


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from((
        "contentBlockIndex", "delta", "start", "text", "toolUse", "toolUseId", "input", "reasoningContent", "signature", "usage",
        "stopReason", "citation", "location", "image", "toolResult", "serviceTier", "redactedContent", "type",
    )), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
kinds = st.sampled_from(
    ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "new")
)


@given(st.lists(st.tuples(kinds, st.dictionaries(st.text(max_size=3), anything) | anything), max_size=6))
def test_no_body_makes_the_reader_raise(bodies: list[tuple[str, Any]]) -> None:
    stream = b"".join(frame(head(kind), _dumped(body)) for kind, body in bodies)
    events = read(stream)
    EventWriter(ASKED).write(events)
    AnthropicWriter().write(events)


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits
        return b"{}"


FAILURES = {
    "rate_limit_error": "throttlingException",
    "billing_error": "validationException",
    "overloaded_error": "serviceUnavailableException",
    "invalid_request_error": "validationException",
    "timeout_error": "modelStreamErrorException",
    "api_error": "internalServerException",
    "of tomorrow": "internalServerException",
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_is_written_as_an_exception_and_nothing_after_it(kind: str) -> None:
    writer = EventWriter(ASKED)
    opened = writer.write([Start("", ""), BlockStart(0, Text("")), TextDelta(0, "a")])
    told = writer.fail(Failure(kind, "why \ud800"))
    assert by_botocore(opened + told)[-1] == {FAILURES[kind]: {"message": "why ?"}}
    assert writer.fail(Failure(kind, "again")) == b"" == writer.write([TextDelta(0, "b")]) == writer.ping()


def test_what_has_no_words_in_converse_is_left_out() -> None:
    foreign = Foreign("anthropic", "server_tool_use", {"type": "server_tool_use"})
    image = Media("image", url="https://x/y")
    events: list[Event] = [BlockStart(0, foreign), BlockStop(0), BlockStart(1, image), BlockStop(1)]
    told = by_botocore(EventWriter(ASKED).write(events))
    assert told == [delta(1, text="[image: https://x/y]"), stop(1)]


def test_free_text_of_a_custom_tool_is_wrapped() -> None:
    events: list[Event] = [BlockStart(0, ToolUse("a", "t", custom=True)), ArgumentsDelta(0, 'say "'), ArgumentsDelta(0, 'hi"')]
    stream = EventWriter(ASKED).write([Start("", ""), *events, BlockStop(0), End("tool_use", Usage())])
    assert said(read(stream))[0] == [ToolUse("a", "t", orjson.dumps({"input": 'say "hi"'}).decode())]


def test_the_thoughts_of_others_are_sealed_and_signatures_of_calls_ride_on_their_ids() -> None:
    events: list[Event] = [
        Start("", ""), BlockStart(0, Thinking(sealed_by="gemini")), ThinkingDelta(0, "hm"), SignatureDelta(0, "sig"), BlockStop(0),
        BlockStart(1, ToolUse("call_1", "look", signature="c2lnbmVk")), BlockStop(1), End("tool_use", Usage()),
    ]  # fmt: skip
    stream = EventWriter(ASKED).write(events)
    thought, use = said(read(stream))[0]
    assert isinstance(thought, Thinking) and thought.signature == "gw1.gemini.sig."
    assert use == ToolUse("call_1", "look", signature="c2lnbmVk")


# --- the meter --------------------------------------------------------------------------------------------------------


def test_the_meter_tells_the_tap_of_a_stream_that_passes() -> None:
    for size in (1, 7, len(RECORDED)):
        meter, tap = ConverseMeter("claude-x"), Tap()
        flags = 0
        for at in range(0, len(RECORDED), size):
            flags |= tap.feed(meter.feed(RECORDED[at : at + size]))
        flags |= tap.feed(meter.close())
        found = tap.found()
        assert (found.input_tokens, found.output_tokens, found.model, found.stop_reason) == (22, 55, "claude-x", "end_turn")
        assert flags & DONE and found.final_usage and not found.garbled and found.text_bytes > 50


def test_the_meter_tells_of_errors() -> None:
    meter, tap = ConverseMeter(), Tap()
    tap.feed(meter.feed(frames(START) + raised("throttlingException")))
    assert tap.found().error_type == "rate_limit_error"
