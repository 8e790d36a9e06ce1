"""Clients that are slow to begin, and those that never do."""

import asyncio
import threading
from contextlib import suppress

from gw.clock import mono_ns

HEAD_S = 30.0  # gw.serve: for a request's head, and for the next request on a connection
LORIS = 300


class Loris:
    """Connections that send a byte of their head a second, or nothing at all; in a thread of their own. `lives`: seconds."""

    def __init__(self, port: int) -> None:
        self.lives: list[float] = []
        self._port = port
        self._over = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()))
        self._thread.start()

    async def _all(self) -> None:
        starts = (b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nA: ", b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.gather(*(self._one(starts[at % 3], drips=at % 3 == 0) for at in range(LORIS)))

    async def _one(self, start: bytes, *, drips: bool) -> None:
        began_ns = mono_ns()  # before the server's own clock begins, which must not seem to be fast
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(start)
        with suppress(ConnectionError):
            while mono_ns() - began_ns < 2 * HEAD_S * 1e9 and not self._over:
                with suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        if not await reader.read(1000):
                            break
                if drips:
                    writer.write(b"b")
                    await writer.drain()
        self.lives.append((mono_ns() - began_ns) / 1e9)
        writer.transport.abort()

    def wait(self) -> None:
        """Until the last has been closed, or has had twice its time."""
        self._thread.join()

    def leave(self) -> None:
        self._over = True
        self.wait()
