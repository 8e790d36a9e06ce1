"""Claude by its own words on other platforms: InvokeModel of Bedrock, rawPredict of Vertex.

The body is Anthropic's, but for its model and stream, which stand in the address, a version, and beta headers, which Bedrock has
in the body. So a client's body passes with these few bytes changed (`to_bedrock`, `to_vertex`, and `from_bedrock` the other way).

A stream of Bedrock's has each of Anthropic's events in base64 in a frame `chunk`: `FramesToEvents` and `EventsToFrames` change
one into the other, without reading more of an event than they must.
"""

import re
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Iterable
from typing import Final

import msgspec
import orjson

from gw.errors import Refusal
from gw.translate import betas as beta_table
from gw.translate.converse_stream import garbled
from gw.translate.converse_words import failure_of
from gw.translate.converse_writer import exception, head
from gw.translate.form import Failure, Json
from gw.translate.frames import Frames, Overlong
from gw.translate.loose import count_at, loaded, object_at, text_at
from gw.translate.splice import fields_of, spliced
from gw.wire.eventstream import Decoder, Message, frame

BEDROCK_VERSION: Final = "bedrock-2023-05-31"
VERTEX_VERSION: Final = "vertex-2023-10-16"
METRICS: Final = "amazon-bedrock-invocationMetrics"
_METRICS: Final = METRICS.encode()
_CHUNK: Final = head("chunk")
_HEAD: Final = b'{"bytes":"'
_TYPE: Final = b'{"type":"'
Fields = dict[str, msgspec.Raw]
_BETWEEN: Final = re.compile(rb"[ \t\r\n,]*")
_MESSAGES: Final = msgspec.json.Decoder(list[msgspec.Raw])
# Bedrock's counts -> Anthropic's.
_COUNTS: Final = {
    "inputTokenCount": "input_tokens",
    "outputTokenCount": "output_tokens",
    "cacheReadInputTokenCount": "cache_read_input_tokens",
    "cacheWriteInputTokenCount": "cache_creation_input_tokens",
}

# --- bodies -----------------------------------------------------------------------------------------------------------


def to_bedrock(body: bytes, headers: Iterable[str | bytes], model: str, lost: list[str]) -> bytes:
    """An Anthropic body as InvokeModel wants it. `headers`: the values of anthropic-beta; `model`: the upstream's. What is left
    out is added to `lost`. Raises Refusal: invalid_json, duplicate_key."""
    fields = fields_of(body)
    names = beta_table.named([*headers, *_betas_in(fields)])
    sent, unknown = beta_table.known(names, beta_table.BEDROCK, model)
    add: Json = {"anthropic_version": BEDROCK_VERSION} | ({"anthropic_beta": sent} if sent else {})
    gone = ("model", "stream") if sent else ("model", "stream", "anthropic_beta")
    dropped, less = _less(fields, sent, unknown)
    lose(lost, dropped)
    return spliced(body, (*gone, *dropped), add | less, fields)


def to_vertex(body: bytes, headers: Iterable[str | bytes], model: str, lost: list[str]) -> tuple[bytes, list[str]]:
    """(an Anthropic body as rawPredict and streamRawPredict want it, the names for the header anthropic-beta)."""
    fields = fields_of(body)
    sent, unknown = beta_table.known(beta_table.named(headers), beta_table.VERTEX, model)
    dropped, less = _less(fields, sent, unknown)
    lose(lost, dropped)
    return spliced(body, ("model", *dropped), {"anthropic_version": VERTEX_VERSION} | less, fields), sent


def lose(lost: list[str], names: Iterable[str]) -> None:
    lost += [name for name in names if name not in lost]


def _betas_in(fields: Fields) -> list[str]:
    """The names in the body's own list of them."""
    found = loaded(bytes(fields["anthropic_beta"])) if "anthropic_beta" in fields else None
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _less(fields: Fields, sent: list[str], unknown: list[str]) -> tuple[list[str], Json]:
    """(the names of what must go, the fields from whose inside it is gone already)."""
    dropped = [name for name in (*beta_table.OWN_FIELDS, *beta_table.fields_with(unknown, sent)) if name in fields]
    inner = beta_table.message_fields_with(unknown, sent)
    messages = _messages_without(bytes(fields.get("messages", b"")), inner) if inner else None
    if messages is None:
        return dropped, {}
    return [*dropped, *(f"messages[].{name}" for name in inner)], {"messages": messages}


