"""The form -> a request to the OpenAI Responses API.

Nothing is left with OpenAI (`store` is false), so a model's chain of thought goes back with each request: as reasoning items
with their id and what OpenAI has encrypted. Caching is OpenAI's own affair, by the prompt's beginning and `prompt_cache_key`;
marks are written only for upstreams whose quirks know them. Source: OpenAI API reference, SDK 3.54, November 2026.
"""

from typing import Final

from gw.domain.quirks import Quirks
from gw.errors import Refusal
from gw.translate.capability import format_instruction, loaded_tools, lose, refuse_server_tools, system_blocks, system_text
from gw.translate.form import Format, Json, Request, Text, Tool, ToolChoice
from gw.translate.loose import loaded, object_at, text_at
from gw.translate.names import fit
from gw.translate.responses_effort import level_for, thinks
from gw.translate.responses_input import WORD_CHARS_MAX, Input, digest, text_part
from gw.translate.responses_items import RESPONSES, full_name
from gw.translate.responses_request import grammar_words
from gw.translate.seal import ANTHROPIC

MAX_OUTPUT_LEAST: Final = 16  # OpenAI refuses less
TIERS: Final = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})
ENCRYPTED: Final = "reasoning.encrypted_content"
_OPENAI: Final = ("chat", RESPONSES)
# Fields of the chat dialect that mean the same here.
_SHARED: Final = ("metadata", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "moderation")


def write_request(asked: Request, quirks: Quirks) -> Json:
    """Raises Refusal: cannot_carry, capability_rejected; notes in `asked.lost` what it leaves out."""
    if asked.choices > 1:
        raise Refusal("cannot_carry", "The Responses API gives one answer to a request: ask with n = 1.")
    body: Json = {"model": asked.model}
    if asked.dialect == ANTHROPIC:
        refuse_server_tools(asked)
    items = Input(asked, quirks)
    _system(body, items, asked, quirks)
    for message in asked.messages:
        items.add(message)
    body["input"] = items.items
    _tools(body, asked, quirks)
    _bounds(body, asked, quirks)
    _thinking(body, asked, quirks)
    _text(body, asked, quirks)
    _who(body, asked)
    _own(body, asked)
    for name in quirks.fields_dropped:
        body.pop(name, None)
    return quirks.extra | body


def _system(body: Json, items: Input, asked: Request, quirks: Quirks) -> None:
    """As instructions; where marks are known and there is one, as the first message."""
    more = format_instruction(asked.format) if asked.format and asked.format.kind == "schema" and not quirks.json_schema else ""
    texts = [block for block in system_blocks(asked) if isinstance(block, Text)]
    if len(texts) < len(system_blocks(asked)):
        lose(asked, "system content that is no text")
    if quirks.cache_marks and any(block.cache for block in texts):
        parts = [text_part(block, marked=True) for block in (*texts, Text(more)) if block.text]
        items.items.append({"type": "message", "role": "developer", "content": parts})
    elif words := "\n\n".join(part for part in (system_text(asked), more) if part):
        body["instructions"] = words


# --- tools ------------------------------------------------------------------------------------------------------------


def _tools(body: Json, asked: Request, quirks: Quirks) -> None:
    tools = tools_json(asked, quirks)
    if not tools:
        return
    body["tools"] = tools
    if "tool_choice" in asked.foreign and asked.dialect == RESPONSES:
        body["tool_choice"] = asked.foreign["tool_choice"]
    elif asked.tool_choice:
        body["tool_choice"] = choice_json(asked.tool_choice, asked.tools)
    if asked.tool_choice and not asked.tool_choice.parallel:
        if quirks.parallel_tools:
            body["parallel_tool_calls"] = False
        else:
            lose(asked, "parallel_tool_calls")


def tools_json(asked: Request, quirks: Quirks) -> list[Json]:
    """Those of one namespace stand together in it, for who speaks of namespaces."""
    found: list[Json] = []
    spaces: dict[str, list[Json]] = {}
    for tool in loaded_tools(asked):
        value = tool_json(tool, asked, quirks)
        if not tool.namespace:
            found.append(value)
            continue
        value["name"] = tool.name.removeprefix(full_name(tool.namespace, ""))
        if tool.namespace not in spaces:
            inner = spaces[tool.namespace] = []
            found.append({"type": "namespace", "name": tool.namespace, "description": tool.namespace, "tools": inner})
        spaces[tool.namespace].append(value)
    return found


def tool_json(tool: Tool, asked: Request, quirks: Quirks) -> Json:
    """OpenAI takes a function for strict unless it is told otherwise, and strict schemas are a dialect of their own."""
    server = tool.server
    if server and server.dialect == RESPONSES:
        return server.value
    if server and not tool.custom:
        what = f"The tool {server.kind} is run by its provider, and this model's upstream has none of the kind."
        raise Refusal("cannot_carry", f"{what} Turn it off, or choose a model of that provider.")
    if tool.custom:
        return _custom(tool, object_at(server.value, "custom") if server else {})
    value: Json = {"type": "function", "name": fit(tool.name, WORD_CHARS_MAX)}
    if tool.description:
        value["description"] = tool.description
    value["parameters"] = tool.schema or {"type": "object", "properties": {}}
    if quirks.tools_strict and (tool.strict is not None or asked.dialect != RESPONSES):
        value["strict"] = tool.strict is True
    return value


