"""`routed`: what it costs that a call may go to several places, and that an answer is translated.

Beside gw with one upstream stands one with a route of two candidates for the same model, and one whose model is at an upstream
that speaks OpenAI's Chat Completions. All have everything on, and all clients speak Anthropic's Messages.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.load import bodies, contenders, wrk
from bench.load.contender import Contender
from bench.load.ground import Ground, Once
from bench.load.scenarios.small import CONNECTIONS, once_by_wrk
from bench.load.scenarios.streams import EVERY_MS, MARGIN_S, RAMP_S, REST_S, window

ROUTED, TRANSLATED = "gw, routed", "gw, translated"
CHAT_MODEL = "gpt-4.1"
STREAMS = 300
ROUTE = """
[[upstream]]
name = "second"
base_url = "http://127.0.0.1:{port}"
api_key = "env:BENCH_UPSTREAM_KEY"
pool_max = 4096
connections_max = 4096

[[route]]
model = "claude-*"
candidates = [{ upstream = "fake" }, { upstream = "second" }]
"""
CHAT = """
[[upstream]]
name = "chat"
provider = "openai"
api = "chat"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "env:BENCH_UPSTREAM_KEY"
pool_max = 4096
connections_max = 4096

[[route]]
model = "gpt-*"
candidates = [{ upstream = "chat" }]
"""


def closed(ground: Ground) -> None:
    """Calls on one core, as `small.closed`."""
    seconds = ground.options.seconds or 5
    body = bodies.small()

    def once(contender: Contender) -> Once:
        return once_by_wrk(ground, contender, body, CONNECTIONS, seconds)

    if not wrk.installed():
        ground.results.notes.append("routed.closed: not measured, for want of wrk (apt-get install wrk)")
        return
    with beside(ground, {ROUTED: ROUTE}) as names:
        what = f"as small.closed, {CONNECTIONS} connections, {seconds:g} s a round"
        ground.measure("routed.closed", what, once, seconds=seconds, only=names)


def streams(ground: Ground) -> None:
    """An event of a stream, as `streams`: passed as it is, passed by a gateway with routes, and translated."""
    seconds = ground.options.seconds or 10
    events = round((RAMP_S + REST_S + seconds + MARGIN_S) * 1000 / EVERY_MS)
    talk = f"talk {events} {EVERY_MS}"

    def once(contender: Contender) -> Once:
        model = CHAT_MODEL if contender.name == TRANSLATED else bodies.MODEL
        body = bodies.small(talk, stream=True, model=model)
        kind = bodies.kind(contender, "stream", body, run=ground.run_name("routed", contender), streams=True)
        return window(contender, kind, STREAMS, seconds)

    with beside(ground, {ROUTED: ROUTE, TRANSLATED: CHAT}) as names:
        what = f"{STREAMS} streams of text at once, {1000 // EVERY_MS} events/s each; a window of {seconds:g} s, as in streams"
        ground.measure("routed.streams", what, once, seconds=seconds, rounds=min(ground.options.rounds, 3), only=names)


@contextmanager
def beside(ground: Ground, places: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """Those gateways among the contenders, by name -> the TOML that each has more; tells all the names, plain gw first."""
    plain = ground.gateway
    if plain is None:
        yield ()
        return
    with ExitStack() as exits:
        for name, more in places.items():
            folder = ground.folder / name.replace(", ", "-")
            folder.mkdir(exist_ok=True)
            one = contenders.gateway(folder, ground.upstream.port, 1, more)
            one.name = name
            exits.enter_context(one)
            ground.contenders.append(one)
            exits.callback(ground.contenders.remove, one)
        yield (plain.name, *places)
