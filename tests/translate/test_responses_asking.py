"""The form as a request to the Responses API: what OpenAI's types say of it, and what is refused or left out."""

from typing import Any

import pytest
from openai.types.responses import ResponseFormatTextConfigParam, ResponseInputItemParam
from openai.types.responses.response_create_params import ToolChoice as ToolChoiceParam
from pydantic import TypeAdapter

from gw.domain.quirks import Quirks
from gw.errors import Refusal
from gw.translate.dialect import Entrance
from gw.translate.form import (
    Block,
    Effort,
    Foreign,
    Format,
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
from gw.translate.names import original
from gw.translate.responses_asking import write_request
from gw.translate.responses_input import digest
from gw.translate.responses_request import read_request
from tests.translate.strategies import PNG

ITEM: TypeAdapter[Any] = TypeAdapter(ResponseInputItemParam)
CHOICE: TypeAdapter[Any] = TypeAdapter(ToolChoiceParam)
FORMAT: TypeAdapter[Any] = TypeAdapter(ResponseFormatTextConfigParam)
MODEL = "gpt-5.2"
SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}}}
PDF = "data:application/pdf;base64,JVBE"
PLAIN = Quirks()


def asking(*blocks: Block, role: Any = "user", **more: Any) -> Request:
    return Request(**({"dialect": "anthropic", "model": MODEL, "messages": (Message(role, blocks),)} | more))


def items(*messages: Message, quirks: Quirks = PLAIN, **more: Any) -> list[dict[str, Any]]:
    body = write_request(asking(**({"messages": messages} | more)), quirks)
    found: list[dict[str, Any]] = body["input"]
    for item in found:
        ITEM.validate_python(item)
    return found


def user(*blocks: Block) -> Message:
    return Message("user", blocks)


def test_the_whole_of_a_request() -> None:
    asked = asking(
        Text("hi"),
        system=(Text("x-anthropic-billing-header: cc_version=2;"), Text("Be brief."), Text("Be kind.", cache="5m")),
        tools=(Tool("f", "d", SCHEMA), Tool("g", strict=True)),
        tool_choice=ToolChoice("any", parallel=False),
        max_tokens=128_000,
        stream=True,
        effort=Effort("on", budget=31_999, shown=False),
        user='{"device_id":"abc","account_uuid":"","session_id":"0a-1b"}',
        foreign={"context_management": {}},
    )
    assert write_request(asked, Quirks(max_tokens_most=64_000)) == {
        "model": MODEL,
        "instructions": "Be brief.\n\nBe kind.",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False},
            {"type": "function", "name": "g", "parameters": {"type": "object", "properties": {}}, "strict": True},
        ],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "max_output_tokens": 64_000,
        "stream": True,
        "reasoning": {"effort": "high"},
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0a-1b",
        "safety_identifier": digest("abc"),
        "store": False,
    }
    assert asked.lost == ["context_management"]


def test_who_asks_is_a_digest_unless_the_client_speaks_to_openai_anyway() -> None:
    named = write_request(asking(Text("x"), user="jo@example.com"), PLAIN)["safety_identifier"]
    assert len(named) == 32 and "jo" not in named
    assert named == write_request(asking(Text("y"), user="jo@example.com"), PLAIN)["safety_identifier"]
    assert write_request(asking(Text("x"), user="jo", dialect="chat"), PLAIN)["safety_identifier"] == "jo"
    assert len(write_request(asking(Text("x"), user="j" * 65, dialect="chat"), PLAIN)["safety_identifier"]) <= 64


# --- input ------------------------------------------------------------------------------------------------------------


