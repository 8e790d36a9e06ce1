"""`mixed` and `soak`: what a company's traffic is like: many small calls, turns, streams, now and then a very large body.

Latencies are those of the small calls, times to first byte those of the streams. `soak` is the same for ten minutes or more, to
see whether memory grows.
"""

import asyncio
from collections.abc import Sequence

from bench.load import bodies, loads
from bench.load.contender import Contender
from bench.load.ground import PEERS, Ground, Once, on_load_core
from bench.load.process import Watch, resident, slope
from gw import clock
from gw.loadgen.generator import OpenLoop
from gw.loadgen.request import Kind
from gw.loadgen.schedule import Schedule, at_random, merged

# Kind -> requests per second.
RATES = {"small": 400.0, "turn": 40.0, "talk": 10.0, "big": 2.0}
SAMPLE_S = 1.0
SETTLING = 4  # the first quarter of a soak is left out: pools and caches grow to their size


def mixed(ground: Ground) -> None:
    options = ground.options
    seconds = options.seconds or (4 if options.smoke else 20)
    rates = scaled(0.25 if options.smoke else 1)

    def once(contender: Contender) -> Once:
        kinds = kinds_for(contender, ground.run_name("mixed", contender))
        return loads.open_loop(contender, kinds, schedule(rates, seconds), warm=64)

    what = f"{told(rates)} requests/s, arriving at random, for {seconds:g} s a round; turns and talks stream"
    rounds = min(options.rounds, 1 if options.smoke else 3)
    ground.measure("mixed", what, once, seconds=seconds, rounds=rounds, without=PEERS)


def soak(ground: Ground) -> None:
    """The gateway alone: nothing is compared but its memory with itself."""
    seconds = ground.options.soak_s
    rates = scaled(1)

    def once(contender: Contender) -> Once:
        return soaked(contender, kinds_for(contender, ground.run_name("soak", contender)), schedule(rates, seconds))

    what = f"{told(rates)} requests/s, arriving at random, for {seconds:g} s without a pause"
    ground.measure("soak", what, once, seconds=seconds, rounds=1, only=("gw",))


def soaked(contender: Contender, kinds: Sequence[Kind], plan: Schedule) -> Once:
    """An open loop beside which the resident set is read every second."""
    pids = contender.pids()
    watch, points = Watch(pids), []

    async def work() -> OpenLoop:
        load = OpenLoop(bodies.target_of(contender), kinds, plan, warm=64)
        running = asyncio.create_task(load.run(), name="soak")
        watch.begin()
        while not running.done():
            points.append((clock.mono_ns() / 60e9, resident(pids) / 1000))
            await asyncio.wait([running], timeout=SAMPLE_S)
        running.result()
        return load

    load: OpenLoop = on_load_core(work)
    total = load.total()
    figures = loads.figures_of(load) | watch.end(requests=total.answered, events=total.events)
    figures["slope_kb_per_min"] = slope(points[len(points) // SETTLING :])
    return Once(figures, loads.histograms(load), failures=loads.failures(total))


def kinds_for(contender: Contender, run: str) -> list[Kind]:
    """In the order of RATES."""
    return [
        bodies.kind(contender, "small", bodies.small(), run=run),
        bodies.kind(contender, "turn", bodies.turn("turn 10"), run=run, streams=True),
        bodies.kind(contender, "talk", bodies.small("talk 60 50", stream=True), run=run, streams=True),
        bodies.kind(contender, "big", bodies.turn("whole", size=10**6), run=run, sessions=4),
    ]


def schedule(rates: dict[str, float], seconds: float) -> Schedule:
    return merged(at_random(rate, seconds, seed=number, kind=number) for number, rate in enumerate(rates.values()))


def scaled(factor: float) -> dict[str, float]:
    return {name: rate * factor for name, rate in RATES.items()}


def told(rates: dict[str, float]) -> str:
    return ", ".join(f"{rate:g} {name}" for name, rate in rates.items())
