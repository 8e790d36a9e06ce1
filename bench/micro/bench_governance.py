"""Governance as the pipeline calls it: auth + peek + plan + admit + settle + record, in real calls through the whole app.

Server and upstream are stand-ins that answer at once (bench_call): no socket, no waiting. Four budget levels with two windows
each, two rate limits, prices, journal and counters are on. The parts are those of gw's own stopwatch, which /metrics and
`x-gw-timing` show too; it asks the clock at each part's end, some 30 ns of each figure. "ns" is a whole call, relaying
included. Run it on a compiled tree: the head of the table says whether it is one.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro import bench_call
from bench.micro.bodies import claude_code
from bench.micro.measure import note
from gw.app import App
from gw.config.load import load
from gw.domain.key import mint
from gw.ops.metrics import COUNTERS, OVERHEAD, OVERHEAD_NS, PARTS
from gw.startup import prepare_state
from gw.worker import Worker

pytestmark = pytest.mark.benchmark(group="governance")

CALLS = 200
WARM_UP = 500
HISTOGRAM = len(OVERHEAD_NS) + 2
GOVERNANCE_AT, PARTS_AT = OVERHEAD + HISTOGRAM, OVERHEAD + 2 * HISTOGRAM
BODIES = {"small": bench_call.BODY, "claude code, 100 KB": claude_code(100_000)}


class Calls:
    """A worker that serves, and its one client."""

    def __init__(self, folder: Path, body: bytes, *, governed: bool) -> None:
        key = mint().text
        config = folder / "gw.toml"
        config.write_text(bench_call.CONFIG.format(folder=folder, key=key) + (bench_call.GOVERNED if governed else ""))
        (folder / "state").mkdir(mode=0o700)
        prepare_state(load(config), config)
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json"), (b"x-api-key", key.encode())]
        self.scope = {
            "type": "http", "method": "POST", "path": "/v1/messages", "query_string": b"beta=true", "headers": headers,
        }  # fmt: skip
        self.message = {"type": "http.request", "body": body, "more_body": False}
        self.app = App()
        self._state_dir = folder / "state"

    async def open(self) -> None:
        self.app.worker = Worker(self._state_dir)
        self.app.worker.pool = bench_call.Upstream()  # type: ignore[assignment]

    async def receive(self) -> dict[str, Any]:
        return self.message

    async def make(self, calls: int) -> None:
        for _ in range(calls):
            await self.app(self.scope, self.receive, bench_call.send)

    def counters(self) -> list[int]:
        worker = self.app.worker
        assert worker is not None
        return [worker.block.counters[at] for at in range(COUNTERS)]

    async def close(self) -> None:
        assert self.app.worker is not None
        await self.app.worker.stop()


@pytest.mark.parametrize("governed", [True, False], ids=["4 levels x 2 windows, 2 limits", "no budgets"])
@pytest.mark.parametrize("body", BODIES)
def test_a_call(benchmark: BenchmarkFixture, body: str, governed: bool, tmp_path: Path) -> None:
    calls = Calls(tmp_path, BODIES[body], governed=governed)
    rounds: list[list[int]] = []
    with asyncio.Runner() as runner:

        def one_round() -> None:
            before = calls.counters()
            runner.run(calls.make(CALLS))
            rounds.append([new - old for old, new in zip(before, calls.counters(), strict=True)])

        runner.run(calls.open())
        runner.run(calls.make(WARM_UP))
        benchmark(one_round)
        runner.run(calls.close())
    note(benchmark, CALLS)
    benchmark.extra_info |= {f"{name} us": us for name, us in least_us(rounds).items()}
    counts = [sum(one[GOVERNANCE_AT + bucket] for one in rounds) for bucket in range(HISTOGRAM - 1)]
    benchmark.extra_info |= {"p50": within(counts, 0.5), "p99": within(counts, 0.99)}


def least_us(rounds: list[list[int]]) -> dict[str, float]:
    """Microseconds a call of governance and of each part, of the round that was least disturbed."""
    best = min(rounds, key=lambda one: one[GOVERNANCE_AT + HISTOGRAM - 1])
    sums = {"governance": best[GOVERNANCE_AT + HISTOGRAM - 1], **dict(zip(PARTS, best[PARTS_AT:], strict=False))}
    return {name: round(ns / CALLS / 1000, 2) for name, ns in sums.items()}


def within(counts: list[int], share: float) -> str:
    """The bound below which this share of the calls stayed."""
    left = share * sum(counts)
    for bound_ns, count in zip(OVERHEAD_NS, counts, strict=False):
        left -= count
        if left <= 0:
            return f"<= {bound_ns // 1000} us"
    return f"> {OVERHEAD_NS[-1] // 1000} us"
