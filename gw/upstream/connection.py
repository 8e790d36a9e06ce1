"""One connection to an upstream: writes one request, parses one response, then is idle or closed.

Rules of this file:
- The parser (llhttp, strict) sees every byte. What it refuses is `protocol`; what follows a complete response closes the
  connection and is never read as an answer. (Bare line ends between messages are skipped, RFC 9112 2.2.)
- A connection is idle only after a response that was framed by length, chunks or status, arrived whole, allows
  keep-alive, and whose request was written whole. Bytes or an end while idle close it. Bytes that come behind a response
  when the next request is on its way cannot be told from its answer: HTTP/1.1 numbers nothing.
- One timer per connection, not per request: it ticks every `target.tick_s` and compares with deadlines kept as plain
  numbers. A tick is never longer than any configured timeout, so a new deadline seldom moves the timer.
- No await and no task here; whoever waits does so on `response.waiter`.
"""

import asyncio
from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING, Any, cast

import httptools

from gw.upstream.errors import ErrorKind, UpstreamError
from gw.upstream.framing import BODILESS, HEAD_MAX, Refused, check_interim, check_size, is_chunked, reason
from gw.upstream.outgoing import ONE_WRITE_MAX, slices
from gw.upstream.response import Response
from gw.upstream.target import Target

if TYPE_CHECKING:
    from gw.upstream.pool import Lane

READ_HIGH = 256 * 1024  # buffered and unread: stop reading from the socket; a read takes all of it, and starts again
OVERHEAD_MAX = 64 * 1024  # bytes of chunk extensions or trailers in a row, that bring no body
BURST = 1024 * 1024  # of a request body, before other connections get their turn
TIMER_SLACK_S = 0.001  # uvloop counts timers in milliseconds

IDLE, HEAD, BODY, DONE, CLOSED = range(5)


