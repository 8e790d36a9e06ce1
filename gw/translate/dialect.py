"""What a dialect can do: four readers and four writers, pure, without I/O. gw.translate.dialects has the table of them.

As a client's dialect it reads requests and writes answers; as an upstream's it writes requests and reads answers. Whoever
composes a reader of one with a writer of another has a translation.
"""

from typing import NamedTuple, Protocol

from gw.domain.quirks import Quirks
from gw.translate.form import Answer, Event, Failure, Json, Request

__all__ = ["Dialect", "Entrance", "EventReader", "EventWriter", "Quirks"]


class Entrance(NamedTuple):
    """What the request's address says, in the dialects where the body does not: model and stream of Gemini and Bedrock."""

    operation: str  # messages | count_tokens | models | embeddings | completions | ...
    model: str = ""
    stream: bool = False
    alt: str = ""  # Gemini: "sse"; "" has the stream as one JSON array


class EventReader(Protocol):
    """An upstream's stream, in bytes of any split. Never raises on what it is fed: what is none of its dialect becomes a
    Failure (kind "api_error", code "garbled"), and after the last event there is nothing more."""

    def feed(self, chunk: bytes) -> list[Event]: ...

    def close(self) -> list[Event]:
        """The stream is over: what was still missing of a whole answer (a dialect may end without saying so), or nothing."""
        ...


class EventWriter(Protocol):
    """A client's stream. Takes any sequence of events that an EventReader may give; the bytes may be empty."""

    def write(self, events: list[Event]) -> bytes: ...

    def ping(self) -> bytes:
        """Something that the client reads over; b"" where the dialect has nothing of the kind, or not at this point."""
        ...

    def fail(self, failure: Failure) -> bytes:
        """Ends the stream with an error, well-formed wherever it stands."""
        ...


class Dialect(Protocol):
    """One per dialect; a module-level constant. `name` as in gw.translate.dialects."""

    name: str
    content_type: bytes  # of its streams

    # as the client's
    def read_request(self, body: Json, entrance: Entrance) -> Request:
        """Raises Refusal: invalid_field, cannot_carry."""
        ...

    def write_answer(self, answer: Answer, asked: Request) -> Json: ...

    def event_writer(self, asked: Request) -> EventWriter: ...

    def write_error(self, failure: Failure, call_id: str) -> Json: ...

    # as the upstream's
    def write_request(self, asked: Request, quirks: Quirks) -> Json:
        """The body without what the address says. `asked.model` is the upstream's name of the model. Another dialect's
        `asked.held` is refused before, by whoever asks for this. Raises Refusal cannot_carry; notes in `asked.lost` what it
        leaves out."""
        ...

    def read_answer(self, body: Json, provider: str) -> Answer | Failure:
        """`provider`: whose rules of usage (gw.providers.usage_dialects)."""
        ...

    def event_reader(self, provider: str) -> EventReader: ...

    def read_error(self, status: int, body: bytes) -> Failure: ...
