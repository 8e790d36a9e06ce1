"""One gateway in front of one fake upstream, whose answers a test writes down per request under a name of its own.

A request names its answer in the header `x-test-id`; without one the upstream plays what the prompt says.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gw.demo.exchange import Reply, Request
from gw.demo.invoice import Line
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from tests.flow.client import call
from tests.support.gateway import GatewayUnderTest, Row

OWN = ("x-api-key", "sk-ant-own-credential-of-the-client")
JSON = ("content-type", "application/json")
MODEL = "claude-opus-5-5"


class Played:
    """The script of the upstream: answers by test id, and every request as it arrived."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Request], Reply] | Reply] = {}
        self.requests: dict[str, list[Request]] = {}
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        name = request.header("x-test-id")
        with self._lock:
            self.requests.setdefault(name, []).append(request)
        answer = self.answers.get(name, by_prompt)
        return answer if isinstance(answer, Reply) else answer(request)


@dataclass
class Stage:
    gateway: GatewayUnderTest
    upstream: UpstreamThread
    played: Played = field(repr=False)

    @property
    def port(self) -> int:
        return self.gateway.process.port

    def ready(self) -> dict[str, Any]:
        """What /readyz says, whatever its status."""
        return asyncio.run(call(self.port, "/readyz", method="GET")).json

    def listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    async def under_way(self, count: int) -> None:
        """So many calls are running, whatever became of their requests so far."""
        async with asyncio.timeout(20):
            while (await call(self.port, "/readyz", method="GET")).json["in_flight"] < count:
                await asyncio.sleep(0.02)

    def answering(self) -> str:
        """Which worker happens to answer: its mark in the ids it gives. Leaves no row."""
        return asyncio.run(call(self.port, "/who", method="GET")).header("request-id")[15:23]

    def lines(self, name: str) -> list[Line]:
        """What the upstream's invoice says of the requests with this test id."""
        return [line for line in self.upstream.invoice.lines() if line.headers.get("x-test-id") == name]

    def rows(self, session: str, count: int = 1) -> list[Row]:
        return self.gateway.session_rows(session, count)


@contextmanager
def stage(
    folder: Path, *, workers: int = 1, upstream: str = "", more: str = "", environ: Mapping[str, str] | None = None
) -> Iterator[Stage]:
    """`upstream`, `more`: TOML, see GatewayUnderTest; keys of [server] are set by `environ` (GW_SERVER_...)."""
    played = Played()
    with (
        UpstreamThread(played) as fake,
        GatewayUnderTest(folder, fake.base_url, workers=workers, upstream=upstream, more=more, environ=environ) as gateway,
    ):
        one = Stage(gateway, fake, played)
        seen: set[str] = set()
        gateway.poll(lambda: seen.add(one.answering()) or len(seen) >= workers, f"answers of {workers} workers")
        yield one


def prompt(text: str = "hi", *, stream: bool = True, model: str = MODEL, **more: Any) -> bytes:
    """A request body whose one user message is `text`; "[play:NAME ARGUMENT]" in it says what the upstream plays."""
    body = {"model": model, "max_tokens": 256, "stream": stream, "messages": [{"role": "user", "content": text}], **more}
    return json.dumps(body).encode()


def session(name: str) -> tuple[str, str]:
    return ("x-claude-code-session-id", name)
