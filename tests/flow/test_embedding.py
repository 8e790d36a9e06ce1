"""Embeddings of the clouds: each is asked in its own words, and what it says was used is what is charged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from gw.demo.exchange import Chunk, Reply, Request
from tests.flow.landscape import Answered, Landscape, landscape, upstreams

PLACES = upstreams("vertex", "aws", "google") + """
[[pricing.override]]
name = "cohere"
upstream = "aws"
model = "cohere.embed-*"
input = "0.10"
output = "0"
[[pricing.override]]
name = "old"
upstream = "vertex"
model = "text-embedding-*"
input = "0.10"
output = "0"
"""
VECTOR = [0.5, -0.25]
TEXTS = ["one", "two words"]
SHORT = {"outputDimensionality": 2}
PICTURE = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}


def says(value: Any, *headers: tuple[str, str]) -> Callable[[Request], Reply]:
    return lambda request: Reply(200, (("content-type", "application/json"), *headers), (Chunk(orjson.dumps(value)),))


def contents(texts: list[str]) -> list[dict[str, Any]]:
    return [{"parts": [{"text": text}]} for text in texts]


def predicted(tokens: int) -> dict[str, Any]:
    return {"embeddings": {"values": VECTOR, "statistics": {"token_count": tokens, "truncated": False}}}


# Model -> what it answers for n texts, its path, what it has to be asked, and its price in pico-USD per token.
UPSTREAMS: dict[str, tuple[Callable[[int], Callable[[Request], Reply]], str, Callable[[list[str]], dict[str, Any]], int]] = {
    "vertex/gemini-embedding-001": (
        lambda n: says({"embeddings": [{"values": VECTOR}] * n, "usageMetadata": {"promptTokenCount": 7}}),
        "/v1/projects/p/locations/global/publishers/google/models/gemini-embedding-001:batchEmbedContents",
        lambda texts: {"requests": [{"content": one, "embedContentConfig": SHORT} for one in contents(texts)]},
        150_000,
    ),
    "vertex/text-embedding-005": (
        lambda n: says({"predictions": [predicted(0 if at else 7) for at in range(n)]}),
        "/v1/projects/p/locations/global/publishers/google/models/text-embedding-005:predict",
        lambda texts: {"instances": [{"content": text} for text in texts], "parameters": SHORT},
        100_000,
    ),
    "aws/cohere.embed-v4:0": (
        lambda n: says({"embeddings": {"float": [VECTOR] * n}}, ("x-amzn-bedrock-input-token-count", "7")),
        "/model/cohere.embed-v4%3A0/invoke",
        lambda texts: {
            "texts": texts, "input_type": "search_document", "embedding_types": ["float"], "output_dimension": 2,
        },
        100_000,
    ),
    "aws/amazon.titan-embed-text-v2:0": (
        lambda n: says({"embedding": VECTOR, "inputTextTokenCount": 7}),
        "/model/amazon.titan-embed-text-v2%3A0/invoke",
        lambda texts: {"inputText": texts[0], "normalize": True, "dimensions": 2},
        20_000,
    ),
}  # fmt: skip


def exact(answered: Answered, pusd: int) -> None:
    row = answered.row
    assert (row.endpoint, row.outcome, row.usage_source) == ("embeddings", "completed", "exact")
    assert row.input_tokens == 7 and row.billed_pusd == 7 * pusd and not row.usage_flags


@pytest.mark.parametrize("model", UPSTREAMS)
async def test_each_is_asked_in_its_own_words_and_priced(tmp_path: Path, model: str) -> None:
    script, path, asked, pusd = UPSTREAMS[model]
    name, _, rest = model.partition("/")
    texts = TEXTS[:1] if "titan" in rest else TEXTS
    async with landscape(tmp_path, PLACES, **{name: script(len(texts))}) as house:
        openai = await house.send({"model": model, "input": texts, "dimensions": 2}, key="ada", path="/openai/v1/embeddings")
        assert openai.status == 200, openai.body
        assert [one["embedding"] for one in openai.json["data"]] == [VECTOR] * len(texts)
        assert openai.json["usage"]["prompt_tokens"] == 7
        assert house.last(name).target == path and house.last(name).json == asked(texts)
        exact(openai, pusd)
        several = [{"content": one, "outputDimensionality": 2} for one in contents(texts)]
        google = await house.send({"requests": several}, key="ada", path=f"/genai/v1beta/models/{model}:batchEmbedContents")
        assert google.status == 200, google.body
        assert google.json["embeddings"] == [{"values": VECTOR}] * len(texts) and house.last(name).json == asked(texts)
        exact(google, pusd)


async def one(house: Landscape, model: str, *parts: dict[str, Any]) -> Answered:
    body = {"content": {"parts": list(parts)}, "embedContentConfig": {"taskType": "RETRIEVAL_QUERY"}}
    return await house.send(body, key="ada", path=f"/genai/v1/models/{model}:embedContent")


async def test_a_picture_reaches_a_model_of_geminis_and_no_other(tmp_path: Path) -> None:
    google = says({"embeddings": [{"values": VECTOR}], "usageMetadata": {"promptTokenCount": 7}})
    async with landscape(tmp_path, PLACES, google=google, vertex=google) as house:
        answered = await one(house, "google/gemini-embedding-2", {"text": "a"}, PICTURE)
        assert answered.status == 200, answered.body
        assert answered.json["embedding"] == {"values": VECTOR}
        (sent,) = house.last("google").json["requests"]
        wanted = {"model": "models/gemini-embedding-2", "content": {"parts": [{"text": "a"}, PICTURE]}}
        assert sent == wanted | {"taskType": "RETRIEVAL_QUERY"}
        await one(house, "vertex/gemini-embedding-2", {"text": "a"}, PICTURE)
        (sent,) = house.last("vertex").json["requests"]
        assert sent == {"content": wanted["content"], "embedContentConfig": {"taskType": "RETRIEVAL_QUERY"}}
        refused = await one(house, "vertex/text-embedding-005", {"text": "a"}, PICTURE)
        assert refused.status == 400 and b"texts only" in refused.body


async def test_who_does_not_say_what_was_used_is_charged_by_estimate(tmp_path: Path) -> None:
    async with landscape(tmp_path, PLACES, aws=says({"embeddings": {"float": [VECTOR]}})) as house:
        body = {"model": "aws/cohere.embed-v4:0", "input": "word " * 100}
        answered = await house.send(body, key="ada", path="/openai/v1/embeddings")
        assert answered.row.usage_source == "estimated" and answered.row.billed_pusd >= 100 * 100_000


async def test_errors_of_the_clouds_come_in_the_clients_words(tmp_path: Path) -> None:
    def aws(request: Request) -> Reply:
        words = orjson.dumps({"message": "The provided model identifier is invalid."})
        return Reply(400, (("content-type", "application/json"), ("x-amzn-errortype", "ValidationException")), (Chunk(words),))

    async with landscape(tmp_path, PLACES, aws=aws) as house:
        answered = await house.send({"model": "aws/cohere.embed-v4:0", "input": "a"}, key="ada", path="/openai/v1/embeddings")
        assert answered.status == 400 and answered.json["error"]["message"] == "The provided model identifier is invalid."
        assert answered.row.billed_pusd == 0
