"""A client's Responses request as the form, and what of it cannot be asked of another provider."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw.errors import Refusal
from gw.translate.dialect import Entrance
from gw.translate.form import (
    Citation,
    Effort,
    Foreign,
    Format,
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
from gw.translate.responses_request import read_request
from tests.translate.responses_streams import CITED, SEARCH, THOUGHT
from tests.translate.strategies import PNG


def read(input: Any = "hi", **body: Any) -> Request:
    return read_request({"model": "gpt-5.2", "input": input} | body, Entrance("responses"))


def message(role: str, *content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(content)}


def words(text: str) -> dict[str, Any]:
    return {"type": "input_text", "text": text}


def test_a_text_alone_is_a_users_message() -> None:
    asked = read("hi", instructions="Be brief.", stream=True, max_output_tokens=99, temperature=0.5, top_p=1)
    assert asked.messages == (Message("user", (Text("hi"),)),)
    assert asked.system == (Text("Be brief."),)
    assert (asked.model, asked.stream, asked.max_tokens, asked.temperature, asked.top_p) == ("gpt-5.2", True, 99, 0.5, 1)
    assert asked.foreign == {} and asked.held == ""


def test_a_turn_of_codex() -> None:
    """Items without ids, instructions of the developer first, a thought sealed by OpenAI, a call and its output."""
    asked = read(
        [
            message("developer", words("sandbox")),
            message("user", words("<environment_context>"), words("fix it")),
            {name: value for name, value in THOUGHT.items() if name != "id"},
            message("assistant", {"type": "output_text", "text": "Looking."}) | {"phase": "commentary"},
            {"type": "function_call", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": "call_1"},
            {"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin", "call_id": "call_2"},
            {"type": "function_call_output", "call_id": "call_1", "output": "a.txt"},
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": [words("Done!")]},
            message("developer", words("hurry")),
            message("user", words("and?")),
        ],
        instructions="You are Codex.",
        store=False,
        include=["reasoning.encrypted_content"],
        prompt_cache_key="session",
        reasoning={"effort": "medium", "summary": "auto"},
        text={"verbosity": "low"},
    )
    assert asked.system == (Text("You are Codex."), Text("sandbox"))
    assert asked.messages == (
        Message("user", (Text("<environment_context>"), Text("fix it"))),
        Message(
            "assistant",
            (
                Thinking("**First**\n\nlook\n\n**Then** act", "gAAAAAB+/=", sealed_by="responses"),
                Text("Looking."),
                ToolUse("call_1", "shell", '{"command":["ls"]}'),
                ToolUse("call_2", "apply_patch", "*** Begin", custom=True),
            ),
        ),
        Message("user", (ToolResult("call_1", (Text("a.txt"),)), ToolResult("call_2", (Text("Done!"),)))),
        Message("system", (Text("hurry"),)),
        Message("user", (Text("and?"),)),
    )
    assert asked.effort == Effort("adaptive", "medium", shown=True)
    assert asked.foreign == {"prompt_cache_key": "session", "text": {"verbosity": "low"}}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
            Media("image", "image/png", PNG, detail="low"),
        ),
        ({"type": "input_image", "image_url": "https://example.com/a.png"}, Media("image", url="https://example.com/a.png")),
        ({"type": "input_image", "file_id": "file_1"}, Media("image", file_id="file_1")),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
            Media("document", "application/pdf", "JVBE", title="a.pdf"),
        ),
        ({"type": "input_file", "filename": "a.md", "file_data": "IyBh"}, Media("document", "text/plain", "IyBh", title="a.md")),
        ({"type": "input_file", "file_url": "https://example.com/a.pdf"}, Media("document", url="https://example.com/a.pdf")),
        ({"type": "input_file", "file_id": "file_1"}, Media("document", file_id="file_1")),
        ({"type": "input_audio", "input_audio": {"data": "UklG", "format": "mp3"}}, Media("audio", "audio/mp3", "UklG")),
        (words("a") | {"prompt_cache_breakpoint": {"mode": "explicit"}}, Text("a", cache="5m")),
        (words("a") | {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}, Text("a", cache="1h")),
        ({"type": "input_smell", "x": 1}, Foreign("responses", "input_smell", {"type": "input_smell", "x": 1})),
    ],
)
def test_parts(part: dict[str, Any], block: Any) -> None:
    assert read([message("user", part)]).messages == (Message("user", (block,)),)
    output = {"type": "function_call_output", "call_id": "c", "output": [part]}
    assert read([output]).messages == (Message("user", (ToolResult("c", (block,)),)),)


def test_what_the_model_has_said() -> None:
    text = {"type": "output_text", "text": "It is so", "annotations": [CITED, {"type": "file_path"}]}
    said = message("assistant", text, {"type": "refusal", "refusal": "No."})
    asked = read([message("user", words("x")), said, SEARCH, {"role": "assistant", "content": "plain"}])
    cited = Citation(title="A", url="https://example.com/a", text_start=4, text_end=9)
    blocks = (Text("It is so", (cited,)), Text("No."), Foreign("responses", "web_search_call", SEARCH), Text("plain"))
    assert asked.messages[1] == Message("assistant", blocks)


def test_tools() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string"}}}
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: X"}
    search = {"type": "web_search", "search_context_size": "low"}
    asked = read(
        tools=[
            {"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": True},
            {"type": "function", "name": "g", "parameters": None, "strict": None, "defer_loading": True},
            {"type": "custom", "name": "patch", "description": "Edits.", "format": grammar},
            {"type": "namespace", "name": "mail", "tools": [{"type": "function", "name": "send", "parameters": schema}]},
            search,
        ]
    )
    words_of_grammar = "Edits.\n\nThe text must follow this lark grammar:\nstart: X"
    assert asked.tools == (
        Tool("f", "d", schema, True),
        Tool("g", deferred=True),
        Tool("patch", words_of_grammar, custom=True, grammar={"syntax": "lark", "definition": "start: X"}),
        Tool("mail__send", "", schema, namespace="mail"),
        Tool("web_search", server=Foreign("responses", "web_search", search)),
    )


def test_a_call_of_a_tool_in_a_namespace_has_its_full_name() -> None:
    call = {"type": "function_call", "namespace": "mail", "name": "send", "arguments": "{}", "call_id": "c"}
    assert read([call]).messages[0].content == (ToolUse("c", "mail__send", "{}"),)


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        (None, False, ToolChoice("auto", parallel=False)),
        ("auto", True, ToolChoice()),
        ("none", None, ToolChoice("none")),
        ("required", False, ToolChoice("any", parallel=False)),
        ({"type": "function", "name": "f"}, None, ToolChoice("tool", "f")),
        ({"type": "custom", "name": "g"}, None, ToolChoice("tool", "g")),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]}, None, ToolChoice("any")),
    ],
)
def test_tool_choice(choice: Any, parallel: bool | None, expected: ToolChoice | None) -> None:
    tools = [{"type": "function", "name": name, "parameters": {}} for name in "fg"]
    asked = read(tools=tools, tool_choice=choice, parallel_tool_calls=parallel)
    assert asked.tool_choice == expected
    assert [tool.name for tool in asked.tools] == (["g"] if isinstance(choice, dict) and "mode" in choice else ["f", "g"])


@pytest.mark.parametrize(
    ("asked_for", "expected"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, Format("json")),
        (
            {"type": "json_schema", "name": "n", "schema": {"a": 1}, "strict": True},
            Format("schema", "n", schema={"a": 1}, strict=True),
        ),
    ],
)
def test_formats(asked_for: dict[str, Any], expected: Format | None) -> None:
    assert read(text={"format": asked_for}).format == expected


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        (None, Effort(shown=False)),
        ({"effort": "none"}, Effort("off", "none", shown=False)),
        ({"effort": "xhigh", "summary": "detailed"}, Effort("adaptive", "xhigh")),
        ({"summary": "auto"}, Effort()),
    ],
)
def test_effort(reasoning: Any, expected: Effort) -> None:
    assert read(reasoning=reasoning).effort == expected


@pytest.mark.parametrize(
    "body",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": {"id": "conv_1"}},
        {"prompt": {"id": "pmpt_1"}},
        {"background": True},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"input": [{"id": "msg_1"}]},
        {"input": [{"type": "additional_tools", "role": "developer", "tools": []}]},
    ],
)
def test_what_only_openai_holds_is_told_with_what_to_do(body: dict[str, Any]) -> None:
    asked = read(**({"input": "go on"} | body))
    assert "Send the whole input with each request, and store=false." in asked.held


def test_a_stored_prompt_needs_no_input() -> None:
    assert read_request({"model": "m", "prompt": {"id": "pmpt_1"}}, Entrance("responses")).messages == ()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"input": 5}, "input"),
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{"role": "wizard", "content": "x"}]}, "input[0].role"),
        ({"max_output_tokens": "many"}, "max_output_tokens"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "image_url"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "file_data"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png,abc"}]}]}, "base64"),
    ],
)
def test_what_means_nothing_is_refused_by_its_field(body: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(**({"input": "hi"} | body))
    assert refused.value.slug == "invalid_field" and words in refused.value.message


def test_unknown_fields_and_items_are_kept() -> None:
    item = {"type": "tomorrow_call", "x": 1}
    asked = read([message("user", words("a")), item], tomorrow=1, metadata={"a": "b"})
    assert asked.messages[1] == Message("assistant", (Foreign("responses", "tomorrow_call", item),))
    assert asked.foreign == {"tomorrow": 1, "metadata": {"a": "b"}}


FIELDS = st.sampled_from(["type", "role", "content", "text", "name", "call_id", "output", "arguments", "id", "summary", "tools"])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["message", "function"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=10,
)
TOP = ("input", "tools", "tool_choice", "text", "reasoning", "instructions", "include", "store")


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({}, optional={name: JSON for name in TOP}))
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    try:
        read_request(body, Entrance("responses"))
    except Refusal as refusal:
        assert refusal.slug == "invalid_field"
