"""One measurement of one contender by gw's own generator: figures and histograms of an open or a closed loop."""

from collections.abc import Sequence

from bench.load.bodies import target_of
from bench.load.contender import Contender
from bench.load.ground import Once, on_load_core
from bench.load.process import Watch
from gw.loadgen.found import Found
from gw.loadgen.generator import ClosedLoop, Load, OpenLoop
from gw.loadgen.histogram import Histogram
from gw.loadgen.request import Kind
from gw.loadgen.schedule import Schedule

NS_PER_US = 1000
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9, "max": 100.0}


def open_loop(
    contender: Contender, kinds: Sequence[Kind], schedule: Schedule, *, warm: int = 16, timeout_s: float = 30.0
) -> Once:
    """Sends the schedule. Latencies are of the first kind, times to first byte of the streams, counts of all kinds together."""
    watch = Watch(contender.pids())

    async def work() -> OpenLoop:
        load = OpenLoop(target_of(contender), kinds, schedule, warm=warm, timeout_s=timeout_s)
        watch.begin()
        await load.run()
        return load

    load: OpenLoop = on_load_core(work)
    total = load.total()
    figures = figures_of(load)
    figures["due"] = float(len(schedule))
    figures |= {f"late_{name}_us": load.lateness.at(PERCENTILES[name]) / NS_PER_US for name in ("p50", "p99")}
    figures |= watch.end(requests=total.answered, events=total.events)
    return Once(figures, {**histograms(load), "lateness": load.lateness}, load.why_late(), failures(total))


def closed_loop(contender: Contender, kind: Kind, *, connections: int, seconds: float, timeout_s: float = 60.0) -> Once:
    watch = Watch(contender.pids())

    async def work() -> ClosedLoop:
        load = ClosedLoop(target_of(contender), [kind], connections, seconds, timeout_s=timeout_s)
        watch.begin()
        await load.run()
        return load

    load: ClosedLoop = on_load_core(work, punctual=False)
    total = load.total()
    figures = figures_of(load) | watch.end(requests=total.answered, events=total.events)
    return Once(figures, histograms(load), failures=failures(total))


def figures_of(load: Load) -> dict[str, float]:
    total, first, streams = load.total(), load.found[0], of_streams(load)
    figures = {"rps": total.answered / load.seconds, "requests": float(total.answered), "failed": float(total.failures)}
    figures |= percentiles(first.latency, "", "p50", "p90", "p99", "p999", "max")
    if streams.events:
        figures["events"] = float(streams.events)
        figures |= percentiles(streams.first_byte, "ttfb_", "p50", "p99")
    if streams.delay.count:
        figures |= percentiles(streams.delay, "delay_", "p50", "p99")
    return figures


def of_streams(load: Load) -> Found:
    """The kinds that were answered by events, together."""
    streams = Found("streams")
    for found in load.found:
        if found.events:
            streams.merge(found)
    return streams


def percentiles(histogram: Histogram, prefix: str, *names: str) -> dict[str, float]:
    return {f"{prefix}{name}_us": histogram.at(PERCENTILES[name]) / NS_PER_US for name in names}


def histograms(load: Load) -> dict[str, Histogram]:
    streams = of_streams(load)
    found = {"latency": load.found[0].latency}
    if streams.events:
        found["first_byte"] = streams.first_byte
    if streams.delay.count:
        found["event_delay"] = streams.delay
    return found


def failures(total: Found) -> str:
    """`12 x status 502, 1 x timeout`, the most frequent first."""
    return ", ".join(f"{count} x {why}" for why, count in total.failed.most_common())
