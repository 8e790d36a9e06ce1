"""Errors of the Responses API -> Failure: of an HTTP answer, of a response that failed, of a stream's `error` event.

OpenAI's error object is one for all its dialects; here is what this one says besides.
"""

from typing import Final

from msgspec.structs import replace

from gw.translate.chat_errors import TOO_LONG, error_json
from gw.translate.chat_errors import failure_of as chat_failure_of
from gw.translate.chat_errors import read_error as read_chat_error
from gw.translate.form import Failure, Json
from gw.translate.loose import text_at

GARBLED: Final = Failure("api_error", "the upstream's stream cannot be read: it is none of the Responses API", code="garbled")
_UNREADABLE_THOUGHT: Final = "invalid_encrypted_content"
# A response that failed says a code only: what is not here is the upstream's own trouble.
_ASKED_WRONG: Final = ("invalid_", "image_", "empty_image", "unsupported_", "failed_to_download", "bio_policy", "misalignment_")
_TROUBLES: Final = {
    "server_is_overloaded": "overloaded_error",
    "slow_down": "overloaded_error",
    "vector_store_timeout": "timeout_error",
    "usage_limit_reached": "billing_error",
}
# Kind -> what a response that failed says of it. Codex asks again after the words that are not of the request's own fault.
_CODES: Final = {
    "invalid_request_error": "invalid_prompt",
    "request_too_large": "invalid_prompt",
    "policy_blocked": "invalid_prompt",
    "not_found_error": "invalid_prompt",
    "billing_error": "insufficient_quota",
    "rate_limit_error": "rate_limit_exceeded",
}


def read_error(status: int, body: bytes) -> Failure:
    return _named(read_chat_error(status, body))


def failure_of(error: object, status: int = 0) -> Failure:
    return _named(chat_failure_of(error, status))


def _named(found: Failure) -> Failure:
    """What this dialect's codes say beyond the chat dialect's."""
    if found.code == _UNREADABLE_THOUGHT:  # of another account's or another model's: Claude Code asks again without thoughts
        return replace(found, kind="invalid_request_error", message="capability_rejected: thinking_signature")
    if found.code in _TROUBLES:
        return replace(found, kind=_TROUBLES[found.code])
    if found.kind == "api_error" and not found.status and found.code.startswith(_ASKED_WRONG):
        return replace(found, kind="invalid_request_error")
    return found


def failed_code(failure: Failure) -> str:
    return TOO_LONG if failure.code == TOO_LONG else _CODES.get(failure.kind, "server_error")


def event_of(failure: Failure) -> Json:
    """The stream's `error` event: flat as the reference has it, and with the object by which SDKs raise."""
    error = error_json(failure)
    return {"type": "error", "code": error["code"], "message": failure.message, "param": None, "error": error}


def error_of(event: Json) -> Json:
    """Of a stream's `error` event, which has it inside or is it."""
    inner = event.get("error")
    if isinstance(inner, dict):
        return inner
    return {"message": text_at(event, "message") or (inner if isinstance(inner, str) else ""), "code": event.get("code")}
