"""One subscription for all who want the same: each gets every batch, and who is slow is told of what it has lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gw.control import http_live_trunk
from gw.control.http_live_line import Frame
from gw.control.http_live_trunk import FRAMES_MAX, Trunks
from gw.live.framing import Subscription, at, calls, event, lost


class FakeLine:
    """Hands on what a test puts into it."""

    made: "list[FakeLine]"

    def __init__(self, state_dir: Path, wanted: Subscription) -> None:
        self.after = -1
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()
        self.closed = False
        FakeLine.made.append(self)

    async def next(self, seconds: float) -> Frame | None:
        frame = await self.frames.get()
        self.after = frame.seq
        return frame

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[FakeLine]:
    FakeLine.made = []
    monkeypatch.setattr(http_live_trunk, "Line", FakeLine)
    return FakeLine.made


def batch(*seqs: int) -> Frame:
    return Frame(seqs[-1], calls("events", [event(seq, b"{}") for seq in seqs]))


WANTED = Subscription(style="events", query={"team": "a"}, now_us=1)


async def test_watchers_that_want_the_same_share_a_line_and_it_ends_with_the_last(lines: list[FakeLine], tmp_path: Path) -> None:
    trunks = Trunks()
    other = Subscription(style="events", query={"team": "a"}, now_us=2)
    async with trunks.ride(tmp_path, WANTED) as first:
        async with trunks.ride(tmp_path, other) as second:
            assert len(lines) == 1
            lines[0].frames.put_nowait(batch(1, 2))
            assert [(await one.next(5)) for one in (first, second)] == [batch(1, 2)] * 2
        assert not lines[0].closed
        async with trunks.ride(tmp_path, WANTED) as late:
            assert await late.next(5) == Frame(2, at("events", 2))
    assert lines[0].closed and len(lines) == 1


async def test_other_scopes_filters_and_spans_have_lines_of_their_own(lines: list[FakeLine], tmp_path: Path) -> None:
    trunks = Trunks()
    span: dict[str, Any] = {"style": "events", "query": {"since": "1h"}}
    ways = [
        WANTED,
        Subscription(style="events", query={"team": "b"}),
        Subscription(style="events", query={"team": "a"}, scope=("key", "ada", "k1")),
        Subscription(**span, now_us=1),
        Subscription(**span, now_us=2),
    ]
    async with asyncio.TaskGroup() as group:
        for one in ways:
            group.create_task(ridden(trunks, tmp_path, one))
        await asyncio.sleep(0.01)
        assert len(lines) == len(ways)


async def ridden(trunks: Trunks, folder: Path, wanted: Subscription) -> None:
    async with trunks.ride(folder, wanted) as rider:
        assert await rider.next(0.05) is None


async def test_a_slow_watcher_loses_calls_visibly_and_holds_nobody_up(lines: list[FakeLine], tmp_path: Path) -> None:
    trunks = Trunks()
    async with trunks.ride(tmp_path, WANTED) as slow, trunks.ride(tmp_path, WANTED) as quick:
        for seq in range(1, FRAMES_MAX + 4):
            lines[0].frames.put_nowait(batch(seq))
            assert await quick.next(5) == batch(seq)
        for seq in range(1, FRAMES_MAX + 1):
            assert await slow.next(5) == batch(seq)
        after = FRAMES_MAX + 4
        lines[0].frames.put_nowait(batch(after))
        told = await slow.next(5)
        assert told is not None and told.payload == lost("events", after, 3) + batch(after).payload
