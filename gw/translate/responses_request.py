"""A client's request to the OpenAI Responses API -> the form.

Open: an item or a field that is not known is kept, as a Foreign block or in `foreign`, never refused for being unknown. What
refers to something that only OpenAI holds (a conversation, an earlier response, a stored prompt, an item by its id) is told in
`held`: another dialect's upstream cannot serve it. Source: OpenAI API reference, SDK 3.54, November 2026.
"""

from typing import Any, Final, NoReturn

from gw.errors import Refusal
from gw.translate.dialect import Entrance
from gw.translate.form import Block, Effort, Foreign, Format, Json, Message, Request, Role, Text, Tool, ToolChoice
from gw.translate.loose import object_at, objects, text_at
from gw.translate.responses_items import (
    RESPONSES,
    cache_of,
    full_name,
    input_blocks,
    result_of,
    returned_call,
    said_block,
    thought_of,
)

# Fields that the form has a place for, all others are kept in `foreign`.
_READ: Final = frozenset(
    {
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "max_output_tokens", "stream",
        "temperature", "top_p", "reasoning", "text", "user", "safety_identifier", "service_tier",
    }
)  # fmt: skip
# Said by many clients always, and what happens with every other upstream anyway.
_USUAL: Final[dict[str, tuple[Any, ...]]] = {
    "store": (False,),
    "background": (False,),
    "truncation": ("disabled",),
    "include": ([], ["reasoning.encrypted_content"]),
}
_HELD: Final = {
    "previous_response_id": "an earlier response",
    "conversation": "a conversation",
    "prompt": "a stored prompt",
}
_SEND_ALL: Final = "This request is served by another provider. Send the whole input with each request, and store=false."


def read_request(body: Json, entrance: Entrance) -> Request:
    """Raises Refusal invalid_field."""
    reasoning = object_at(body, "reasoning")
    asked = Request(
        RESPONSES,
        model=text_at(body, "model") or entrance.model,
        max_tokens=_cap(body),
        stream=body.get("stream") is True,
        temperature=_number(body, "temperature"),
        top_p=_number(body, "top_p"),
        effort=_effort(reasoning),
        format=_format(object_at(object_at(body, "text"), "format")),
        user=text_at(body, "safety_identifier", "user"),
        service_tier=text_at(body, "service_tier"),
        foreign={name: value for name, value in body.items() if name not in _READ and _kept(name, value)},
    )
    if verbosity := text_at(object_at(body, "text"), "verbosity"):
        asked.foreign["text"] = {"verbosity": verbosity}
    _read_tools(asked, body.get("tools"))
    _choose(asked, body)
    _read_input(asked, body)
    asked.held = _held(body) or asked.held
    return asked


def _kept(name: str, value: Any) -> bool:
    return value is not None and name != "stream_options" and value not in _USUAL.get(name, ())


def _held(body: Json) -> str:
    for name, what in _HELD.items():
        if body.get(name):
            return f"{name} refers to {what} that only OpenAI holds. {_SEND_ALL}"
    return f"background: only OpenAI itself answers later. {_SEND_ALL}" if body.get("background") is True else ""


def _wrong(field: str, what: str) -> NoReturn:
    raise Refusal("invalid_field", f"{field}: {what}")


