"""Errors of upstreams that speak Chat Completions -> Failure, in the words by which clients heal themselves; and a Failure as
OpenAI's error.

The bodies differ: OpenAI's `{"error": {...}}`, Mistral's and vLLM's `{"object": "error", "message": ...}`, FastAPI's
`{"detail": ...}`, Google's list of one, a plain text, a page of a proxy.
"""

import re
from typing import Any, Final

from gw.translate.form import Failure, Json
from gw.translate.loose import json_text, loaded, object_at, objects, text, text_at

MESSAGE_CHARS_MAX: Final = 2_000
TOO_LONG: Final = "context_length_exceeded"
TOO_MUCH: Final = "max_tokens_too_large"
CLAUDE_MARGIN: Final = 1_000  # tokens that Claude Code leaves free when it is told a limit

_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    498: "overloaded_error",  # Groq: no capacity in the flex tier
    503: "overloaded_error",
    504: "timeout_error",
    524: "timeout_error",
    529: "overloaded_error",
}
# The upstream's own word, in `code` or `type`.
_WORDS: Final = {
    "insufficient_quota": "billing_error",
    "billing_hard_limit_reached": "billing_error",
    "insufficient_balance": "billing_error",
    "rate_limit_exceeded": "rate_limit_error",
    "rate_limit_error": "rate_limit_error",
    "invalid_api_key": "authentication_error",
    "authentication_error": "authentication_error",
    "permission_error": "permission_error",
    "model_not_found": "not_found_error",
    "overloaded_error": "overloaded_error",
    "overloaded": "overloaded_error",
    "server_overloaded": "overloaded_error",
    "timeout_error": "timeout_error",
    "invalid_request_error": "invalid_request_error",
    TOO_LONG: "invalid_request_error",
}
# Kind -> (type, code) of OpenAI's error.
_OPENAI: Final = {
    "invalid_request_error": ("invalid_request_error", None),
    "policy_blocked": ("invalid_request_error", "policy_blocked"),
    "authentication_error": ("invalid_request_error", "invalid_api_key"),
    "permission_error": ("invalid_request_error", "permission_denied"),
    "not_found_error": ("invalid_request_error", "not_found"),
    "request_too_large": ("invalid_request_error", "request_too_large"),
    "billing_error": ("insufficient_quota", "insufficient_quota"),
    "rate_limit_error": ("rate_limit_error", "rate_limit_exceeded"),
    "overloaded_error": ("server_error", "overloaded"),
    "timeout_error": ("server_error", "timeout"),
}
# Numbers have an end in all of these: what upstreams say may be anything, and long digits take long to look through.
_TITLE = re.compile(r"<title[^<>]*>([^<]*)</title>", re.I)
_LIMIT = re.compile(r"maximum (?:context length|input length|prompt length)[^\d]{0,40}(\d[\d,]{0,14})", re.I)
# What was asked for: the whole, or the parts of prompt and answer.
_PARTS = re.compile(r"(\d[\d,]{0,14}) (?:tokens )?(?:in|of|from) (?:the |your )?(?:messages|prompt|input)\D{1,60}?(\d[\d,]{0,14}) (?:tokens )?(?:in|for|of) (?:the |your )?(?:completion|output)", re.I)  # noqa: E501
_WHOLE = re.compile(r"(?:resulted in|requested|contains? at least|has|have|is) (?:about )?"
                    r"(\d[\d,]{0,14})(?: input)? tokens", re.I)  # fmt: skip

# More is wanted than the model gives: OpenAI, Groq, DeepSeek, vLLM, Together.
_ABOUT_CAP = re.compile(r"max(?:_completion|_new)?_tokens.*?(?:too large|at most|less than or equal|valid range|must be <=)|"
                        r"must be <=.*max_new_tokens", re.I | re.S)  # fmt: skip
_ASKED_CAP = re.compile(r"too large: ?(\d[\d,]{0,14})|and (\d[\d,]{0,14}) `?max_new_tokens", re.I)
_CAP = re.compile(r"(?:at most|less than or equal to|range of \w+ is \[1,|<=)\s*`?(\d[\d,]{0,14})", re.I)
_CONTEXT = re.compile(r"(?:maximum context length is|must be <=)\s*(\d[\d,]{0,14})", re.I)
_GIVEN = re.compile(r"(?:has|Given:)\s*(\d[\d,]{0,14})\s*`?inputs?`? tokens", re.I)


def read_error(status: int, body: bytes) -> Failure:
    """Of an answer that is no success."""
    found = loaded(body)
    if isinstance(found, list):
        found = next(objects(found), None)
    if not isinstance(found, dict):
        return _failure({}, _plain(body), status)
    return failure_of(found.get("error") or found, status)


