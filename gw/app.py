"""The ASGI application: a literal table of paths, nothing else. Every route of the data plane goes through `pipeline`."""

import logging
import os
from pathlib import Path
from typing import Any

from gw import clock
from gw.config.load import ConfigError
from gw.control.app import control_app
from gw.domain.call import Endpoint
from gw.errors import Refusal
from gw.ledger.journal import JournalError
from gw.me import me_page, oauth_usage_page
from gw.ops import metrics
from gw.ops.ready import readiness
from gw.pipeline import handle
from gw.wire.asgi import Receive, Scope, Send
from gw.wire.refusals import refusal_answer
from gw.worker import Worker

log = logging.getLogger("gw.app")

DATA: dict[str, tuple[str, Endpoint]] = {
    "/v1/messages": ("POST", "messages"),
    "/v1/messages/count_tokens": ("POST", "count_tokens"),
    "/v1/models": ("GET", "models"),
}
HELLO = frozenset({"/", "/api/hello"})
PREFIX = "/anthropic"
OPS = frozenset({"/healthz", "/readyz", "/metrics"})
ME = {"/api/me": me_page, "/api/oauth/usage": oauth_usage_page}
CONTROL = "/api"


class App:
    """One per worker process; born by the lifespan, so that nothing is opened before the fork."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.control: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = normal(scope["path"])
            found = DATA.get(path)
            assert self.worker is not None
            if found is not None and scope["method"] == found[0]:
                await handle(self.worker, found[1], scope, receive, send)
            elif is_control(path):
                await self.control(scope, receive, send)
            else:
                await self._other(self.worker, path, scope, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    self.worker = Worker(Path(os.environ["GW_STATE_DIR"]))
                    self.worker.start()
                    self.control = control_app(self.worker)
                except (ConfigError, JournalError, OSError, ValueError) as error:
                    log.critical("this worker cannot start: %s", error)
                    return await send({"type": "lifespan.startup.failed", "message": str(error)})
                except BaseException as error:  # else the server would go on without a worker behind it
                    await send({"type": "lifespan.startup.failed", "message": f"the worker cannot start: {error}"})
                    raise
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if self.worker is not None:
                    await self.worker.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _other(self, worker: Worker, path: str, scope: Scope, send: Send) -> None:
        method = scope["method"]
        if method in ("GET", "HEAD"):
            if path in HELLO:
                return await _reply(send, 200, b"text/plain; charset=utf-8", b"gw\n", head=method == "HEAD")
            if path in ME:
                return await ME[path](worker, scope, send)
            if path in OPS:
                status, kind, body = ops_page(worker, path)
                return await _reply(send, status, kind, body, head=method == "HEAD")
        known = path in DATA or path in HELLO or path in OPS or path in ME
        refusal = (
            Refusal("method_not_allowed", f"{method[:20]} is not supported on {path}.")
            if known
            else Refusal(
                "unknown_path",
                f"Nothing is served at {path[:200]}. Set ANTHROPIC_BASE_URL to this gateway's address followed by /anthropic.",
            )
        )
        metrics.refuse(worker.block.counters, refusal.slug)
        allow = (DATA[path][0].encode() if path in DATA else b"GET, HEAD") if known else b""
        status, headers, body = refusal_answer(refusal, worker.call_id(), allow=allow)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body, "more_body": False})


def normal(path: str) -> str:
    """The path below /anthropic or the root; doubled and trailing slashes are forgiven."""
    if path in DATA:
        return path
    if path.startswith(PREFIX) and path[len(PREFIX) : len(PREFIX) + 1] in ("", "/"):
        path = path[len(PREFIX) :]
    while "//" in path:
        path = path.replace("//", "/")
    if path != "/":
        path = path.rstrip("/")
    return path or "/"


def is_control(path: str) -> bool:
    """Everything under /api but the pages that clients ask for."""
    below = path == CONTROL or path.startswith(f"{CONTROL}/")
    return below and path not in HELLO and path not in ME


def ops_page(worker: Worker, path: str) -> tuple[int, bytes, bytes]:
    """(status, content type, body) of /healthz, /readyz and /metrics."""
    if path == "/healthz":
        return 200, b"text/plain; charset=utf-8", b"ok\n"
    status_file = worker.state_dir / "keeper.json"
    if path == "/metrics":
        return 200, metrics.CONTENT_TYPE, metrics.exposition(worker.state, status_file)
    ready, body = readiness(worker.state, status_file, clock.wall_us())
    return (200 if ready else 503), b"application/json", body


async def _reply(send: Send, status: int, kind: bytes, body: bytes, *, head: bool) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body, "more_body": False})


app: Any = App()
