"""A Gemini client's generateContent request -> the form. Model and stream stand in the address.

Keys may be in camelCase or snake_case, a list of one may be that one alone, roles may be in capitals: Google's JSON is so. What
is not known is kept in `foreign` or as a Foreign block. Calls without ids get one by their place, and results find their call by
name and order. Contents of one role that follow each other are one message, and the model's pieces of one text, which SDKs keep
as they came from a stream, are one block.
"""

from typing import Any, Final, NoReturn

import orjson

from gw.errors import Refusal
from gw.translate.capability import lose
from gw.translate.dialect import Entrance
from gw.translate.form import (
    Block,
    Effort,
    Foreign,
    Format,
    Json,
    Media,
    Message,
    Request,
    Role,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from gw.translate.gemini_schema import json_schema
from gw.translate.gemini_words import GEMINI, camelized, from_wire, media_of
from gw.translate.loose import object_at, text, text_at

_READ: Final = frozenset({"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "model"})
_ROLES: Final[dict[str, Role]] = {"": "user", "user": "user", "function": "user", "tool": "user", "model": "assistant"}
_ROLES_MORE: Final[dict[str, Role]] = {"assistant": "assistant", "system": "system", "developer": "system"}
_MODES: Final = {"AUTO": "auto", "VALIDATED": "auto", "ANY": "any", "NONE": "none"}
_DETAILS: Final = {"LOW": "low", "HIGH": "high", "ULTRA_HIGH": "high"}
_PAINTED: Final = "responseModalities: pictures and sound are carried from Gemini only. Ask for TEXT, or choose a Gemini model."
_CACHED: Final = "cachedContent: a part of the prompt that Google alone holds. Send its contents, or choose a Gemini model."
_NUMBER_MOST: Final = 1 << 60
# Beside a part's content, and without a place in the form.
_BESIDE: Final = ("videoMetadata", "mediaProcessing", "speechMetadata", "documentMetadata", "audioMetadata", "partMetadata")


def read_request(body: Json, entrance: Entrance) -> Request:
    """Raises Refusal invalid_field."""
    body = camelized(body)
    asked = Request(GEMINI, entrance.model, stream=entrance.stream, model_named=entrance.model, alt=entrance.alt)
    asked.system = tuple(_system(body))
    asked.messages = _Conversation(asked).read(body.get("contents"))
    _tools(asked, body.get("tools"))
    _choose(asked, object_at(body, "toolConfig"))
    _generation(asked, object_at(body, "generationConfig"))
    asked.foreign |= {name: value for name, value in body.items() if name not in _READ and value is not None}
    if object_at(asked.foreign, "generationConfig").get("responseModalities"):
        asked.held = _PAINTED
    if asked.foreign.get("cachedContent"):
        asked.held = _CACHED
    tier = asked.foreign.pop("serviceTier", None)
    asked.service_tier = asked.service_tier or text(tier).lower().removeprefix("service_tier_")
    return asked


def _wrong(place: str, what: str) -> NoReturn:
    raise Refusal("invalid_field", f"{place}: {what}.")


def _some(value: Any) -> list[Any]:
    """A repeated field: a list, one thing in place of a list of it, or nothing."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _system(body: Json) -> list[Block]:
    found: list[Block] = []
    given = body.get("systemInstruction")
    for part in _some(given.get("parts") if isinstance(given, dict) and "parts" in given else given):
        words = part if isinstance(part, str) else text_at(part, "text") if isinstance(part, dict) else ""
        if words:
            found.append(Text(words))
        elif isinstance(part, dict) and part.keys() - {"text", "role"}:
            found.append(Foreign(GEMINI, "systemInstruction", part))
    return found


# --- contents -------------------------------------------------------------------------------------------------------


class _Conversation:
    def __init__(self, asked: Request) -> None:
        self.asked = asked
        self.calls = 0  # so far, for ids that are missing
        self.open: list[ToolUse] = []  # calls of the last model's message that have no result yet

    def read(self, contents: Any) -> tuple[Message, ...]:
        if isinstance(contents, str):
            contents = {"parts": [{"text": contents}]}
        found: list[tuple[Role, list[Block]]] = []
        for index, given in enumerate(_some(contents)):
            place = f"contents[{index}]"
            content = {"parts": [{"text": given}]} if isinstance(given, str) else given
            if not isinstance(content, dict):
                _wrong(place, "must be an object with role and parts")
            role = self._role(content, place)
            if not found or found[-1][0] != role:
                found.append((role, []))
                if role == "assistant":
                    self.open = []
            for at, part in enumerate(_some(content.get("parts"))):
                self._part(part, role, found[-1][1], f"{place}.parts[{at}]")
        if not found:
            _wrong("contents", "must be a list with at least one content")
        return tuple(Message(role, tuple(blocks)) for role, blocks in found)

    def _role(self, content: Json, place: str) -> Role:
        word = content.get("role") or ""
        word = word.lower() if isinstance(word, str) else "?"
        role = _ROLES.get(word) or _ROLES_MORE.get(word)
        if role is None:
            _wrong(f"{place}.role", "must be user or model")
        return role

    def _part(self, part: Any, role: Role, blocks: list[Block], place: str) -> None:
        if isinstance(part, str):
            part = {"text": part}
        if not isinstance(part, dict):
            _wrong(place, "must be an object")
        for name in _BESIDE:
            if name in part:
                lose(self.asked, name)
        signature = text_at(part, "thoughtSignature")
        if isinstance(part.get("text"), str):
            self._text(part["text"], part.get("thought") is True, signature, role, blocks)
        elif isinstance(part.get("functionCall"), dict):
            self._call(part["functionCall"], signature, blocks, place)
        elif isinstance(part.get("functionResponse"), dict):
            blocks.append(self._result(part["functionResponse"], place))
        elif isinstance(inner := part.get("inlineData") or part.get("fileData"), dict):
            blocks.append(_media(inner, part))
        elif signature:
            self._text("", True, signature, role, blocks)
        elif kinds := part.keys() - {"thought", "thoughtSignature", *_BESIDE}:
            blocks.append(Foreign(GEMINI, min(kinds), part))

    def _text(self, words: str, thought: bool, signature: str, role: Role, blocks: list[Block]) -> None:
        sealed = from_wire(signature) if signature else None
        last = blocks[-1] if blocks and role == "assistant" else None
        if thought or (sealed is not None and (sealed.sealed_by != GEMINI or not words)):
            if isinstance(last, Text) and not words and sealed is not None and sealed.sealed_by == GEMINI:
                blocks[-1] = Text(last.text, signature=sealed.signature)  # the end of a streamed text
                return
            seal = sealed or Thinking()
            if isinstance(last, Thinking) and not last.signature and not last.redacted and not seal.redacted:
                blocks.pop()
                words = last.text + words
            if words or sealed is not None:
                blocks.append(Thinking(words, seal.signature, seal.redacted, seal.sealed_by, seal.id))
        elif isinstance(last, Text) and not last.signature:
            blocks[-1] = Text(last.text + words, signature=sealed.signature if sealed else "")
        elif words:
            blocks.append(Text(words, signature=sealed.signature if sealed else ""))

    def _call(self, call: Json, signature: str, blocks: list[Block], place: str) -> None:
        name = text_at(call, "name")
        if not name:
            _wrong(f"{place}.functionCall.name", "is missing")
        sealed = from_wire(signature) if signature else Thinking()
        if sealed.sealed_by not in ("", GEMINI):
            blocks.append(sealed)
            sealed = Thinking()
        self.calls += 1
        args = call.get("args")
        arguments = orjson.dumps(args).decode() if args else ""
        use = ToolUse(text_at(call, "id") or f"call_{self.calls}", name, arguments, sealed.signature)
        self.open.append(use)
        blocks.append(use)

    def _result(self, result: Json, place: str) -> ToolResult:
        id, name = text_at(result, "id"), text_at(result, "name")
        found = next((use for use in self.open if use.id == id), None) if id else None
        if found is None:
            found = next((use for use in self.open if use.name == name), None)
        if found is None and not id:
            _wrong(f"{place}.functionResponse", f"answers no functionCall {name!r} of the content before it")
        if found is not None:
            self.open.remove(found)
        content, failed = _said(result.get("response"))
        media = [_media(inner, part) for part in _some(result.get("parts")) if isinstance(part, dict)
                 if isinstance(inner := part.get("inlineData") or part.get("fileData"), dict)]  # fmt: skip
        return ToolResult(found.id if found is not None else id, (*content, *media), failed, name)


def _said(response: Any) -> tuple[list[Block], bool]:
    """(what a function answered, whether it failed): `output` and `result` alone are the answer, `error` is one."""
    if not isinstance(response, dict):
        return ([] if response is None else [Text(_words(response))]), False
    if len(response) == 1:
        name, value = next(iter(response.items()))
        if name in ("output", "result", "error"):
            words = _words(value)
            return ([Text(words)] if words else []), name == "error"
    return ([Text(_words(response))] if response else []), False


def _words(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()


def _media(inner: Json, part: Json) -> Media:
    media = media_of(inner)
    given = part.get("mediaResolution")
    level = text_at(given, "level") if isinstance(given, dict) else text(given)
    detail = _DETAILS.get(level.upper().removeprefix("MEDIA_RESOLUTION_"), "")
    if not detail:
        return media
    return Media(media.kind, media.media_type, media.data, media.url, media.file_id, title=media.title, detail=detail)


# --- tools ----------------------------------------------------------------------------------------------------------


def _tools(asked: Request, given: Any) -> None:
    found: list[Tool] = []
    for tool in _some(given):
        if not isinstance(tool, dict):
            _wrong("tools", "must be a list of objects")
        for kind, value in tool.items():
            if kind == "functionDeclarations":
                found += [_function(asked, one) for one in _some(value)]
            elif value is not None:
                found.append(Tool(kind, server=Foreign(GEMINI, kind, {kind: value})))
    asked.tools = tuple(found)


def _function(asked: Request, one: Any) -> Tool:
    name = text_at(one, "name") if isinstance(one, dict) else ""
    if not name:
        _wrong("tools.functionDeclarations.name", "is missing")
    for lost in ("response", "responseJsonSchema", "behavior"):
        if one.get(lost) is not None:
            lose(asked, f"functionDeclarations.{lost}")
    schema = one.get("parametersJsonSchema")
    if not isinstance(schema, dict):
        schema = json_schema(one.get("parameters"))
    return Tool(name, text_at(one, "description"), schema or {"type": "object", "properties": {}})


def _choose(asked: Request, config: Json) -> None:
    """Where only some functions are allowed, the others are left out: that means the same in every dialect."""
    calling = object_at(config, "functionCallingConfig")
    rest = {name: value for name, value in config.items() if name != "functionCallingConfig"}
    if rest:
        asked.foreign["toolConfig"] = rest
    kind = _MODES.get(text_at(calling, "mode").upper())
    allowed = {name for name in _some(calling.get("allowedFunctionNames")) if isinstance(name, str)}
    if allowed and kind != "none":
        asked.tools = tuple(tool for tool in asked.tools if tool.server is not None or tool.name in allowed)
    if kind == "any" and len(allowed) == 1:
        asked.tool_choice = ToolChoice("tool", allowed.pop())
    elif kind is not None:
        asked.tool_choice = ToolChoice(kind)  # type: ignore[arg-type]  # one of the table's values


# --- generationConfig -----------------------------------------------------------------------------------------------


def _generation(asked: Request, config: Json) -> None:
    rest = {name: value for name, value in config.items() if value is not None}
    cap = _number(rest, "maxOutputTokens")
    if cap is not None and cap < 1:
        _wrong("generationConfig.maxOutputTokens", "must be a whole number of at least 1")
    asked.max_tokens = int(cap) if cap is not None else None
    asked.temperature = _number(rest, "temperature")
    asked.top_p = _number(rest, "topP")
    top_k, seed, choices = _number(rest, "topK"), _number(rest, "seed"), _number(rest, "candidateCount")
    asked.top_k = int(top_k) if top_k else None
    asked.seed = int(seed) if seed is not None else None
    asked.choices = max(int(choices or 1), 1)
    asked.frequency_penalty = _number(rest, "frequencyPenalty")
    asked.presence_penalty = _number(rest, "presencePenalty")
    asked.stop = tuple(one for one in _some(rest.pop("stopSequences", None)) if isinstance(one, str) and one)
    asked.service_tier = text(rest.pop("serviceTier", "")).lower()
    asked.format = _format(rest)
    asked.effort = _effort(rest.pop("thinkingConfig", None))
    if {text(one).upper() for one in _some(rest.get("responseModalities"))} <= {"TEXT", "MODALITY_UNSPECIFIED"}:
        rest.pop("responseModalities", None)
    if rest:
        asked.foreign["generationConfig"] = rest


def _number(config: Json, name: str) -> float | None:
    """Google's JSON has whole numbers of 64 bits as text, too."""
    value = config.pop(name, None)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            _wrong(f"generationConfig.{name}", "must be a number")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _NUMBER_MOST:
        _wrong(f"generationConfig.{name}", "must be a number")
    return value


def _format(config: Json) -> Format | None:
    """A bare enum (`text/x.enum`) is no JSON: it stays with Gemini."""
    if config.get("responseMimeType") == "text/plain":
        del config["responseMimeType"]
    if config.get("responseMimeType") != "application/json":
        return None
    del config["responseMimeType"]
    own = config.pop("responseJsonSchema", None)
    given = config.pop("responseSchema", None)
    schema = own if isinstance(own, dict) else json_schema(given)
    return Format("schema", schema=schema) if schema else Format("json")


def _effort(config: Any) -> Effort:
    """Gemini shows thoughts only to who asks for them."""
    if not isinstance(config, dict):
        return Effort(shown=False)
    shown = config.get("includeThoughts") is True
    budget, level = config.get("thinkingBudget"), text_at(config, "thinkingLevel").lower()
    if isinstance(budget, int) and not isinstance(budget, bool):
        if budget == 0:
            return Effort("off", "none", shown=shown)
        return Effort("adaptive", budget=-1, shown=shown) if budget < 0 else Effort("on", budget=budget, shown=shown)
    if level and not level.endswith("unspecified"):
        return Effort("adaptive", level, shown=shown)
    return Effort("adaptive" if shown else "", shown=shown)
