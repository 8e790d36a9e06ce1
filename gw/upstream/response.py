"""A response being received: head, then body as it arrives.

The connection fills it, one task reads it. It outlives its connection: once the whole body has arrived the connection
goes back to the pool (`connection` is None), and what is unread stays here.

To wake a task costs more than to pass a few bytes on. So a reader that waits may leave a `taker` behind, which takes what
comes while it waits, within the connection's own call, and says when the reader is needed.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, overload

from gw.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from gw.upstream.connection import Connection


class Response:
    """`headers`: lower-case names, raw values, in order. `complete`: the whole body has arrived, part may be unread.

    `reused`: came over a pooled connection. `retries`: 1 if a stale pooled connection was replaced on the way.
    `taker`: called when bytes have come while a `wait` waits, unless with them the body is whole. It may take them by
    `read_nowait`; if it says False the wait ends, and if it raises, the wait raises that. Not to be built by callers.
    Exactly one task may read.
    """

    __slots__ = (
        "_loop",
        "buffered",
        "chunks",
        "complete",
        "connection",
        "error",
        "headers",
        "paused",
        "retries",
        "reused",
        "silence_at",
        "silence_s",
        "silent",
        "status",
        "taker",
        "waiter",
    )

    def __init__(self, connection: "Connection", loop: asyncio.AbstractEventLoop, *, reused: bool) -> None:
        self._loop = loop
        self.connection: Connection | None = connection  # None: it is no longer ours
        self.status = 0  # 0: the head has not arrived
        self.headers: list[tuple[bytes, bytes]] = []
        self.reused = reused
        self.retries = 0
        self.complete = False
        self.error: UpstreamError | None = None  # raised once what arrived before it is read
        self.chunks: list[bytes] = []
        self.buffered = 0  # bytes in chunks
        self.paused = False  # the connection reads no more until they are taken
        self.waiter: asyncio.Future[None] | None = loop.create_future()
        self.taker: Callable[[], bool] | None = None
        self.silent = False  # the waiter was woken by silence_at, not by bytes
        self.silence_at = inf  # or later, if a taker has taken bytes since
        self.silence_s = inf

    def read_nowait(self) -> bytes | None:
        """What has arrived, joined; b"" at the end of the body; None if there is nothing yet. Raises UpstreamError."""
        if self.chunks:
            return self._take()
        if self.error is not None:
            raise self.error
        return b"" if self.complete else None

    @overload
    async def read(self) -> bytes: ...

    @overload
    async def read(self, silence_s: float) -> bytes | None: ...

    async def read(self, silence_s: float | None = None) -> bytes | None:
        """As read_nowait, but waits for bytes: at most `silence_s` seconds, then None.

        Raises UpstreamError, after the bytes that came before the failure. A cancelled read closes the connection.
        """
        while True:
            chunk = self.read_nowait()
            if chunk is not None:
                return chunk
            if not await self.wait(inf if silence_s is None else silence_s):
                return None

    async def wait(self, silence_s: float) -> bool:
        """Until there is something to read, or the taker says no more; False after `silence_s` seconds without a byte.

        To be called when `read_nowait` has given None. A cancelled wait closes the connection.
        """
        connection = self.connection
        assert connection is not None and self.waiter is None, "one reader at a time"
        self.silence_s = silence_s
        self.silence_at = connection.wake_in(silence_s) if silence_s < inf else inf
        self.waiter = self._loop.create_future()
        try:
            await self.waiter
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self.waiter = None
        silent, self.silent = self.silent, False
        return bool(self.chunks) or not silent

    async def read_all(self, limit: int) -> bytes:
        """The whole body. Raises UpstreamError (`protocol`, and the connection is closed) if it exceeds `limit` bytes."""
        parts: list[bytes] = []
        size = 0
        while True:
            part = await self.read()
            if not part:
                return parts[0] if len(parts) == 1 else b"".join(parts)
            size += len(part)
            if size > limit:
                self.abort()
                raise UpstreamError("protocol", f"response body above {limit} bytes", sent=True, received=True, delivered=True)
            parts.append(part)

    def abort(self) -> None:
        """Close the connection now, if the response is still arriving. Idempotent, safe at any time.

        What had arrived can still be read; after it comes UpstreamError `closed`.
        """
        if self.connection is not None:
            self.connection.fail("closed", "aborted by gw")

    def set_deadline(self, seconds: float) -> None:
        """Replace what is left of the total timeout: `total_timeout` is raised `seconds` from now."""
        if self.connection is not None:
            self.connection.total_at = self.connection.wake_in(seconds)

    def wake(self) -> None:
        """The head is there, or the end, or a failure, or silence: the reader goes on."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def offer(self) -> None:
        """More of the body is there: the taker may have it; else, and for what it leaves to be done, the reader goes on."""
        if self.waiter is None or self.waiter.done():
            return
        try:
            taken = self.taker is not None and self.taker()
        except Exception as bug:  # noqa: BLE001 - the reader's own: it is raised there, and the connection goes on
            self.waiter.set_exception(bug)
            return
        if not taken:
            self.wake()

    def _take(self) -> bytes:
        chunks = self.chunks
        taken = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.buffered = 0
        if self.paused:
            self.paused = False
            if self.connection is not None:
                self.connection.resume_reading()
        return taken
