"""What Anthropic's models take, by their names: how they are asked to think, what they sample by, how much they may say.

Names that say no version are taken for a model of the first kind, which other servers of this dialect imitate.
Source: Anthropic's model overview, extended and adaptive thinking, effort and structured outputs, as read in November 2026.
"""

import re
from typing import Final

from gw.domain.quirks import Quirks
from gw.translate.capability import lose
from gw.translate.form import Effort, Json, Message, Request, Thinking, ToolUse
from gw.translate.seal import ANTHROPIC

MAX_TOKENS: Final = 32_000  # for clients that name no cap; enough for any answer that is not a book
BUDGET_LEAST: Final = 1_024  # tokens of thinking, below which Anthropic refuses
ANSWER_LEAST: Final = 1_024  # tokens of the cap that stay for the answer
_NEW_NAME: Final = re.compile(r"(?:opus|sonnet|haiku|fable|mythos)-(\d{1,2})(?:[-.@](\d{1,2}))?(?!\d)")
_OLD_NAME: Final = re.compile(r"claude-(\d)(?:[-.](\d))?-(?:opus|sonnet|haiku)")
# What OpenAI's words for effort mean as a budget; minimal and low are the least that Anthropic takes, or near it.
_BUDGETS: Final = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 32_768}
_LEVELS: Final = {"minimal": "low", "xhigh": "high"}  # for models that know low, medium and high, and max from 4.6 on


def version(model: str) -> tuple[int, int]:
    """(4, 5) of claude-sonnet-4-5-20250929; (0, 0) of a name that says none."""
    name = model.lower()
    found = _OLD_NAME.search(name) or _NEW_NAME.search(name)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def cap_of(asked: Request, quirks: Quirks) -> int:
    """max_tokens, which Anthropic must be told."""
    most = quirks.max_tokens_most
    wanted = asked.max_tokens
    if wanted is None:
        at = version(asked.model)
        own = 4_096 if (3, 0) <= at < (3, 5) else 8_192 if (3, 5) <= at < (3, 7) else MAX_TOKENS
        return min(own, most) if most else own
    return max(1, min(wanted, most) if most else wanted)


def has_formats(model: str) -> bool:
    """Takes output_config.format."""
    return version(model) >= (4, 5)


def write_thinking(asked: Request, quirks: Quirks, body: Json) -> None:
    """`thinking` and `output_config.effort`; `max_tokens` of the body is known. Notes what cannot be asked for."""
    effort, at = asked.effort, version(asked.model)
    if not (effort.mode or effort.level or effort.budget):
        return
    if quirks.thinking == "no" or (0, 0) < at < (3, 7):
        lose(asked, "thinking")
    elif asked.dialect == ANTHROPIC:
        _write_own(asked, body)
    elif effort.mode == "off" or effort.level == "none":
        if at >= (4, 6):  # from then on they may think of their own accord
            body["thinking"] = {"type": "disabled"}
    elif _forced(asked):  # Anthropic refuses thinking beside a forced call
        lose(asked, "thinking")
    elif at >= (4, 6) and quirks.thinking != "thinking":
        body["thinking"] = {"type": "adaptive"} | _display(asked)
        if level := level_of(asked):
            body.setdefault("output_config", {})["effort"] = level
    else:
        _write_budget(asked, body)


def _write_own(asked: Request, body: Json) -> None:
    """Its own client knows what the model takes, and mends what it is told."""
    effort = asked.effort
    said = asked.foreign.get("thinking")
    display = {"display": "omitted"} if not effort.shown else said if isinstance(said, dict) else {}
    match effort.mode:
        case "on":
            budget = min(effort.budget or _BUDGETS["high"], max(body["max_tokens"] - 1, 1))
            body["thinking"] = {"type": "enabled", "budget_tokens": budget} | display
        case "adaptive":
            body["thinking"] = {"type": "adaptive"} | display
        case "off":
            body["thinking"] = {"type": "disabled"}
    if effort.level:
        body.setdefault("output_config", {})["effort"] = effort.level


def _write_budget(asked: Request, body: Json) -> None:
    budget = min(_budget(asked.effort), body["max_tokens"] - ANSWER_LEAST)
    if budget < BUDGET_LEAST or _thoughtless(asked.messages):
        lose(asked, "thinking")
    else:
        body["thinking"] = {"type": "enabled", "budget_tokens": budget} | _display(asked)


def level_of(asked: Request) -> str:
    """Of output_config.effort; a budget of tokens becomes the nearest level."""
    effort = asked.effort
    if effort.level:
        at = version(asked.model)
        return effort.level if effort.level == "xhigh" and at >= (4, 7) else _LEVELS.get(effort.level, effort.level)
    if effort.budget <= 0:
        return ""
    return "low" if effort.budget <= 4_096 else "medium" if effort.budget <= 16_384 else "high"


def _budget(effort: Effort) -> int:
    if effort.budget > 0:
        return max(effort.budget, BUDGET_LEAST)
    return _BUDGETS.get(effort.level, _BUDGETS["high"])


def _display(asked: Request) -> Json:
    if not asked.effort.shown:
        return {"display": "omitted"}
    return {"display": "summarized"} if version(asked.model) >= (4, 7) else {}  # what older ones do unasked


def _forced(asked: Request) -> bool:
    return asked.tool_choice is not None and asked.tool_choice.kind in ("any", "tool")


def _thoughtless(messages: tuple[Message, ...]) -> bool:
    """The turn that goes on began with a call without a thought: with a budget, Anthropic wants that thought back."""
    for message in reversed(messages):
        if message.role == "assistant":
            called = any(isinstance(block, ToolUse) for block in message.content)
            return called and not any(isinstance(block, Thinking) and theirs(block) for block in message.content)
    return False


def theirs(block: Thinking) -> bool:
    """Anthropic itself has sealed it, so Anthropic can take it back."""
    return block.sealed_by == ANTHROPIC and bool(block.signature or block.redacted)


def write_sampling(asked: Request, body: Json) -> None:
    """temperature, top_p, top_k: what the model and its thinking leave of them."""
    at = version(asked.model)
    fixed = at >= (4, 7)
    thinks = body.get("thinking", {}).get("type") in ("enabled", "adaptive")
    heat, share = asked.temperature, asked.top_p
    if heat is not None and heat != 1:
        if fixed or thinks:
            lose(asked, "temperature")
        else:
            body["temperature"] = min(heat, 1.0)
            if heat > 1:
                lose(asked, "temperature above 1")
    if share is not None and share != 1:
        if fixed or (thinks and share < 0.95) or "temperature" in body:
            lose(asked, "top_p")
        else:
            body["top_p"] = share
    if asked.top_k is not None:
        if fixed or thinks:
            lose(asked, "top_k")
        else:
            body["top_k"] = asked.top_k
