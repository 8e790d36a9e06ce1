"""A client's Converse request -> the form. The model and whether to stream stand in the address.

What is no list, object or text where Bedrock wants one is refused with its place; fields yet unknown are kept.
"""

from typing import Any, NoReturn

from msgspec.structs import replace

from gw.errors import Refusal
from gw.translate.converse_blocks import blocks_of, cache_of
from gw.translate.converse_words import CONVERSE
from gw.translate.dialect import Entrance
from gw.translate.form import (
    Effort,
    Foreign,
    Format,
    Json,
    Message,
    Request,
    Role,
    Tool,
    ToolChoice,
)
from gw.translate.loose import count_at, loaded, object_at, text_at

_READ = {"messages", "system", "inferenceConfig", "toolConfig", "additionalModelRequestFields", "serviceTier", "outputConfig"}
_OBJECTS = ("image", "document", "video", "audio", "toolUse", "toolResult", "reasoningContent", "citationsContent", "cachePoint")
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_GUARDED = "guardrailConfig: a guardrail that Amazon alone holds. Leave it out, or choose a model on Bedrock."
_LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def read_request(body: Json, entrance: Entrance) -> Request:
    """Raises Refusal invalid_field."""
    asked = Request(CONVERSE, entrance.model, stream=entrance.stream, model_named=entrance.model)
    asked.messages = tuple(_message(one, f"messages.{at}") for at, one in enumerate(_list(body, "messages")))
    asked.system = blocks_of(_parts(body, "system", ""))
    asked.foreign = {name: value for name, value in body.items() if name not in _READ}
    if body.get("guardrailConfig"):
        asked.held = _GUARDED
    _sampling(asked, _object(body, "inferenceConfig"))
    _tools(asked, _object(body, "toolConfig"))
    _output(asked, _object(body, "outputConfig"))
    _additional(asked, body.get("additionalModelRequestFields"))
    asked.service_tier = text_at(_object(body, "serviceTier"), "type")
    return asked


def _wrong(place: str, what: str) -> NoReturn:
    raise Refusal("invalid_field", f"{place}: {what}.")


def _list(source: Json, name: str, place: str = "") -> list[Any]:
    value = source.get(name)
    if value is not None and not isinstance(value, list):
        _wrong(place + name, "must be a list")
    return value or []


def _object(source: Json, name: str, place: str = "") -> Json:
    value = source.get(name)
    if value is not None and not isinstance(value, dict):
        _wrong(place + name, "must be an object")
    return value or {}


def _message(value: Any, place: str) -> Message:
    if not isinstance(value, dict):
        _wrong(place, "must be an object with role and content")
    role = value.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        _wrong(f"{place}.role", "must be user, assistant or system")
    return Message(_ROLES[role], blocks_of(_parts(value, "content", f"{place}.")))


def _parts(source: Json, name: str, place: str) -> list[Any]:
    """The list of blocks, each an object, whose value is a text or an object as its kind says; new kinds have any."""
    parts = _list(source, name, place)
    for at, part in enumerate(parts):
        here = f"{place}{name}.{at}"
        if not isinstance(part, dict):
            _wrong(here, "must be an object")
        if "text" in part and not isinstance(part["text"], str):
            _wrong(f"{here}.text", "must be a text")
        for kind in _OBJECTS:
            value = _object(part, kind, f"{here}.")
            if kind == "toolResult" and value:
                _parts(value, "content", f"{here}.toolResult.")
    return parts


def _number(source: Json, name: str, place: str) -> float | None:
    value = source.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        _wrong(f"{place}.{name}", "must be a number")
    return value


def _sampling(asked: Request, config: Json) -> None:
    most = _number(config, "maxTokens", "inferenceConfig")
    asked.max_tokens = None if most is None else int(most)
    asked.temperature = _number(config, "temperature", "inferenceConfig")
    asked.top_p = _number(config, "topP", "inferenceConfig")
    asked.stop = tuple(one for one in _list(config, "stopSequences", "inferenceConfig.") if isinstance(one, str))


