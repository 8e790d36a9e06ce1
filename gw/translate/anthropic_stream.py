"""Anthropic's stream -> events. Usage is the compiled tap's, which reads the same bytes; names of events are not needed, the
data says what it is. Blocks that the form has no noun for come whole, when they have stopped."""

from typing import Final

from gw._fast import Tap
from gw.domain.usage import Iteration, Usage
from gw.providers.usage_dialects import usage_from
from gw.translate.anthropic_answer import failure_of, stop_of
from gw.translate.anthropic_parts import foreign, read_block, read_citation
from gw.translate.form import (
    ArgumentsDelta,
    BlockStart,
    BlockStop,
    CitationDelta,
    End,
    Event,
    Failure,
    Foreign,
    Json,
    SignatureDelta,
    Start,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.frames import Frames, Overlong
from gw.translate.loose import Halves, loaded, object_at, text, text_at
from gw.translate.names import original
from gw.translate.seal import ANTHROPIC, unseal

PIECES: Final = "gw_pieces"  # of a foreign block's input, until it stops


class EventReader:
    """See gw.translate.dialect.EventReader."""

    __slots__ = ("_at", "_foreign", "_frames", "_halves", "_index", "_over", "_started", "_stop", "_stop_sequence", "_tap")

    def __init__(self) -> None:
        self._frames = Frames()
        self._halves = Halves()
        self._tap = Tap()
        self._started = False
        self._at = -1  # the form's index of the latest block
        self._index: object = None  # the stream's own of the open block; None: none is open
        self._foreign: Json | None = None  # the open block, if the form has no noun for it
        self._stop: Stop | None = None
        self._stop_sequence = ""
        self._over = False

    def feed(self, chunk: bytes) -> list[Event]:
        if self._over:
            return []
        self._tap.feed(chunk)
        try:
            return self._read(self._frames.feed(chunk))
        except Overlong:
            return self._failed("The upstream sent an event without an end.")

    def close(self) -> list[Event]:
        """A stream that has told why it stopped is whole without its last event."""
        if self._over:
            return []
        out: list[Event] = []
        if self._stop is not None:
            self._end(out)
        self._over = True
        return out

    def _read(self, found: list[bytes]) -> list[Event]:
        out: list[Event] = []
        for data in found:
            event = self._halves.loaded(data)
            if isinstance(event, dict):
                self._event(event, out)
            elif not data.startswith(b"["):  # "[DONE]", which some servers add
                return out + self._failed("The upstream sent an event that is no JSON.")
            if self._over:
                break
        return out

    def _failed(self, message: str) -> list[Event]:
        self._over = True
        return [Failure("api_error", message, code="garbled")]

    def _event(self, event: Json, out: list[Event]) -> None:
        kind = event.get("type")
        if kind == "content_block_delta":
            delta = event.get("delta")
            if self._index is not None and event.get("index") == self._index and isinstance(delta, dict):
                self._delta(delta, out)
        elif kind == "content_block_start":
            self._start_block(event, out)
        elif kind == "content_block_stop":
            if self._index is not None and event.get("index") == self._index:
                self._stop_block(out)
        elif kind == "message_start":
            self._start(object_at(event, "message"), out)
        elif kind == "message_delta":
            delta = object_at(event, "delta")
            if delta.get("stop_reason"):
                self._stop = stop_of(delta.get("stop_reason"))
                self._stop_sequence = text_at(delta, "stop_sequence")
        elif kind == "message_stop":
            self._end(out)
        elif kind == "error" or "error" in event:
            self._over = True
            out.append(failure_of(event, 0))

    def _start(self, message: Json, out: list[Event]) -> None:
        if not self._started:
            self._started = True
            usage, _ = usage_from(ANTHROPIC, "", object_at(message, "usage"))
            out.append(Start(text_at(message, "id"), text_at(message, "model"), usage))

    def _end(self, out: list[Event]) -> None:
        self._start({}, out)
        if self._index is not None:
            self._stop_block(out)
        fields = self._tap.reading()
        usage = Usage(*fields[:12], tuple(Iteration(*entry) for entry in fields[12]), fields[13])
        out.append(End(self._stop or "end_turn", usage, self._stop_sequence))
        self._over = True

    def _start_block(self, event: Json, out: list[Event]) -> None:
        value, index = object_at(event, "content_block"), event.get("index")
        self._start({}, out)
        if self._index is not None:  # it never said that it had stopped
            self._stop_block(out)
        self._index, self._at = index if index is not None else self._at, self._at + 1
        block, at = read_block(value), self._at
        if isinstance(block, Text):
            out.append(BlockStart(at, Text("")))
            if block.text:
                out.append(TextDelta(at, block.text))
            out += [CitationDelta(at, citation) for citation in block.citations]
        elif isinstance(block, Thinking) and not block.redacted:
            out.append(BlockStart(at, Thinking(sealed_by=block.sealed_by or ANTHROPIC, id=block.id)))
            if block.text:
                out.append(ThinkingDelta(at, block.text))
            if block.signature:
                out.append(SignatureDelta(at, block.signature))
        elif isinstance(block, ToolUse):
            out.append(BlockStart(at, ToolUse(block.id, original(block.name), signature=block.signature)))
            if block.arguments:
                out.append(ArgumentsDelta(at, block.arguments))
        elif isinstance(block, Foreign):
            self._foreign = value
        else:
            out.append(BlockStart(at, block))

    def _delta(self, delta: Json, out: list[Event]) -> None:
        kind, at = delta.get("type"), self._at
        if self._foreign is not None:
            _add(self._foreign, delta)
        elif kind == "text_delta":
            if piece := text(delta.get("text")):
                out.append(TextDelta(at, piece))
        elif kind == "input_json_delta":
            if piece := text(delta.get("partial_json")):
                out.append(ArgumentsDelta(at, piece))
        elif kind == "thinking_delta":
            if piece := text(delta.get("thinking")):
                out.append(ThinkingDelta(at, piece))
        elif kind == "signature_delta":
            out.append(SignatureDelta(at, unseal(text(delta.get("signature")))[1]))
        elif kind == "citations_delta":
            out.append(CitationDelta(at, read_citation(object_at(delta, "citation"))))

    def _stop_block(self, out: list[Event]) -> None:
        if self._foreign is not None:
            value, self._foreign = self._foreign, None
            pieces = value.pop(PIECES, "")
            given = loaded(pieces) if isinstance(pieces, str) and pieces else None
            if given is not None:
                value["input"] = given
            out.append(BlockStart(self._at, foreign(text(value.get("type")), value)))
        out.append(BlockStop(self._at))
        self._index = None


def _add(value: Json, delta: Json) -> None:
    """To a block that came without what is added: the input of server tools, the text of a compaction."""
    for name, piece in delta.items():
        if name != "type" and isinstance(piece, str):
            target = PIECES if name == "partial_json" else name
            value[target] = text(value.get(target)) + piece
