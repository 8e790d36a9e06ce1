"""One gateway, of one worker, before a raw upstream; and what must hold after anything that was done to either side."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gw.domain.key import mint
from gw.ops.state import CELLS_CAPACITY, STATE_FILE, Own, StateFile
from tests.faults.processes import family
from tests.flow.client import Answer, call
from tests.flow.stage import prompt
from tests.hostile.raw import MODEL, RawUpstream
from tests.support.gateway import GatewayUnderTest, Row

KEPT, FRESH = MODEL, "claude-sonnet-5-5"  # connections are kept; none is used twice, so that each one left open is a leak
FIRST_BYTE_S, IDLE_S, TOTAL_S = 1.0, 1.2, 5.0
POOL_MAX = 4
TALK_S = 10.0
CONFIG = """
first_byte_timeout_s = {first}
idle_timeout_s = {idle}
total_timeout_s = {total}
pool_max = {pool}
"""


@dataclass
class Ground:
    upstream: RawUpstream
    gateway: GatewayUnderTest
    key: str = field(repr=False)
    workers: tuple[int, ...] = ()
    calls: int = 0  # that must have left a row

    @property
    def port(self) -> int:
        return self.gateway.process.port

    def headers(self, name: str) -> list[tuple[str, str]]:
        return [("x-api-key", self.key), ("x-test-id", name), ("x-claude-code-session-id", name)]

    def head(self, name: str) -> bytes:
        """The lines that a raw request of this test needs, as bytes."""
        return "".join(f"{key}: {value}\r\n" for key, value in self.headers(name)).encode("latin-1")

    async def ask(self, name: str, *, stream: bool = False, model: str = KEPT) -> Answer:
        """An ordinary request."""
        self.calls += 1
        return await call(self.port, headers=self.headers(name), body=prompt(stream=stream, model=model))

    async def talk(self, *pieces: bytes, then: str = "") -> bytes:
        """All that comes back on a connection of its own, to its end. `then`: "eof" half-closes, "leave" closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(TALK_S):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if then == "eof":
                    writer.write_eof()
                return b"" if then == "leave" else await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()

    def rows(self, name: str, count: int = 1) -> list[Row]:
        rows = self.gateway.session_rows(name, count)
        assert len(rows) == count, rows
        return rows

    def all_rows(self, name: str) -> list[Row]:
        """However many there are: none is still on its way once those of later calls are there, and bring no more of them."""
        before: list[Row] | None = None
        while True:
            with self._at_rest():
                answer = asyncio.run(self.ask("marker"))
            self.gateway.settled(bool, "call_id = ?", [answer.header("request-id")])
            rows = self.gateway.rows("session_id = ?", [name])
            if rows == before:
                return rows
            before = rows

    @contextmanager
    def _at_rest(self) -> Iterator[StateFile]:
        """No call is running."""
        state = StateFile(self.gateway.folder / "state" / STATE_FILE)
        try:
            self.gateway.poll(lambda: state.sum_own(Own.IN_FLIGHT) == 0, "the end of all calls")
            yield state
        finally:
            state.close()

    def judge(self) -> None:
        """Nothing runs, nothing is held, nothing is open, nobody died, each call has its row, and the next one is served."""
        gateway = self.gateway
        with self._at_rest() as state:
            assert state.cells.open_slots() == [], "a hold is open"
            cells = state.cells
            unequal = [at for at in range(CELLS_CAPACITY) if cells.key(at) and cells.used(at) != cells.settled(at)]
            assert not unequal, "something is set aside"
        gateway.poll(lambda: self.upstream.open <= POOL_MAX, f"the end of {self.upstream.open} upstream connections")
        assert family(gateway).workers == self.workers, "the worker died"
        assert asyncio.run(call(self.port, "/healthz", method="GET")).body == b"ok\n"
        for model in (KEPT, FRESH):
            answer = asyncio.run(self.ask("good", model=model))
            assert (answer.status, answer.json["model"]) == (200, MODEL)
        gateway.settled(lambda rows: len(rows) >= self.calls)
        rows = gateway.rows()
        assert len(rows) == self.calls == len({row["call_id"] for row in rows})
        log = gateway.process.log_end(1 << 20)
        assert "Traceback" not in log and "Exception" not in log and "panicked" not in log, log
        assert not self.upstream.strays, self.upstream.strays


@contextmanager
def ground(folder: Path, environ: Mapping[str, str]) -> Iterator[Ground]:
    """`environ`: more settings of [server]."""
    key = mint().text
    times = {"first": FIRST_BYTE_S, "idle": IDLE_S, "total": TOTAL_S}
    with RawUpstream() as upstream:
        fresh = CONFIG.format(**times, pool=0) + f'name = "fresh"\nmodels = ["{FRESH}"]\nbase_url = "{upstream.base_url}"\n'
        more = f'[[upstream]]\n{fresh}api_key = "env:GW_TEST_UPSTREAM_KEY"\n'
        more += f'[[key]]\nname = "ada"\nsecret = "{key}"\n'
        more += '[[budget]]\nname = "day"\nkey = "ada"\nlimit_usd = "1000"\nwindow = "day"\n'
        kept = CONFIG.format(**times, pool=POOL_MAX) + f'models = ["{KEPT}"]'
        with GatewayUnderTest(folder, upstream.base_url, upstream=kept, more=more, environ=environ) as gateway:
            one = Ground(upstream, gateway, key)
            one.workers = family(gateway).workers
            assert len(one.workers) == 1
            yield one


@dataclass(frozen=True)
class Heard:
    """Bytes that came back: one answer after the other."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def slug(self) -> str:
        return self.headers.get("x-gw-error", "")

    @property
    def error_type(self) -> str:
        return str(json.loads(self.body)["error"]["type"])


def heard(data: bytes) -> list[Heard]:
    """Fails if it is not whole answers, each framed by length, by chunks or, the last one, by the end."""
    found = []
    while data:
        head, blank, data = data.partition(b"\r\n\r\n")
        assert blank, head
        start, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.split(":", 1) for line in lines]
        headers = {name.lower(): value.strip() for name, value in pairs}
        assert len(headers) == len(pairs), f"a header came twice: {lines}"
        status = int(start.split(" ")[1])
        if status < 200:
            continue
        body, data = _body(headers, data)
        found.append(Heard(status, headers, body))
    return found


def _body(headers: dict[str, str], data: bytes) -> tuple[bytes, bytes]:
    """(body, what follows it)"""
    if headers.get("transfer-encoding") != "chunked":
        size = int(headers.get("content-length", len(data)))
        assert len(data) >= size
        return data[:size], data[size:]
    body = b""
    while True:
        size_text, _, data = data.partition(b"\r\n")
        size = int(size_text, 16)
        chunk, data = data[:size], data[size:]
        assert len(chunk) == size and data.startswith(b"\r\n")
        body, data = body + chunk, data[2:]
        if not size:
            return body, data


def statuses(answers: Sequence[Heard]) -> list[int]:
    return [answer.status for answer in answers]
