"""The form as a Converse request: what Bedrock refuses is set right, what Claude and others take is where they look for it."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gw.domain.quirks import Quirks
from gw.errors import Refusal
from gw.translate.anthropic import ANTHROPIC_MESSAGES
from gw.translate.converse import CONVERSE_DIALECT
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
    Role,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from gw.translate.names import original
from tests.translate.bedrock import Json, faults, refused
from tests.translate.strategies import PNG, requests

SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CAPTURED: dict[str, Json] = orjson.loads((Path(__file__).parent / "captured.json").read_bytes())
OPUS = "global.anthropic.claude-opus-5-5"
CALL = ToolUse("toolu_1", "look", '{"at":"x"}')
RESULT = ToolResult("toolu_1", (Text("seen"),))


def turn(role: Role, *blocks: Block | str) -> Message:
    return Message(role, tuple(Text(one) if isinstance(one, str) else one for one in blocks))


def asked(*messages: Message, model: str = SONNET, **fields: Any) -> Request:
    return Request("anthropic", model, messages, **fields)


def written(request: Request, quirks: Quirks = Quirks()) -> Json:
    """The body, which the service's shapes and rules have nothing against."""
    body = CONVERSE_DIALECT.write_request(request, quirks)
    orjson.dumps(body)
    assert faults(body, "ConverseRequest") == []
    assert refused(body) == []
    return body


def contents(body: Json) -> list[tuple[str, list[Json]]]:
    return [(message["role"], message["content"]) for message in body["messages"]]


HI = turn("user", "hi")


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(requests(), st.sampled_from((SONNET, OPUS, "amazon.nova-2-lite-v1:0", "openai.gpt-oss-120b-1:0", "meta.llama4-v1:0")))
def test_bedrock_takes_whatever_is_asked(request: Request, model: str) -> None:
    request.model = model
    if any(isinstance(block, Media) and block.url for message in request.messages for block in message.content):
        with pytest.raises(Refusal, match="by its address"):
            written(request)
    else:
        written(request)


def test_a_plain_request() -> None:
    body = written(asked(HI, system=(Text("be brief"),), max_tokens=100, temperature=0.5, stop=("END",), top_k=5))
    assert body == {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "system": [{"text": "be brief"}],
        "inferenceConfig": {"maxTokens": 100, "temperature": 0.5, "stopSequences": ["END"]},
        "additionalModelRequestFields": {"top_k": 5},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
    }


TURNS: dict[str, tuple[list[Message], list[tuple[str, list[Json]]]]] = {
    "blank texts": (
        [turn("user", "", "hi", " \n"), turn("assistant", ""), turn("user", "there")],
        [("user", [{"text": "hi"}, {"text": "there"}])],
    ),
    "the assistant first": (
        [turn("assistant", "I am"), HI],
        [
            ("user", [{"text": "(The conversation begins with the assistant.)"}]),
            ("assistant", [{"text": "I am"}]),
            ("user", [{"text": "hi"}]),
        ],
    ),
    "the assistant last, with a space": (
        [HI, turn("assistant", "well \n")],
        [("user", [{"text": "hi"}]), ("assistant", [{"text": "well"}])],
    ),
    "a system message in the middle": (
        [HI, turn("system", "be brief"), turn("assistant", "ok"), HI],
        [
            ("user", [{"text": "hi"}, {"text": "<system-reminder>\nbe brief\n</system-reminder>"}]),
            ("assistant", [{"text": "ok"}]),
            ("user", [{"text": "hi"}]),
        ],
    ),
    "a tool that was loaded": (
        [HI, turn("assistant", CALL), turn("user", ToolResult("toolu_1", (Loaded("grep"),)))],
        [
            ("user", [{"text": "hi"}]),
            ("assistant", [{"toolUse": {"toolUseId": "toolu_1", "name": "look", "input": {"at": "x"}}}]),
            ("user", [{"toolResult": {"toolUseId": "toolu_1", "content": [{"text": "Tool grep is loaded."}]}}]),
        ],
    ),
}


@pytest.mark.parametrize("name", TURNS)
def test_turns_are_as_bedrock_wants_them(name: str) -> None:
    messages, expected = TURNS[name]
    assert contents(written(asked(*messages))) == expected


