"""Events -> a Gemini client's stream, as server-sent events or as one JSON array, and a whole answer as such a chunk.

Every chunk is a GenerateContentResponse with usage, as far as it is known, and the name that the client gave the model. A call's
arguments are kept until they are whole: Gemini's clients take no pieces of them. A chunk always has a part, if only an empty
text: google-genai's chats throw a turn away in which one had none.

This is the hot path of translation: what stands around a text is made once, and only the text is encoded.
"""

from typing import Final

import orjson

from gw.domain.usage import Usage
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
from gw.translate.gemini_contents import args_of
from gw.translate.gemini_errors import write_error
from gw.translate.gemini_grounding import grounding_json
from gw.translate.gemini_words import GEMINI, REASONS, usage_json, wire_signature

_HEAD: Final = b'{"candidates":[{"content":{"parts":['
_TEXT: Final = _HEAD + b'{"text":'
_THOUGHT: Final = _HEAD + b'{"thought":true,"text":'
_NOTHING: Final = b'{"text":""}'


class EventWriter:
    """See gw.translate.dialect.EventWriter."""

    __slots__ = (
        "_arguments", "_blocks", "_cited", "_first", "_id", "_model", "_over", "_sep", "_shown", "_tail", "_text_tail",
        "_texts",
    )  # fmt: skip

    def __init__(self, asked: Request) -> None:
        self._model = asked.model_named
        self._shown = asked.effort.shown
        self._id = ""
        self._sep = (b"data: ", b"\r\n\r\n") if asked.alt else (b",\r\n", b"")
        self._first = not asked.alt  # the array has not been opened
        self._blocks: dict[int, Text | Thinking | ToolUse] = {}  # open ones
        self._arguments: dict[int, list[str]] = {}
        self._texts: dict[int, list[str]] = {}  # all blocks of text, in their order
        self._cited: list[tuple[int, Citation]] = []
        self._over = False
        self._retail(Usage())

    def write(self, events: list[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if isinstance(event, TextDelta):
                self._text(event, out)
            elif isinstance(event, ThinkingDelta):
                if self._shown and event.text:
                    out.append(self._framed(_THOUGHT + _string(event.text) + self._text_tail))
            elif isinstance(event, ArgumentsDelta):
                self._arguments.setdefault(event.index, []).append(event.text)
            elif self._over:
                break
            else:
                self._other(event, out)
        return b"".join(out)

    def ping(self) -> bytes:
        """An empty piece of text, as Gemini itself sends them: comments and blank lines break some of its clients."""
        return b"" if self._over else self._framed(_HEAD + _NOTHING + self._tail)

    def fail(self, failure: Failure) -> bytes:
        if self._over:
            return b""
        self._over = True
        return self._framed(orjson.dumps(write_error(failure, ""))) + self._closing()

    def _closing(self) -> bytes:
        return b"" if self._sep[1] else b"]"

    def _framed(self, chunk: bytes) -> bytes:
        if self._first:
            self._first = False
            return b"[" + chunk
        return self._sep[0] + chunk + self._sep[1]

    def _retail(self, usage: Usage) -> None:
        """What follows the parts of a chunk."""
        known: Json = {"usageMetadata": usage_json(usage)}
        known |= {name: value for name, value in (("modelVersion", self._model), ("responseId", self._id)) if value}
        self._tail = b'],"role":"model"},"index":0}],' + orjson.dumps(known)[1:]
        self._text_tail = b"}" + self._tail

    def _text(self, event: TextDelta, out: list[bytes]) -> None:
        if event.text:
            pieces = self._texts.get(event.index)
            if pieces is None:
                pieces = self._texts[event.index] = []
            pieces.append(event.text)
            out.append(self._framed(_TEXT + _string(event.text) + self._text_tail))

    def _part(self, part: Json, out: list[bytes]) -> None:
        out.append(self._framed(_HEAD + orjson.dumps(part) + self._tail))

    def _other(self, event: Event, out: list[bytes]) -> None:
        if isinstance(event, BlockStart):
            self._begin(event.index, event.block, out)
        elif isinstance(event, BlockStop):
            self._stop(event.index, out)
        elif isinstance(event, SignatureDelta):
            self._sign(event, out)
        elif isinstance(event, CitationDelta):
            self._cited.append((event.index, event.citation))
        elif isinstance(event, Start):
            self._id, self._model = event.id, self._model or event.model
            self._retail(event.usage)
        elif isinstance(event, End):
            self._end(event, out)
        elif isinstance(event, Failure):
            out.append(self.fail(event))

    def _begin(self, index: int, block: object, out: list[bytes]) -> None:
        if isinstance(block, Text | Thinking | ToolUse):
            self._blocks[index] = block
        if isinstance(block, Text):
            self._text(TextDelta(index, block.text), out)
            self._cited += [(index, citation) for citation in block.citations]
            if block.signature:
                self._part({"text": "", "thoughtSignature": block.signature}, out)
        elif isinstance(block, Thinking):
            if block.text and self._shown:
                self._part({"thought": True, "text": block.text}, out)
            if signature := wire_signature(block):
                self._part({"thought": True, "text": "", "thoughtSignature": signature}, out)
        elif isinstance(block, ToolUse):
            self._arguments[index] = [block.arguments] if block.arguments else []
        elif isinstance(block, Media | Foreign) and (part := part_of(block)):
            self._part(part, out)

    def _sign(self, event: SignatureDelta, out: list[bytes]) -> None:
        block = self._blocks.get(event.index)
        if isinstance(block, Thinking):
            if signature := wire_signature(block, event.signature):
                self._part({"thought": True, "text": "", "thoughtSignature": signature}, out)
        elif isinstance(block, Text):
            self._part({"text": "", "thoughtSignature": event.signature}, out)
        elif isinstance(block, ToolUse):
            self._blocks[event.index] = ToolUse(block.id, block.name, signature=event.signature, custom=block.custom)

    def _stop(self, index: int, out: list[bytes]) -> None:
        block = self._blocks.pop(index, None)
        if isinstance(block, ToolUse):
            arguments = "".join(self._arguments.pop(index, ()))
            self._part(call_part(block, arguments), out)

    def _end(self, event: End, out: list[bytes]) -> None:
        for index in sorted(self._blocks):  # never stopped
            self._stop(index, out)
        self._over = True
        candidate: Json = {
            "content": {"parts": [{"text": ""}], "role": "model"},
            "finishReason": REASONS[event.stop],
            "index": 0,
        }
        if self._cited:
            candidate["groundingMetadata"] = self._grounding()
        last: Json = {"candidates": [candidate], "usageMetadata": usage_json(event.usage)}
        last |= {name: value for name, value in (("modelVersion", self._model), ("responseId", self._id)) if value}
        out.append(self._framed(orjson.dumps(last)) + self._closing())

    def _grounding(self) -> Json:
        texts = {index: "".join(pieces) for index, pieces in self._texts.items()}
        before, at = {}, 0
        for index, words in texts.items():
            before[index] = at
            at += len(words.encode("utf-8", "replace"))
        return grounding_json([(one, texts.get(index, ""), before.get(index, 0)) for index, one in self._cited])


def call_part(use: ToolUse, arguments: str) -> Json:
    whole = ToolUse(use.id, use.name, arguments, custom=use.custom)
    call: Json = {"name": use.name, "args": args_of(whole)} | ({"id": use.id} if use.id else {})
    return {"functionCall": call} | ({"thoughtSignature": use.signature} if use.signature else {})


def part_of(block: Media | Foreign) -> Json:
    """{} for what another dialect alone knows."""
    if isinstance(block, Foreign):
        return block.value if block.dialect == GEMINI else {}
    if block.data:
        return {"inlineData": {"mimeType": block.media_type or "image/png", "data": block.data}}
    if block.text:
        return {"text": block.text}
    uri = block.url or block.file_id
    return {"fileData": {"fileUri": uri, **({"mimeType": block.media_type} if block.media_type else {})}} if uri else {}


def _string(text: str) -> bytes:
    """A lone surrogate, of which JSON's escapes can make one, is written as `?`."""
    try:
        return orjson.dumps(text)
    except TypeError:
        return orjson.dumps(text.encode("utf-8", "replace").decode())


def write_answer(answer: Answer, asked: Request) -> Json:
    parts: list[Json] = []
    cited: list[tuple[Citation, str, int]] = []
    before = 0
    for block in answer.content:
        if isinstance(block, Text):
            if block.text or block.signature:
                parts.append({"text": block.text} | ({"thoughtSignature": block.signature} if block.signature else {}))
            cited += [(citation, block.text, before) for citation in block.citations]
            before += len(block.text.encode("utf-8", "replace"))
        elif isinstance(block, Thinking):
            parts += _thought_parts(block, shown=asked.effort.shown)
        elif isinstance(block, ToolUse):
            parts.append(call_part(block, block.arguments))
        elif isinstance(block, Media | Foreign) and (part := part_of(block)):
            parts.append(part)
    candidate: Json = {
        "content": {"parts": parts or [{"text": ""}], "role": "model"},
        "finishReason": REASONS[answer.stop],
        "index": 0,
    }
    if cited:
        candidate["groundingMetadata"] = grounding_json(cited)
    known = (("modelVersion", asked.model_named or answer.model), ("responseId", answer.id))
    body: Json = {"candidates": [candidate], "usageMetadata": usage_json(answer.usage)}
    return body | {name: value for name, value in known if value}


def _thought_parts(block: Thinking, *, shown: bool) -> list[Json]:
    """A thought that is not to be shown still brings its seal, without which the upstream would think anew."""
    signature = wire_signature(block)
    words = block.text if shown else ""
    if not words and not signature:
        return []
    return [{"thought": True, "text": words} | ({"thoughtSignature": signature} if signature else {})]