def test_a_turn_with_thoughts_and_tools() -> None:
    found = items(
        user(Text("look")),
        Message(
            "assistant",
            (
                Thinking("why", "gAAA", sealed_by="responses", id="rs_1"),
                Thinking("another's", "c2ln", sealed_by="anthropic"),
                Text("Let me "),
                Text("see."),
                ToolUse("call_1", "f", '{"x": "y"}'),
                ToolUse("call_2", "g"),
                ToolUse("call_3", "patch", "free", custom=True),
            ),
        ),
        user(
            Text("also"),
            ToolResult("call_1", (Text("a"), Text("b"))),
            ToolResult("call_2", (Text("see"), Media("image", "image/png", PNG)), failed=True),
            ToolResult("call_3", (), failed=True),
        ),
        Message("system", (Text("hurry"),)),
    )
    assert found[1:] == [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "why"}], "encrypted_content": "gAAA"},
        {"type": "message", "role": "assistant", "content": "Let me see."},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"x": "y"}'},
        {"type": "function_call", "call_id": "call_2", "name": "g", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "call_3", "name": "patch", "input": "free"},
        {"type": "function_call_output", "call_id": "call_1", "output": "a\n\nb"},
        {
            "type": "function_call_output",
            "call_id": "call_2",
            "output": [
                {"type": "input_text", "text": "Error:"},
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PNG}"},
            ],
        },
        {"type": "custom_tool_call_output", "call_id": "call_3", "output": "Error"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "also"}]},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "hurry"}]},
    ]


def test_a_thought_that_nothing_came_of_stays_out() -> None:
    thought = Thinking("why", "gAAA", sealed_by="responses", id="rs_1")
    assert [item["type"] for item in items(user(Text("a")), Message("assistant", (thought,)), user(Text("b")))] == ["message"] * 2
    unsealed = Thinking("why", sealed_by="responses", id="rs_1")
    assert len(items(user(Text("a")), Message("assistant", (unsealed, Text("b"))))) == 2


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (Media("image", url="https://example.com/a", detail="low"), {"image_url": "https://example.com/a", "detail": "low"}),
        (Media("image", "image/webp", "UklG"), {"image_url": "data:image/webp;base64,UklG", "detail": "auto"}),
        (Media("document", "application/pdf", "JVBE"), {"filename": "document.pdf", "file_data": PDF}),
        (Media("document", url="https://example.com/a.pdf"), {"file_url": "https://example.com/a.pdf"}),
        (Media("document", text="words", title="t"), {"text": '<document title="t">\nwords\n</document>'}),
        (Loaded("f"), {"text": "Tool f is loaded."}),
    ],
)
def test_parts(block: Block, part: dict[str, Any]) -> None:
    (message,) = items(user(block))
    (found,) = message["content"]
    assert found.items() >= part.items()


def test_ids_and_names_that_are_too_long_stay_together_and_come_back() -> None:
    long = "mcp__" + "server_" * 10 + "tool"
    called = Message("assistant", (ToolUse("i" * 90, long, "{}"),))
    body = write_request(asking(messages=(called, user(ToolResult("i" * 90)))), PLAIN)
    call, output = body["input"]
    assert call["call_id"] == output["call_id"] and len(call["call_id"]) <= 64
    assert len(call["name"]) <= 64 and original(call["name"]) == long


def test_cache_marks_go_only_to_upstreams_that_know_them() -> None:
    asked = asking(Text("a", cache="1h"), system=(Text("s", cache="5m"),))
    assert "prompt_cache_breakpoint" not in str(write_request(asked, PLAIN))
    system, message = write_request(asked, Quirks(cache_marks=True))["input"]
    assert system["role"] == "developer"
    assert system["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit", "ttl": "30m"}
    assert message["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit", "ttl": "12h"}


@pytest.mark.parametrize(
    ("block", "quirks", "capability"),
    [
        (Media("image", "image/png", PNG), Quirks(images=False), "image_block"),
        (Media("document", "application/pdf", "JVBE"), Quirks(documents=False), "document_block"),
    ],
)
def test_claude_code_is_refused_in_the_words_that_make_it_heal(block: Block, quirks: Quirks, capability: str) -> None:
    with pytest.raises(Refusal) as refused:
        write_request(asking(block), quirks)
    assert (refused.value.slug, refused.value.message) == ("capability_rejected", f"capability_rejected: {capability}")
    with pytest.raises(Refusal) as refused:
        write_request(asking(block, dialect="gemini"), quirks)
    assert refused.value.slug == "cannot_carry" and MODEL in refused.value.message


