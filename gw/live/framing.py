"""What workers and the keeper say to each other about live tails, on a unix socket in the state directory. Pure.

A worker sends one frame, a `Subscription`; the keeper then sends frames for as long as the worker stays. A frame is its length
(4 bytes, little-endian, of all that follows), the number of the last call that it tells of or passes over (8 bytes), and what
the watcher is to get as it stands: events of `text/event-stream`, or one JSON message.
"""

from struct import Struct as Packed
from typing import Literal

import msgspec
import orjson
from msgspec import Struct

SOCKET_FILE = "live.sock"
SUBSCRIPTION_BYTES_MAX = 1 << 20
HEAD = Packed("<IQ")
LENGTH = Packed("<I")

CALL_MARK = b"event: call\n"  # once for each call in events; no text of a call holds a line's end

Style = Literal["events", "messages"]


class Subscription(Struct, frozen=True, kw_only=True):
    """`query`: parameters of a filter (gw.ledger.log_filter); `now_us` is what its spans count from. `after` -1: from now on."""

    style: Style
    query: dict[str, str] = {}
    fields: tuple[str, ...] = ()
    scope: tuple[str, str, str] = ("all", "", "")
    now_us: int = 0
    after: int = -1


class BadSubscription(ValueError):
    """It cannot be read."""


def subscription_frame(one: Subscription) -> bytes:
    payload = msgspec.json.encode(one)
    return LENGTH.pack(len(payload)) + payload


def read_subscription(payload: bytes) -> Subscription:
    try:
        return msgspec.json.decode(payload, type=Subscription)
    except msgspec.MsgspecError as error:
        raise BadSubscription(str(error)) from error


def frame(seq: int, payload: bytes) -> bytes:
    return HEAD.pack(len(payload) + HEAD.size - LENGTH.size, seq) + payload


def event(seq: int, encoded: bytes) -> bytes:
    """One call as an event."""
    return b"id: %d\nevent: call\ndata: %b\n\n" % (seq, encoded)


def call(style: Style, seq: int, encoded: bytes) -> bytes:
    """One call, encoded as JSON, as it stands in `calls`."""
    return event(seq, encoded) if style == "events" else encoded


def calls(style: Style, parts: list[bytes]) -> bytes:
    """Of what `call` made."""
    return b"".join(parts) if style == "events" else b'{"type":"calls","items":[%b]}' % b",".join(parts)


def at(style: Style, seq: int) -> bytes:
    """What follows comes after this one."""
    return b": after %d\n\n" % seq if style == "events" else orjson.dumps({"type": "at", "seq": seq})


def lost(style: Style, seq: int, count: int) -> bytes:
    """So many calls were not told, the last of them with this number."""
    if style == "events":
        return b'id: %d\nevent: lost\ndata: {"count":%d}\n\n' % (seq, count)
    return orjson.dumps({"type": "lost", "count": count, "seq": seq})
