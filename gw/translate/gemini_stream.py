"""Gemini's stream -> events; a whole answer is a stream of one chunk (gw.translate.gemini_answer).

Every chunk is a GenerateContentResponse with more parts. Usage is a running total, the last word counts, and may come in a chunk
of its own after the one that says why the model stopped: so the end is told when the stream closes. Thoughts and texts have no
marks of beginning and end: a part of another kind ends the block. Only the first candidate is read.
"""

from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import orjson
from msgspec.structs import replace

from gw.domain.usage import Usage
from gw.providers.usage_dialects import usage_from
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
    SignatureDelta,
    Start,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.frames import Overlong
from gw.translate.gemini_errors import failure_of
from gw.translate.gemini_frames import Documents
from gw.translate.gemini_grounding import citations_in, searches_in
from gw.translate.gemini_pieces import Pieces
from gw.translate.gemini_words import BROKEN, GEMINI, STOPS, media_of
from gw.translate.loose import Halves, loaded, object_at, text_at
from gw.translate.names import original

_NONE, _TEXT, _THOUGHT = 0, 1, 2
_EMPTY_TEXT: Final = Text("")
_EMPTY_THOUGHT: Final = Thinking(sealed_by=GEMINI)


class EventReader:
    """See gw.translate.dialect.EventReader. `provider`: whose rules of usage."""

    __slots__ = (
        "_at", "_call", "_calls", "_citations", "_documents", "_grounding", "_halves", "_id", "_kind", "_model", "_over",
        "_pieces", "_provider", "_reason", "_started", "_stop", "_texts", "_usage",
    )  # fmt: skip

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._documents = Documents()
        self._halves = Halves()
        self._usage: Json = {}
        self._started = self._over = False
        self._id = self._model = ""
        self._at = -1  # index of the latest block
        self._kind = _NONE  # of the open block
        self._calls = 0
        self._call: ToolUse | None = None  # whose arguments are still coming
        self._pieces: Pieces | None = None
        self._texts: list[str] = []  # of the latest block of text; citations count in it
        self._grounding: Json = {}
        self._citations: Json = {}
        self._stop: Stop | None = None
        self._reason = ""

    def feed(self, chunk: bytes) -> list[Event]:
        if self._over:
            return []
        out: list[Event] = []
        try:
            found = self._documents.feed(chunk)
        except Overlong:
            return self._failed("the upstream sent a chunk without an end")
        for data in found:
            self._data(data, out)
            if self._over:
                return out
        if self._documents.over:
            self._end(out)
        return out

    def close(self) -> list[Event]:
        if self._over:
            return []
        out: list[Event] = []
        rest = self._documents.rest()
        for data in self._documents.close():
            self._data(data, out)
        if not self._over and rest and self._stop is None:  # an error that came as it is, without `data:`
            error = loaded(rest[rest.find(b"{") :])
            if isinstance(error, dict) and isinstance(error.get("error"), dict):
                self._fail(failure_of(error, 0), out)
        self._end(out)
        self._over = True
        return out

    def read(self, body: Any, out: list[Event]) -> None:
        """One chunk."""
        if not isinstance(body, dict):
            if isinstance(body, list) and len(body) == 1 and isinstance(body[0], dict):
                self.read(body[0], out)
            else:
                out += self._failed("the upstream's stream cannot be read: it is none of Gemini's")
            return
        if "error" in body:
            self._fail(failure_of(body, 0), out)
            return
        usage = body.get("usageMetadata")
        if usage.__class__ is dict:
            self._usage.update(usage if None not in usage.values() else {k: v for k, v in usage.items() if v is not None})
        if not self._started:
            self._start(body, out)
        candidates = body.get("candidates")
        if candidates.__class__ is list:
            for candidate in candidates:
                if candidate.__class__ is dict and not candidate.get("index"):
                    self._candidate(candidate, out)
        feedback = body.get("promptFeedback")
        if feedback.__class__ is dict and feedback.get("blockReason"):
            self._stop = "refusal"

    def _data(self, data: bytes, out: list[Event]) -> None:
        try:
            body = self._halves.read(data)
        except ValueError:
            body = {} if data.strip() == b"[DONE]" else None
        if body != {}:
            self.read(body, out)

    def _start(self, body: Json, out: list[Event]) -> None:
        self._started = True
        self._id, self._model = text_at(body, "responseId"), text_at(body, "modelVersion")
        out.append(Start(self._id or uuid4().hex, self._model, self._counted(), _seconds(body.get("createTime"))))

    def _counted(self) -> Usage:
        usage, _ = usage_from(self._provider, GEMINI, self._usage)
        if self._grounding:
            usage = replace(usage, web_search_requests=searches_in(self._grounding, self._model))
        return usage

    def _candidate(self, candidate: Json, out: list[Event]) -> None:
        content = candidate.get("content")
        if content.__class__ is dict:
            parts = content.get("parts")
            if parts.__class__ is list:
                for part in parts:
                    if part.__class__ is dict:
                        self._part(part, out)
        if "groundingMetadata" in candidate:
            self._grounding = self._grounding | object_at(candidate, "groundingMetadata")
        if "citationMetadata" in candidate:
            self._citations = object_at(candidate, "citationMetadata")
        if "finishReason" in candidate and (reason := text_at(candidate, "finishReason")):
            self._finish(reason, candidate, out)

    def _finish(self, reason: str, candidate: Json, out: list[Event]) -> None:
        if self._call is not None:
            self._end_call(out)
        self._cite(out)
        self._stop_block(out)
        if reason in BROKEN:
            words = text_at(candidate, "finishMessage") or "the model wrote no usable answer"
            self._fail(Failure("api_error", f"{reason}: {words}", code=reason), out)
            return
        stop = STOPS.get(reason, "end_turn")
        self._stop = "tool_use" if self._calls and stop == "end_turn" else stop

    # --- parts --------------------------------------------------------------------------------------------------------

    def _part(self, part: Json, out: list[Event]) -> None:
        words = part.get("text")
        if words.__class__ is not str:
            self._other(part, out)
            return
        thought = part.get("thought") is True
        kind = _THOUGHT if thought else _TEXT
        if words:
            if self._kind != kind:
                self._begin(_EMPTY_THOUGHT if thought else _EMPTY_TEXT, out)
                self._kind = kind
            if thought:
                out.append(ThinkingDelta(self._at, words))
            else:
                self._texts.append(words)
                out.append(TextDelta(self._at, words))
        if "thoughtSignature" in part:
            self._sign(text_at(part, "thoughtSignature"), out)

    def _sign(self, signature: str, out: list[Event]) -> None:
        """Of the open block; with none open, of a thought whose words were not told. Behind a call, which has its own, nobody
        asks for it, and Anthropic's clients want no thought there."""
        if not signature or (self._kind == _NONE and self._calls):
            return
        if self._kind == _NONE:
            self._begin(_EMPTY_THOUGHT, out)
            out.append(SignatureDelta(self._at, signature))
            out.append(BlockStop(self._at))
        else:
            out.append(SignatureDelta(self._at, signature))

    def _begin(self, block: Block, out: list[Event]) -> None:
        self._stop_block(out)
        self._at += 1
        if block is _EMPTY_TEXT:
            self._texts = []
        out.append(BlockStart(self._at, block))

    def _stop_block(self, out: list[Event]) -> None:
        if self._call is not None:
            self._end_call(out)
        if self._kind != _NONE:
            out.append(BlockStop(self._at))
            self._kind = _NONE

    def _other(self, part: Json, out: list[Event]) -> None:
        """Anything but text; each is a block of its own."""
        call = part.get("functionCall")
        if call.__class__ is dict:
            self._function(call, text_at(part, "thoughtSignature"), out)
            return
        inner = part.get("inlineData") or part.get("fileData")
        block: Block
        if inner.__class__ is dict:
            if part.get("thought") is True:
                return  # a draft of an image
            block = media_of(inner)
        else:
            kinds = part.keys() - {"thought", "thoughtSignature"}
            if not kinds:
                self._sign(text_at(part, "thoughtSignature"), out)
                return
            block = Foreign(GEMINI, min(kinds), part)
        self._begin(block, out)
        out.append(BlockStop(self._at))

    # --- calls --------------------------------------------------------------------------------------------------------

    def _function(self, call: Json, signature: str, out: list[Event]) -> None:
        name, id = text_at(call, "name"), text_at(call, "id")
        going_on = call.get("willContinue") is True
        use = self._call
        if use is not None and (not name or (id and id == use.id) or (not id and "partialArgs" in call and name == use.name)):
            if self._pieces is not None:
                self._pieces.add(call.get("partialArgs"))
            if not going_on:
                self._end_call(out)
            return
        if not name:
            return  # the empty end of a call
        self._calls += 1
        use = ToolUse(id or self._made_id(), original(name), signature=signature)
        self._begin(use, out)
        self._call, self._pieces = use, Pieces(call.get("args"))
        self._pieces.add(call.get("partialArgs"))
        if not going_on:
            self._end_call(out)

    def _made_id(self) -> str:
        """Older models give their calls no ids, and two calls of one conversation may not have the same."""
        return f"call_{self._id or uuid4().hex}_{self._calls}"

    def _end_call(self, out: list[Event]) -> None:
        if self._pieces is not None and self._pieces.args:
            out.append(ArgumentsDelta(self._at, orjson.dumps(self._pieces.args).decode()))
        out.append(BlockStop(self._at))
        self._call = self._pieces = None

    # --- the end ------------------------------------------------------------------------------------------------------

    def _cite(self, out: list[Event]) -> None:
        if self._kind == _TEXT and (self._grounding or self._citations):
            found = citations_in("".join(self._texts), self._grounding, self._citations)
            out += [CitationDelta(self._at, citation) for citation in found]

    def _end(self, out: list[Event]) -> None:
        """A stream that has not said why it stopped is cut off, and not whole."""
        if self._over or self._stop is None:
            return
        self._over = True
        out.append(End(self._stop, self._counted()))

    def _fail(self, failure: Failure, out: list[Event]) -> None:
        self._over = True
        out.append(replace(failure, usage=self._counted()) if self._usage else failure)

    def _failed(self, message: str) -> list[Event]:
        self._over = True
        return [Failure("api_error", message, code="garbled")]


def _seconds(time: Any) -> int:
    """Of a time in RFC 3339; 0 for none."""
    try:
        return int(datetime.fromisoformat(time).timestamp()) if isinstance(time, str) else 0
    except (ValueError, OverflowError):
        return 0