class Connection:
    """An asyncio.Protocol, owned by a Lane, which is told `release` (idle again) and `forget` (closed)."""

    __slots__ = (
        "_feed",
        "_head_bytes",
        "_header_list",
        "_lane",
        "_loop",
        "_method",
        "_outgoing",
        "_overhead",
        "_parser",
        "_reusable",
        "_since",
        "_time",
        "_timer",
        "_timer_at",
        "_transport",
        "_until_end",
        "_uses",
        "_write_paused",
        "phase",
        "reading_paused",
        "response",
        "sent_at",
        "target",
        "total_at",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, lane: "Lane", target: Target) -> None:
        self._loop = loop
        self._lane = lane
        self.target = target
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._feed: Any = self._parser.feed_data
        self._time = loop.time
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._uses = 0
        self.phase = IDLE
        self.response: Response | None = None  # the one being received
        self._method = b""
        self._header_list: list[tuple[bytes, bytes]] | None = None  # of the head being parsed; None: these are trailers
        self._head_bytes = 0
        self._overhead = 0
        self._reusable = False
        self._until_end = False  # the body ends with the connection
        self._outgoing: Iterator[memoryview] | None = None  # what is left of the request body
        self._write_paused = False
        self.reading_paused = False
        self._since = loop.time()  # last bytes received, or idle since
        self.sent_at = 0.0  # last bytes of the request written
        self.total_at = inf

    # the request

    def send(self, target: Target, method: bytes, lead: bytes, parts: list[bytes] | None, total_at: float) -> Response:
        """Write a request; the returned response's waiter is done when its head has arrived or has failed."""
        assert self.phase == IDLE and self.response is None and self._transport is not None
        response = Response(self, self._loop, reused=self._uses > 0)
        self._uses += 1
        self.response = response
        self._header_list = response.headers
        self._method = method
        self._head_bytes = 0
        self.phase = HEAD
        self.sent_at = self._loop.time()
        self.total_at = total_at
        if target is not self.target:
            self.target = target
            self._wake_at(self.sent_at + target.tick_s)
        if total_at < self._timer_at:
            self._wake_at(total_at)
        if parts is None:
            self._transport.write(lead)
        elif sum(map(len, parts)) <= ONE_WRITE_MAX:
            self._transport.writelines([lead, *parts])
        else:
            self._transport.write(lead)
            self._outgoing = slices(parts)
            self._write_on()
        return response

    def _write_on(self) -> None:
        """Write the next slices until the transport has enough; `resume_writing` continues."""
        outgoing, transport = self._outgoing, self._transport
        if outgoing is None or transport is None:
            return
        self.sent_at = self._loop.time()
        written = 0
        while not self._write_paused:
            piece = next(outgoing, None)
            if piece is None:
                self._outgoing = None
                return
            transport.write(piece)
            written += len(piece)
            if written >= BURST:
                self._loop.call_soon(self._write_on)
                return

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        self._write_on()

    # bytes from the upstream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self.phase == CLOSED:
            self._transport.abort()
            return
        self._wake_at(self._loop.time() + self.target.tick_s)

    def data_received(self, data: bytes) -> None:
        response = self.response
        if response is None:
            self.close()  # nobody asked
            return
        self._since = self._time()
        in_head = not response.status
        if in_head:
            self._head_bytes += len(data)
        before = response.buffered
        try:
            self._feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not response.complete:
                self.fail("protocol", reason(error))
                return
            self._reusable = False
        if response.complete:
            self._finish(response)
            response.wake()
        elif not response.status:
            if self._head_bytes > HEAD_MAX:
                self.fail("protocol", f"response head above {HEAD_MAX} bytes")
        elif response.buffered != before:
            self._overhead = 0
            if response.buffered > READ_HIGH and not self.reading_paused:
                self._pause_reading(response)
            response.offer()
        elif in_head:
            response.wake()
        else:
            self._overhead += len(data)
            if self._overhead > OVERHEAD_MAX:
                self.fail("protocol", f"more than {OVERHEAD_MAX} bytes of chunk framing without body")

    def _pause_reading(self, response: Response) -> None:
        assert self._transport is not None
        self.reading_paused = response.paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self.reading_paused = False
        self._since = self._loop.time()
        if self._transport is not None:
            self._transport.resume_reading()

    def eof_received(self) -> None:
        """The upstream has said that nothing more comes: by FIN, over TLS by close_notify."""
        response = self.response
        if response is not None and self._until_end and self.phase == BODY:
            response.complete = True
            self._reusable = False
            self._finish(response)
            response.wake()
        else:
            self._broken(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Even without an error, if there was no end before it: a TLS connection that anyone on the way may have cut
        (as uvloop tells it; asyncio's own loop speaks of an end)."""
        self._broken(exc)
        self._transport = None

    def _broken(self, error: Exception | None) -> None:
        if self.response is None:
            self.close()
        else:
            cause = f" ({type(error).__name__})" if error is not None else ""
            self.fail("reset", f"the upstream closed the connection {_WHERE[self.phase]}{cause}")

    # the parser's callbacks

    def on_message_begin(self) -> None:
        if self.phase == DONE:
            raise Refused("bytes after the response")

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._header_list
        if headers is not None:
            headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        headers, response = self._header_list, self.response
        assert headers is not None and response is not None
        check_size(headers, self._head_bytes)
        status = self._parser.get_status_code()
        if status < 200:
            check_interim(status, headers)
            headers.clear()
            return
        length_or_chunks, reusable = False, True
        for name, value in headers:
            if name == b"content-length":
                length_or_chunks = True
                reusable = status != 204  # the body that it must not announce (RFC 9110 8.6) may follow
            elif name == b"transfer-encoding":
                if length_or_chunks or not is_chunked(value):
                    raise Refused("a transfer encoding other than chunked, once")
                length_or_chunks = True
                # 1.0 has no chunks (RFC 9112 6.1), nor has a status without a body.
                reusable = self._parser.get_http_version() == "1.1" and status not in BODILESS
        self._until_end = not length_or_chunks
        if self._outgoing is not None:  # an early answer: the rest of the request is not sent
            self._outgoing = None
            reusable = False
        self._reusable = reusable
        self._header_list = None
        self._overhead = 0
        self.phase = BODY
        response.status = status
        if self._method == b"HEAD":
            # The parser cannot be told that no body follows whatever the head says. Such a connection is not used again.
            response.complete = True
            self.phase = DONE
            raise Refused("end of the response to HEAD")

    def on_body(self, body: bytes) -> None:
        response = self.response
        assert response is not None
        response.chunks.append(body)
        response.buffered += len(body)

    def on_message_complete(self) -> None:
        if self.phase == BODY:  # else it was the end of a 1xx
            self.phase = DONE
            if not self._parser.should_keep_alive():  # by its head, and what its trailers made of that
                self._reusable = False
            assert self.response is not None
            self.response.complete = True

    # the end

    def _finish(self, response: Response) -> None:
        """The response is whole: give it to its reader, and the connection to the pool if it is clean."""
        self.response = None
        response.connection = None
        transport = self._transport
        if self._reusable and self.phase == DONE and transport is not None and not transport.get_write_buffer_size():
            self.phase = IDLE
            if self.reading_paused:
                self.resume_reading()
            self._lane.release(self)
        else:
            self.close()

    def fail(self, kind: ErrorKind, detail: str) -> None:
        """End the response with an error, and the connection with it."""
        response = self.response
        if response is not None:
            self.response = None
            response.connection = None
            response.error = UpstreamError(kind, detail, sent=True, received=self._head_bytes > 0, delivered=response.status > 0)
            response.wake()
        self.close()

    def close(self) -> None:
        """Close without ceremony, now. Idempotent."""
        if self.phase == CLOSED:
            return
        self.phase = CLOSED
        self._outgoing = None
        self._parser = self._feed = None  # it holds this connection: together they would wait for the garbage collector
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        if self.response is not None:
            self.fail("closed", "the connection was closed by gw")
        self._lane.forget(self)

    # time

    def wake_in(self, seconds: float) -> float:
        """Make sure the timer looks at the deadlines in `seconds`; returns that moment on the loop's clock."""
        when = self._loop.time() + seconds
        if when < self._timer_at:
            self._wake_at(when)
        return when

    def _wake_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._loop.call_at(when, self._tick)

    def _tick(self) -> None:
        now = self._loop.time() + TIMER_SLACK_S
        due, kind = self._deadline()
        if due <= now:
            if kind == "closed":
                self.close()
            else:
                self.fail(kind, _LATE[kind])
            return
        response = self.response
        if response is not None and response.waiter is not None:
            if response.silence_at <= now:
                response.silence_at = self._since + response.silence_s  # a taker may have taken bytes since
                if response.silence_at <= now:
                    response.silence_at = inf
                    response.silent = True
                    response.wake()
            due = min(due, response.silence_at)
        self._timer = None
        self._wake_at(min(due, now + self.target.tick_s))

    def _deadline(self) -> tuple[float, ErrorKind]:
        """The next moment at which this connection has waited too long, and for what."""
        target = self.target
        kind: ErrorKind
        if self.phase == IDLE:
            return self._since + target.keepalive_s, "closed"
        if self.phase == BODY:
            # A reader that does not read is not the upstream's silence.
            due, kind = (inf if self.reading_paused else self._since + target.idle_timeout_s), "idle_timeout"
        elif self._outgoing is not None:
            due, kind = self.sent_at + target.idle_timeout_s, "idle_timeout"
        else:
            due, kind = self.sent_at + target.first_byte_timeout_s, "first_byte_timeout"
        return (self.total_at, "total_timeout") if self.total_at < due else (due, kind)


_WHERE = {HEAD: "before its response head was complete", BODY: "in the middle of its response"}
_LATE: dict[ErrorKind, str] = {
    "first_byte_timeout": "no response head from the upstream in time",
    "idle_timeout": "the upstream fell silent",
    "total_timeout": "the call took longer than its total timeout",
}
