"""`storm`: two thousand connections that say nothing, and callers of whom half leave in mid-flight.

Does the rest get its answers, and is everything given back?
"""

import asyncio
import os
import random
import re
import time
from collections.abc import Sequence

from bench.load import bodies, books, loads
from bench.load.contender import Contender, ContenderFailed
from bench.load.contenders import GatewayContender
from bench.load.ground import PEERS, Ground, Once, on_load_core
from bench.load.process import Watch
from gw.loadgen.connection import Connection
from gw.loadgen.generator import OpenLoop
from gw.loadgen.request import Kind, Target
from gw.loadgen.schedule import at_random, merged

IDLE, SMOKE_IDLE = 2000, 200
LEAVE = "left"
LEAVE_MS_MAX = 150
RATE = {"held": 60.0, "turn": 40.0}  # of each kind, once by callers who stay and once by callers who leave
QUIET_S = 15.0
IN_FLIGHT = re.compile(r"^gw_in_flight (\S+)", re.MULTILINE)


class Storm(OpenLoop):
    """Kinds in the second half of the list are broken off at a random moment after they were sent."""

    def __init__(self, target: Target, kinds: Sequence[Kind], seconds: float, idle: int) -> None:
        plan = merged(at_random(rate, seconds, seed=at, kind=at) for at, rate in enumerate(list(RATE.values()) * 2))
        super().__init__(target, kinds, plan, warm=64)
        self._dice = random.Random(5)
        self._idle = idle
        self.open = 0

    async def run(self) -> None:
        """With the silent connections open all the while."""
        loop = asyncio.get_running_loop()
        silent = []
        try:
            for _ in range(self._idle):
                transport, _ = await loop.create_connection(asyncio.Protocol, self._target.host, self._target.port)
                silent.append(transport)
            self.open = len(silent)
            await super().run()
        finally:
            for transport in silent:
                transport.abort()

    def _send(self, connection: Connection, kind: int, counted: int) -> None:
        super()._send(connection, kind, counted)
        if kind >= len(RATE):
            after = self._dice.uniform(0, LEAVE_MS_MAX) / 1000
            asyncio.get_running_loop().call_later(after, self._leave, connection, connection.sent)

    def _leave(self, connection: Connection, sent: int) -> None:
        if connection.busy and connection.sent == sent:
            connection.abandon(LEAVE)


def run(ground: Ground) -> None:
    options = ground.options
    seconds = options.seconds or (3 if options.smoke else 20)
    idle = SMOKE_IDLE if options.smoke else IDLE

    def once(contender: Contender) -> Once:
        return storm(contender, ground.run_name("storm", contender), seconds, idle)

    what = (
        f"{idle} silent connections; each second {RATE['held']:g} small calls answered after 100 ms and {RATE['turn']:g} turns "
        f"from callers who stay, and as many from callers who leave within {LEAVE_MS_MAX} ms; {seconds:g} s a round"
    )
    rounds = min(options.rounds, 1 if options.smoke else 2)
    ground.measure("storm", what, once, seconds=seconds, rounds=rounds, without=("direct", *PEERS))


def storm(contender: Contender, name: str, seconds: float, idle: int) -> Once:
    held = bodies.kind(contender, "held", bodies.small("hold 100"), run=name)
    turn = bodies.kind(contender, "turn", bodies.turn("turn 5"), run=name, streams=True)
    watch, before = Watch(contender.pids()), files(contender)

    async def work() -> Storm:
        load = Storm(bodies.target_of(contender), [held, turn, held, turn], seconds, idle)
        watch.begin()
        await load.run()
        return load

    load: Storm = on_load_core(work)
    aborted = sum(found.failed.pop(LEAVE, 0) for found in load.found)  # they are no failures of the contender's
    total = load.total()
    figures = loads.figures_of(load) | watch.end(requests=total.answered, events=total.events)
    figures |= {"aborted": float(aborted), "open_connections": float(load.open)}
    in_flight = quiet(contender)
    figures["files_left"] = float(files(contender) - before)
    if in_flight is not None:
        figures["in_flight_after"] = in_flight
    return Once(figures, loads.histograms(load), failures=loads.failures(total))


def files(contender: Contender) -> int:
    """Open descriptors of the worker with the most."""
    return max((len(os.listdir(f"/proc/{pid}/fd")) for pid in contender.pids()), default=0)


def quiet(contender: Contender) -> float | None:
    """Waits until the gateway counts no call as running; what it counts then, or when its time is over."""
    if not isinstance(contender, GatewayContender):
        time.sleep(1)
        return None
    give_up = time.monotonic() + QUIET_S
    while True:
        found = IN_FLIGHT.search(books.get(contender, "/metrics"))
        if not found:
            raise ContenderFailed("gw's /metrics has no gw_in_flight")
        if not float(found[1]) or time.monotonic() > give_up:
            return float(found[1])
        time.sleep(0.2)
