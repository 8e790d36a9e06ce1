"""Errors of the Responses API over HTTP, and gw's own in its shape."""

import json
from typing import Any

import pytest

from gw.translate.form import Failure
from gw.translate.responses import RESPONSES


def error(status: int, **fields: Any) -> Failure:
    return RESPONSES.read_error(status, json.dumps({"error": {"param": None} | fields}).encode())


@pytest.mark.parametrize(
    ("status", "fields", "kind", "code"),
    [
        (400, {"type": "invalid_request_error", "code": "unknown_parameter"}, "invalid_request_error", "unknown_parameter"),
        (401, {"type": "invalid_request_error", "code": "invalid_api_key"}, "authentication_error", "invalid_api_key"),
        (403, {"type": "permission_error", "code": None}, "permission_error", "permission_error"),
        (404, {"type": "invalid_request_error", "code": "model_not_found"}, "not_found_error", "model_not_found"),
        (429, {"type": "tokens", "code": "rate_limit_exceeded"}, "rate_limit_error", "rate_limit_exceeded"),
        (429, {"type": "insufficient_quota", "code": "insufficient_quota"}, "billing_error", "insufficient_quota"),
        (500, {"type": "server_error", "code": None}, "api_error", "server_error"),
        (503, {"type": "server_error", "code": "server_is_overloaded"}, "overloaded_error", "server_is_overloaded"),
    ],
)
def test_what_kind_it_is(status: int, fields: dict[str, Any], kind: str, code: str) -> None:
    found = error(status, message="m", **fields)
    assert (found.kind, found.message, found.status, found.code) == (kind, "m", status, code)


def test_a_thought_that_cannot_be_read_makes_claude_code_ask_without() -> None:
    message = "The encrypted content could not be verified."
    found = error(400, type="invalid_request_error", code="invalid_encrypted_content", message=message)
    assert (found.kind, found.message) == ("invalid_request_error", "capability_rejected: thinking_signature")


def test_a_prompt_that_is_too_long_makes_claude_code_compact() -> None:
    message = "Your input exceeds the context window of this model. Please adjust your input and try again."
    found = error(400, type="invalid_request_error", code="context_length_exceeded", message=message)
    assert found.message == f"prompt is too long ({message})"


PAGE = b"<html><title>502 Bad Gateway</title></html>"


@pytest.mark.parametrize("body", [b"", PAGE, b"upstream gone", b"[]", b'{"error": null}', b"\xff"])
def test_a_body_of_any_other_shape_is_a_failure_with_words(body: bytes) -> None:
    found = RESPONSES.read_error(502, body)
    assert found.kind == "api_error" and found.status == 502 and found.message


def test_gws_own_errors_have_openais_shape() -> None:
    body = RESPONSES.write_error(Failure("rate_limit_error", "Slow down.", 429), "gw_1")
    assert body["error"] == {"message": "Slow down.", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}
