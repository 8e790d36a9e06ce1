"""Events -> Anthropic's stream, as Claude Code reads it: an `event:` line for each, message_start, a ping, the blocks one after
the other, message_delta with the whole of usage, message_stop.

Anthropic's blocks never overlap. Where the form's do, one block is written at a time and the others wait until it has been
stopped; indices are given anew, without gaps, so blocks that Anthropic has no words for leave none.

This is the hot path of translation: the head of a delta is made once per block, and only its text is encoded.
"""

from typing import Final

import orjson

from gw.translate.anthropic_blocks import FREE_TEXT, STOPS, block_json, citation_json, message_id, tool_id, usage_json
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
    Loaded,
    Media,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolResult,
    ToolUse,
)
from gw.translate.seal import ANTHROPIC, sealed

PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'
HELD_BYTES_MAX: Final = 16 << 20  # of blocks that wait for another's end; beyond it the stream fails

_DELTA: Final = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
)
_END: Final = b"}}\n\n"
_EVENT_COST: Final = 100  # what a waiting delta takes beyond its text


class EventWriter:
    """See gw.translate.dialect.EventWriter. `model`: the name that the answer has; "" as the upstream says. `thoughts`: False
    leaves them out, for a client that has not asked for any and takes the first block for the answer."""

    __slots__ = (
        "_at", "_block", "_head", "_held_bytes", "_left_out", "_model", "_open", "_over", "_signed", "_started", "_thoughts",
        "_waiting", "_written", "garbled",
    )  # fmt: skip

    def __init__(self, model: str = "", *, thoughts: bool = True) -> None:
        self._model = model
        self._thoughts = thoughts
        self._at = -1  # the written index of the latest block; it counts them
        self._open = -1  # the form's index of the block that is being written; -1: none
        self._block: Text | Thinking | ToolUse | None = None  # what was said of it at its start
        self._head = b""  # of its deltas
        self._written = False  # it has had a delta of its own
        self._signed = False
        self._waiting: dict[int, list[Event]] = {}  # other blocks that have started, in this order
        self._held_bytes = 0
        self._left_out: set[int] = set()
        self._started = self._over = False
        self.garbled = False  # it was told that the upstream cannot be understood

    def write(self, events: list[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if self._over:
                break
            if isinstance(event, TextDelta | ArgumentsDelta | ThinkingDelta) and event.index == self._open:
                self._text(event.text, out)
            elif isinstance(event, Start):
                out.append(self._start(event))
            elif isinstance(event, End):
                self._end(event, out)
            elif isinstance(event, Failure):
                out.append(self.fail(event))
            else:
                self._of_block(event, out)
        return b"".join(out)

    def ping(self) -> bytes:
        return b"" if self._over else PING

    def fail(self, failure: Failure) -> bytes:
        """A budget's stop closes a block of text, or the first one: what is finished then stays (gw.ending has the reasons).
        After any other failure an open block stays open: Claude Code drops it, and asks again if it has nothing else."""
        if self._over:
            return b""
        closing: list[bytes] = []
        if failure.kind == "billing_error" and self._open >= 0 and (isinstance(self._block, Text) or self._at == 0):
            self._stop(closing)
        self._over = True
        self.garbled = failure.code == "garbled"
        if failure.usage.output_tokens:  # it is billed all the same
            if not self._started:
                closing.append(self._start(Start("", "")))
            usage = usage_json(failure.usage, last=True)
            closing.append(_event("message_delta", {"type": "message_delta", "delta": {"stop_reason": None}, "usage": usage}))
        closing.append(_event("error", {"type": "error", "error": {"type": failure.kind, "message": failure.message}}))
        return b"".join(closing)

    def _start(self, event: Start) -> bytes:
        self._started = True
        message: Json = {
            "id": message_id(event.id),
            "type": "message",
            "role": "assistant",
            "model": self._model or event.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_json(event.usage, last=False),
        }
        return _event("message_start", {"type": "message_start", "message": message}) + PING

    def _end(self, event: End, out: list[bytes]) -> None:
        if self._open >= 0:
            self._stop(out)
        self._release(out)
        while self._open >= 0:  # waiting blocks that were never stopped
            self._stop(out)
            self._release(out)
        delta = {"stop_reason": STOPS[event.stop], "stop_sequence": event.stop_sequence or None}
        usage = usage_json(event.usage, last=True)
        out.append(_event("message_delta", {"type": "message_delta", "delta": delta, "usage": usage}))
        out.append(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
        self._over = True

    def _of_block(self, event: Event, out: list[bytes]) -> None:
        """Any event of a block that is not the usual one."""
        index: int = event.index  # type: ignore[union-attr]  # all that are left have one
        if isinstance(event, BlockStart):
            if self._leaves_out(event.block):
                self._left_out.add(index)
            elif self._open < 0:
                self._begin(index, event.block, out)
            else:
                self._waiting[index] = [event]
        elif index == self._open:
            self._small(event, out)
            if isinstance(event, BlockStop):
                self._release(out)
        elif index in self._waiting:
            self._hold(index, event, out)
        elif isinstance(event, BlockStop):
            self._left_out.discard(index)

    def _hold(self, index: int, event: Event, out: list[bytes]) -> None:
        self._waiting[index].append(event)
        text = event.text if isinstance(event, TextDelta | ArgumentsDelta | ThinkingDelta) else ""
        self._held_bytes += len(text) + _EVENT_COST
        if self._held_bytes > HELD_BYTES_MAX:
            message = f"The upstream's blocks overlap by more than {HELD_BYTES_MAX >> 20} MiB. Ask for no parallel tool calls."
            out.append(self.fail(Failure("api_error", message)))

    def _release(self, out: list[bytes]) -> None:
        while self._open < 0 and self._waiting:
            index = next(iter(self._waiting))
            for event in self._waiting.pop(index):
                if isinstance(event, BlockStart):
                    self._begin(index, event.block, out)
                elif isinstance(event, TextDelta | ArgumentsDelta | ThinkingDelta):
                    self._text(event.text, out)
                else:
                    self._small(event, out)
        if not self._waiting:
            self._held_bytes = 0

    def _leaves_out(self, block: object) -> bool:
        if isinstance(block, Thinking):
            return not self._thoughts
        return isinstance(block, Loaded | ToolResult) or (isinstance(block, Foreign) and block.dialect != ANTHROPIC)

    def _begin(self, index: int, block: object, out: list[bytes]) -> None:
        self._open, self._at = index, self._at + 1
        self._written = self._signed = False
        self._block = None
        if isinstance(block, Text):
            self._begin_text(block, out)
        elif isinstance(block, Thinking) and not block.redacted:
            self._open_as(block, {"type": "thinking", "thinking": "", "signature": ""}, b"thinking_delta", b"thinking", out)
            self._text(block.text, out)
            if block.signature:
                self._sign(block.signature, out)
        elif isinstance(block, ToolUse):
            value: Json = {"type": "tool_use", "id": tool_id(block), "name": block.name, "input": {}}
            self._open_as(block, value, b"input_json_delta", b"partial_json", out)
            self._text(block.arguments, out)
        elif isinstance(block, Media):
            self._begin_text(Text(media_line(block)), out)
        elif isinstance(block, Foreign):
            self._whole(block.value, out)
        elif isinstance(block, Thinking):
            self._whole(block_json(block) or {}, out)

    def _begin_text(self, block: Text, out: list[bytes]) -> None:
        value: Json = {"type": "text", "text": ""} | ({"citations": []} if block.citations else {})
        self._open_as(block, value, b"text_delta", b"text", out)
        self._text(block.text, out)
        for citation in block.citations:
            self._small(CitationDelta(self._open, citation), out)

    def _open_as(self, block: Text | Thinking | ToolUse, value: Json, kind: bytes, name: bytes, out: list[bytes]) -> None:
        self._block = block
        self._head = _DELTA % (self._at, kind, name)
        out.append(_event("content_block_start", {"type": "content_block_start", "index": self._at, "content_block": value}))

    def _whole(self, value: Json, out: list[bytes]) -> None:
        """A block without deltas, but for the input of server tools: clients build that from its pieces."""
        given = value.get("input")
        shown = value | {"input": {}} if given else value
        out.append(_event("content_block_start", {"type": "content_block_start", "index": self._at, "content_block": shown}))
        if given:
            out.append(_DELTA % (self._at, b"input_json_delta", b"partial_json") + _string(_dumps(given).decode()) + _END)

    def _text(self, text: str, out: list[bytes]) -> None:
        block = self._block
        if not text or block is None:
            return
        if isinstance(block, ToolUse) and block.custom:
            if not self._written:
                out.append(self._head + _string(f'{{"{FREE_TEXT}":"') + _END)
            text = _string(text).decode()[1:-1]
        self._written = True
        out.append(self._head + _string(text) + _END)

    def _small(self, event: Event, out: list[bytes]) -> None:
        """Of the open block."""
        if isinstance(event, BlockStop):
            self._stop(out)
        elif isinstance(event, SignatureDelta):
            if isinstance(self._block, Thinking):
                self._sign(event.signature, out)
        elif isinstance(event, CitationDelta) and isinstance(self._block, Text):
            citation = citation_json(event.citation)
            if citation:
                out.append(_DELTA % (self._at, b"citations_delta", b"citation") + _dumps(citation) + _END)

    def _sign(self, signature: str, out: list[bytes]) -> None:
        block = self._block
        if isinstance(block, Thinking) and not self._signed:
            self._signed = True
            text = sealed(block.sealed_by, signature, block.id)
            out.append(_DELTA % (self._at, b"signature_delta", b"signature") + _string(text) + _END)

    def _stop(self, out: list[bytes]) -> None:
        block = self._block
        if isinstance(block, Thinking):
            self._sign("", out)
        elif isinstance(block, ToolUse):
            if block.custom:
                out.append(self._head + _string('"}' if self._written else f'{{"{FREE_TEXT}":""}}') + _END)
            elif not self._written:
                out.append(self._head + b'"{}"' + _END)
        out.append(b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % self._at)
        self._open, self._block = -1, None


def media_line(block: Media) -> str:
    """In place of what an answer of Anthropic's cannot hold."""
    what = f"{block.kind}, {block.media_type}" if block.media_type else block.kind
    return f"[{what}: cannot be shown in this answer]" if not block.url else f"[{what}: {block.url}]"


def _event(name: str, value: Json) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + _dumps(value) + b"\n\n"


def _string(text: str) -> bytes:
    """A lone surrogate, of which JSON's escapes can make one, is written as `?`."""
    try:
        return orjson.dumps(text)
    except TypeError:
        return orjson.dumps(text.encode("utf-8", "replace").decode())


def _dumps(value: Json) -> bytes:
    return orjson.dumps(value)
