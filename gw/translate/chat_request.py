"""A client's Chat Completions request -> the form.

Open: a field or a part that is not known is kept in `foreign`, or as a Foreign block, never refused for being unknown. What is
refused could mean nothing to any upstream. Source: OpenAI API reference and SDK types (openai 3.54), November 2026.
"""

from typing import Any, Final, NoReturn

from gw.errors import Refusal
from gw.translate.chat_parts import cache_of, part_blocks
from gw.translate.chat_words import CHAT, NAMELESS, arguments_of, read_details, unsealed
from gw.translate.dialect import Entrance
from gw.translate.form import (
    Block,
    Effort,
    Foreign,
    Format,
    Json,
    Message,
    Request,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from gw.translate.loose import count_at, json_text, object_at, objects, text, text_at

# Fields that the form has a place for; all others are kept in `foreign`.
_READ: Final = frozenset(
    {
        "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "function_call", "max_tokens",
        "max_completion_tokens", "stream", "stream_options", "temperature", "top_p", "top_k", "stop", "reasoning_effort",
        "reasoning", "thinking", "enable_thinking", "response_format", "user", "safety_identifier", "service_tier",
        "seed", "frequency_penalty",
        "presence_penalty", "n",
    }
)  # fmt: skip
_SPOKEN: Final = "modalities: an answer in sound is carried from Chat Completions only. Ask for text, or choose such a model."
_SEARCHED: Final = "web_search_options: searches are the provider's own. Leave them out, or choose a model that searches."
FUNCTIONS: Final = "functions"  # in `foreign`: the client speaks of functions, not of tools, and is answered so


def read_request(body: Json, entrance: Entrance) -> Request:
    """Raises Refusal invalid_field."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        _wrong("messages", "must be a list with at least one message")
    asked = Request(
        CHAT,
        model=text(body.get("model")) or entrance.model,
        model_named=text(body.get("model")) or entrance.model,
        max_tokens=_cap(body),
        stream=body.get("stream") is True,
        temperature=_number(body, "temperature"),
        top_p=_number(body, "top_p"),
        top_k=count_at(body, "top_k") or None,
        stop=_stops(body.get("stop")),
        effort=_effort(body),
        format=_format(body),
        user=text_at(body, "safety_identifier", "user"),
        service_tier=text_at(body, "service_tier"),
        seed=_whole(body, "seed"),
        frequency_penalty=_number(body, "frequency_penalty"),
        presence_penalty=_number(body, "presence_penalty"),
        choices=max(count_at(body, "n"), 1),
        usage_wanted=body.get("stream") is not True or object_at(body, "stream_options").get("include_usage") is True,
        foreign={name: value for name, value in body.items() if name not in _READ and value is not None},
    )
    modalities = body.get("modalities")
    if isinstance(modalities, list) and "audio" in modalities:
        asked.held = _SPOKEN
    if isinstance(body.get("web_search_options"), dict):
        asked.held = _SEARCHED
    asked.tools = tuple(_tools(body))
    _choose(asked, body)
    _Conversation(asked).read(messages)
    return asked


def _wrong(field: str, what: str) -> NoReturn:
    raise Refusal("invalid_field", f"{field}: {what}")


def _number(body: Json, name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        _wrong(name, "must be a number")
    return value


def _whole(body: Json, name: str) -> int | None:
    value = _number(body, name)
    return None if value is None else int(value)


def _cap(body: Json) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        if body.get(name) is not None:
            value = body[name]
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                _wrong(name, "must be a whole number of at least 1")
            return value
    return None


def _stops(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(one for one in value if isinstance(one, str) and one) if isinstance(value, list) else ()


def _effort(body: Json) -> Effort:
    """OpenAI's reasoning_effort; `reasoning` as OpenRouter has it, `thinking` as DeepSeek, `enable_thinking` as Qwen."""
    reasoning, thinking = object_at(body, "reasoning"), object_at(body, "thinking")
    level = text_at(body, "reasoning_effort") or text_at(reasoning, "effort")
    budget = count_at(reasoning, "max_tokens") or count_at(thinking, "budget_tokens")
    shown = reasoning.get("exclude") is not True
    off = level == "none" or thinking.get("type") == "disabled" or reasoning.get("enabled") is False
    if off or body.get("enable_thinking") is False:
        return Effort("off", level, shown=shown)
    if budget:
        return Effort("on", level, budget, shown)
    if level:
        return Effort("adaptive", level, shown=shown)
    wanted = thinking.get("type") in ("enabled", "adaptive", "auto") or reasoning.get("enabled") is True
    return Effort("adaptive" if wanted or body.get("enable_thinking") is True else "", shown=shown)


def _format(body: Json) -> Format | None:
    asked = object_at(body, "response_format")
    if asked.get("type") == "json_object":
        return Format("json")
    if asked.get("type") != "json_schema":
        return None
    inner = object_at(asked, "json_schema")
    strict = inner.get("strict")
    return Format(
        "schema",
        text_at(inner, "name"),
        text_at(inner, "description"),
        object_at(inner, "schema"),
        strict if isinstance(strict, bool) else None,
    )


# --- tools ------------------------------------------------------------------------------------------------------------


def _tools(body: Json) -> list[Tool]:
    tools = [_function(one, one) for one in objects(body.get(FUNCTIONS))]
    for index, tool in enumerate(objects(body.get("tools"))):
        match tool.get("type", "function"):
            case "function":
                tools.append(_function(object_at(tool, "function"), tool, f"tools[{index}]."))
            case "custom":
                inner = object_at(tool, "custom")
                grammar = object_at(object_at(inner, "format"), "grammar")
                tools.append(Tool(text_at(inner, "name"), text_at(inner, "description"), custom=True, grammar=grammar))
            case kind:
                tools.append(Tool(text(kind), server=Foreign(CHAT, text(kind), tool)))
    return tools


def _function(inner: Json, outer: Json, place: str = "functions.") -> Tool:
    name = text_at(inner, "name")
    if not name:
        _wrong(f"{place}function.name", "is missing")
    strict = inner.get("strict")
    return Tool(
        name,
        text_at(inner, "description"),
        object_at(inner, "parameters"),
        strict if isinstance(strict, bool) else None,
        cache=cache_of(outer) or cache_of(inner),
    )


def _choose(asked: Request, body: Json) -> None:
    """tool_choice, parallel_tool_calls and the old function_call. `allowed_tools` leaves the tools out that are not allowed:
    that means the same in every dialect."""
    choice = body.get("tool_choice") or body.get("function_call")
    parallel = body.get("parallel_tool_calls") is not False
    if isinstance(choice, dict):
        if choice.get("type") == "allowed_tools":
            allowed = object_at(choice, "allowed_tools") or choice
            names = {_named(one) for one in objects(allowed.get("tools"))}
            asked.tools = tuple(tool for tool in asked.tools if tool.name in names)
            asked.tool_choice = ToolChoice("any" if allowed.get("mode") == "required" else "auto", parallel=parallel)
        else:
            asked.tool_choice = ToolChoice("tool", _named(choice), parallel)
        return
    kind = {"auto": "auto", "none": "none", "required": "any", "any": "any"}.get(text(choice))
    if kind == "any":
        asked.tool_choice = ToolChoice("any", parallel=parallel)
    elif kind == "none":
        asked.tool_choice = ToolChoice("none", parallel=parallel)
    elif kind == "auto" or not parallel:
        asked.tool_choice = ToolChoice("auto", parallel=parallel)


def _named(choice: Json) -> str:
    inner = object_at(choice, "function") or object_at(choice, "custom") or choice
    return text_at(inner, "name")


# --- messages ---------------------------------------------------------------------------------------------------------


class _Conversation:
    """Reads the messages into a request: the first system texts apart, results of tools as the user's."""

    def __init__(self, asked: Request) -> None:
        self.asked = asked
        self.messages: list[Message] = []
        self.results: list[ToolResult] = []  # of tool messages that follow each other
        self.functions = 0  # old function calls have no ids
        self.last_call = ""

    def read(self, messages: list[Any]) -> None:
        system: list[Block] = []
        for index, message in enumerate(messages):
            place = f"messages[{index}]"
            if not isinstance(message, dict):
                _wrong(place, "must be an object")
            role = message.get("role")
            if text_at(message, "name") and role != "function":
                self._lose("messages[].name")
            if role in ("tool", "function"):
                self.results.append(self._result(message, role == "function", place))
                continue
            self._end_results()
            if role in ("system", "developer"):
                blocks = part_blocks(message.get("content"), place)
                if self.messages:
                    self.messages.append(Message("system", tuple(blocks)))
                else:
                    system += blocks
            elif role == "user":
                self.messages.append(Message("user", tuple(part_blocks(message.get("content"), place))))
            elif role == "assistant":
                self.messages.append(Message("assistant", tuple(self._said(message, place))))
            else:
                _wrong(f"{place}.role", "must be one of system, developer, user, assistant, tool")
        self._end_results()
        self.asked.system, self.asked.messages = tuple(system), tuple(self.messages)

    def _lose(self, what: str) -> None:
        if what not in self.asked.lost:
            self.asked.lost.append(what)

    def _end_results(self) -> None:
        if self.results:
            self.messages.append(Message("user", tuple(self.results)))
            self.results = []

    def _result(self, message: Json, function: bool, place: str) -> ToolResult:
        id = self.last_call if function else text_at(message, "tool_call_id")
        if not id:
            _wrong(f"{place}.tool_call_id", "is missing: it names the call that this is the result of")
        content = tuple(part_blocks(message.get("content"), place))
        return ToolResult(id, content, name=text_at(message, "name"), cache=cache_of(message))

    def _said(self, message: Json, place: str) -> list[Block]:
        """What the model said: its thoughts first, as it had them; then text; then calls."""
        blocks: list[Block] = list(_thoughts(message))
        blocks += part_blocks(message.get("content"), place)
        if refusal := text_at(message, "refusal"):
            blocks.append(Text(refusal))
        if message.get("audio"):
            self._lose("messages[].audio")
        for call in objects(message.get("tool_calls")):
            blocks.append(_call(call))
        if old := object_at(message, "function_call"):
            self.functions += 1
            self.last_call = f"call_function_{self.functions}"
            blocks.append(ToolUse(self.last_call, text_at(old, "name") or NAMELESS, json_text(old.get("arguments"))))
        return blocks


def _thoughts(message: Json) -> list[Thinking]:
    """As gw has told them to the client, or as other servers of this dialect do. A seal says whose they are."""
    told = read_details(message.get("reasoning_details"), text_at(message, "reasoning_content", "reasoning"))
    return [unsealed(thought) if thought.sealed_by else thought for thought in told]


def _call(call: Json) -> ToolUse:
    custom = call.get("type") == "custom"
    inner = object_at(call, "custom" if custom else "function")
    signed = object_at(object_at(call, "extra_content"), "google")
    return ToolUse(
        text_at(call, "id") or "call_unnamed",
        text_at(inner, "name") or NAMELESS,
        arguments_of(call, custom),
        text_at(signed, "thought_signature"),
        custom,
    )
