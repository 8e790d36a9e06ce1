"""What gw itself adds to a call, of all calls since the gateway started: read from what the metrics count (gw/ops/metrics.py)."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from gw.ops.metrics import OVERHEAD, OVERHEAD_NS
from gw.ops.state import StateFile


class Added(NamedTuple):
    calls: int
    half_ns: int  # half of the calls take no longer, as far as the bounds of the histogram tell; 0: longer than its last
    most_ns: int  # 99 in a hundred


def added(state: StateFile) -> Added | None:
    """None: no call has ended."""
    below = list(accumulate(state.counter_sum(OVERHEAD + at) for at in range(len(OVERHEAD_NS) + 1)))
    return Added(below[-1], within(below, 50), within(below, 99)) if below[-1] else None


def within(below: Sequence[int], percent: int) -> int:
    """Nanoseconds, between two bounds in proportion. `below`: how many calls took no longer than each bound, and last all."""
    wanted, before, start_ns = below[-1] * percent, 0, 0
    for count, bound_ns in zip(below, OVERHEAD_NS, strict=False):
        if count * 100 >= wanted:
            return start_ns + (bound_ns - start_ns) * (wanted - before * 100) // max((count - before) * 100, 1)
        before, start_ns = count, bound_ns
    return 0
