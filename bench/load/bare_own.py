"""The reference: the least that an ASGI proxy on gw's server can do, with the least HTTP client of its own.

Plain Python on asyncio and httptools, nothing of gw: kept connections, bodies streamed both ways with back-pressure, every
framing of HTTP/1.1 (length, chunks, end of connection, no body), one more try where a kept connection had just been closed,
and an eye on a client that leaves. No keys, no metering, no record, no timeouts.
"""

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import httptools

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# Headers of one hop, or that each side writes itself.
DROPPED = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade host "
    b"expect".split()
)
FRAMES = frozenset((b"content-length", b"transfer-encoding"))
HIGH = 256 * 1024  # unread bytes of an answer at which the upstream is paused
JOIN_MAX = 16 * 1024  # a body up to this size is sent in one piece with its head
WATCH_S = 0.1  # how soon a client's leaving is looked for: a `receive()` open from the start would cost every short call


class Leaving(Protocol):
    """What is told that the client has left."""

    def leave(self) -> None: ...


def chunk(part: bytes, *, last: bool) -> bytes:
    """A piece of a body whose length nobody has declared."""
    return (b"%x\r\n%b\r\n" % (len(part), part) if part else b"") + (b"0\r\n\r\n" if last else b"")


class Upstream(asyncio.Protocol):
    """One connection. It belongs to one call from `send` until the call gives it back."""

    __slots__ = (
        *("_chunked", "_drained", "_head_only", "_loop", "_parser", "_parts", "_paused", "_size", "_transport", "_waiter"),
        *("busy", "closed", "done", "gone", "headers", "reusable", "sending", "status", "touched"),
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None  # while the transport has enough to write
        self._paused = False
        self.busy = self.closed = self.gone = False  # gone: closed because the client left

    def send(self, head: bytes, body: bytes, *, head_only: bool, chunked: bool, last: bool) -> None:
        """Begins a request; unless `last`, `send_more` follows."""
        self.busy, self.sending, self._head_only, self._chunked = True, not last, head_only, chunked
        self.status = 0  # until the head of the answer has come
        self.headers: list[tuple[bytes, bytes]] = []
        self.done = self.touched = self.reusable = False  # the answer is whole; a byte of it has come; another may follow
        self._parts: list[bytes] = []
        self._size = 0
        if chunked:
            body = chunk(body, last=last)
        if len(body) <= JOIN_MAX:
            self._transport.write(head + body)
        else:
            self._transport.writelines([head, body])

    async def send_more(self, part: bytes, *, last: bool) -> None:
        self._transport.write(chunk(part, last=last) if self._chunked else part)
        self.sending = not last
        if self._drained is not None and not self.status:  # an answer that came early is not waited for
            await self._drained

    async def head(self) -> None:
        """Until the head of the answer is there. Raises ConnectionError."""
        while not self.status:
            await self._wait()

    async def body(self) -> bytes:
        """What has come of the answer, at least a byte; empty at its end. Raises ConnectionError."""
        while not self._parts and not self.done:
            await self._wait()
        return self.arrived()

    def arrived(self) -> bytes:
        """What has come of the answer by now; may be nothing."""
        parts = self._parts
        if not parts:
            return b""
        self._parts = []
        self._size = 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _wait(self) -> None:
        if self.closed:
            raise ConnectionResetError
        self._waiter = self._loop.create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def leave(self) -> None:
        """The client has left: nothing more is wanted of the upstream."""
        self.gone = True
        self.close()

    def close(self) -> None:
        self.closed = True
        self._transport.abort()
        self._wake()

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self.busy or self.done:  # nobody asked
            return self.close()
        self.touched = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.close()  # an answer that was whole before the error stays whole
        if self._size > HIGH and not self._paused and not self.done:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.busy and not self.closed and exc is None and self.status:
            self.done = self.done or not any(name in FRAMES for name, _ in self.headers)  # it ends with the connection
        self.closed = True
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # the parser calls these

    def on_message_begin(self) -> None:
        if self.done:
            raise ValueError("bytes behind the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # else it is a trailer
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self.headers.clear()
            return
        self.status = status
        self.done = self._head_only  # the parser cannot be told that no body follows
        self.reusable = self._parser.should_keep_alive() and not self._head_only
        self.resume_writing()

    def on_body(self, part: bytes) -> None:
        if not self._head_only:
            self._parts.append(part)
            self._size += len(part)

    def on_message_complete(self) -> None:
        self.done = self.status > 0  # else it was a 1xx


class Bare:
    """The ASGI application, one per worker."""

    def __init__(self) -> None:
        self._idle: list[Upstream] = []
        self._running: dict[Leaving, Receive] = {}  # calls whose request is sent
        self._watches: dict[Leaving, asyncio.Task[None]] = {}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._proxy(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.begin()
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)  # gw's own
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.end()
        await send({"type": "lifespan.shutdown.complete"})

    def begin(self) -> None:
        """Once the loop runs."""
        url = urlsplit(os.environ["BENCH_UPSTREAM"])
        self._loop = asyncio.get_running_loop()
        self._host, self._port = url.hostname or "", url.port or 80
        self._host_line = b" HTTP/1.1\r\nHost: %b\r\n" % url.netloc.encode()
        self._watch()

    def end(self) -> None:
        self._ticker.cancel()
        for upstream in self._idle:
            upstream.close()

    async def _proxy(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One call. An upstream that fails is a 502; once the answer has begun, an exception that ends the connection."""
        lines, declared = self._lines(scope, DROPPED)
        message = await receive()
        if message["type"] != "http.request":
            return
        body: bytes = message.get("body", b"")
        # A body as long as declared is whole: the message that says so costs a turn of the server's threads.
        more = message.get("more_body", False) and len(body) != declared
        chunked, head_only = more and declared < 0, scope["method"] == "HEAD"
        end = b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"\r\n"
        head = b"".join((scope["method"].encode(), b" ", self._path(scope), self._host_line, lines, end))
        upstream, begun = None, False
        try:
            kept = self._kept()
            upstream = kept or await self._connect()
            upstream.send(head, body, head_only=head_only, chunked=chunked, last=not more)
            if more:
                await self._pass_on(upstream, receive, len(body), declared)
            self._running[upstream] = receive
            try:
                await upstream.head()
            except ConnectionError:
                if kept is None or upstream.touched or upstream.gone or more:
                    raise
                self._give_back(upstream)  # it was closed as idle while the request was on its way
                upstream = await self._connect()
                upstream.send(head, body, head_only=head_only, chunked=False, last=True)
                self._running[upstream] = receive
                await upstream.head()
            begun = True
            await self._answer(upstream, send)
        except OSError:
            if upstream is not None and upstream.gone:
                return
            if begun:
                raise
            await self._fail(send)
        finally:
            if upstream is not None:
                self._give_back(upstream)

    def _path(self, scope: dict[str, Any]) -> bytes:
        path: bytes = scope["raw_path"]
        return path + b"?" + scope["query_string"] if scope["query_string"] else path

    def _lines(self, scope: dict[str, Any], dropped: frozenset[bytes]) -> tuple[bytes, int]:
        """The client's header lines; the length of the body that they declare, -1 if none."""
        lines = []
        declared = -1
        for name, value in scope["headers"]:
            if name == b"content-length":
                declared = int(value)
            if name not in dropped:
                lines.append(b"%b: %b\r\n" % (name, value))
        return b"".join(lines), declared

    async def _fail(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 502, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pass_on(self, upstream: Upstream, receive: Receive, sent: int, declared: int) -> None:
        """The rest of the body, as it comes. Raises ConnectionError if the client leaves."""
        more = True
        while more and not upstream.status and not upstream.closed:
            message = await receive()
            if message["type"] != "http.request":
                upstream.leave()
                raise ConnectionAbortedError
            part: bytes = message.get("body", b"")
            sent += len(part)
            more = message.get("more_body", False) and sent != declared
            await upstream.send_more(part, last=not more)

    async def _answer(self, upstream: Upstream, send: Send) -> None:
        """Passes on what comes when it comes; an answer that is there already, in one piece."""
        headers = [pair for pair in upstream.headers if pair[0] not in DROPPED]
        await send({"type": "http.response.start", "status": upstream.status, "headers": headers})
        part = upstream.arrived()
        while not upstream.done:
            if part:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            part = await upstream.body()
        await send({"type": "http.response.body", "body": part, "more_body": False})

    def _kept(self) -> Upstream | None:
        while self._idle:
            upstream = self._idle.pop()
            if not upstream.closed:
                return upstream
        return None

    async def _connect(self) -> Upstream:
        """Raises OSError."""
        return (await self._loop.create_connection(lambda: Upstream(self._loop), self._host, self._port))[1]

    def _give_back(self, upstream: Upstream) -> None:
        """The call is over: the connection is kept if nothing is left on it in either direction."""
        self._forget(upstream)
        if upstream.done and upstream.reusable and not upstream.sending and not upstream.closed:
            upstream.busy = False
            self._idle.append(upstream)
        else:
            upstream.close()

    def _forget(self, call: Leaving) -> None:
        self._running.pop(call, None)
        watch = self._watches.pop(call, None)
        if watch is not None:
            watch.cancel()

    def _watch(self) -> None:
        """Opens a `receive()` for every call that has none: Granian tells of a client that left there alone."""
        self._ticker = self._loop.call_later(WATCH_S, self._watch)
        for call, receive in self._running.items():
            if call not in self._watches:
                self._watches[call] = self._loop.create_task(self._leaving(call, receive))

    async def _leaving(self, call: Leaving, receive: Receive) -> None:
        while (await receive())["type"] == "http.request":
            continue
        call.leave()


app = Bare()
