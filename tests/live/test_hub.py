"""Live tails in the keeper: each watcher gets what it asked for, once and in order; a slow one loses calls and is told so."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from gw.ledger.store import Database
from gw.live import hub as hubs
from gw.live.framing import SOCKET_FILE, call, calls, event, lost
from gw.live.hub import Hub
from tests.ledger.log_rows import fill
from tests.ledger.records import NOON_US, record
from tests.live.watching import Watching


@pytest.fixture
async def hub(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    monkeypatch.setattr(hubs, "BATCH_S", 0.01)
    found = Hub(tmp_path, database)
    await found.open()
    yield found
    await found.close()
    assert not (tmp_path / SOCKET_FILE).exists()


class Opener(Protocol):
    async def __call__(self, *, limit: int = 2**16, **wanted: Any) -> Watching: ...


@pytest.fixture
async def opened(hub: Hub, tmp_path: Path) -> AsyncIterator[Opener]:
    """Watchers of the hub, closed in the end."""
    made: list[Watching] = []

    async def open_(*, limit: int = 2**16, **wanted: Any) -> Watching:
        made.append(await Watching.open(tmp_path, limit=limit, **wanted))
        return made[-1]

    yield open_
    for one in made:
        await one.close()


async def come(hub: Hub, database: Database, *names: str, **changes: object) -> None:
    """These calls are committed, as the keeper would say."""
    await fill(database, [record(name, started_us=NOON_US, **changes) for name in names])
    hub.moved()


async def test_each_watcher_gets_what_it_asked_for(hub: Hub, database: Database, opened: Opener) -> None:
    await come(hub, database, "before")
    everything = await opened()
    red = await opened(query={"team": "r*"})
    own = await opened(scope=("key", "ci", "id1"))
    for one in (everything, red, own):
        assert await one.message() == {"type": "at", "seq": 1}
    await come(hub, database, "a", "b", team="red")
    await come(hub, database, "c", key_name="ci", key_id="id1")
    await come(hub, database, "d", team="red", key_name="ci", key_id="id1")
    assert await everything.calls(4) == ["a", "b", "c", "d"] and everything.seq == 5
    assert await red.calls(3) == ["a", "b", "d"]
    assert await own.calls(2) == ["c", "d"]
    assert hub.watchers == 3


async def test_a_watcher_goes_on_behind_the_call_it_saw_last(hub: Hub, database: Database, opened: Opener) -> None:
    await come(hub, database, *(f"c{number}" for number in range(1, 9)))
    one = await opened(after=5)
    assert await one.message() == {"type": "at", "seq": 5}
    assert await one.calls(3) == ["c6", "c7", "c8"]
    await come(hub, database, "c9")
    assert await one.calls(1) == ["c9"]


async def test_who_comes_back_too_late_is_told_what_was_lost(
    hub: Hub, database: Database, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "CATCH_UP_MAX", 3)
    await come(hub, database, *(f"c{number}" for number in range(1, 9)))
    one = await opened(after=1)
    assert await one.message() == {"type": "lost", "count": 4, "seq": 5}
    assert await one.message() == {"type": "at", "seq": 5}
    assert await one.calls(3) == ["c6", "c7", "c8"]


async def test_watchers_join_while_calls_come_and_miss_none(hub: Hub, database: Database, opened: Opener) -> None:
    joined: list[Watching] = []
    for number in range(12):
        if number % 3 == 0:
            joined.append(await opened(after=0))
        await come(hub, database, f"c{number:02}")
    for one in joined:
        assert (await one.message())["type"] == "at"
        assert await one.calls(12) == [f"c{number:02}" for number in range(12)]


async def test_a_slow_watcher_loses_calls_and_is_told_how_many(
    hub: Hub, database: Database, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "HELD_BYTES_MAX", 20_000)
    slow, quick = await opened(limit=64), await opened()
    assert (await slow.message())["type"] == (await quick.message())["type"] == "at"
    names = [f"call-{number:05}-{'x' * 80}" for number in range(4_000)]
    for at in range(0, len(names), 500):
        await come(hub, database, *names[at : at + 500])
        assert await quick.calls(500) == names[at : at + 500], "whoever is quick waits for nobody"
    seen, missed = 0, 0
    while slow.seq < len(names) or not missed:
        if slow.seq >= 0 and seen + missed < len(names):
            await come(hub, database, f"more-{seen}")
        message = await slow.message()
        seen += len(message.get("items", ()))
        missed += message.get("count", 0)
    assert missed > 0 and seen + missed >= len(names), "none is passed over in silence"


async def test_only_its_owner_may_open_it_and_nonsense_is_shown_the_door(hub: Hub, opened: Opener, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / SOCKET_FILE).stat().st_mode) == 0o600
    for said in (b"", b"\x02\0\0\0{}", b"\xff\xff\xff\xff", b"\x05\0\0\0null!"):
        reader, writer = await asyncio.open_unix_connection(tmp_path / SOCKET_FILE)
        writer.write(said)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    bad = await opened(query={"status.gte": "x"})
    assert await bad.reader.read() == b""
    assert hub.watchers == 0


async def test_a_watcher_that_leaves_is_forgotten(hub: Hub, database: Database, opened: Opener) -> None:
    one = await opened()
    await one.frame()
    await one.close()
    async with asyncio.timeout(20):
        while hub.watchers:
            await asyncio.sleep(0)
    await come(hub, database, "c")


def test_events_are_as_browsers_read_them() -> None:
    parts = [call("events", 7, b'{"a":1}'), call("events", 8, b"{}")]
    assert calls("events", parts) == event(7, b'{"a":1}') + event(8, b"{}")
    assert event(7, b"{}") == b"id: 7\nevent: call\ndata: {}\n\n"
    assert lost("events", 9, 3) == b'id: 9\nevent: lost\ndata: {"count":3}\n\n'