def parts(body: Json, at: int) -> list[str]:
    """The kinds of a message's parts, results by their id and first text."""
    found = []
    for part in body["messages"][at]["content"]:
        kind = next(iter(part))
        result = part["toolResult"] if kind == "toolResult" else None
        found.append(f"{result['toolUseId']}: {result['content'][0]['text']}" if result else part.get("text", kind))
    return found


def test_results_stand_first_behind_their_calls_in_their_order() -> None:
    two = ToolUse("toolu_2", "look")
    body = written(asked(HI, turn("assistant", CALL, two), turn("user", "and", ToolResult("toolu_2", (Text("b"),)), RESULT)))
    assert parts(body, 2) == ["toolu_1: seen", "toolu_2: b", "and"]


def test_a_result_behind_a_system_message_is_found() -> None:
    body = written(asked(HI, turn("assistant", CALL), turn("system", "note"), turn("user", RESULT), model=OPUS))
    assert parts(body, 2)[0] == "toolu_1: seen"


def test_a_call_without_its_result_is_given_one() -> None:
    for rest in ([], [turn("user", "never mind")], [turn("assistant", "more"), HI]):
        body = written(asked(HI, turn("assistant", CALL), *rest))
        assert parts(body, 2)[0] == "toolu_1: (The call was not made.)"


def test_a_result_without_its_call_becomes_text() -> None:
    body = written(asked(turn("user", RESULT)))
    assert parts(body, 0) == ["Result of the tool call toolu_1:", "seen"]


