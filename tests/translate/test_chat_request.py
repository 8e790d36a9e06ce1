"""Requests of Chat Completions: a client's -> the form, the form -> an upstream's with its quirks."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from gw.domain.quirks import Quirks
from gw.errors import Refusal
from gw.providers.compatible import COMPATIBLE
from gw.translate.chat import CHAT
from gw.translate.chat_ask import level_of
from gw.translate.dialect import Entrance
from gw.translate.form import (
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
from tests.translate.strategies import requests

HERE = Entrance("messages")
OPUS = "The upstream that serves opus"
ON = {"type": "enabled"}
ASK = Message("user", (Text("x"),))
HI = {"role": "user", "content": "hi"}


def read(**fields: Any) -> Request:
    return CHAT.read_request({"model": "m", "messages": [HI]} | fields, HERE)


def write(asked: Request | None = None, quirks: Quirks | None = None, **fields: Any) -> Json:
    asked = asked or Request("anthropic", "m", messages=(Message("user", (Text("hi"),)),), **fields)
    body = CHAT.write_request(asked, quirks or Quirks())
    return orjson.loads(orjson.dumps(body))  # type: ignore[no-any-return]


# --- a client's request -----------------------------------------------------------------------------------------------


def test_every_kind_of_message() -> None:
    asked = read(messages=[
        {"role": "system", "content": "one"}, {"role": "developer", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": [
            {"type": "text", "text": "see"},
            {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AA==", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://x/a.png"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BB=="}},
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "input_audio", "input_audio": {"data": "CC==", "format": "mp3"}},
            {"type": "tomorrow", "x": 1}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "call_2", "type": "custom", "custom": {"name": "sh", "input": "ls"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "r1"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "r2"}]},
        {"role": "system", "content": "mind"},
        {"role": "assistant", "content": "ok", "refusal": "no", "reasoning_content": "hm"},
    ])  # fmt: skip
    assert asked.system == (Text("one"), Text("two"))
    assert asked.messages == (
        Message("user", (
            Text("see"), Media("image", "image/jpeg", data="AA==", detail="low"), Media("image", url="https://x/a.png"),
            Media("document", "application/pdf", data="BB==", title="a.pdf"), Media("document", file_id="file-1"),
            Media("audio", "audio/mpeg", data="CC=="), Foreign("chat", "tomorrow", {"type": "tomorrow", "x": 1}))),
        Message("assistant", (ToolUse("call_1", "f", "{}"), ToolUse("call_2", "sh", "ls", custom=True))),
        Message("user", (ToolResult("call_1", (Text("r1"),)), ToolResult("call_2", (Text("r2"),)))),
        Message("system", (Text("mind"),)),
        Message("assistant", (Thinking("hm"), Text("ok"), Text("no"))),
    )  # fmt: skip


def test_options() -> None:
    asked = read(max_tokens=5, max_completion_tokens=7, stop="x", temperature=0, top_p=0.5, seed=3, n=2, frequency_penalty=1,
                 presence_penalty=-1, safety_identifier="s", user="u", service_tier="flex", logprobs=True, verbosity="low",
                 metadata={"a": "b"}, prediction=None, stream=True)  # fmt: skip
    assert (asked.max_tokens, asked.stop, asked.temperature, asked.seed, asked.choices, asked.user) == (7, ("x",), 0, 3, 2, "s")
    assert asked.foreign == {"logprobs": True, "verbosity": "low", "metadata": {"a": "b"}}
    assert (asked.model_named, asked.service_tier, asked.usage_wanted) == ("m", "flex", False)
    assert read(stream=True, stream_options={"include_usage": True}).usage_wanted and read().usage_wanted


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({}, Effort()),
        ({"reasoning_effort": "high"}, Effort("adaptive", "high")),
        ({"reasoning_effort": "none"}, Effort("off", "none")),
        ({"reasoning": {"max_tokens": 2000, "exclude": True}}, Effort("on", budget=2000, shown=False)),
        ({"reasoning": {"enabled": False}}, Effort("off")),
        ({"thinking": {"type": "enabled"}}, Effort("adaptive")),
        ({"thinking": {"type": "disabled"}}, Effort("off")),
        ({"enable_thinking": False}, Effort("off")),
    ],
)
def test_effort_in_everybodys_words(fields: Json, effort: Effort) -> None:
    assert read(**fields).effort == effort


def test_tools_and_their_choice() -> None:
    f = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}}
    grammar = {"syntax": "lark", "definition": "x"}
    g = {"type": "custom", "custom": {"name": "g", "format": {"type": "grammar", "grammar": grammar}}}
    asked = read(tools=[f, g], tool_choice="required", parallel_tool_calls=False)
    assert asked.tools == (Tool("f", "d", {"type": "object"}, True), Tool("g", custom=True, grammar=grammar))
    assert asked.tool_choice == ToolChoice("any", parallel=False)
    assert read(tools=[f], tool_choice={"type": "function", "function": {"name": "f"}}).tool_choice == ToolChoice("tool", "f")
    only = {"mode": "required", "tools": [{"type": "custom", "custom": {"name": "g"}}]}
    allowed = {"type": "allowed_tools", "allowed_tools": only}
    asked = read(tools=[f, g], tool_choice=allowed)
    assert [tool.name for tool in asked.tools] == ["g"] and asked.tool_choice == ToolChoice("any")


def test_functions_of_old() -> None:
    asked = read(functions=[{"name": "f", "parameters": {}}], function_call={"name": "f"}, messages=[
        HI, {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"}])  # fmt: skip
    use, result = asked.messages[1].content[0], asked.messages[2].content[0]
    assert isinstance(use, ToolUse) and isinstance(result, ToolResult) and use.id == result.tool_use_id and result.name == "f"
    assert asked.tools == (Tool("f"),) and asked.tool_choice == ToolChoice("tool", "f")
    assert "functions" not in write(asked)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "messages[0].role"),
        ({"messages": [HI, {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url.url"),
        ({"messages": [HI], "max_tokens": 0}, "max_tokens"),
        ({"messages": [HI], "temperature": "hot"}, "temperature"),
        ({"messages": [HI], "tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ],
)
def test_what_means_nothing_is_refused_by_name(body: Json, says: str) -> None:
    with pytest.raises(Refusal) as refused:
        CHAT.read_request(body, HERE)
    assert refused.value.slug == "invalid_field" and refused.value.message.startswith(says + ":")


# --- an upstream's request --------------------------------------------------------------------------------------------


def test_results_stand_behind_their_calls_and_images_in_the_next_message() -> None:
    failed = ToolResult("call_1", (Text("got"), Media("image", "image/png", data="AA==")), failed=True)
    body = write(Request("anthropic", "m", messages=(
        Message("user", (Text("a"), Text("b"))),
        Message("assistant", (Thinking("hm", "sig", sealed_by="anthropic"), Text("see"), ToolUse("call_1", "f", '{"x":1}'))),
        Message("user", (Text("then"), failed)),
    )))  # fmt: skip
    user, said, result, rest = body["messages"]
    assert user == {"role": "user", "content": "a\n\nb"}
    assert said["content"] == "see" and said["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"x":1}'}
    assert result["role"] == "tool" and result["tool_call_id"] == "call_1" and result["content"].startswith("Error: got")
    assert [part["type"] for part in rest["content"]] == ["text", "image_url", "text"] and rest["content"][2]["text"] == "then"


def test_the_attribution_of_claude_code_goes_to_no_other_provider() -> None:
    body = write(system=(Text("x-anthropic-billing-header: cc_version=1;"), Text("You are"), Text("helpful")))
    assert body["messages"][0] == {"role": "system", "content": "You are\n\nhelpful"}


def test_system_in_the_middle() -> None:
    asked = Request("anthropic", "m", messages=(Message("user", (Text("a"),)), Message("system", (Text("mind"),))))
    assert [one["role"] for one in write(asked)["messages"]] == ["user", "system"]
    folded = write(asked, Quirks(system_in_middle=False))["messages"]
    assert [one["role"] for one in folded] == ["user"] and "mind" in folded[0]["content"]
    assert [one["role"] for one in write(asked, Quirks(developer_role=True))["messages"]] == ["user", "developer"]


def test_deferred_tools_are_sent_from_when_they_are_loaded() -> None:
    tools = (Tool("a"), Tool("b", deferred=True), Tool("c", deferred=True))
    loaded = Message("user", (ToolResult("call_1", (Loaded("c"),)),))
    body = write(Request("anthropic", "m", messages=(ASK, loaded), tools=tools))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["a", "c"]
    assert "c" in body["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("block", "quirks", "slug", "says"),
    [
        (Media("image", data="AA=="), Quirks(images=False), "capability_rejected", "capability_rejected: image_block"),
        (Media("document", "application/pdf", data="AA=="), Quirks(documents=False), "capability_rejected",
         "capability_rejected: document_block"),
        (Media("document", url="https://x/a.pdf"), Quirks(), "capability_rejected", "capability_rejected: document_block"),
        (Media("image", file_id="f"), Quirks(), "cannot_carry", f"{OPUS} cannot take image content by its file id"),
        (Foreign("anthropic", "container_upload", {}), Quirks(), "cannot_carry", f"{OPUS} cannot take content of type"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_refused(block: Any, quirks: Quirks, slug: str, says: str) -> None:
    asked = Request("anthropic", "m", model_named="opus", messages=(Message("user", (block,)),))
    with pytest.raises(Refusal) as refused:
        CHAT.write_request(asked, quirks)
    assert refused.value.slug == slug and refused.value.message.startswith(says)


def test_server_tools_of_others_are_refused_and_own_ones_pass() -> None:
    own = {"type": "tomorrow", "x": 1}
    assert write(read(tools=[own]))["tools"] == [own]
    server = Tool("web_search", server=Foreign("anthropic", "web_search_20250305", {}))
    with pytest.raises(Refusal, match="web_search"):
        write(tools=(server,))


def test_what_is_left_out_is_named() -> None:
    asked = Request("anthropic", "m", messages=(ASK,), top_k=3, stop=tuple("abcdef"), seed=1,
                    foreign={"context_management": {}}, tool_choice=ToolChoice(parallel=False), tools=(Tool("f"),))  # fmt: skip
    body = write(asked, Quirks(parallel_tools=False, fields_dropped=("seed",)))
    assert body["stop"] == list("abcd") and "seed" not in body
    assert asked.lost == ["top_k", "stop sequences beyond 4", "parallel_tool_calls", "context_management", "seed"]


def test_caps() -> None:
    asked = {"messages": (ASK,), "max_tokens": 128_000}
    assert write(Request("anthropic", "m", **asked))["max_tokens"] == 128_000
    body = write(Request("anthropic", "m", **asked), Quirks(max_tokens_field="max_completion_tokens", max_tokens_most=16_384))
    assert body["max_completion_tokens"] == 16_384 and "max_tokens" not in body


def test_a_schema_goes_into_words_where_it_is_not_known() -> None:
    wanted = Format("schema", "n", schema={"type": "object", "title": "T"}, strict=True)
    body = write(format=wanted)
    assert body["response_format"]["json_schema"] == {"name": "n", "schema": {"type": "object", "title": "T"}, "strict": True}
    body = write(format=wanted, quirks=Quirks(json_schema=False))
    assert body["response_format"] == {"type": "json_object"} and '"title":"T"' in body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("effort", "quirks", "expected"),
    [
        (Effort("adaptive", "medium"), Quirks(), {"reasoning_effort": "medium"}),
        (Effort("on", budget=2048), Quirks(), {"reasoning_effort": "low"}),
        (Effort("on", budget=31_999), Quirks(), {"reasoning_effort": "high"}),
        (Effort("adaptive", "medium"), Quirks(thinking="no"), {}),
        (Effort("adaptive", "medium"), Quirks(plain_models=("m",)), {}),
        (Effort(), Quirks(), {}),
        (Effort("off"), Quirks(efforts=("low", "high")), {"reasoning_effort": "low"}),
        (Effort("off"), Quirks(thinking="thinking"), {"thinking": {"type": "disabled"}}),
        (Effort("adaptive", "xhigh"), COMPATIBLE["deepseek"].quirks, {"thinking": ON, "reasoning_effort": "max"}),
        (Effort("adaptive", "medium"), COMPATIBLE["deepseek"].quirks, {"thinking": ON, "reasoning_effort": "high"}),
        (Effort("on", budget=2048), COMPATIBLE["openrouter"].quirks, {"reasoning": {"max_tokens": 2048}}),
        (Effort("adaptive", "high"), COMPATIBLE["openrouter"].quirks, {"reasoning": {"effort": "high"}}),
        (Effort("off"), COMPATIBLE["openrouter"].quirks, {"reasoning": {"enabled": False}}),
        (Effort("off"), COMPATIBLE["vllm"].quirks, {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}),
    ],
)
def test_thinking_is_asked_for_in_the_upstreams_words(effort: Effort, quirks: Quirks, expected: Json) -> None:
    body = write(effort=effort, quirks=quirks)
    fields = ("reasoning_effort", "thinking", "reasoning", "chat_template_kwargs")
    assert {name: body[name] for name in fields if name in body} == expected


def test_the_nearest_level_is_taken_and_never_none_for_some() -> None:
    assert level_of(Effort("on", "minimal"), ("none", "low")) == "low"
    assert level_of(Effort("adaptive", "max"), ("none", "high")) == "high"
    assert level_of(Effort("adaptive", "unheard"), ()) == ""


def test_a_model_that_thinks_is_not_told_its_temperature() -> None:
    asked = Request("anthropic", "m", messages=(ASK,), temperature=0.5, effort=Effort("adaptive", "low"))
    assert "temperature" not in write(asked, Quirks(fixed_sampling=True)) and asked.lost == ["temperature"]
    asked.effort = Effort("off", "none")
    assert write(asked, Quirks(fixed_sampling=True))["temperature"] == 0.5


def test_thoughts_go_back_to_who_wants_them() -> None:
    said = Message("assistant", (Thinking("hm", sealed_by="chat"), Text("a")))
    asked = Request("anthropic", "m", messages=(ASK, said))
    assert write(asked, COMPATIBLE["deepseek"].quirks)["messages"][1]["reasoning_content"] == "hm"
    assert write(asked, COMPATIBLE["mistral"].quirks)["messages"][1]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"},
    ]  # fmt: skip
    assert write(asked)["messages"][1] == {"role": "assistant", "content": "a"}
    seal = orjson.dumps({"type": "reasoning.text", "signature": "S", "format": "f", "index": 0}).decode()
    signed = Request("anthropic", "m", messages=(ASK, Message("assistant", (
        Thinking("hm", seal, sealed_by="chat"), Thinking("other", "sig", sealed_by="anthropic"), Text("a")))))  # fmt: skip
    assert write(signed, COMPATIBLE["openrouter"].quirks)["messages"][1]["reasoning_details"] == [
        {"type": "reasoning.text", "signature": "S", "format": "f", "index": 0, "text": "hm"}
    ]


def test_calls_that_cannot_be_read_and_turns_of_other_models() -> None:
    asked = Request("responses", "m", messages=(ASK, Message("assistant", (ToolUse("call_1", "f", '{"a": "cut'),))))
    call = write(asked, COMPATIBLE["vllm"].quirks)["messages"][1]["tool_calls"][0]
    assert orjson.loads(call["function"]["arguments"]) == {"unreadable_arguments": '{"a": "cut'}
    assert write(asked, COMPATIBLE["deepseek"].quirks)["messages"][1]["reasoning_content"] == ""
    assert "reasoning_content" not in write(asked, COMPATIBLE["fireworks"].quirks)["messages"][1]


def test_mistral_takes_ids_of_nine_letters() -> None:
    use, result = ToolUse("toolu_01ABC", "f", "{}"), ToolResult("toolu_01ABC", (Text("r"),))
    asked = Request("anthropic", "m", messages=(ASK, Message("assistant", (use,)), Message("user", (result,))))
    _, said, back = write(asked, COMPATIBLE["mistral"].quirks)["messages"]
    id = said["tool_calls"][0]["id"]
    assert id == back["tool_call_id"] and len(id) == 9 and id.isalnum()


def test_marks_of_caches_for_openrouter_only() -> None:
    asked = Request("anthropic", "m", system=(Text("s", cache="1h"),), messages=(Message("user", (Text("x", cache="5m"),)),))
    system, user = write(asked, COMPATIBLE["openrouter"].quirks)["messages"]
    assert system["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert user["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in orjson.dumps(write(asked)).decode()


def test_a_long_user_becomes_its_digest_and_the_key_of_the_cache() -> None:
    user = '{"device_id":"%s","session_id":"x"}' % ("0" * 64)
    body = write(user=user, quirks=Quirks(user_field="safety_identifier", cache_key=True))
    assert len(body["safety_identifier"]) <= 64 and body["prompt_cache_key"] == body["safety_identifier"]
    assert write(user="short")["user"] == "short"


def test_custom_tools_become_functions_where_they_are_not_known() -> None:
    tools = (Tool("sh", "runs", custom=True, grammar={"syntax": "regex", "definition": "a+"}),)
    function = write(tools=tools)["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"] and "a+" in function["description"]
    assert write(tools=tools, quirks=Quirks(custom_tools=True))["tools"][0]["custom"]["format"]["grammar"]["syntax"] == "regex"


def test_what_the_configuration_adds() -> None:
    body = write(stream=True, quirks=Quirks(stream_usage=False, extra={"provider": {"sort": "price"}, "stream": False}))
    assert body["provider"] == {"sort": "price"} and body["stream"] is True and "stream_options" not in body
    assert write(stream=True)["stream_options"] == {"include_usage": True}


# --- there and back ---------------------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(requests("chat"))
def test_a_request_comes_back_as_it_went(asked: Request) -> None:
    again = CHAT.read_request(write(asked), HERE)
    assert (again.max_tokens, again.stream, again.stop, again.user) == (asked.max_tokens, asked.stream, asked.stop, asked.user)
    assert [(tool.name, tool.description, tool.schema) for tool in again.tools] == [
        (tool.name, tool.description, tool.schema or {"type": "object", "properties": {}}) for tool in asked.tools
    ]
    assert again.tool_choice == (asked.tool_choice if asked.tools else None)
    assert calls_of(again) == calls_of(asked)
    assert flat(again, ToolResult) == flat(asked, ToolResult)
    assert text_of(again.system) == text_of(asked.system)


def calls_of(asked: Request) -> list[tuple[str, str, str]]:
    found = [block for message in asked.messages for block in message.content if isinstance(block, ToolUse)]
    return [(use.id, use.name, use.arguments or "{}") for use in found]


def flat(asked: Request, kind: type[ToolResult]) -> list[tuple[str, str]]:
    found = [block for message in asked.messages for block in message.content if isinstance(block, kind)]
    return [(one.tool_use_id, ("Error: " if one.failed else "") + text_of(one.content)) for one in found]


def text_of(blocks: Any) -> str:
    return "\n\n".join(block.text for block in blocks if isinstance(block, Text))
