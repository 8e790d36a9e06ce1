"""Google's errors -> Failure, in the words by which clients heal themselves; and a Failure as Google's error.

Source: google.rpc.Status, ErrorInfo and RetryInfo; the messages as users report them, November 2026.
"""

import re
from typing import Final

from gw.translate.form import Failure, Json
from gw.translate.gemini_words import STATUSES, kind_of
from gw.translate.loose import count_at, loaded, objects, text, text_at

MESSAGE_CHARS_MAX: Final = 4_000
_TOO_LONG: Final = re.compile(r"input token count \(?(\d+)\)? exceeds the maximum number of tokens allowed \(?(\d+)\)?", re.I)
# Google says with 400 what others say with 401 and 403.
_REASONS: Final = {
    "API_KEY_INVALID": "authentication_error",
    "ACCESS_TOKEN_EXPIRED": "authentication_error",
    "BILLING_DISABLED": "billing_error",
    "SERVICE_DISABLED": "permission_error",
}
_WORDS: Final = {word: kind for kind, (_, word) in reversed(STATUSES.items())} | {
    "FAILED_PRECONDITION": "invalid_request_error",
    "OUT_OF_RANGE": "invalid_request_error",
    "CANCELLED": "api_error",
    "ABORTED": "api_error",
    "UNKNOWN": "api_error",
}


def read_error(status: int, body: bytes) -> Failure:
    value = loaded(body)
    if isinstance(value, list):  # a stream that was one JSON array
        value = next(objects(value), {})
    if not isinstance(value, dict) or "error" not in value:
        words = body[:MESSAGE_CHARS_MAX].decode("utf-8", "replace").strip()
        shown = text_at(value, "message") if isinstance(value, dict) else "" if words.startswith("<") else words
        return Failure(kind_of(status), shown or f"the upstream answered {status}", status)
    return failure_of(value, status)


def failure_of(body: Json, status: int) -> Failure:
    """Of `{"error": {...}}`. `status`: 0 in a stream."""
    error = body["error"] if isinstance(body.get("error"), dict) else {"message": text(body.get("error"))}
    code, word = count_at(error, "code"), text_at(error, "status")
    details = list(objects(error.get("details")))
    reason = next((text_at(one, "reason") for one in details if one.get("reason")), "")
    kind = _REASONS.get(reason)
    if kind is None:
        kind = _WORDS.get(word) if word and not status else kind_of(status or code or 500)
    message = text_at(error, "message")[:MESSAGE_CHARS_MAX] or word or f"the upstream answered {status or code or 'an error'}"
    if too_long := _TOO_LONG.search(message):
        message = f"prompt is too long: {too_long[1]} tokens > {too_long[2]} maximum"
        kind = "invalid_request_error"
    return Failure(kind or kind_of(code or 500), message, status, reason or word, _retry_after(details))


def _retry_after(details: list[Json]) -> int:
    """Seconds of RetryInfo's `34.07s`, rounded up; 0 for none."""
    for one in details:
        whole, dot, _ = text_at(one, "retryDelay").removesuffix("s").partition(".")
        if whole.isdecimal() and len(whole) < 7:
            return int(whole) + bool(dot)
    return 0


def write_error(failure: Failure, call_id: str) -> Json:
    """As google.rpc.Status in JSON. google-genai finds an error in a stream only if it is the first key."""
    status, word = STATUSES.get(failure.kind) or (failure.status or 400, "INVALID_ARGUMENT")
    if failure.kind not in STATUSES and failure.status >= 500:
        word = "INTERNAL"
    error: Json = {"code": failure.status or status, "message": failure.message, "status": word}
    if call_id:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": call_id}]
    return {"error": error}
