"""The form -> an upstream's Chat Completions request, as its quirks will have it.

Thoughts of earlier turns go back only to who has sealed or wants them; cache marks only to who takes them; both are left out
without a word in `lost` elsewhere, since nothing of the answer depends on them. Everything else that is left out is named there.
"""

from hashlib import blake2b
from typing import Any, Final

from gw.translate.capability import format_instruction, loaded_tools, lose, refuse_server_tools
from gw.translate.chat_messages import Messages
from gw.translate.chat_request import FUNCTIONS
from gw.translate.chat_words import CHAT, FREE_TEXT, LEVELS, TIERS
from gw.translate.dialect import Quirks
from gw.translate.form import Effort, Format, Json, Request, Tool
from gw.translate.names import fit

USER_CHARS_MAX: Final = 64
# Tokens of thinking, at most -> level.
_BUDGETS: Final = ((1_024, "minimal"), (4_096, "low"), (16_384, "medium"), (32_768, "high"))
_SAMPLING: Final = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "logit_bias")
# Fields of the Responses dialect that mean the same here.
_SHARED: Final = frozenset({"store", "metadata", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"})


def write_request(asked: Request, quirks: Quirks) -> Json:
    """Raises Refusal cannot_carry, capability_rejected; notes in `asked.lost` what is left out."""
    if asked.dialect != CHAT:
        refuse_server_tools(asked)
    body: Json = {"model": asked.model}
    body["messages"] = Messages(asked, quirks, _schema_words(asked, quirks)).written()
    if asked.max_tokens:
        most = quirks.max_tokens_most
        body[quirks.max_tokens_field or "max_tokens"] = min(asked.max_tokens, most) if most else asked.max_tokens
    if asked.stream:
        body["stream"] = True
        if quirks.stream_usage:
            body["stream_options"] = {"include_usage": True}
    _write_sampling(asked, quirks, body)
    _write_tools(asked, quirks, body)
    _write_format(asked, quirks, body)
    _write_foreign(asked, body)
    _write_thinking(asked, quirks, body)
    for name in quirks.fields_dropped:
        if body.pop(name, None) is not None:
            lose(asked, name)
    for name, value in quirks.extra.items():
        body.setdefault(name, value)
    return body


def _write_sampling(asked: Request, quirks: Quirks, body: Json) -> None:
    for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty"):
        value = getattr(asked, name)
        if value is not None:
            body[name] = value
    if asked.seed is not None:
        body[quirks.seed_field] = asked.seed
    if asked.top_k is not None:
        if quirks.top_k:
            body["top_k"] = asked.top_k
        else:
            lose(asked, "top_k")
    if asked.stop:
        body["stop"] = list(asked.stop[: quirks.stop_most])
        if len(asked.stop) > quirks.stop_most:
            lose(asked, f"stop sequences beyond {quirks.stop_most}")
    if asked.choices > 1:
        body["n"] = asked.choices
    if asked.user:
        body[quirks.user_field] = _user(asked.user)
        if quirks.cache_key and not asked.foreign.get("prompt_cache_key"):
            body["prompt_cache_key"] = _user(asked.user)
    if asked.service_tier in TIERS and asked.dialect in (CHAT, "responses"):
        body["service_tier"] = asked.service_tier


def _user(user: str) -> str:
    """OpenAI takes 64 characters; Claude Code's is JSON of 200, so its digest stands for it. Always the same one for the same."""
    return user if len(user) <= USER_CHARS_MAX else blake2b(user.encode("utf-8", "surrogatepass"), digest_size=24).hexdigest()


def _write_foreign(asked: Request, body: Json) -> None:
    for name, value in asked.foreign.items():
        if name == FUNCTIONS:
            continue
        if asked.dialect == CHAT or (asked.dialect == "responses" and name in _SHARED):
            body.setdefault(name, value)
        else:
            lose(asked, name)


# --- tools ------------------------------------------------------------------------------------------------------------


def _write_tools(asked: Request, quirks: Quirks, body: Json) -> None:
    tools = [_tool(tool, quirks) for tool in loaded_tools(asked)]
    if not tools:
        return
    body["tools"] = tools
    choice = asked.tool_choice
    if choice is None:
        return
    match choice.kind:
        case "any":
            body["tool_choice"] = "required"
        case "none":
            body["tool_choice"] = "none"
        case "tool":
            custom = quirks.custom_tools and any(tool.custom for tool in asked.tools if tool.name == choice.name)
            word = "custom" if custom else "function"
            body["tool_choice"] = {"type": word, word: {"name": fit(choice.name)}}
        case "auto" if asked.dialect == CHAT:
            body["tool_choice"] = "auto"
    if not choice.parallel:
        if quirks.parallel_tools:
            body["parallel_tool_calls"] = False
        else:
            lose(asked, "parallel_tool_calls")


def _tool(tool: Tool, quirks: Quirks) -> Json:
    if tool.server is not None:  # the client's own dialect, see write_request
        return tool.server.value
    if tool.custom and quirks.custom_tools:
        wanted = {"format": {"type": "grammar", "grammar": tool.grammar}} if tool.grammar else {}
        return {"type": "custom", "custom": {"name": fit(tool.name), **_described(tool.description), **wanted}}
    told = tool.description
    if tool.grammar:  # a function knows none, so the model is told
        rule = f"The text must follow this {tool.grammar.get('syntax', '')} grammar:\n{tool.grammar.get('definition', '')}"
        told = f"{told}\n\n{rule}" if told else rule
    function: Json = {"name": fit(tool.name), **_described(told)}
    if tool.custom:
        function["parameters"] = {"type": "object", "properties": {FREE_TEXT: {"type": "string"}}, "required": [FREE_TEXT]}
    else:
        function["parameters"] = tool.schema or {"type": "object", "properties": {}}
    if tool.strict is not None and quirks.tools_strict:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _described(text: str) -> Json:
    return {"description": text} if text else {}


# --- the answer's form, and thinking ----------------------------------------------------------------------------------


def _schema_words(asked: Request, quirks: Quirks) -> str:
    """What the system prompt says where the upstream knows no schema."""
    wanted = asked.format
    if wanted is None or wanted.kind != "schema" or quirks.json_schema:
        return ""
    return format_instruction(wanted)


def _write_format(asked: Request, quirks: Quirks, body: Json) -> None:
    wanted = asked.format
    if wanted is None:
        return
    if wanted.kind == "json" or not quirks.json_schema:
        body["response_format"] = {"type": "json_object"}
    else:
        body["response_format"] = {"type": "json_schema", "json_schema": _json_schema(wanted)}


def _json_schema(wanted: Format) -> Json:
    inner: Json = {"name": wanted.name or "answer", "schema": wanted.schema}
    if wanted.description:
        inner["description"] = wanted.description
    if wanted.strict is not None:
        inner["strict"] = wanted.strict
    return inner


def _write_thinking(asked: Request, quirks: Quirks, body: Json) -> None:
    effort = asked.effort
    plain = asked.model.rpartition("/")[2].startswith(quirks.plain_models) if quirks.plain_models else False
    if quirks.thinking == "no" or plain:
        return
    level = level_of(effort, quirks.efforts)
    if quirks.fixed_sampling and level != "none":
        for name in _SAMPLING:
            if body.pop(name, None) is not None:
                lose(asked, name)
    if effort.mode == "" and not level:
        return
    match quirks.thinking or "reasoning_effort":
        case "reasoning_effort":
            if level:
                body["reasoning_effort"] = level
        case "thinking":
            body["thinking"] = {"type": "disabled" if effort.mode == "off" else "enabled"}
            if level and effort.mode != "off":
                body["reasoning_effort"] = level
        case "reasoning":
            body["reasoning"] = _reasoning(effort, level)
        case "enable_thinking":
            given = body.get("chat_template_kwargs")
            words: dict[str, Any] = given if isinstance(given, dict) else {}
            on = effort.mode != "off"
            body["chat_template_kwargs"] = {"enable_thinking": on, "thinking": on} | words
            if level and on:
                body["reasoning_effort"] = level


def _reasoning(effort: Effort, level: str) -> Json:
    """OpenRouter takes an effort or a budget, not both."""
    if effort.mode == "off":
        return {"enabled": False}
    if effort.budget > 0 and not effort.level:
        return {"max_tokens": effort.budget}
    return {"effort": level} if level else {"enabled": True}


def level_of(effort: Effort, known: tuple[str, ...]) -> str:
    """The level to ask for: the nearest of the known ones, of two as near the higher; "" where none is to be asked for."""
    wanted = "none" if effort.mode == "off" else effort.level
    if not wanted and effort.budget > 0:
        wanted = next((level for most, level in _BUDGETS if effort.budget <= most), "xhigh")
    if wanted not in LEVELS or not known or wanted in known:
        return wanted if wanted in LEVELS else ""
    if wanted == "none":  # what cannot be turned off is turned down
        return min(known, key=LEVELS.index)
    at = LEVELS.index(wanted)
    near = sorted((abs(LEVELS.index(level) - at), -LEVELS.index(level), level) for level in known if level != "none")
    return near[0][2] if near else ""
