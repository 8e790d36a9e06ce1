"""What a fake has heard and what it says, in nobody's words: the meeting point of scenes and dialects."""

import hashlib
import json
from typing import Any

from msgspec import Struct

Json = dict[str, Any]
SYSTEM = "Be brief, and mind the cat."
RESULT = "18 degrees"
PNG = (  # one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Wrong(Exception):
    """The request is not what the client asked for; becomes a 400 with this message, which fails the test."""


class Result(Struct, frozen=True):
    call_id: str
    text: str


class Heard(Struct):
    """A request, as a provider reads it. `texts`: of the user, in order; `seals`: what came back of earlier thoughts; `turns`:
    earlier answers of the model; `calls`: ids of its earlier calls."""

    model: str
    texts: list[str]
    system: str = ""
    turns: int = 0
    tools: dict[str, Json] = {}
    calls: list[str] = []
    results: list[Result] = []
    images: list[str] = []  # base64
    seals: list[str] = []
    schema: Json | None = None
    cap: int = 0
    thinks: bool = False  # it is asked to
    shown: bool = True  # and to show it
    stream: bool = False


class Call(Struct, frozen=True):
    name: str
    arguments: Json


class Said(Struct, frozen=True):
    """An answer: thought, text, calls, in this order. `fails_at`: the stream breaks off with an error after so many pieces."""

    text: str = ""
    thought: str = ""
    calls: tuple[Call, ...] = ()
    fails_at: int = -1


class Trouble(Struct, frozen=True):
    """An error in place of an answer."""

    status: int
    retry_after_s: int = 0


class Tokens(Struct, frozen=True):
    """Of one answer, in classes that never overlap; `thought` is a part of `output`."""

    fresh: int
    read: int
    written: int
    output: int
    thought: int = 0


def tokens_of(tag: str, said: Said) -> Tokens:
    """Different for each tag, so that rows cannot be taken for one another."""
    seed = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:4])
    thought = 30 + seed % 7 if said.thought else 0
    return Tokens(100 + seed % 101, 40 + seed % 53, 20 + seed % 29, 10 + seed % 17 + thought, thought)


def split(text: str, pieces: int = 3) -> list[str]:
    """A text as it streams."""
    size = max(1, -(-len(text) // pieces))
    return [text[at : at + size] for at in range(0, len(text), size)]


def must(fine: object, what: str) -> None:
    if not fine:
        raise Wrong(what)


def dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def compact(value: object) -> str:
    return dumped(value).decode()
