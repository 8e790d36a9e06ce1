"""Errors of a Gemini upstream, and those that a Gemini client gets."""

from typing import Any

import orjson
import pytest

from gw.translate.form import Failure
from gw.translate.gemini_errors import read_error, write_error


def error(code: int, word: str, message: str = "m", **more: Any) -> bytes:
    return orjson.dumps({"error": {"code": code, "message": message, "status": word, **more}})


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, error(400, "INVALID_ARGUMENT"), Failure("invalid_request_error", "m", 400, "INVALID_ARGUMENT")),
        (400, b"[" + error(400, "INVALID_ARGUMENT") + b"]", Failure("invalid_request_error", "m", 400, "INVALID_ARGUMENT")),
        (
            400,
            error(400, "INVALID_ARGUMENT", details=[{"reason": "API_KEY_INVALID"}]),
            Failure("authentication_error", "m", 400, "API_KEY_INVALID"),
        ),
        (
            429,
            error(429, "RESOURCE_EXHAUSTED", details=[{"@type": "x/google.rpc.RetryInfo", "retryDelay": "34.07s"}]),
            Failure("rate_limit_error", "m", 429, "RESOURCE_EXHAUSTED", 35),
        ),
        (503, error(503, "UNAVAILABLE"), Failure("overloaded_error", "m", 503, "UNAVAILABLE")),
        (504, error(504, "DEADLINE_EXCEEDED"), Failure("timeout_error", "m", 504, "DEADLINE_EXCEEDED")),
        (
            400,
            error(
                400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
            ),
            Failure("invalid_request_error", "prompt is too long: 1200000 tokens > 1048576 maximum", 400, "INVALID_ARGUMENT"),
        ),
        (502, b"<html>bad", Failure("api_error", "the upstream answered 502", 502)),
        (404, b"no such page", Failure("not_found_error", "no such page", 404)),
        (500, b"", Failure("api_error", "the upstream answered 500", 500)),
        (418, b'{"error": "tea"}', Failure("invalid_request_error", "tea", 418)),
        (500, b'{"error": null}', Failure("api_error", "the upstream answered 500", 500)),
    ],
)
def test_errors_of_the_upstream(status: int, body: bytes, expected: Failure) -> None:
    assert read_error(status, body) == expected


@pytest.mark.parametrize(
    ("failure", "code", "word"),
    [
        (Failure("rate_limit_error", "m"), 429, "RESOURCE_EXHAUSTED"),
        (Failure("invalid_request_error", "m", 400), 400, "INVALID_ARGUMENT"),
        (Failure("policy_blocked", "m", 400), 400, "INVALID_ARGUMENT"),
        (Failure("overloaded_error", "m", 529), 529, "UNAVAILABLE"),
        (Failure("unheard_of", "m", 500), 500, "INTERNAL"),
    ],
)
def test_errors_for_the_client(failure: Failure, code: int, word: str) -> None:
    body = write_error(failure, "gw_1")
    assert next(iter(body)) == "error" and (body["error"]["code"], body["error"]["status"]) == (code, word)
    assert body["error"]["details"][0]["requestId"] == "gw_1"
    again = read_error(code, orjson.dumps(body))
    assert (again.message, again.code) == ("m", word)
