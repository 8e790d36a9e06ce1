"""Converse as boto3 speaks it: its requests are read, its answers, streams and errors are written, and whole answers are read."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from botocore.exceptions import ClientError, EventStreamError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gw.domain.quirks import Quirks
from gw.domain.usage import Usage
from gw.errors import Refusal
from gw.translate.converse import CONVERSE_DIALECT
from gw.translate.converse_words import error_head
from gw.translate.dialect import Entrance
from gw.translate.form import (
    Answer,
    BlockStart,
    BlockStop,
    Citation,
    Effort,
    End,
    Event,
    Failure,
    Foreign,
    Format,
    Media,
    Message,
    Request,
    Start,
    Text,
    TextDelta,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from tests.translate.bedrock import STREAM, Json, Reply, client, faults, serving
from tests.translate.strategies import PNG, answers, requests
from tests.translate.test_converse_broken import anything

SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
BLOCKS = ("text", "image", "document", "toolUse", "toolResult", "reasoningContent", "citationsContent", "cachePoint")
HI = {"role": "user", "content": [{"text": "hi"}]}
USAGE = Usage(7, 9, 100, 20, 10)
FAILURE = Failure("rate_limit_error", "slow down", 429)


class Gateway:
    """What the server has been asked, and what it answers."""

    def __init__(self) -> None:
        self.asked = Request("converse")
        self.answer = Answer("id", "m", (Text("hello"),), "end_turn", USAGE)
        self.events: list[Event] = []
        self.failure: Failure | None = None

    def __call__(self, path: str, body: Json, headers: dict[str, str]) -> Reply:
        stream = path.endswith("/converse-stream")
        self.asked = CONVERSE_DIALECT.read_request(body, Entrance("converse", SONNET, stream))
        if self.failure:
            status, name = error_head(self.failure)
            return status, {"x-amzn-ErrorType": name}, orjson.dumps(CONVERSE_DIALECT.write_error(self.failure, "gw_1"))
        if stream:
            return 200, STREAM, CONVERSE_DIALECT.event_writer(self.asked).write(self.events)
        return 200, {}, orjson.dumps(CONVERSE_DIALECT.write_answer(self.answer, self.asked))


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Any, Gateway]]:
    gateway = Gateway()
    with serving(gateway) as url:
        found = client(url)
        yield found, gateway
        found.close()


EVERYTHING: dict[str, Any] = dict(
    modelId=SONNET,
    system=[{"text": "be brief"}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
    messages=[
        {"role": "user", "content": [
            {"text": "look"},
            {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}},
            {"document": {"name": "notes", "format": "md", "source": {"bytes": b"# words"}, "citations": {"enabled": True}}},
            {"cachePoint": {"type": "default"}},
        ]},
        {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
            {"reasoningContent": {"redactedContent": b"red"}},
            {"citationsContent": {"content": [{"text": "so"}], "citations": [
                {"title": "notes", "sourceContent": [{"text": "words"}],
                 "location": {"documentChar": {"documentIndex": 0, "start": 2, "end": 7}}}]}},
            {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"at": [1, 2.5, None]}}},
        ]},
        {"role": "user", "content": [
            {"toolResult": {"toolUseId": "t1", "status": "error", "content": [
                {"json": {"a": 1}}, {"text": "b"}, {"image": {"format": "jpeg", "source": {"bytes": b"\xff\xd8"}}}]}},
            {"guardContent": {"text": {"text": "safe?"}}},
        ]},
    ],
    inferenceConfig={"maxTokens": 50, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
    toolConfig={
        "tools": [
            {"toolSpec": {
                "name": "look", "description": "looks", "inputSchema": {"json": {"type": "object"}}, "strict": True}},
            {"cachePoint": {"type": "default"}},
            {"systemTool": {"name": "nova_grounding"}},
        ],
        "toolChoice": {"tool": {"name": "look"}},
    },
    additionalModelRequestFields={"top_k": 5, "thinking": {"type": "enabled", "budget_tokens": 1024}, "other": 1},
    guardrailConfig={"guardrailIdentifier": "g1", "guardrailVersion": "1"},
    requestMetadata={"team": "a"},
    serviceTier={"type": "priority"},
    outputConfig={"textFormat": {
        "type": "json_schema", "structure": {"jsonSchema": {"schema": '{"type":"object"}', "name": "n"}}}},
)  # fmt: skip


def test_boto3_asks_everything(pair: tuple[Any, Gateway]) -> None:
    boto, gateway = pair
    boto.converse(**EVERYTHING)
    asked = gateway.asked
    assert asked.system == (Text("be brief", cache="1h"),)
    first, second, third = asked.messages
    assert first.content == (
        Text("look"),
        Media("image", "image/png", "iVBORw=="),
        Media("document", "text/markdown", text="# words", title="notes", cited=True, cache="5m"),
    )
    assert second.content == (
        Thinking("hm", "c2ln", sealed_by="anthropic"),
        Thinking(redacted="cmVk", sealed_by="anthropic"),
        Text("so", (Citation("words", "notes", "", 0, "char", 2, 7),)),
        ToolUse("t1", "look", '{"at":[1,2.5,null]}'),
    )
    result, guard = third.content
    assert result == ToolResult("t1", (Text('{"a":1}'), Text("b"), Media("image", "image/jpeg", "/9g=")), failed=True)
    assert guard == Foreign("converse", "guardContent", {"guardContent": {"text": {"text": "safe?"}}})
    assert (asked.max_tokens, asked.temperature, asked.top_p, asked.top_k, asked.stop) == (50, 0.5, 0.9, 5, ("END",))
    look, grounding = asked.tools
    assert look == Tool("look", "looks", {"type": "object"}, True, cache="5m")
    assert grounding.server == Foreign("converse", "systemTool", {"systemTool": {"name": "nova_grounding"}})
    assert asked.tool_choice == ToolChoice("tool", "look")
    assert asked.effort == Effort("on", budget=1024)
    assert asked.format == Format("schema", "n", "", {"type": "object"})
    assert asked.service_tier == "priority" and asked.model == SONNET and not asked.stream
    assert asked.foreign == {
        "guardrailConfig": {"guardrailIdentifier": "g1", "guardrailVersion": "1"},
        "requestMetadata": {"team": "a"},
        "additionalModelRequestFields": {"other": 1},
    }


def test_boto3_reads_an_answer(pair: tuple[Any, Gateway]) -> None:
    boto, gateway = pair
    cited = Text("so", (Citation("words", url="https://x/y"),))
    thoughts = (Thinking("hm", "c2ln", sealed_by="anthropic"), Thinking(redacted="cmVk", sealed_by="anthropic"))
    blocks = (*thoughts, Text("hello"), Text(""), cited, ToolUse("t1", "look", '{"a":1}'), Media("image", "image/png", PNG))
    gateway.answer = Answer("id", "m", blocks, "tool_use", USAGE)
    found = boto.converse(modelId=SONNET, messages=[HI])
    *said, image = found["output"]["message"]["content"]
    assert said == [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": b"red"}},
        {"text": "hello"},
        {"citationsContent": {"content": [{"text": "so"}], "citations": [
            {"source": "https://x/y", "sourceContent": [{"text": "words"}], "location": {"web": {"url": "https://x/y"}}}]}},
        {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"a": 1}}},
    ]  # fmt: skip
    assert image["image"]["source"]["bytes"].startswith(b"\x89PNG")
    assert found["stopReason"] == "tool_use"
    assert found["usage"] == {
        "inputTokens": 7, "outputTokens": 9, "totalTokens": 146, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 30,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 10}, {"ttl": "5m", "inputTokens": 20}],
    }  # fmt: skip


def test_boto3_reads_a_stream(pair: tuple[Any, Gateway]) -> None:
    boto, gateway = pair
    gateway.events = [Start("id", "m"), BlockStart(0, Text("")), TextDelta(0, "hé"), BlockStop(0), End("end_turn", USAGE)]
    found = list(boto.converse_stream(modelId=SONNET, messages=[HI])["stream"])
    assert gateway.asked.stream
    assert found[:4] == [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "hé"}}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
    ]
    assert found[4]["metadata"]["usage"]["outputTokens"] == 9


def test_boto3_raises_what_ends_a_stream(pair: tuple[Any, Gateway]) -> None:
    boto, gateway = pair
    gateway.events = [Start("id", "m"), FAILURE]
    with pytest.raises(EventStreamError, match="slow down") as caught:
        list(boto.converse_stream(modelId=SONNET, messages=[HI])["stream"])
    assert caught.value.response["Error"]["Code"] == "throttlingException"


ERRORS = {
    "rate_limit_error": (429, "ThrottlingException"),
    "billing_error": (400, "ServiceQuotaExceededException"),
    "policy_blocked": (400, "ValidationException"),
    "authentication_error": (403, "AccessDeniedException"),
    "not_found_error": (404, "ResourceNotFoundException"),
    "overloaded_error": (503, "ServiceUnavailableException"),
    "timeout_error": (408, "ModelTimeoutException"),
    "api_error": (500, "InternalServerException"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_boto3_raises_errors_by_their_name(kind: str, pair: tuple[Any, Gateway]) -> None:
    boto, gateway = pair
    gateway.failure = Failure(kind, "why")
    try:
        with pytest.raises(ClientError, match="why") as caught:
            boto.converse(modelId=SONNET, messages=[HI])
    finally:
        gateway.failure = None
    status = caught.value.response["ResponseMetadata"]["HTTPStatusCode"]
    assert (status, caught.value.response["Error"]["Code"]) == ERRORS[kind]


# --- answers ----------------------------------------------------------------------------------------------------------


@given(answers())
def test_an_answer_written_and_read_again_says_the_same(answer: Answer) -> None:
    body = CONVERSE_DIALECT.write_answer(answer, Request("converse"))
    assert faults(body, "ConverseResponse") == []
    found = CONVERSE_DIALECT.read_answer(body, "bedrock")
    assert isinstance(found, Answer)
    wanted = [block for block in answer.content if not isinstance(block, Text) or block.text]
    assert [plain(block) for block in found.content] == [plain(block) for block in wanted]
    assert (found.usage.input_tokens, found.usage.output_tokens) == (answer.usage.input_tokens, answer.usage.output_tokens)
    assert found.stop == ("tool_use" if any(isinstance(one, ToolUse) for one in wanted) else answer.stop)


def plain(block: Any) -> Any:
    return (block.id, block.name, orjson.loads(block.arguments or "{}")) if isinstance(block, ToolUse) else block


@pytest.mark.parametrize("body", [{}, {"output": None}, {"output": {"message": {"content": "x"}}}, {"message": "no"}])
def test_what_is_no_answer_is_a_failure(body: Json) -> None:
    found = CONVERSE_DIALECT.read_answer(body, "bedrock")
    assert isinstance(found, Failure) and found.code == "garbled"


def test_what_only_bedrock_tells_is_told_to_its_own_clients() -> None:
    body = {
        "output": {"message": {"role": "assistant", "content": [{"text": "a"}, 5, {}]}},
        "stopReason": "stop_sequence",
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        "metrics": {"latencyMs": 55},
        "additionalModelResponseFields": {"stop_sequence": "END"},
        "serviceTier": {"type": "flex"},
    }
    found = CONVERSE_DIALECT.read_answer(body, "bedrock")
    assert isinstance(found, Answer)
    assert (found.content, found.stop, found.stop_sequence) == ((Text("a"),), "stop_sequence", "END")
    again = CONVERSE_DIALECT.write_answer(found, Request("converse"))
    assert again["metrics"] == {"latencyMs": 55} and again["serviceTier"] == {"type": "flex"}


UPSTREAM_ERRORS = [
    (429, b'{"message":"Too many requests"}', Failure("rate_limit_error", "Too many requests", 429)),
    (400, b'{"message":"m"}', Failure("invalid_request_error", "m", 400)),
    (403, b'{"Message":"no"}', Failure("permission_error", "no", 403)),
    (403, b'{"__type":"a.b#ExpiredTokenException","message":"no"}',
     Failure("authentication_error", "no", 403, "ExpiredTokenException")),
    (424, b'{"message":"m"}', Failure("api_error", "m", 424)),
    (503, b"<html>", Failure("overloaded_error", "<html>", 503)),
    (500, b"", Failure("api_error", "The upstream answered with status 500 and no words.", 500)),
    (400, b'{"message":"Input is too long for requested model."}',
     Failure("invalid_request_error", "prompt is too long: Input is too long for requested model.", 400)),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "expected"), UPSTREAM_ERRORS)
def test_errors_of_an_upstream(status: int, body: bytes, expected: Failure) -> None:
    assert CONVERSE_DIALECT.read_error(status, body) == expected


# --- requests ---------------------------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(requests(media=False, thinking=False))
def test_a_request_written_and_read_again_asks_the_same(request: Request) -> None:
    request.model, request.effort, request.format = SONNET, Effort(), None
    body = CONVERSE_DIALECT.write_request(request, Quirks())
    found = CONVERSE_DIALECT.read_request(body, Entrance("converse", SONNET, request.stream))
    assert texts(found.messages) == texts(request.messages)
    assert calls(found.messages) == calls(request.messages)
    assert (found.max_tokens, found.stream, found.stop) == (request.max_tokens, request.stream, request.stop)


def texts(messages: tuple[Message, ...]) -> str:
    """All words in their order, whatever block and message they stand in."""
    return "|".join(block.text for message in messages for block in message.content if isinstance(block, Text))


def calls(messages: tuple[Message, ...]) -> list[Any]:
    return [plain(block) for message in messages for block in message.content if isinstance(block, ToolUse)]


WRONG = [
    ({"messages": "hi"}, "messages: must be a list"),
    ({"messages": ["hi"]}, "messages.0: must be an object"),
    ({"messages": [{"role": "tool", "content": []}]}, "messages.0.role: must be user, assistant or system"),
    ({"messages": [{"role": "user", "content": "hi"}]}, "messages.0.content: must be a list"),
    ({"messages": [{"role": "user", "content": ["hi"]}]}, "messages.0.content.0: must be an object"),
    ({"messages": [{"role": "user", "content": [{"text": 5}]}]}, "messages.0.content.0.text: must be a text"),
    ({"messages": [{"role": "user", "content": [{"toolUse": []}]}]}, "messages.0.content.0.toolUse: must be an object"),
    ({"messages": [{"role": "user", "content": [{"toolResult": {"content": [{"text": 5}]}}]}]}, "toolResult.content.0.text"),
    ({"system": "hi"}, "system: must be a list"),
    ({"system": [{"text": None}]}, "system.0.text: must be a text"),
    ({"inferenceConfig": []}, "inferenceConfig: must be an object"),
    ({"inferenceConfig": {"maxTokens": "5"}}, "inferenceConfig.maxTokens: must be a number"),
    ({"toolConfig": {"tools": [{"toolSpec": {}}]}}, "toolConfig.tools.0.toolSpec.name: is missing"),
    ({"outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "{"}}}}}, "must be the text of a JSON Schema"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "words"), WRONG)
def test_what_is_wrong_is_named_by_its_place(body: Json, words: str) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        CONVERSE_DIALECT.read_request(body, Entrance("converse", SONNET))
    assert caught.value.slug == "invalid_field"


def test_fields_and_blocks_yet_unknown_are_kept() -> None:
    block = {"hologram": {"format": "h1"}}
    body = {"messages": [{"role": "user", "content": [block]}], "tomorrow": 1}
    asked = CONVERSE_DIALECT.read_request(body, Entrance("converse", SONNET))
    assert asked.messages[0].content == (Foreign("converse", "hologram", block),) and asked.foreign == {"tomorrow": 1}


MORE: list[tuple[Json, Effort]] = [
    (
        {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "low"}},
        Effort("adaptive", "low", shown=False),
    ),
    ({"thinking": {"type": "disabled"}}, Effort("off")),
    ({"reasoning_config": {"type": "enabled", "budget_tokens": 2000}}, Effort("on", budget=2000)),
    ({"reasoning_effort": "high"}, Effort(level="high")),
    ({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}, Effort("on", "low")),
]


@pytest.mark.parametrize(("more", "effort"), MORE)
def test_thinking_in_the_words_of_each_model(more: Json, effort: Effort) -> None:
    asked = CONVERSE_DIALECT.read_request({"messages": [HI], "additionalModelRequestFields": more}, Entrance("converse", "m"))
    assert asked.effort == effort and asked.foreign == {}


blocks = st.dictionaries(st.sampled_from((*BLOCKS, "new")), st.text(max_size=5) | anything, min_size=1, max_size=1)
turns = st.fixed_dictionaries({"role": st.sampled_from(("user", "assistant", "system")), "content": st.lists(blocks, max_size=3)})


@settings(max_examples=200)
@given(st.lists(turns, max_size=3), st.sampled_from(("system", "toolConfig", "outputConfig", "inferenceConfig")), anything)
def test_any_body_is_refused_or_read_and_written_again(messages: list[Json], name: str, value: Any) -> None:
    try:
        asked = CONVERSE_DIALECT.read_request({"messages": messages, name: value}, Entrance("converse", SONNET))
        CONVERSE_DIALECT.write_request(asked, Quirks())
    except Refusal as refusal:
        assert refusal.slug in {"invalid_field", "cannot_carry"}
    answer = CONVERSE_DIALECT.read_answer({"output": {"message": messages[0] if messages else {}}, "usage": value}, "bedrock")
    if isinstance(answer, Answer):
        CONVERSE_DIALECT.write_answer(answer, Request("converse"))
