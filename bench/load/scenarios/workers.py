"""Two workers on two cores against one on one.

With two cores there is none left for the load: generator, upstream and keeper share them with the workers. So neither is driven
to its limit. Each worker gets the same rate, well below what it can do, and what counts is the CPU time per request of all
workers: one can do 1/c1 requests per second of its core, two can do 2/c2, so together they do 2 x c1/c2 times as much. What two
workers cost each other (shared budget words, the state file, caches) is in c2; they wait for nothing else, having no locks.
"""

from bench.load import bodies, contenders, loads
from bench.load.contender import Contender, cores, move
from bench.load.ground import Ground, Once
from gw.loadgen.schedule import evenly

RPS, SMOKE_RPS = 1500, 500
KEPT = 0.95  # of the rate: below it, a worker was at its limit, and its CPU per request says nothing
TWO = "gw, two workers"


def run(ground: Ground) -> None:
    one = ground.gateway
    if one is None or len(set(cores())) < 2:
        ground.results.notes.append("workers: not measured, for want of two cores or of gw")
        return
    options = ground.options
    rps = SMOKE_RPS if options.smoke else RPS
    seconds = options.seconds or (4 if options.smoke else 10)
    folder = ground.folder / "two"
    folder.mkdir()
    body = bodies.small()
    with contenders.gateway(folder, ground.upstream.port, 2) as two:
        two.name = TWO
        for pid, core in zip(two.pids(), cores(), strict=True):
            move(pid, core)

        def once(contender: Contender) -> Once:
            rate = rps * len(contender.pids())
            kind = bodies.kind(contender, "small", body, run=ground.run_name("workers", contender))
            made = loads.open_loop(contender, [kind], evenly(rate, seconds), warm=64)
            if made.figures["failed"] or made.figures["rps"] < KEPT * rate:
                counts = {name: made.figures[name] for name in ("requests", "failed")}
                return Once(counts, note=f"{rate} requests/s could not be kept up", failures=made.failures)
            return Once(made.figures, made.histograms)  # lateness does not change what a request costs

        what = f"1 KB calls, open loop, {rps} requests/s for each worker, {seconds:g} s a round; one worker on each core"
        ground.contenders.append(two)
        try:
            ground.measure("workers", what, once, seconds=seconds, only=(one.name, TWO))
        finally:
            ground.contenders.remove(two)
