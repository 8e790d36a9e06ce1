"""An upstream's stream of the Responses API -> events. Never raises on what it is fed.

A message's parts, a thought and a call are a block each; items that the form has no noun for are told whole when they are done.
The last event has the whole response: what was not told before it is told then, so servers that send few events lose nothing.

Nearly all events are deltas: they cost one parse, one look into a table and one event.
"""

from typing import Any, Final

from gw.translate.form import (
    ArgumentsDelta,
    Block,
    BlockStart,
    BlockStop,
    CitationDelta,
    End,
    Event,
    Failure,
    Json,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.frames import Frames, Overlong
from gw.translate.loose import Halves, count_at, loaded, object_at, objects, text, text_at
from gw.translate.names import original
from gw.translate.responses_answer import events_of, failure_in, read_answer, refuses, searched, stop_of, usage_of
from gw.translate.responses_errors import GARBLED, error_of, failure_of
from gw.translate.responses_items import PART_BREAK, RESPONSES, citation_of, full_name, output_blocks, said_block, summary_of

WHOLE_BYTES_MAX: Final = 64 << 20  # of an answer that is no stream although one was asked for
_NO_TEXT: Final = Text("")


class _Told:
    """A block under way: its number, and how much of it has been told."""

    __slots__ = ("chars", "cited", "index")

    def __init__(self, index: int) -> None:
        self.index = index
        self.chars = 0
        self.cited = 0


class EventReader:
    """See gw.translate.dialect.EventReader. `provider`: whose rules of usage."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._frames = Frames()
        self._halves = Halves()
        self._fresh = True
        self._whole: bytearray | None = None
        self._started = False
        self._over = False
        self._next = 0  # number of the next block
        self._texts: dict[tuple[int, int], _Told] = {}  # by (output index, content index): parts of messages, not yet stopped
        self._items: dict[int, _Told] = {}  # by output index: thoughts and calls, not yet stopped
        self._parts: set[tuple[int, int]] = set()  # all that were ever begun
        self._begun: set[int] = set()  # output indices of which something was told
        self._done: set[int] = set()
        self._called = self._refused = False
        self._searches = 0

    def feed(self, chunk: bytes) -> list[Event]:
        out: list[Event] = []
        if self._over or not chunk:
            return out
        if self._fresh:
            chunk = self._first(chunk)
        if self._whole is not None:
            if len(self._whole) < WHOLE_BYTES_MAX:
                self._whole += chunk
            return out
        try:
            for data in self._frames.feed(chunk):
                self._data(data, out)
        except Overlong:
            self._fail(GARBLED, out)
        return out

    def close(self) -> list[Event]:
        """A stream that ends before its last event is broken off: nothing is added to it."""
        if self._whole is not None and not self._over:
            return self._as_stream(bytes(self._whole))
        return self.feed(b"\n\n")

    def _first(self, chunk: bytes) -> bytes:
        """Some servers answer with a whole response where a stream was asked for."""
        chunk = chunk.removeprefix(b"\xef\xbb\xbf")
        if start := chunk.lstrip()[:1]:
            self._fresh = False
            if start == b"{":
                self._whole = bytearray()
        return chunk

    def _as_stream(self, data: bytes) -> list[Event]:
        self._over = True
        body = loaded(data)
        found = read_answer(body, self._provider) if isinstance(body, dict) else GARBLED
        return [found] if isinstance(found, Failure) else events_of(found)

    # --- events -------------------------------------------------------------------------------------------------------

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
        kind = event.get("type")
        if kind == "response.output_text.delta":
            told = self._texts.get((_at(event, "output_index"), _at(event, "content_index")))
            piece = event.get("delta")
            if told and piece.__class__ is str:
                told.chars += len(piece)
                out.append(TextDelta(told.index, piece))
                return
        handler = _HANDLERS.get(kind) if kind.__class__ is str else None
        if handler:
            handler(self, event, out)
        elif kind.__class__ is not str:
            self._fail(failure_of(error_of(event)) if event.get("error") else GARBLED, out)

    def _start(self, event: Json, out: list[Event]) -> None:
        if not self._started:
            self._started = True
            response = object_at(event, "response")
            out.append(Start(text_at(response, "id"), text_at(response, "model"), created_s=count_at(response, "created_at")))

    def _part_added(self, event: Json, out: list[Event]) -> None:
        part = object_at(event, "part")
        if part.get("type") == "reasoning_text":
            self._part_of_thought(event, out)
        else:
            self._refused |= part.get("type") == "refusal"
            self._text(event, out)

    def _said(self, event: Json, out: list[Event]) -> None:
        """A piece of a message's text, or of a refusal, as its part's first word."""
        self._refused |= event.get("type") == "response.refusal.delta"
        told = self._text(event, out)
        self._add(told, text(event.get("delta")), TextDelta, out)

    def _text(self, event: Json, out: list[Event]) -> _Told:
        """The block of a message's part; it is begun, if it was not."""
        key = (_at(event, "output_index"), _at(event, "content_index"))
        told = self._texts.get(key)
        if told is None:
            told = self._texts[key] = _Told(self._open(_NO_TEXT, key[0], out))
            self._parts.add(key)
        return told

    def _text_done(self, event: Json, out: list[Event]) -> None:
        told = self._texts.get((_at(event, "output_index"), _at(event, "content_index")))
        if told:
            self._add(told, text_at(event, "text", "refusal")[told.chars :], TextDelta, out)

    def _part_done(self, event: Json, out: list[Event]) -> None:
        key = (_at(event, "output_index"), _at(event, "content_index"))
        told = self._texts.get(key)
        if told:
            self._end_text(key, told, object_at(event, "part"), out)

    def _end_text(self, key: tuple[int, int], told: _Told, part: Json, out: list[Event]) -> None:
        self._add(told, text_at(part, "text", "refusal")[told.chars :], TextDelta, out)
        for entry in [*objects(part.get("annotations"))][told.cited :]:
            self._cite(told, entry, out)
        del self._texts[key]
        out.append(BlockStop(told.index))

    def _annotated(self, event: Json, out: list[Event]) -> None:
        told = self._texts.get((_at(event, "output_index"), _at(event, "content_index")))
        if told:
            self._cite(told, object_at(event, "annotation"), out)

    def _cite(self, told: _Told, entry: Json, out: list[Event]) -> None:
        told.cited += 1
        if citation := citation_of(entry):
            out.append(CitationDelta(told.index, citation))

    def _part_of_thought(self, event: Json, out: list[Event]) -> None:
        """The next part of a thought's summary, or of the thought itself."""
        told = self._item(event, Thinking(sealed_by=RESPONSES), out)
        if told.chars:
            self._add(told, PART_BREAK, ThinkingDelta, out)

    def _thought(self, event: Json, out: list[Event]) -> None:
        self._add(self._item(event, Thinking(sealed_by=RESPONSES), out), text(event.get("delta")), ThinkingDelta, out)

    def _arguments(self, event: Json, out: list[Event]) -> None:
        told = self._items.get(_at(event, "output_index"))
        if told:
            self._add(told, text(event.get("delta")), ArgumentsDelta, out)

    def _arguments_done(self, event: Json, out: list[Event]) -> None:
        told = self._items.get(_at(event, "output_index"))
        if told:
            self._add(told, text_at(event, "arguments", "input")[told.chars :], ArgumentsDelta, out)

    def _item(self, event: Json, block: Block, out: list[Event]) -> _Told:
        at = _at(event, "output_index")
        told = self._items.get(at)
        if told is None:
            told = self._items[at] = _Told(self._open(block, at, out))
        return told

    # --- items --------------------------------------------------------------------------------------------------------

    def _item_added(self, event: Json, out: list[Event]) -> None:
        item = object_at(event, "item")
        match item.get("type"):
            case "reasoning":
                self._item(event, Thinking(sealed_by=RESPONSES, id=text_at(item, "id")), out)
            case "function_call" | "custom_tool_call" as kind:
                self._called = True
                name = full_name(text_at(item, "namespace"), original(text_at(item, "name")))
                self._item(event, ToolUse(text_at(item, "call_id", "id"), name, custom=kind == "custom_tool_call"), out)

    def _item_done(self, event: Json, out: list[Event]) -> None:
        self._finish(_at(event, "output_index"), object_at(event, "item"), out)

    def _finish(self, at: int, item: Json, out: list[Event]) -> None:
        """Tells what was not told of an item, and stops its blocks."""
        if at in self._done:
            return
        self._done.add(at)
        self._searches += searched(item)
        self._refused |= refuses(item)
        kind = item.get("type")
        if at not in self._begun:
            for block in output_blocks(item):
                self._called |= isinstance(block, ToolUse)
                out.append(BlockStop(self._open(block, at, out)))
        elif kind == "message":
            self._finish_message(at, [*objects(item.get("content"))], out)
        elif told := self._items.pop(at, None):
            if kind == "reasoning":
                if not told.chars:
                    self._add(told, summary_of(item), ThinkingDelta, out)
                if kept := text_at(item, "encrypted_content"):
                    out.append(SignatureDelta(told.index, kept))
            else:
                self._add(told, text_at(item, "arguments", "input")[told.chars :], ArgumentsDelta, out)
            out.append(BlockStop(told.index))

    def _finish_message(self, at: int, parts: list[Json], out: list[Event]) -> None:
        for key in [key for key in self._texts if key[0] == at]:
            part = parts[key[1]] if 0 <= key[1] < len(parts) else {}
            self._end_text(key, self._texts[key], part, out)
        for index, part in enumerate(parts):
            if (at, index) not in self._parts and (block := said_block(part)):
                out.append(BlockStop(self._open(block, at, out)))

    def _open(self, block: Block, at: int, out: list[Event]) -> int:
        self._start({}, out)
        self._begun.add(at)
        index = self._next
        self._next += 1
        out.append(BlockStart(index, block))
        return index

    def _add(self, told: _Told, piece: str, delta: Any, out: list[Event]) -> None:
        if piece:
            told.chars += len(piece)
            out.append(delta(told.index, piece))

    # --- the end ------------------------------------------------------------------------------------------------------

    def _ended(self, event: Json, out: list[Event]) -> None:
        response = object_at(event, "response")
        if response.get("error") or response.get("status") == "failed" or event.get("type") == "response.failed":
            self._fail(failure_in(response, self._provider), out)
            return
        self._start(event, out)
        for at, item in enumerate(objects(response.get("output"))):
            self._finish(at, item, out)
        for told in [*self._texts.values(), *self._items.values()]:
            out.append(BlockStop(told.index))
        if event.get("type") == "response.incomplete":
            response = response | {"status": "incomplete"}
        usage, charge = usage_of(response, self._provider, self._searches)
        out.append(End(stop_of(response, called=self._called, refused=self._refused), usage, charge_pusd=charge))
        self._over = True

    def _error(self, event: Json, out: list[Event]) -> None:
        self._fail(failure_of(error_of(event)), out)

    def _fail(self, failure: Failure, out: list[Event]) -> None:
        self._over = True
        out.append(failure)


def _at(event: Json, name: str) -> int:
    value = event.get(name)
    return value if value.__class__ is int else 0


_HANDLERS: Final[dict[str, Any]] = {
    "response.created": EventReader._start,
    "response.queued": EventReader._start,
    "response.in_progress": EventReader._start,
    "response.output_item.added": EventReader._item_added,
    "response.output_item.done": EventReader._item_done,
    "response.content_part.added": EventReader._part_added,
    "response.content_part.done": EventReader._part_done,
    "response.output_text.delta": EventReader._said,
    "response.output_text.done": EventReader._text_done,
    "response.output_text.annotation.added": EventReader._annotated,
    "response.refusal.delta": EventReader._said,
    "response.refusal.done": EventReader._text_done,
    "response.reasoning_summary_part.added": EventReader._part_of_thought,
    "response.reasoning_summary_text.delta": EventReader._thought,
    "response.reasoning_text.delta": EventReader._thought,
    "response.function_call_arguments.delta": EventReader._arguments,
    "response.function_call_arguments.done": EventReader._arguments_done,
    "response.custom_tool_call_input.delta": EventReader._arguments,
    "response.custom_tool_call_input.done": EventReader._arguments_done,
    "response.completed": EventReader._ended,
    "response.incomplete": EventReader._ended,
    "response.failed": EventReader._ended,
    "response.cancelled": EventReader._ended,
    "error": EventReader._error,
}
