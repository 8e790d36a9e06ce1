"""A request's caps lowered where the body goes on in its own dialect: what a routing rule says, and no other word of it.

The body is written anew from its own JSON: keys keep their order, and blanks and escapes may change.
"""

from collections.abc import Callable
from typing import Any

import orjson

from gw.translate.form import Json

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")  # rising
THINKING_LEAST = 1024  # tokens: Anthropic refuses a smaller budget


def amended(body: bytes, dialect: str, max_tokens: int, effort: str) -> bytes:
    """`max_tokens` 0 and `effort` "": no cap. `dialect`: of the body; one that has no words for a cap stays as it is."""
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    change = _CHANGES.get(dialect)
    if change is None or not isinstance(read, dict):
        return body
    before = orjson.dumps(read)
    change(read, max_tokens, effort)
    after = orjson.dumps(read)
    return after if after != before else body


def _anthropic(body: Json, max_tokens: int, effort: str) -> None:
    _lower(body, "max_tokens", max_tokens)
    thinking = body.get("thinking")
    if isinstance(thinking, dict):
        budget, cap = thinking.get("budget_tokens"), body.get("max_tokens")
        if effort == "none" or (isinstance(budget, int) and isinstance(cap, int) and cap <= THINKING_LEAST):
            body["thinking"] = {"type": "disabled"}
        elif isinstance(budget, int) and isinstance(cap, int) and budget >= cap:
            thinking["budget_tokens"] = cap - 1
    if effort and effort != "none":
        config = body.get("output_config")
        level = "low" if effort == "minimal" else effort
        if isinstance(config, dict) or "thinking" in body:
            body["output_config"] = {**(config if isinstance(config, dict) else {}), "effort": _less(config, "effort", level)}


def _chat(body: Json, max_tokens: int, effort: str) -> None:
    name = "max_tokens" if "max_tokens" in body and "max_completion_tokens" not in body else "max_completion_tokens"
    _lower(body, name, max_tokens)
    if effort and "reasoning_effort" in body:
        body["reasoning_effort"] = _less(body, "reasoning_effort", effort)


def _responses(body: Json, max_tokens: int, effort: str) -> None:
    _lower(body, "max_output_tokens", max_tokens)
    reasoning = body.get("reasoning")
    if effort and isinstance(reasoning, dict):
        reasoning["effort"] = _less(reasoning, "effort", effort)


def _gemini(body: Json, max_tokens: int, effort: str) -> None:
    name = "generation_config" if "generation_config" in body else "generationConfig"
    config = body.setdefault(name, {})
    if isinstance(config, dict):
        _lower(config, "max_output_tokens" if "max_output_tokens" in config else "maxOutputTokens", max_tokens)


def _converse(body: Json, max_tokens: int, effort: str) -> None:
    config = body.setdefault("inferenceConfig", {})
    if isinstance(config, dict):
        _lower(config, "maxTokens", max_tokens)


def _lower(where: Json, name: str, most: int) -> None:
    said = where.get(name)
    if most and (not isinstance(said, int) or isinstance(said, bool) or said > most):
        where[name] = most


def _less(where: Any, name: str, cap: str) -> str:
    """The lower of what is said and the cap."""
    said = where.get(name) if isinstance(where, dict) else None
    if isinstance(said, str) and said in EFFORTS and EFFORTS.index(said) < EFFORTS.index(cap):
        return said
    return cap


_CHANGES: dict[str, Callable[[Json, int, str], None]] = {
    "anthropic": _anthropic,
    "invoke": _anthropic,
    "chat": _chat,
    "responses": _responses,
    "gemini": _gemini,
    "converse": _converse,
}
