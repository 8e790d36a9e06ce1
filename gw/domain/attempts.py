"""The attempts of a client's request: what a row says of those before its last, and what becomes of them. Pure.

An attempt that may have been billed has a row of its own. It is *left*: the client had no byte of it, and another attempt
followed, whose row tells of all before it, this one included, and names the first such row in `attempt_of`. So of the rows of one
request the one that is not left says what the client got, and has the whole list.

A request that passes as it is (gw/passing.py) may have rows *beside* its own, for what was used: each item of a batch, an image.
They name it in `attempt_of` as well, and tell of no attempts.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import orjson

LEAVING = ("timed_out", "upstream_error")  # outcomes of an attempt that another one may follow
Then = Literal["again", "elsewhere"]
AGAIN: Then = "again"
ELSEWHERE: Then = "elsewhere"


class Attempt(NamedTuple):
    """`status`: of the upstream's answer, 0 without one. `ms`: from its beginning, waiting for a place included."""

    upstream: str
    status: int
    error: str
    ms: int


class Next(NamedTuple):
    """Where a request went after an attempt that failed: the same upstream `again`, or `elsewhere`."""

    attempt: Attempt
    then: Then


def is_left(outcome: str, status: int) -> bool:
    """Of a row: the client saw nothing of it, since another attempt followed. `status`: that the client saw."""
    return not status and outcome in LEAVING


def is_request(outcome: str, status: int, attempts: str, attempt_of: str) -> bool:
    """Of all rows of a client's request this holds for one."""
    return not (attempt_of and not attempts) and not is_left(outcome, status)


def attempts_of(text: str) -> tuple[Attempt, ...]:
    """What a row's `attempts` say; () for a text that is none of ours."""
    if not text:
        return ()
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ()
    return tuple(_attempts(found)) if isinstance(found, list) else ()


def _attempts(found: list[Any]) -> Iterator[Attempt]:
    for one in found:
        match one:
            case [str(upstream), int(status), str(error), int(ms)]:
                yield Attempt(upstream, status, error, ms)


def nexts(attempts: tuple[Attempt, ...], last: str) -> tuple[Next, ...]:
    """`last`: the upstream of the attempt after these."""
    places = [*(one.upstream for one in attempts), last][1:]
    return tuple(Next(one, AGAIN if one.upstream == place else ELSEWHERE) for one, place in zip(attempts, places, strict=True))
