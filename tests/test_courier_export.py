"""Exports as the courier runs them: by schedule, after a failure, until they are told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gw import clock, courier
from gw.config.load import load
from gw.courier import Courier, Desk
from gw.courier_export import ERRANDS, appoint
from gw.domain.stored import Stored
from gw.ledger import errand
from gw.ledger.errand import Errand
from gw.ledger.store import Database
from gw.ops.courier_status import read_courier_status
from gw.ops.state import STATE_FILE, StateFile, Word
from gw.snapshot import Published, publish
from tests.export.ground import DAY_US, call, fill, once
from tests.support.databases import address_of

CONFIG = """
[storage]
url = "env:GW_TEST_LEDGER"
[[export]]
name = "warehouse"
to = "file://{folder}/out"
every = "hourly"
"""


class Clock:
    """The wall clock of the courier, which stands where it is put."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.us = clock.wall_us()
        monkeypatch.setattr(clock, "wall_us", lambda: self.us)


@asynccontextmanager
async def at_work(folder: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Courier]:
    monkeypatch.setenv("GW_TEST_LEDGER", address_of(database))
    monkeypatch.setattr(courier, "LOOK_S", 0.01)
    monkeypatch.setattr(courier, "STATUS_EVERY_NS", 0)
    monkeypatch.setattr(courier, "PAUSE_S", (0.02, 0.05))
    monkeypatch.setattr("gw.courier_export.LOOK_S", 0.01)
    text = CONFIG.format(folder=folder)
    (folder / "config.toml").write_text(text)
    load(folder / "config.toml")
    published = Published(1, text, str(folder / "config.toml"), str(folder), Stored(), (), "")
    state = StateFile(folder / STATE_FILE, create=True)
    publish(folder, replace(published, version=1), lambda _: None)
    state.words[Word.SNAPSHOT_VERSION] = 1
    made = Courier(Desk(folder, state, database, published), [appoint], ERRANDS)
    stop = asyncio.Event()
    task = asyncio.create_task(made.run(stop))
    try:
        yield made
    finally:
        stop.set()
        await task


async def until(reached: Any) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0.01)


async def test_what_is_due_goes_out_by_its_schedule(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Clock(monkeypatch)
    await asyncio.to_thread(fill, database, [call(number) for number in range(5)])
    async with at_work(tmp_path, database, monkeypatch):
        await until(lambda: list(once(tmp_path)) == [1, 2, 3, 4, 5])
        await asyncio.to_thread(fill, database, [call(number) for number in range(5, 8)])
        await asyncio.sleep(0.1)
        assert list(once(tmp_path)) == [1, 2, 3, 4, 5], "not before the hour"
        watch.us += DAY_US
        await until(lambda: list(once(tmp_path)) == list(range(1, 9)))


async def test_a_failure_is_told_and_tried_again(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.to_thread(fill, database, [call(number) for number in range(5)])
    (tmp_path / "out").write_text("not a folder")

    def told() -> bool:
        status = read_courier_status(tmp_path)
        return status is not None and any("out" in duty.error for duty in status.duties.values())

    async with at_work(tmp_path, database, monkeypatch):
        await until(told)
        (tmp_path / "out").unlink()
        await until(lambda: list(once(tmp_path)) == [1, 2, 3, 4, 5])


async def test_an_errand_runs_it_at_once(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.to_thread(fill, database, [call(1)])
    async with at_work(tmp_path, database, monkeypatch):
        await until(lambda: list(once(tmp_path)) == [1])
        await asyncio.to_thread(fill, database, [call(2)])
        with database.changing() as db:
            errand.ask(db, Errand("e1", "export", "warehouse", {}, 1, "somebody"))
            errand.ask(db, Errand("e2", "export", "gone", {}, 1, "somebody"))

        def done(name: str) -> Errand | None:
            with database.reading() as db:
                found = errand.find(db, name) if db is not None else None
            return found if found is not None and found.outcome else None

        await until(lambda: done("e1") and done("e2"))
        first, second = done("e1"), done("e2")
    assert first is not None and first.outcome == "done" and first.answer["rows"] == 1
    assert second is not None and second.outcome == "failed" and "no export" in second.answer["error"]
    assert list(once(tmp_path)) == [1, 2]
