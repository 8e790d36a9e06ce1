"""Whole turns between two dialects: a client's next request brings back what the upstream has to see again."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from openai.types.responses import ResponseInputItemParam, ToolParam
from pydantic import TypeAdapter

from gw.domain.quirks import Quirks
from gw.translate.dialect import Entrance
from gw.translate.dialects import DIALECTS
from gw.translate.form import Media, Message, Request, Text, Thinking, ToolResult, ToolUse
from gw.translate.responses_answer import events_of
from gw.translate.responses_asking import write_request
from gw.translate.responses_items import thought_of, without_foreign_thoughts
from gw.translate.responses_request import read_request
from gw.translate.seal import may_hold_sealed, sealed
from tests.translate.responses_streams import CALL, MESSAGE, THOUGHT, events, parsed, response, stream
from tests.translate.strategies import requests

ITEM: TypeAdapter[Any] = TypeAdapter(ResponseInputItemParam)
TOOL: TypeAdapter[Any] = TypeAdapter(ToolParam)
PLAIN = Quirks()
ANTHROPIC, RESPONSES = DIALECTS["anthropic"], DIALECTS["responses"]
TOOLS = [{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]
ONE_PART = THOUGHT | {"summary": THOUGHT["summary"][:1]}  # type: ignore[index]


def anthropic_body(*messages: dict[str, Any]) -> dict[str, Any]:
    thinking = {"type": "adaptive"}
    return {"model": "gpt-5.2", "max_tokens": 9000, "messages": [*messages], "tools": TOOLS, "thinking": thinking}


def from_anthropic(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = RESPONSES.write_request(ANTHROPIC.read_request(body, Entrance("messages")), PLAIN)
    for item in found["input"]:
        ITEM.validate_python(item)
    return found


def blocks_told(data: bytes) -> list[dict[str, Any]]:
    """The content of the message that Anthropic's SDK accumulates of a stream."""
    blocks: list[dict[str, Any]] = []
    for line in data.decode().splitlines():
        event = json.loads(line[6:]) if line.startswith("data: ") else {}
        if event.get("type") == "content_block_start":
            blocks.append(event["content_block"])
        elif event.get("type") == "content_block_delta":
            delta, block = event["delta"], blocks[event["index"]]
            match delta["type"]:
                case "text_delta" | "thinking_delta":
                    name = delta["type"].removesuffix("_delta")
                    block[name] += delta[name]
                case "signature_delta":
                    block["signature"] = delta["signature"]
                case "input_json_delta":
                    block["partial"] = block.get("partial", "") + delta["partial_json"]
    for block in blocks:
        if block["type"] == "tool_use":
            block["input"] = json.loads(block.pop("partial"))
    return blocks


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("thought", [ONE_PART, THOUGHT | {"summary": []}])
def test_claude_code_brings_openais_thoughts_back_verbatim(streamed: bool, thought: dict[str, Any]) -> None:
    """Two turns of tools: each reasoning item stands before its call again, with its id and what OpenAI has encrypted."""
    question = {"role": "user", "content": [{"type": "text", "text": "Weather in Paris?"}]}
    body = anthropic_body(question)
    sent = [from_anthropic(body)["input"]]
    for turn in (1, 2):
        own = thought | {"id": f"rs_{turn}", "encrypted_content": f"gAAA{turn}=="}
        items = [own, MESSAGE, CALL | {"call_id": f"call_{turn}"}]
        asked = ANTHROPIC.read_request(body, Entrance("messages"))
        if streamed:
            told = ANTHROPIC.event_writer(asked).write(RESPONSES.event_reader("openai").feed(stream(events(items))))
            content = blocks_told(told)
        else:
            answer = RESPONSES.read_answer(response(items), "openai")
            content = ANTHROPIC.write_answer(answer, asked)["content"]  # type: ignore[arg-type]
        result = {"type": "tool_result", "tool_use_id": f"call_{turn}", "content": "sunny"}
        body["messages"] += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
        sent.append(from_anthropic(body)["input"])
        said = {"type": "message", "role": "assistant", "content": MESSAGE["content"][0]["text"]}  # type: ignore[index]
        *before, reasoning, message, call, output = sent[-1]
        assert before == sent[-2]  # the prefix stands, so OpenAI's cache holds
        assert reasoning == own and message == said
        assert call.items() >= {"type": "function_call", "call_id": f"call_{turn}", "name": "weather"}.items()
        assert json.loads(call["arguments"]) == json.loads(str(CALL["arguments"]))
        assert output == {"type": "function_call_output", "call_id": f"call_{turn}", "output": "sunny"}


