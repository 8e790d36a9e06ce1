"""The data plane without its processes: one worker and one fake upstream in the test's own loop, driven as ASGI servers do."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gw.app import App
from gw.config.load import load
from gw.demo.exchange import Script
from gw.demo.upstream import FakeUpstream
from gw.domain.call import CallRecord
from gw.ledger.frames import replay
from gw.ops.state import SLOTS_PER_WORKER, Own
from gw.startup import prepare_state
from gw.worker import Worker

CONFIG = """
[server]
state_dir = "state"
on_client_gone = "{gone}"
drain_client_gone_s = 0.05
[storage]
url = "sqlite:///state/gw.db"
[[upstream]]
name = "fake"
base_url = "http://127.0.0.1:{port}"
api_key = "sk-upstream"
"""
HEADERS = ((b"x-api-key", b"sk-own"), (b"x-claude-code-session-id", b"s"))


class OneWorker:
    """A worker without its process, and a fake upstream in the same loop."""

    def __init__(self, folder: Path, script: Script) -> None:
        self.state_dir = folder / "state"
        self.upstream = FakeUpstream(script)
        self.app = App()
        self._read = 0

    async def open(self, folder: Path, gone: str = "cancel", more: str = "") -> None:
        """`more`: of its configuration."""
        config = folder / "config.toml"
        config.write_text(CONFIG.format(port=await self.upstream.start(), gone=gone) + more)
        loaded = load(config)
        self.state_dir.mkdir(mode=0o700)
        await asyncio.to_thread(prepare_state, loaded, config)  # it runs a loop of its own
        self.app.worker = Worker(self.state_dir)

    @property
    def worker(self) -> Worker:
        assert self.app.worker is not None
        return self.app.worker

    async def close(self) -> None:
        await self.worker.stop()
        await self.upstream.stop()

    def new_records(self) -> list[CallRecord]:
        """What the journal says of calls that were finished since it was asked last."""
        self.worker.journal.drain()
        (segment,) = (self.state_dir / "journal").glob("*.gwj")
        found = list(replay(segment, self._read))
        if found:
            self._read = found[-1][2]
        return [payload for _, payload, _ in found if isinstance(payload, CallRecord)]

    async def upstream_empty(self) -> None:
        """It has seen the end of every connection."""
        await self.worker.pool.close()
        async with asyncio.timeout(20):
            await self.upstream.empty.wait()

    def assert_nothing_is_left(self) -> None:
        worker = self.worker
        assert not worker.running and worker.state.sum_own(Own.IN_FLIGHT) == 0
        assert len(worker.block._free) == SLOTS_PER_WORKER
        assert all(lane.open == lane.idle and not lane.waiting for lane in worker.pool.stats())


class Client:
    """The two ends of an ASGI call. `leave` is what a server tells a pending `receive` when the client goes away."""

    def __init__(self, body: bytes = b"", *, pieces: int = 1) -> None:
        size = max(1, -(-len(body) // pieces))
        self._parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
        self.size = len(body)
        self._left = asyncio.Event()
        self.messages: list[dict[str, Any]] = []

    def leave(self) -> None:
        self._left.set()

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self._parts and not self._left.is_set():
            part = self._parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(self._parts)}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.messages.append(message)
        await asyncio.sleep(0)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def ended(self) -> bool:
        return bool(self.messages) and self.messages[-1].get("more_body") is False


def declared(client: Client) -> dict[str, Any]:
    """Of a request that says how long its body is."""
    return scope(headers=(*HEADERS, (b"content-length", b"%d" % client.size)))


def scope(method: str = "POST", path: str = "/v1/messages", headers: Iterable[tuple[bytes, bytes]] = HEADERS) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": list(headers)}
