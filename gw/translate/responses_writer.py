"""Events -> a stream of the Responses API, as OpenAI's SDKs and Codex read it; and, from the same pieces, a whole response.

Texts that follow each other are one message with one part. A message stays open until something else begins, since only then is
it known that no more text comes. Whatever the client is told piece by piece it is told once more as a whole, by the events `done`
and `completed`: so all of an answer is kept until its end, up to ANSWER_CHARS_MAX.

This is the hot path of translation: the head of a delta is made once per item, and only its text is encoded.
"""

from typing import Any, Final
from uuid import uuid4

import orjson

from gw import clock
from gw.translate.form import (
    Answer,
    ArgumentsDelta,
    BlockStart,
    BlockStop,
    Citation,
    CitationDelta,
    End,
    Event,
    Failure,
    Foreign,
    Json,
    Media,
    Request,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.loose import text_at
from gw.translate.responses_answer import INCOMPLETE, events_of, tier_of, told, usage_json
from gw.translate.responses_errors import event_of, failed_code
from gw.translate.responses_input import digest
from gw.translate.responses_items import RESPONSES
from gw.translate.responses_open import Call, Message, Open, Thought, dumps

PING: Final = b": ping\n\n"
ANSWER_CHARS_MAX: Final = 32 << 20  # of text, thoughts and arguments: no model writes a thousandth of it
_ID_CHARS_MAX: Final = 40


class EventWriter:
    """See gw.translate.dialect.EventWriter."""

    def __init__(self, asked: Request) -> None:
        self._asked = asked
        self._spaces = {tool.name: tool.namespace for tool in asked.tools if tool.namespace}
        self._customs = {tool.name for tool in asked.tools if tool.custom}
        self._count = 0  # of events so far: the next one's sequence_number
        self._stem = ""  # what ids are made of
        self._told = b""  # the fields that no event changes
        self._blocks: dict[int, Open] = {}  # blocks under way; texts share a message
        self._message: Message | None = None  # the open one
        self._next = 0  # the next output index
        self._output: dict[int, bytes] = {}  # items that are done, by output index
        self._chars = 0
        self._over = False
        self.last = b""  # the whole response, when it is over

    def write(self, events: list[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if self._over:
                break
            if isinstance(event, TextDelta | ArgumentsDelta | ThinkingDelta):
                self._delta(event.index, event.text, out)
            elif isinstance(event, BlockStart):
                self._begin(event, out)
            elif isinstance(event, BlockStop):
                self._stop(event.index, out)
            elif isinstance(event, SignatureDelta):
                self._sign(event)
            elif isinstance(event, CitationDelta):
                self._cite(event.index, event.citation)
            elif isinstance(event, Start):
                self._start(event, out)
            elif isinstance(event, End):
                self._end(event, out)
            else:
                out.append(self.fail(event))
        return b"".join(out)

    def ping(self) -> bytes:
        return b"" if self._over else PING

    def fail(self, failure: Failure) -> bytes:
        """The `error` event, by which SDKs raise, and the failed response, which Codex reads. Also in a stream of another's.
        Where a budget has ended the answer, what was said of it stays; after any other failure a client may ask again."""
        if self._over:
            return b""
        out: list[bytes] = []
        if not self._told:
            self._name(Start("", ""))
        if failure.kind == "billing_error":
            self._close_message(out, whole=False)
        self._send(b"error", event_of(failure), out)
        error = {"code": failed_code(failure), "message": failure.message}
        self._last(b"failed", {"error": error, "incomplete_details": None, "usage": None}, out)
        return b"".join(out)

    # --- beginning and end --------------------------------------------------------------------------------------------

    def _start(self, event: Start, out: list[bytes]) -> None:
        if self._told:
            return
        self._name(event)
        first = b'"status":"in_progress","error":null,"incomplete_details":null,"output":[],"usage":null}'
        for name in (b"response.created", b"response.in_progress"):
            self._put(name, b'"response":' + self._told + b"," + first, out)

    def _name(self, event: Start) -> None:
        stem = event.id.removeprefix("resp_")
        if not (0 < len(stem) <= _ID_CHARS_MAX and stem.isascii() and stem.replace("_", "").replace("-", "").isalnum()):
            stem = digest(event.id) if stem else uuid4().hex
        self._stem = stem
        repeated = told(self._asked)
        head: Json = {
            "id": f"resp_{stem}",
            "object": "response",
            "created_at": event.created_s or clock.wall_ns() // 10**9,
            "model": self._asked.model_named or event.model or self._asked.model,
        }
        self._told = dumps(head | repeated)[:-1]

    def _started(self, out: list[bytes]) -> None:
        if not self._told:
            self._start(Start("", ""), out)

    def _end(self, event: End, out: list[bytes]) -> None:
        self._started(out)
        reason = INCOMPLETE.get(event.stop)
        self._close_message(out, whole=reason is None)
        for index in list(self._blocks):
            self._stop(index, out)
        more: Json = {
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "service_tier": tier_of(event.usage),
            "usage": usage_json(event.usage),
        }
        self._last(b"incomplete" if reason else b"completed", more, out)

    def _last(self, status: bytes, more: Json, out: list[bytes]) -> None:
        self._over = True
        items = b",".join(self._output[index] for index in sorted(self._output))
        self.last = b'%b,"status":"%b","output":[%b],%b' % (self._told, status, items, dumps(more)[1:])
        self._put(b"response." + status, b'"response":' + self.last, out)
        self._blocks.clear()
        self._output.clear()

    # --- blocks -------------------------------------------------------------------------------------------------------

    def _begin(self, event: BlockStart, out: list[bytes]) -> None:
        self._started(out)
        block = event.block
        if isinstance(block, Text):
            self._blocks[event.index] = self._speak(out)
            self._delta(event.index, block.text, out)
            for citation in block.citations:
                self._cite(event.index, citation)
            return
        self._close_message(out)
        at, stem = self._next, f"{self._stem}_{self._next}"
        if isinstance(block, Thinking):
            opened: Open = Thought(at, block, stem)
        elif isinstance(block, ToolUse):
            space = self._spaces.get(block.name, "")
            opened = Call(at, block, stem, space, custom=block.custom or block.name in self._customs)
        else:
            self._whole(block, stem, out)
            return
        self._next += 1
        self._blocks[event.index] = opened
        opened.begin(self._put, out)
        self._delta(event.index, block.arguments if isinstance(block, ToolUse) else block.text, out)

    def _whole(self, block: Any, stem: str, out: list[bytes]) -> None:
        """An item without deltas. What this dialect has no words for is left out."""
        if isinstance(block, Foreign) and block.dialect == RESPONSES and block.kind:
            item = block.value if text_at(block.value, "id") else block.value | {"id": f"item_{stem}"}
        elif isinstance(block, Media) and block.kind == "image" and block.data:
            item = {"type": "image_generation_call", "id": f"ig_{stem}", "status": "completed", "result": block.data}
        else:
            return
        at, value = self._next, dumps(item)
        self._next += 1
        self._chars += len(value)
        self._output[at] = value
        for name in (b"response.output_item.added", b"response.output_item.done"):
            self._put(name, b'"output_index":%d,"item":%b' % (at, value), out)

    def _speak(self, out: list[bytes]) -> Message:
        """The open message; it is begun, if there is none. A block of text that begins says where it begins."""
        message = self._message
        if message is None:
            message = self._message = Message(self._next, f"{self._stem}_{self._next}")
            self._next += 1
            message.begin(self._put, out)
        message.next_block()
        return message

    def _delta(self, index: int, text: str, out: list[bytes]) -> None:
        opened = self._blocks.get(index)
        if opened is None or not text:
            return
        if opened.done:  # a text whose message had to be closed before it
            opened = self._blocks[index] = self._speak(out)
        self._chars += len(text)
        if self._chars > ANSWER_CHARS_MAX:
            message = f"The answer is longer than {ANSWER_CHARS_MAX >> 20} MiB, more than this API can repeat at its end."
            out.append(self.fail(Failure("api_error", message)))
            return
        head = opened.take(text, self._put, out)
        if head:
            out.append(b'%b%b,"sequence_number":%d}\n\n' % (head, dumps(text), self._count))
            self._count += 1

    def _cite(self, index: int, citation: Citation) -> None:
        opened = self._blocks.get(index)
        if isinstance(opened, Message):
            opened.cite(citation)

    def _sign(self, event: SignatureDelta) -> None:
        opened = self._blocks.get(event.index)
        if isinstance(opened, Thought):
            opened.signature = event.signature

    def _stop(self, index: int, out: list[bytes]) -> None:
        opened = self._blocks.pop(index, None)
        if isinstance(opened, Message):
            if not opened.done:
                opened.end_block(self._put, out)
        elif opened:
            self._output[opened.at] = opened.end(self._put, out)

    def _close_message(self, out: list[bytes], *, whole: bool = True) -> None:
        if self._message:
            self._output[self._message.at] = self._message.end(self._put, out, whole=whole)
            self._message = None

    # --- bytes --------------------------------------------------------------------------------------------------------

    def _send(self, name: bytes, event: Json, out: list[bytes]) -> None:
        out.append(b"event: %b\ndata: %b\n\n" % (name, dumps(event | {"sequence_number": self._count})))
        self._count += 1

    def _put(self, name: bytes, fields: bytes, out: list[bytes]) -> None:
        """`fields`: of the event's object, beside type and sequence_number."""
        out.append(b'event: %b\ndata: {"type":"%b","sequence_number":%d,%b}\n\n' % (name, name, self._count, fields))
        self._count += 1


def write_answer(answer: Answer, asked: Request) -> Json:
    writer = EventWriter(asked)
    writer.write(events_of(answer))
    response: Json = orjson.loads(writer.last)
    return response