@pytest.mark.parametrize("streamed", [True, False])
def test_codex_brings_claudes_thoughts_back_verbatim(streamed: bool) -> None:
    body: dict[str, Any] = {"model": "claude-opus-5-5", "input": [{"type": "message", "role": "user", "content": "look"}]}
    body |= {"tools": [{"type": "function", "name": "weather", "parameters": TOOLS[0]["input_schema"], "strict": False}]}
    body |= {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"], "store": False}
    asked = RESPONSES.read_request(body, Entrance("responses"))
    said = [
        {"type": "thinking", "thinking": "I should look.", "signature": "c2lnbmVk+/=="},
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "toolu_01", "name": "weather", "input": {"city": "Paris"}},
    ]
    usage = {"input_tokens": 9, "output_tokens": 5}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "content": said}
    answer = ANTHROPIC.read_answer(message | {"stop_reason": "tool_use", "usage": usage}, "anthropic")
    if streamed:
        told = ANTHROPIC.event_writer(asked).write(events_of(answer))  # type: ignore[arg-type]
        found = RESPONSES.event_writer(asked).write(ANTHROPIC.event_reader("anthropic").feed(told))
        output = parsed(found)[-1]["response"]["output"]
    else:
        output = RESPONSES.write_answer(answer, asked)["output"]  # type: ignore[arg-type]
    bare = [{name: value for name, value in item.items() if name not in ("id", "status")} for item in output]
    body["input"] += [*bare, {"type": "function_call_output", "call_id": output[-1]["call_id"], "output": "sunny"}]
    again = ANTHROPIC.write_request(RESPONSES.read_request(body, Entrance("responses")), PLAIN)
    assert [message["role"] for message in again["messages"]] == ["user", "assistant", "user"]
    assert again["messages"][1]["content"] == said
    (result,) = again["messages"][2]["content"]
    assert (result["type"], result["tool_use_id"]) == ("tool_result", "toolu_01")


def test_a_thought_of_openai_that_a_client_of_its_own_brings_to_another_upstream_stays_openais() -> None:
    assert thought_of(THOUGHT).sealed_by == "responses"  # so Anthropic's writer keeps it out


def test_thoughts_of_another_upstream_stay_behind_when_a_session_moves_to_openai() -> None:
    own, foreign = dict(THOUGHT), THOUGHT | {"encrypted_content": sealed("anthropic", "c2ln", "thought")}
    body = {"model": "gpt-5.2", "input": [MESSAGE, own, foreign, CALL]}
    assert may_hold_sealed(json.dumps(body).encode())
    assert without_foreign_thoughts(body) == {"model": "gpt-5.2", "input": [MESSAGE, own, CALL]}
    assert without_foreign_thoughts({"input": "x"}) == {"input": "x"}


@pytest.mark.parametrize("name", sorted(DIALECTS.keys() - {"cohere"}))
def test_whatever_any_client_asks_and_is_answered_passes_through(name: str) -> None:
    """A smoke of the pair with each dialect: its writer takes this one's events, and this one's its."""
    client = DIALECTS[name]
    asked = Request(name, "gpt-5.2", (Message("user", (Text("x"),)),), model_named="mine")
    found = RESPONSES.event_reader("openai").feed(stream(events([THOUGHT, MESSAGE, CALL])))
    assert client.event_writer(asked).write(found)
    answer = RESPONSES.read_answer(response([THOUGHT, MESSAGE, CALL]), "openai")
    assert client.write_answer(answer, asked)  # type: ignore[arg-type]
    assert write_request(asked, PLAIN)["model"] == "gpt-5.2"


@settings(max_examples=80, deadline=None)
@given(requests("responses"))
def test_whatever_is_asked_is_valid_and_reads_the_same(asked: Request) -> None:
    body = write_request(asked, PLAIN)
    for item in body["input"]:
        ITEM.validate_python(item if item["type"] != "reasoning" else item | {"id": "rs"})
    for tool in body.get("tools", []):
        TOOL.validate_python({"strict": None} | tool)
    back = read_request(body, Entrance("responses"))
    assert [tool.name for tool in back.tools] == [tool.name for tool in asked.tools]
    assert _turns(back) == _turns(asked)
    again = replace(back, user=asked.user, stream=asked.stream)
    assert write_request(again, PLAIN)["input"] == body["input"]


def _turns(asked: Request) -> list[Any]:
    """Who says which words, with calls, results and thoughts, media by their bytes; marks of caches apart."""
    found: list[Any] = []
    for message in asked.messages:
        blocks = sorted(message.content, key=lambda block: not isinstance(block, ToolResult))
        last = max((at for at, block in enumerate(blocks) if not isinstance(block, Thinking)), default=-1)
        for block in blocks[: last + 1]:
            match block:
                case Text():
                    if found and found[-1][0] == (message.role, "text"):
                        found[-1] = (found[-1][0], found[-1][1] + block.text)
                    else:
                        found.append(((message.role, "text"), block.text))
                case ToolUse():
                    found.append((block.id, block.name, block.arguments or "{}"))
                case ToolResult():
                    words = "".join(part.text for part in block.content if isinstance(part, Text))
                    failed = block.failed and not words.startswith("Error")
                    found.append((block.tool_use_id, f"Error: {words}" if failed else words))
                case Thinking():
                    found.append((block.text, block.signature))
                case Media() if not block.text:
                    found.append((block.data, block.url))
                case Media():
                    asked_for = Request("responses", "gpt-5.2", (Message("user", (block,)),))
                    words = write_request(asked_for, PLAIN)["input"][0]["content"][0]["text"]
                    if found and found[-1][0] == (message.role, "text"):
                        found[-1] = (found[-1][0], found[-1][1] + words)
                    else:
                        found.append(((message.role, "text"), words))
    return found