def failure_of(error: Any, status: int = 0) -> Failure:
    """Of the error itself; `status` 0: in a stream, where its code may be one."""
    if not isinstance(error, dict):
        return _failure({}, text(error), status)
    message = text_at(error, "message", "msg", "detail", "error_msg")
    if not message:
        inner = error.get("detail") or error.get("message")
        message = ", ".join(text_at(one, "msg", "message") for one in objects(inner)) or json_text(inner)
    raw = text_at(object_at(error, "metadata"), "raw")  # OpenRouter: what the provider behind it said
    if raw and raw not in message:
        message = f"{message}: {raw}" if message else raw
    return _failure(error, message, status)


def _failure(error: Json, message: str, status: int) -> Failure:
    code = error.get("code")
    in_stream = not status and isinstance(code, int) and not isinstance(code, bool) and 400 <= code <= 599
    status_said: int = code if in_stream else status  # type: ignore[assignment]  # an int, as was just seen
    word = next((value for value in (code, error.get("type")) if isinstance(value, str) and value), "")
    lower = message.lower()
    kind = _KINDS.get(status_said) or ("api_error" if status_said >= 500 or not status_said else "invalid_request_error")
    named = _WORDS.get(text(code)) or _WORDS.get(text_at(error, "type"))
    if named and (status_said in (0, 400, 403, 429) or status_said >= 500):
        kind = named
    message = message[: MESSAGE_CHARS_MAX + 1]
    if shorter := too_much_wanted(message):
        word, kind, message = TOO_MUCH, "invalid_request_error", shorter
    elif _is_too_long(word, lower):
        word, kind, message = TOO_LONG, "invalid_request_error", in_claude_words(message)
    cut = message if len(message) <= MESSAGE_CHARS_MAX else message[: MESSAGE_CHARS_MAX - 1] + "…"
    return Failure(kind, cut or f"the upstream answered with status {status_said} and no message", status, word)


def _is_too_long(word: str, lower: str) -> bool:
    if word == TOO_LONG or "prompt is too long" in lower:
        return True
    about = any(part in lower for part in ("context length", "context window", "context_length", "maximum prompt length"))
    return about and any(part in lower for part in ("exceed", "maximum", "too long", "too large", "reduce"))


def too_much_wanted(message: str) -> str:
    """An answer longer than the model's or the context's limit, in the words on which Claude Code asks again for the rest of the
    context less its margin; "" for any other error. Where the limit is the answer's own, the context is chosen so that just the
    limit remains. What the upstream said stands behind."""
    if not _ABOUT_CAP.search(message):
        return ""
    asked = _number(_ASKED_CAP.search(message))
    if (context := _CONTEXT.search(message)) and (given := _GIVEN.search(message)):
        limit, prompt = int(context[1].replace(",", "")), int(given[1].replace(",", ""))
        if prompt + CLAUDE_MARGIN < limit:
            return f"input length and `max_tokens` exceed context limit: {prompt} + {asked or limit} > {limit} ({message})"
        return ""
    most = _number(_CAP.search(message))
    if not most:
        return ""
    limit = most + 1 + CLAUDE_MARGIN
    return f"input length and `max_tokens` exceed context limit: 1 + {max(asked, limit)} > {limit} ({message})"


def in_claude_words(message: str) -> str:
    """What is too long, so that Claude Code acts upon it: where prompt and answer together are, it asks for a shorter answer;
    else it compacts. What the upstream said stands behind."""
    limit = _number(_LIMIT.search(message))
    if limit and (parts := _PARTS.search(message)):
        prompt, wanted = (int(part.replace(",", "")) for part in parts.groups())
        if prompt < limit:
            return f"input length and `max_tokens` exceed context limit: {prompt} + {wanted} > {limit} ({message})"
        return f"prompt is too long: {prompt} tokens > {limit} maximum ({message})"
    given = max((int(number.replace(",", "")) for number in _WHOLE.findall(message)), default=0)
    if limit and given > limit:
        return f"prompt is too long: {given} tokens > {limit} maximum ({message})"
    return message if "prompt is too long" in message.lower() else f"prompt is too long ({message})"


def _number(match: re.Match[str] | None) -> int:
    return next((int(group.replace(",", "")) for group in match.groups() if group), 0) if match else 0


def _plain(body: bytes) -> str:
    """Of a body that is no JSON: the title of a page, or the text."""
    said = body[: MESSAGE_CHARS_MAX * 4].decode("utf-8", "replace").strip()
    if title := _TITLE.search(said):
        return " ".join(title[1].split())
    return "" if said.startswith("<") else said


def error_json(failure: Failure) -> Json:
    kind, code = _OPENAI.get(failure.kind, ("server_error", None))
    if failure.code in (TOO_LONG, TOO_MUCH):
        code = failure.code
    return {"message": failure.message, "type": kind, "param": None, "code": code}


def write_error(failure: Failure, call_id: str) -> Json:
    return {"error": error_json(failure), "request_id": call_id}
