"""When each request is due: fixed before the first one is sent, so that a slow gateway cannot make its load lighter. Pure."""

import random
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Schedule:
    """`offsets_ns` ascend from 0; `kinds[i]` says what is sent then (an index into the caller's list of kinds)."""

    offsets_ns: "array[int]" = field(repr=False)
    kinds: "array[int]" = field(repr=False)

    def __len__(self) -> int:
        return len(self.offsets_ns)


def evenly(rps: float, seconds: float, *, kind: int = 0) -> Schedule:
    """One every 1/rps seconds, from 0 on and before `seconds`. Raises ValueError for a rate or length of 0 or less."""
    _check(rps, seconds)
    count = max(1, round(rps * seconds))
    offsets = array("q", (round(index * SECOND_NS / rps) for index in range(count)))
    return Schedule(offsets, array("H", [kind]) * count)


def at_random(rps: float, seconds: float, *, seed: int, kind: int = 0) -> Schedule:
    """As many as come independently of each other (a Poisson process), the same for the same seed."""
    _check(rps, seconds)
    dice, offsets, at, end = random.Random(seed), array("q"), 0.0, seconds * SECOND_NS
    while at < end:
        offsets.append(round(at))
        at += dice.expovariate(rps) * SECOND_NS
    return Schedule(offsets, array("H", [kind]) * len(offsets))


def merged(schedules: Iterable[Schedule]) -> Schedule:
    """All of them together, in order of time."""
    both = sorted((at, kind) for one in schedules for at, kind in zip(one.offsets_ns, one.kinds, strict=True))
    return Schedule(array("q", (at for at, _ in both)), array("H", (kind for _, kind in both)))


def _check(rps: float, seconds: float) -> None:
    if rps <= 0 or seconds <= 0:
        raise ValueError(f"{rps} requests/s for {seconds} s is no load")
