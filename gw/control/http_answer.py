"""What an operation is asked, and what it answers: plain values, no framework."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from msgspec import Struct

from gw.control.session import Principal, Session

JSON = "application/json"
NO_STORE = {"cache-control": "no-store"}
# An answer that is sent as it comes to be: its headers, and the two ends of the ASGI call.
Stream = Callable[[dict[str, str], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


class Client(Struct, frozen=True):
    """Where a request came from."""

    address: str = ""
    secure: bool = False  # it came by TLS, as far as anybody said
    session: Session | None = None  # of its cookie


class Ask(Struct, frozen=True):
    """One request, its body not yet looked at."""

    path: dict[str, str]  # the parts of the path that stand for something, decoded
    query: dict[str, str]
    body: bytes = b""
    if_match: str = ""
    if_none_match: str = ""
    actor: str = ""
    now_us: int = 0
    principal: Principal | None = None  # None: nobody who is known, at an operation that is public
    client: Client = Client()
    accept: str = ""  # media types, as sent
    last_event_id: str = ""  # of a stream of events: where it is to go on


class Answer(Struct, frozen=True):
    status: int
    body: bytes = b""
    media_type: str = JSON
    headers: dict[str, str] = {}
    stream: Stream | None = None  # instead of a body


def json_answer(value: Any, status: int = 200, *, headers: dict[str, str] | None = None, media_type: str = JSON) -> Answer:
    """`value`: of dicts, lists, strings, ints, bools and None. Nothing of it is kept by caches that do not ask again."""
    return Answer(status, orjson.dumps(value) + b"\n", media_type, {"cache-control": "private, no-cache", **(headers or {})})
