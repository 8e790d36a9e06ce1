"""A Gemini client's request -> the form."""

import re
from base64 import urlsafe_b64encode
from typing import Any

import orjson
import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from gw.errors import Refusal
from gw.translate.dialect import Entrance, Quirks
from gw.translate.dialects import DIALECTS
from gw.translate.form import (
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
from gw.translate.gemini_request import read_request
from gw.translate.gemini_words import camel, from_wire, wire_signature
from tests.translate import strategies

ENTRANCE = Entrance("generateContent", "gemini-3.1-pro-preview", stream=True, alt="sse")
HI = {"role": "user", "parts": [{"text": "hi"}]}
FULL = {
    "contents": [
        HI,
        {
            "role": "model",
            "parts": [
                {"text": "Let me ", "thought": True},
                {"text": "think.", "thought": True},
                {"functionCall": {"name": "look_up", "args": {"the_place": {"in_it": 1}}}, "thoughtSignature": "QUJD"},
                {"functionCall": {"id": "own", "name": "look_up", "args": {}}},
            ],
        },
        {
            "role": "function",
            "parts": [
                {"functionResponse": {"id": "own", "name": "look_up", "response": {"error": "no_such_place"}}},
                {"functionResponse": {"name": "look_up", "response": {"found_it": [1]}}},
            ],
        },
        {
            "parts": [
                {"inlineData": {"mimeType": "image/png", "data": "-_8="}, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}
            ]
        },
    ],
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "tools": [
        {
            "functionDeclarations": [
                {
                    "name": "look_up",
                    "description": "Looks up.",
                    "parameters": {
                        "type": "OBJECT",
                        "properties": {"the_place": {"type": "STRING", "nullable": True, "minLength": "2"}},
                        "required": ["the_place"],
                        "propertyOrdering": ["the_place"],
                    },
                },
                {"name": "other", "parametersJsonSchema": {"type": "object", "properties": {"a_b": {"min_x": 1}}}},
            ]
        },
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look_up"]}},
    "generationConfig": {
        "maxOutputTokens": 100,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "stopSequences": ["END"],
        "seed": 7,
        "frequencyPenalty": 0.1,
        "presencePenalty": 0.2,
        "responseMimeType": "application/json",
        "responseSchema": {"type": "ARRAY", "items": {"anyOf": [{"type": "INTEGER"}]}},
        "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "HIGH"},
        "speechConfig": {"voiceConfig": {}},
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    "labels": {"my_team": "x_y"},
}
CLIENTS = {"args", "response", "labels", "parametersJsonSchema", "properties"}


def read(body: dict[str, Any]) -> Request:
    return read_request(body, ENTRANCE)


def snaked(value: Any) -> Any:
    if isinstance(value, list):
        return [snaked(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower() if key not in CLIENTS else re.sub(r"([A-Z])", r"_\1", key).lower():
        (_properties(inner) if key == "properties" else inner if key in CLIENTS else snaked(inner))
        for key, inner in value.items()
    }  # fmt: skip


def _properties(inner: dict[str, Any]) -> dict[str, Any]:
    return {name: snaked(schema) for name, schema in inner.items()}


def test_a_whole_request_is_read_into_the_form() -> None:
    asked = read(FULL)
    assert asked.system == (Text("Be brief."),)
    assert asked.messages == (
        Message("user", (Text("hi"),)),
        Message(
            "assistant",
            (
                Thinking("Let me think."),
                ToolUse("call_1", "look_up", '{"the_place":{"in_it":1}}', "QUJD"),
                ToolUse("own", "look_up"),
            ),
        ),
        Message(
            "user",
            (
                ToolResult("own", (Text("no_such_place"),), True, "look_up"),
                ToolResult("call_1", (Text('{"found_it":[1]}'),), name="look_up"),
                Media("image", "image/png", "+/8=", detail="low"),
            ),
        ),
    )
    place = {"type": ["string", "null"], "minLength": 2}
    assert asked.tools == (
        Tool("look_up", "Looks up.", {"type": "object", "properties": {"the_place": place}, "required": ["the_place"]}),
        Tool("googleSearch", server=Foreign("gemini", "googleSearch", {"googleSearch": {}})),
    )  # only what is allowed, and what the provider runs
    assert asked.tool_choice == ToolChoice("tool", "look_up")
    assert (asked.max_tokens, asked.temperature, asked.top_p, asked.top_k, asked.seed) == (100, 0.5, 0.9, 40, 7)
    assert (asked.frequency_penalty, asked.presence_penalty, asked.stop) == (0.1, 0.2, ("END",))
    assert asked.format == Format("schema", schema={"type": "array", "items": {"anyOf": [{"type": "integer"}]}})
    assert asked.effort == Effort("adaptive", "high", shown=True)
    assert asked.foreign == {
        "generationConfig": {"speechConfig": {"voiceConfig": {}}},
        "safetySettings": FULL["safetySettings"],
        "labels": {"my_team": "x_y"},
    }
    assert (asked.model, asked.model_named, asked.stream, asked.alt) == (ENTRANCE.model, ENTRANCE.model, True, "sse")


def test_snake_case_and_camel_case_give_the_same_form() -> None:
    other = snaked(FULL)
    assert "function_declarations" in other["tools"][0] and "media_resolution" in other["contents"][3]["parts"][0]
    assert read(other) == read(FULL)


def test_the_sdk_own_models_in_both_spellings_give_the_same_form() -> None:
    content = types.Content(role="user", parts=[types.Part(inline_data=types.Blob(data=b"\xfb\xff", mime_type="image/png"))])
    snake = content.model_dump(mode="json", exclude_none=True)
    camels = content.model_dump(mode="json", exclude_none=True, by_alias=True)
    assert snake != camels
    assert read({"contents": [snake]}).messages == read({"contents": [camels]}).messages
    assert read({"contents": [snake]}).messages[0].content == (Media("image", "image/png", "+/8="),)


@pytest.mark.parametrize(("key", "expected"), [("a_b_c", "aBC"), ("plain", "plain"), ("_x", "_x"), ("$ref", "$ref"), ("x_", "x")])
def test_a_key_in_camel_case(key: str, expected: str) -> None:
    assert camel(key) == expected


def test_where_both_spellings_are_there_camel_case_counts() -> None:
    for config in ({"maxOutputTokens": 1, "max_output_tokens": 2}, {"max_output_tokens": 2, "maxOutputTokens": 1}):
        assert read({"contents": HI, "generation_config": config}).max_tokens == 1


@pytest.mark.parametrize(
    "contents",
    ["hi", ["hi"], HI, [HI], {"role": "USER", "parts": {"text": "hi"}}, [{"parts": [{"text": "hi"}]}], {"parts": "hi"}],
)
def test_one_thing_may_stand_for_a_list_of_it(contents: Any) -> None:
    assert read({"contents": contents}).messages == (Message("user", (Text("hi"),)),)


@pytest.mark.parametrize(
    "given", ["Be.", ["Be."], {"parts": {"text": "Be."}}, {"role": "system", "parts": [{"text": "Be."}]}, {"text": "Be."}]
)
def test_system_instructions_come_in_many_shapes(given: Any) -> None:
    assert read({"contents": HI, "systemInstruction": given}).system == (Text("Be."),)


def test_pieces_of_a_stream_that_a_chat_kept_become_one_message() -> None:
    parts: list[dict[str, Any]] = [
        {"text": "He"},
        {"text": "llo"},
        {"text": "", "thoughtSignature": "QUJD"},
        {"functionCall": {"name": "f"}},
        {"functionCall": {"name": "g"}},
    ]
    pieces = [{"role": "model", "parts": [part]} for part in parts]
    results = [{"role": "user", "parts": [{"functionResponse": {"name": name, "response": {}}}]} for name in "gf"]
    asked = read({"contents": [HI, *pieces, *results]})
    assert [message.role for message in asked.messages] == ["user", "assistant", "user"]
    assert asked.messages[1].content == (Text("Hello", signature="QUJD"), ToolUse("call_1", "f"), ToolUse("call_2", "g"))
    assert asked.messages[2].content == (ToolResult("call_2", name="g"), ToolResult("call_1", name="f"))


def test_results_of_one_function_find_their_calls_in_order() -> None:
    calls = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"n": n}}} for n in (1, 2)]}
    results = {"parts": [{"functionResponse": {"name": "f", "response": {"output": str(n)}}} for n in (1, 2)]}
    asked = read({"contents": [HI, calls, results, calls, results]})
    ids = [block.tool_use_id for message in asked.messages for block in message.content if isinstance(block, ToolResult)]
    assert ids == ["call_1", "call_2", "call_3", "call_4"]


