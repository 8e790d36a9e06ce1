"""Stretches of calendar time: the hours, days, weeks and months of a time zone that a question's answer is cut into. Pure.

Rollups are kept by whole hours of UTC. Where a zone's day begins within one (India, Nepal: at :30, :45), that hour is read from
its calls; where those are gone, it counts in the bucket before (`whole_hours`). Both ends of the question are exact.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

from gw.domain.window import bounds, parse_window
from gw.ledger.rollup_shape import DAY_US, HOUR_US
from gw.ledger.usage_sql import Stretch

Bucket = Literal["none", "hour", "day", "week", "month"]
BUCKETS: tuple[Bucket, ...] = get_args(Bucket)
LENGTH_US: dict[Bucket, int] = {"hour": HOUR_US, "day": DAY_US, "week": 7 * DAY_US, "month": 28 * DAY_US}  # about, at least


def bounds_of(bucket: Bucket, from_us: int, to_us: int, zone: str) -> list[int]:
    """`from_us`, where buckets begin in between, `to_us`."""
    inner: list[int] = []
    if bucket == "hour":
        inner = list(range(from_us - from_us % HOUR_US + HOUR_US, to_us, HOUR_US))
    elif bucket != "none":
        window, at_us = parse_window(bucket, zone), from_us
        while (at_us := bounds(window, at_us)[1]) < to_us:
            inner.append(at_us)
    return [from_us, *(at_us for at_us in inner if from_us < at_us < to_us), to_us]


def count_of(bucket: Bucket, from_us: int, to_us: int) -> int:
    """How many there are at most."""
    return 1 if bucket == "none" else (to_us - from_us) // LENGTH_US[bucket] + 2


def stretches_of(limits: Sequence[int]) -> list[Stretch]:
    """Between one bound and the next."""
    return [Stretch(number, start, end) for number, (start, end) in enumerate(pairwise(limits))]


def before(limits: Sequence[int]) -> list[int]:
    """The bounds of the period of the same length before, one by one."""
    length = limits[-1] - limits[0]
    return [at_us - length for at_us in limits[:-1]] + [limits[0]]


def whole_hours(limits: Sequence[int], before_us: int | None = None) -> list[int]:
    """The bounds with those between both ends at the first whole hour at or after them; with `before_us` only those whose hour
    is over by then."""
    inner = ((at_us, -(-at_us // HOUR_US) * HOUR_US) for at_us in limits[1:-1])
    known = (at_us if before_us is not None and over_us > before_us else over_us for at_us, over_us in inner)
    return [limits[0], *(min(at_us, limits[-1]) for at_us in known), limits[-1]]


def start_of(bucket: Bucket, at_us: int, zone: str) -> int:
    """When the day, week or month began that holds this instant."""
    return bounds(parse_window(bucket, zone), at_us)[0]


def end_of(bucket: Bucket, at_us: int, zone: str) -> int:
    return bounds(parse_window(bucket, zone), at_us)[1]
