"""Between a client and an upstream of another dialect, or of the same that is not Anthropic's: what each is told of an answer.

Whatever is spoken, the tap hears it in Anthropic's words: so metering, budgets beside a stream, what a killed worker had seen,
and where a stream may be ended are one mechanism for all dialects.

    upstream's bytes --reader--> events --writer--> client's bytes
                                       \\--Anthropic's writer--> the tap's bytes (the client's own, if it speaks Anthropic)
"""

import zlib
from collections.abc import Callable
from typing import Protocol

import orjson

from gw.translate.anthropic_answer import write_answer
from gw.translate.anthropic_events import EventWriter as AnthropicWriter
from gw.translate.chat_usage import ChatMeter
from gw.translate.converse_meter import ConverseMeter
from gw.translate.dialect import Dialect, EventReader, EventWriter
from gw.translate.dialects import DIALECTS
from gw.translate.form import Answer, End, Event, Failure, Json, Request, Start
from gw.translate.gemini_meter import GeminiMeter
from gw.translate.invoke import FramesToEvents, sse_error
from gw.translate.loose import loaded
from gw.translate.responses_meter import ResponsesMeter

ANY_WINDOW = 47  # gzip or zlib, whichever it is
DECODED_MAX = 64 * 1024 * 1024
NOTHING = b"", b""
ANTHROPICS = frozenset({"anthropic", "vertex_anthropic"})
ENVELOPES = ANTHROPICS | {"invoke"}
Told = tuple[bytes, bytes]  # what the client gets, what the tap hears
GARBLED = Failure("api_error", "The upstream's answer cannot be read.", code="garbled")
BROKEN_OFF = Failure("api_error", "The upstream ended its stream before the end of its answer.")


class Interpreter(Protocol):
    """Of one stream. `served_model` and `charge_pusd`: as the upstream has said so far. `garbled`: it cannot be understood."""

    @property
    def served_model(self) -> str: ...

    @property
    def charge_pusd(self) -> int | None: ...

    @property
    def garbled(self) -> bool: ...

    def hear(self, chunk: bytes) -> Told: ...

    def close(self) -> Told:
        """The upstream's bytes are at their end."""
        ...

    def ping(self) -> bytes: ...

    def fail(self, failure: Failure) -> bytes:
        """For the client: ends its stream."""
        ...


class Translated:
    """Another dialect than the client's."""

    __slots__ = ("_client", "_inflater", "_reader", "_tap", "charge_pusd", "ended", "garbled", "served_model")

    def __init__(self, reader: EventReader, client: EventWriter, tap: AnthropicWriter | None, encoding: bytes) -> None:
        """`tap` None: the client's own writer is Anthropic's. `encoding`: the content coding of the upstream's bytes."""
        self._reader = reader
        self._client = client
        self._tap = tap
        self._inflater = Inflater(encoding) if encoding else None
        self.ended = False  # the answer is whole, or has failed
        self.garbled = False
        self.served_model = ""
        self.charge_pusd: int | None = None

    def hear(self, chunk: bytes) -> Told:
        if self._inflater is not None:
            plain = self._inflater.inflate(chunk)
            if plain is None:
                return self._tell([GARBLED])
            chunk = plain
        events = self._reader.feed(chunk)
        return self._tell(events) if events else NOTHING

    def close(self) -> Told:
        """Of an answer that has no end the client is told so, or it would take it for whole; the tap knows."""
        events = self._reader.close()
        told, story = self._tell(events) if events else NOTHING
        return told if self.ended else told + self._client.fail(BROKEN_OFF), story

    def _tell(self, events: list[Event]) -> Told:
        note(self, events)
        told = self._client.write(events)
        return told, told if self._tap is None else self._tap.write(events)

    def ping(self) -> bytes:
        return self._client.ping()

    def fail(self, failure: Failure) -> bytes:
        return self._client.fail(failure)


class Meter(Protocol):
    """Hears an upstream's bytes and tells the tap."""

    @property
    def garbled(self) -> bool: ...

    def feed(self, chunk: bytes) -> bytes: ...

    def close(self) -> bytes: ...


METERS: dict[str, Callable[[str], Meter]] = {
    "chat": ChatMeter,
    "completions": lambda provider: ChatMeter(provider, DIALECTS["completions"].event_reader(provider)),  # type: ignore[arg-type]
    "responses": ResponsesMeter,
    "gemini": GeminiMeter,
    "converse": lambda provider: ConverseMeter(),
    "invoke": lambda provider: FramesToEvents(),
}


