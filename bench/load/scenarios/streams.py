"""`streams`: many streams at once, each at the pace of a model that writes: what an event costs, and how long it is under way."""

import asyncio

from bench.load import bodies, loads
from bench.load.contender import Contender
from bench.load.ground import PEERS, Ground, Once, on_load_core
from bench.load.process import Watch
from gw import clock
from gw.loadgen.found import Found
from gw.loadgen.generator import ClosedLoop
from gw.loadgen.histogram import Histogram
from gw.loadgen.request import Kind

COUNT, SMOKE_COUNT, PEER_COUNT = 1000, 200, 20
EVERY_MS = 50
RAMP_S = 1.5
REST_S = 0.5  # after the last stream has begun, before the window
MARGIN_S = 0.5  # streams go on for this long after the window


def run(ground: Ground) -> None:
    options = ground.options
    count = SMOKE_COUNT if options.smoke else COUNT
    seconds = options.seconds or (3 if options.smoke else 15)
    events = round((RAMP_S + REST_S + seconds + MARGIN_S) * 1000 / EVERY_MS)
    body = bodies.small(f"talk {events} {EVERY_MS}", stream=True)

    def once(contender: Contender) -> Once:
        kind = bodies.kind(contender, "stream", body, run=ground.run_name("streams", contender), streams=True)
        return window(contender, kind, PEER_COUNT if contender.name in PEERS else count, seconds)

    what = (
        f"{count} streams of text at once (peers: {PEER_COUNT}), {1000 // EVERY_MS} events/s each, begun over {RAMP_S:g} s; "
        f"a window of {seconds:g} s in which none begins or ends"
    )
    ground.measure("streams", what, once, seconds=seconds, rounds=min(options.rounds, 1 if options.smoke else 3))


def window(contender: Contender, kind: Kind, count: int, seconds: float) -> Once:
    """Figures of a window in which all the streams run; failures and time to first byte are of the streams as a whole."""
    watch, figures = Watch(contender.pids()), {}

    async def work() -> Found:
        load = ClosedLoop(bodies.target_of(contender), [kind], count, RAMP_S + REST_S, ramp_s=RAMP_S)
        found = load.found[0]
        running = asyncio.create_task(load.run(), name="streams")
        await asyncio.sleep(RAMP_S + REST_S)
        watch.begin()
        begun, events = clock.mono_ns(), found.events
        found.delay = Histogram()
        await asyncio.sleep(seconds)
        delay, found.delay = found.delay, Histogram()
        length, events = (clock.mono_ns() - begun) / 1e9, found.events - events
        figures.update(watch.end(events=events))
        figures.update({"events": float(events), "events_per_s": events / length})
        figures.update(loads.percentiles(delay, "delay_", "p50", "p99"))
        await running
        found.delay = delay
        return found

    found: Found = on_load_core(work)
    figures |= {"requests": float(found.answered), "failed": float(found.failures)}
    figures |= loads.percentiles(found.first_byte, "ttfb_", "p50", "p99")
    return Once(figures, {"first_byte": found.first_byte, "event_delay": found.delay}, failures=loads.failures(found))
