"""The ASGI application: a literal table of paths, nothing else. Every route of the data plane goes through `pipeline`."""

import logging
import os
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from gw.config.load import ConfigError
from gw.control.app import control_app
from gw.doors import COUNT_TOKENS, MESSAGES, MODELS, Door, door_of, methods_of
from gw.errors import Refusal
from gw.intake import Intake
from gw.ledger.journal import JournalError
from gw.me import me_page, oauth_usage_page
from gw.ops import metrics
from gw.ops_pages import PATHS as OPS
from gw.ops_pages import OpsPages
from gw.pipeline import handle
from gw.wire.asgi import Receive, Scope, Send
from gw.wire.refusals import refusal_answer
from gw.worker import Worker

log = logging.getLogger("gw.app")

DATA: dict[str, tuple[str, Door]] = {
    "/v1/messages": ("POST", MESSAGES),
    "/v1/messages/count_tokens": ("POST", COUNT_TOKENS),
    "/v1/models": ("GET", MODELS),
}
HELLO = frozenset({"/", "/api/hello"})
PREFIX = "/anthropic"
ME = {"/api/me": me_page, "/api/oauth/usage": oauth_usage_page}
CONTROL = "/api"
DASHBOARD = "/ui"
REPORTS = "/v1/organizations/"


class App:
    """One per worker process; born by the lifespan, so that nothing is opened before the fork."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.control: Any = None
        self.intake: Intake | None = None
        self.ops: OpsPages | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """No coroutine of its own: a call of the data plane passes through the fewer."""
        if scope["type"] == "http":
            found = dict.get(DATA, scope["path"])  # compiled, no method that is looked up
            if found is not None and scope["method"] == found[0]:
                assert self.worker is not None
                return handle(self.worker, found[1], scope, receive, send)
        return self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = normal(scope["path"])
            found = DATA.get(path)
            assert self.worker is not None
            if found is not None and scope["method"] == found[0]:
                await handle(self.worker, found[1], scope, receive, send)
            elif is_control(path):
                await self.control(scope, receive, send)
            elif self.intake is not None and self.intake.serves(path):
                await self.intake(path, scope, receive, send)
            elif (door := door_of(scope["method"], scope["path"])) is not None:
                await handle(self.worker, door, scope, receive, send)
            else:
                await self._other(self.worker, path, scope, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            if is_control(normal(scope["path"])):
                await self.control(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    self.worker = Worker(Path(os.environ["GW_STATE_DIR"]))
                    self.worker.start()
                    self.control = control_app(self.worker)
                    self.intake = Intake(self.worker)
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
            if path == "/" and any(name == b"accept" and b"text/html" in value for name, value in scope["headers"]):
                return await _to_dashboard(send)
            if path in HELLO:
                return await _reply(send, 200, b"text/plain; charset=utf-8", b"gw\n", head=method == "HEAD")
            if path in ME:
                return await ME[path](worker, scope, send)
            if path in OPS:
                self.ops = self.ops or OpsPages(worker)
                return await self.ops.answer(path, scope, send)
        methods = methods_of(scope["path"])
        known = path in DATA or path in HELLO or path in OPS or path in ME or bool(methods)
        refusal = (
            Refusal("method_not_allowed", f"{method[:20]} is not supported on {path}.")
            if known
            else Refusal(
                "unknown_path",
                f"Nothing is served at {path[:200]}. Set ANTHROPIC_BASE_URL to this gateway's address followed by /anthropic.",
            )
        )
        metrics.refuse(worker.block.counters, refusal.slug)
        allow = (DATA[path][0].encode() if path in DATA else methods.encode() or b"GET, HEAD") if known else b""
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
    """The dashboard, reports in the Admin API's shape, and everything under /api but the pages that clients ask for."""
    below = path in (CONTROL, DASHBOARD) or path.startswith((f"{CONTROL}/", f"{DASHBOARD}/", REPORTS))
    return below and path not in HELLO and path not in ME


async def _to_dashboard(send: Send) -> None:
    headers = [(b"location", DASHBOARD.encode()), (b"content-length", b"0"), (b"vary", b"accept")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _reply(send: Send, status: int, kind: bytes, body: bytes, *, head: bool) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body, "more_body": False})


app: Any = App()
