"""kill -9 of a worker, of the keeper, of the supervisor, of all at once, at random moments under load.

What must hold afterwards stands in `tests.faults.verdict`: a call whose end the client saw is in the ledger exactly once
with the invoice's own figures; nothing that reached the upstream is missing; nothing is doubled.
"""

import asyncio
import random
import re
import subprocess
from pathlib import Path
from statistics import median

import pytest

from gw.clock import mono_ns
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from tests.faults.ground import open_calls, page, readiness, until
from tests.faults.load import Load, tally
from tests.faults.processes import Family, await_end, family, kill
from tests.faults.verdict import judge
from tests.requires import need
from tests.support.gateway import GatewayUnderTest

SEED = 20261121
TARGETS = ["worker"] * 26 + ["keeper"] * 12 + ["supervisor"] * 6 + ["all"] * 6
CLIENTS = 40
WORKERS = 2
AGAIN_S = 5.0  # it serves again within this time after the death of a worker or of the keeper
RESTART_S = 10.0  # a start on what a killed gateway left; two cores have the load to bear at the same time


@pytest.fixture(autouse=True)
def _linux() -> None:
    need("/proc", Path("/proc/self/stat").exists(), "run this suite on Linux")


def counters(page: str) -> dict[str, float]:
    """The series of a metrics page that may only grow."""
    found = re.findall(r"^(gw_\w+_(?:total|bucket|count|sum)(?:\{[^}]*\})?) (\S+)$", page, re.M)
    return {name: float(value) for name, value in found}


class Ground:
    """One state directory, under load, whose gateway is killed in one way after the other."""

    def __init__(self, gateway: GatewayUnderTest, load: Load) -> None:
        self.gateway = gateway
        self.load = load
        self.dice = random.Random(SEED)
        self.again: dict[str, list[float]] = {target: [] for target in ("worker", "keeper", "supervisor", "all")}
        self.gone: list[float] = []  # how long children outlived their supervisor
        self.counters: dict[str, float] = {}

    async def round(self, target: str) -> None:
        await asyncio.sleep(self.dice.uniform(0.05, 0.9))
        before = await asyncio.to_thread(family, self.gateway)
        begun_ns = mono_ns()
        if target in ("worker", "keeper"):
            await self._child(target, before)
            await self._counters_grow()
            limit_s = AGAIN_S
        else:
            await self._supervisor(target, before)
            limit_s = RESTART_S
        took_s = (mono_ns() - begun_ns) / 1e9
        self.again[target].append(took_s)
        assert took_s < limit_s

    async def _child(self, target: str, before: Family) -> None:
        victim = self.dice.choice(before.workers) if target == "worker" else before.keeper
        kill(victim)

        def whole() -> bool:
            now = family(self.gateway)
            return victim not in now.children and now.keeper != 0 and readiness(self.gateway)[1]["workers"] == WORKERS

        await until(whole, f"a successor of the {target}", AGAIN_S)
        await self.load.one_good(AGAIN_S)

    async def _supervisor(self, target: str, before: Family) -> None:
        if target == "all":
            everyone = [before.supervisor, *before.children]
            self.dice.shuffle(everyone)
            kill(*everyone)
        else:
            kill(before.supervisor)
        await asyncio.to_thread(self.gateway.process.stop)
        if self.dice.random() < 0.5:  # the next start at once, or only when all are gone
            self.gone.append(await asyncio.to_thread(await_end, before.children, AGAIN_S))
        if self.dice.random() < 0.5:
            await self._false_start()
        self.counters = {}
        await asyncio.to_thread(self.gateway.process.start)
        await self.load.one_good(AGAIN_S)
        await asyncio.to_thread(await_end, before.children, AGAIN_S)

    async def _false_start(self) -> None:
        """A start that is killed too, perhaps while it settles what the last run left."""
        process = self.gateway.process
        begun = subprocess.Popen(process.command, env=process.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await asyncio.sleep(self.dice.uniform(0.1, 1.0))
        kill(begun.pid)
        begun.wait()

    async def _counters_grow(self) -> None:
        _, text = await asyncio.to_thread(page, self.gateway, "/metrics")
        now = counters(text)
        shrunk = [name for name, value in self.counters.items() if now.get(name, 0) < value]
        assert not shrunk, f"counters went backwards: { {name: (self.counters[name], now.get(name)) for name in shrunk} }"
        self.counters = now

    def line(self) -> str:
        times = [f"{name} {median(took):.2f} s (at most {max(took):.2f})" for name, took in self.again.items()]
        return f"whole again after the death of: {', '.join(times)}; orphans gone after at most {max(self.gone):.2f} s"


async def test_fifty_rounds_of_kill_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    order = TARGETS.copy()
    random.Random(SEED).shuffle(order)
    with UpstreamThread(by_prompt) as upstream:
        with GatewayUnderTest(tmp_path, upstream.base_url, workers=WORKERS) as gateway:
            load = Load(gateway.process.port, CLIENTS, seed=SEED)
            ground = Ground(gateway, load)
            await load.start()
            for number, target in enumerate(order):
                try:
                    await ground.round(target)
                except BaseException as error:
                    error.add_note(f"seed {SEED}, round {number} ({target}); the log ends:\n{gateway.process.log_end()}")
                    raise
            await load.stop()
        assert open_calls(gateway) == 0
        verdict = judge(load.seen, gateway.rows(), upstream.invoice.lines())
    print(f"\n{len(order)} rounds, seed {SEED}: {tally(load.seen)}\n{verdict.line()}\n{ground.line()}")
    assert not verdict.wrong, f"seed {SEED}: {len(verdict.wrong)} breaches, the first: {verdict.wrong[0]}"
    assert verdict.exact > 500 and verdict.died["observed"] > 50 and verdict.died["estimated"] > 5, "the load proves too little"