def test_cached_content_is_carried_to_gemini_alone() -> None:
    body = {"contents": HI, "cached_content": "cachedContents/x"}
    asked = read(body)
    assert asked.foreign == {"cachedContent": "cachedContents/x"}
    for name in ("anthropic", "chat", "converse"):
        with pytest.raises(Refusal, match="cachedContent") as refused:
            DIALECTS[name].write_request(read(body), Quirks())
        assert refused.value.slug == "cannot_carry"
    assert DIALECTS["gemini"].write_request(asked, Quirks())["cachedContent"] == "cachedContents/x"


@pytest.mark.parametrize(
    ("config", "effort"),
    [
        (None, Effort(shown=False)),
        ({"thinkingBudget": 0}, Effort("off", "none", shown=False)),
        ({"thinkingBudget": -1, "includeThoughts": True}, Effort("adaptive", budget=-1)),
        ({"thinkingBudget": 512}, Effort("on", budget=512, shown=False)),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, Effort(shown=False)),
        ({"includeThoughts": True}, Effort("adaptive")),
    ],
)
def test_effort(config: Any, effort: Effort) -> None:
    assert read({"contents": HI, "generationConfig": {"thinkingConfig": config}}).effort == effort


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "contents: "),
        ({"contents": []}, "contents: "),
        ({"contents": [7]}, "contents[0]: "),
        ({"contents": [{"role": "robot", "parts": []}]}, "contents[0].role: "),
        ({"contents": [{"role": 7}]}, "contents[0].role: "),
        ({"contents": [{"parts": [7]}]}, "contents[0].parts[0]: "),
        ({"contents": [{"role": "model", "parts": [{"functionCall": {}}]}]}, "contents[0].parts[0].functionCall.name: "),
        ({"contents": [{"parts": [{"functionResponse": {"name": "f"}}]}]}, "contents[0].parts[0].functionResponse: "),
        ({"contents": HI, "tools": [7]}, "tools: "),
        ({"contents": HI, "tools": [{"functionDeclarations": [{}]}]}, "tools.functionDeclarations.name: "),
        ({"contents": HI, "generationConfig": {"maxOutputTokens": 0}}, "generationConfig.maxOutputTokens: "),
        ({"contents": HI, "generationConfig": {"topK": "many"}}, "generationConfig.topK: "),
        ({"contents": HI, "generationConfig": {"seed": "nan"}}, "generationConfig.seed: "),
    ],
)
def test_what_could_mean_nothing_is_refused_with_its_place(body: dict[str, Any], place: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(body)
    assert refused.value.slug == "invalid_field" and refused.value.message.startswith(place)


def test_nesting_without_end_is_refused() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"x": deep}
    with pytest.raises(Refusal):
        read({"contents": HI, "toolConfig": deep})


