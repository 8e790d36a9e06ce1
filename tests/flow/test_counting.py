"""Counts of tokens, whoever asks and whoever counts: exact where the upstream counts, estimated else, never charged."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from gw.demo.exchange import Chunk, Reply, Request
from tests.flow.landscape import Answered, Landscape, landscape, upstreams
from tests.translate.bedrock import faults

PLACES = upstreams("claude", "gpt", "google", "vertex", "aws", "groq") + """
[routing]
breaker_failures = 1
[[rule]]
name = "short"
do = { max_tokens = 10 }
[[budget]]
name = "b"
key = "ada"
limit_usd = 1
window = "day"
"""
TEXT = "How many tokens are there? " * 40
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}
ANTHROPIC = {"system": "Be brief.", "tools": [TOOL], "messages": [{"role": "user", "content": TEXT}]}
PARTS = [{"text": TEXT}]
CONTENTS: dict[str, Any] = {"contents": [{"role": "user", "parts": PARTS}]}
CONVERSE: dict[str, Any] = {"messages": [{"role": "user", "content": PARTS}], "system": [{"text": "Be brief."}]}
INVOKE = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 10, "messages": ANTHROPIC["messages"]}
RESPONSES = {"input": TEXT, "instructions": "Be brief."}

# Whose client -> where it asks, what, and where its answer has the total.
CLIENTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "anthropic": ("/anthropic/v1/messages/count_tokens", {"model": "{model}", **ANTHROPIC}, "input_tokens"),
    "responses": ("/openai/v1/responses/input_tokens", {"model": "{model}", **RESPONSES}, "input_tokens"),
    "gemini": ("/genai/v1beta/models/{model}:countTokens", CONTENTS, "totalTokens"),
    "converse": ("/bedrock/model/{model}/count-tokens", {"input": {"converse": CONVERSE}}, "inputTokens"),
    "invoke": (
        "/bedrock/model/{model}/count-tokens",
        {"input": {"invokeModel": {"body": b64encode(orjson.dumps(INVOKE)).decode()}}},
        "inputTokens",
    ),
}
MODELS = {
    "claude": "claude/claude-opus-5-5",
    "gpt": "gpt/gpt-5.6",
    "google": "google/gemini-3-pro-preview",
    "vertex": "vertex/claude-opus-5-5",
    "vertex-gemini": "vertex/gemini-3-pro-preview",
    "aws": "aws/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "aws-nova": "aws/us.amazon.nova-pro-v1:0",
}


def says(value: Any, status: int = 200) -> Callable[[Request], Reply]:
    return lambda request: Reply(status, (("content-type", "application/json"),), (Chunk(orjson.dumps(value)),))


def asked_by(client: str, model: str) -> tuple[str, dict[str, Any]]:
    path, body, _ = CLIENTS[client]
    return path.replace("{model}", model), {**body, **({"model": model} if "model" in body else {})}


async def count(house: Landscape, client: str, model: str, **more: Any) -> Answered:
    path, body = asked_by(client, model)
    return await house.send({**body, **more}, key="ada", path=path)


def free(answered: Answered) -> None:
    row = answered.row
    assert (row.endpoint, row.outcome, row.usage_source, row.billed_pusd) == ("count_tokens", "completed", "none", 0)
    assert row.key_name == "ada" and row.input_tokens == 0 and "x-gw-cost-usd" not in answered.headers


SCRIPTS = {
    "claude": says({"input_tokens": 4242}),
    "gpt": says({"object": "response.input_tokens", "input_tokens": 4242}),
    "google": says({"totalTokens": 4242, "promptTokensDetails": []}),
    "vertex": lambda request: says({"input_tokens": 4242, "totalTokens": 4242})(request),
    "aws": says({"inputTokens": 4242}),
}


def judged(name: str, request: Request) -> None:
    """What each upstream was asked is a question that it knows."""
    body = request.json
    path = request.path
    match name:
        case "claude":
            assert path == "/v1/messages/count_tokens" and body["model"] == "claude-opus-5-5"
            assert body.keys() <= {"model", "messages", "system", "tools"}
        case "gpt":
            assert path == "/v1/responses/input_tokens" and body["model"] == "gpt-5.6"
            assert body.keys() <= {"model", "input", "instructions", "tools", "reasoning", "parallel_tool_calls", "tool_choice"}
        case "google":
            assert path == "/v1beta/models/gemini-3-pro-preview:countTokens"
            inner = body.get("generateContentRequest", body)
            assert inner.keys() <= {"model", "contents", "systemInstruction", "tools"}
        case "vertex":
            assert path.endswith("/publishers/anthropic/models/count-tokens:rawPredict")
            assert body["model"] == "claude-opus-5-5" and body["anthropic_version"] == "vertex-2023-10-16"
            assert body.keys() <= {"model", "messages", "system", "tools", "anthropic_version"}
        case "vertex-gemini":
            assert path.endswith("/publishers/google/models/gemini-3-pro-preview:countTokens")
            assert body.keys() <= {"contents", "systemInstruction", "tools"}
        case _:
            model = "anthropic.claude-sonnet-4-5-20250929-v1:0" if name == "aws" else "amazon.nova-pro-v1:0"
            assert request.target == f"/model/{model.replace(':', '%3A')}/count-tokens"
            (kind,) = body["input"]
            if kind == "converse":
                assert not faults(body, "CountTokensRequest")
            else:
                inner = orjson.loads(b64decode(body["input"]["invokeModel"]["body"]))
                assert inner["anthropic_version"] == "bedrock-2023-05-31" and inner["messages"] and inner["max_tokens"]


@pytest.mark.parametrize("model", MODELS)
async def test_an_upstream_that_counts_is_asked_in_its_own_words(tmp_path: Path, model: str) -> None:
    async with landscape(tmp_path, PLACES, **SCRIPTS) as house:
        for client, (_, _, total) in CLIENTS.items():
            answered = await count(house, client, MODELS[model])
            assert answered.status == 200, (client, answered.body)
            assert answered.json[total] == 4242, client
            assert "x-gw-estimated" not in answered.headers
            free(answered)
            name = model.partition("-")[0]
            judged(model, house.last(name))
            sent = orjson.dumps(house.last(name).json)
            assert b"How many tokens" in sent or b"invokeModel" in sent


@pytest.mark.parametrize("client", CLIENTS)
async def test_where_nobody_counts_it_is_estimated_and_says_so(tmp_path: Path, client: str) -> None:
    async with landscape(tmp_path, PLACES) as house:
        answered = await count(house, client, "groq/llama-3.3-70b-versatile")
        assert answered.status == 200 and answered.headers["x-gw-estimated"] == "true"
        assert 200 < answered.json[CLIENTS[client][2]] < 500
        free(answered)
        assert house.asked() == {}


@pytest.mark.parametrize(
    "script",
    [
        says({"message": "not authorized to perform: bedrock:CountTokens"}, 403),
        says({"message": "The provided model doesn't support counting tokens."}, 400),
        says({"message": "Internal"}, 500),
        says({"tokens": "many"}),
        lambda request: Reply(200, (), (Chunk(b"<html>"),)),
    ],
)
async def test_who_would_not_count_may_serve_all_the_same(tmp_path: Path, script: Callable[[Request], Reply]) -> None:
    """An estimate for the client, and nothing is held against the place or its credential."""

    def aws(request: Request) -> Reply:
        if request.path.endswith("/count-tokens"):
            return script(request)
        content = {"role": "assistant", "content": [{"text": "hi"}]}
        usage = {"inputTokens": 5, "outputTokens": 1, "totalTokens": 6}
        answer = {"output": {"message": content}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}}
        return says(answer)(request)

    async with landscape(tmp_path, PLACES, aws=aws) as house:
        for _ in range(2):
            answered = await count(house, "anthropic", MODELS["aws-nova"])
            assert answered.status == 200 and answered.headers["x-gw-estimated"] == "true", answered.body
            assert 200 < answered.json["input_tokens"] < 500
            free(answered)
        body = {"model": MODELS["aws-nova"], "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        served = await house.send(body, key="ada")
        assert served.status == 200, served.body


async def test_an_error_in_the_clients_own_words_is_the_clients(tmp_path: Path) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "messages: at least one message is required"}}
    async with landscape(tmp_path, PLACES, claude=says(error, 400)) as house:
        answered = await count(house, "anthropic", MODELS["claude"])
        assert (answered.status, answered.json) == (400, error)


@pytest.mark.parametrize("given", [{}, {"input": []}, {"input": {"invokeModel": {"body": "?"}}}, {"input": {"invokeModel": {}}}])
async def test_a_question_that_asks_nothing_is_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    async with landscape(tmp_path, PLACES) as house:
        answered = await house.send(given, key="ada", path=f"/bedrock/model/{MODELS['aws']}/count-tokens")
        assert answered.status == 400 and b"input" in answered.body
        assert answered.headers["x-amzn-errortype"] == "ValidationException"


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (MODELS["vertex-gemini"], {"generateContentRequest": {"model": "models/x", **CONTENTS}}),
        (MODELS["google"], {**CONTENTS, "systemInstruction": {"parts": PARTS}}),
    ],
)
async def test_googles_two_forms_of_the_question_reach_either_of_its_platforms(
    tmp_path: Path, model: str, body: dict[str, Any]
) -> None:
    async with landscape(tmp_path, PLACES, **SCRIPTS) as house:
        answered = await house.send(body, key="ada", path=f"/genai/v1beta/models/{model}:countTokens")
        assert answered.json["totalTokens"] == 4242
        judged("vertex-gemini" if "vertex" in model else "google", house.last(model.partition("/")[0]))
