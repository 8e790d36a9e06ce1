"""Two upstreams behind one worker in the test's own loop, and a virtual key with a budget: for attempts, failover, health."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gw.config.load import load
from gw.demo.exchange import Reply, Request, Script
from gw.demo.upstream import FakeUpstream
from gw.domain.key import mint
from gw.startup import prepare_state
from gw.worker import Worker
from tests.support.one_worker import Client, OneWorker, scope

MODEL = "claude-opus-5-5"
CONFIG = """
[server]
state_dir = "state"
ping_interval_s = 1
[storage]
url = "sqlite:///state/gw.db"
[[upstream]]
name = "first"
base_url = "http://127.0.0.1:{first}"
api_key = "sk-first"
first_byte_timeout_s = 0.5
idle_timeout_s = 0.5
{first_more}
[[upstream]]
name = "second"
base_url = "http://127.0.0.1:{second}"
api_key = "sk-second"
[[route]]
model = "claude-*"
candidates = [{{ upstream = "first" }}, {{ upstream = "second", priority = 2 }}]
[[key]]
name = "ada"
team = "a"
secret = "env:GW_TEST_ADA"
[[team]]
name = "a"
[[budget]]
name = "team"
team = "*"
each = true
limit_usd = 100
window = "day"
[[budget]]
name = "places"
upstream = "*"
each = true
limit_usd = 100
window = "day"
{more}
"""


class Places(OneWorker):
    """`first` is tried first."""

    def __init__(self, folder: Path, first: Script, second: Script) -> None:
        super().__init__(folder, first)
        self.second = FakeUpstream(second)
        self.key = mint().text

    @property
    def first(self) -> FakeUpstream:
        return self.upstream

    async def start(self, folder: Path, *, first_more: str = "", more: str = "", down: bool = False) -> None:
        """`down`: nobody listens where the first one should be."""
        port = await self.upstream.start()
        config = folder / "config.toml"
        config.write_text(
            CONFIG.format(
                first=1 if down else port, second=await self.second.start(), first_more=first_more, more=more
            )
        )
        os.environ["GW_TEST_ADA"] = self.key  # workers read the configuration again, each by itself
        loaded = load(config)
        self.state_dir.mkdir(mode=0o700)
        await asyncio.to_thread(prepare_state, loaded, config)
        self.app.worker = Worker(self.state_dir)

    async def close(self) -> None:
        await super().close()
        await self.second.stop()

    async def ask(self, *, stream: bool = False, session: str = "s", model: str = MODEL, path: str = "/v1/messages") -> Client:
        body = {"model": model, "max_tokens": 64, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
        client = Client(json.dumps(body).encode())
        headers = ((b"x-api-key", self.key.encode()), (b"x-claude-code-session-id", session.encode()))
        await self.app(scope(path=path, headers=headers), client.receive, client.send)
        return client

    def used_nusd(self) -> dict[str, tuple[int, int]]:
        """Budget and account -> (settled, set aside) now."""
        from gw.domain.budget_book import PathRules

        found: dict[str, tuple[int, int]] = {}
        for rules, path in self.worker.governor.gate._compiled.items():
            assert isinstance(rules, PathRules)
            for one in self.worker.governor.gate.standings(path):
                found[f"{one.budget.id}:{one.account}"] = (one.settled_nusd, one.reserved_nusd)
        return found


def status_of(client: Client) -> int:
    return int(client.messages[0]["status"])


def header_of(client: Client, name: str) -> str:
    headers = dict(client.messages[0]["headers"])
    return str(headers.get(name.encode(), b"").decode())


def always(reply: Callable[[], Reply]) -> Script:
    def script(request: Request) -> Reply:
        return reply()

    return script


Json = dict[str, Any]
