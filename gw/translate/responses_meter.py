"""The meter beside a Responses stream that passes untouched to a client of the same dialect: it tells the tap, in Anthropic's
words, what that needs. Usage, the model, the size of what is said and why it ended; not which item is which, so all of it is one
text block.

A delta is not parsed: its text is JSON already, and stands in the tap's event as it came.
"""

from typing import Final

import orjson

from gw.translate.anthropic_events import EventWriter
from gw.translate.form import Answer, BlockStart, BlockStop, End, Event, Failure, Json, Start, Text
from gw.translate.frames import Frames, Overlong
from gw.translate.loose import loaded, object_at, objects, text_at
from gw.translate.responses_answer import failure_in, read_answer, searched, searches_in, usage_of
from gw.translate.responses_errors import GARBLED, error_of, failure_of

_TYPE: Final = b'{"type":"response.'
_TYPE_SIZE: Final = 64  # no name of an event is longer
_DELTA: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"'
_DELTA_END: Final = b'"}}\n\n'
_QUOTE, _BACKSLASH = b'"', 92


class ResponsesMeter:
    """`provider`: whose rules of usage. The tap is fed what `feed` returns, and `close` when the stream is over. Never raises on
    what it is fed. `served_model` and `charge_pusd` (what the provider says that it charges): as far as they are known."""

    __slots__ = (
        "_frames", "_fresh", "_in_block", "_over", "_provider", "_searches", "_started", "_whole", "_writer",
        "charge_pusd", "served_model",
    )  # fmt: skip

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._frames = Frames()
        self._writer = EventWriter()
        self._whole: bytearray | None = None  # a response that is no stream
        self._fresh = True
        self._started = self._in_block = self._over = False
        self._searches = 0
        self.served_model = ""
        self.charge_pusd: int | None = None

    @property
    def garbled(self) -> bool:
        return self._writer.garbled

    def feed(self, chunk: bytes) -> bytes:
        if self._over or not chunk:
            return b""
        if self._whole is not None:
            self._whole += chunk
            return b""
        if self._fresh and (start := chunk.lstrip()[:1]):
            self._fresh = False
            if start == b"{":
                self._whole = bytearray(chunk)
                return b""
        out: list[bytes] = []
        said: list[bytes] = []  # texts of deltas, as they stand in JSON
        try:
            for data in self._frames.feed(chunk):
                if data.startswith(_TYPE) and data.find(b'.delta"', 18, _TYPE_SIZE) > 0:
                    _add_text(data, said)
                elif not self._over:
                    self._data(data, said, out)
        except Overlong:
            self._fail(GARBLED, said, out)
        if said:
            self._say(said, out)
        return b"".join(out)

    def close(self) -> bytes:
        if self._whole is None or self._over:
            return self.feed(b"\n\n")
        body = loaded(bytes(self._whole))
        found = read_answer(body, self._provider) if isinstance(body, dict) else GARBLED
        out: list[bytes] = []
        self._tell([found] if isinstance(found, Failure) else self._in_short(found), out)
        return b"".join(out)

    def _in_short(self, answer: Answer) -> list[Event]:
        words = "".join(str(getattr(block, "text", "") or getattr(block, "arguments", "")) for block in answer.content)
        started = Start(answer.id, answer.model, answer.usage)
        self.served_model, self.charge_pusd = answer.model, answer.charge_pusd
        return [started, BlockStart(0, Text(words)), BlockStop(0), End(answer.stop, answer.usage)]

    def _data(self, data: bytes, said: list[bytes], out: list[bytes]) -> None:
        event = loaded(data)
        if event.__class__ is not dict:
            if data.strip() != b"[DONE]":
                self._fail(GARBLED, said, out)
            return
        kind = text_at(event, "type")
        match kind:
            case "response.created" | "response.queued" | "response.in_progress":
                self._start(object_at(event, "response"), out)
            case "response.output_item.done":
                self._searches += searched(object_at(event, "item"))
            case "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled":
                self._say(said, out)
                self._end(kind, object_at(event, "response"), out)
            case "error":
                self._fail(failure_of(error_of(event)), said, out)
            case _ if kind.endswith(".delta"):  # of a server that puts other fields first
                if piece := text_at(event, "delta"):
                    said.append(orjson.dumps(piece)[1:-1])
            case "":
                self._fail(failure_of(error_of(event)) if event.get("error") else GARBLED, said, out)

    def _start(self, response: Json, out: list[bytes]) -> None:
        if not self._started:
            self._started = True
            self.served_model = text_at(response, "model")
            self._tell([Start(text_at(response, "id"), self.served_model)], out)

    def _say(self, said: list[bytes], out: list[bytes]) -> None:
        if not said or self._over:
            return
        if not self._in_block:
            self._in_block = True
            self._start({}, out)
            self._tell([BlockStart(0, Text(""))], out)
        out.append(_DELTA + b"".join(said) + _DELTA_END)
        said.clear()

    def _end(self, kind: str, response: Json, out: list[bytes]) -> None:
        if response.get("error") or response.get("status") == "failed" or kind == "response.failed":
            self._tell([failure_in(response, self._provider)], out)
            return
        self._start(response, out)
        output = list(objects(response.get("output")))
        status = {"status": "incomplete"} if kind == "response.incomplete" else {}
        found = read_answer(response | status | {"output": output}, self._provider)
        assert isinstance(found, Answer)
        usage, self.charge_pusd = usage_of(response, self._provider, searches_in(output) or self._searches)
        closing: list[Event] = [BlockStop(0)] if self._in_block else []
        self._tell([*closing, End(found.stop, usage)], out)

    def _fail(self, failure: Failure, said: list[bytes], out: list[bytes]) -> None:
        self._say(said, out)
        self._tell([failure], out)

    def _tell(self, events: list[Event], out: list[bytes]) -> None:
        out.append(self._writer.write(events))
        self._over = isinstance(events[-1], End | Failure)


def _add_text(data: bytes, said: list[bytes]) -> None:
    """The text of a delta, still in JSON's escapes."""
    start = data.find(b'"delta":"', 18) + 9
    if start < 9:
        return
    end = data.find(_QUOTE, start)
    while end > start and data[end - 1] == _BACKSLASH and _escaped(data, end):
        end = data.find(_QUOTE, end + 1)
    if end > start:
        said.append(data[start:end])


def _escaped(data: bytes, at: int) -> bool:
    """An odd number of backslashes stands before it."""
    first = at
    while data[first - 1] == _BACKSLASH:
        first -= 1
    return (at - first) % 2 == 1
