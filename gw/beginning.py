"""Whether a stream begins with a failure, in place of an answer: another attempt may do better, for nothing has gone out yet.

Providers say 200 before they know. What they find out in the next moment comes as the stream's first event: `event: error`, an
object with an `error`, a frame that is an exception. Comments, pings and empty events before it say nothing either way.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import orjson

from gw import clock
from gw._fast import Answer
from gw.answer import WHOLE_MAX
from gw.translate.anthropic_answer import failure_of as anthropics_failure
from gw.translate.converse_words import failure_of, write_error
from gw.translate.form import Json
from gw.translate.loose import loaded, object_at, text_at
from gw.translation import Inflater
from gw.upstream.errors import UpstreamError
from gw.upstream.response import Response
from gw.wire.eventstream import CONTENT_TYPE, Decoder, Message

LOOKED_AT_MAX = 64 * 1024  # a first event that is longer is no error
PLAIN_ERRORS = (b'{"error"', b'[{"error"', b'{"type":"error"')  # without spaces: JSON in place of events
ANSWERS = (b'{"id"', b'{"model"', b'{"type":"message"', b'{"object"', b'{"candidates"', b'{"output"')  # whole ones, mostly
FAILED = frozenset({"error", "response.failed"})
SILENT = frozenset({"ping"})
NO_WORDS = frozenset({b"", b"[DONE]"})
BOM = b"\xef\xbb\xbf"
NS_PER_S = 1_000_000_000
Found = bytes | bool  # the failure, as the body of an HTTP error would have it; True: an answer has begun; False: not known yet


async def failure_at_first(response: Response, answer: Answer, patience_s: float) -> bytes | None:
    """Waits until the stream has something to say, but no longer than until its client wants a ping; what has come stays unread.
    Gives the failure, as the body of an HTTP error. Raises UpstreamError if it ends before it has begun."""
    framed = answer.content_type.startswith(CONTENT_TYPE)
    until_ns = clock.mono_ns() + int(patience_s * NS_PER_S)
    while True:
        ended = response.complete or response.error is not None
        plain = _plain(response, answer.encoding)
        if plain is None:
            return None
        found = look(plain, framed=framed, ended=ended)
        if isinstance(found, bytes):
            return found
        if found or response.buffered > LOOKED_AT_MAX:
            return None
        if response.error is not None:
            raise response.error
        if response.complete:
            raise UpstreamError("reset", "its stream ended before it began", sent=True, received=True)
        left_s = (until_ns - clock.mono_ns()) / NS_PER_S
        if left_s <= 0:
            return None
        await response.wait(left_s)


def is_answer(response: Response) -> bool:
    """Whether a whole one shows itself as such at a glance: then it need not be looked at by `failure_instead`."""
    if not response.complete or len(response.chunks) != 1:
        return False
    chunk = response.chunks[0]
    for begins in ANSWERS:  # noqa: SIM110 - compiled, `any` would cost a generator
        if chunk.startswith(begins):
            return True
    return False


async def failure_instead(response: Response, answer: Answer) -> bytes | None:
    """Of an answer that is no stream: the error in its place, under a status that says success. What has come stays unread; what
    broke is told to who reads it."""
    parts: list[bytes] = []
    size = 0
    try:
        while size <= WHOLE_MAX and (chunk := response.read_nowait() or await response.read()):
            parts.append(chunk)
            size += len(chunk)
    except UpstreamError:
        return None
    finally:
        response.chunks[:0] = parts
        response.buffered += size
    if not response.complete:
        return None
    text = (_plain(response, answer.encoding) or b"").lstrip()
    found = text.startswith((b"{", b"[")) and _in_json(text, ended=True)
    return found if isinstance(found, bytes) else None


def _plain(response: Response, encoding: bytes) -> bytes | None:
    """What has come so far; None: it cannot be read, which is for those to say who relay it."""
    data = b"".join(response.chunks)
    return Inflater(encoding).inflate(data) if encoding and data else data


def look(data: bytes, *, framed: bool, ended: bool) -> Found:
    """At the first bytes of a stream: in frames of AWS's, or as text. `ended`: there will be no more."""
    if framed:
        return _in_frames(data)
    text = data.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip()
    if text.startswith((b"{", b"[")):
        return _in_json(text, ended=ended)
    *events, rest = text.split(b"\n\n")
    if ended:
        events.append(rest)
    elif len(rest) > LOOKED_AT_MAX:
        return True
    for event in events:
        if found := _in_event(event):
            return found
    return False


def _in_json(text: bytes, *, ended: bool) -> Found:
    """No event stream at all, or Gemini's array. An error is waited for whole."""
    start = b"".join(text[:256].split())
    if start.startswith(PLAIN_ERRORS):
        return text if ended or loaded(text) is not None else False
    return ended or not any(error.startswith(start) for error in PLAIN_ERRORS)


def _in_event(event: bytes) -> Found:
    name, lines = "", []
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"event":
            name = value.strip().decode("latin-1")
        elif field == b"data":
            lines.append(value.removeprefix(b" "))
    data = b"\n".join(lines)
    if name in SILENT or data.strip() in NO_WORDS:
        return name in FAILED and orjson.dumps({"error": {"message": "The upstream says error, and no more."}})
    if name not in FAILED and b"error" not in data and b"ping" not in data:
        return True
    said = loaded(data)
    return _said(said if isinstance(said, dict) else {}, name, data)


def _said(said: Json, name: str, data: bytes) -> Found:
    """Of one event with data. A field `error` that is empty is OpenAI's way to say that there is none."""
    kind = text_at(said, "type") or name
    if kind in SILENT:
        return False
    inner: Any = object_at(said, "response").get("error")
    if kind not in FAILED and not said.get("error") and not inner:
        return True
    if inner:
        return orjson.dumps({"error": inner})
    return data if said else orjson.dumps({"error": {"message": data.decode("utf-8", "replace")}})


def _in_frames(data: bytes) -> Found:
    """What cannot be decoded is said by who reads the stream."""
    decoder = Decoder()
    for message in decoder.feed(data):
        if found := _in_frame(message):
            return found
    return bool(decoder.error)


def _in_frame(message: Message) -> Found:
    headers, body = message.headers, loaded(message.payload)
    event = headers.get(":event-type")
    if headers.get(":message-type") != "event" or str(event).endswith("Exception"):
        name = str(headers.get(":exception-type") or headers.get(":error-code") or event or "")
        said = body if isinstance(body, dict) else {"message": headers.get(":error-message") or ""}
        return orjson.dumps({"__type": name[:1].upper() + name[1:], "message": failure_of(name, said).message})
    if event == "chunk" and isinstance(body, dict):
        found = _in_event(b"data: " + _unwrapped(text_at(body, "bytes")))
        if isinstance(found, bytes):
            return orjson.dumps(write_error(anthropics_failure(loaded(found) or {}, 0)))
        return found
    return True


def _unwrapped(base64: str) -> bytes:
    try:
        return b64decode(base64)
    except ValueError:
        return b""