@pytest.mark.parametrize(
    "asked",
    [
        asking(Media("audio", "audio/wav", "UklG")),
        asking(Media("video", url="https://example.com/a.mp4")),
        asking(Media("image", file_id="file_of_anthropic")),
        asking(Foreign("anthropic", "container_upload", {})),
        asking(Text("x"), choices=2),
        asking(Text("x"), tools=(Tool("web_search", server=Foreign("anthropic", "web_search_20250305", {})),)),
        asking(Text("x"), dialect="chat", tools=(Tool("x", server=Foreign("chat", "x", {})),)),
    ],
)
def test_what_cannot_be_carried_is_refused_in_one_line(asked: Request) -> None:
    with pytest.raises(Refusal) as refused:
        write_request(asked, PLAIN)
    assert refused.value.slug == "cannot_carry" and "\n" not in refused.value.message


def test_what_is_left_out_is_named_once() -> None:
    said = (Foreign("anthropic", "server_tool_use", {}), Foreign("anthropic", "server_tool_use", {}), Text("x"))
    asked = asking(messages=(Message("assistant", said),), top_k=4, stop=("a",), seed=1, temperature=0.2, frequency_penalty=1.0)
    body = write_request(asked, PLAIN)
    assert asked.lost == ["server_tool_use of earlier turns", "temperature", "top_k", "stop", "seed", "frequency_penalty"]
    assert body.keys() == {"model", "input", "include", "store"}


# --- tools, thinking, format ------------------------------------------------------------------------------------------


def test_deferred_tools_come_when_they_are_loaded() -> None:
    tools = (Tool("a", deferred=True), Tool("b", deferred=True), Tool("c"))
    asked = asking(ToolResult("t", (Loaded("b"),)), tools=tools)
    assert [tool["name"] for tool in write_request(asked, PLAIN)["tools"]] == ["b", "c"]


def test_custom_tools_keep_their_grammar() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: X"}
    tool = {"type": "custom", "name": "patch", "description": "Edits.", "format": grammar}
    asked = read_request({"model": MODEL, "input": "x", "tools": [tool]}, Entrance("responses"))
    assert write_request(asked, PLAIN)["tools"] == [tool]
    inner = {"name": "patch", "description": "Edits.", "format": {"type": "grammar", "grammar": grammar}}
    chat = Foreign("chat", "custom", {"type": "custom", "custom": inner})
    asked = asking(Text("x"), dialect="chat", tools=(Tool("patch", "Edits. lark", custom=True, server=chat),))
    assert write_request(asked, PLAIN)["tools"] == [tool]


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("any"), "required"),
        (ToolChoice("none"), "none"),
        (ToolChoice("tool", "f"), {"type": "function", "name": "f"}),
        (ToolChoice("tool", "p"), {"type": "custom", "name": "p"}),
    ],
)
def test_tool_choice(choice: ToolChoice, written: Any) -> None:
    body = write_request(asking(Text("x"), tools=(Tool("f"), Tool("p", custom=True)), tool_choice=choice), PLAIN)
    assert body["tool_choice"] == written
    CHOICE.validate_python(body["tool_choice"])
    assert "tool_choice" not in write_request(asking(Text("x"), tool_choice=choice), PLAIN)


@pytest.mark.parametrize(
    ("model", "effort", "level"),
    [
        ("gpt-5.2", Effort("off"), "none"),
        ("gpt-5.2", Effort("adaptive", "max"), "xhigh"),
        ("gpt-5", Effort("off"), "minimal"),
        ("gpt-5-mini-2025-08-07", Effort("adaptive", "xhigh"), "high"),
        ("gpt-5-pro", Effort("adaptive", "low"), "high"),
        ("gpt-5.1-codex-max", Effort("adaptive", "xhigh"), "xhigh"),
        ("o3", Effort("off"), "low"),
        ("openai/o4-mini", Effort("on", budget=1024), "low"),
        ("gpt-6-astra", Effort("on", budget=10_000), "medium"),
        ("gpt-5.2", Effort(), None),
        ("gpt-5.2", Effort("adaptive"), None),
    ],
)
def test_effort_is_the_models_nearest(model: str, effort: Effort, level: str | None) -> None:
    body = write_request(asking(Text("x"), model=model, effort=effort), PLAIN)
    assert body.get("reasoning", {}).get("effort") == level
    assert body["include"] == ["reasoning.encrypted_content"]


