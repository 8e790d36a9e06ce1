"""A request's caps lowered where the body goes on in its own dialect: what a routing rule says, and no other word of it.

The body is written anew from its own JSON: keys keep their order, and blanks and escapes may change.
"""

from collections.abc import Callable
from typing import Any

import orjson

from gw.translate.form import Json
from gw.translate.loose import loaded

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")  # rising
BUDGETS = {"none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576}  # of thinking, in tokens: Gemini's
CLAUDES = {"minimal": 1024, "low": 4000, "medium": 16000}  # likewise; above as they are
_ANTHROPICS = {"none": "low", "minimal": "low"}  # the nearest of what Claude knows
_OF_THREE = {**_ANTHROPICS, "xhigh": "high", "max": "high"}  # of what knows low, medium and high alone
THINKING_LEAST = 1024  # tokens: Anthropic refuses a smaller budget


def amended(body: bytes, dialect: str, max_tokens: int, effort: str) -> bytes:
    """`max_tokens` 0 and `effort` "": no cap. `dialect`: of the body; one that has no words for a cap stays as it is."""
    read = loaded(body)
    change = _CHANGES.get(dialect)
    if change is None or not isinstance(read, dict):
        return body
    before = orjson.dumps(read)
    change(read, max_tokens, effort)
    after = orjson.dumps(read)
    return after if after != before else body


def _anthropic(body: Json, max_tokens: int, effort: str) -> None:
    _lower(body, "max_tokens", max_tokens)
    _claude(body, effort)


def _claude(body: Json, effort: str) -> None:
    """Claude's own fields, wherever they stand. Models that are given a budget know no effort."""
    thinking, config = body.get("thinking"), body.get("output_config")
    if isinstance(thinking, dict):
        budget, cap = thinking.get("budget_tokens"), body.get("max_tokens")
        if effort == "none" or (isinstance(budget, int) and isinstance(cap, int) and cap <= THINKING_LEAST):
            body["thinking"] = {"type": "disabled"}
        elif isinstance(budget, int):
            most = [cap - 1] if isinstance(cap, int) else []
            if effort and not (isinstance(config, dict) and "effort" in config):
                most.append(CLAUDES.get(effort, budget))
            thinking["budget_tokens"] = min(budget, *most)
    if effort and effort != "none":
        said = isinstance(config, dict) and "effort" in config
        if said or (isinstance(thinking, dict) and thinking.get("type") == "adaptive"):
            config = config if isinstance(config, dict) else {}
            body["output_config"] = {**config, "effort": _less(config, "effort", _ANTHROPICS.get(effort, effort))}


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
        thinking = config.get("thinking_config", config.get("thinkingConfig"))
        if effort and isinstance(thinking, dict):
            _google(thinking, effort)


def _google(thinking: Json, effort: str) -> None:
    """Levels since Gemini 3, of which all its models know `low` to `high`; budgets before."""
    for name in ("thinkingLevel", "thinking_level"):
        if isinstance(said := thinking.get(name), str):
            thinking[name] = _less({name: said.lower()}, name, _OF_THREE.get(effort, effort)).upper()
    most = BUDGETS.get(effort)
    for name in ("thinkingBudget", "thinking_budget"):
        budget = thinking.get(name)
        if most is not None and isinstance(budget, int) and not 0 <= budget <= most:
            thinking[name] = most


def _converse(body: Json, max_tokens: int, effort: str) -> None:
    config = body.setdefault("inferenceConfig", {})
    if isinstance(config, dict):
        _lower(config, "maxTokens", max_tokens)
    output, more = body.get("outputConfig"), body.get("additionalModelRequestFields")
    said = isinstance(output, dict) and "effort" in output
    if effort and isinstance(output, dict) and said:
        output["effort"] = _less(output, "effort", _ANTHROPICS.get(effort, effort))
    if effort and isinstance(more, dict):
        _bedrock(more, effort, said=said)


def _bedrock(more: Json, effort: str, *, said: bool) -> None:
    """What models have beyond Converse's words. `said`: the effort stands in Converse's own."""
    before = "output_config" in more
    _claude(more, effort)
    if said and not before:
        more.pop("output_config", None)
    for where, name in ((more, "reasoning_effort"), (more.get("reasoningConfig"), "maxReasoningEffort")):
        if isinstance(where, dict) and name in where:
            where[name] = _less(where, name, _OF_THREE.get(effort, effort))


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
