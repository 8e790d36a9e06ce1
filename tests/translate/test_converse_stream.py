"""ConverseStream: read at every split, written as botocore reads it, whatever is wrong told as a Failure."""

from typing import Any

import orjson
import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.usage import Usage
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
from gw.wire.eventstream import frame
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
        Start("", ""),
        BlockStart(0, Thinking(sealed_by="gemini")), ThinkingDelta(0, "hm"), SignatureDelta(0, "sig"), BlockStop(0),
        BlockStart(1, ToolUse("call_1", "look", signature="c2lnbmVk")), BlockStop(1), End("tool_use", Usage()),
    ]  # fmt: skip
    stream = EventWriter(ASKED).write(events)
    thought, use = said(read(stream))[0]
    assert isinstance(thought, Thinking) and thought.signature == "gw1.gemini.sig."
    assert use == ToolUse("call_1", "look", signature="c2lnbmVk")
