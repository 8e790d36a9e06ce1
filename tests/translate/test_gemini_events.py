"""Events -> a Gemini client's stream and answer, valid by google-genai's own types."""

from typing import Any

import orjson
import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.usage import Usage
from gw.translate.dialect import Entrance
from gw.translate.form import (
    Answer,
    ArgumentsDelta,
    BlockStart,
    BlockStop,
    Citation,
    CitationDelta,
    Effort,
    End,
    Event,
    Failure,
    Foreign,
    Json,
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
from gw.translate.gemini import GEMINI_DIALECT
from gw.translate.gemini_events import EventWriter
from gw.translate.gemini_request import read_request
from gw.translate.gemini_stream import EventReader
from gw.translate.gemini_words import from_wire
from tests.translate import strategies

USAGE = Usage(10, 7, 4, 1, thinking_tokens=3)
THOUGHT = Thinking(sealed_by="anthropic")
RICH: list[Event] = [
    Start("msg_1", "claude", Usage(10, 0, 4, 1)),
    BlockStart(0, THOUGHT),
    ThinkingDelta(0, "Hm"),
    SignatureDelta(0, "c2ln"),
    BlockStop(0),
    BlockStart(1, Text("")),
    TextDelta(1, 'Sö " '),
    TextDelta(1, "\ud83d"),
    BlockStop(1),
    BlockStart(2, ToolUse("toolu_1", "f")),
    BlockStart(3, ToolUse("toolu_2", "g", custom=True)),
    ArgumentsDelta(2, '{"a_b"'),
    ArgumentsDelta(3, "ls -l"),
    ArgumentsDelta(2, ":1}"),
    BlockStop(3),
    BlockStop(2),
    End("tool_use", USAGE),
]


def asked(*, shown: bool = True, alt: str = "sse") -> Request:
    return Request(
        "gemini", "upstream-name", model_named="gemini-mine", effort=Effort("adaptive", shown=shown), alt=alt, stream=True
    )


def chunks(stream: bytes, alt: str = "sse") -> list[Json]:
    """Each validated by Google's own type."""
    if alt:
        assert stream.endswith(b"\r\n\r\n")
        found = [orjson.loads(event.removeprefix(b"data: ")) for event in stream.split(b"\r\n\r\n") if event]
    else:
        found = orjson.loads(stream)
    for one in found:
        if "error" not in one:
            types.GenerateContentResponse.model_validate(one)
            assert one["modelVersion"] == "gemini-mine" and "usageMetadata" in one
            assert one["candidates"][0]["content"]["parts"]
    return found


def parts(found: list[Json]) -> list[Json]:
    return [part for one in found for part in one["candidates"][0]["content"]["parts"]]


@pytest.mark.parametrize("alt", ["sse", ""])
def test_a_stream_is_made_of_whole_chunks_in_both_framings(alt: str) -> None:
    writer = EventWriter(asked(alt=alt))
    found = chunks(b"".join(writer.write([event]) for event in RICH), alt)
    said = parts(found)
    seal = said.pop(1)
    assert from_wire(seal["thoughtSignature"]) == Thinking(signature="c2ln", sealed_by="anthropic") and seal["thought"] is True
    assert said == [
        {"thought": True, "text": "Hm"},
        {"text": 'Sö " '},
        {"text": "?"},
        {"functionCall": {"name": "g", "args": {"input": "ls -l"}, "id": "toolu_2"}},
        {"functionCall": {"name": "f", "args": {"a_b": 1}, "id": "toolu_1"}},
        {"text": ""},
    ]
    assert all(one["responseId"] == "msg_1" for one in found)
    assert found[0]["usageMetadata"] == {"promptTokenCount": 15, "cachedContentTokenCount": 4, "totalTokenCount": 15}
    assert found[-1]["usageMetadata"] == {
        "promptTokenCount": 15, "candidatesTokenCount": 4, "cachedContentTokenCount": 4, "thoughtsTokenCount": 3,
        "totalTokenCount": 22,
    }  # fmt: skip
    assert [one["candidates"][0].get("finishReason") for one in found] == [None] * (len(found) - 1) + ["STOP"]
    assert writer.write(RICH) == writer.fail(Failure("api_error", "late")) == writer.ping() == b""


def test_thoughts_are_shown_only_to_who_asked_for_them_but_their_seals_always() -> None:
    said = parts(chunks(EventWriter(asked(shown=False)).write(RICH)))
    assert "Hm" not in [part.get("text") for part in said]
    assert from_wire(said[0]["thoughtSignature"]).signature == "c2ln" and said[0]["text"] == ""


@pytest.mark.parametrize("alt", ["sse", ""])
@pytest.mark.parametrize("before", range(len(RICH)))
def test_a_failure_ends_the_stream_well_formed_wherever_it_stands(alt: str, before: int) -> None:
    writer = EventWriter(asked(alt=alt))
    stream = writer.ping() if before % 2 else b""
    stream += writer.write(RICH[:before]) if before else b""
    stream += writer.fail(Failure("overloaded_error", "busy"))
    found = chunks(stream, alt) if before else [orjson.loads(stream.removeprefix(b"data: ").strip(b"\r\n[]"))]
    assert found[-1] == {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("end_turn", "STOP"),
        ("stop_sequence", "STOP"),
        ("max_tokens", "MAX_TOKENS"),
        ("context_full", "MAX_TOKENS"),
        ("refusal", "SAFETY"),
        ("pause_turn", "OTHER"),
    ],
)
def test_reasons_of_ending(stop: Any, reason: str) -> None:
    assert (
        chunks(EventWriter(asked()).write([Start("a", "b"), End(stop, Usage())]))[-1]["candidates"][0]["finishReason"] == reason
    )


