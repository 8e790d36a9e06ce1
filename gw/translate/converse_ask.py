"""The form -> an upstream's Converse request, as the model takes it. Raises Refusal; notes in `asked.lost` what is left out.

Cache marks and thoughts of earlier turns go to who takes them, and are left out without a word elsewhere: nothing of the answer
depends on them.
"""

from typing import Final

import orjson

from gw.errors import Refusal
from gw.translate.anthropic_models import cap_of, has_formats, write_sampling, write_thinking
from gw.translate.anthropic_schema import closed_schema
from gw.translate.capability import format_instruction, loaded_tools, lose, lose_foreign, refuse_server_tools
from gw.translate.converse_blocks import point
from gw.translate.converse_models import Family, family_of
from gw.translate.converse_turns import Turns
from gw.translate.converse_words import CONVERSE, TIERS
from gw.translate.dialect import Quirks
from gw.translate.form import Json, Request, Tool
from gw.translate.names import fit
from gw.translate.seal import ANTHROPIC

ADDITIONAL: Final = "additionalModelRequestFields"
FREE_TEXT: Final = "input"  # the only field of a custom tool that has become a function
_THREE: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_UNUSED: Final = "earlier_tool"  # stands for the tools of earlier turns where the request has none


def write_request(asked: Request, quirks: Quirks) -> Json:
    if asked.dialect != CONVERSE:
        refuse_server_tools(asked)
    if asked.choices > 1:
        words = f"{asked.model} gives one answer to a request, and {asked.choices} are asked for: ask for one, several times."
        raise Refusal("cannot_carry", words)
    family = family_of(asked.model)
    turns = Turns(asked, family, quirks)
    system, messages = turns.system(), turns.messages()
    if not messages and not system:
        raise Refusal("cannot_carry", "The request has no message that says anything, and Amazon Bedrock wants one.")
    if not messages:  # a prompt alone: it is what the user says
        messages, system = [{"role": "user", "content": system}], []
    body: Json = {"messages": messages}
    more: Json = {}
    if family.claude:
        _write_claude(asked, quirks, body, more)
    else:
        _write_others(asked, family, quirks, body, more)
    _write_stops(asked, family, body)
    _write_tools(asked, quirks, body, more, turns)
    if words := _write_format(asked, family, quirks, body):
        system.append({"text": words})
    if system:
        body["system"] = system
    _write_rest(asked, body, more)
    for name in quirks.fields_dropped:
        if body.pop(name, None) is not None:
            lose(asked, name)
    for name, value in quirks.extra.items():
        body.setdefault(name, value)
    return body


# --- sampling and thinking --------------------------------------------------------------------------------------------


def _write_claude(asked: Request, quirks: Quirks, body: Json, more: Json) -> None:
    """What Claude takes is the same as with Anthropic; only the places differ."""
    own: Json = {"max_tokens": cap_of(asked, quirks)}
    write_thinking(asked, quirks, own)
    write_sampling(asked, own)
    config: Json = {"maxTokens": own["max_tokens"]}
    for name, theirs in (("temperature", "temperature"), ("top_p", "topP")):
        if name in own:
            config[theirs] = own[name]
    body["inferenceConfig"] = config
    for name in ("thinking", "top_k"):
        if name in own:
            more[name] = own[name]
    if effort := own.get("output_config", {}).get("effort"):
        body["outputConfig"] = {"effort": effort}


def _write_others(asked: Request, family: Family, quirks: Quirks, body: Json, more: Json) -> None:
    config: Json = {}
    if asked.max_tokens is not None:
        most = quirks.max_tokens_most
        config["maxTokens"] = max(1, min(asked.max_tokens, most) if most else asked.max_tokens)
    if asked.temperature is not None:
        config["temperature"] = min(asked.temperature, 1)
        if asked.temperature > 1:
            lose(asked, "temperature above 1")
    if asked.top_p is not None:
        config["topP"] = asked.top_p
    if config:
        body["inferenceConfig"] = config
    if asked.top_k is not None:
        if family.top_k == "top_k":
            more["top_k"] = asked.top_k
        elif family.top_k == "nova":
            more["inferenceConfig"] = {"topK": asked.top_k}
        else:
            lose(asked, "top_k")
    effort = asked.effort
    off = effort.mode == "off" or effort.level == "none"
    if off or not (effort.mode or effort.level or effort.budget):
        return
    level = _THREE.get(effort.level, "medium")
    if quirks.thinking in ("", "reasoning_effort") and family.asks == "reasoning_effort":
        more["reasoning_effort"] = level
    elif quirks.thinking == "" and family.asks == "reasoningConfig":
        more["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": level}
    else:
        lose(asked, "thinking")


