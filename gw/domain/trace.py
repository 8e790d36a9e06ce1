"""Trace context (W3C Trace Context, level 1): which trace a call belongs to, and gw's own place in it. Pure.

gw's span has an id that follows from the call's: nothing but what the caller sent is stored, and whoever exports the span later,
or twice, gives it the same id. A call that came without a valid `traceparent` is a trace of its own, likewise by its id.
"""

import re
from hashlib import blake2b
from typing import NamedTuple

SAMPLED = 1  # of the flags
# Version 00 ends after the flags; a later one may go on after a hyphen (section 3.2.4). Version ff is no version.
_PARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)


class Parent(NamedTuple):
    """Who called: ids in lower-case hex, "" for none."""

    trace_id: str = ""
    span_id: str = ""
    flags: int = 0


NO_PARENT = Parent()


def parent_of(traceparent: bytes) -> Parent:
    """Of the header as sent; NO_PARENT for one that is not valid, which counts as none was sent."""
    found = _PARENT.fullmatch(traceparent)
    if found is None or (found[1] == b"00" and found[5] is not None):
        return NO_PARENT
    return Parent(found[2].decode(), found[3].decode(), int(found[4], 16))


def trace_id_of(call_id: str) -> str:
    """Of a call without a parent: 32 hex digits, evenly spread, so that a share of traces is a share of calls."""
    return blake2b(call_id.encode(), digest_size=16, person=b"gw trace").hexdigest()


def span_id_of(call_id: str) -> str:
    """16 hex digits."""
    return blake2b(call_id.encode(), digest_size=8, person=b"gw span").hexdigest()