def test_a_call_whose_arguments_are_cut_short_is_told_as_it_is() -> None:
    events: list[Event] = [
        Start("a", "b"),
        BlockStart(0, ToolUse("1", "f")),
        ArgumentsDelta(0, '{"a'),
        End("max_tokens", Usage()),
    ]
    assert parts(chunks(EventWriter(asked()).write(events)))[0]["functionCall"]["args"] == {"unreadable_arguments": '{"a'}


CITED = Citation(cited="c", title="T", url="https://x", text_start=1, text_end=2)


def test_citations_become_grounding_in_bytes() -> None:
    events: list[Event] = [
        Start("a", "b"), BlockStart(0, Text("")), TextDelta(0, "äb"), BlockStop(0), BlockStart(1, Text("")),
        CitationDelta(1, CITED), TextDelta(1, "öü"), TextDelta(1, "!"), CitationDelta(1, Citation(title="F", cited="words")),
        BlockStop(1), End("end_turn", Usage()),
    ]  # fmt: skip
    grounding = chunks(EventWriter(asked()).write(events))[-1]["candidates"][0]["groundingMetadata"]
    assert grounding == {
        "groundingChunks": [{"web": {"uri": "https://x", "title": "T"}}, {"retrievedContext": {"title": "F", "text": "words"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 5, "endIndex": 7, "text": "ü"}, "groundingChunkIndices": [0]},
            {"segment": {"startIndex": 3, "endIndex": 8, "text": "öü!"}, "groundingChunkIndices": [1]},
        ],
    }
    whole = Answer("a", "b", (Text("äb"), Text("öü!", (CITED,))), "end_turn", Usage())
    candidate = GEMINI_DIALECT.write_answer(whole, asked())["candidates"][0]
    assert candidate["groundingMetadata"]["groundingSupports"][0]["segment"] == {"startIndex": 5, "endIndex": 7, "text": "ü"}


def test_a_whole_answer_is_valid_and_has_the_clients_name_of_the_model() -> None:
    content = (
        Thinking("hm", "c2ln", sealed_by="anthropic"), Thinking(redacted="blob", sealed_by="anthropic"), Text("so"),
        Media("image", "image/png", "AA=="), Foreign("anthropic", "server_tool_use", {}), ToolUse("1", "f", '{"a":1}'),
    )  # fmt: skip
    body = GEMINI_DIALECT.write_answer(Answer("i", "claude", content, "tool_use", USAGE), asked())
    types.GenerateContentResponse.model_validate(body)
    assert body["modelVersion"] == "gemini-mine" and body["responseId"] == "i"
    said = body["candidates"][0]["content"]["parts"]
    assert [next(iter(part.keys() - {"thought", "thoughtSignature"})) for part in said] == [
        "text",
        "text",
        "text",
        "inlineData",
        "functionCall",
    ]
    assert from_wire(said[1]["thoughtSignature"]) == Thinking(redacted="blob", sealed_by="anthropic")
    again = read_request({"contents": [body["candidates"][0]["content"]]}, Entrance("generateContent", "m"))
    assert again.messages[0].content == content[:4] + content[5:]


# --- there and back -------------------------------------------------------------------------------------------------


def merged(blocks: list[Any]) -> list[Any]:
    """Gemini has no borders between texts."""
    found: list[Any] = []
    for block in blocks:
        if isinstance(block, Text) and found and isinstance(found[-1], Text):
            found[-1] = Text(found[-1].text + block.text)
        elif isinstance(block, ToolUse):
            found.append((block.id, block.name, orjson.loads(block.arguments or "{}")))
        elif isinstance(block, Thinking):
            found.append((block.text, from_wire(block.signature).signature))
        else:
            found.append(block)
    return found


@given(strategies.event_sequences("gemini", overlapping=True), st.sampled_from(["sse", ""]), st.integers(1, 400))
def test_a_stream_written_and_read_again_says_the_same(events: list[Event], alt: str, size: int) -> None:
    stream = EventWriter(asked(alt=alt)).write(events)
    reader = EventReader("gemini")
    again: list[Event] = []
    for at in range(0, len(stream), size):
        again += reader.feed(stream[at : at + size])
    again += reader.close()
    (before, end), (after, ended) = strategies.said(events), strategies.said(again)
    assert end is not None and ended is not None
    order = [block.id for block in after if isinstance(block, ToolUse)]  # as they were finished
    calls = {block.id: block for block in before if isinstance(block, ToolUse)}
    rest = [block for block in before if not isinstance(block, ToolUse)]
    assert merged(after) == merged(rest + [calls[id] for id in order]) and len(order) == len(calls)
    assert ended.stop == end.stop
    assert (ended.usage.output_tokens, ended.usage.thinking_tokens, ended.usage.cache_read_tokens) == (
        end.usage.output_tokens, end.usage.thinking_tokens, end.usage.cache_read_tokens,
    )  # fmt: skip
    written = end.usage.cache_write_5m_tokens + end.usage.cache_write_1h_tokens
    assert ended.usage.input_tokens == end.usage.input_tokens + written  # Gemini has no writes to its cache


@given(strategies.answers("gemini"))
def test_a_whole_answer_written_and_read_again_says_the_same(answer: Answer) -> None:
    body = orjson.loads(orjson.dumps(GEMINI_DIALECT.write_answer(answer, asked())))
    types.GenerateContentResponse.model_validate(body)
    again = GEMINI_DIALECT.read_answer(body, "gemini")
    assert isinstance(again, Answer)
    assert merged(list(again.content)) == merged(list(answer.content)) and again.stop == answer.stop
