"""Errors of upstreams that speak Chat Completions, and gw's own to their clients."""

import re

import httpx2
import openai
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.translate.chat_errors import read_error, write_error
from gw.translate.form import Failure

NUMBERS = st.integers(-(2**31), 2**31)
LIMIT = "This model's maximum context length is 128000 tokens."
BODIES = {
    "openai": (401, b'{"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}}',
               ("authentication_error", "Incorrect API key")),
    "no quota": (429, b'{"error":{"message":"You exceeded your quota","type":"insufficient_quota","code":"insufficient_quota"}}',
                 ("billing_error", "You exceeded your quota")),
    "rate": (429, b'{"error":{"message":"slow","type":"requests","code":"rate_limit_exceeded"}}', ("rate_limit_error", "slow")),
    "balance": (402, b'{"error":{"message":"No balance","type":"unknown_error"}}', ("billing_error", "No balance")),
    "vllm": (404, b'{"object":"error","message":"no such model","type":"NotFoundError","code":404}',
             ("not_found_error", "no such model")),
    "fastapi": (422, b'{"detail":[{"loc":["body","n"],"msg":"field required","type":"missing"}]}',
                ("invalid_request_error", "field required")),
    "mistral": (422, b'{"object":"error","message":{"detail":[{"msg":"Extra inputs"}]},"code":null}',
                ("invalid_request_error", '{"detail":[{"msg":"Extra inputs"}]}')),
    "google": (400, b'[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]', ("invalid_request_error", "bad")),
    "text": (503, b"upstream connect error", ("overloaded_error", "upstream connect error")),
    "page": (502, b"<html><head><title>502  Bad\nGateway</title></head></html>", ("api_error", "502 Bad Gateway")),
    "nothing": (500, b"", ("api_error", "the upstream answered with status 500 and no message")),
    "error is a text": (400, b'{"error":"bad model"}', ("invalid_request_error", "bad model")),
    "openrouter": (502, b'{"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"boom"}}}',
                   ("api_error", "Provider returned error: boom")),
}  # fmt: skip


@pytest.mark.parametrize(("status", "body", "expected"), BODIES.values(), ids=BODIES)
def test_whatever_the_shape(status: int, body: bytes, expected: tuple[str, str]) -> None:
    found = read_error(status, body)
    assert (found.kind, found.message, found.status) == (*expected, status)


TOO_LONG = {
    f"{LIMIT} However, your messages resulted in 130000 tokens.": "prompt is too long: 130000 tokens > 128000 maximum (",
    f"{LIMIT} However, you requested 130,000 tokens (98,000 in the messages, 32,000 in the completion).":
        "input length and `max_tokens` exceed context limit: 98000 + 32000 > 128000 (",
    f"{LIMIT} However, you requested 165000 tokens (133000 in the messages, 32000 in the completion).":
        "prompt is too long: 133000 tokens > 128000 maximum (",
    "Your input exceeds the context window of this model.": "prompt is too long (Your input",
}  # fmt: skip


@pytest.mark.parametrize(("said", "expected"), TOO_LONG.items())
def test_what_is_too_long_is_said_as_claude_code_understands_it(said: str, expected: str) -> None:
    found = read_error(400, orjson.dumps({"error": {"message": said, "type": "invalid_request_error"}}))
    assert found.message.startswith(expected) and said in found.message
    assert (found.kind, found.code) == ("invalid_request_error", "context_length_exceeded")


TOO_MUCH = {
    "max_tokens is too large: 128000. This model supports at most 16384 completion tokens.": (1, 17_385),
    "`max_completion_tokens` must be less than or equal to `32768`, the maximum value for it": (1, 33_769),
    "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]": (1, 9_193),
    "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768 tokens and your "
    "request has 8000 input tokens (32000 > 32768 - 8000).": (8_000, 32_768),
    "`inputs` tokens + `max_new_tokens` must be <= 32769. Given: 8000 `inputs` tokens and 32000 `max_new_tokens`":
        (8_000, 32_769),
}  # fmt: skip


@pytest.mark.parametrize(("said", "expected"), TOO_MUCH.items())
def test_an_answer_that_is_too_long_is_asked_for_again_shorter(said: str, expected: tuple[int, int]) -> None:
    found = read_error(400, orjson.dumps({"error": {"message": said, "type": "invalid_request_error"}}))
    told = re.match(r"input length and `max_tokens` exceed context limit: (\d+) \+ (\d+) > (\d+) ", found.message)
    assert told, found.message
    prompt, wanted, limit = map(int, told.groups())
    assert (prompt, limit) == expected and prompt + wanted > limit and said in found.message
    assert found.code == "max_tokens_too_large"


def test_a_long_message_is_cut() -> None:
    assert len(read_error(500, b"x" * 10_000).message) == 2_000


@given(st.integers(400, 599), st.binary(max_size=60) | st.dictionaries(
    st.sampled_from(["error", "message", "detail", "code", "type", "object"]), st.none() | st.text() | NUMBERS | st.lists(
        NUMBERS, max_size=2) | st.dictionaries(st.sampled_from(["message", "code", "metadata"]), st.none() | NUMBERS)
).map(orjson.dumps))  # fmt: skip
def test_never_raises(status: int, body: bytes) -> None:
    assert read_error(status, body).message


@pytest.mark.parametrize("kind", ["invalid_request_error", "billing_error", "rate_limit_error", "api_error", "policy_blocked"])
def test_the_sdk_shows_the_message(kind: str) -> None:
    body = write_error(Failure(kind, "say so", 400), "gw_1")
    http = httpx2.Client(transport=httpx2.MockTransport(lambda request: httpx2.Response(400, json=body)))
    client = openai.OpenAI(api_key="k", base_url="http://gw.test/v1", max_retries=0, http_client=http)
    with pytest.raises(openai.BadRequestError, match="say so") as raised:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert raised.value.type == body["error"]["type"] and body["request_id"] == "gw_1"


ENDLESS = "1" * 5000


@pytest.mark.parametrize(
    "message",
    [
        f"maximum context length is {ENDLESS}",
        f"This model's maximum context length is 8192. Your request resulted in {ENDLESS} tokens.",
        f"max_tokens is too large: {ENDLESS}. At most {ENDLESS}.",
        "max_tokens" * 20_000,
        "<title>" * 20_000,
        ENDLESS * 20,
    ],
)
def test_endless_words_of_an_upstream_are_cut(message: str) -> None:
    """A reader never raises on what an upstream sent, nor looks through it for seconds."""
    for body in (orjson.dumps({"error": {"message": message}}), message.encode()):
        failure = read_error(400, body)
        assert failure.kind == "invalid_request_error"
        assert len(failure.message) <= 2_000