def test_newer_claude_takes_system_messages_where_they_may_stand() -> None:
    messages = (HI, turn("system", "be brief"), turn("assistant", "ok"), turn("system", "not here"), HI)
    assert [role for role, _ in contents(written(asked(*messages, model=OPUS)))] == ["user", "system", "assistant", "user"]
    assert [role for role, _ in contents(written(asked(*messages, model=OPUS), Quirks(system_in_middle=False)))] == [
        "user", "assistant", "user",
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", ["{", '"text"', "[1]", "nonsense", "1e999999"])
def test_malformed_arguments_of_an_earlier_turn_are_wrapped(arguments: str) -> None:
    body = written(asked(HI, turn("assistant", ToolUse("toolu_1", "look", arguments)), turn("user", RESULT)))
    use = body["messages"][1]["content"][0]["toolUse"]
    assert use["input"] == {"unreadable_arguments": arguments}


def test_names_and_ids_that_bedrock_refuses_lead_back() -> None:
    name = "mcp__" + "x" * 70
    tools = (Tool(name), Tool("a.b"), Tool("fine-1"))
    call, result = ToolUse("id with spaces", name), ToolResult("id with spaces", (Text("x"),))
    body = written(asked(HI, turn("assistant", call), turn("user", result), tools=tools, tool_choice=ToolChoice("tool", "a.b")))
    sent = [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]]
    assert [original(one) for one in sent] == [name, "a.b", "fine-1"]
    assert body["toolConfig"]["toolChoice"] == {"tool": {"name": sent[1]}}
    assert body["messages"][1]["content"][0]["toolUse"]["name"] == sent[0]


def test_tools() -> None:
    tools = (
        Tool("a", "does a", {"properties": {"x": {"type": "string"}}}, strict=True, cache="1h"),
        Tool("late", deferred=True),
        Tool("free", custom=True),
    )
    body = written(asked(HI, tools=tools, tool_choice=ToolChoice("any", parallel=False)))
    a, mark, free = body["toolConfig"]["tools"]
    assert a["toolSpec"] == {
        "name": "a",
        "description": "does a",
        "inputSchema": {"json": {"type": "object", "properties": {"x": {"type": "string"}}}},
        "strict": True,
    }
    assert mark == {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert free["toolSpec"]["inputSchema"]["json"]["required"] == ["input"]
    assert body["toolConfig"]["toolChoice"] == {"any": {}}
    assert body["additionalModelRequestFields"]["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}


def test_no_choice_takes_the_tools_away_and_earlier_calls_have_one() -> None:
    none = ToolChoice("none")
    assert "toolConfig" not in written(asked(HI, tools=(Tool("a"),), tool_choice=none))
    body = written(asked(HI, turn("assistant", CALL), turn("user", RESULT), tools=(Tool("a"),), tool_choice=none))
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["earlier_tool"]


def test_cache_marks_become_points_where_the_model_takes_them() -> None:
    blocks = (Text("a", cache="1h"), Text("", cache="5m"), Text("b"), Text("", cache="5m"))
    point, long = {"cachePoint": {"type": "default"}}, {"cachePoint": {"type": "default", "ttl": "1h"}}
    body = written(asked(turn("user", *blocks), system=(Text("s", cache="5m"),)))
    assert body["messages"][0]["content"] == [{"text": "a"}, long, {"text": "b"}, point]
    assert body["system"] == [{"text": "s"}, point]
    nova = written(asked(turn("user", *blocks), model="amazon.nova-pro-v1:0"))
    assert nova["messages"][0]["content"] == [{"text": "a"}, point, {"text": "b"}, point]
    llama = written(asked(turn("user", *blocks), model="meta.llama4-maverick-17b-instruct-v1:0"))
    assert llama["messages"][0]["content"] == [{"text": "a"}, {"text": "b"}]


def test_documents_have_names_of_their_own_and_a_text_beside_them() -> None:
    titles = ("a/b: c.pdf", "", "", "a b  c_pdf", "x" * 300)
    documents = tuple(Media("document", "text/plain", text="words", title=title) for title in titles)
    body = written(asked(turn("user", *documents, Media("document", data="JVBERi0xLjc="))))
    *found, text = body["messages"][0]["content"]
    assert [part["document"]["name"] for part in found] == [
        "a b c pdf", "document", "document (2)", "a b c pdf (2)", "x" * 200, "document (3)",
    ]  # fmt: skip
    assert [part["document"]["format"] for part in found] == ["txt"] * 5 + ["pdf"] and text == {"text": "See the document."}


def test_images_and_what_is_refused_of_them() -> None:
    body = written(asked(turn("user", Media("image", data=PNG), Media("image", "image/jpeg", "/9j/"))))
    assert [part["image"]["format"] for part in body["messages"][0]["content"]] == ["png", "jpeg"]
    for media, words in (
        (Media("image", "image/tiff", "AAAA"), "'image/tiff' cannot be sent to"),
        (Media("image", url="https://x/y.png"), "by its address"),
        (Media("document", file_id="file_1"), "as a file that another provider has"),
    ):
        with pytest.raises(Refusal, match=words) as caught:
            written(asked(turn("user", media)))
        assert caught.value.slug == "cannot_carry"
    with pytest.raises(Refusal, match=r"^capability_rejected: image_block$"):
        written(asked(turn("user", Media("image", data=PNG))), Quirks(images=False))


def test_thoughts_of_earlier_turns_go_back_to_who_has_sealed_them() -> None:
    own = (Thinking("hm", "c2ln", sealed_by="anthropic"), Thinking(redacted="cmVk", sealed_by="anthropic"))
    others = (Thinking("hm", "x", sealed_by="gemini"), Thinking("unsigned", sealed_by="anthropic"), Thinking("nobody's"))
    body = written(asked(HI, turn("assistant", *own, *others, "so"), HI))
    assert body["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
        {"text": "so"},
    ]
    llama = written(asked(HI, turn("assistant", *own, "so"), HI, model="meta.llama4"))
    assert llama["messages"][1]["content"] == [{"text": "so"}]


THINKING: list[tuple[str, Effort, Json]] = [
    (SONNET, Effort("on", budget=2048), {"more": {"thinking": {"type": "enabled", "budget_tokens": 2048}}}),
    (SONNET, Effort("off"), {"more": {"thinking": {"type": "disabled"}}}),
    (OPUS, Effort("adaptive", "high", shown=False), {
        "more": {"thinking": {"type": "adaptive", "display": "omitted"}}, "output": {"effort": "high"}}),
    ("openai.gpt-oss-120b-1:0", Effort("on", "xhigh"), {"more": {"reasoning_effort": "high"}}),
    ("us.amazon.nova-2-lite-v1:0", Effort("on", "low"), {
        "more": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}}),
    ("meta.llama4", Effort("on", "low"), {"lost": ["thinking"]}),
]  # fmt: skip


@pytest.mark.parametrize(("model", "effort", "expected"), THINKING)
def test_thinking_is_asked_for_in_the_models_own_words(model: str, effort: Effort, expected: Json) -> None:
    request = asked(HI, model=model, effort=effort, max_tokens=8000)
    body = written(request)
    assert body.get("additionalModelRequestFields") == expected.get("more")
    assert body.get("outputConfig") == expected.get("output")
    assert request.lost == expected.get("lost", [])


def test_structured_output() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
    body = written(asked(HI, format=Format("schema", "my answer", "", schema)))
    wanted = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert orjson.loads(wanted["schema"]) == schema
    for quirks, kind in ((Quirks(json_schema=False), "schema"), (Quirks(), "json")):
        words = written(asked(HI, format=Format(kind, schema=schema)), quirks)["system"][0]["text"]  # type: ignore[arg-type]
        assert "nothing else" in words


def test_what_is_left_out_is_named() -> None:
    request = asked(HI, seed=1, presence_penalty=1.0, stop=("\n", "x"), foreign={"context_management": {}}, service_tier="scale")
    request.effort, request.max_tokens, request.temperature = Effort("on", budget=5000), 6000, 0.3
    written(request)
    assert sorted(request.lost) == [
        "context_management", "presence_penalty", "seed", "service_tier", "stop sequences of white space", "temperature",
    ]  # fmt: skip


def test_what_only_another_dialect_has() -> None:
    foreign = Foreign("anthropic", "web_search_tool_result", {"type": "web_search_tool_result"})
    request = asked(HI, turn("assistant", foreign, "so"), HI)
    assert written(request)["messages"][1]["content"] == [{"text": "so"}] and request.lost
    for request in (
        asked(turn("user", foreign)),
        asked(HI, tools=(Tool("web_search", server=Foreign("anthropic", "web_search_20250305", {})),)),
        asked(HI, choices=2),
        asked(turn("user", "")),
    ):
        with pytest.raises(Refusal) as caught:
            written(request)
        assert caught.value.slug == "cannot_carry"


def test_what_only_bedrock_has_comes_out_again() -> None:
    body = {
        "messages": [{"role": "user", "content": [{"guardContent": {"text": {"text": "x"}}}, {"text": "hi"}]}],
        "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]},
        "guardrailConfig": {"guardrailIdentifier": "g1", "guardrailVersion": "1"},
        "requestMetadata": {"team": "a"},
        "serviceTier": {"type": "flex"},
        "additionalModelRequestFields": {"top_k": 4, "mine": 1},
        "inferenceConfig": {"maxTokens": 7},
    }
    request = CONVERSE_DIALECT.read_request(body, Entrance("converse", SONNET))
    assert written(request) == body


@pytest.mark.parametrize("model", [SONNET, OPUS, "openai.gpt-oss-120b-1:0"])
@pytest.mark.parametrize("name", CAPTURED)
def test_what_claude_code_asks_is_taken(name: str, model: str) -> None:
    request = ANTHROPIC_MESSAGES.read_request(CAPTURED[name], Entrance("messages", model))
    try:
        body = written(request)
    except Refusal as refusal:
        assert (name, refusal.slug) == ("websearch_side_request", "cannot_carry")
        return
    assert ("thinking" in body.get("additionalModelRequestFields", {})) == ("claude" in model and request.effort.mode != "")


def test_a_prompt_alone_is_what_the_user_says() -> None:
    assert contents(written(asked(system=(Text("hi"),)))) == [("user", [{"text": "hi"}])]


def test_extra_and_dropped_fields_of_the_configuration() -> None:
    request = asked(HI, service_tier="flex")
    quirks = Quirks(fields_dropped=("serviceTier",), extra={"performanceConfig": {"latency": "optimized"}})
    assert written(request, quirks)["performanceConfig"] == {"latency": "optimized"} and request.lost == ["serviceTier"]
