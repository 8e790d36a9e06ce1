"""The form -> the body of a generateContent request, for the Gemini API and Vertex AI. The model stands in the address.

What models of one generation take and others refuse is decided by the model's name: thinking as a level or as a budget, the cap
on output, penalties, JSON beside tools.
"""

from typing import Any, Final

from gw.translate.capability import format_instruction, loaded_tools, lose, lose_foreign, refuse_server_tools, system_blocks
from gw.translate.dialect import Quirks
from gw.translate.form import Json, Request, Tool
from gw.translate.gemini_contents import FREE_TEXT, Contents, cannot
from gw.translate.gemini_schema import cleaned
from gw.translate.gemini_words import GEMINI, generation
from gw.translate.names import fit

STOPS_MOST: Final = 5
_NAME_CHARS_MAX: Final = 64
_CAPS: Final = (((2, 5), 65_535), ((0, 1), 8_192))  # from this generation on -> maxOutputTokens; above it Gemini refuses
_BUDGETS: Final = {"minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 24_576}  # as Google's own OpenAI endpoint has them
_LEVELS_BY_BUDGET: Final = ((2_048, "low"), (16_384, "medium"))  # a budget up to this; above: high
_CUSTOM: Final = {"type": "object", "properties": {FREE_TEXT: {"type": "string"}}, "required": [FREE_TEXT]}
_TIERS: Final = frozenset({"flex", "priority"})


def write_request(asked: Request, quirks: Quirks) -> Json:
    """Raises Refusal cannot_carry, capability_rejected; notes in `asked.lost` what is left out."""
    own = asked.dialect == GEMINI
    if not own:
        refuse_server_tools(asked)
    if asked.choices > 1 and not own:
        raise cannot(asked, f"A request for {asked.choices} answers at once")
    body: Json = {"contents": Contents(asked, quirks).written()}
    config: Json = {}
    words = _format(asked, quirks, config)
    system = _system(asked, quirks)
    if words:
        system.append({"text": words})
    if system:
        body["systemInstruction"] = {"parts": system}
    _tools(asked, body)
    _sampling(asked, quirks, config)
    if thinking := _thinking(asked, quirks):
        config["thinkingConfig"] = thinking
    if asked.service_tier in _TIERS and asked.dialect != "anthropic":
        body["serviceTier"] = asked.service_tier
    if own:
        _merge(body, {**asked.foreign, "generationConfig": config | asked.foreign.get("generationConfig", {})})
    else:
        lose_foreign(asked)
        body["generationConfig"] = config
    for name in quirks.fields_dropped:
        if body.pop(name, None) is not None:
            lose(asked, name)
    _merge(body, quirks.extra)
    if not body.get("generationConfig"):
        body.pop("generationConfig", None)
    return body


def _merge(body: Json, more: Json) -> None:
    """Adds what is not there yet, also inside objects of the top level."""
    for name, value in more.items():
        given = body.get(name)
        if isinstance(given, dict) and isinstance(value, dict):
            body[name] = value | given
        else:
            body.setdefault(name, value)


def _system(asked: Request, quirks: Quirks) -> list[Json]:
    parts: list[Json] = []
    for block in system_blocks(asked):
        parts += Contents(asked, quirks).parts_of(block)
    return parts


# --- tools ----------------------------------------------------------------------------------------------------------


def _tools(asked: Request, body: Json) -> None:
    tools = loaded_tools(asked)
    functions = [_function(tool) for tool in tools if tool.server is None]
    found: list[Json] = [tool.server.value for tool in tools if tool.server is not None]
    if functions:
        found.insert(0, {"functionDeclarations": functions})
    if not found:
        return
    body["tools"] = found
    choice = asked.tool_choice
    if choice is None:
        return
    if not choice.parallel:
        lose(asked, "at most one tool call at a time")
    if not functions or choice.kind == "auto":
        return
    calling: Json = {"mode": "NONE" if choice.kind == "none" else "ANY"}
    if choice.kind == "tool":
        calling["allowedFunctionNames"] = [fit(choice.name, _NAME_CHARS_MAX)]
    body["toolConfig"] = {"functionCallingConfig": calling}


def _function(tool: Tool) -> Json:
    """Without parameters a function has no schema: Gemini refuses an object without properties there."""
    found: Json = {"name": fit(tool.name, _NAME_CHARS_MAX), "description": tool.description or tool.name}
    schema = cleaned(_CUSTOM if tool.custom else tool.schema)
    if schema.get("properties"):
        found["parametersJsonSchema"] = schema
    return found


# --- generationConfig -----------------------------------------------------------------------------------------------


def _sampling(asked: Request, quirks: Quirks, config: Json) -> None:
    age = generation(asked.model)
    if asked.max_tokens:
        most = quirks.max_tokens_most or next((cap for since, cap in _CAPS if age >= since), asked.max_tokens)
        config["maxOutputTokens"] = min(asked.max_tokens, most)
    _set(config, "temperature", asked.temperature)
    _set(config, "topP", asked.top_p)
    _set(config, "topK", asked.top_k)
    _set(config, "seed", asked.seed)
    for name, value in (("frequencyPenalty", asked.frequency_penalty), ("presencePenalty", asked.presence_penalty)):
        if value and age >= (3, 5):
            lose(asked, name)  # refused since then
        else:
            _set(config, name, value)
    stops = [one for one in asked.stop if one]
    if stops:
        config["stopSequences"] = stops[:STOPS_MOST]
    if len(stops) > STOPS_MOST:
        lose(asked, f"stop sequences beyond {STOPS_MOST}")
    if asked.choices > 1:
        config["candidateCount"] = asked.choices


def _set(config: Json, name: str, value: Any) -> None:
    if value is not None:
        config[name] = value


def _format(asked: Request, quirks: Quirks, config: Json) -> str:
    """Sets the format; returns the words for the system prompt where there is no field for it: before Gemini 3, none beside
    tools."""
    wanted = asked.format
    if wanted is None:
        return ""
    if asked.tools and generation(asked.model) < (3, 0):
        return format_instruction(wanted)
    if wanted.kind == "schema" and not quirks.json_schema:
        return format_instruction(wanted)
    config["responseMimeType"] = "application/json"
    if wanted.kind == "schema":
        config["responseJsonSchema"] = cleaned(wanted.schema)
    return ""


def _thinking(asked: Request, quirks: Quirks) -> Json:
    """thinkingConfig. A level since Gemini 3, a budget with 2.5, nothing before."""
    effort, age = asked.effort, generation(asked.model)
    off = effort.mode == "off" or effort.level == "none"
    if (effort.mode == "" and not effort.level) or quirks.thinking == "no":
        return {}
    if age < (2, 5):
        if not off:
            lose(asked, "thinking")
        return {}
    found: Json = {"includeThoughts": effort.shown and not off}
    if age >= (3, 0):
        if level := _level(asked, off):
            found["thinkingLevel"] = level
    else:
        found["thinkingBudget"] = _budget(asked, off)
    return found


def _level(asked: Request, off: bool) -> str:
    """Thinking cannot be switched off since Gemini 3, and MINIMAL is known to the small models only."""
    effort = asked.effort
    level = "minimal" if off else effort.level
    if not level and effort.budget > 0:
        level = next((word for most, word in _LEVELS_BY_BUDGET if effort.budget <= most), "high")
    if not level:
        return ""
    if level in ("xhigh", "max"):
        level = "high"
    if level == "minimal" and "flash" not in asked.model:
        level = "low"
    if level == "medium" and "gemini-3-pro" in asked.model:
        level = "high"
    return level.upper()


def _budget(asked: Request, off: bool) -> int:
    """In tokens, within what the model takes. Pro cannot do without."""
    effort = asked.effort
    pro = "pro" in asked.model
    least, most = (128, 32_768) if pro else (512 if "lite" in asked.model else 1, 24_576)
    if off:
        return least if pro else 0
    if effort.budget > 0:
        return min(max(effort.budget, least), most)
    if effort.level in ("xhigh", "max"):
        return most
    return _BUDGETS.get(effort.level, -1)
