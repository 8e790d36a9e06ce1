"""Events -> frames of ConverseStream, as the AWS SDKs read them.

The headers of each kind of frame are made once; of a delta only its text is encoded. Blocks keep the form's numbers: clients of
Bedrock want no more than that they tell blocks apart. A block that Converse has no words for is left out. Nothing keeps
a silent stream alive: an SDK does not know of pings.
"""

from typing import Final

import orjson
from msgspec.structs import replace

from gw.translate.anthropic_blocks import FREE_TEXT
from gw.translate.converse_blocks import answer_part, citation_json, media_line, thinking_json, tool_id
from gw.translate.converse_words import STOP_REASONS, exception_name, format_of, usage_json
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
    Request,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.seal import sealed
from gw.wire.eventstream import frame, header_block


def head(kind: str, message: str = "event") -> bytes:
    """The headers of a frame, in Bedrock's order."""
    return header_block({f":{message}-type": kind, ":content-type": "application/json", ":message-type": message})


_MESSAGE_START: Final = head("messageStart")
_BLOCK_START: Final = head("contentBlockStart")
_DELTA: Final = head("contentBlockDelta")
_BLOCK_STOP: Final = head("contentBlockStop")
_MESSAGE_STOP: Final = head("messageStop")
_METADATA: Final = head("metadata")
STOP_SEQUENCE_PATH: Final = "/stop_sequence"
IMAGE_CHARS: Final = 64 * 1024  # of base64 in one frame; a multiple of 4


