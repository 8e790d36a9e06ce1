"""`turn`: what Claude Code sends and gets at each step: a body of 100 KB, a stream of 60 events (thought, text, tool call)."""

from collections.abc import Sequence

from bench.load import bodies, loads
from bench.load.contender import Contender
from bench.load.ground import PEERS, Ground, Once
from bench.load.scenarios.accounts import Accounts
from gw.loadgen.schedule import evenly

RPS, SMOKE_RPS, PEER_RPS = 200, 50, 5
EVERY_MS = 10


def run(ground: Ground, name: str = "turn", without: Sequence[str] = ()) -> None:
    options = ground.options
    rps = SMOKE_RPS if options.smoke else RPS
    seconds = options.seconds or (3 if options.smoke else 20)
    body = bodies.turn(f"turn {EVERY_MS}")
    accounts = Accounts(ground, name)

    def once(contender: Contender) -> Once:
        rate = PEER_RPS if contender.name in PEERS else rps
        with accounts.of(contender) as session:
            kind = bodies.kind(contender, "turn", body, run=session, streams=True)
            made = loads.open_loop(contender, [kind], evenly(rate, seconds), warm=rate)
        accounts.add_to(made, contender)
        return made

    what = (
        f"{len(body) / 1000:.0f} KB of Claude Code's, answered by a stream of 60 events, one each {EVERY_MS} ms; open loop, "
        f"{rps} turns/s (peers: {PEER_RPS}) for {seconds:g} s a round, times from the due time"
    )
    rounds = min(options.rounds, 1 if options.smoke else 3)
    ground.measure(name, what, once, seconds=seconds, rounds=rounds, without=without)
