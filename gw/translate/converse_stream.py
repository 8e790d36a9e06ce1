"""Bedrock's ConverseStream: its frames -> events.

    messageStart, then for each block contentBlockStart (of tool calls and images alone), contentBlockDelta..., contentBlockStop,
    then messageStop with why, then metadata with usage. An exception is a frame of its own and ends the stream.

Usage comes after messageStop, so the End waits for it, or for the end of the stream.
"""

from typing import Any, Final

from gw.domain.usage import Usage
from gw.translate.converse_blocks import citation_of
from gw.translate.converse_words import CONVERSE, failure_of, media_type_of, read_usage, stop_of, text_of_blob
from gw.translate.form import (
    ArgumentsDelta,
    Block,
    BlockStart,
    BlockStop,
    CitationDelta,
    End,
    Event,
    Failure,
    Foreign,
    Json,
    Media,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.loose import Halves, loaded, object_at, objects, text_at
from gw.translate.names import original
from gw.translate.seal import ANTHROPIC, unseal, unseal_id
from gw.wire.eventstream import Decoder, Message

_TEXT: Final = "text"
_THOUGHT: Final = "thought"
_CALL: Final = "call"
_ASIDE: Final = "aside"  # gathered, and told whole at its end
_NO_TEXT: Final = Text("")
# Who signs a thought in Converse is Claude, whose seals hold on every platform.
_NO_THOUGHT: Final = Thinking(sealed_by=ANTHROPIC)
_WHY: Final = {
    "prelude_crc": "the checksum of a frame's lengths is wrong",
    "message_crc": "the checksum of a frame is wrong",
    "bad_length": "a frame has impossible lengths",
    "too_long": "a frame is too long",
    "bad_header": "a frame's headers cannot be read",
    "truncated": "it ended within a frame",
}


def garbled(why: str) -> Failure:
    return Failure("api_error", f"The upstream's event stream cannot be read: {_WHY.get(why, why)}.", code="garbled")


class _Open:
    """A block of the stream that has not stopped. `index`: the form's, -1 while it has none."""

    __slots__ = ("index", "kind", "pieces", "value")

    def __init__(self, kind: str, index: int, value: Json | None = None) -> None:
        self.kind = kind
        self.index = index
        self.pieces: list[Any] = []  # of a signature, or of what is gathered
        self.value = value or {}


class EventReader:
    """See gw.translate.dialect.EventReader."""

    __slots__ = ("_called", "_decoder", "_halves", "_next", "_open", "_over", "_started", "_stop", "_stop_sequence", "_usage")

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._halves = Halves()
        self._open: dict[int, _Open] = {}  # by Bedrock's index
        self._next = 0
        self._started = False
        self._called = False
        self._stop: str | None = None
        self._stop_sequence = ""
        self._usage: Usage | None = None
        self._over = False

    def feed(self, chunk: bytes) -> list[Event]:
        out: list[Event] = []
        if self._over:
            return out
        for message in self._decoder.feed(chunk):
            self._message(message, out)
            if self._over:
                return out
        if self._decoder.error:
            self._fail(garbled(self._decoder.error), out)
        return out

    def close(self) -> list[Event]:
        """Without metadata, the answer has no usage; without messageStop it is not whole, and nobody says that it is."""
        out: list[Event] = []
        if not self._over and self._decoder.close():
            self._fail(garbled(self._decoder.error), out)
        elif not self._over and self._stop is not None:
            self._end(out)
        self._over = True
        return out

    def _message(self, message: Message, out: list[Event]) -> None:
        headers = message.headers
        kind = headers.get(":event-type")
        if headers.get(":message-type") != "event" or not isinstance(kind, str):
            self._exception(message, out)
            return
        body = self._halves.loaded(message.payload)
        if not isinstance(body, dict):
            self._fail(garbled("a frame's payload is no JSON object"), out)
            return
        if kind == "contentBlockDelta":
            self._delta(body, out)
        elif kind == "contentBlockStart":
            self._begin(body, out)
        elif kind == "contentBlockStop":
            self._finish(self._open.pop(_index(body), None), out)
        elif kind == "messageStart":
            self._start(out)
        elif kind == "messageStop":
            self._start(out)
            self._stop = text_at(body, "stopReason") or "end_turn"
            self._stop_sequence = text_at(object_at(body, "additionalModelResponseFields"), "stop_sequence")
            if self._usage is not None:
                self._end(out)
        elif kind == "metadata":
            self._usage = read_usage(body)
            if self._stop is not None:
                self._end(out)
        elif kind.endswith("Exception"):
            self._fail(failure_of(kind, body), out)

    def _exception(self, message: Message, out: list[Event]) -> None:
        """":message-type" is "exception" for what the service's model knows, "error" for anything else; both end the stream."""
        headers = message.headers
        body = loaded(message.payload)
        name = headers.get(":exception-type") or headers.get(":error-code") or ""
        if not isinstance(body, dict):
            body = {"message": headers.get(":error-message") or message.payload.decode("utf-8", "replace")}
        if headers.get(":message-type") in ("exception", "error"):
            self._fail(failure_of(str(name), body), out)

    def _start(self, out: list[Event]) -> None:
        if not self._started:
            self._started = True
            out.append(Start("", ""))

    def _fail(self, failure: Failure, out: list[Event]) -> None:
        out.append(failure)
        self._over = True

    def _end(self, out: list[Event]) -> None:
        for one in self._open.values():
            self._finish(one, out)
        stop = stop_of(self._stop, called=self._called)
        out.append(End(stop, self._usage or Usage(), self._stop_sequence))
        self._over = True

    # --- blocks -------------------------------------------------------------------------------------------------------

    def _opened(self, at: int, kind: str, block: Block, out: list[Event]) -> _Open:
        """The open block at Bedrock's index; one of another kind there is over."""
        found = self._open.get(at)
        if found is not None and found.kind == kind:
            return found
        self._finish(found, out)
        self._start(out)
        made = _Open(kind, self._next)
        self._open[at] = made
        self._next += 1
        out.append(BlockStart(made.index, block))
        return made

    def _aside(self, at: int, value: Json, out: list[Event]) -> None:
        self._finish(self._open.get(at), out)
        self._start(out)
        self._open[at] = _Open(_ASIDE, -1, value)

    def _begin(self, body: Json, out: list[Event]) -> None:
        at, start = _index(body), object_at(body, "start")
        call = object_at(start, "toolUse")
        if call and not call.get("type"):
            self._called = True
            self._finish(self._open.pop(at, None), out)
            id, signature = unseal_id(text_at(call, "toolUseId"))
            self._opened(at, _CALL, ToolUse(id, original(text_at(call, "name")), signature=signature), out)
        elif start:
            self._aside(at, start, out)

    def _delta(self, body: Json, out: list[Event]) -> None:
        at, delta = _index(body), body.get("delta")
        if not isinstance(delta, dict):
            return
        found = self._open.get(at)
        said = delta.get("text")
        if isinstance(said, str):
            if found is None or found.kind is not _TEXT:
                found = self._opened(at, _TEXT, _NO_TEXT, out)
            if said:
                out.append(TextDelta(found.index, said))
        elif found is not None and found.kind is _ASIDE:
            found.pieces.append(delta)
        elif "toolUse" in delta:
            piece = text_at(object_at(delta, "toolUse"), "input")
            if piece and found is not None and found.kind is _CALL:
                out.append(ArgumentsDelta(found.index, piece))
        elif "reasoningContent" in delta:
            self._think(at, object_at(delta, "reasoningContent"), out)
        elif "citation" in delta:
            found = self._opened(at, _TEXT, _NO_TEXT, out)
            out.append(CitationDelta(found.index, citation_of(object_at(delta, "citation"))))

    def _think(self, at: int, thought: Json, out: list[Event]) -> None:
        if blob := text_at(thought, "redactedContent"):
            sealed_by, redacted, id = unseal(text_of_blob(blob))
            self._finish(self._open.pop(at, None), out)
            self._opened(at, _THOUGHT, Thinking(redacted=redacted, sealed_by=sealed_by, id=id), out)
            return
        found = self._open.get(at)
        if found is None or found.kind is not _THOUGHT:
            found = self._opened(at, _THOUGHT, _NO_THOUGHT, out)
        said = thought.get("text")
        if said and isinstance(said, str):
            out.append(ThinkingDelta(found.index, said))
        if signature := text_at(thought, "signature"):
            found.pieces.append(signature)

    def _finish(self, found: _Open | None, out: list[Event]) -> None:
        if found is None:
            return
        if found.kind is _ASIDE:
            found.index = self._next
            self._next += 1
            out.append(BlockStart(found.index, _gathered(found.value, found.pieces)))
        elif found.kind is _THOUGHT and found.pieces:
            out.append(SignatureDelta(found.index, "".join(found.pieces)))
        out.append(BlockStop(found.index))


def _index(body: Json) -> int:
    value = body.get("contentBlockIndex")
    return value if isinstance(value, int) else -1


def _gathered(start: Json, pieces: list[Json]) -> Block:
    """The whole block of a start and its deltas: an image, or a tool that Bedrock has run and its result."""
    if "image" in start:
        word = text_at(object_at(start, "image"), "format")
        parts = [text_at(object_at(object_at(piece, "image"), "source"), "bytes") for piece in pieces]
        if data := "".join(parts):
            return Media("image", media_type_of("image", word), data)
    if "toolUse" in start:
        text = "".join(text_at(object_at(piece, "toolUse"), "input") for piece in pieces)
        value = object_at(start, "toolUse") | {"input": loaded(text or "{}")}
        return Foreign(CONVERSE, "toolUse", {"toolUse": value})
    content = [part for piece in pieces for part in objects(piece.get("toolResult"))]
    value = object_at(start, "toolResult") | {"content": content}
    return Foreign(CONVERSE, "toolResult", {"toolResult": value})
