"""Claude's own events between its platforms: Anthropic's and Vertex' as server-sent events, Bedrock's each in a frame.

They pass as they are, and the tap hears them as they are; only the envelope changes, where the client's is another one. Nothing
of them is read but the name of the model, where the client has another for it.
"""

from __future__ import annotations

from gw.naming import Named
from gw.translate.form import Failure
from gw.translate.invoke import EventsToFrames, FramesToEvents
from gw.translation import ENVELOPES, Inflater, Told
from gw.wire.refusals import PING, error_event

BEDROCK = "invoke"
GARBLED = error_event("api_error", "The upstream's answer cannot be read.", at_boundary=True)
__all__ = ["ENVELOPES", "Enveloped"]


class Enveloped:
    """An Interpreter (gw.translation) of one stream. `name`: the client's of the model; "" leaves the upstream's."""

    charge_pusd: int | None = None
    served_model = ""  # the tap hears it

    def __init__(self, upstream: str, client: str, encoding: bytes, name: str) -> None:
        self._framed = client == BEDROCK
        self._opened = FramesToEvents() if upstream == BEDROCK else None
        self._through = upstream == client == BEDROCK and (not name or bool(encoding))  # also what they are encoded in
        self._closed = EventsToFrames() if self._framed else None
        self._named = Named(None, name) if name and not self._through else None
        self._inflater = Inflater(encoding) if encoding else None
        self._boundary = True
        self._deaf = False

    @property
    def garbled(self) -> bool:
        return self._deaf or (self._opened is not None and self._opened.garbled)

    def hear(self, chunk: bytes) -> Told:
        plain = chunk if self._inflater is None else self._inflater.inflate(chunk)
        self._deaf = self._deaf or plain is None
        story = GARBLED if plain is None else plain if self._opened is None else self._opened.feed(plain)
        if self._through:
            return chunk, story
        return self._told(story), story

    def close(self) -> Told:
        story = self._opened.close() if self._opened is not None else b""
        if self._through:
            return b"", story
        told = self._told(story)
        if self._named is not None:
            rest = self._named.close()[0]
            told += self._closed.feed(rest) if self._closed is not None else rest
        return told + (self._closed.close() if self._closed is not None else b""), story

    def _told(self, story: bytes) -> bytes:
        told = self._named.hear(story)[0] if self._named is not None else story
        if told:
            self._boundary = told.endswith((b"\n\n", b"\r\n\r\n"))
        return self._closed.feed(told) if self._closed is not None else told

    def ping(self) -> bytes:
        return PING if self._boundary and not self._framed else b""

    def fail(self, failure: Failure) -> bytes:
        if self._closed is not None:
            return self._closed.fail(failure)
        rest = self._named.close()[0] if self._named is not None else b""
        boundary = self._boundary if not rest else rest.endswith((b"\n\n", b"\r\n\r\n"))
        return rest + error_event(failure.kind, failure.message, at_boundary=boundary)
