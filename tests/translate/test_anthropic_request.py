"""Anthropic requests: what Claude Code sends is read without loss, and what is wrong is refused with its place."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw.domain.quirks import Quirks
from gw.errors import Refusal
from gw.translate.anthropic_answer import read_answer, write_answer
from gw.translate.anthropic_ask import write_request
from gw.translate.anthropic_request import read_request
from gw.translate.dialect import Entrance
from gw.translate.form import (
    Answer,
    Effort,
    Foreign,
    Format,
    Json,
    Loaded,
    Media,
    Message,
    Request,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from tests.translate.strategies import json_values, requests

CAPTURED: dict[str, Json] = json.loads((Path(__file__).parent / "captured.json").read_text())
HERE = Entrance("messages")


def read(**fields: Any) -> Request:
    body = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    return read_request(body | fields, HERE)


def content(*blocks: Json) -> tuple[object, ...]:
    return read(messages=[{"role": "user", "content": list(blocks)}]).messages[0].content


def spelt_out(body: Json) -> Json:
    """The same request in the longer of two spellings, where Anthropic has two."""
    body = deepcopy(body)
    body.setdefault("max_tokens", 32_000)  # count_tokens has none
    if not body.get("tools", True):
        del body["tools"]
    if not body.get("stream", True):
        del body["stream"]
    for message in body["messages"]:
        message["content"] = _blocks(message["content"])
        for block in message["content"]:
            if block["type"] == "tool_result":
                block["content"] = _blocks(block["content"])
                if not block.get("is_error"):
                    block.pop("is_error", None)
    if isinstance(body.get("system"), str):
        body["system"] = _blocks(body["system"])
    return body


def _blocks(value: Any) -> Any:
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


@pytest.mark.parametrize("name", CAPTURED)
def test_what_claude_code_sends_is_read_without_loss(name: str) -> None:
    asked = read_request(deepcopy(CAPTURED[name]), HERE)
    assert write_request(asked, Quirks()) == spelt_out(CAPTURED[name])
    assert asked.lost == []
    assert asked.model_named == CAPTURED[name]["model"]


def test_claude_codes_request_in_the_forms_words() -> None:
    asked = read_request(CAPTURED["hi_opus_5_5"], HERE)
    assert [message.role for message in asked.messages] == ["user", "system"]
    assert asked.messages[1].foreign == {"output_config": {"effort": "medium"}}
    assert asked.effort == Effort("adaptive", "medium", shown=False)
    assert isinstance(asked.system[0], Text) and asked.system[0].text.startswith("x-anthropic-billing-header:")
    assert [block.cache for block in asked.system if isinstance(block, Text)] == ["", "5m", "5m"]
    assert [tool.name for tool in asked.tools if tool.deferred] == ["DeferredToolPlaceholder"]
    assert json.loads(asked.user)["session_id"]
    assert set(asked.foreign) == {"context_management"}
    assert asked.stream and asked.max_tokens == 128_000


def test_a_loaded_tool_and_an_hour_of_cache() -> None:
    asked = read_request(CAPTURED["toolsearch_tool_reference"], HERE)
    results = [block for message in asked.messages for block in message.content if isinstance(block, ToolResult)]
    assert results[0].content == (Loaded("WebSearch"),)
    hour = read_request(CAPTURED["hi_1h_cache"], HERE)
    assert [block.cache for block in hour.system if isinstance(block, Text)] == ["", "1h", "1h"]


def test_the_last_effort_that_a_message_sets_counts() -> None:
    messages = [
        {"role": "user", "content": "a", "output_config": {"effort": "low"}},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c", "output_config": {"effort": "max"}},
    ]
    assert read(messages=messages, output_config={"effort": "medium"}).effort.level == "max"


def test_tool_choices_and_server_tools() -> None:
    tools = [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
        {"type": "custom", "name": "a", "input_schema": {"type": "object"}, "strict": True, "input_examples": [{}]},
    ]
    asked = read(tools=tools, tool_choice={"type": "tool", "name": "a", "disable_parallel_tool_use": True})
    assert asked.tools[0].server == Foreign("anthropic", "web_search_20250305", tools[0])
    assert asked.tools[1] == Tool("a", schema={"type": "object"}, strict=True, foreign={"input_examples": [{}]})
    assert asked.tool_choice == ToolChoice("tool", "a", parallel=False)


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 9, "display": "omitted"}}, Effort("on", budget=9, shown=False)),
        ({"thinking": {"type": "adaptive", "display": "updates"}}, Effort("adaptive")),
        ({"thinking": {"type": "disabled"}}, Effort("off")),
        ({"output_config": {"effort": "xhigh"}}, Effort(level="xhigh")),
        ({}, Effort()),
        ({"thinking": {"type": "tomorrow"}, "output_config": None}, Effort()),
    ],
)
def test_thinking_in_all_its_ways(fields: Json, effort: Effort) -> None:
    assert read(**fields).effort == effort


def test_formats_are_read_under_both_names() -> None:
    wanted = {"type": "json_schema", "schema": {"type": "object"}}
    found = Format("schema", schema={"type": "object"})
    assert read(output_format=wanted).format == found
    asked = read(output_config={"format": wanted, "task_budget": {"total": 9}})
    assert asked.format == found
    assert asked.foreign == {"output_config": {"task_budget": {"total": 9}}}


def test_fields_yet_unknown_are_kept() -> None:
    own = {"speed": "fast", "safeguards": [{"type": "x"}], "mcp_servers": [{}], "inference_geo": "us", "new": {"a": 1}}
    asked = read(**own, service_tier="auto", stop_sequences=["a"], top_k=3, top_p=0.5, temperature=1)
    assert asked.foreign == own
    assert (asked.service_tier, asked.stop, asked.top_k, asked.top_p, asked.temperature) == ("auto", ("a",), 3, 0.5, 1.0)


PARTS = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
DOCUMENTS: list[tuple[Json, Media]] = [
    ({"type": "base64", "media_type": "application/pdf", "data": "JVBE"}, Media("document", "application/pdf", data="JVBE")),
    ({"type": "text", "media_type": "text/plain", "data": "words"}, Media("document", "text/plain", text="words")),
    ({"type": "url", "url": "https://e.com/a.pdf"}, Media("document", url="https://e.com/a.pdf")),
    ({"type": "file", "file_id": "file_1"}, Media("document", file_id="file_1")),
    ({"type": "content", "content": "words"}, Media("document", text="words")),
    ({"type": "content", "content": PARTS}, Media("document", text="a\n\nb")),
]


@pytest.mark.parametrize(("source", "wanted"), DOCUMENTS)
def test_documents_of_every_source(source: Json, wanted: Media) -> None:
    assert content({"type": "document", "source": source}) == (wanted,)
    whole = {"type": "document", "source": source, "title": "T", "context": "C", "citations": {"enabled": True}}
    found = content(whole | {"cache_control": {"type": "ephemeral", "ttl": "1h"}})[0]
    assert isinstance(found, Media)
    assert (found.title, found.context, found.cited, found.cache) == ("T", "C", True, "1h")


def test_a_document_with_pictures_inside_is_its_parts() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://e.com/a.png"}}
    source = {"type": "content", "content": [{"type": "text", "text": "a"}, image]}
    assert content({"type": "document", "source": source, "title": "T"}) == (
        Text("T"),
        Text("a"),
        Media("image", url="https://e.com/a.png"),
    )


def test_blocks_of_every_kind() -> None:
    result = {"type": "search_result", "source": "https://e.com", "title": "T", "content": [{"type": "text", "text": "w"}]}
    assert content(result) == (Media("document", "text/plain", text="w", title="T", context="https://e.com"),)
    assert content({"type": "redacted_thinking", "data": "abc="}) == (Thinking(redacted="abc=", sealed_by="anthropic"),)
    assert content({"type": "thinking", "thinking": "t", "signature": "gw1.chat.abc.id1"}) == (
        Thinking("t", "abc", sealed_by="chat", id="id1"),
    )
    assert content({"type": "tool_use", "id": "call_1", "name": "n", "input": {"é": [1, None]}}) == (
        ToolUse("call_1", "n", '{"é":[1,null]}'),
    )
    assert content({"type": "tool_result", "tool_use_id": "call_1"}) == (ToolResult("call_1"),)
    later = {"type": "container_upload", "file_id": "f"}
    assert content(later) == (Foreign("anthropic", "container_upload", later),)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"messages": None}, "messages: Field required"),
        ({"messages": "hi"}, "messages: Input should be a list"),
        ({"messages": ["hi"]}, "messages.0: Input should be an object"),
        ({"messages": [{"role": "tool", "content": ""}]}, "messages.0.role: Input should be 'user', 'assistant' or 'system'"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"system": [{"type": "text"}]}, "system.0.text: Input should be a valid string"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages.0.content.0.source: Field required"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0.type: Field required"),
        ({"system": 3}, "system: Input should be a text or a list of blocks"),
        ({"tools": [{"name": "a"}]}, "tools.0.input_schema: Input should be an object"),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name: Input should be a valid string"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type: Input should be 'auto', 'any', 'none' or 'tool'"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name: Field required"),
        ({"max_tokens": "many"}, "max_tokens: Input should be a whole number of at least 0"),
        ({"temperature": "hot"}, "temperature: Input should be a number"),
        ({"stop_sequences": [1]}, "stop_sequences: Input should be a list of texts"),
        ({"model": 5}, "model: Input should be a valid string"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(fields: Json, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(**fields)
    assert (refused.value.slug, refused.value.message) == ("invalid_field", words)


FIELDS = ("messages", "system", "tools", "tool_choice", "thinking", "output_config", "metadata", "max_tokens", "stop_sequences")
VALUES = json_values | st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": json_values}))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5))
def test_any_json_is_read_or_refused(fields: Json) -> None:
    try:
        asked = read(**fields)
        write_request(asked, Quirks())
    except Refusal as refusal:
        assert refusal.slug in ("invalid_field", "cannot_carry")


@settings(deadline=None)
@given(requests())
def test_a_request_comes_back_from_its_body(asked: Request) -> None:
    asked.model_named = asked.model
    body = json.loads(json.dumps(write_request(asked, Quirks())))
    again = read_request(body, HERE)
    assert again == asked


def nested(depth: int, inner: Any) -> Any:
    for _ in range(depth):
        inner = {"type": "tool_result", "tool_use_id": "t", "content": [inner]}
    return inner


def test_nothing_is_too_deep_to_be_read() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    use = content({"type": "tool_use", "id": "t", "name": "a", "input": {"x": deep}})[0]
    assert isinstance(use, ToolUse) and "nested too deeply" in use.arguments
    assert content({"type": "tomorrow", "x": deep}) == (Foreign("anthropic", "tomorrow", {"type": "tomorrow"}),)
    with pytest.raises(Refusal, match="cannot stand within another"):
        content(nested(400, {"type": "text", "text": "a"}))
    answer = read_answer({"content": [nested(400, {"type": "text", "text": "a"})]})
    assert isinstance(answer, Answer)
    write_answer(answer)


def test_an_address_that_names_the_model_counts() -> None:
    asked = read_request({"messages": []}, Entrance("messages", "claude-x", stream=True))
    assert (asked.model, asked.stream, asked.messages) == ("claude-x", True, ())
    assert Message("user", ()) not in asked.messages
