"""While the database does not answer at a start, or another gateway has it, nobody is served: budgets would begin as if nothing
had been spent, and keys that the database defines would be unknown. Whoever asks meanwhile is told so, in a thread of its own.

/healthz says 200 (starting this process again would help nobody), /readyz 503, /metrics that no row is taken; calls are refused
with 503 `starting`, which Claude Code takes for a reason to try again.
"""

import asyncio
import logging
import secrets
from threading import Thread
from types import TracebackType
from typing import Self

import orjson

from gw.errors import Refusal
from gw.wire.refusals import refusal_answer

log = logging.getLogger("gw.startup")

HEAD_BYTES_MAX = 65_536
BODY_BYTES_MAX = 64 << 20  # read and thrown away, or its sender would see a reset instead of the answer
PATIENCE_S = 5.0
PLAIN = b"text/plain; charset=utf-8"
METRICS = b"# HELP gw_keeper_database_ok The ledger takes rows\n# TYPE gw_keeper_database_ok gauge\ngw_keeper_database_ok 0.0\n"
READINESS = {"ready": False, "reasons": ["starting: waiting for the database"], "degraded": [], "workers": 0}

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Waiting:
    """Context manager: listens inside, and the address is free again when it ends. That it cannot listen is said, no more."""

    def __init__(self, host: str, port: int, contact: str) -> None:
        self._address = host, port
        self._contact = contact
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="gw-waiting", daemon=True)
        self._end = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        try:
            server = await asyncio.start_server(self._answer, *self._address, limit=HEAD_BYTES_MAX)
        except OSError as error:
            log.error("nobody can be told why nobody is served: %s", error)
            await self._end.wait()
            return
        async with server:
            await self._end.wait()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                await _throw_away(reader, head)
                method, target, _ = head.split(b" ", 2)
                path = target.split(b"?", 1)[0].removeprefix(b"/anthropic")
                writer.write(_written(method, answer_of(path.decode("latin-1"), self._contact)))
                await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # not HTTP, or too slow
        finally:
            writer.close()


def answer_of(path: str, contact: str) -> Answer:
    """(status, headers, body) for whoever asks."""
    if path == "/healthz":
        return 200, [(b"content-type", PLAIN)], b"ok\n"
    if path == "/metrics":
        return 200, [(b"content-type", PLAIN)], METRICS
    if path == "/readyz":
        return 503, [(b"content-type", b"application/json")], orjson.dumps(READINESS) + b"\n"
    refusal = Refusal("starting", "This gateway is starting: it waits for its database. Try again in a moment.")
    status, headers, body = refusal_answer(refusal, secrets.token_hex(12), contact=contact)
    return status, [header for header in headers if header[0] != b"content-length"], body


def _written(method: bytes, answer: Answer) -> bytes:
    status, headers, body = answer
    headers = [*headers, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    lines = [b"HTTP/1.1 %d %b" % (status, b"OK" if status == 200 else b"Service Unavailable"), *map(b": ".join, headers)]
    return b"\r\n".join([*lines, b"", b"" if method == b"HEAD" else body])


async def _throw_away(reader: asyncio.StreamReader, head: bytes) -> None:
    """The body, as far as its length was declared. Raises ValueError, IncompleteReadError."""
    left = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            left = min(int(value), BODY_BYTES_MAX)
    while left > 0:
        part = await reader.read(min(left, HEAD_BYTES_MAX))
        if not part:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(part)
