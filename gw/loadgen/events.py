"""Reads a stream of server-sent events as a client would, and when each was sent, if the upstream says so. Sans-IO.

A fake upstream on the same machine writes the moment at which it hands an event to the kernel into that event, as
`@` and 19 digits and `@`: nanoseconds of the monotonic clock, which all processes share. What anybody else sends has no stamps.
"""

import re

STAMP = re.compile(rb"@(\d{19})@")
END = b"\n\n"  # of an event; gateways for Claude Code send no other line ends


def stamp(now_ns: int) -> bytes:
    return b"@%019d@" % now_ns


class Events:
    """One answer. `count`: events that are whole; `ended`: `message_stop` was among them; `error`: so was an error event."""

    __slots__ = ("_rest", "count", "ended", "error")

    def __init__(self) -> None:
        self._rest = b""
        self.count = 0
        self.ended = False
        self.error = False

    def feed(self, data: bytes) -> list[bytes]:
        """The stamps of the events that these bytes complete."""
        if self._rest:
            data = self._rest + data
        end = data.rfind(END) + 2
        if end < 2:
            self._rest = data
            return []
        if end == len(data):
            self._rest = b""
        else:
            self._rest = data[end:]
            data = data[:end]
        self.count += data.count(END)
        if b"event: message_stop" in data:
            self.ended = True
        if b"event: error" in data:
            self.error = True
        return STAMP.findall(data)
