"""Where a stream can be ended before its time.

A client that is cut off within the first block sends the whole request again. Behind a finished block, even an empty one, it
takes what was finished for the answer and drops the block that is open (Claude Code 2.1.197 and 2.1.329,
tests/e2e/test_claude_budgets.py).
"""

import re

import orjson

from gw._fast import Tap
from gw.admit.gate import Blocked

GRACE_BYTES = 16_384  # of text, some 5,000 tokens: what a block that cannot be closed may still take to end by itself
HELD_BACK_MAX = 1 << 20  # an event larger than this passes in pieces
EVENT_ENDS = (b"\n\n", b"\r\n\r\n")
_LAST_DATA = re.compile(rb"data: ?([^\r\n]+)\s*\Z")


class Ending:
    """A stream whose budget has refused it more. `now` is asked after each chunk that was passed on."""

    __slots__ = ("_from_bytes", "blocked", "closing", "rest")

    def __init__(self, blocked: Blocked, text_bytes: int) -> None:
        self.blocked = blocked
        self.closing = b""  # what is to be sent before the error, once `now` has said yes
        self.rest = b""  # of an event that is not yet all there
        self._from_bytes = text_bytes

    def whole(self, chunk: bytes) -> bytes:
        """The events that are all there; `rest` waits for the next chunk. Else a stream whose chunks end within events could
        never be ended."""
        found = self.rest + chunk
        end = max(found.rfind(mark) + len(mark) if mark in found else 0 for mark in EVENT_ENDS)
        if not end and len(found) > HELD_BACK_MAX:
            end = len(found)
        self.rest = found[end:]
        return found[:end]

    def now(self, tap: Tap, chunk: bytes, *, opaque: bool) -> bool:
        """Between blocks at once; in a block of text, which gw can close; in any other when it ends or has had its grace."""
        overdue = tap.text_bytes - self._from_bytes > GRACE_BYTES
        if opaque:  # compressed: nothing can be put into it
            return overdue
        if not tap.at_boundary:
            return False
        if not tap.in_block:
            return tap.text_bytes > 0  # before its first block an error is taken for a failure, and all is sent again
        index, in_text = last_delta(chunk)
        if index < 0 or not (in_text or overdue):
            return False
        # A thought without its signature, once closed, comes back with the next request, which the provider then refuses; a
        # tool call that is not whole comes back as an error, by one more request. Open, they are dropped.
        if in_text or index == 0:
            self.closing = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % index
        return True


def last_delta(chunk: bytes) -> tuple[int, bool]:
    """(the block that the chunk's last event adds to, whether it adds text); -1 if it adds to none."""
    found = _LAST_DATA.search(chunk)
    if found is None:
        return -1, False
    try:
        event = orjson.loads(found[1])
        index = event["index"]
        known = event["type"] == "content_block_delta"
        in_text = known and event["delta"]["type"] == "text_delta"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return -1, False
    return (index if known and isinstance(index, int) and index >= 0 else -1), in_text
