"""A watcher of a hub, without a worker: what it is sent, as values."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from gw.live.framing import HEAD, LENGTH, SOCKET_FILE, Subscription, subscription_frame

Message = dict[str, Any]


class Watching:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.seq = -1

    @classmethod
    async def open(cls, state_dir: Path, *, limit: int = 2**16, **wanted: Any) -> "Watching":
        """`limit`: it takes no more than twice that before it is read."""
        reader, writer = await asyncio.open_unix_connection(state_dir / SOCKET_FILE, limit=limit)
        asked = Subscription(style="messages", fields=("call_id",), **wanted)
        writer.write(subscription_frame(asked))
        return cls(reader, writer)

    async def frame(self) -> bytes:
        async with asyncio.timeout(10):
            size, self.seq = HEAD.unpack(await self.reader.readexactly(HEAD.size))
            return await self.reader.readexactly(size + LENGTH.size - HEAD.size)

    async def message(self) -> Message:
        found: Message = json.loads(await self.frame())
        return found

    async def calls(self, count: int) -> list[str]:
        """Ids of the next so many calls; anything else that comes is an error."""
        found: list[str] = []
        while len(found) < count:
            message = await self.message()
            assert message["type"] == "calls", message
            found += [one["call_id"] for one in message["items"]]
        return found

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()
