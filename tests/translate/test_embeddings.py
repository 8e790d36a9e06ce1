"""Embeddings between OpenAI, Gemini, Cohere and Titan."""

from base64 import b64decode
from struct import unpack
from typing import Any

import pytest
from google.genai import types
from openai.types import CreateEmbeddingResponse

from gw.domain.usage import Usage
from gw.errors import Refusal
from gw.translate.embeddings import (
    UPSTREAMS,
    Vectors,
    Wanted,
    read_gemini,
    read_openai,
    usage_of,
    write_gemini_answer,
    write_openai_answer,
)

TWO = [[0.5, -1.0], [0.25, 2.0]]
ANSWERS: dict[str, Any] = {
    "embeddings": {"data": [{"index": 1, "embedding": TWO[1]}, {"index": 0, "embedding": "AAAAPwAAgL8="}],
                   "usage": {"prompt_tokens": 7, "total_tokens": 7}},
    "gemini_embeddings": {"embeddings": [{"values": TWO[0]}, {"values": TWO[1]}], "usageMetadata": {"promptTokenCount": 7}},
    "cohere_embeddings": {"embeddings": {"float": TWO}, "meta": {"billed_units": {"input_tokens": 7.0}}},
}  # fmt: skip


@pytest.mark.parametrize("dialect", ANSWERS)
def test_every_upstream_answers_an_openai_client(dialect: str) -> None:
    wanted = read_openai({"model": "e", "input": ["a", "b"], "dimensions": 2})
    assert wanted == Wanted("e", ("a", "b"), 2)
    body = UPSTREAMS[dialect].write(wanted)
    assert "a" in str(body) and "2" in str(body)
    answer = write_openai_answer(UPSTREAMS[dialect].read(ANSWERS[dialect]), wanted, "mine")
    found = CreateEmbeddingResponse.model_validate(answer, strict=True)
    assert [row.embedding for row in found.data] == TWO and found.model == "mine" and found.usage.total_tokens == 7


def test_a_client_that_wants_base64_gets_it() -> None:
    answer = write_openai_answer(Vectors([TWO[0]], Usage()), Wanted("e", ("a",), base64=True), "e")
    assert list(unpack("<2f", b64decode(answer["data"][0]["embedding"]))) == TWO[0]
    assert read_openai({"input": "a", "encoding_format": "base64"}).base64


@pytest.mark.parametrize("dialect", ANSWERS)
def test_every_upstream_answers_a_gemini_client(dialect: str) -> None:
    one = {"content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 2}
    wanted = read_gemini({"requests": [one, {"content": {"parts": [{"text": "b"}]}}]}, "e")
    assert (wanted.texts, wanted.purpose, wanted.dimensions, wanted.single) == (("a", "b"), "RETRIEVAL_QUERY", 2, False)
    answer = write_gemini_answer(UPSTREAMS[dialect].read(ANSWERS[dialect]), wanted)
    found = [types.ContentEmbedding.model_validate(row) for row in answer["embeddings"]]
    assert [row.values for row in found] == TWO
    single = read_gemini({"content": {"parts": [{"text": "a"}]}, "task_type": "CLUSTERING"}, "e")
    assert write_gemini_answer(Vectors(TWO[:1], Usage()), single)["embedding"] == {"values": TWO[0]}


def test_titan_takes_one_text_at_a_time() -> None:
    titan = UPSTREAMS["titan_embeddings"]
    assert titan.write(Wanted("t", ("a",), 256)) == {"inputText": "a", "normalize": True, "dimensions": 256}
    assert titan.read({"embedding": TWO[0], "inputTextTokenCount": 3}) == Vectors([TWO[0]], Usage(input_tokens=3))
    with pytest.raises(Refusal, match="one text"):
        titan.write(Wanted("t", ("a", "b")))


@pytest.mark.parametrize(
    ("body", "slug"), [({}, "invalid_field"), ({"input": []}, "invalid_field"), ({"input": [[1, 2]]}, "cannot_carry")]
)
def test_what_no_other_upstream_could_read(body: Any, slug: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_openai(body)
    assert refused.value.slug == slug


@pytest.mark.parametrize("family", ["openai", "gemini", "cohere", "titan"])
@pytest.mark.parametrize("body", [{}, {"usage": 3}, {"usage": {"prompt_tokens": "x"}}, {"meta": []}, {"usageMetadata": None}])
def test_usage_that_is_missing_is_none(family: str, body: Any) -> None:
    assert usage_of(family, body) == Usage()
