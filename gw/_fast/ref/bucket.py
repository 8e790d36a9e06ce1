"""Pure twin of bucket.pyx and bucket.h: same layout, same results; for one process at a time, like table.py."""

from collections.abc import Iterable
from math import gcd
from typing import TYPE_CHECKING

from gw._fast.ref.table import Table, checked_capacity, checked_key, signed, words_of

if TYPE_CHECKING:
    from typing_extensions import Buffer

LIMITS_MAX = 24
UNITS_MAX = 10**12
NEVER = 2**63 - 1
BUCKET_BYTES = 64
FAR = NEVER // 4

Time = tuple[int, int]  # ns, and parts of a nanosecond, less than one


def buckets_bytes(capacity: int) -> int:
    return checked_capacity(capacity) * BUCKET_BYTES


def checked(units: int) -> int:
    if not 0 <= units <= UNITS_MAX:
        raise ValueError(f"units must be 0 .. {UNITS_MAX}, not {units}")
    return units


class Buckets:
    def __init__(self, memory: "Buffer", capacity: int) -> None:
        self.capacity = capacity
        self._table = Table(words_of(memory, buckets_bytes(capacity), "buckets"), capacity)

    def find(self, key: int) -> int:
        return self._table.find(checked_key(key))[0]

    def lookup(self, key: int) -> int:
        return self._table.lookup(signed(key))[0]

    def arrival(self, index: int) -> Time:
        if not 0 <= index < self.capacity:
            raise IndexError(f"no bucket {index}")
        return self._table.pair(index, 1)


class Limit:
    def __init__(self, buckets: Buckets, key: int, units: int, per_ns: int, burst: int) -> None:
        if not (0 < units <= UNITS_MAX and 0 < per_ns <= 2**62 and 0 < burst <= UNITS_MAX):
            raise ValueError(f"not a rate limit: {units} units in {per_ns} ns, burst {burst}")
        self.buckets = buckets
        self.index = buckets.find(key)
        if self.index < 0:
            raise OverflowError("all buckets within reach of the key are taken")
        shared = gcd(units, per_ns)
        self._nanos, self._parts, self._burst = per_ns // shared, units // shared, burst
        self._tolerance = self._cost(burst)

    def _cost(self, units: int) -> Time:
        whole, rest = divmod(units * self._nanos, self._parts)
        return (whole, rest) if whole <= FAR else (FAR, 0)

    def _sum(self, a: Time, b: Time) -> Time:
        carry, rest = divmod(a[1] + b[1], self._parts)
        return a[0] + b[0] + carry, rest

    def _seen(self) -> Time:
        value, rest = self.buckets.arrival(self.index)
        return (value, rest) if rest < self._parts else (value + 1, 0)

    def _start(self, now_ns: int) -> Time:
        seen = self._seen()
        return (now_ns, 0) if seen[0] < now_ns else min(seen, (now_ns + FAR, 0))

    def _wait(self, arrival: Time, now_ns: int) -> int:
        allowed = self._sum((now_ns, 0), self._tolerance)
        return max(arrival[0] - allowed[0] + (arrival[1] > allowed[1]), 0)

    def _set(self, arrival: Time) -> None:
        self.buckets._table.put(self.index, 1, *arrival)

    def _wait_for(self, units: int, now_ns: int) -> int:
        if units > self._burst:
            return NEVER
        return self._wait(self._sum(self._start(now_ns), self._cost(units)), now_ns)

    def take(self, units: int, now_ns: int) -> int:
        wait_ns = self._wait_for(checked(units), now_ns)
        if wait_ns == 0:
            self.debt(units, now_ns)
        return wait_ns

    def check(self, now_ns: int) -> int:
        return self._wait(self._start(now_ns), now_ns)

    def debt(self, units: int, now_ns: int) -> None:
        self._set(self._sum(self._start(now_ns), self._cost(checked(units))))

    def give(self, units: int) -> None:
        value, rest = self._seen()
        cost = self._cost(checked(units))
        borrow, parts = divmod(rest - cost[1], self._parts)
        self._set((value - cost[0] + borrow, parts))


class Limits:
    def __init__(self, limits: Iterable[Limit]) -> None:
        self.limits = tuple(limits)
        if len(self.limits) > LIMITS_MAX:
            raise ValueError(f"at most {LIMITS_MAX} limits, not {len(self.limits)}")
        if len({limit.index for limit in self.limits}) < len(self.limits):
            raise ValueError("limits taken together have a bucket each")

    def __len__(self) -> int:
        return len(self.limits)

    def take_all(self, units: int, now_ns: int) -> tuple[int, int] | None:
        waits = [limit._wait_for(checked(units), now_ns) for limit in self.limits]
        longest = max(waits, default=0)
        if longest > 0:
            return waits.index(longest), longest
        for limit in self.limits:
            limit.debt(units, now_ns)
        return None

    def give_all(self, units: int) -> None:
        for limit in self.limits:
            limit.give(units)
