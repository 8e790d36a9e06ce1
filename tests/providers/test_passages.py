"""What passes through as it is, where to, and what does not."""

import pytest

from gw.providers.place import Place
from gw.providers.registry import REGISTRY

PLACES = {
    "openai": Place(provider="openai"),
    "azure": Place(provider="azure", resource="r"),
    "old": Place(provider="azure", resource="r", api_version="2024-10-21"),
    "anthropic": Place(provider="anthropic", base_url="http://h/v1"),
    "gemini": Place(provider="gemini"),
    "groq": Place(provider="groq"),
    "cohere": Place(provider="cohere"),
    "bedrock": Place(provider="bedrock", region="us-east-1"),
}


@pytest.mark.parametrize(
    ("where", "method", "path", "there", "usage"),
    [
        ("openai", "POST", "/v1/files", "/v1/files", ""),
        ("openai", "GET", "/v1/files/file-1/content", "/v1/files/file-1/content", "lines"),
        ("openai", "POST", "/v1/images/generations", "/v1/images/generations", "body"),
        ("openai", "POST", "/v1/audio/transcriptions", "/v1/audio/transcriptions", "body"),
        ("openai", "DELETE", "/v1/responses/resp_1", "/v1/responses/resp_1", ""),
        ("azure", "POST", "/v1/batches", "/openai/v1/batches", ""),
        ("groq", "POST", "/v1/audio/transcriptions", "/openai/v1/audio/transcriptions", "body"),
        ("anthropic", "POST", "/v1/messages/batches", "/messages/batches", ""),
        ("anthropic", "GET", "/v1/messages/batches/msgbatch_1/results", "/messages/batches/msgbatch_1/results", "lines"),
        ("gemini", "POST", "/upload/v1beta/files", "/upload/v1beta/files", ""),
        ("gemini", "POST", "/v1beta/models/m:batchGenerateContent", "/v1beta/models/m:batchGenerateContent", ""),
        ("cohere", "POST", "/v2/rerank", "/v2/rerank", "body"),
        ("bedrock", "POST", "/guardrail/g/version/1/apply", "/guardrail/g/version/1/apply", ""),
    ],
)
def test_it_passes(where: str, method: str, path: str, there: str, usage: str) -> None:
    place = PLACES[where]
    found = REGISTRY[place.provider].passed(place, method.encode(), path.encode(), b"limit=2&key=secret")
    assert found is not None
    assert (found[1], found[0].usage) == (there.encode() + b"?limit=2", usage)


@pytest.mark.parametrize(
    ("where", "method", "path"),
    [
        ("openai", "POST", "/v1/fine_tuning/jobs"),
        ("openai", "POST", "/v1/organization/admin_api_keys"),
        ("openai", "GET", "/v1/files/../organization/users"),
        ("openai", "GET", "/v1/files/%2e%2e/organization/users"),
        ("openai", "GET", "/v1/files/%2E./x"),
        ("openai", "GET", "/v1/files//content"),
        ("openai", "GET", "/v1/files/a%5c..%5cb"),
        ("openai", "GET", "/v1/files/..;/organization/users"),
        ("openai", "GET", "/v1/files/a b"),
        ("openai", "GET", "/v1/files/a%0d%0ab"),
        ("anthropic", "POST", "/v1/messages/batches/..?"),  # what %3F has become: the way to /v1/messages, past all budgets
        ("anthropic", "POST", "/v1/messages/batches/..#"),
        ("anthropic", "POST", "/v1/messages/batches/..%3F"),
        ("anthropic", "POST", "/v1/files/x?key=1"),
        ("openai", "PATCH", "/v1/files/x"),
        ("openai", "GET", "v1/files"),
        ("openai", "POST", "/v1/filesystem"),
        ("old", "POST", "/v1/files"),
        ("anthropic", "GET", "/v1/organizations/api_keys"),
        ("gemini", "POST", "/v1beta/models/m:generateContent"),
    ],
)
def test_nothing_else_passes(where: str, method: str, path: str) -> None:
    place = PLACES[where]
    assert REGISTRY[place.provider].passed(place, method.encode(), path.encode()) is None


def test_results_of_batches_say_where_their_usage_stands() -> None:
    place = PLACES["openai"]
    found = REGISTRY["openai"].passed(place, b"GET", b"/v1/files/f/content")
    assert found is not None and found[0].batch
    assert (found[0].at, found[0].model_at) == (("response", "body", "usage"), ("response", "body", "model"))
