"""Cohere's v2 chat as an upstream: its SDK's types say what is asked, and what its streams are made of."""

import json
from typing import Any

import pytest
from cohere import ToolV2
from cohere.types import ChatMessageV2
from cohere.v2.types import V2ChatResponse, V2ChatStreamResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gw.domain.quirks import Quirks
from gw.domain.usage import Usage
from gw.errors import Refusal
from gw.translate.dialects import DIALECTS
from gw.translate.form import (
    Answer,
    Block,
    Citation,
    CitationDelta,
    Effort,
    End,
    Event,
    Failure,
    Foreign,
    Format,
    Media,
    Message,
    Request,
    Start,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from tests.translate.strategies import PNG, requests, said, splits

COHERE = DIALECTS["cohere"]
PLAIN = Quirks()
MESSAGE: TypeAdapter[Any] = TypeAdapter(ChatMessageV2)
EVENT: TypeAdapter[Any] = TypeAdapter(V2ChatStreamResponse)
SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}}}
USAGE = {"billed_units": {"input_tokens": 11.0, "output_tokens": 7}, "tokens": {"input_tokens": 400, "output_tokens": 9}}
SOURCE = {"type": "document", "id": "doc:1", "document": {"title": "A", "url": "https://example.com/a"}}
CITED = {"start": 3, "end": 7, "text": "süß", "sources": [SOURCE], "content_index": 1}
CALL = {"id": "weather_1", "type": "function", "function": {"name": "weather", "arguments": '{"x":"ü"}'}}


def stream(*events: dict[str, Any]) -> bytes:
    for event in events:
        EVENT.validate_python(event)
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def content(at: int, kind: str, *pieces: str) -> list[dict[str, Any]]:
    def event(step: str, inner: dict[str, Any]) -> dict[str, Any]:
        return {"type": f"content-{step}", "index": at, "delta": {"message": {"content": inner}}}

    middle = [event("delta", {kind: piece}) for piece in pieces]
    return [event("start", {"type": kind, kind: ""}), *middle, {"type": "content-end", "index": at}]


def called(at: int, call: dict[str, Any], *pieces: str) -> list[dict[str, Any]]:
    head = call | {"function": call["function"] | {"arguments": ""}}
    deltas = [{"function": {"arguments": piece}} for piece in pieces]
    return [
        {"type": "tool-call-start", "index": at, "delta": {"message": {"tool_calls": head}}},
        *({"type": "tool-call-delta", "index": at, "delta": {"message": {"tool_calls": one}}} for one in deltas),
        {"type": "tool-call-end", "index": at},
    ]


EMPTY = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}
BEGIN = {"type": "message-start", "id": "c1", "delta": {"message": EMPTY}}
PLAN = [{"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}} for piece in ("I will ", "look.")]


def end(reason: str, **more: Any) -> dict[str, Any]:
    return {"type": "message-end", "delta": {"finish_reason": reason, "usage": USAGE} | more}


def read(*chunks: bytes) -> list[Event]:
    reader = COHERE.event_reader("cohere")
    return [event for chunk in chunks for event in reader.feed(chunk)] + reader.close()


SPOKEN = stream(BEGIN, *content(0, "thinking", "Hm", "m."), *content(1, "text", "So ", "süß!"), end("COMPLETE"))
CALLING = stream(BEGIN, *PLAN, *called(0, CALL, '{"x":', '"ü"}'), *called(1, CALL | {"id": "weather_2"}, "{}"), end("TOOL_CALL"))
SPENT = Usage(input_tokens=11, output_tokens=7)


@pytest.mark.parametrize(
    ("data", "blocks", "stop"),
    [
        (SPOKEN, [Thinking("Hmm.", sealed_by="cohere"), Text("So süß!")], "end_turn"),
        (
            CALLING,
            [Text("I will look."), ToolUse("weather_1", "weather", '{"x":"ü"}'), ToolUse("weather_2", "weather", "{}")],
            "tool_use",
        ),
    ],
)
def test_a_stream_reads_the_same_at_every_split(data: bytes, blocks: list[Block], stop: Any) -> None:
    whole = read(data)
    assert whole[0] == Start("c1", "")
    assert said(whole) == (blocks, End(stop, SPENT))
    assert all(read(data[:at], data[at:]) == whole for at in range(len(data)))


def test_a_whole_answer_says_the_same() -> None:
    body = {
        "id": "c1",
        "finish_reason": "COMPLETE",
        "message": {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "Hmm."}, {"type": "text", "text": "So süß!"}],
            "citations": [CITED],
        },
        "usage": USAGE,
    }
    V2ChatResponse.model_validate(body)
    cited = Citation(title="A", url="https://example.com/a", text_start=3, text_end=7)
    blocks = (Thinking("Hmm.", sealed_by="cohere"), Text("So süß!", (cited,)))
    assert COHERE.read_answer(body, "cohere") == Answer("c1", "", blocks, "end_turn", SPENT)
    message = {"role": "assistant", "tool_plan": "Look.", "tool_calls": [CALL]}
    found = COHERE.read_answer(body | {"finish_reason": "TOOL_CALL", "message": message}, "cohere")
    assert isinstance(found, Answer)
    assert (found.content, found.stop) == ((Text("Look."), ToolUse("weather_1", "weather", '{"x":"ü"}')), "tool_use")


