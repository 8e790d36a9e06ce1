"""What the micro-benchmarks have in common: a call is made many times within one round, and the figures are of one call.

A round's time includes the loop and Python's own way to the function, some 25 ns together (bench_cells: "nothing"). What is
reported of the rounds is the fastest: whatever disturbs a round only ever slows it down.
"""

import tracemalloc
from collections.abc import Callable
from itertools import repeat

from pytest_benchmark.fixture import BenchmarkFixture

CALLS = 1_000
HELD_CALLS = 64


def each(
    benchmark: BenchmarkFixture,
    call: Callable[[], object],
    *,
    calls: int = CALLS,
    size: int = 0,
    events: int = 1,
    part: Callable[[], object] | None = None,
) -> None:
    """Measures one call, which deals with `events` events, or `size` bytes.

    Notes "ns" (of one event), "GB/s" (if it has a size) and "takes": see `taken_bytes`, of `part` where `call` is a loop over it.
    """
    call()
    benchmark.extra_info["takes"] = taken_bytes(part or call)
    benchmark(made, call, calls)
    note(benchmark, calls, size=size, events=events)


def made(call: Callable[[], object], calls: int) -> None:
    for _ in repeat(None, calls):
        call()


def note(benchmark: BenchmarkFixture, calls: int, *, size: int = 0, events: int = 1) -> None:
    """Of rounds of `calls` calls. Nothing is known where benchmarks are only tried (--benchmark-disable)."""
    if benchmark.stats is None:
        return
    call_s = benchmark.stats.stats.min / calls
    benchmark.extra_info["ns"] = round(call_s / events * 1e9, 1)
    if size:
        benchmark.extra_info["GB/s"] = round(size / call_s / 1e9, 2)


def taken_bytes(call: Callable[[], object]) -> int:
    """Bytes of Python objects that a call takes at its highest, what it returns included. 0: it makes none."""
    return max(0, _highest(call) - _highest(_nothing))


def _highest(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in repeat(None, HELD_CALLS):
            call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def _nothing() -> None:
    pass
