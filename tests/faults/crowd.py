"""Thousands of clients that all call at once, and repeat, give up and come back as bad clients do.

Each has one connection, kept open from call to call and opened anew when it broke; they are so thin that the gateway, not the
crowd, is what a test loads.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

ANSWER_S = 30.0
RETRIED = ("draining", "gateway_busy", "budget_reserved", "journal_unavailable", "upstream_reset", "upstream_saturated")
BACKOFF_S = (0.02, 0.25)  # an impatient client's: it does not heed retry-after
_LENGTH = b"content-length: "
_ERROR = b"x-gw-error: "
_CALL = b"x-gw-call-id: "
_STOPPED = b"event: error"  # gw writes it in one piece


class Order(NamedTuple):
    """One request to be made. `leave_s`: the client is gone after this time, whatever it has; 0: it stays."""

    body: bytes
    headers: str  # lines, each with its CRLF
    leave_s: float = 0.0
    tries: int = 1


@dataclass
class Got:
    """What came back of one try. `ended`: the whole answer, as its framing says."""

    status: int = 0
    error: str = ""
    call_id: str = ""
    ended: bool = False
    left: bool = False
    size: int = 0
    stopped: bool = False  # in mid-stream, by an error event of gw's


class _Line(asyncio.Protocol):
    """One connection to the gateway, one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._got = Got()
        self._waiting: asyncio.Future[None] | None = None
        self._head = b""
        self._left = 0  # of the body; -1: chunked
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._done()

    def ask(self, request: bytes) -> tuple[Got, "asyncio.Future[None]"]:
        """What is filled in while the answer comes, and the future that is done with it."""
        assert self.transport is not None
        self._got, self._head, self._tail = Got(), b"", b""
        self._waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._got, self._waiting

    def data_received(self, data: bytes) -> None:
        got = self._got
        if not got.status:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            got.status = int(head[9:12])
            got.error, got.call_id = _value(head, _ERROR), _value(head, _CALL)
            length = _value(head, _LENGTH)
            self._left = int(length) if length else -1
        got.size += len(data)
        got.stopped = got.stopped or _STOPPED in data
        if self._left < 0:
            self._tail = (self._tail + data)[-5:]
            got.ended = self._tail == b"0\r\n\r\n"
        else:
            self._left -= len(data)
            got.ended = self._left <= 0
        if got.ended:
            self._done()

    def _done(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _value(head: bytes, name: bytes) -> str:
    at = head.find(b"\r\n" + name)
    return head[at + 2 + len(name) :].partition(b"\r\n")[0].decode() if at >= 0 else ""


class Crowd:
    """`run` sends all orders at the same moment, each on a line of its own; `close` hangs up."""

    def __init__(self, port: int, *, seed: int) -> None:
        self._port = port
        self._lines: list[_Line] = []
        self._dice = random.Random(seed)
        self.tries = 0  # requests sent in all

    async def run(self, orders: Sequence[Order]) -> list[list[Got]]:
        """What each order got, try by try, in the order of the orders."""
        self._reach(len(orders))
        for start in range(0, len(orders), 200):  # a listener's backlog is finite
            await asyncio.gather(*(self._connected(number) for number in range(start, min(start + 200, len(orders)))))
        return await asyncio.gather(*(self.place(number, order) for number, order in enumerate(orders)))

    def _reach(self, count: int) -> None:
        while len(self._lines) < count:
            self._lines.append(_Line())

    def hang_up(self, number: int) -> None:
        """The next order on this line goes to whichever worker takes it."""
        if number < len(self._lines) and (transport := self._lines[number].transport) is not None:
            transport.abort()

    async def _connected(self, number: int) -> _Line:
        """Raises OSError."""
        line = self._lines[number]
        if line.transport is None or line.transport.is_closing():
            _, line = await asyncio.get_running_loop().create_connection(_Line, "127.0.0.1", self._port)
            self._lines[number] = line
        return line

    async def place(self, number: int, order: Order) -> list[Got]:
        """One order on one line: what it got, try by try."""
        self._reach(number + 1)
        found = []
        for again in range(order.tries):
            if again:
                await asyncio.sleep(self._dice.uniform(*BACKOFF_S))
            got = await self._try(number, order)
            found.append(got)
            if got.left or (got.ended and got.error not in RETRIED):
                break
        return found

    async def _try(self, number: int, order: Order) -> Got:
        try:
            line = await self._connected(number)
        except OSError:
            return Got()
        self.tries += 1
        head = f"POST /v1/messages HTTP/1.1\r\nhost: gw.test\r\ncontent-length: {len(order.body)}\r\n{order.headers}\r\n"
        got, waiting = line.ask(head.encode() + order.body)
        try:
            async with asyncio.timeout(order.leave_s or ANSWER_S):
                await waiting
        except TimeoutError:
            assert order.leave_s, f"no answer within {ANSWER_S} s to {head} {order.body!r}; so far {got}"
            got.left = True
        if not got.ended and line.transport is not None:
            line.transport.abort()
        return got

    def close(self) -> None:
        for line in self._lines:
            if line.transport is not None:
                line.transport.abort()


def tally(answers: Sequence[Sequence[Got]]) -> Counter[str]:
    """How the tries ended."""
    found: Counter[str] = Counter()
    for got in (one for tries in answers for one in tries):
        if got.left:
            found["left"] += 1
        elif not got.ended:
            found["cut" if got.status else "lost"] += 1
        else:
            found[got.error or str(got.status)] += 1
    return found
