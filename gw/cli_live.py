"""A gateway's API as commands ask it: pages of calls, and calls as they end, with a new connection whenever one breaks."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import click

CONNECT_S = 10.0
QUIET_S = 40.0  # the gateway sends something every 15 s
AGAIN_S = (0.5, 5.0)  # first and longest wait before another try
PASSING = (502, 503, 504)  # of a gateway that is starting, leaving or busy


class Place(NamedTuple):
    """A gateway, and who asks."""

    url: str  # without /anthropic and a slash at the end
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


class Event(NamedTuple):
    kind: str  # call, lost
    id: int
    fields: dict[str, Any]


class Refused(click.ClickException):
    """It answered, and said no."""


def place_of(url: str, token: str) -> Place:
    """Raises click.ClickException."""
    if not url.startswith(("http://", "https://")):
        raise click.ClickException(f'"{url}" is no address; write it whole, such as https://gw.example.com')
    return Place(url.rstrip("/").removesuffix("/anthropic"), token)


def get(place: Place, path: str, query: Mapping[str, str]) -> Any:
    """A JSON answer. Raises click.ClickException."""
    try:
        connection, response = _ask(place, f"{path}?{urlencode(query)}", {}, CONNECT_S)
        try:
            body = response.read()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise click.ClickException(f"the gateway at {place.url} cannot be asked: {error}") from error
    if response.status != 200:
        raise Refused(_said(place, response.status, body))
    return json.loads(body)


def follow(
    place: Place, query: Mapping[str, str], wait: Callable[[float], bool], tell: Callable[[str], None], after: int = -1
) -> Iterator[Event]:
    """Calls as they end, behind the one with the number `after`. Without an end: broken connections are made anew, and nothing
    is missed by it; `tell` hears of that. `wait` is asked to pass time, and ends it all by answering True. Raises Refused."""
    pause, told = AGAIN_S[0], False
    while True:
        headers = {"accept": "text/event-stream", **({"last-event-id": str(after)} if after >= 0 else {})}
        try:
            connection, response = _ask(place, f"/api/live?{urlencode(query)}", headers, QUIET_S)
            try:
                if response.status == 200:
                    if told:
                        tell("the gateway is there again")
                    pause, told = AGAIN_S[0], False
                    for event in events(response):
                        after = max(after, event.id)
                        if event.kind:
                            yield event
                elif response.status not in PASSING:
                    raise Refused(_said(place, response.status, response.read()))
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            if not told:
                tell(f"the gateway at {place.url} is not there ({error}); waiting for it")
            told = True
        if wait(pause):
            return
        pause = min(pause * 2, AGAIN_S[1])


def events(lines: Any) -> Iterator[Event]:
    """What `text/event-stream` says. A comment `after N` is an event of no kind, with that id."""
    kind, id_, data = "", -1, list[str]()
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Event(kind or "call", id_, json.loads("\n".join(data)))
            kind, data = "", []
        elif not name and value.startswith("after "):
            yield Event("", int(value.removeprefix("after ")), {})
        elif name == "event":
            kind = value
        elif name == "id":
            id_ = int(value)
        elif name == "data":
            data.append(value)


def _ask(
    place: Place, target: str, headers: Mapping[str, str], timeout_s: float
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    parts = urlsplit(place.url)
    made = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = made(parts.netloc, timeout=timeout_s)
    try:
        connection.request("GET", parts.path.rstrip("/") + target, headers={**place.headers, **headers})
        return connection, connection.getresponse()
    except BaseException:
        connection.close()
        raise


def _said(place: Place, status: int, body: bytes) -> str:
    try:
        problem = json.loads(body)
        errors = [f"{one['field']}: {one['message']}" for one in problem.get("errors", [])]
        return f"{place.url} answered {status}: {'; '.join(errors) or problem['detail']} {problem['hint']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{place.url} answered {status}; is it a gateway of this version?"
