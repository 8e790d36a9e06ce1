"""Gemini beside Anthropic: what Claude Code asks of a Gemini upstream, and what a Gemini client gets of Claude."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.genai import types

from gw.errors import Refusal
from gw.translate.dialect import Entrance, Quirks
from gw.translate.dialects import DIALECTS
from gw.translate.form import Json, Message, Thinking, ToolUse
from gw.translate.gemini_contents import UNSIGNED
from gw.translate.gemini_words import from_wire, generation
from tests.translate.test_gemini_body import valid
from tests.translate.test_gemini_stream import call, chunk, sse

ANTHROPIC, GEMINI = DIALECTS["anthropic"], DIALECTS["gemini"]
NEW = "gemini-3.1-pro-preview"
CAPTURED: dict[str, Json] = json.loads((Path(__file__).parent / "captured.json").read_text())
PLAIN = [name for name in CAPTURED if "websearch" not in name]


def asked_of_gemini(body: Json, model: str = NEW) -> Json:
    asked = ANTHROPIC.read_request(body, Entrance("messages"))
    asked.model = model
    written = GEMINI.write_request(asked, Quirks())
    valid(written)
    return written


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("model", [NEW, "gemini-2.5-flash", "gemini-2.0-flash"])
def test_what_claude_code_asks_is_valid_for_gemini(name: str, model: str) -> None:
    written = asked_of_gemini(CAPTURED[name], model)
    roles = [content["role"] for content in written["contents"]]
    assert roles[0] == "user" and all(first != second for first, second in pairwise(roles))
    for before, content in pairwise(written["contents"]):
        calls = sum("functionCall" in part for part in before["parts"])
        assert calls == sum("functionResponse" in part for part in content["parts"])
    said = json.dumps(written)
    for word in ("cache_control", "billing-header", "DeferredTool", "context_management", "$schema", "additionalProperties"):
        assert word not in said


def test_claude_codes_web_search_is_refused_in_plain_words() -> None:
    with pytest.raises(Refusal) as refused:
        asked_of_gemini(next(body for name, body in CAPTURED.items() if "websearch" in name))
    assert refused.value.slug == "cannot_carry" and "web_search" in refused.value.message


def answered_to_claude_code(stream: bytes) -> list[Json]:
    """The content as Claude Code puts it together from the stream, and sends it back."""
    asking = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "hi"}], "thinking": {"type": "adaptive"}}
    writer = ANTHROPIC.event_writer(ANTHROPIC.read_request(asking, Entrance("messages")))
    reader = GEMINI.event_reader("gemini")
    out = writer.write(reader.feed(stream)) + writer.write(reader.close())
    blocks: list[Json] = []
    for event in out.split(b"\n\n"):
        data: Any = orjson.loads(event.partition(b"data: ")[2] or b"{}")
        if data.get("type") == "content_block_start":
            blocks.append(data["content_block"] | ({"input": ""} if data["content_block"]["type"] == "tool_use" else {}))
        elif data.get("type") == "content_block_delta":
            delta = data["delta"]
            name = "input" if "partial_json" in delta else delta["type"].removesuffix("_delta")
            blocks[-1][name] += delta.get("partial_json", delta.get(name))
    return [block | ({"input": json.loads(block["input"] or "{}")} if block["type"] == "tool_use" else {}) for block in blocks]


def turn(content: list[Json], *, result: str = "ok") -> Json:
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": result} for block in content if block["type"] == "tool_use"
    ]
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": results},
    ]
    return {"model": "claude-opus-5-5", "max_tokens": 9, "messages": messages}


def test_signatures_of_gemini_come_back_through_claude_code() -> None:
    stream = sse(
        chunk({"text": "Hm", "thought": True}),
        chunk(call("Bash", args={"command": "ls"}, id="c1") | {"thoughtSignature": "QUJD+/8="}, call("Read", args={})),
        chunk(reason="STOP"),
    )
    content = answered_to_claude_code(stream)
    assert [block["type"] for block in content] == ["thinking", "tool_use", "tool_use"]
    written = asked_of_gemini(turn(content))
    assert written["contents"][1]["parts"] == [
        {"text": "Hm", "thought": True},
        {"functionCall": {"name": "Bash", "args": {"command": "ls"}, "id": "c1"}, "thoughtSignature": "QUJD+/8="},
        {"functionCall": {"name": "Read", "args": {}, "id": "call_r1_2"}},
    ]
    assert [part["functionResponse"]["id"] for part in written["contents"][2]["parts"]] == ["c1", "call_r1_2"]


def test_a_session_that_comes_from_claude_gets_the_documented_signature() -> None:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "Q0xBVURF"},
        {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}},
    ]
    parts = asked_of_gemini(turn(content))["contents"][1]["parts"]
    assert parts == [{"functionCall": {"name": "Bash", "args": {}, "id": "toolu_1"}, "thoughtSignature": UNSIGNED}]


CLAUDE = b"".join(
    b"event: x\ndata: " + orjson.dumps(event) + b"\n\n"
    for event in (
        {
            "type": "message_start",
            "message": {"id": "msg_1", "model": "claude", "usage": {"input_tokens": 5, "cache_read_input_tokens": 2}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "Q0xBVURF"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
        },
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "1}"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    )
)


@pytest.mark.parametrize("shown", [True, False])
def test_thoughts_of_claude_come_back_through_a_gemini_client(shown: bool) -> None:
    asking = {"contents": "hi", "generationConfig": {"thinkingConfig": {"includeThoughts": shown, "thinkingBudget": 512}}}
    asked = GEMINI.read_request(asking, Entrance("generateContent", "gemini-mine", True, "sse"))
    reader, writer = ANTHROPIC.event_reader("anthropic"), GEMINI.event_writer(asked)
    stream = writer.write(reader.feed(CLAUDE)) + writer.write(reader.close())
    chunks = [orjson.loads(event[6:]) for event in stream.split(b"\r\n\r\n") if event]
    for one in chunks:
        types.GenerateContentResponse.model_validate(one)
    assert chunks[-1]["usageMetadata"] == {
        "promptTokenCount": 7, "candidatesTokenCount": 9, "cachedContentTokenCount": 2, "totalTokenCount": 16,
    }  # fmt: skip
    history = [one["candidates"][0]["content"] for one in chunks]
    result = {"role": "user", "parts": [{"functionResponse": {"id": "toolu_1", "name": "f", "response": {"output": "2"}}}]}
    again = GEMINI.read_request({"contents": [{"parts": [{"text": "hi"}]}, *history, result]}, Entrance("generateContent", "m"))
    thought = Thinking("hm" if shown else "", "Q0xBVURF", sealed_by="anthropic")
    assert again.messages[1] == Message("assistant", (thought, ToolUse("toolu_1", "f", '{"a":1}')))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gemini-3.1-pro-preview", (3, 1)),
        ("publishers/google/models/gemini-2.5-flash", (2, 5)),
        ("gemini-flash-1.5-8b", (1, 5)),
        ("gemini-4-argon", (4, 0)),
        ("gemini-flash-latest", (99, 0)),
        ("gemma-3-27b", (0, 0)),
    ],
)
def test_the_generation_of_a_model(model: str, expected: tuple[int, int]) -> None:
    assert generation(model) == expected
    assert from_wire("x").sealed_by == "gemini"