def _messages_without(messages: bytes, names: list[str]) -> bytes | None:
    """The list of messages without these of their fields; None if there are none."""
    marks = [b'"%b"' % name.encode() for name in names]
    if not any(mark in messages for mark in marks):
        return None
    try:
        each = _MESSAGES.decode(messages)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    at = messages.index(b"[") + 1
    pieces = [messages[:at]]
    for raw in each:
        message = bytes(raw)
        between = _BETWEEN.match(messages, at)
        start = between.end() if between else at
        touched = message.startswith(b"{") and any(mark in message for mark in marks)
        plain = spliced(message, names) if touched else message
        pieces += [messages[at:start], plain]
        at = start + len(message)
    pieces.append(messages[at:])
    changed = b"".join(pieces)
    return None if len(changed) == len(messages) else changed


def from_bedrock(body: bytes, model: str, *, stream: bool) -> tuple[bytes, list[str]]:
    """(an InvokeModel body of a client as Anthropic wants it, the names for the header anthropic-beta). Raises Refusal:
    invalid_json, duplicate_key, invalid_field."""
    fields = fields_of(body)
    if "messages" not in fields:
        words = "The body has no `messages`: this gateway takes InvokeModel with bodies of Anthropic's Messages."
        raise Refusal("invalid_field", f"{words} For models of other makers call Converse.")
    names = beta_table.named(_betas_in(fields))
    add: Json = {"model": model} | ({"stream": True} if stream else {})
    return spliced(body, ("anthropic_version", "anthropic_beta", "stream"), add, fields), names


# --- streams ----------------------------------------------------------------------------------------------------------


class FramesToEvents:
    """An upstream's frames -> Anthropic's server-sent events; also what tells the tap of a stream that passes as frames. Never
    raises: what cannot be read becomes `event: error`, and nothing comes after it."""

    __slots__ = ("_decoder", "_measured", "_over", "failure")

    def __init__(self) -> None:
        self.failure: Failure | None = None
        self._decoder = Decoder()
        self._measured = False  # Anthropic's own last word on usage has come
        self._over = False

    def feed(self, chunk: bytes) -> bytes:
        if self._over:
            return b""
        out: list[bytes] = []
        for message in self._decoder.feed(chunk):
            self._message(message, out)
            if self._over:
                return b"".join(out)
        if self._decoder.error:
            self._fail(garbled(self._decoder.error), out)
        return b"".join(out)

    def close(self) -> bytes:
        out: list[bytes] = []
        if not self._over and self._decoder.close():
            self._fail(garbled(self._decoder.error), out)
        self._over = True
        return b"".join(out)

    def _message(self, message: Message, out: list[bytes]) -> None:
        headers = message.headers
        if headers.get(":message-type") != "event":
            name = headers.get(":exception-type") or headers.get(":error-code") or ""
            body = loaded(message.payload)
            if not isinstance(body, dict):
                body = {"message": headers.get(":error-message") or message.payload.decode("utf-8", "replace")}
            self._fail(failure_of(str(name), body), out)
        elif headers.get(":event-type") == "chunk":
            data = _event_in(message.payload)
            if data is None:
                self._fail(garbled("a chunk holds no event"), out)
            else:
                self._event(data, out)

    def _event(self, data: bytes, out: list[bytes]) -> None:
        kind = _kind_of(data)
        if not kind or b"\n" in data or _METRICS in data:
            event = loaded(data)
            if not isinstance(event, dict):
                self._fail(garbled("a chunk holds no JSON object"), out)
                return
            if metrics := object_at(event, METRICS):
                del event[METRICS]
                self._measure(metrics, out)
            kind = text_at(event, "type").encode("ascii", "replace")
            data = orjson.dumps(event)
        if kind == b"message_delta" and b'"usage"' in data:
            self._measured = True
        if kind == b"error":
            self._over = True
        out.append(b"event: %b\ndata: %b\n\n" % (kind.replace(b"\n", b" "), data))

    def _measure(self, metrics: Json, out: list[bytes]) -> None:
        """Bedrock's own count, where Anthropic's is missing."""
        if self._measured:
            return
        usage = {name: count_at(metrics, word) for word, name in _COUNTS.items() if word in metrics}
        event = {"type": "message_delta", "delta": {}, "usage": usage}
        out.append(b"event: message_delta\ndata: %b\n\n" % orjson.dumps(event))

    @property
    def garbled(self) -> bool:
        return self.failure is not None and self.failure.code == "garbled"

    def _fail(self, failure: Failure, out: list[bytes]) -> None:
        self._over = True
        self.failure = failure
        out.append(sse_error(failure))


