"""`big`: bodies of 1 MB and 4 MB: what they add to a call alone, and how much memory a request in flight takes."""

from bench.load import bodies, loads
from bench.load.contender import Contender
from bench.load.ground import PEERS, Ground, Once
from bench.load.process import MB, resident

SIZES = {"big.1mb": 10**6, "big.4mb": 4 * 10**6}
IN_FLIGHT = 16
HOLD_MS = 1500  # the upstream keeps every answer back until all bodies must have arrived


def run(ground: Ground) -> None:
    options = ground.options
    memory(ground)
    seconds = options.seconds or (2 if options.smoke else 6)
    for name, size in SIZES.items():
        if options.smoke and name != "big.1mb":
            continue
        body = bodies.turn("whole", size=size)

        def once(contender: Contender, name: str = name, body: bytes = body) -> Once:
            kind = bodies.kind(contender, name, body, run=ground.run_name(name, contender), sessions=2)
            return loads.closed_loop(contender, kind, connections=1, seconds=seconds)

        what = f"a body of {len(body) / MB:.1f} MB of Claude Code's, answered at once; one connection, {seconds:g} s a round"
        ground.measure(name, what, once, seconds=seconds, rounds=min(options.rounds, 1 if options.smoke else 3))


def memory(ground: Ground) -> None:
    """The most that a worker's resident set rises above what it was before the first of them, over the bodies in flight."""
    body = bodies.turn(f"hold {HOLD_MS}", size=10**6)
    before: dict[str, int] = {}

    def once(contender: Contender) -> Once:
        kind = bodies.kind(contender, "held", body, run=ground.run_name("big-memory", contender), sessions=2)
        rss = before.setdefault(contender.name, resident(contender.pids()))
        made = loads.closed_loop(contender, kind, connections=IN_FLIGHT, seconds=0.5)
        made.figures["rise_mb"] = made.figures["peak_mb"] - rss / MB
        made.figures["rise_per_body"] = made.figures["rise_mb"] * MB / IN_FLIGHT / len(body)
        return made

    for contender in ground.contenders:  # what a first call brings in is no body's
        kind = bodies.kind(contender, "warm", bodies.small(), run="warm")
        loads.closed_loop(contender, kind, connections=4, seconds=0.5)
    what = (
        f"{IN_FLIGHT} bodies of {len(body) / MB:.1f} MB at once, each answered {HOLD_MS} ms after it came: all in flight together"
    )
    rounds = min(ground.options.rounds, 1 if ground.options.smoke else 3)
    ground.measure("big.memory", what, once, seconds=HOLD_MS / 1000, rounds=rounds, without=("direct", *PEERS))
