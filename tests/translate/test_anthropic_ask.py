"""Requests of other dialects' clients, as an Anthropic upstream takes them."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings

from gw.domain.quirks import Quirks
from gw.errors import Refusal
from gw.translate.anthropic_answer import read_answer
from gw.translate.anthropic_ask import mark_caches, write_request
from gw.translate.anthropic_models import has_formats, version
from gw.translate.anthropic_request import read_request
from gw.translate.anthropic_schema import closed_schema
from gw.translate.dialect import Entrance
from gw.translate.form import (
    Answer,
    Effort,
    Foreign,
    Format,
    Json,
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
from tests.translate.strategies import PNG, requests

OPUS, SONNET_4_5 = "claude-opus-5-5", "claude-sonnet-4-5-20250929"
HI = (Message("user", (Text("hi"),)),)


def asked(model: str = OPUS, **fields: Any) -> Request:
    return Request(**{"dialect": "chat", "model": model, "messages": HI} | fields)


def written(model: str = OPUS, quirks: Quirks = Quirks(), **fields: Any) -> Json:
    return write_request(asked(model, **fields), quirks)


def said(*messages: Message, quirks: Quirks = Quirks()) -> list[tuple[str, list[Any]]]:
    """(role, what stands in it) of each message."""
    return [
        (message["role"], [part.get("text") or part.get("tool_use_id") or part["type"] for part in message["content"]])
        for message in written(messages=messages, quirks=quirks)["messages"]
    ]


def text(role: Any, words: str) -> Message:
    return Message(role, (Text(words),))


@pytest.mark.parametrize(
    ("model", "most", "wanted", "cap"),
    [
        (OPUS, 0, None, 32_000),
        (OPUS, 8_000, None, 8_000),
        (OPUS, 8_000, 100, 100),
        (OPUS, 8_000, 9_000, 8_000),
        ("claude-3-haiku-20240307", 0, None, 4_096),
        ("claude-3-5-sonnet-20241022", 0, None, 8_192),
        ("claude-3-7-sonnet-latest", 0, None, 32_000),
        ("somebody/else", 0, None, 32_000),
    ],
)
def test_the_cap_that_anthropic_must_be_told(model: str, most: int, wanted: int | None, cap: int) -> None:
    assert written(model, Quirks(max_tokens_most=most), max_tokens=wanted)["max_tokens"] == cap


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("claude-sonnet-4-5-20250929", (4, 5)),
        ("claude-opus-4-20250514", (4, 0)),
        ("claude-opus-5-5", (5, 5)),
        ("claude-fable-5", (5, 0)),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", (4, 5)),
        ("claude-3-5-haiku-20241022", (3, 5)),
        ("claude-3-opus-20240229", (3, 0)),
        ("claude-sonnet-4-5@20250929", (4, 5)),
        ("claude-opus-4@20250514", (4, 0)),
        ("deepseek-chat", (0, 0)),
    ],
)
def test_versions_are_read_from_names(model: str, found: tuple[int, int]) -> None:
    assert version(model) == found


def test_messages_of_one_role_become_one_and_results_stand_first() -> None:
    call = Message("assistant", (ToolUse("call_1", "a"), ToolUse("call_2", "b")))
    one, two = (Message("user", (ToolResult(id, (Text("r"),)),)) for id in ("call_1", "call_2"))
    assert said(*HI, text("user", "there"), call, text("user", "well"), one, two) == [
        ("user", ["hi", "there"]),
        ("assistant", ["tool_use", "tool_use"]),
        ("user", ["call_1", "call_2", "well"]),
    ]


def test_texts_without_a_word_are_left_out_and_no_message_stays_empty() -> None:
    assert said(*HI, text("assistant", " \n"), text("user", "go")) == [("user", ["hi", "go"])]
    others = Message("assistant", (Thinking("t", "sig", sealed_by="chat"),))
    assert said(*HI, others, text("user", "go")) == [("user", ["hi", "go"])]


def test_a_conversation_begins_with_the_user_and_does_not_end_in_white_space() -> None:
    assert said(text("assistant", "hello"), *HI)[0] == ("user", ["Go on."])
    assert said(*HI, text("assistant", "I say: \n"))[-1] == ("assistant", ["I say:"])
    alone = written(messages=(), system=(Text("be brief"),))
    assert alone["messages"] == [{"role": "user", "content": [{"type": "text", "text": "be brief"}]}]
    assert "system" not in alone


def test_a_system_text_in_the_middle_is_folded_into_the_users() -> None:
    middle = text("system", "speak French")
    assert said(*HI, middle) == [("user", ["hi", "<system-reminder>\nspeak French\n</system-reminder>"])]
    own = write_request(asked(messages=(*HI, middle), dialect="anthropic"), Quirks())
    assert [message["role"] for message in own["messages"]] == ["user", "system"]
    folded = write_request(asked(messages=(*HI, middle), dialect="anthropic"), Quirks(system_in_middle=False))
    assert [message["role"] for message in folded["messages"]] == ["user"]


def test_only_anthropics_own_thoughts_go_back() -> None:
    mine, other = Thinking("t", "c2ln", sealed_by="anthropic"), Thinking("t", "c2ln", sealed_by="responses")
    sealed, unsigned = Thinking(redacted="eA==", sealed_by="anthropic"), Thinking("t")
    message = Message("assistant", (mine, other, sealed, unsigned, Text("a")))
    assert said(*HI, message, *HI)[1] == ("assistant", ["thinking", "redacted_thinking", "a"])


def test_ids_of_any_letters_stay_paired() -> None:
    call = Message("assistant", (ToolUse("functions.a:0", "a", "{}", signature="xyz="),))
    body = written(messages=(*HI, call, Message("user", (ToolResult("functions.a:0", failed=True),))))
    use, result = body["messages"][1]["content"][0], body["messages"][2]["content"][0]
    assert use["id"] == result["tool_use_id"]
    assert result == {
        "type": "tool_result",
        "tool_use_id": use["id"],
        "is_error": True,
        "content": [{"type": "text", "text": "The tool failed and said nothing."}],
    }


def test_arguments_full_of_brackets_are_an_object() -> None:
    body = written(messages=(*HI, Message("assistant", (ToolUse("call_1", "a", '{"code":"%s"}' % ("{" * 500)),)), *HI))
    assert body["messages"][1]["content"][0]["input"] == {"code": "{" * 500}


DEEP = '{"x":' * 300 + "1" + "}" * 300


@pytest.mark.parametrize("arguments", ['{"a": ', "[1]", "words", DEEP])
def test_arguments_that_are_no_object_stay_where_the_model_sees_them(arguments: str) -> None:
    body = written(messages=(*HI, Message("assistant", (ToolUse("call_1", "a", arguments),)), *HI))
    assert body["messages"][1]["content"][0]["input"] == {"unreadable_arguments": arguments}


# --- pictures and documents -------------------------------------------------------------------------------------------


def part(block: Any, **fields: Any) -> Json:
    found: Json = written(messages=(Message("user", (block,)),), **fields)["messages"][0]["content"][0]
    return found


def test_pictures_and_documents_by_bytes_address_or_text() -> None:
    image = part(Media("image", "image/jpg", data=PNG))
    assert image["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}  # by what the bytes say
    assert part(Media("image", url="https://e.com/a"))["source"] == {"type": "url", "url": "https://e.com/a"}
    note = part(Media("document", "text/markdown", data="aGk=", title="T"))
    assert note == {"type": "document", "title": "T", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}}


@pytest.mark.parametrize(
    ("block", "quirks", "slug", "words"),
    [
        (Media("audio", "audio/wav", data="UklGR"), Quirks(), "cannot_carry", "takes no audio"),
        (Media("image", "image/bmp", data="Qk0="), Quirks(), "cannot_carry", "image/bmp"),
        (Media("document", "application/msword", data="0M8R"), Quirks(), "cannot_carry", "application/msword"),
        (Media("image", file_id="file-1"), Quirks(), "cannot_carry", "send its bytes"),
        (Media("image", "image/png", data=PNG), Quirks(images=False), "cannot_carry", "takes no images"),
        (Media("document", text="a"), Quirks(documents=False), "cannot_carry", "takes no documents"),
    ],
)
def test_what_anthropic_cannot_see_is_refused(block: Media, quirks: Quirks, slug: str, words: str) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        part(block, quirks=quirks)
    assert refused.value.slug == slug


def test_claude_code_is_told_in_the_words_that_make_it_ask_again() -> None:
    with pytest.raises(Refusal) as refused:
        part(Media("image", "image/png", data=PNG), quirks=Quirks(images=False), dialect="anthropic")
    assert (refused.value.slug, refused.value.message) == ("capability_rejected", "capability_rejected: image_block")


# --- thinking, sampling, format ---------------------------------------------------------------------------------------

ADAPTIVE, ENABLED = {"type": "adaptive"}, {"type": "enabled"}
EFFORTS: list[tuple[str, Json, Json, list[str]]] = [
    (OPUS, {"effort": Effort(level="high")}, {"thinking": ADAPTIVE | {"display": "summarized"}, "effort": "high"}, []),
    (OPUS, {"effort": Effort(level="low", shown=False)}, {"thinking": ADAPTIVE | {"display": "omitted"}, "effort": "low"}, []),
    (OPUS, {"effort": Effort(level="minimal")}, {"thinking": ADAPTIVE | {"display": "summarized"}, "effort": "low"}, []),
    (OPUS, {"effort": Effort(level="none")}, {"thinking": {"type": "disabled"}}, []),
    (SONNET_4_5, {"effort": Effort(level="medium")}, {"thinking": ENABLED | {"budget_tokens": 8_192}}, []),
    (SONNET_4_5, {"effort": Effort(budget=500)}, {"thinking": ENABLED | {"budget_tokens": 1_024}}, []),
    (SONNET_4_5, {"effort": Effort(level="none")}, {}, []),
    (SONNET_4_5, {"effort": Effort(level="high"), "max_tokens": 4_096}, {"thinking": ENABLED | {"budget_tokens": 3_072}}, []),
    (SONNET_4_5, {"effort": Effort(level="high"), "max_tokens": 1_500}, {}, ["thinking"]),
    ("claude-3-5-haiku-latest", {"effort": Effort(level="high")}, {}, ["thinking"]),
    (OPUS, {"effort": Effort(level="high"), "tool_choice": ToolChoice("any"), "tools": (Tool("a"),)}, {}, ["thinking"]),
    (OPUS, {}, {}, []),
]


@pytest.mark.parametrize(("model", "fields", "found", "lost"), EFFORTS)
def test_effort_is_asked_for_as_the_model_takes_it(model: str, fields: Json, found: Json, lost: list[str]) -> None:
    request = asked(model, **fields)
    body = write_request(request, Quirks())
    effort = body.get("output_config", {}).get("effort")
    assert {name: value for name, value in (("thinking", body.get("thinking")), ("effort", effort)) if value} == found
    assert request.lost == lost


def test_a_turn_that_began_without_a_thought_goes_on_without() -> None:
    call = Message("assistant", (ToolUse("call_1", "a"),))
    turn = (*HI, call, Message("user", (ToolResult("call_1", (Text("r"),)),)))
    assert "thinking" not in written(SONNET_4_5, messages=turn, effort=Effort(level="high"))
    assert "thinking" in written(OPUS, messages=turn, effort=Effort(level="high"))


def test_sampling_is_what_the_model_leaves_of_it() -> None:
    request = asked(SONNET_4_5, temperature=1.4, top_p=0.5, top_k=3, seed=1, presence_penalty=0.5)
    body = write_request(request, Quirks())
    assert (body["temperature"], body["top_k"], "top_p" in body) == (1.0, 3, False)
    assert request.lost == ["temperature above 1", "top_p", "seed", "presence_penalty"]
    fixed = asked(OPUS, temperature=0.2, top_p=1.0)
    assert not {"temperature", "top_p"} & write_request(fixed, Quirks()).keys()
    assert fixed.lost == ["temperature"]


SCHEMA: Json = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
CLOSED: Json = {
    "type": "object",
    "properties": {"n": {"type": "integer", "description": '{"minimum":1}'}},
    "additionalProperties": False,
}


def test_a_format_is_a_field_or_a_line_of_the_prompt() -> None:
    wanted = Format("schema", schema=SCHEMA)
    assert written(format=wanted)["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED}}
    told = written(format=wanted, quirks=Quirks(json_schema=False))
    assert "output_config" not in told and '"minimum":1' in told["system"][0]["text"]
    assert written(format=Format("json"))["system"][0]["text"].startswith("Answer with one JSON object")
    assert has_formats(OPUS) and not has_formats("claude-3-7-sonnet-latest")


def test_schemas_are_closed_at_every_depth() -> None:
    inner = {"oneOf": [SCHEMA, {"type": "array", "items": SCHEMA, "minItems": 3}], "$defs": {"a": SCHEMA}}
    found = closed_schema({"type": "object", "properties": {"x": inner, "y": True}})
    assert found["properties"]["x"]["anyOf"][0] == CLOSED
    assert found["properties"]["x"]["anyOf"][1]["items"] == CLOSED
    assert found["properties"]["x"]["$defs"]["a"] == CLOSED
    assert found["properties"]["y"] is True


# --- tools and the rest -----------------------------------------------------------------------------------------------


def test_tools_and_choices() -> None:
    tools = (Tool("a", "does a", {"properties": {}}, strict=True), Tool("run", custom=True))
    body = written(tools=tools, tool_choice=ToolChoice("tool", "a", parallel=False))
    assert body["tools"][0]["input_schema"] == {"type": "object", "properties": {}, "additionalProperties": False}
    assert body["tools"][0]["strict"] is True
    assert body["tools"][1]["input_schema"]["required"] == ["input"]
    assert body["tool_choice"] == {"type": "tool", "name": "a", "disable_parallel_tool_use": True}
    assert "tool_choice" not in written(tools=tools, tool_choice=ToolChoice())
    assert "tool_choice" not in written(tool_choice=ToolChoice("any"))


def test_what_a_tool_has_of_another_dialect_stays_behind() -> None:
    grammar = {"syntax": "lark", "definition": "start: A"}
    tool = Tool("run", "Runs.", custom=True, grammar=grammar, foreign={"x": 1})
    shown = written(tools=(tool,))["tools"][0]
    assert "x" not in shown
    assert shown["description"] == "Runs.\n\nThe text must follow this lark grammar:\nstart: A"


def test_a_conversation_with_calls_defines_the_tools_that_were_called() -> None:
    turn = (*HI, Message("assistant", (ToolUse("call_1", "a"),)), Message("user", (ToolResult("call_1", (Text("r"),)),)))
    body = written(messages=turn)
    assert body["tools"] == [{"name": "a", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "none"}


def test_names_that_anthropic_refuses_are_fitted_and_read_back() -> None:
    made = written(tools=(Tool("a.b:c"),))["tools"][0]["name"]
    assert "." not in made
    answer = read_answer({"content": [{"type": "tool_use", "id": "t", "name": made, "input": {}}]})
    assert isinstance(answer, Answer)
    assert answer.content == (ToolUse("t", "a.b:c"),)


def test_what_nobody_can_heal_is_refused() -> None:
    with pytest.raises(Refusal, match="one answer") as refused:
        written(choices=2)
    assert refused.value.slug == "cannot_carry"
    with pytest.raises(Refusal, match="web_search"):
        written(tools=(Tool("web_search", server=Foreign("responses", "web_search", {})),))


def test_the_rest_has_anthropics_names() -> None:
    request = asked(stop=("a", " "), user="u", service_tier="default", stream=True, foreign={"logprobs": True})
    body = write_request(request, Quirks(extra={"x": 1, "model": "no"}, fields_dropped=("metadata",)))
    assert body["stop_sequences"] == ["a"]
    assert (body["service_tier"], body["stream"], body["x"], body["model"]) == ("standard_only", True, 1, OPUS)
    assert "metadata" not in body
    assert request.lost == ["logprobs", "stop sequences of white space"]


def test_cache_marks_where_the_client_has_none() -> None:
    request = asked(system=(Text("s"), Text(" ")), tools=(Tool("a"), Tool("b")))
    mark_caches(request)
    assert [tool.cache for tool in request.tools] == ["", "5m"]
    assert request.system == (Text("s", cache="5m"), Text(" "))
    assert request.messages == (Message("user", (Text("hi", cache="5m"),)),)
    own = asked(system=(Text("s", cache="1h"),), tools=(Tool("a"),))
    mark_caches(own)
    assert own.tools == (Tool("a"),)


@settings(deadline=None)
@given(requests("chat", thinking=False))
def test_another_dialects_request_says_the_same_to_anthropic(request: Request) -> None:
    body = write_request(request, Quirks())
    again = read_request(body, Entrance("messages"))
    roles = [message.role for message in again.messages]
    assert roles[0] == "user" and all(first != second for first, second in pairwise(roles))
    assert again.messages == request.messages
    assert [tool.name for tool in again.tools][: len(request.tools)] == [tool.name for tool in request.tools]
