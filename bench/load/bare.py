"""The reference's glue on gw's own upstream client: what that client costs beside the least one (`bare_own`).

The body is read whole, as gw's client takes it; the answer goes through as it comes. No keys, no metering, no record.
"""

import asyncio
import os
from typing import Any

from bench.load.bare_own import DROPPED, Bare, Receive, Send
from gw.upstream.errors import UpstreamError
from gw.upstream.pool import Pool
from gw.upstream.target import Target

OWN = DROPPED | {b"content-length"}  # what gw's client writes itself


class Leaver:
    """A call whose client may leave."""

    __slots__ = ("_task", "gone")

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self.gone = False

    def leave(self) -> None:
        self.gone = True
        if self._task is not None:
            self._task.cancel()


class BareOnGw(Bare):
    """The same application with another client."""

    def begin(self) -> None:
        super().begin()
        self._pool = Pool()
        self._target = Target.from_url(os.environ["BENCH_UPSTREAM"], pool_max=4096, connections_max=4096)

    async def _proxy(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        head, declared = self._lines(scope, OWN)
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body", False) and len(body) != declared:
            message = await receive()
            body += message.get("body", b"")
        if message["type"] != "http.request":
            return
        call = Leaver()
        self._running[call] = receive
        response = None
        try:
            response = await self._pool.request(self._target, scope["method"].encode(), self._path(scope), head, body)
            headers = [pair for pair in response.headers if pair[0] not in DROPPED]
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            part = response.read_nowait()
            while not response.complete:
                if part:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                part = await response.read()
            await send({"type": "http.response.body", "body": part or b"", "more_body": False})
        except asyncio.CancelledError:
            if not call.gone:
                raise
        except UpstreamError:
            if response is not None:
                raise
            await self._fail(send)
        finally:
            self._forget(call)
            if response is not None:
                response.abort()


app = BareOnGw()