class EventWriter:
    """See gw.translate.dialect.EventWriter."""

    __slots__ = ("_asked", "_blocks", "_over")

    def __init__(self, asked: Request) -> None:
        self._asked = asked
        self._blocks: dict[int, Block] = {}  # that are open and have been told of
        self._over = False

    def write(self, events: list[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if self._over:
                break
            if isinstance(event, TextDelta):
                out.append(_delta(event.index, b'"text":' + _string(event.text)))
            elif isinstance(event, ArgumentsDelta):
                self._arguments(event.index, event.text, out)
            elif isinstance(event, ThinkingDelta):
                out.append(_delta(event.index, b'"reasoningContent":{"text":' + _string(event.text) + b"}"))
            else:
                self._other(event, out)
        return b"".join(out)

    def ping(self) -> bytes:
        return b""

    def fail(self, failure: Failure) -> bytes:
        if self._over:
            return b""
        self._over = True
        return exception(failure)

    def _other(self, event: Event, out: list[bytes]) -> None:
        if isinstance(event, BlockStart):
            self._begin(event.index, event.block, out)
        elif isinstance(event, BlockStop):
            self._stop(event.index, out)
        elif isinstance(event, SignatureDelta):
            block = self._blocks.get(event.index)
            if isinstance(block, Thinking):
                self._blocks[event.index] = replace(block, signature=event.signature)
                text = sealed(block.sealed_by, event.signature, block.id)
                out.append(_delta(event.index, b'"reasoningContent":{"signature":' + _string(text) + b"}"))
        elif isinstance(event, CitationDelta):
            citation = citation_json(event.citation)
            if isinstance(self._blocks.get(event.index), Text):
                out.append(_delta(event.index, b'"citation":' + orjson.dumps(citation)))
        elif isinstance(event, Start):
            out.append(frame(_MESSAGE_START, b'{"role":"assistant"}'))
        elif isinstance(event, End):
            self._end(event, out)
        elif isinstance(event, Failure):
            out.append(self.fail(event))

    def _begin(self, index: int, block: Block, out: list[bytes]) -> None:
        if isinstance(block, Media) and not format_of("image", block.media_type, block.data):
            block = Text(media_line(block))
        if isinstance(block, Text):
            self._blocks[index] = block
            if block.text:
                out.append(_delta(index, b'"text":' + _string(block.text)))
            for citation in block.citations:
                out.append(_delta(index, b'"citation":' + orjson.dumps(citation_json(citation))))
        elif isinstance(block, ToolUse):
            self._blocks[index] = block
            call = {"toolUseId": tool_id(block), "name": block.name}
            out.append(_start(index, {"toolUse": call}))
            if block.custom:
                out.append(_delta(index, b'"toolUse":{"input":' + _string(f'{{"{FREE_TEXT}":"') + b"}"))
            self._arguments(index, block.arguments, out)
        elif isinstance(block, Thinking):
            self._think(index, block, out)
        elif isinstance(block, Media):
            self._blocks[index] = block
            self._image(index, block, out)
        elif isinstance(block, Foreign) and (part := answer_part(block)):
            self._foreign(index, block, part, out)

    def _think(self, index: int, block: Thinking, out: list[bytes]) -> None:
        """Its signature is still to come, or is said at its end: a client puts pieces of it together."""
        self._blocks[index] = block
        told = thinking_json(block if block.signature or block.redacted else replace(block, id=""))
        said = told.get("reasoningText", {})
        pieces = ((name, value) for name, value in (told if block.redacted else said).items() if value)
        for name, value in pieces:
            out.append(_delta(index, b'"reasoningContent":{"' + name.encode() + b'":' + _string(value) + b"}"))

    def _image(self, index: int, block: Media, out: list[bytes]) -> None:
        out.append(_start(index, {"image": {"format": format_of("image", block.media_type, block.data)}}))
        for at in range(0, len(block.data), IMAGE_CHARS):
            piece = _string(block.data[at : at + IMAGE_CHARS])
            out.append(_delta(index, b'"image":{"source":{"bytes":' + piece + b"}}"))

    def _foreign(self, index: int, block: Foreign, part: Json, out: list[bytes]) -> None:
        """A tool that Bedrock has run, or its result, in pieces as they came."""
        value = part.get(block.kind)
        if not isinstance(value, dict):
            return
        self._blocks[index] = block
        if block.kind == "toolUse":
            out.append(_start(index, {"toolUse": {name: one for name, one in value.items() if name != "input"}}))
            text = orjson.dumps(value.get("input")).decode()
            out.append(_delta(index, b'"toolUse":{"input":' + _string(text) + b"}"))
        elif block.kind == "toolResult":
            out.append(_start(index, {"toolResult": {name: one for name, one in value.items() if name != "content"}}))
            out.append(_delta(index, b'"toolResult":' + orjson.dumps(value.get("content"))))

    def _arguments(self, index: int, text: str, out: list[bytes]) -> None:
        if not text:
            return
        block = self._blocks.get(index)
        if isinstance(block, ToolUse) and block.custom:  # free text, within a JSON string
            text = _string(text).decode()[1:-1]
        out.append(_delta(index, b'"toolUse":{"input":' + _string(text) + b"}"))

    def _stop(self, index: int, out: list[bytes]) -> None:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        if isinstance(block, ToolUse) and block.custom:
            out.append(_delta(index, b'"toolUse":{"input":"\\"}"}'))
        if isinstance(block, Thinking) and block.id and not (block.signature or block.redacted):
            text = sealed(block.sealed_by, "", block.id)
            out.append(_delta(index, b'"reasoningContent":{"signature":' + _string(text) + b"}"))
        out.append(frame(_BLOCK_STOP, b'{"contentBlockIndex":%d}' % index))

    def _end(self, event: End, out: list[bytes]) -> None:
        for index in list(self._blocks):
            self._stop(index, out)
        stop: Json = {"stopReason": STOP_REASONS[event.stop]}
        if more := told_stop_sequence(self._asked, event.stop_sequence):
            stop["additionalModelResponseFields"] = more
        out.append(frame(_MESSAGE_STOP, orjson.dumps(stop)))
        tail: Json = {"usage": usage_json(event.usage), "metrics": {"latencyMs": 0}}
        if event.usage.service_tier:
            tail["serviceTier"] = {"type": event.usage.service_tier}
        out.append(frame(_METADATA, orjson.dumps(tail)))
        self._over = True


def told_stop_sequence(asked: Request, sequence: str) -> Json:
    """What a client has asked for by its path, if there is something."""
    paths = asked.foreign.get("additionalModelResponseFieldPaths")
    wanted = isinstance(paths, list) and STOP_SEQUENCE_PATH in paths
    return {"stop_sequence": sequence} if wanted and sequence else {}


def exception(failure: Failure) -> bytes:
    """The frame that ends a stream of Converse or InvokeModel with an error."""
    body = orjson.dumps({"message": _plain(failure.message)})
    return frame(head(exception_name(failure), "exception"), body)


def _start(index: int, start: Json) -> bytes:
    return frame(_BLOCK_START, b'{"contentBlockIndex":%d,"start":%b}' % (index, orjson.dumps(start)))


def _delta(index: int, inner: bytes) -> bytes:
    return frame(_DELTA, b'{"contentBlockIndex":%d,"delta":{%b}}' % (index, inner))


def _string(text: str) -> bytes:
    """A lone surrogate, of which JSON's escapes can make one, is written as `?`."""
    try:
        return orjson.dumps(text)
    except TypeError:
        return orjson.dumps(_plain(text))


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
