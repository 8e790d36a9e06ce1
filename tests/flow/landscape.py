"""Any number of upstreams behind one worker in the test's own loop: for where calls go, and what each upstream gets to see."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from gw.app import App
from gw.config.load import load
from gw.demo.exchange import Reply, Request
from gw.demo.scripts import by_prompt
from gw.demo.upstream import FakeUpstream
from gw.domain.call import CallRecord
from gw.domain.key import mint
from gw.ledger.frames import replay
from gw.startup import prepare_state
from gw.worker import Worker
from tests.support.one_worker import Client, scope

SERVER = """
[server]
state_dir = "state"
[storage]
url = "sqlite:///state/gw.db"
"""
# Of an upstream, what its provider needs beside its name, address and key.
OF_UPSTREAM = {
    "claude": "",
    "gpt": 'provider = "openai"\n',
    "google": 'provider = "gemini"\n',
    "vertex": 'provider = "vertex"\nproject = "p"\n',
    "aws": 'provider = "bedrock"\nregion = "us-east-1"\n',
    "groq": 'provider = "groq"\n',
}
A_KEY = '[[key]]\nname = "ada"\nsecret = "#ada#"\n'
Pairs = Sequence[tuple[str, str]]


def upstreams(*names: str) -> str:
    """TOML of these upstreams, one of each provider, and of the virtual key "ada"."""
    made = (f'[[upstream]]\nname = "{one}"\n{OF_UPSTREAM[one]}base_url = "@{one}@"\napi_key = "sk-{one}"\n' for one in names)
    return "".join(made) + A_KEY


class Answered:
    """What a client got, and the rows of it."""

    def __init__(self, client: Client, rows: list[CallRecord]) -> None:
        start = client.messages[0]
        self.status = int(start["status"])
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body = client.body
        self.rows = rows

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = orjson.loads(self.body)
        return value

    @property
    def row(self) -> CallRecord:
        (row,) = self.rows
        return row


class Landscape:
    """`seen`: what each upstream was asked, in order. `scripts`: how it answers, `by_prompt` unless set."""

    def __init__(self, folder: Path) -> None:
        self.app = App()
        self.seen: dict[str, list[Request]] = {}
        self.scripts: dict[str, Callable[[Request], Reply]] = {}
        self.keys: dict[str, str] = {}
        self._folder = folder
        self._upstreams: dict[str, FakeUpstream] = {}
        self._read = 0

    @property
    def worker(self) -> Worker:
        assert self.app.worker is not None
        return self.app.worker

    async def open(self, config: str, scripts: Mapping[str, Callable[[Request], Reply]]) -> None:
        """In `config`, `@NAME@` is the address of an upstream, which is made; `#NAME#` a virtual key of that name."""
        self.scripts.update(scripts)
        for name in re.findall(r"@([\w-]+)@", config):
            upstream = self._upstreams[name] = FakeUpstream(self._script(name))
            config = config.replace(f"@{name}@", f"http://127.0.0.1:{await upstream.start()}")
        for name in re.findall(r"#([\w-]+)#", config):
            self.keys[name] = os.environ[f"GW_TEST_KEY_{name.upper()}"] = mint().text  # read again by workers
            config = config.replace(f"#{name}#", f"env:GW_TEST_KEY_{name.upper()}")
        path = self._folder / "config.toml"
        path.write_text(SERVER + config)
        loaded = load(path)
        (self._folder / "state").mkdir(mode=0o700)
        await asyncio.to_thread(prepare_state, loaded, path)
        self.app.worker = Worker(self._folder / "state")

    async def close(self) -> None:
        if self.app.worker is not None:
            await self.worker.stop()
        for upstream in self._upstreams.values():
            await upstream.stop()

    def _script(self, name: str) -> Callable[[Request], Reply]:
        self.seen[name] = []

        def script(request: Request) -> Reply:
            self.seen[name].append(request)
            return self.scripts.get(name, by_prompt)(request)

        return script

    async def send(
        self,
        body: bytes | dict[str, Any],
        *,
        key: str = "",
        path: str = "/v1/messages",
        headers: Pairs = (),
        method: str = "POST",
    ) -> Answered:
        """`key`: the name of a virtual one. The rows are those that ended since the last call was answered."""
        client = Client(body if isinstance(body, bytes) else orjson.dumps(body))
        pairs = [(b"x-api-key", self.keys[key].encode())] if key else []
        pairs += [(name.encode(), value.encode()) for name, value in headers]
        found = scope(method=method, path=path.partition("?")[0], headers=pairs)
        found["query_string"] = path.partition("?")[2].encode()
        await self.app(found, client.receive, client.send)
        return Answered(client, self.new_rows())

    def new_rows(self) -> list[CallRecord]:
        self.worker.journal.drain()
        (segment,) = (self._folder / "state" / "journal").glob("*.gwj")
        found = list(replay(segment, self._read))
        self._read = found[-1][2] if found else self._read
        return [payload for _, payload, _ in found if isinstance(payload, CallRecord)]

    def last(self, name: str) -> Request:
        return self.seen[name][-1]

    def asked(self) -> dict[str, int]:
        """How many requests each upstream has seen."""
        return {name: len(seen) for name, seen in self.seen.items() if seen}


@asynccontextmanager
async def landscape(folder: Path, config: str, **scripts: Callable[[Request], Reply]) -> AsyncIterator[Landscape]:
    house = Landscape(folder)
    try:
        await house.open(config, scripts)
        yield house
    finally:
        await house.close()
