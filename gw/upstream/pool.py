"""Pooled connections, and the one way to make an upstream request.

Per target key there is a Lane: its idle connections (last in, first out, so that surplus ones grow old and expire), the
number of places taken of `connections_max`, and callers waiting in line for a place. A line exists only while nothing
is idle and no place is free. A place is taken by a connection from before it is dialled until it is closed.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from gw.upstream.connection import CLOSED, Connection
from gw.upstream.dial import dial
from gw.upstream.errors import UpstreamError
from gw.upstream.outgoing import serialise
from gw.upstream.response import Response
from gw.upstream.target import Target

STALE_S = 1.0

_Turn = asyncio.Future[Connection | None]  # a connection handed over, or None: a place to dial a new one


class LaneStats(NamedTuple):
    """Of one target, at this moment. `open` includes idle connections and those being dialled."""

    host: str
    port: int
    open: int
    idle: int
    waiting: int


class Lane:
    """All connections to one target. Told by each connection when it is idle (`release`) or closed (`forget`)."""

    __slots__ = ("closed", "idle", "members", "places", "target", "waiting")

    def __init__(self, target: Target) -> None:
        self.target = target  # the latest with this key; its limits apply
        self.idle: list[Connection] = []
        self.members: set[Connection] = set()
        self.places = 0
        self.waiting: deque[_Turn] = deque()
        self.closed = False

    def release(self, connection: Connection) -> None:
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if len(self.idle) >= self.target.pool_max or self.closed:
            connection.close()
        else:
            self.idle.append(connection)

    def forget(self, connection: Connection) -> None:
        self.members.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        self.free_place()

    def free_place(self) -> None:
        """Pass a place on to the next in line."""
        self.places -= 1
        assert self.places >= 0
        while self.waiting and self.places < self.target.connections_max:
            turn = self.waiting.popleft()
            if not turn.done():
                self.places += 1
                turn.set_result(None)
                return

    async def take_place(self, loop: asyncio.AbstractEventLoop, timeout_s: float, *, fresh: bool) -> Connection | None:
        """A connection that just became idle (never if `fresh`), or None with a place taken: then the caller dials.

        Waits in line if the limit is reached, at most `timeout_s`. Raises UpstreamError `connect_timeout`, saturated.
        """
        target = self.target
        if self.places < target.connections_max:
            self.places += 1
            return None
        if self.idle:  # only who wants a fresh one comes here with one idle: the oldest makes room
            self.idle[0].close()
            self.places += 1
            return None
        deadline = loop.time() + timeout_s
        line_up = self.waiting.append
        while True:
            turn: _Turn = loop.create_future()
            line_up(turn)
            timer = loop.call_at(deadline, self._too_late, turn)
            try:
                connection = await turn
            except asyncio.CancelledError:
                self._give_back(turn)
                raise
            finally:
                timer.cancel()
            if connection is None:
                return None
            if connection.phase != CLOSED:
                if not fresh:
                    return connection
                connection.close()
            # Closed now, or it died since it was handed over. Its place went to the next in line, or is free.
            if self.places < target.connections_max:
                self.places += 1
                return None
            line_up = self.waiting.appendleft

    def _too_late(self, turn: _Turn) -> None:
        if not turn.done():
            limit = f"all {self.target.connections_max} connections (connections_max) to {self.target.host} were busy"
            turn.set_exception(UpstreamError("connect_timeout", limit, saturated=True))

    def _give_back(self, turn: _Turn) -> None:
        """The caller was cancelled while in line: pass on what it had just been given, if anything."""
        if not turn.done() or turn.cancelled() or turn.exception() is not None:
            return
        connection = turn.result()
        if connection is None:
            self.free_place()
        elif connection.phase != CLOSED:
            self.release(connection)


class Pool:
    """One per worker, made inside its event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[str, Lane] = {}  # never removed: one per upstream address ever configured
        self._closed = False

    async def request(
        self,
        target: Target,
        method: bytes,
        path: bytes,
        head: bytes,
        body: bytes | list[bytes],
        *,
        on_send: Callable[[], None] | None = None,
    ) -> Response:
        """Send one request and return when the final response head has arrived (1xx are skipped).

        `path`: from "/" on, with query, relative to the target's base path. `head`: serialised header lines, each ended
        by CRLF, without Host, Content-Length, Connection and Transfer-Encoding. `body`: pieces are sent as one body.
        `on_send` is called just before the first byte is written: until then nothing can have reached the upstream.
        Raises UpstreamError, and ValueError if path or head would change the shape of the message. Cancelled, it closes
        the connection.

        A stale connection is replaced once: if a reused connection ends without a single byte of response within
        STALE_S of the request, then almost surely the upstream closed it as idle while the request was on its way, and
        did not act on it (the case RFC 9110 9.2.2 and RFC 9112 9.3.1 allow to repeat). An upstream that dies of a
        request takes fresh connections down too, and a failure on a fresh connection is never repeated here.
        """
        lead, parts = serialise(target, method, path, head, body)
        loop = self._loop
        total_at = loop.time() + target.total_timeout_s
        lane = self._lanes.get(target.key)
        if lane is None:
            lane = self._lanes[target.key] = Lane(target)
        elif lane.target is not target:
            lane.target = target
        connection = lane.idle.pop() if lane.idle else await self._connect(lane, target, total_at, fresh=False)
        retries = 0
        while True:
            try:
                if on_send is not None:
                    on_send()
                response = connection.send(target, method, lead, parts, total_at)
            except BaseException:
                connection.close()
                raise
            waiter = response.waiter
            assert waiter is not None
            try:
                await waiter
            except asyncio.CancelledError:
                response.abort()
                raise
            response.waiter = None
            if response.status:
                response.retries = retries
                return response
            error = response.error
            assert error is not None, "woken with neither a head nor an error"
            if retries or not self._is_stale(connection, response, error):
                raise error
            retries = 1
            connection = await self._connect(lane, target, total_at, fresh=True)

    def _is_stale(self, connection: Connection, response: Response, error: UpstreamError) -> bool:
        return (
            response.reused
            and error.kind == "reset"
            and not error.received
            and self._loop.time() - connection.sent_at <= STALE_S
            and not self._closed
        )

    async def _connect(self, lane: Lane, target: Target, total_at: float, *, fresh: bool) -> Connection:
        """A new connection; or, unless `fresh`, after waiting in line perhaps one that just became idle."""
        if self._closed:
            raise UpstreamError("closed", "the pool is closed")
        loop = self._loop
        started = loop.time()
        timeout_s = min(target.connect_timeout_s, total_at - started)
        found = await lane.take_place(loop, timeout_s, fresh=fresh)
        if found is not None:
            return found
        connection = Connection(loop, lane, target)
        lane.members.add(connection)
        try:
            await dial(loop, target, connection, max(0.0, started + timeout_s - loop.time()))
            if connection.phase == CLOSED:
                raise UpstreamError("closed" if self._closed else "reset", "the connection ended as soon as it was made")
        except BaseException:
            connection.close()
            raise
        return connection

    async def close(self) -> None:
        """Close every connection, busy ones too; requests under way and later ones get UpstreamError `closed`."""
        self._closed = True
        for lane in self._lanes.values():
            lane.closed = True
            while lane.waiting:
                turn = lane.waiting.popleft()
                if not turn.done():
                    turn.set_exception(UpstreamError("closed", "the pool was closed"))
            for connection in list(lane.members):
                connection.fail("closed", "the pool was closed")
        await asyncio.sleep(0)

    def stats(self) -> list[LaneStats]:
        return [
            LaneStats(lane.target.host, lane.target.port, lane.places, len(lane.idle), len(lane.waiting))
            for lane in self._lanes.values()
        ]
