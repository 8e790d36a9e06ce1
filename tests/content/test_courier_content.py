"""The courier's part in the content store: what it takes in, what it lets go, what it encrypts anew."""

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from gw import clock
from gw.config.load import parse
from gw.config.model import Config
from gw.content.spool import DIRECTORY
from gw.courier import Desk
from gw.courier_content import Tidying, content_duties, keep_content
from tests.content.keeping import Store, content, key
from tests.content.session import Talk
from tests.content.test_intake import spooled

DAY_US = 86_400_000_000


def config_of(folder: Path, text: str = '[content]\nstore = "all"\n') -> Config:
    return parse(f'[server]\nstate_dir = "state"\n[storage]\nurl = "sqlite:///gw.db"\n{text}', "config.toml", folder, {}).config


class StandIn:
    """What the duty asks of its desk."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.state_dir = folder / "state"
        self.config = config


def tidy(store: Store, days: int = 30, *, searches: bool = True) -> None:
    one = Tidying(days, store.database, store.library.vault, searches=searches)
    while one.step():
        pass


def test_it_is_appointed_where_content_is_kept_or_was(tmp_path: Path) -> None:
    off = config_of(tmp_path, "")
    assert list(content_duties(off)) == []
    (duty,) = content_duties(config_of(tmp_path))
    assert duty.name == "content" and duty.pressing
    Store(off.storage.address).request("c", b"{}")
    (duty,) = content_duties(off)
    assert not duty.pressing


async def test_what_is_spooled_is_taken_in_while_it_runs(tmp_path: Path) -> None:
    config = config_of(tmp_path, '[content]\nstore = "all"\nretention_days = 0\n')
    desk = cast(Desk, StandIn(tmp_path, config))
    running = asyncio.create_task(keep_content(desk))
    kept = await asyncio.to_thread(spooled, tmp_path / "state" / DIRECTORY, 3)
    store = Store(config.storage.address)
    async with asyncio.timeout(20):
        while any(store.library.raw(call) != both for call, both in kept.items()):
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.wait([running])


async def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = cast(Desk, StandIn(tmp_path, config_of(tmp_path)))
    monkeypatch.setitem(sys.modules, "zstandard", cast(Any, None))
    with pytest.raises(OSError, match=r"pip install 'gw\[content\]'"):
        await keep_content(desk)


def test_what_is_too_old_goes_with_its_blocks(store: Store) -> None:
    bodies = list(Talk().bodies(4))
    for turn, body in enumerate(bodies):
        store.request(f"c{turn}", body, started_us=clock.wall_us() - (40 - 10 * turn) * DAY_US - DAY_US // 2)
    before = store.blocks()
    tidy(store, 0)
    assert store.blocks() == before
    tidy(store, 30)
    assert [store.library.raw(f"c{turn}") is not None for turn in range(4)] == [False, False, True, True]
    assert store.raw("c3")[0] == bodies[3]
    tidy(store, 1)
    assert store.blocks() == 0


def test_a_key_that_comes_later_encrypts_all_and_takes_the_words_away(store: Store) -> None:
    body = next(Talk().bodies(1))
    store.request("c", body)
    assert store.library.search("do", 5) == ["c"]
    store.use(content(encryption_key=key(1)))
    tidy(store, 0, searches=store.settings.searches)
    assert set(store.library.stats().by_key) == {store.library.vault.current}
    store.use(replace(store.settings, former_encryption_key=store.settings.encryption_key))
    assert store.raw("c")[0] == body
    with store.database.reading() as db:
        assert db is not None and db.execute("SELECT COUNT(*) FROM content_words").fetchone() == (0,)


def test_blocks_of_a_lost_key_stop_nothing_else(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.use(content(encryption_key=key(1)))
    store.request("old", b'{"old":1}', started_us=1)
    store.use(content(encryption_key=key(2)))
    store.request("new", b'{"new":1}', started_us=clock.wall_us())
    tidy(store)
    assert "former_encryption_key" in caplog.text
    assert store.library.row("old") is None and store.raw("new")[0] == b'{"new":1}'