def _write_stops(asked: Request, family: Family, body: Json) -> None:
    stops = [one for one in asked.stop if one.strip() or (one and not family.claude)]
    if stops:
        body.setdefault("inferenceConfig", {})["stopSequences"] = stops
        if family.claude:
            body["additionalModelResponseFieldPaths"] = ["/stop_sequence"]  # which of them it was
    if len(stops) < len(asked.stop):
        lose(asked, "stop sequences of white space")
    lose(asked, *(name for name in ("seed", "frequency_penalty", "presence_penalty") if getattr(asked, name) is not None))


# --- tools ------------------------------------------------------------------------------------------------------------


def _write_tools(asked: Request, quirks: Quirks, body: Json, more: Json, turns: Turns) -> None:
    choice, claude = asked.tool_choice, turns.family.claude
    tools: list[Json] = []
    if choice is None or choice.kind != "none":
        for tool in loaded_tools(asked):
            tools.append(_tool(tool, quirks))
            if tool.cache and claude:
                tools.append(point(tool.cache))
    if not any("cachePoint" not in tool for tool in tools):
        # Bedrock has no word for "none", and wants a tool where earlier turns have called some.
        if turns.called:
            body["toolConfig"] = {"tools": [_placeholder()]}
        return
    config: Json = {"tools": tools}
    if choice is not None and choice.kind == "any":
        config["toolChoice"] = {"any": {}}
    elif choice is not None and choice.kind == "tool":
        config["toolChoice"] = {"tool": {"name": fit(choice.name)}}
    if choice is not None and not choice.parallel:
        if claude and quirks.parallel_tools:
            more["tool_choice"] = {"type": choice.kind, "disable_parallel_tool_use": True}
            if choice.kind == "tool":
                more["tool_choice"]["name"] = fit(choice.name)
        else:
            lose(asked, "parallel_tool_calls")
    body["toolConfig"] = config


def _tool(tool: Tool, quirks: Quirks) -> Json:
    if tool.server is not None:
        return tool.server.value
    schema: Json = {"type": "object", "properties": {FREE_TEXT: {"type": "string"}}, "required": [FREE_TEXT]}
    if not tool.custom:
        schema = tool.schema if tool.schema.get("type") else {"type": "object", "properties": {}} | tool.schema
    spec: Json = {"name": fit(tool.name), "inputSchema": {"json": schema}}
    if tool.description.strip():
        spec["description"] = tool.description
    if tool.strict and quirks.tools_strict and not tool.custom:
        spec["strict"] = True
    return {"toolSpec": spec}


def _placeholder() -> Json:
    words = "Was used in earlier turns and is not available any more. Do not call it."
    return {"toolSpec": {"name": _UNUSED, "description": words, "inputSchema": {"json": {"type": "object", "properties": {}}}}}


# --- the answer's form, and the rest ----------------------------------------------------------------------------------


def _write_format(asked: Request, family: Family, quirks: Quirks, body: Json) -> str:
    """The line of the system prompt that is needed where there is no field for it, or ""."""
    wanted = asked.format
    if wanted is None:
        return ""
    if wanted.kind != "schema" or not quirks.json_schema or (family.claude and not has_formats(asked.model)):
        return format_instruction(wanted)
    schema = wanted.schema if asked.dialect in (ANTHROPIC, CONVERSE) else closed_schema(wanted.schema)
    inner: Json = {"schema": orjson.dumps(schema).decode(), "name": fit(wanted.name or "answer")}
    if wanted.description:
        inner["description"] = wanted.description
    config = body.setdefault("outputConfig", {})
    config["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": inner}}
    return ""


def _write_rest(asked: Request, body: Json, more: Json) -> None:
    if asked.service_tier in TIERS:
        body["serviceTier"] = {"type": asked.service_tier}
    elif asked.service_tier not in ("", "auto", "standard_only"):
        lose(asked, "service_tier")
    if asked.dialect != CONVERSE:
        lose_foreign(asked)
    for name, value in asked.foreign.items() if asked.dialect == CONVERSE else ():
        if name == ADDITIONAL and isinstance(value, dict):
            more |= {key: one for key, one in value.items() if key not in more}
        else:
            body[name] = value
    if more:
        body[ADDITIONAL] = more
