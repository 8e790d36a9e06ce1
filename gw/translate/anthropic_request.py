"""An Anthropic client's request -> the form. Never a closed schema: fields yet unknown are kept under `foreign`, blocks and tools
yet unknown as Foreign. What must be of a type, and is not, is refused with its place.
"""

from typing import Any, Final, Literal, NoReturn, cast

from gw.errors import Refusal
from gw.translate.anthropic_parts import cache_of, read_blocks
from gw.translate.dialect import Entrance
from gw.translate.form import Effort, Foreign, Format, Json, Message, Request, Role, Tool, ToolChoice
from gw.translate.loose import count_at, object_at, text
from gw.translate.seal import ANTHROPIC

ROLES: Final = ("user", "assistant", "system")
LEVELS: Final = ("low", "medium", "high", "xhigh", "max")
# What a block of this kind cannot be without; all are texts.
NEEDED: Final = {
    "text": ("text",),
    "thinking": ("thinking",),
    "redacted_thinking": ("data",),
    "tool_use": ("id", "name"),
    "tool_result": ("tool_use_id",),
    "tool_reference": ("tool_name",),
}
_TOOL_FIELDS: Final = {"type", "name", "description", "input_schema", "strict", "defer_loading", "cache_control"}
_READ: Final = {
    "model", "messages", "system", "tools", "tool_choice", "max_tokens", "stream", "temperature", "top_p", "top_k",
    "stop_sequences", "thinking", "output_config", "output_format", "metadata", "service_tier",
}  # fmt: skip


def read_request(body: Json, entrance: Entrance) -> Request:
    """Raises Refusal invalid_field."""
    messages = _list(body, "messages", "")
    model = entrance.model or _string(body, "model", "")
    foreign = {name: value for name, value in body.items() if name not in _READ and value is not None}
    asked = Request(
        dialect=ANTHROPIC,
        model=model,
        messages=tuple(_message(value, f"messages.{at}") for at, value in enumerate(messages)),
        system=read_blocks(_content(body.get("system"), "system")),
        tools=tuple(_tool(value, f"tools.{at}") for at, value in enumerate(_list(body, "tools", ""))),
        tool_choice=_choice(body.get("tool_choice")),
        max_tokens=_count(body, "max_tokens"),
        stream=entrance.stream or body.get("stream") is True,
        temperature=_number(body, "temperature"),
        top_p=_number(body, "top_p"),
        top_k=_count(body, "top_k"),
        stop=_stops(body),
        service_tier=_string(body, "service_tier", ""),
        foreign=foreign,
        model_named=model,
    )
    _read_output(asked, body)
    asked.effort = _effort(asked, body)
    metadata = object_at(body, "metadata")
    asked.user = text(metadata.get("user_id"))
    _keep(foreign, "metadata", {name: value for name, value in metadata.items() if name != "user_id"})
    return asked


def _keep(foreign: Json, name: str, rest: Json) -> None:
    if rest:
        foreign[name] = rest


def _read_output(asked: Request, body: Json) -> None:
    """`output_config`, and `output_format` as it was called before."""
    config = object_at(body, "output_config")
    wanted = config.get("format") or body.get("output_format")
    if isinstance(wanted, dict):
        name, words = text(wanted.get("name")), text(wanted.get("description"))
        asked.format = Format("schema", name, words, object_at(wanted, "schema"))
    rest = {name: value for name, value in config.items() if name not in ("effort", "format") and value is not None}
    _keep(asked.foreign, "output_config", rest)


def _effort(asked: Request, body: Json) -> Effort:
    """A message may set the effort from itself on: the last one that does counts. `display` is kept aside."""
    level = text(object_at(body, "output_config").get("effort"))
    for message in asked.messages:
        if message.foreign:
            level = text(object_at(message.foreign, "output_config").get("effort")) or level
    thinking = object_at(body, "thinking")
    display = text(thinking.get("display"))
    if display and display != "omitted":
        asked.foreign["thinking"] = {"display": display}
    mode: Literal["", "on", "adaptive", "off"] = ""
    match thinking.get("type"):
        case "enabled":
            mode = "on"
        case "adaptive":
            mode = "adaptive"
        case "disabled":
            mode = "off"
    return Effort(mode, level, count_at(thinking, "budget_tokens") if mode == "on" else 0, display != "omitted")