def test_citations_in_a_stream() -> None:
    note = {"type": "citation-start", "index": 0, "delta": {"message": {"citations": CITED}}}
    text = content(1, "text", "So süß!")
    found = read(stream(BEGIN, *text[:-1], note, {"type": "citation-end", "index": 0}, text[-1], end("COMPLETE")))
    assert CitationDelta(0, Citation(title="A", url="https://example.com/a", text_start=3, text_end=7)) in found


@pytest.mark.parametrize(
    ("reason", "stop"),
    [("COMPLETE", "end_turn"), ("STOP_SEQUENCE", "stop_sequence"), ("MAX_TOKENS", "max_tokens"), ("NEW_WORD", "end_turn")],
)
def test_why_it_ended(reason: str, stop: str) -> None:
    last = read(stream(BEGIN, *content(0, "text", "a"), end(reason)))[-1]
    assert isinstance(last, End) and last.stop == stop


@pytest.mark.parametrize(("reason", "kind"), [("ERROR", "api_error"), ("TIMEOUT", "timeout_error")])
def test_an_answer_that_broke_is_a_failure(reason: str, kind: str) -> None:
    last = read(stream(BEGIN, *content(0, "text", "a"), end(reason, error="out of luck")))[-1]
    assert last == Failure(kind, "out of luck", code=reason)
    found = COHERE.read_answer({"finish_reason": reason, "message": {}}, "cohere")
    assert isinstance(found, Failure) and found.kind == kind


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_reader_never_raises(data: st.DataObject) -> None:
    raw = bytearray(SPOKEN + CALLING)
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b'"{}[]:,\\\n x0'))
    told = read(*data.draw(splits(bytes(raw))))
    assert all(not isinstance(event, End | Failure) for event in told[:-1])


@pytest.mark.parametrize("data", [b"data: x\n\n", b"data: []\n\n", b"data: {}\n\n"])
def test_what_is_none_of_it_is_garbled(data: bytes) -> None:
    assert read(data)[-1].code == "garbled"  # type: ignore[union-attr]
    assert COHERE.read_answer({}, "cohere") == read(b"data: x\n\n")[-1]


def test_an_error_body() -> None:
    found = COHERE.read_error(429, b'{"id":"1","message":"You are past the limit."}')
    assert (found.kind, found.message) == ("rate_limit_error", "You are past the limit.")


# --- requests ---------------------------------------------------------------------------------------------------------


def asking(*blocks: Block, **more: Any) -> Request:
    found: dict[str, Any] = {"dialect": "anthropic", "model": "command-a-03-2025", "messages": (Message("user", blocks),)}
    return Request(**found | more)


def written(asked: Request, quirks: Quirks = PLAIN) -> dict[str, Any]:
    body: dict[str, Any] = COHERE.write_request(asked, quirks)
    for message in body["messages"]:
        MESSAGE.validate_python(message)
    for tool in body.get("tools", []):
        ToolV2.model_validate(tool)
    return body


