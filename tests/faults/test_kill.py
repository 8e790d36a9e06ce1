"""kill -9 of a worker, of the keeper, of both, of the supervisor, of all at once, at random moments under load.

What must hold afterwards stands in `tests.faults.verdict`: a call whose end the client saw is in the ledger exactly once
with the invoice's own figures; nothing that reached the upstream is missing; nothing is doubled. And in `tests.faults.purse`:
what budgets have counted is what the ledger's rows say, to the nano-dollar, whenever nothing runs.
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
from gw.domain.key import mint
from gw.ops.state import SLOTS_PER_WORKER, StateFile, hold_ordinal
from tests.faults.ground import open_calls, page, readiness, until
from tests.faults.load import Load, tally
from tests.faults.processes import Family, await_end, family, kill
from tests.faults.purse import Pot, cells, differences, state_of
from tests.faults.verdict import judge
from tests.requires import need
from tests.support.claims import allowed
from tests.support.gateway import GatewayUnderTest

SEED = 20261121
TARGETS = ["worker"] * 22 + ["keeper"] * 10 + ["pair"] * 6 + ["supervisor"] * 6 + ["all"] * 6
CLIENTS = 40
WORKERS = 2
AGAIN_S = 5.0  # it serves again within this time after the death of a worker or of the keeper
RESTART_S = 10.0  # a start on what a killed gateway left; two cores have the load to bear at the same time
REAPED_S = 5.0  # what a dead worker had set aside is settled within this time
POTS = [  # wide enough to refuse nobody: here it is counting that is put to the test
    Pot("everything", "upstream", "fak*", "100000", "typical"),
    Pot("models by the hour", "model", "claude-*", "100000", "worst", "hour"),
    Pot("keys by the minute", "key", "storm-*", "10000", "typical", "1m"),
    Pot("the team by the day", "team", "stor*", "100000", "worst", "day"),
    Pot("sessions", "session", "*", "100", "typical"),
]
KEYS = [mint().text for _ in range(3)]


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
        self.again: dict[str, list[float]] = {target: [] for target in dict.fromkeys(TARGETS)}
        self.gone: list[float] = []  # how long children outlived their supervisor
        self.reaped: list[float] = []  # how long what a dead worker had set aside stayed so
        self.holds = 0  # that dead workers left
        self.counters: dict[str, float] = {}

    async def round(self, target: str) -> None:
        await asyncio.sleep(self.dice.uniform(0.05, 0.9))
        before = await asyncio.to_thread(family, self.gateway)
        begun_ns = mono_ns()
        if target in ("worker", "keeper", "pair"):
            await self._child(target, before)
            await self._counters_grow()
            limit_s = AGAIN_S
        else:
            await self._supervisor(target, before)
            limit_s = RESTART_S
        took_s = (mono_ns() - begun_ns) / 1e9
        self.again[target].append(took_s)
        assert took_s < allowed(limit_s)
        if target in ("pair", "supervisor", "all"):
            await self.count()

    async def count(self) -> None:
        """For a moment nothing runs: what budgets have counted is what the rows say, and nothing is set aside."""
        await self.load.pause()
        whole, gateway = {one.call_id for one in self.load.seen if one.good}, self.gateway
        await until(lambda: whole <= {row["call_id"] for row in gateway.rows()} and open_calls(gateway) == 0, "the rows", AGAIN_S)
        await until(lambda: not any(cell.reserved for cell in cells(self.gateway).values()), "the end of all holds", REAPED_S)
        wrong = differences(POTS, self.gateway.rows(), cells(self.gateway))
        assert not wrong, f"{len(wrong)}, the first: {wrong[0]}"
        self.load.go()

    async def _child(self, target: str, before: Family) -> None:
        worker = 0 if target == "keeper" else self.dice.choice(before.workers)
        victims = [pid for pid in (worker, 0 if target == "worker" else before.keeper) if pid]
        with state_of(self.gateway) as state:
            block = state._block_of(worker) if worker else None
            kill(*victims)
            if block is not None:
                await asyncio.to_thread(await_end, (worker,), AGAIN_S)
                left = held_in(state, block)
                self.holds += len(left)
                self.reaped.append(await until(lambda: not left & held_in(state, block), "the end of its holds", REAPED_S))

        def whole() -> bool:
            now = family(self.gateway)
            gone = not set(victims) & set(now.children)
            return gone and now.keeper != 0 and readiness(self.gateway)[1]["workers"] == WORKERS

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
        held = f"{self.holds} holds of dead workers settled after {median(self.reaped):.2f} s (at most {max(self.reaped):.2f})"
        return f"whole again after the death of: {', '.join(times)}; orphans gone after at most {max(self.gone):.2f} s; {held}"


def held_in(state: StateFile, block: int) -> set[tuple[int, int]]:
    """(number, generation) of the open holds of a worker's block."""
    found = state.cells.open_slots(hold_ordinal(block, 0), SLOTS_PER_WORKER)
    return {(ordinal, state.cells.slot(ordinal).generation) for ordinal in found}


def budgets() -> str:
    keys = [f'[[key]]\nname = "storm-{at}"\nteam = "storm"\nsecret = "{key}"\n' for at, key in enumerate(KEYS)]
    return "\n".join([*(pot.toml for pot in POTS), '[[team]]\nname = "storm"\n', *keys])


async def test_fifty_rounds_of_kill_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    order = TARGETS.copy()
    random.Random(SEED).shuffle(order)
    with UpstreamThread(by_prompt) as upstream:
        with GatewayUnderTest(tmp_path, upstream.base_url, workers=WORKERS, more=budgets()) as gateway:
            load = Load(gateway.process.port, CLIENTS, seed=SEED, keys=["", *KEYS])
            ground = Ground(gateway, load)
            await load.start()
            for number, target in enumerate(order):
                try:
                    await ground.round(target)
                except BaseException as error:
                    error.add_note(f"seed {SEED}, round {number} ({target}); the log ends:\n{gateway.process.log_end()}")
                    raise
            await load.stop()
            await ground.count()
        assert open_calls(gateway) == 0
        verdict = judge(load.seen, gateway.rows(), upstream.invoice.lines())
    print(f"\n{len(order)} rounds, seed {SEED}: {tally(load.seen)}\n{verdict.line()}\n{ground.line()}")
    assert not verdict.wrong, f"seed {SEED}: {len(verdict.wrong)} breaches, the first: {verdict.wrong[0]}"
    assert verdict.exact > 500 and verdict.died["observed"] > 50 and verdict.died["estimated"] > 5, "the load proves too little"
