"""One subscription for all watchers of a worker that want the same: a batch is read once, and handed to each as it is.

Ten dashboards ask alike. What a watcher cannot take is not kept for it: it is told how many calls it has missed, as the keeper
would tell it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from gw.control.http_live_line import Frame, Line
from gw.live import framing
from gw.live.framing import Subscription

FRAMES_MAX = 16  # that wait for one watcher: a second and a half of calls
LOOK_S = 1.0
Key = tuple[Any, ...]


class Rider:
    """One watcher's place at a trunk."""

    def __init__(self, trunk: "Trunk") -> None:
        self._trunk = trunk
        self._frames: asyncio.Queue[Frame] = asyncio.Queue(FRAMES_MAX)
        self._lost = 0

    def offer(self, frame: Frame, calls: int) -> None:
        """Never waits."""
        if self._frames.full():
            self._lost += calls
            return
        if self._lost:
            told = Frame(frame.seq, framing.lost(self._trunk.style, frame.seq, self._lost) + frame.payload)
            self._lost, frame = 0, told
        self._frames.put_nowait(frame)

    async def next(self, seconds: float) -> Frame | None:
        """None: nothing came for so long."""
        try:
            async with asyncio.timeout(seconds):
                return await self._frames.get()
        except TimeoutError:
            return None


class Trunk:
    """Reads while somebody rides."""

    def __init__(self, line: Line, style: framing.Style) -> None:
        self.style = style
        self.riders: set[Rider] = set()
        self._line = line
        self._task = asyncio.create_task(self._run(), name="live-trunk")

    @property
    def after(self) -> int:
        return self._line.after

    async def _run(self) -> None:
        while True:
            frame = await self._line.next(LOOK_S)
            if frame is not None:
                calls = frame.payload.count(framing.CALL_MARK)
                for rider in self.riders:
                    rider.offer(frame, calls)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._line.close()


class Trunks:
    """Of one worker."""

    def __init__(self) -> None:
        self._trunks: dict[Key, Trunk] = {}

    @asynccontextmanager
    async def ride(self, state_dir: Any, wanted: Subscription) -> AsyncIterator[Rider]:
        """For a watcher that begins with what comes now."""
        key = _key(wanted)
        trunk = self._trunks.get(key)
        if trunk is None:
            trunk = self._trunks[key] = Trunk(Line(state_dir, wanted), wanted.style)
        rider = Rider(trunk)
        if trunk.after >= 0:
            rider.offer(Frame(trunk.after, framing.at(wanted.style, trunk.after)), 0)
        trunk.riders.add(rider)
        try:
            yield rider
        finally:
            trunk.riders.discard(rider)
            if not trunk.riders and self._trunks.get(key) is trunk:
                del self._trunks[key]
                await trunk.close()


def _key(wanted: Subscription) -> Key:
    """Equal for those who are told the same; spans of time count from each one's own now."""
    timed = any(name in wanted.query for name in ("since", "until"))
    same = replace(wanted, now_us=wanted.now_us if timed else 0)
    return (same.style, tuple(sorted(same.query.items())), same.fields, same.scope, same.now_us)