def _custom(tool: Tool, own: Json) -> Json:
    """`own`: as the chat dialect has it. Where the grammar goes as such, the description need not tell it."""
    value: Json = {"type": "custom", "name": fit(tool.name, WORD_CHARS_MAX)}
    grammar = tool.grammar or object_at(object_at(own, "format"), "grammar")
    described = text_at(own, "description") if own else tool.description
    if tool.grammar:
        described = described.removesuffix(grammar_words(tool.grammar).strip()).strip()
    if described:
        value["description"] = described
    if grammar:
        value["format"] = {"type": "grammar"} | grammar
    return value


def choice_json(choice: ToolChoice, tools: tuple[Tool, ...]) -> str | Json:
    if choice.kind == "tool":
        custom = any(tool.custom for tool in tools if tool.name == choice.name)
        return {"type": "custom" if custom else "function", "name": fit(choice.name, WORD_CHARS_MAX)}
    return "required" if choice.kind == "any" else choice.kind


# --- the rest ---------------------------------------------------------------------------------------------------------


def _bounds(body: Json, asked: Request, quirks: Quirks) -> None:
    if asked.max_tokens is not None:
        most = max(asked.max_tokens, MAX_OUTPUT_LEAST)
        body[quirks.max_tokens_field or "max_output_tokens"] = min(most, quirks.max_tokens_most or most)
    plain = not thinks(asked.model, quirks)
    for name in ("temperature", "top_p"):
        value = getattr(asked, name)
        if value is None:
            continue
        if plain:
            body[name] = min(value, 2.0) if name == "temperature" else value
        elif value != 1:  # models that think take nothing else
            lose(asked, name)
    for name in ("top_k", "stop", "seed", "frequency_penalty", "presence_penalty"):
        if getattr(asked, name):
            lose(asked, name)
    if asked.stream:
        body["stream"] = True


def _thinking(body: Json, asked: Request, quirks: Quirks) -> None:
    effort = asked.effort
    if not thinks(asked.model, quirks):
        if effort.level or effort.budget:
            lose(asked, "reasoning")
        return
    reasoning: Json = {}
    if level := level_for(asked.model, effort, quirks):
        reasoning["effort"] = level
    if effort.mode != "off" and effort.shown and (effort.mode or asked.dialect == RESPONSES):
        reasoning["summary"] = "auto"
    if reasoning:
        body["reasoning"] = reasoning
    body["include"] = [ENCRYPTED]


def _text(body: Json, asked: Request, quirks: Quirks) -> None:
    text: Json = {}
    wanted = asked.format
    if wanted and wanted.kind == "json":
        text["format"] = {"type": "json_object"}
    elif wanted and quirks.json_schema:
        text["format"] = format_json(wanted)
    verbosity = text_at(object_at(asked.foreign, "text"), "verbosity") or text_at(asked.foreign, "verbosity")
    if verbosity and asked.dialect in _OPENAI:
        text["verbosity"] = verbosity
    if text:
        body["text"] = text


def format_json(wanted: Format) -> Json:
    value: Json = {"type": "json_schema", "name": wanted.name or "answer", "schema": wanted.schema}
    if wanted.description:
        value["description"] = wanted.description
    if wanted.strict is not None:
        value["strict"] = wanted.strict
    return value


def _who(body: Json, asked: Request) -> None:
    """The end user, unreadable unless the client speaks to OpenAI anyway; and a session, which OpenAI's caches are kept by."""
    if asked.service_tier in TIERS:
        body["service_tier"] = asked.service_tier
    elif asked.service_tier == "standard_only":
        body["service_tier"] = "default"
    elif asked.service_tier:
        lose(asked, "service_tier")
    if not asked.user:
        return
    told = loaded(asked.user) if asked.user.startswith("{") else None
    if isinstance(told, dict) and (session := text_at(told, "session_id")):
        body["prompt_cache_key"] = session if len(session) <= WORD_CHARS_MAX else digest(session)
    who = text_at(told, "device_id", "account_uuid") if isinstance(told, dict) else ""
    open_name = asked.dialect in _OPENAI and len(asked.user) <= WORD_CHARS_MAX
    body["safety_identifier"] = asked.user if open_name else digest(who or asked.user)


def _own(body: Json, asked: Request) -> None:
    """Fields of OpenAI's own, for who speaks its dialects. Anybody else's are left out."""
    for name, value in asked.foreign.items():
        if name in ("text", "verbosity", "tool_choice", "functions"):
            continue  # told above; how a client of the chat dialect is answered
        if asked.dialect == RESPONSES or (asked.dialect in _OPENAI and name in _SHARED):
            given = body.get(name)
            if isinstance(value, list) and isinstance(given, list):  # `include`
                body[name] = [*value, *(one for one in given if one not in value)]
            else:
                body[name] = value
        else:
            lose(asked, name)
    body.setdefault("store", False)
