"""The alarm rings once for the last moment it was set for; on Linux, and where there is no timerfd."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from gw import clock
from gw.loadgen import alarm as module
from gw.loadgen.alarm import Alarm

MS = 1_000_000


@pytest.mark.parametrize("platform", ["this", "another"])
@pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_rings_once_and_not_before(platform: str, loops: Callable[[], asyncio.AbstractEventLoop], monkeypatch):
    if platform == "another":
        monkeypatch.setattr(module.sys, "platform", "another")

    async def work() -> tuple[int, list[int]]:
        rung: list[int] = []
        done = asyncio.Event()

        def ring() -> None:
            rung.append(clock.mono_ns())
            done.set()

        alarm = Alarm(ring)
        due = clock.mono_ns() + 20 * MS
        alarm.at(due + 3600 * 1000 * MS)
        alarm.at(due)
        await done.wait()
        alarm.at(1)  # long over: at once
        done.clear()
        await done.wait()
        alarm.close()
        alarm.close()
        return due, rung

    with asyncio.Runner(loop_factory=loops) as runner:
        due, rung = runner.run(work())
    assert len(rung) == 2 and rung[0] >= due - MS  # the loop's own timers count whole milliseconds
