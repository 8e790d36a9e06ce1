"""A question that every SDK can put, and what it got."""

from typing import Any, NamedTuple, Protocol

from msgspec import Struct

Json = dict[str, Any]


class Called(NamedTuple):
    id: str
    name: str
    arguments: Json


class Counted(NamedTuple):
    """Tokens as an SDK tells them, in classes that do not overlap. `written` is -1 where it has no word for writes: they are in
    `fresh` then."""

    fresh: int
    read: int
    written: int
    output: int


class Got(Struct):
    """`native`: the answer as the SDK wants it back in the next turn."""

    text: str
    calls: list[Called]
    thought: str
    counted: Counted
    native: Any
    model: str = ""


class Question(Struct):
    model: str
    prompt: str
    stream: bool = False
    tools: tuple[str, ...] = ()
    image: bool = False
    thinks: bool = False
    shaped: bool = False
    earlier: Got | None = None  # its calls have been made, each with RESULT


class Client(Protocol):
    """Of one SDK. `refusals`: its exception for a status, and for a stream that breaks off ("broken")."""

    name: str
    refusals: dict[int | str, type[Exception]]

    def ask(self, question: Question) -> Got: ...

    def close(self) -> None: ...
