"""InvokeModel with Anthropic's bodies as a dialect: Anthropic's own, in frames instead of server-sent events. For pairs in which
one side is not Claude's; between the two of them bytes pass (gw.translate.invoke)."""

from typing import Final

from gw.translate.anthropic import ANTHROPIC_MESSAGES
from gw.translate.converse_words import read_error, write_error
from gw.translate.dialect import Dialect, Entrance, EventReader, EventWriter, Quirks
from gw.translate.form import Answer, Event, Failure, Json, Request
from gw.translate.invoke import BEDROCK_VERSION, EventsToFrames, FramesToEvents
from gw.wire.eventstream import CONTENT_TYPE


class Invoke:
    """See gw.translate.dialect.Dialect."""

    name = "invoke"
    content_type = CONTENT_TYPE

    def read_request(self, body: Json, entrance: Entrance) -> Request:
        rest = {name: value for name, value in body.items() if name not in ("anthropic_version", "anthropic_beta")}
        return ANTHROPIC_MESSAGES.read_request(rest, entrance)

    def write_answer(self, answer: Answer, asked: Request) -> Json:
        return ANTHROPIC_MESSAGES.write_answer(answer, asked)

    def event_writer(self, asked: Request) -> EventWriter:
        return _Writer(ANTHROPIC_MESSAGES.event_writer(asked))

    def write_error(self, failure: Failure, call_id: str) -> Json:
        return write_error(failure)

    def write_request(self, asked: Request, quirks: Quirks) -> Json:
        body = ANTHROPIC_MESSAGES.write_request(asked, quirks)
        rest = {name: value for name, value in body.items() if name not in ("model", "stream", "service_tier")}
        return {"anthropic_version": BEDROCK_VERSION} | rest

    def read_answer(self, body: Json, provider: str) -> Answer | Failure:
        return ANTHROPIC_MESSAGES.read_answer(body, provider)

    def event_reader(self, provider: str) -> EventReader:
        return _Reader(ANTHROPIC_MESSAGES.event_reader(provider))

    def read_error(self, status: int, body: bytes) -> Failure:
        return read_error(status, body)


class _Writer:
    def __init__(self, inner: EventWriter) -> None:
        self._inner = inner
        self._frames = EventsToFrames()

    def write(self, events: list[Event]) -> bytes:
        return self._frames.feed(self._inner.write(events))

    def ping(self) -> bytes:
        return b""

    def fail(self, failure: Failure) -> bytes:
        return self._frames.feed(self._inner.fail(failure))


class _Reader:
    def __init__(self, inner: EventReader) -> None:
        self._inner = inner
        self._events = FramesToEvents()

    def feed(self, chunk: bytes) -> list[Event]:
        return self._inner.feed(self._events.feed(chunk))

    def close(self) -> list[Event]:
        return self._inner.feed(self._events.close()) + self._inner.close()


INVOKE: Final[Dialect] = Invoke()