def _tools(asked: Request, config: Json) -> None:
    tools: list[Tool] = []
    for at, value in enumerate(_list(config, "tools", "toolConfig.")):
        if not isinstance(value, dict):
            _wrong(f"toolConfig.tools.{at}", "must be an object")
        point = value.get("cachePoint")
        if not isinstance(point, dict):
            tools.append(_tool(value, f"toolConfig.tools.{at}"))
        elif tools:
            tools[-1] = replace(tools[-1], cache=cache_of(point))
    asked.tools = tuple(tools)
    choice = _object(config, "toolChoice", "toolConfig.")
    if "any" in choice:
        asked.tool_choice = ToolChoice("any")
    elif "tool" in choice:
        asked.tool_choice = ToolChoice("tool", text_at(object_at(choice, "tool"), "name"))
    elif "auto" in choice:
        asked.tool_choice = ToolChoice()


def _tool(value: Json, place: str) -> Tool:
    if "toolSpec" not in value:  # systemTool, and what comes after it
        kind = next(iter(value), "")
        return Tool(text_at(object_at(value, kind), "name"), server=Foreign(CONVERSE, kind, value))
    spec = _object(value, "toolSpec", f"{place}.")
    name = text_at(spec, "name")
    if not name:
        _wrong(f"{place}.toolSpec.name", "is missing")
    strict = spec.get("strict")
    return Tool(
        name,
        text_at(spec, "description"),
        object_at(object_at(spec, "inputSchema"), "json"),
        strict if isinstance(strict, bool) else None,
    )


def _output(asked: Request, config: Json) -> None:
    level = text_at(config, "effort")
    if level:
        asked.effort = Effort(level=level)
    text_format = object_at(config, "textFormat")
    wanted = object_at(object_at(text_format, "structure"), "jsonSchema")
    if wanted:
        schema = loaded(text_at(wanted, "schema") or "{}")
        if not isinstance(schema, dict):
            _wrong("outputConfig.textFormat.structure.jsonSchema.schema", "must be the text of a JSON Schema object")
        asked.format = Format("schema", text_at(wanted, "name"), text_at(wanted, "description"), schema)


# --- fields of the models ---------------------------------------------------------------------------------------------


def _additional(asked: Request, fields: Any) -> None:
    """What models have beyond Converse's words. What is understood goes into the form; the rest is kept for Bedrock."""
    if not isinstance(fields, dict):
        return
    rest = dict(fields)
    for name in ("top_k", "topK", "k"):
        value = rest.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            asked.top_k = value
            del rest[name]
            break
    _thinking(asked, rest)
    choice = object_at(rest, "tool_choice")
    if choice.get("disable_parallel_tool_use") is True:
        asked.tool_choice = replace(asked.tool_choice or ToolChoice(), parallel=False)
        del rest["tool_choice"]
    if rest:
        asked.foreign["additionalModelRequestFields"] = rest


def _thinking(asked: Request, rest: Json) -> None:
    """Claude's `thinking` and `output_config`, OpenAI's `reasoning_effort`, Nova's `reasoningConfig`."""
    level = asked.effort.level
    output = object_at(rest, "output_config")
    if text_at(output, "effort"):
        level = level or text_at(output, "effort")
        kept = {name: value for name, value in output.items() if name != "effort"}
        rest.pop("output_config")
        if kept:
            rest["output_config"] = kept
    name = next((name for name in ("thinking", "reasoning_config") if text_at(object_at(rest, name), "type")), "")
    thinking = object_at(rest, name)
    nova = object_at(rest, "reasoningConfig")
    if kind := text_at(thinking, "type"):
        shown = thinking.get("display") != "omitted"
        if kind in ("enabled", "adaptive"):
            del rest[name]
            mode: Any = "on" if kind == "enabled" else "adaptive"
            asked.effort = Effort(mode, level, count_at(thinking, "budget_tokens"), shown)
        elif kind == "disabled":
            del rest[name]
            asked.effort = Effort("off", level, shown=shown)
    elif rest.get("reasoning_effort") in _LEVELS:
        said = rest.pop("reasoning_effort")
        asked.effort = Effort("off" if said == "none" else "", said)
    elif text_at(nova, "type") == "enabled" and nova.get("maxReasoningEffort") in _LEVELS:
        rest.pop("reasoningConfig")
        asked.effort = Effort("on", nova["maxReasoningEffort"])
    elif level:
        asked.effort = replace(asked.effort, level=level)

