"""What the fake upstream receives and what it is told to answer: two plain objects, no I/O.

A script is a function `(Request) -> Reply`. A reply is a status, headers and a sequence of steps; the server plays the
steps in order and never looks inside them.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal

import msgspec
from msgspec import Struct


class Head(Struct):
    """The three top-level fields that the server itself wants to know of a request's body."""

    model: str = ""
    stream: bool = False
    max_tokens: int = 0


_HEAD = msgspec.json.Decoder(Head)


class Request:
    """One received request; `body` as it came on the wire, `headers` with lower-case names, in order."""

    def __init__(self, *, method: str, target: str, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        self.method = method
        self.target = target
        self.path = target.partition("?")[0]
        self.headers = headers
        self.body = body

    def header(self, name: str) -> str:
        """First value of a header, "" if it was not sent. `name` in lower case."""
        return next((value for key, value in self.headers if key == name), "")

    @cached_property
    def head(self) -> Head:
        """Model and stream flag; defaults if the body is not such an object."""
        try:
            return _HEAD.decode(self.body)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return Head()

    @cached_property
    def json(self) -> dict[str, Any]:
        """The whole body; {} if it is not a JSON object."""
        try:
            value = msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return {}
        return value if isinstance(value, dict) else {}


class Chunk(Struct, frozen=True):
    """Body bytes handed to the socket in one write.

    `output_tokens` is what the model has produced once this is sent (-1: as before). The first chunk with a figure is
    the moment from which the call is billed.
    """

    data: bytes
    output_tokens: int = -1


class Pause(Struct, frozen=True):
    """Silence."""

    seconds: float


class Reset(Struct, frozen=True):
    """The connection dies with a TCP reset; nothing after it is sent."""


class Hangup(Struct, frozen=True):
    """The connection is closed without the end of the body."""


Step = Chunk | Pause | Reset | Hangup
Framing = Literal["chunked", "length", "close"]


class Reply(Struct, frozen=True):
    """How to answer; status 0 sends no status line at all.

    `usage` is the final usage as reported to the client, None for what is never billed.
    `headers_after` is silence before the status line, in seconds. `refused_free` says that the provider does not charge
    this answer although it reports tokens (a refusal without content).
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    steps: tuple[Step, ...] = ()
    framing: Framing = "length"
    headers_after: float = 0.0
    usage: dict[str, Any] | None = None
    model: str = ""
    refused_free: bool = False


Script = Callable[[Request], Reply]