def _number(body: Json, name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        _wrong(name, "must be a number")
    return value


def _cap(body: Json) -> int | None:
    value = body.get("max_output_tokens")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        _wrong("max_output_tokens", "must be a whole number of at least 1")
    return value


def _effort(reasoning: Json) -> Effort:
    """Thoughts are shown only to who has asked for a summary of them."""
    level = text_at(reasoning, "effort")
    shown = bool(text_at(reasoning, "summary", "generate_summary"))
    return Effort("off" if level == "none" else "adaptive" if level else "", level, shown=shown)


def _format(asked: Json) -> Format | None:
    if asked.get("type") == "json_object":
        return Format("json")
    if asked.get("type") != "json_schema":
        return None
    return Format("schema", text_at(asked, "name"), text_at(asked, "description"), object_at(asked, "schema"), _strict(asked))


def _strict(source: Json) -> bool | None:
    strict = source.get("strict")
    return strict if isinstance(strict, bool) else None


# --- tools ------------------------------------------------------------------------------------------------------------


def _read_tools(asked: Request, tools: Any) -> None:
    found: list[Tool] = []
    for index, tool in enumerate(objects(tools)):
        if tool.get("type") == "namespace":
            space = text_at(tool, "name")
            found += [_tool(one, f"tools[{index}].tools[{at}]", space) for at, one in enumerate(objects(tool.get("tools")))]
        else:
            found.append(_tool(tool, f"tools[{index}]"))
    asked.tools = tuple(found)


def _tool(tool: Json, place: str, namespace: str = "") -> Tool:
    kind = text_at(tool, "type") or "function"
    if kind not in ("function", "custom"):
        return Tool(text_at(tool, "name") or kind, server=Foreign(RESPONSES, kind, tool))
    name = text_at(tool, "name")
    if not name:
        _wrong(f"{place}.name", "is missing")
    described = text_at(tool, "description")
    deferred = tool.get("defer_loading") is True
    if kind == "function":
        schema = object_at(tool, "parameters")
        return Tool(
            full_name(namespace, name), described, schema, _strict(tool), deferred, cache=cache_of(tool), namespace=namespace
        )
    rules = object_at(tool, "format")
    grammar: Json = {}
    if rules.get("type") == "grammar":  # other upstreams know none; the model is told of it
        grammar = {"syntax": text_at(rules, "syntax"), "definition": text_at(rules, "definition")}
        described = f"{described}{grammar_words(grammar)}".strip()
    return Tool(full_name(namespace, name), described, deferred=deferred, custom=True, namespace=namespace, grammar=grammar)


def grammar_words(grammar: Json) -> str:
    return f"\n\nThe text must follow this {grammar['syntax']} grammar:\n{grammar['definition']}"


def _choose(asked: Request, body: Json) -> None:
    """tool_choice and parallel_tool_calls. `allowed_tools` leaves the others out: that means the same in every dialect."""
    choice = body.get("tool_choice")
    parallel = body.get("parallel_tool_calls") is not False
    if isinstance(choice, dict):
        match choice.get("type"):
            case "allowed_tools":
                names = {full_name(text_at(one, "namespace"), text_at(one, "name")) for one in objects(choice.get("tools"))}
                asked.tools = tuple(tool for tool in asked.tools if tool.name in names)
                asked.tool_choice = ToolChoice("any" if choice.get("mode") == "required" else "auto", parallel=parallel)
            case "function" | "custom":
                name = full_name(text_at(choice, "namespace"), text_at(choice, "name"))
                asked.tool_choice = ToolChoice("tool", name, parallel)
            case _:  # a tool that the provider runs
                asked.foreign["tool_choice"] = choice
        return
    if choice == "required":
        asked.tool_choice = ToolChoice("any", parallel=parallel)
    elif choice == "none":
        asked.tool_choice = ToolChoice("none", parallel=parallel)
    elif choice == "auto" or not parallel:
        asked.tool_choice = ToolChoice("auto", parallel=parallel)


# --- input ------------------------------------------------------------------------------------------------------------


def _read_input(asked: Request, body: Json) -> None:
    instructions, given = body.get("instructions"), body.get("input")
    system: list[Block] = list(input_blocks(instructions)) if isinstance(instructions, str) else []
    if isinstance(given, str):
        asked.messages = (Message("user", (Text(given),)),)
    elif isinstance(given, list):
        conversation = _Conversation(system)
        for index, item in enumerate(given):
            if not isinstance(item, dict):
                _wrong(f"input[{index}]", "must be an object")
            conversation.take(item, index)
        asked.messages, asked.held = conversation.messages(), conversation.held
    elif given is not None:
        _wrong("input", "must be a text or a list of items")
    if not asked.messages and not asked.held and not _held(body):
        _wrong("input", "is empty: send at least one message")
    asked.system = tuple(system)


class _Conversation:
    """Gathers items into messages: what one side says without a break is one. Instructions before everything else are system."""

    def __init__(self, system: list[Block]) -> None:
        self.held = ""
        self._system = system
        self._roles: list[Role] = []
        self._contents: list[list[Block]] = []

    def messages(self) -> tuple[Message, ...]:
        pairs = zip(self._roles, self._contents, strict=True)
        return tuple(Message(role, tuple(blocks)) for role, blocks in pairs if blocks)

    def take(self, item: Json, index: int) -> None:
        kind = text_at(item, "type") or ("message" if "role" in item else "item_reference" if "id" in item else "")
        match kind:
            case "message":
                self._message(item, index)
            case "function_call" | "custom_tool_call":
                self._add("assistant", returned_call(item))
            case "function_call_output" | "custom_tool_call_output":
                self._add("user", result_of(item))
            case "reasoning":
                self._add("assistant", thought_of(item))
            case "item_reference" | "additional_tools" | "configuration_update" | "compaction_trigger":
                self.held = f"input[{index}]: what only OpenAI knows ({kind}). {_SEND_ALL}"
                self._add("user", Foreign(RESPONSES, kind, item))
            case _:
                self._add("user" if kind.endswith(("_output", "_response")) else "assistant", Foreign(RESPONSES, kind, item))

    def _message(self, item: Json, index: int) -> None:
        role, content = text_at(item, "role"), item.get("content")
        match role:
            case "assistant":
                if isinstance(content, str):
                    self._add("assistant", *input_blocks(content))
                else:
                    self._add("assistant", *(block for part in objects(content) if (block := said_block(part))))
            case "user":
                self._add("user", *input_blocks(content))
            case "system" | "developer":
                if self._roles:
                    self._add("system", *input_blocks(content))
                else:
                    self._system += input_blocks(content)
            case _:
                _wrong(f"input[{index}].role", "must be one of user, assistant, system, developer")

    def _add(self, role: Role, *blocks: Block) -> None:
        if not self._roles or self._roles[-1] != role:
            self._roles.append(role)
            self._contents.append([])
        self._contents[-1] += blocks


