"""The meter beside a Gemini stream that passes untouched to a Gemini client: it tells the tap, in Anthropic's words, what that
needs. Usage, the model, the size of what is said and why it ended; not which block is which, so all of it is one text block.
"""

from typing import Any, Final

import orjson
from msgspec.structs import replace

from gw.providers.usage_dialects import usage_from
from gw.translate.anthropic_blocks import STOPS as ANTHROPICS
from gw.translate.anthropic_blocks import usage_json
from gw.translate.form import Json
from gw.translate.frames import Overlong
from gw.translate.gemini_errors import failure_of
from gw.translate.gemini_frames import Documents
from gw.translate.gemini_grounding import searches_in
from gw.translate.gemini_words import BROKEN, GEMINI, STOPS
from gw.translate.loose import object_at, read_json, text_at

_BLOCK: Final = (
    b"event: content_block_start\n"
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
)
_DELTA: Final = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":'
)
_DELTA_END: Final = b"}}\n\n"
_BLOCK_END: Final = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
_END: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class GeminiMeter:
    """`provider`: whose rules of usage. The tap is fed what `feed` returns, and `close` when the stream is over. Never raises on
    what it is fed."""

    __slots__ = (
        "_called", "_documents", "_model", "_over", "_provider", "_searches", "_started", "_stop", "_usage", "_with_block",
        "garbled",
    )  # fmt: skip

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._documents = Documents()
        self._usage: Json = {}
        self._started = self._with_block = self._called = self._over = False
        self._model = self._stop = ""
        self._searches = 0
        self.garbled = False

    def feed(self, chunk: bytes) -> bytes:
        if self._over:
            return b""
        out: list[bytes] = []
        try:
            found = self._documents.feed(chunk)
        except Overlong:
            self.garbled = True
            return self._fail("api_error", "a chunk without an end")
        for data in found:
            self._data(data, out)
        if self._documents.over:
            self._end(out)
        return b"".join(out)

    def close(self) -> bytes:
        """The end, if the stream has said why it stopped; else nothing: it was cut off."""
        out: list[bytes] = []
        if not self._over:
            for data in self._documents.close():
                self._data(data, out)
            self._end(out)
        self._over = True
        return b"".join(out)

    def _data(self, data: bytes, out: list[bytes]) -> None:
        if self._over:
            return
        try:
            body = read_json(data)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self.garbled = True
            out.append(self._fail("api_error", "a chunk that cannot be read"))
        elif "error" in body:
            failure = failure_of(body, 0)
            out.append(self._fail(failure.kind, failure.message))
        else:
            self._read(body, out)

    def _read(self, body: Json, out: list[bytes]) -> None:
        usage = body.get("usageMetadata")
        if usage.__class__ is dict:
            self._usage.update(usage if None not in usage.values() else {k: v for k, v in usage.items() if v is not None})
        if not self._started:
            self._start(body, out)
        said = self._said(body)
        if said:
            if not self._with_block:
                self._with_block = True
                out.append(_BLOCK)
            out.append(_DELTA + said + _DELTA_END)
        if self._stop:
            delta = {"type": "message_delta", "delta": {"stop_reason": self._stop}, "usage": self._counted(last=True)}
            out.append(b"event: message_delta\ndata: " + orjson.dumps(delta) + b"\n\n")

    def _start(self, body: Json, out: list[bytes]) -> None:
        self._started = True
        self._model = text_at(body, "modelVersion")
        message = {"id": text_at(body, "responseId"), "type": "message", "role": "assistant", "model": self._model, "content": []}
        start = {"type": "message_start", "message": {**message, "usage": self._counted(last=False)}}
        out.append(b"event: message_start\ndata: " + orjson.dumps(start) + b"\n\n")

    def _counted(self, *, last: bool) -> Json:
        usage, _ = usage_from(self._provider, GEMINI, self._usage)
        if self._searches:
            usage = replace(usage, web_search_requests=self._searches)
        return usage_json(usage, last=last)

    def _said(self, body: Json) -> bytes:
        """All texts of the chunk as one JSON string, or b""."""
        said = ""
        candidates = body.get("candidates")
        if candidates.__class__ is list:
            for candidate in candidates:
                if candidate.__class__ is dict:
                    said += self._candidate(candidate)
        if object_at(body, "promptFeedback").get("blockReason"):
            self._stop = "refusal"
        if not said:
            return b""
        try:
            return orjson.dumps(said)
        except TypeError:  # a lone surrogate
            return orjson.dumps(said.encode("utf-8", "replace").decode())

    def _candidate(self, candidate: Json) -> str:
        said = ""
        parts: Any = object_at(candidate, "content").get("parts")
        if parts.__class__ is list:
            for part in parts:
                if part.__class__ is dict:
                    words = part.get("text")
                    said += words if words.__class__ is str else self._other(part)
        if "groundingMetadata" in candidate:
            self._searches = max(self._searches, searches_in(object_at(candidate, "groundingMetadata"), self._model))
        reason = candidate.get("finishReason")
        if reason.__class__ is str and reason:
            stop = "end_turn" if reason in BROKEN else ANTHROPICS[STOPS.get(reason, "end_turn")]
            self._stop = "tool_use" if self._called and stop == "end_turn" else stop
        return said

    def _other(self, part: Json) -> str:
        """A call by its JSON, anything else by a letter: something was said."""
        call = part.get("functionCall")
        if call.__class__ is dict:
            self._called = True
            return orjson.dumps(call.get("args") or call.get("partialArgs") or {}).decode()
        return "." if part.keys() - {"thoughtSignature", "thought"} else ""

    def _end(self, out: list[bytes]) -> None:
        if self._stop and not self._over:
            self._over = True
            out.append((_BLOCK_END if self._with_block else b"") + _END)

    def _fail(self, kind: str, message: str) -> bytes:
        self._over = True
        return b"event: error\ndata: " + orjson.dumps({"type": "error", "error": {"type": kind, "message": message}}) + b"\n\n"
