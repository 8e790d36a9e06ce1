"""`gw bench`, from an address to figures: one kind of call at a fixed rate, and what came of it."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import uvloop
from msgspec import Struct

from gw.loadgen.generator import OpenLoop
from gw.loadgen.histogram import Histogram
from gw.loadgen.request import CLIENT_HEADERS, MESSAGES, Kind, encode, target_of
from gw.loadgen.schedule import evenly

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
MAX_TOKENS = 16
NS_PER_MS = 1e6

Spread = dict[str, float]  # name of a percentile -> milliseconds


class Trial(Struct, frozen=True, omit_defaults=True):
    """`failed`: why -> how many. `worthless`: why the times must not be believed; "" if they may."""

    url: str
    due: int
    answered: int
    failed: dict[str, int]
    seconds: float
    connections: int
    latency_ms: Spread
    late_ms: Spread
    worthless: str
    first_byte_ms: Spread = {}
    events: int = 0


def trial(
    url: str, headers: Mapping[str, str], body: bytes, *, rps: float, seconds: float, stream: bool, timeout_s: float
) -> Trial:
    """Sends `body` at this rate. Raises ValueError for an address, a header or a rate that cannot be."""
    target = target_of(url)
    kind = Kind("messages", [encode(target, MESSAGES, {**CLIENT_HEADERS, **headers}, body)], stream)
    schedule = evenly(rps, seconds)

    async def work() -> OpenLoop:
        load = OpenLoop(target, [kind], schedule, timeout_s=timeout_s)
        await load.run()
        return load

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        load = runner.run(work())
    found = load.found[0]
    return Trial(
        url=url,
        due=len(schedule),
        answered=found.answered,
        failed=dict(found.failed.most_common()),
        seconds=round(load.seconds, 3),
        connections=load.connections_opened,
        latency_ms=spread(found.latency),
        late_ms=spread(load.lateness),
        worthless=load.why_late(),
        first_byte_ms=spread(found.first_byte) if stream else {},
        events=found.events,
    )


def ask(model: str, size: int, *, stream: bool) -> bytes:
    """A request for a short answer, of `size` bytes or the little that it takes."""
    messages = [{"role": "user", "content": "Say hello. "}]
    body: dict[str, Any] = {"model": model, "max_tokens": MAX_TOKENS, "stream": stream, "messages": messages}
    messages[0]["content"] += "x" * (size - len(json.dumps(body)))
    return json.dumps(body).encode()


def spread(histogram: Histogram) -> Spread:
    return {name: round(histogram.at(percentile) / NS_PER_MS, 3) for name, percentile in PERCENTILES.items()}
