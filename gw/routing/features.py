"""What a request's body says beyond its weight: thinking, effort, and how the last words of the user look. Pure.

Read only where a rule or a route waits for it. The body is walked once without building a tree (msgspec; 0.3 ms for 286 KB of a
conversation), then its last messages are decoded. It never raises: a body of another shape says nothing.
"""

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gw.domain.condition import EFFORTS
from gw.routing.asked import NO_WORDS, Words

LOOKED_AT_MAX = 50  # messages from the end, for the last one that the user wrote
TEXT_CHARS_MAX = 20_000  # of it; what follows is pasted matter
BUDGET_EFFORTS = ((0, "none"), (4_000, "low"), (16_000, "medium"), (1 << 62, "high"))  # of a thinking budget in tokens
REMINDER = "<system-reminder>"

_HARD = re.compile(
    r"\b(?:architect\w*|concurren\w*|race condition|deadlock|debug\w*|design\w*|prove\w*|proof|refactor\w*|migrat\w*"
    r"|optimi[sz]\w*|secur\w*|vulnerab\w*|algorithm\w*|root cause|why does|why is|performance|investigat\w*|plan\b"
    r"|think hard|ultrathink|distributed|invariant\w*|transaction\w*|rewrite)",
    re.IGNORECASE,
)
_EASY = re.compile(
    r"\b(?:list|show|print|rename|typo|format\w*|summari[sz]\w*|translate|title|greet\w*|hello|hi|thanks?|commit message|comment"
    r"|spelling|lint\w*|what is|bump|version)\b",
    re.IGNORECASE,
)
_HALVES = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")  # of characters: JavaScript cuts texts within one


class _Body(Struct):
    """Only what is looked at; every dialect's own names."""

    messages: Raw = Raw()
    contents: Raw = Raw()  # Gemini
    input: Raw = Raw()  # OpenAI's responses
    thinking: Raw = Raw()
    output_config: Raw = Raw()
    reasoning: Raw = Raw()
    reasoning_effort: Raw = Raw()
    generationConfig: Raw = Raw()  # Gemini
    generation_config: Raw = Raw()
    outputConfig: Raw = Raw()  # Converse
    additionalModelRequestFields: Raw = Raw()


_BODY = msgspec.json.Decoder(_Body)
_LIST = msgspec.json.Decoder(list[Raw])
_ANY = msgspec.json.Decoder()


def words_of(body: bytes) -> Words:
    try:
        top = _BODY.decode(body)
    except (msgspec.DecodeError, RecursionError):
        whole = _HALVES.sub(rb"\\u003f", body)
        return words_of(whole) if whole != body else NO_WORDS
    messages = _messages(top)
    text, said_effort = _last_text(messages)
    thinking, effort = _thinking(top)
    return Words(
        thinking=thinking,
        effort=effort or said_effort,
        turns=len(messages),
        last_text_bytes=len(text.encode("utf-8", "replace")),
        code_blocks=text.count("```") // 2,
        hard=len(_HARD.findall(text[:TEXT_CHARS_MAX])),
        easy=len(_EASY.findall(text[:TEXT_CHARS_MAX])),
    )


def _messages(top: _Body) -> list[Raw]:
    for raw in (top.messages, top.contents, top.input):
        if bytes(raw)[:1] == b"[":
            try:
                return _LIST.decode(raw)
            except msgspec.DecodeError:
                return []
    return [top.input] if bytes(top.input)[:1] == b'"' else []


def _plain(raw: Raw) -> Any:
    try:
        return _ANY.decode(raw) if bytes(raw) else None
    except (msgspec.DecodeError, RecursionError):
        return None


def _thinking(top: _Body) -> tuple[bool, str]:
    """Whether it is asked for, and with which effort."""
    config = _object(_plain(top.generationConfig) or _plain(top.generation_config))
    if google := _object(config.get("thinkingConfig", config.get("thinking_config"))):
        return _of_google(google)
    fields = _object(_plain(top.additionalModelRequestFields))  # what models of Bedrock have of their own
    thinking = _plain(top.thinking) or fields.get("thinking", fields.get("reasoning_config"))
    said = (
        *(_effort(_plain(one)) for one in (top.output_config, top.outputConfig, top.reasoning)),
        _effort({"effort": _plain(top.reasoning_effort) or fields.get("reasoning_effort")}),
        _effort(fields.get("output_config")),
        _effort({"effort": _object(fields.get("reasoningConfig")).get("maxReasoningEffort")}),
    )
    effort = next(filter(None, said), "")
    if isinstance(thinking, dict):
        asked = thinking.get("type") in ("enabled", "adaptive")
        budget = thinking.get("budget_tokens")
        return asked, effort or (_effort_of(budget) if asked else "")
    return bool(effort) and effort != "none", effort


def _of_google(config: dict[str, Any]) -> tuple[bool, str]:
    level = config.get("thinkingLevel", config.get("thinking_level"))
    effort = _effort({"effort": level.lower()}) if isinstance(level, str) else ""
    budget = config.get("thinkingBudget", config.get("thinking_budget"))
    effort = effort or _effort_of(budget)
    return (bool(effort) and effort != "none") or (isinstance(budget, int) and budget < 0), effort


def _effort_of(budget: object) -> str:
    """Below 0 is as the model likes."""
    if not isinstance(budget, int) or budget < 0:
        return ""
    return next(name for most, name in BUDGET_EFFORTS if budget <= most)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _effort(config: object) -> str:
    found = config.get("effort") if isinstance(config, dict) else None
    return found if isinstance(found, str) and found in EFFORTS else ""


def _last_text(messages: list[Raw]) -> tuple[str, str]:
    """The last text that the user wrote, without what the client put beside it; and the effort that a message names, as Claude
    Code's system message in the conversation does."""
    text, effort = "", ""
    for raw in reversed(messages[-LOOKED_AT_MAX:]):
        if text and effort:
            break
        message = _plain(raw)
        if isinstance(message, str):
            text = text or message
        if not isinstance(message, dict):
            continue
        effort = effort or _effort(message.get("output_config"))
        if not text and message.get("role", "user") == "user":
            text = _text(message)
    return text, effort


def _text(message: dict[str, Any]) -> str:
    content = message.get("content", message.get("parts"))
    if isinstance(content, str):
        return content
    found = []
    for block in content if isinstance(content, list) else ():
        text = block.get("text") if isinstance(block, dict) and block.get("type", "text") in ("text", "input_text") else None
        if isinstance(text, str) and not text.startswith(REMINDER):
            found.append(text)
    return "\n".join(found)
