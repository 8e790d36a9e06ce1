"""The control API of one worker, without its process or a server: requests go in as ASGI messages."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp

from gw.config.load import load
from gw.control.app import control_app
from gw.startup import prepare_state
from gw.worker import Worker
from tests.support.one_worker import Client

TOKEN = "gwa_the-admin-token-of-the-tests"
CONFIG = """
[server]
state_dir = "state"
[storage]
url = "sqlite:///state/gw.db"
[[upstream]]
name = "fake"
api_key = "sk-ant-upstream-of-the-test"
[[customer]]
name = "acme"
[[team]]
name = "platform"
customer = "acme"
[[key]]
name = "ci"
team = "platform"
secret_hash = "{hash}"
[[budget]]
name = "acme-monthly"
customer = "acme"
limit_usd = "2500"
[[limit]]
name = "ci-rate"
key = "ci"
requests = 60
""".format(hash="ab" * 32)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def etag(self) -> str:
        return self.headers["etag"]

    @property
    def slug(self) -> str:
        assert self.headers["content-type"] == "application/problem+json"
        return str(self.json["slug"])

    def problem(self, status: int, slug: str) -> dict[str, Any]:
        """The problem it is, checked to be that one."""
        assert (self.status, self.slug) == (status, slug), self.body
        found: dict[str, Any] = self.json
        assert found["status"] == status and found["hint"] and found["detail"]
        assert found["request_id"] == self.headers["request-id"]
        return found


class Api:
    def __init__(self, app: ASGIApp, worker: Worker) -> None:
        self.app = app
        self.worker = worker

    async def ask(
        self, method: str, path: str, body: object = None, *, token: str | None = TOKEN, client: str = "192.0.2.7", **headers: str
    ) -> Answer:
        """`body`: bytes as they are, or a value for JSON. Header names are written with underscores."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent.setdefault("authorization", f"Bearer {token}")
        if content:
            sent.setdefault("content-type", "application/json")
            sent.setdefault("content-length", str(len(content)))
        raw, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
            "client": (client, 40000),
        }
        ends = Client(content)
        await self.app(scope, ends.receive, ends.send)
        start = ends.messages[0]
        found = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(start["status"], found, ends.body)

    async def made(self, plural: str, **fields: object) -> Answer:
        answer = await self.ask("POST", f"/api/{plural}", fields)
        assert answer.status == 201, answer.body
        return answer


@asynccontextmanager
async def serving(folder: Path, config: str = CONFIG) -> AsyncIterator[Api]:
    """GW_ADMIN_TOKEN has to be TOKEN."""
    path = folder / "config.toml"
    path.write_text(config)
    loaded = load(path)
    state_dir = folder / "state"
    state_dir.mkdir(mode=0o700)
    await asyncio.to_thread(prepare_state, loaded, path)  # it runs a loop of its own
    worker = Worker(state_dir)
    try:
        yield Api(control_app(worker), worker)
    finally:
        await worker.stop()
