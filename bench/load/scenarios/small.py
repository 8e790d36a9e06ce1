"""`small`: a request of 1 KB and an answer of 0.9 KB, the shape of the published figures.

Closed loop on 64 connections (how much one core can do), open loop at 5,000 requests per second (what a client sees of it), and
one connection alone (what a call costs when nothing else runs).
"""

from collections.abc import Sequence

from bench.load import bodies, loads, wrk
from bench.load.contender import Contender, cores
from bench.load.ground import PEERS, Ground, Once
from bench.load.process import Watch
from bench.load.scenarios.accounts import Accounts
from gw.loadgen.schedule import evenly

CONNECTIONS = 64
RPS, SMOKE_RPS, PEER_RPS = 5000, 1000, 50
SHAPE = "POST /v1/messages of 1 KB, not streamed, answered at once with 0.9 KB"


def closed(ground: Ground) -> None:
    _by_wrk(ground, "small.closed", CONNECTIONS, ground.options.seconds or (2 if ground.options.smoke else 5))


def alone(ground: Ground, name: str = "small.alone") -> None:
    _by_wrk(ground, name, 1, ground.options.seconds or (2 if ground.options.smoke else 4))


def _by_wrk(ground: Ground, name: str, connections: int, seconds: float) -> None:
    body = bodies.small()
    with_wrk = wrk.installed()
    if not with_wrk:
        ground.results.notes.append(f"{name}: wrk is missing (apt-get install wrk), so gw's own generator was the client")

    def once(contender: Contender) -> Once:
        if not with_wrk:
            kind = bodies.kind(contender, "small", body, run=ground.run_name(name, contender))
            return loads.closed_loop(contender, kind, connections=connections, seconds=seconds)
        return once_by_wrk(ground, contender, body, connections, seconds)

    warm_up(ground, body, connections)
    client = "wrk, one thread" if with_wrk else "gw's own generator"
    what = f"{SHAPE}; closed loop, {connections} connections, {client} on the load's core, {seconds:g} s a round"
    ground.measure(name, what, once, seconds=seconds, rounds=1 if connections == 1 and ground.options.smoke else 0)


def warm_up(ground: Ground, body: bytes, connections: int) -> None:
    """Connections, caches, and what each contender prepares at its first call."""
    for contender in ground.contenders:
        loads.closed_loop(contender, bodies.kind(contender, "warm", body, run="warm"), connections=connections, seconds=0.5)


def once_by_wrk(ground: Ground, contender: Contender, body: bytes, connections: int, seconds: float) -> Once:
    """A closed loop of wrk's on the load's core."""
    watch = Watch(contender.pids())
    watch.begin()
    run = wrk.run(contender, body, ground.folder, core=cores()[1], connections=connections, seconds=seconds)
    figures = run.figures()
    failures = f"{run.failed} requests failed, as wrk says" if run.failed else ""
    return Once(figures | watch.end(requests=int(figures["requests"])), failures=failures)


def open_loop(ground: Ground, name: str = "small.open", seconds: float = 60, without: Sequence[str] = ()) -> None:
    options = ground.options
    rps = SMOKE_RPS if options.smoke else RPS
    seconds = options.seconds or (3 if options.smoke else seconds)
    body = bodies.small()
    accounts = Accounts(ground, name)
    warm_up(ground, body, CONNECTIONS)

    def once(contender: Contender) -> Once:
        rate = PEER_RPS if contender.name in PEERS else rps
        with accounts.of(contender) as run:
            kind = bodies.kind(contender, "small", body, run=run)
            made = loads.open_loop(contender, [kind], evenly(rate, seconds), warm=CONNECTIONS)
        accounts.add_to(made, contender)
        return made

    what = f"{SHAPE}; open loop, {rps} requests/s (peers: {PEER_RPS}) for {seconds:g} s a round, latency from the due time"
    rounds = min(options.rounds, 1 if options.smoke else 2)
    ground.measure(name, what, once, seconds=seconds, rounds=rounds, without=without)
