"""The reference: the least an ASGI proxy can do on the same server and with the same upstream client as gw.

Reads the body, sends it on with the client's headers, relays the answer. No keys, no metering, no record.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from gw.upstream.pool import Pool
from gw.upstream.target import Target

DROPPED = frozenset({b"host", b"content-length", b"connection", b"transfer-encoding"})


class Bare:
    def __init__(self) -> None:
        self.pool: Pool | None = None
        self.target: Target | None = None

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                if message["type"] == "lifespan.startup":
                    self.pool = Pool()
                    self.target = Target.from_url(os.environ["BENCH_UPSTREAM"], pool_max=1000)
                    await send({"type": "lifespan.startup.complete"})
                else:
                    await send({"type": "lifespan.shutdown.complete"})
                    return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        head = b"".join(b"%b: %b\r\n" % item for item in scope["headers"] if item[0] not in DROPPED)
        assert self.pool is not None and self.target is not None
        response = await self.pool.request(self.target, scope["method"].encode(), scope["raw_path"], head, body)
        headers = [item for item in response.headers if item[0] not in DROPPED or item[0] == b"content-length"]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        while chunk := await response.read():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


app = Bare()
