"""What Cohere's v2 chat answers -> the form: its stream as events, its whole answer. Never raises on what it is fed.

Tokens are what is billed (`billed_units`), not what was counted. The answer does not name its model.
"""

from typing import Final

from gw.providers.usage_dialects import usage_from
from gw.translate.cohere_ask import COHERE
from gw.translate.form import (
    Answer,
    ArgumentsDelta,
    Block,
    BlockStart,
    BlockStop,
    Citation,
    CitationDelta,
    End,
    Event,
    Failure,
    Json,
    Start,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.frames import Frames, Overlong
from gw.translate.loose import Halves, count_at, json_text, object_at, objects, text_at
from gw.translate.names import original

GARBLED: Final = Failure("api_error", "the upstream's answer cannot be read: it is none of Cohere's chat", code="garbled")
_STOPS: Final[dict[str, Stop]] = {
    "COMPLETE": "end_turn",
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "max_tokens",
    "TOOL_CALL": "tool_use",
    "ERROR_TOXIC": "refusal",
    "ERROR_LIMIT": "context_full",
}
_BROKEN: Final = {"ERROR": "api_error", "TIMEOUT": "timeout_error"}
_PLAN: Final = -1  # where the plan stands among texts, which are numbered from 0


def read_answer(body: Json, provider: str) -> Answer | Failure:
    message = body.get("message")
    if not isinstance(message, dict):
        return GARBLED
    reason = text_at(body, "finish_reason")
    if reason in _BROKEN:
        return _broken(reason, text_at(body, "error"))
    blocks: list[Block] = [Text(plan)] if (plan := text_at(message, "tool_plan")) else []
    cited = [*objects(message.get("citations"))]
    for at, part in enumerate(objects(message.get("content"))):
        if part.get("type") == "thinking":
            blocks.append(Thinking(text_at(part, "thinking"), sealed_by=COHERE))
        else:
            own = (one for one in cited if count_at(one, "content_index") == at)
            blocks.append(Text(text_at(part, "text"), tuple(found for one in own for found in citations_of(one))))
    calls = [_call(one) for one in objects(message.get("tool_calls"))]
    usage, charge = usage_from(provider, COHERE, object_at(body, "usage"))
    stop = _STOPS.get(reason, "end_turn")
    stop = "tool_use" if calls and stop == "end_turn" else stop
    return Answer(text_at(body, "id"), "", (*blocks, *calls), stop, usage, charge_pusd=charge)


def _call(call: Json) -> ToolUse:
    function = object_at(call, "function")
    return ToolUse(text_at(call, "id"), original(text_at(function, "name")), json_text(function.get("arguments")))


def _broken(reason: str, said: str) -> Failure:
    return Failure(_BROKEN[reason], said or "the upstream broke off its answer, and does not say why", code=reason)


def citations_of(one: Json) -> list[Citation]:
    """One for each source of a cited piece of the answer's text."""
    start, end = count_at(one, "start"), count_at(one, "end")
    found = []
    for source in objects(one.get("sources")):
        told = object_at(source, "document") or object_at(source, "tool_output")
        title, url = text_at(told, "title") or text_at(source, "id"), text_at(told, "url")
        found.append(Citation(title=title, url=url, text_start=start, text_end=end))
    return found


class EventReader:
    """See gw.translate.dialect.EventReader. `provider`: whose rules of usage."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._frames = Frames()
        self._halves = Halves()
        self._started = self._over = self._called = False
        self._next = 0  # number of the next block
        self._texts: dict[int, int] = {}  # Cohere's number of a text or thought -> the block that is open
        self._thoughts: set[int] = set()  # of these blocks
        self._calls: dict[int, int] = {}  # Cohere's number of a call -> its open block

    def feed(self, chunk: bytes) -> list[Event]:
        out: list[Event] = []
        if self._over:
            return out
        try:
            for data in self._frames.feed(chunk):
                self._data(data, out)
        except Overlong:
            self._fail(GARBLED, out)
        return out

    def close(self) -> list[Event]:
        """A stream without `message-end` is broken off: nothing is added to it."""
        return self.feed(b"\n\n")

    def _data(self, data: bytes, out: list[Event]) -> None:
        if self._over:
            return
        try:
            event = self._halves.read(data)
        except ValueError:
            if data.strip() != b"[DONE]":
                self._fail(GARBLED, out)
            return
        if event.__class__ is not dict:
            self._fail(GARBLED, out)
            return
        kind = text_at(event, "type")
        delta = object_at(event, "delta")
        message = object_at(delta, "message")
        at = count_at(event, "index")
        match kind:
            case "content-delta":
                self._piece(at, object_at(message, "content"), out)
            case "content-start":
                content = object_at(message, "content")
                self._open_text(at, content.get("type") == "thinking", out)
                self._piece(at, content, out)
            case "content-end":
                self._stop(self._texts, at, out)
            case "tool-plan-delta":
                self._piece(_PLAN, {"text": message.get("tool_plan")}, out)
            case "tool-call-start":
                self._begin_call(at, object_at(message, "tool_calls"), out)
            case "tool-call-delta":
                piece = text_at(object_at(object_at(message, "tool_calls"), "function"), "arguments")
                if piece and at in self._calls:
                    out.append(ArgumentsDelta(self._calls[at], piece))
            case "tool-call-end":
                self._stop(self._calls, at, out)
            case "citation-start":
                self._cite(object_at(message, "citations"), out)
            case "message-start":
                self._start(text_at(event, "id"), out)
            case "message-end":
                self._end(delta, out)
            case "":
                self._fail(Failure("api_error", said) if (said := text_at(event, "message")) else GARBLED, out)

    def _start(self, id: str, out: list[Event]) -> None:
        if not self._started:
            self._started = True
            out.append(Start(id, ""))

    def _open_text(self, at: int, thought: bool, out: list[Event]) -> None:
        if at not in self._texts:
            self._stop(self._texts, _PLAN, out)
            self._texts[at] = self._open(Thinking(sealed_by=COHERE) if thought else Text(""), out)
            if thought:
                self._thoughts.add(self._texts[at])

    def _piece(self, at: int, content: Json, out: list[Event]) -> None:
        said, thought = text_at(content, "text"), text_at(content, "thinking")
        if not (said or thought):
            return
        self._open_text(at, bool(thought), out)
        index = self._texts[at]
        out.append(ThinkingDelta(index, thought or said) if index in self._thoughts else TextDelta(index, said or thought))

    def _begin_call(self, at: int, call: Json, out: list[Event]) -> None:
        self._stop(self._texts, _PLAN, out)
        self._stop(self._calls, at, out)
        self._called = True
        use = _call(call)
        self._calls[at] = self._open(ToolUse(use.id, use.name), out)
        if use.arguments:
            out.append(ArgumentsDelta(self._calls[at], use.arguments))

    def _cite(self, one: Json, out: list[Event]) -> None:
        index = self._texts.get(count_at(one, "content_index"), -1)
        if index >= 0 and index not in self._thoughts:
            out += [CitationDelta(index, found) for found in citations_of(one)]

    def _open(self, block: Block, out: list[Event]) -> int:
        self._start("", out)
        index = self._next
        self._next += 1
        out.append(BlockStart(index, block))
        return index

    def _stop(self, opened: dict[int, int], at: int, out: list[Event]) -> None:
        if (index := opened.pop(at, None)) is not None:
            out.append(BlockStop(index))

    def _end(self, delta: Json, out: list[Event]) -> None:
        reason = text_at(delta, "finish_reason")
        if reason in _BROKEN:
            self._fail(_broken(reason, text_at(delta, "error")), out)
            return
        self._start("", out)
        out += [BlockStop(index) for index in (*self._texts.values(), *self._calls.values())]
        usage, charge = usage_from(self._provider, COHERE, object_at(delta, "usage"))
        stop = _STOPS.get(reason, "end_turn")
        out.append(End("tool_use" if self._called and stop == "end_turn" else stop, usage, charge_pusd=charge))
        self._over = True

    def _fail(self, failure: Failure, out: list[Event]) -> None:
        self._over = True
        out.append(failure)