@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-4o", "gpt-5.2-chat-latest", "my-deployment", "grok-4"])
def test_models_that_do_not_think_are_not_asked_to(model: str) -> None:
    asked = asking(Text("x"), model=model, effort=Effort("adaptive", "high"), temperature=0.2, top_p=0.9)
    body = write_request(asked, PLAIN)
    assert (body["temperature"], body["top_p"]) == (0.2, 0.9)
    assert not {"reasoning", "include"} & body.keys()
    assert asked.lost == ["reasoning"]
    assert write_request(asked, Quirks(thinking="reasoning"))["reasoning"]["effort"] == "high"
    assert "reasoning" not in write_request(asking(Text("x"), effort=Effort("adaptive", "high")), Quirks(thinking="no"))


def test_thoughts_are_asked_for_only_if_the_client_shows_them() -> None:
    shown = write_request(asking(Text("x"), effort=Effort("adaptive", "high")), PLAIN)["reasoning"]
    hidden = write_request(asking(Text("x"), effort=Effort("adaptive", "high", shown=False)), PLAIN)["reasoning"]
    assert (shown.get("summary"), hidden.get("summary")) == ("auto", None)


def test_formats() -> None:
    wanted = Format("schema", schema=SCHEMA, strict=True)
    body = write_request(asking(Text("x"), format=wanted), PLAIN)
    assert body["text"] == {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}}
    FORMAT.validate_python(body["text"]["format"])
    body = write_request(asking(Text("x"), format=wanted), Quirks(json_schema=False))
    assert "text" not in body and '"type":"string"' in body["instructions"]
    assert write_request(asking(Text("x"), format=Format("json")), PLAIN)["text"] == {"format": {"type": "json_object"}}


def test_fields_that_an_upstream_has_otherwise() -> None:
    extra = {"a": 1, "model": "other"}
    quirks = Quirks(max_tokens_field="max_tokens", fields_dropped=("store",), extra=extra, parallel_tools=False)
    asked = asking(Text("x"), max_tokens=1, tools=(Tool("f"),), tool_choice=ToolChoice(parallel=False))
    body = write_request(asked, quirks)
    assert (body["max_tokens"], body["a"], body["model"]) == (16, 1, MODEL)
    assert "store" not in body and "parallel_tool_calls" not in body and asked.lost == ["parallel_tool_calls"]


# --- there and back ---------------------------------------------------------------------------------------------------


def test_a_request_of_the_dialect_itself_keeps_what_is_openais() -> None:
    inner = {"type": "function", "name": "g", "parameters": SCHEMA}
    body = {
        "model": MODEL,
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}],
        "instructions": "s",
        "tools": [
            {"type": "web_search"},
            {"type": "function", "name": "f", "parameters": SCHEMA},
            {"type": "namespace", "name": "n", "description": "n", "tools": [inner]},
        ],
        "tool_choice": {"type": "web_search"},
        "include": ["web_search_call.action.sources", "reasoning.encrypted_content"],
        "store": True,
        "truncation": "auto",
        "metadata": {"a": "b"},
        "text": {"verbosity": "low"},
    }
    assert write_request(read_request(body, Entrance("responses")), PLAIN) == body


def test_a_chat_clients_own_fields_go_where_they_mean_the_same() -> None:
    foreign = {"prompt_cache_key": "k", "verbosity": "high", "logit_bias": {}}
    asked = asking(Text("x"), dialect="chat", foreign=foreign)
    body = write_request(asked, PLAIN)
    assert (body["prompt_cache_key"], body["text"]) == ("k", {"verbosity": "high"})
    assert asked.lost == ["logit_bias"]
