"""The form -> a generateContent request."""

from base64 import b64encode
from typing import Any

import orjson
import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from gw.errors import Refusal
from gw.translate.dialect import Entrance, Quirks
from gw.translate.form import (
    Block,
    Foreign,
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
from gw.translate.gemini_body import write_request
from gw.translate.gemini_contents import UNSIGNED
from gw.translate.gemini_request import read_request
from tests.translate import strategies

NEW, OLD = "gemini-3.1-pro-preview", "gemini-2.5-flash"
USER = Message("user", (Text("hi"),))
PNG = Media("image", "image/png", "iVBORw0K")


def asked(*messages: Message, model: str = NEW, dialect: str = "anthropic", **fields: Any) -> Request:
    return Request(dialect, model, messages=messages or (USER,), **fields)


def written(request: Request, quirks: Quirks | None = None) -> Json:
    body = write_request(request, quirks or Quirks())
    valid(body)
    return body


def valid(body: Json) -> None:
    """By the types of Google's own SDK, which take no field that they do not know."""
    for content in body["contents"]:
        types.Content.model_validate(content)
    if "systemInstruction" in body:
        types.Content.model_validate(body["systemInstruction"])
    for tool in body.get("tools", []):
        types.Tool.model_validate(tool)
    if "toolConfig" in body:
        types.ToolConfig.model_validate(body["toolConfig"])
    types.GenerationConfig.model_validate(body.get("generationConfig", {}))
    orjson.dumps(body)


def parts(*blocks: Block, role: str = "assistant", model: str = NEW) -> list[Json]:
    message = Message(role, blocks)  # type: ignore[arg-type]
    found = written(asked(USER, message, model=model) if role == "assistant" else asked(message, model=model))["contents"][-1]
    assert found["role"] == ("model" if role == "assistant" else "user")
    return found["parts"]  # type: ignore[no-any-return]


# --- contents -------------------------------------------------------------------------------------------------------


def test_calls_and_results_carry_ids_and_names_where_the_model_knows_both() -> None:
    turn = (
        USER,
        Message("assistant", (ToolUse("toolu_1", "f", '{"a_b":1}', "QUJD"), ToolUse("toolu_2", "g"))),
        Message("user", (Text("and"), ToolResult("toolu_2", (Text("no"),), True), ToolResult("toolu_1", (Text("a"), Text("b"))))),
    )
    new = written(asked(*turn))["contents"]
    assert new[1]["parts"] == [
        {"functionCall": {"name": "f", "args": {"a_b": 1}, "id": "toolu_1"}, "thoughtSignature": "QUJD"},
        {"functionCall": {"name": "g", "args": {}, "id": "toolu_2"}},
    ]
    assert new[2]["parts"] == [
        {"functionResponse": {"name": "g", "response": {"error": "no"}, "id": "toolu_2"}},
        {"functionResponse": {"name": "f", "response": {"output": "a\n\nb"}, "id": "toolu_1"}},
        {"text": "and"},
    ]
    old = written(asked(*turn, model=OLD))["contents"]
    assert all("id" not in next(iter(part.values())) for content in old[1:] for part in content["parts"] if "text" not in part)


def test_the_first_unsigned_call_of_another_model_gets_the_documented_value() -> None:
    calls = (ToolUse("1", "f"), ToolUse("2", "f"))
    assert [part.get("thoughtSignature") for part in parts(*calls)] == [UNSIGNED, None]
    assert [part.get("thoughtSignature") for part in parts(*calls, model=OLD)] == [None, None]
    assert [part.get("thoughtSignature") for part in parts(*calls, model="gemini-flash-latest")] == [UNSIGNED, None]


def test_the_signature_of_a_thought_goes_to_the_call_it_led_to() -> None:
    thought = Thinking("hm", "QUJD", sealed_by="gemini")
    assert parts(thought, ToolUse("1", "f"), ToolUse("2", "f")) == [
        {"text": "hm", "thought": True},
        {"functionCall": {"name": "f", "args": {}, "id": "1"}, "thoughtSignature": "QUJD"},
        {"functionCall": {"name": "f", "args": {}, "id": "2"}},
    ]
    assert parts(thought, Text("so")) == [{"text": "hm", "thought": True}, {"text": "so", "thoughtSignature": "QUJD"}]
    assert parts(Thinking("", "QUJD", sealed_by="gemini")) == [{"text": "", "thoughtSignature": "QUJD"}]


def test_thoughts_of_other_models_stay_out() -> None:
    assert parts(Thinking("hm", "sig", sealed_by="anthropic"), Text("so")) == [{"text": "so"}]


@pytest.mark.parametrize(
    ("use", "args"),
    [
        (ToolUse("1", "f", '{"a": 1'), {"unreadable_arguments": '{"a": 1'}),
        (ToolUse("1", "f", "[1]"), {"unreadable_arguments": "[1]"}),
        (ToolUse("1", "f", "ls -l", custom=True), {"input": "ls -l"}),
        (ToolUse("1", "f", ""), {}),
    ],
)
def test_args_are_always_an_object(use: ToolUse, args: Json) -> None:
    assert parts(use)[0]["functionCall"]["args"] == args


def test_system_in_the_middle_becomes_words_of_the_user_behind_the_results() -> None:
    contents = written(
        asked(
            USER,
            Message("assistant", (ToolUse("1", "f"),)),
            Message("system", (Text("Be quick."),)),
            Message("user", (ToolResult("1", (Text("ok"),)),)),
        )
    )["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    assert [next(iter(part)) for part in contents[2]["parts"]] == ["functionResponse", "text"]
    assert contents[2]["parts"][1]["text"] == "<system-reminder>\nBe quick.\n</system-reminder>"


def test_media_in_results_stand_inside_since_gemini_3_and_behind_before() -> None:
    turn = (USER, Message("assistant", (ToolUse("1", "f"),)), Message("user", (ToolResult("1", (Text("see"), PNG)),)))
    image = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0K"}}
    assert written(asked(*turn))["contents"][2]["parts"][0]["functionResponse"]["parts"] == [image]
    old = written(asked(*turn, model=OLD))["contents"][2]["parts"]
    assert [next(iter(part)) for part in old] == ["functionResponse", "text", "inlineData"] and old[2] == image


@pytest.mark.parametrize(
    ("media", "part"),
    [
        (PNG, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0K"}}),
        (Media("image", data="/9j/4AA"), {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/4AA"}}),
        (Media("image", url="https://x/a.webp?q=1"), {"fileData": {"mimeType": "image/webp", "fileUri": "https://x/a.webp?q=1"}}),
        (Media("document", data="JVBERi0x"), {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0x"}}),
        (Media("document", text="words"), {"text": "words"}),
        (Media("document", text="words", title="T"), {"text": '<document title="T">\nwords\n</document>'}),
        (Media("document", "text/plain", b64encode(b"words").decode()), {"text": "words"}),
        (Media("audio", "audio/wav", "UklGRg=="), {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}}),
        (Media("video", url="https://x/v"), {"fileData": {"mimeType": "video/mp4", "fileUri": "https://x/v"}}),
    ],
)
def test_media(media: Media, part: Json) -> None:
    assert parts(media, role="user") == [part]


@pytest.mark.parametrize(
    ("media", "quirks", "slug"),
    [
        (Media("image", "image/gif", "R0lG"), Quirks(), "capability_rejected: image_block"),
        (PNG, Quirks(images=False), "capability_rejected: image_block"),
        (Media("document", data="JVBERi0x"), Quirks(documents=False), "capability_rejected: document_block"),
        (Media("document", file_id="file_1"), Quirks(), "capability_rejected: document_block"),
    ],
)
def test_media_that_cannot_be_sent_are_refused_in_words_that_heal_claude_code(media: Media, quirks: Quirks, slug: str) -> None:
    with pytest.raises(Refusal) as refused:
        write_request(asked(Message("user", (media,))), quirks)
    assert refused.value.message == slug
    with pytest.raises(Refusal) as refused:
        write_request(asked(Message("user", (media,)), dialect="chat"), quirks)
    assert refused.value.slug == "cannot_carry"


def test_blocks_of_other_dialects_are_refused_from_users_and_left_out_of_history() -> None:
    odd = Foreign("anthropic", "container_upload", {})
    with pytest.raises(Refusal, match="container_upload"):
        write_request(asked(Message("user", (odd,))), Quirks())
    request = asked(USER, Message("assistant", (Foreign("anthropic", "server_tool_use", {}), Text("so"))))
    assert written(request)["contents"][1]["parts"] == [{"text": "so"}]
    assert request.lost == ["server_tool_use of earlier turns"]


# --- tools ----------------------------------------------------------------------------------------------------------


def test_tools_have_json_schema_and_only_what_is_loaded() -> None:
    schema = {"$schema": "x", "type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    tools = (Tool("f", "Does.", schema), Tool("late", deferred=True), Tool("come", deferred=True), Tool("raw", custom=True))
    body = written(asked(Message("user", (Loaded("come"),)), tools=tools))
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "f",
                    "description": "Does.",
                    "parametersJsonSchema": {"type": "object", "properties": {"a": {"type": "string"}}},
                },
                {"name": "come", "description": "come"},
                {
                    "name": "raw",
                    "description": "raw",
                    "parametersJsonSchema": {
                        "type": "object",
                        "properties": {"input": {"type": "string"}},
                        "required": ["input"],
                    },
                },
            ]
        }
    ]


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice("auto"), None),
        (ToolChoice("any"), {"mode": "ANY"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("tool", "f"), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_tool_choice(choice: ToolChoice, config: Json | None) -> None:
    body = written(asked(tools=(Tool("f"),), tool_choice=choice))
    assert body.get("toolConfig", {}).get("functionCallingConfig") == config


def test_server_tools_of_other_providers_are_refused() -> None:
    search = Tool("web_search", server=Foreign("anthropic", "web_search_20250305", {}))
    with pytest.raises(Refusal) as refused:
        write_request(asked(tools=(search,)), Quirks())
    assert refused.value.slug == "cannot_carry" and "web_search" in refused.value.message


# --- there and back -------------------------------------------------------------------------------------------------


def essence(request: Request) -> list[Any]:
    """What no dialect may change: who said which words, called what with what, and got which result."""
    names: dict[str, str] = {}
    found: list[Any] = []
    for message in request.messages:
        kept: list[Any] = []
        for block in message.content:
            if isinstance(block, Text):
                kept.append(block.text)
            elif isinstance(block, Media):
                kept.append(block.data or block.url or "document")
            elif isinstance(block, ToolUse):
                names[block.id] = block.name
                kept.append((block.name, orjson.loads(block.arguments or "{}")))
            elif isinstance(block, ToolResult):
                kept.append(
                    (names[block.tool_use_id], block.failed, [one.text for one in block.content if isinstance(one, Text)])
                )
        if kept:
            found.append((message.role, kept))
    return found


def plain(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Documents of plain text become text: they are compared elsewhere."""
    return tuple(
        Message(
            message.role,
            tuple(block for block in message.content if not (isinstance(block, Media) and block.text)) or (Text("."),),
        )
        for message in messages
    )


@given(strategies.requests(), st.sampled_from([NEW, OLD]))
def test_a_request_written_and_read_again_says_the_same(request: Request, model: str) -> None:
    request.model, request.messages = model, plain(request.messages)
    body = written(request)
    again = read_request(orjson.loads(orjson.dumps(body)), Entrance("generateContent", model))
    assert essence(again) == essence(request)
    assert [tool.name for tool in again.tools] == [tool.name for tool in request.tools]
    assert (again.max_tokens, again.stop) == (request.max_tokens, request.stop)
    assert [block.text for block in again.system if isinstance(block, Text)][: len(request.system)] == [
        block.text for block in request.system if isinstance(block, Text)
    ]


@given(strategies.requests("gemini"))
def test_a_gemini_request_keeps_its_thoughts_and_signatures(request: Request) -> None:
    request.model, request.messages = NEW, plain(request.messages)
    again = read_request(written(request), Entrance("generateContent", NEW))
    signed = [block.signature for message in request.messages for block in message.content if isinstance(block, Thinking)]
    kept = [
        block.signature
        for message in again.messages
        for block in message.content
        if isinstance(block, ToolUse | Text | Thinking) and block.signature not in ("", UNSIGNED)
    ]
    assert kept == signed
