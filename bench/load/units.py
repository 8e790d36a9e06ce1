"""The two parts of gw whose speed has a target of its own: the tap that reads streams, the peek that reads requests."""

import tracemalloc
from collections.abc import Callable

from bench.load import answers, bodies
from gw import clock
from gw._fast import Tap, peek

EVENTS = 20_000
CHUNK = 65_536
REPEATS = 15
PEEK_BYTES = 300_000


def measure() -> dict[str, float]:
    """`tap_gb_s`, `tap_allocated_bytes` (the most that reading 20,000 events one by one ever held, beyond what reading one did),
    `peek_gb_s`. Rates are of the fastest of 15 repeats: what disturbs only ever slows down."""
    delta = events_of("some words are here, as a model writes them")
    stream = delta * EVENTS
    chunks = [stream[at : at + CHUNK] for at in range(0, len(stream), CHUNK)]
    body = bodies.turn("whole", size=PEEK_BYTES)

    def tap() -> None:
        feed = Tap().feed
        for chunk in chunks:
            feed(chunk)

    def look() -> None:
        for _ in range(20):
            assert not peek(body).error

    return {
        "tap_gb_s": len(stream) / fastest_ns(tap),
        "tap_allocated_bytes": float(allocated([delta] * EVENTS) - allocated([delta])),
        "peek_gb_s": 20 * len(body) / fastest_ns(look),
    }


def events_of(text: str) -> bytes:
    """One event of this text, as a provider sends it."""
    return answers.event_bytes({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def fastest_ns(work: Callable[[], None]) -> int:
    best = 0
    for _ in range(REPEATS):
        begun = clock.mono_ns()
        work()
        taken = clock.mono_ns() - begun
        best = min(best or taken, taken)
    return best


def allocated(chunks: list[bytes]) -> int:
    """Bytes of Python objects and buffers, at their highest, that feeding these chunks took."""
    feed = Tap().feed
    feed(chunks[0])
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for chunk in chunks:
            feed(chunk)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
