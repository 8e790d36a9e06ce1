"""A limit: how fast an account may go, or how many of its calls may run at once. Pure.

Rates are token buckets in the shared state: `amount` flows back per `per_ns`, and at most `burst` is there to be taken at once.
So an account that was idle may take burst + amount within the first `per_ns`. What is known only after a call (tokens,
cost) is charged as debt. `parallel` counts the calls that run.
"""

import re
from typing import Literal

from msgspec import Struct

from gw.domain.scope import Scope, shared_key

LimitKind = Literal["requests", "input_tokens", "output_tokens", "tokens", "usd", "parallel"]
LIMIT_KINDS: tuple[LimitKind, ...] = ("requests", "input_tokens", "output_tokens", "tokens", "usd", "parallel")
AMOUNT_MAX = 10**12  # units that a bucket can hold
NUSD_PER_UNIT = 1000  # a limit of kind usd counts micro-USD: a bucket then holds up to a million USD
PER_NS_MAX = 365 * 86_400 * 10**9

_PER = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9, "w": 604_800 * 10**9}


class Limit(Struct, frozen=True):
    """`amount` and `burst` in requests, tokens, micro-USD (`usd`) or calls (`parallel`, which has neither per nor burst).
    Raises ValueError."""

    id: str
    scope: Scope
    kind: LimitKind
    amount: int
    per_ns: int = 0
    burst: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.amount <= AMOUNT_MAX:
            raise ValueError(f"a limit is 1 to {AMOUNT_MAX}, not {self.amount}")
        if self.kind == "parallel":
            if self.per_ns or self.burst:
                raise ValueError("a limit of parallel calls has no time and no burst")
        elif not (0 < self.per_ns <= PER_NS_MAX and 0 < self.burst <= AMOUNT_MAX):
            raise ValueError(f"not a rate: {self.amount} per {self.per_ns} ns, burst {self.burst}")


def parse_per(text: str) -> int:
    """ "1m" -> 60000000000: ns. A number with s, m, h, d (24 hours) or w, at most a year. Raises ValueError."""
    found = _PER.fullmatch(text)
    if found is None:
        raise ValueError(f'must be a number with s, m, h, d or w, such as "1m", not "{text}"')
    per_ns = int(found[1]) * _NS[found[2]]
    if per_ns > PER_NS_MAX:
        raise ValueError(f'must be at most a year, not "{text}"')
    return per_ns


def usd_units(nusd: int) -> int:
    """What a cost counts in a limit of kind usd: micro-USD, rounded up."""
    return -(-nusd // NUSD_PER_UNIT)


def bucket_key(limit: Limit, account: str) -> int:
    """The bucket, or for `parallel` the cell, of this account. A changed rate keeps it. See `shared_key` for range and odds."""
    return shared_key("gw-bucket", limit.id, limit.kind, limit.scope.identity, account)
