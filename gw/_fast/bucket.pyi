from collections.abc import Iterable

from typing_extensions import Buffer

LIMITS_MAX: int
UNITS_MAX: int  # of one take or debt, and of a burst
NEVER: int  # the wait for more units than the burst
BUCKET_BYTES: int

def buckets_bytes(capacity: int) -> int:
    """Size of the memory for so many buckets, a power of two. ValueError."""

class Buckets:
    """One time per limit and account, in memory shared by any number of processes; see Limit. Buckets stay for good."""

    capacity: int
    def __init__(self, memory: Buffer, capacity: int) -> None:
        """`memory`: as for Cells, `buckets_bytes()` long. ValueError."""

    def find(self, key: int) -> int:
        """Index of the bucket with this key (1 .. 2**64 - 1), entered full if absent; -1 if none within reach is free."""

    def lookup(self, key: int) -> int:
        """Index of the bucket with this key, or -1."""

    def arrival(self, index: int) -> tuple[int, int]:
        """When all that was taken will be earned: ns, and the rest of a nanosecond in parts of the limit's."""

class Limit:
    """`units` per `per_ns`, with a burst: a token bucket, exact. Times are ns of CLOCK_MONOTONIC, the same clock in all
    processes of a host. Debts count up to 73 years, rates from 1 a year to 10**12 a second. Units outside 0 .. UNITS_MAX
    raise ValueError."""

    buckets: Buckets
    index: int
    def __init__(self, buckets: Buckets, key: int, units: int, per_ns: int, burst: int) -> None:
        """ValueError; OverflowError: no bucket is free."""

    def take(self, units: int, now_ns: int) -> int:
        """0: taken. Else nothing is, and it would be after so many ns, if nobody else takes; NEVER: more than the burst."""

    def check(self, now_ns: int) -> int:
        """ns until what was charged is no more than the burst; 0: no debt beyond it."""

    def debt(self, units: int, now_ns: int) -> None:
        """Charges what is known only afterwards. Refuses nothing."""

    def give(self, units: int) -> None:
        """Undoes a take."""

class Limits:
    """Limits taken together, each with a bucket of its own; immutable."""

    limits: tuple[Limit, ...]
    def __init__(self, limits: Iterable[Limit]) -> None:
        """At most LIMITS_MAX. ValueError."""

    def __len__(self) -> int: ...
    def take_all(self, units: int, now_ns: int) -> tuple[int, int] | None:
        """None: taken from each. Else from none: which limit refuses longest, and ns after which all would be taken."""

    def give_all(self, units: int) -> None:
        """Undoes a take_all."""