@given(strategies.json_values, strategies.json_values, strategies.json_values)
def test_whatever_comes_is_read_or_refused(contents: Any, tools: Any, config: Any) -> None:
    for body in ({"contents": contents}, {"contents": HI, "tools": tools, "toolConfig": config, "generationConfig": config}):
        try:
            read(body)
        except Refusal as refused:
            assert refused.slug == "invalid_field"


signatures = st.text(st.sampled_from("abcXYZ019+/="), min_size=1, max_size=40)


@given(st.sampled_from(["anthropic", "responses", "gemini", "chat"]), signatures, st.booleans(), st.sampled_from(["", "rs_1"]))
def test_signatures_of_all_dialects_survive_a_gemini_client(dialect: str, signature: str, redacted: bool, id: str) -> None:
    thought = Thinking(signature="" if redacted else signature, redacted=signature if redacted else "", sealed_by=dialect, id=id)
    on_wire = wire_signature(thought)
    assert from_wire(on_wire) == thought
    if dialect != "gemini":  # the SDK makes bytes of it, and base64url of these
        kept = types.Part.model_validate({"thoughtSignature": on_wire}).model_dump(mode="json")["thought_signature"]
        assert from_wire(kept) == thought
        assert from_wire(urlsafe_b64encode(b"x").decode()).sealed_by == "gemini"


words = st.sampled_from(
    ["parts", "text", "thought", "thought_signature", "functionCall", "function_response", "name", "args", "id", "response",
     "inlineData", "file_data", "mimeType", "data", "role", "model", "user", "functionDeclarations", "parameters", "type",
     "parametersJsonSchema", "properties", "mode", "ANY", "allowedFunctionNames", "functionCallingConfig", "thinkingConfig",
     "thinkingBudget", "topK", "responseMimeType", "application/json", "responseSchema", "stopSequences", "mediaResolution",
     "level", "executableCode", "output"]
)  # fmt: skip
wild = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=25,
)
FIELDS = ["contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "cachedContent", "labels", "serviceTier"]


@given(st.dictionaries(st.sampled_from(FIELDS), wild, max_size=4), st.sampled_from(["gemini", "anthropic", "chat", "converse"]))
def test_whatever_is_read_can_be_written_or_is_refused(body: dict[str, Any], upstream: str) -> None:
    try:
        request = read({"contents": HI} | body)
        orjson.dumps(DIALECTS[upstream].write_request(request, Quirks()))
    except Refusal as refused:
        assert refused.slug in ("invalid_field", "cannot_carry")
