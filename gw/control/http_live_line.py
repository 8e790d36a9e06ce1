"""The connection of a worker to the keeper's live tails; it outlives a keeper that is replaced."""

import asyncio
from pathlib import Path
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from gw.live.framing import HEAD, LENGTH, SOCKET_FILE, Subscription, subscription_frame

FRAME_BYTES = 1 << 20  # a batch is read at once up to this
AGAIN_S = 0.5  # after which the keeper is asked again where it does not answer


class Frame(Struct, frozen=True):
    seq: int
    payload: bytes


class Line:
    """A subscription, wherever the keeper is. Close it."""

    def __init__(self, state_dir: Path, wanted: Subscription) -> None:
        self._path = state_dir / SOCKET_FILE
        self._wanted = wanted
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._frame: asyncio.Task[Frame] | None = None

    async def next(self, seconds: float) -> Frame | None:
        """None: nothing came for so long, or the keeper is not there just now."""
        if self._reader is None and not await self._open():
            await asyncio.sleep(min(AGAIN_S, seconds))
            return None
        assert self._reader is not None
        if self._frame is None:
            self._frame = asyncio.create_task(_read(self._reader), name="live-frame")
        done, _ = await asyncio.wait([self._frame], timeout=seconds)
        if not done:
            return None
        task, self._frame = self._frame, None
        try:
            frame = task.result()
        except (OSError, EOFError):
            self._drop()
            return None
        self._wanted = replace(self._wanted, after=max(frame.seq, self._wanted.after))
        return frame

    @property
    def after(self) -> int:
        """The number of the last call that was told of; -1: none yet."""
        return self._wanted.after

    def again(self) -> "Line":
        """One that goes on behind the last call."""
        return Line(self._path.parent, self._wanted)

    async def close(self) -> None:
        if self._frame is not None:
            self._frame.cancel()
            await asyncio.wait([self._frame])
            self._frame = None
        self._drop()

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _open(self) -> bool:
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(self._path, limit=FRAME_BYTES)
        except OSError:
            return False
        self._writer.write(subscription_frame(self._wanted))
        return True


async def _read(reader: asyncio.StreamReader) -> Frame:
    head = await reader.readexactly(HEAD.size)
    size, seq = HEAD.unpack(head)
    return Frame(seq, await reader.readexactly(size + LENGTH.size - HEAD.size))


class Source(Protocol):
    """Where a watcher's frames come from."""

    async def next(self, seconds: float) -> Frame | None: ...
