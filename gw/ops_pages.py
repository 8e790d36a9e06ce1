"""What a worker answers to those who watch over it: /healthz, /readyz, /metrics, /healthz/accounting.

The last two may be kept for whoever shows `[metrics] token`. Where there is none they are open like the others: they hold names
of teams, keys and models and what was spent, which whoever reaches the port may then read.
"""

import asyncio
import hmac

import msgspec

from gw import clock
from gw.ops.accounting import accounting
from gw.ops.metrics import read_status
from gw.ops.metrics_page import KEEPER_FILE, Page
from gw.ops.metrics_published import read_published
from gw.ops.ready import readiness
from gw.wire.asgi import Scope, Send
from gw.worker import Worker

TEXT = b"text/plain; charset=utf-8"
JSON = b"application/json"
CHALLENGE = (b"www-authenticate", b'Bearer realm="gw metrics"')
NEEDED = b"The token of [metrics] is needed: Authorization: Bearer ...\n"
PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/healthz/accounting"})
GUARDED = frozenset({"/metrics", "/healthz/accounting"})

Answer = tuple[int, bytes, bytes]  # status, content type, body


class OpsPages:
    """One in each worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._page = Page(worker.state, worker.state_dir)

    async def answer(self, path: str, scope: Scope, send: Send) -> None:
        """`path`: one of PATHS."""
        if path in GUARDED and not _may_read(self._worker, scope):
            return await _reply(scope, send, (401, TEXT, NEEDED), CHALLENGE)
        await _reply(scope, send, await self._answer(path, scope))

    async def _answer(self, path: str, scope: Scope) -> Answer:
        if path == "/healthz":
            return 200, TEXT, b"ok\n"
        if path == "/metrics":
            return 200, *await self._page.answer(_header(scope, b"accept"))
        if path == "/healthz/accounting":
            return 200, JSON, await asyncio.to_thread(self._accounting)
        ready, body = readiness(self._worker.state, self._worker.state_dir / KEEPER_FILE, clock.wall_us())
        return (200 if ready else 503), JSON, body

    def _accounting(self) -> bytes:
        """Answered with 200 whatever the verdict: books that are not in order do not make the gateway unable to serve."""
        worker = self._worker
        keeper = read_status(worker.state_dir / KEEPER_FILE)
        found = accounting(worker.state, keeper, read_published(worker.state_dir), clock.wall_us())
        return msgspec.json.encode(found) + b"\n"


def _may_read(worker: Worker, scope: Scope) -> bool:
    """In constant time, but for the length of the token."""
    token = worker.snapshot.config.metrics.token
    if not token:
        return True
    scheme, _, shown = _header(scope, b"authorization").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.reveal().encode())


def _header(scope: Scope, wanted: bytes) -> str:
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == wanted)


async def _reply(scope: Scope, send: Send, answer: Answer, *more: tuple[bytes, bytes]) -> None:
    status, kind, body = answer
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store"), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body, "more_body": False})