class Beside:
    """The client's own dialect: its bytes pass as they come, and are read beside."""

    __slots__ = ("_boundary", "_client", "_deaf", "_hidden", "_inflater", "_meter")

    def __init__(self, meter: Meter, client: EventWriter, hidden: "Filter | None", encoding: bytes) -> None:
        """`client` says what gw itself adds. `hidden` takes out of the bytes what the client has not asked for."""
        self._meter = meter
        self._client = client
        self._hidden = hidden
        self._inflater = Inflater(encoding) if encoding else None
        self._boundary = True
        self._deaf = False

    @property
    def garbled(self) -> bool:
        return self._deaf or self._meter.garbled

    @property
    def served_model(self) -> str:
        return getattr(self._meter, "served_model", "")

    @property
    def charge_pusd(self) -> int | None:
        return getattr(self._meter, "charge_pusd", None)

    def hear(self, chunk: bytes) -> Told:
        plain: bytes | None = chunk
        if self._inflater is not None:
            plain = self._inflater.inflate(chunk)
            if plain is None:
                self._deaf = True
                return chunk, sse_error(GARBLED)
        told = self._meter.feed(plain) if plain else b""
        if self._hidden is not None and plain is not None:
            chunk = self._hidden.feed(plain)
        if chunk:
            self._boundary = chunk.endswith((b"\n\n", b"\r\n\r\n"))
        return chunk, told

    def close(self) -> Told:
        return self._hidden.close() if self._hidden is not None else b"", self._meter.close()

    def ping(self) -> bytes:
        return self._client.ping() if self._boundary and self._inflater is None else b""

    def fail(self, failure: Failure) -> bytes:
        if self._inflater is not None and self._hidden is None:
            return b""  # nothing can be put into compressed bytes
        return (b"" if self._boundary else b"\n\n") + self._client.fail(failure)


class Filter(Protocol):
    """Passes a stream's bytes but for some events."""

    def feed(self, chunk: bytes) -> bytes: ...

    def close(self) -> bytes: ...


class Inflater:
    """A compressed stream, in steps. What cannot be read gives None, then and from then on."""

    def __init__(self, encoding: bytes) -> None:
        self._decoder = zlib.decompressobj(ANY_WINDOW) if encoding in (b"gzip", b"x-gzip", b"deflate") else None

    def inflate(self, chunk: bytes) -> bytes | None:
        if self._decoder is None:
            return None
        try:
            plain = self._decoder.decompress(chunk, DECODED_MAX)
            while self._decoder.eof and (rest := self._decoder.unused_data):  # another member of a gzip stream
                self._decoder = zlib.decompressobj(ANY_WINDOW)
                plain += self._decoder.decompress(rest, DECODED_MAX)
            return plain
        except zlib.error:
            self._decoder = None
            return None


def note(of: Translated, events: list[Event]) -> None:
    """What the tap is not told: the model's own name, and a charge that the provider states."""
    first, last = events[0], events[-1]
    if type(first) is Start:
        of.served_model = first.model
    if type(last) is End:
        of.charge_pusd = last.charge_pusd
        of.ended = True
    elif type(last) is Failure:
        of.ended = True
        of.garbled = last.code == "garbled"


class Heard:
    """A whole answer: the client's bytes, the tap's, and what the tap is not told. `failure`: it is an error instead."""

    __slots__ = ("charge_pusd", "client", "failure", "served_model", "tap")

    def __init__(self, client: bytes, tap: bytes, answer: Answer | Failure | None) -> None:
        self.client = client
        self.tap = tap
        self.failure = answer if isinstance(answer, Failure) else None
        self.charge_pusd = answer.charge_pusd if isinstance(answer, Answer) else None
        self.served_model = answer.model if isinstance(answer, Answer) else ""


def hear_whole(body: bytes, upstream: str, provider: str, client: str, asked: Request) -> Heard:
    """`body`: readable. In the client's own dialect, and from one of Claude's platforms to the other, it passes as it is."""
    read = parsed(body)
    speaks = dialect_of(client)
    answer: Answer | Failure = dialect_of(upstream).read_answer(read, provider) if read is not None else GARBLED
    claudes = {upstream, client} <= ENVELOPES
    if isinstance(answer, Failure):
        told = orjson.dumps({"type": "error", "error": {"type": answer.kind, "message": answer.message}})
        return Heard(body if claudes or upstream == client else orjson.dumps(speaks.write_error(answer, "")), told, answer)
    if claudes:
        return Heard(body, body, answer)
    said = orjson.dumps(write_answer(answer))
    if upstream == client:
        return Heard(body, said, answer)
    return Heard(orjson.dumps(speaks.write_answer(answer, asked)), said, answer)


def parsed(body: bytes) -> Json | None:
    """None: it is no JSON object, or nested so deeply that nothing of it could be written again."""
    read = loaded(body)
    return read if isinstance(read, dict) else None


def dialect_of(name: str) -> Dialect:
    """Vertex has Anthropic's dialect at another address."""
    return DIALECTS["anthropic"] if name in ANTHROPICS else DIALECTS[name]


def interpreter(  # noqa: PLR0917 - what both sides are
    upstream: str, provider: str, client: str, asked: Request, encoding: bytes, hidden: Filter | None = None
) -> Interpreter:
    """For a stream of `upstream`'s, whose client has asked so; both are names of dialects."""
    writer = dialect_of(client).event_writer(asked)
    if upstream == client:
        return Beside(METERS[upstream](provider), writer, hidden, encoding)
    tap = None if client in ANTHROPICS else AnthropicWriter()
    return Translated(dialect_of(upstream).event_reader(provider), writer, tap, encoding)