def sse_error(failure: Failure) -> bytes:
    message = failure.message.encode("utf-8", "replace").decode()
    event = {"type": "error", "error": {"type": failure.kind, "message": message}}
    return b"event: error\ndata: %b\n\n" % orjson.dumps(event)


def _event_in(payload: bytes) -> bytes | None:
    """The event in a chunk's payload, `{"bytes":"<base64>"}` with padding behind it or before."""
    if payload.startswith(_HEAD):
        encoded: bytes | str = payload[len(_HEAD) : payload.find(b'"', len(_HEAD))]
    else:
        body = loaded(payload)
        encoded = text_at(body, "bytes") if isinstance(body, dict) else ""
    try:
        return a2b_base64(encoded, strict_mode=True) or None
    except ValueError:
        return None


def _kind_of(data: bytes) -> bytes:
    """The type of an event that begins with it; b"" if it does not."""
    if not data.startswith(_TYPE) or not data.endswith(b"}"):
        return b""
    kind = data[len(_TYPE) : data.find(b'"', len(_TYPE))]
    return kind if kind.replace(b"_", b"").isalpha() else b""


class EventsToFrames:
    """Anthropic's server-sent events -> frames for a client of InvokeModelWithResponseStream. Pings are left out, since such a
    client does not know of them; an error becomes an exception."""

    __slots__ = ("_events", "_over", "_usage")

    def __init__(self) -> None:
        self._events = Frames()
        self._usage: Json = {}
        self._over = False

    def feed(self, chunk: bytes) -> bytes:
        if self._over:
            return b""
        out: list[bytes] = []
        try:
            events = self._events.feed(chunk)
        except Overlong:
            return self.fail(Failure("api_error", "The upstream sent an event without an end.", code="garbled"))
        for data in events:
            self._event(data, out)
            if self._over:
                break
        return b"".join(out)

    def close(self) -> bytes:
        """The stream is over: its last event, if only the blank line behind it was missing."""
        return self.feed(b"\n\n")

    def fail(self, failure: Failure) -> bytes:
        if self._over:
            return b""
        self._over = True
        return exception(failure)

    def _event(self, data: bytes, out: list[bytes]) -> None:
        kind = _kind_of(data)
        if kind in (b"content_block_delta", b"content_block_start", b"content_block_stop"):
            out.append(chunk(data))
            return
        event = loaded(data)
        if not isinstance(event, dict):
            return
        match event.get("type"):
            case "ping":
                return
            case "error":
                error = object_at(event, "error")
                out.append(self.fail(Failure(text_at(error, "type") or "api_error", text_at(error, "message"))))
                return
            case "message_start":
                self._usage |= object_at(object_at(event, "message"), "usage")
            case "message_delta":
                self._usage |= {name: value for name, value in object_at(event, "usage").items() if value is not None}
            case "message_stop":
                data = orjson.dumps(event | {METRICS: self._metrics()})
                self._over = True
        out.append(chunk(data))

    def _metrics(self) -> Json:
        counts = {word: count_at(self._usage, name) for word, name in _COUNTS.items()}
        return counts | {"invocationLatency": 0, "firstByteLatency": 0}


def chunk(data: bytes) -> bytes:
    """The frame of one event."""
    return frame(_CHUNK, b'%b%b"}' % (_HEAD, b64encode(data)))