def test_a_turn_of_tools() -> None:
    calls = (ToolUse("t1", "f"), ToolUse("t2", "p", "free", custom=True))
    seen = (Text("a"), Media("image", url="https://example.com/b.png"))
    turn = (
        Message("user", (Text("look"), Media("image", "image/png", PNG))),
        Message("assistant", (Thinking("Hm", sealed_by="cohere"), Text("I will."), *calls)),
        Message("user", (ToolResult("t1", seen), ToolResult("t2", failed=True))),
        Message("system", (Text("hurry"),)),
    )
    tools = (Tool("f", "d", SCHEMA), Tool("p", custom=True))
    more: dict[str, Any] = {"tools": tools, "tool_choice": ToolChoice("any"), "max_tokens": 5, "stream": True}
    body = written(asking(messages=turn, system=(Text("Be brief."),), **more))
    free = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    assert body == {
        "model": "command-a-03-2025",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                ],
            },
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "t2", "type": "function", "function": {"name": "p", "arguments": '{"input":"free"}'}},
                ],
                "tool_plan": "I will.",
                "content": [{"type": "thinking", "thinking": "Hm"}],
            },
            {"role": "tool", "tool_call_id": "t1", "content": "a"},
            {"role": "tool", "tool_call_id": "t2", "content": "Error"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/b.png"}}]},
            {"role": "system", "content": "hurry"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}},
            {"type": "function", "function": {"name": "p", "description": "", "parameters": free}},
        ],
        "tool_choice": "REQUIRED",
        "max_tokens": 5,
        "stream": True,
    }


def test_a_tool_that_must_be_called_is_the_only_one() -> None:
    body = written(asking(Text("x"), tools=(Tool("f"), Tool("g")), tool_choice=ToolChoice("tool", "g")))
    assert ([tool["function"]["name"] for tool in body["tools"]], body["tool_choice"]) == (["g"], "REQUIRED")


def test_bounds_thinking_and_format() -> None:
    more: dict[str, Any] = {"effort": Effort("adaptive", "high"), "foreign": {"speed": "fast"}}
    asked = asking(Text("x"), top_k=3, top_p=0.5, stop=tuple("abcdefg"), **more)
    body = written(asked)
    assert (body["k"], body["p"], body["stop_sequences"]) == (3, 0.5, list("abcde"))
    assert asked.lost == ["stop sequences beyond 5", "thinking", "speed"]
    thinking = asking(Text("x"), model="command-a-reasoning-08-2025", effort=Effort("adaptive", "high"))
    assert written(thinking)["thinking"] == {"type": "enabled", "token_budget": 16_384}
    thinking.effort = Effort("off")
    assert written(thinking)["thinking"] == {"type": "disabled"}
    wanted = Format("schema", schema=SCHEMA)
    assert written(asking(Text("x"), format=wanted))["response_format"] == {"type": "json_object", "json_schema": SCHEMA}
    beside_tools = written(asking(Text("x"), format=wanted, tools=(Tool("f"),)))
    assert "response_format" not in beside_tools and "JSON Schema" in beside_tools["messages"][0]["content"]


@pytest.mark.parametrize(
    ("asked", "slug"),
    [
        (asking(Media("document", "application/pdf", "JVBE")), "capability_rejected"),
        (asking(Media("document", "application/pdf", "JVBE"), dialect="chat"), "cannot_carry"),
        (asking(Media("audio", "audio/wav", "UklG")), "cannot_carry"),
        (asking(Foreign("anthropic", "container_upload", {})), "cannot_carry"),
        (asking(Text("x"), choices=2), "cannot_carry"),
        (asking(Text("x"), tools=(Tool("w", server=Foreign("anthropic", "web_search_20250305", {})),)), "cannot_carry"),
    ],
)
def test_what_cannot_be_carried_is_refused(asked: Request, slug: str) -> None:
    with pytest.raises(Refusal) as refused:
        COHERE.write_request(asked, PLAIN)
    assert refused.value.slug == slug


@settings(max_examples=60, deadline=None)
@given(requests())
def test_whatever_is_asked_is_valid(asked: Request) -> None:
    written(asked)
