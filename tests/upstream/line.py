"""The client without a network and without waiting: a transport whose other end is the test, and a loop whose clock jumps.

`Line` behaves as asyncio's transports do where the client can tell: nothing is delivered while reading is paused, `abort` ends
in `connection_lost(None)` in a later turn of the loop, writing to a dying transport is silently dropped.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, cast
from unittest.mock import patch

from gw.upstream.connection import Connection
from gw.upstream.errors import UpstreamError
from gw.upstream.pool import Pool
from gw.upstream.response import Response
from gw.upstream.target import Target

TIMES = {"connect_timeout_s": 3.0, "first_byte_timeout_s": 5.0, "idle_timeout_s": 4.0, "total_timeout_s": 60.0}


class Line(asyncio.Transport):
    """One connection as the upstream has it. `sent`: what the client has written."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.sent = bytearray()
        self.closed = False  # by the client, or lost
        self.unwritten = 0  # bytes that the client's side of the kernel has not taken
        self._connection = connection
        self._reading = True
        self._due: list[Callable[[], object]] = []  # what arrives once reading goes on
        self._lost = False

    # the upstream's side

    def feed(self, data: bytes) -> None:
        self._arrive(lambda: self._connection.data_received(data))

    def end(self) -> None:
        """FIN, or over TLS close_notify."""
        self._arrive(self._ended)

    def reset(self) -> None:
        self._lose(ConnectionResetError("reset by peer"))

    def cut(self) -> None:
        """The end of a TLS connection without close_notify, as uvloop and asyncio tell it."""
        self._arrive(lambda: self._lose(None))

    def dying(self) -> None:
        """Reset, and the loop has not told the client yet."""
        self.closed = True
        asyncio.get_running_loop().call_soon(self._lose, ConnectionResetError("reset by peer"))

    def _arrive(self, happen: Callable[[], object]) -> None:
        if self._reading and not self._due:
            if not self._lost and not self.closed:
                happen()
        else:
            self._due.append(happen)

    def _ended(self) -> None:
        if not self._connection.eof_received():
            self.abort()

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self.closed = self._lost = True
            self._connection.connection_lost(error)

    # the client's side

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closed:
            self.sent += data

    def writelines(self, parts: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(parts))

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self._lose, None)

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        while self._reading and self._due and not self.closed:
            self._due.pop(0)()

    def get_write_buffer_size(self) -> int:
        return self.unwritten


class Lines:
    """A pool whose connections are Lines. A context manager; afterwards nothing may be open but what is idle."""

    def __init__(self, **options: Any) -> None:
        self.all: list[Line] = []
        self.greeting = b""  # what the upstream says before it has been asked
        self.pool = Pool()
        self.target = Target.from_url("http://upstream.test", **(TIMES | options))
        self._patch = patch("gw.upstream.pool.dial", self._dial)

    async def _dial(self, loop: asyncio.AbstractEventLoop, target: Target, connection: Connection, timeout_s: float) -> None:
        line = Line(connection)
        self.all.append(line)
        connection.connection_made(line)
        if self.greeting:
            line.feed(self.greeting)

    def request(self, body: bytes | list[bytes] = b"{}", method: bytes = b"POST") -> "asyncio.Task[Response]":
        return asyncio.ensure_future(self.pool.request(self.target, method, b"/v1/messages", b"a: b\r\n", body))

    @property
    def last(self) -> Line:
        return self.all[-1]

    @property
    def counts(self) -> tuple[int, int]:
        """(open, idle)"""
        stats = self.pool.stats()
        return (stats[0].open, stats[0].idle) if stats else (0, 0)

    async def __aenter__(self) -> "Lines":
        self._patch.start()
        return self

    async def __aexit__(self, *failed: object) -> None:
        self._patch.stop()
        await turns()
        if failed[0] is None:
            opened, idle = self.counts
            assert opened == idle == sum(not line.closed for line in self.all), "a connection leaked"
        await self.pool.close()
        await turns()
        if failed[0] is None:
            assert self.counts == (0, 0) and all(line.closed for line in self.all)


async def turns(count: int = 6) -> None:
    """Lets whoever is ready go on, a few times round."""
    for _ in range(count):
        await asyncio.sleep(0)


async def read(response: Response) -> tuple[bytes, UpstreamError | None]:
    """The whole body, or what came before the error."""
    got = bytearray()
    try:
        while part := await response.read():
            got += part
    except UpstreamError as error:
        return bytes(got), error
    return bytes(got), None


async def outcome(task: "asyncio.Task[Response]") -> tuple[Response | None, bytes, UpstreamError | None]:
    """(response, its body, what failed)"""
    try:
        response = await task
    except UpstreamError as error:
        return None, b"", error
    return (response, *await read(response))


async def answered(lines: Lines, mark: bytes) -> None:
    """One more request on the same pool gets its own answer."""
    task = lines.request(mark)
    await turns()
    (line,) = (line for line in lines.all if line.sent.endswith(b"\r\n\r\n" + mark) and not line.closed)
    line.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(mark), mark))
    response = await task
    assert (response.status, await read(response)) == (200, (mark, None))


class _NeverWaits(selectors.DefaultSelector):
    """Jumps to the next timer instead of waiting for it; if there is none, the test would hang for ever."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("this would wait for ever")
        if timeout > 0:
            self._jump(timeout)
        return super().select(0)


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._now = 1000.0
        super().__init__(_NeverWaits(self._pass))

    def _pass(self, seconds: float) -> None:
        self._now += seconds + 1e-6

    def time(self) -> float:
        return self._now


def play(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Runs `main()` on a loop in which no time is ever waited for. Raises RuntimeError where it would never end."""
    loop = cast(asyncio.AbstractEventLoop, _JumpingLoop())
    try:
        return loop.run_until_complete(main())
    finally:
        with suppress(RuntimeError):
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
        loop.close()
