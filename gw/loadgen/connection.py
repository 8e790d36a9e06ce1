"""One HTTP/1.1 connection of the generator: one request at a time, each measured to its last byte, then used again.

The parser is httptools, in C: the generator shares a core with the upstream, so what it spends is missing there.
"""

import asyncio
import socket
from typing import Protocol, cast

import httptools

from gw import clock
from gw.loadgen.events import Events
from gw.loadgen.found import Found


class Owner(Protocol):
    """Who opened the connection."""

    def finished(self, connection: "Connection") -> None:
        """Once for each request: it is counted, as answered or as failed. A connection that is `closing` takes no other."""

    def lost(self, connection: "Connection") -> None:
        """Once for each connection: it is closed."""


class Connection(asyncio.Protocol):
    """`busy`: a request is under way, written at `sent`; its latency counts from `counted` (ns, monotonic)."""

    __slots__ = (
        "_events",
        "_found",
        "_keep",
        "_now",
        "_owner",
        "_parser",
        "_seen_body",
        "_status",
        "_transport",
        "busy",
        "closing",
        "counted",
        "sent",
    )

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._found: Found | None = None
        self._events: Events | None = None
        self._seen_body = False
        self._keep = False
        self._status = 0
        self._now = 0
        self.busy = False
        self.closing = False
        self.counted = 0
        self.sent = 0

    def send(self, data: bytes, found: Found, *, counted: int, streams: bool) -> None:
        """Write a request whose answer goes into `found`; latencies count from `counted`, on the monotonic clock."""
        assert not self.busy and self._transport is not None
        self.busy = True
        self._found = found
        self._events = Events() if streams else None
        self._seen_body = False
        self.counted = counted
        self.sent = clock.mono_ns()
        self._transport.write(data)

    def abandon(self, why: str) -> None:
        """Close now, as a client that leaves does; a request under way counts as failed for this reason."""
        self.close()
        if self.busy:
            self._fail(why)

    def close(self) -> None:
        self.closing = True
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not derive from it
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._now = clock.mono_ns()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.abandon(f"not HTTP: {error}")

    def eof_received(self) -> None:
        self._ended()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended()
        self._transport = None
        self._owner.lost(self)

    def _ended(self) -> None:
        self.closing = True
        if not self.busy:
            return
        if self._events is not None and self._events.ended:  # a body that ends with its connection
            self._complete()
        else:
            self._fail("closed in mid-answer" if self._status else "closed before an answer")

    # the parser's callbacks

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._keep = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        found = self._found
        if found is None:
            return
        if not self._seen_body:
            self._seen_body = True
            found.first_byte.add(self._now - self.counted)
        found.bytes += len(body)
        events = self._events
        if events is not None:
            before, add, now = events.count, found.delay.add, self._now
            for stamped in events.feed(body):
                add(now - int(stamped))
            found.events += events.count - before

    def on_message_complete(self) -> None:
        if self._status < 200 or not self.busy:  # 1xx, or bytes that nobody asked for
            return
        if not self._keep:
            self.close()
        self._complete()

    # the end of a request

    def _complete(self) -> None:
        found, events = self._found, self._events
        assert found is not None
        if self._status != 200:
            self._fail(f"status {self._status}")
        elif events is not None and (events.error or not events.ended):
            self._fail("an error event" if events.error else "no message_stop")
        else:
            found.answered += 1
            found.latency.add(self._now - self.counted)
            self._finish()

    def _fail(self, why: str) -> None:
        assert self._found is not None
        self._found.failed[why] += 1
        self._finish()

    def _finish(self) -> None:
        self.busy = False
        self._found = None
        self._events = None
        self._status = 0
        self._owner.finished(self)