def _message(value: Any, place: str) -> Message:
    if not isinstance(value, dict):
        _refuse(place, "Input should be an object")
    role = value.get("role")
    if role not in ROLES:
        _refuse(f"{place}.role", "Input should be 'user', 'assistant' or 'system'")
    if value.get("content") is None:
        _refuse(f"{place}.content", "Field required")
    content = read_blocks(_content(value["content"], f"{place}.content"))
    rest = {name: part for name, part in value.items() if name not in ("role", "content") and part is not None}
    return Message(cast(Role, role), content, rest)


def _content(value: Any, place: str, *, of_result: bool = False) -> Any:
    """A text, a list of blocks, or nothing; blocks have what they need."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, list):
        _refuse(place, "Input should be a text or a list of blocks")
    for at, block in enumerate(value):
        here = f"{place}.{at}"
        if not isinstance(block, dict):
            _refuse(here, "Input should be an object")
        kind = block.get("type")
        if not isinstance(kind, str):
            _refuse(f"{here}.type", "Field required")
        for name in NEEDED.get(kind, ()):
            if not isinstance(block.get(name), str):
                _refuse(f"{here}.{name}", "Input should be a valid string")
        if kind == "tool_result":
            if of_result:
                _refuse(f"{here}.type", "A tool_result cannot stand within another")
            _content(block.get("content"), f"{here}.content", of_result=True)
        if kind in ("image", "document") and not isinstance(block.get("source"), dict):
            _refuse(f"{here}.source", "Field required")
    return value


def _tool(value: Any, place: str) -> Tool:
    if not isinstance(value, dict):
        _refuse(place, "Input should be an object")
    name = value.get("name")
    kind = value.get("type")
    if isinstance(kind, str) and kind != "custom":
        shown = name if isinstance(name, str) else ""
        server = Foreign(ANTHROPIC, kind, value)
        return Tool(shown, deferred=value.get("defer_loading") is True, cache=cache_of(value), server=server)
    if not isinstance(name, str):
        _refuse(f"{place}.name", "Input should be a valid string")
    if not isinstance(value.get("input_schema"), dict):
        _refuse(f"{place}.input_schema", "Input should be an object")
    strict = value.get("strict")
    return Tool(
        name=name,
        description=text(value.get("description")),
        schema=value["input_schema"],
        strict=strict if isinstance(strict, bool) else None,
        deferred=value.get("defer_loading") is True,
        cache=cache_of(value),
        foreign={key: part for key, part in value.items() if key not in _TOOL_FIELDS and part is not None},
    )


def _choice(value: Any) -> ToolChoice | None:
    if value is None:
        return None
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in ("auto", "any", "none", "tool"):
        _refuse("tool_choice.type", "Input should be 'auto', 'any', 'none' or 'tool'")
    if kind == "tool" and not text(value.get("name")):
        _refuse("tool_choice.name", "Field required")
    return ToolChoice(kind, text(value.get("name")), value.get("disable_parallel_tool_use") is not True)


def _stops(body: Json) -> tuple[str, ...]:
    stops = _list(body, "stop_sequences", "")
    if not all(isinstance(stop, str) for stop in stops):
        _refuse("stop_sequences", "Input should be a list of texts")
    return tuple(stops)


def _list(body: Json, name: str, place: str) -> list[Any]:
    value = body.get(name)
    if value is None and name != "messages":
        return []
    if not isinstance(value, list):
        _refuse(place + name, "Field required" if value is None else "Input should be a list")
    return value


def _string(body: Json, name: str, place: str) -> str:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        _refuse(place + name, "Input should be a valid string")
    return value or ""


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(body: Json, name: str) -> int | None:
    value = body.get(name)
    if value is not None and (not _whole(value) or value < 0):
        _refuse(name, "Input should be a whole number of at least 0")
    return cast(int | None, value)


def _number(body: Json, name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        _refuse(name, "Input should be a number")
    return float(value)


def _refuse(place: str, words: str) -> NoReturn:
    raise Refusal("invalid_field", f"{place}: {words}")
