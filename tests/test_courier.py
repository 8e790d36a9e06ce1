"""The courier: duties that run on, begin anew and recover; errands performed once; and that there is one when it is wanted."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gw import courier
from gw.config.model import Config
from gw.courier import Courier, CourierBusy, Desk, Duty, ErrandFailed, sole_courier
from gw.domain.stored import Stored
from gw.ledger import errand
from gw.ledger.errand import Errand
from gw.ledger.store import Database, StoreError
from gw.ops.courier_status import read_courier_status
from gw.ops.state import STATE_FILE, StateFile, Word
from gw.snapshot import Published, publish
from tests.support.gateway import GatewayUnderTest

BASE = Published(1, "", "config.toml", ".", Stored(), (), "")


class Ground:
    """A courier at work beside the test. `duties`: what it is appointed to; put() publishes another configuration."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.state = StateFile(folder / STATE_FILE, create=True)
        self.folder, self.database = folder, database
        self.duties: list[Duty] = []
        self.errands: dict[str, courier.Performer] = {}

    def appoint(self, _: Config) -> Iterable[Duty]:
        return self.duties

    def put(self, version: int) -> None:
        publish(self.folder, replace(BASE, version=version), lambda _: None)
        self.state.words[Word.SNAPSHOT_VERSION] = version

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Courier]:
        self.put(1)
        made = Courier(Desk(self.folder, self.state, self.database, BASE), [self.appoint], self.errands)
        stop = asyncio.Event()
        task = asyncio.create_task(made.run(stop))
        try:
            yield made
        finally:
            stop.set()
            await task


@pytest.fixture
def ground(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Ground:
    database.prepare()
    monkeypatch.setattr(courier, "LOOK_S", 0.01)
    monkeypatch.setattr(courier, "STATUS_EVERY_NS", 0)
    return Ground(tmp_path, database)


async def until(reached: Any) -> None:
    async with asyncio.timeout(10):
        while not reached():
            await asyncio.sleep(0.005)


class Log:
    """A duty that notes what happens to it."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def duty(self, name: str, settings: Any = "") -> Duty:
        async def run(_: Desk) -> None:
            self.notes.append(f"{name} {settings} begins")
            try:
                await asyncio.Event().wait()
            finally:
                self.notes.append(f"{name} {settings} ends")

        return Duty(name, settings, run)


async def test_duties_begin_anew_only_when_their_own_settings_change(ground: Ground) -> None:
    log = Log()
    ground.duties = [log.duty("a", 1), log.duty("b", 1)]
    async with ground.at_work():
        await until(lambda: log.notes == ["a 1 begins", "b 1 begins"])
        ground.duties = [log.duty("a", 1), log.duty("b", 2), log.duty("c", 1)]
        ground.put(2)
        await until(lambda: len(log.notes) == 5)
        assert sorted(log.notes[2:]) == ["b 1 ends", "b 2 begins", "c 1 begins"]
    assert sorted(log.notes[5:]) == ["a 1 ends", "b 2 ends", "c 1 ends"]


@pytest.mark.parametrize("error", [OSError("no route"), StoreError("locked"), KeyError("a bug")])
async def test_a_duty_that_fails_is_begun_again_and_the_status_says_why(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(courier, "PAUSE_S", (0.01, 0.02))
    tries: list[int] = []

    async def run(_: Desk) -> None:
        tries.append(1)
        if len(tries) < 4:
            raise error
        await asyncio.Event().wait()

    def told() -> bool:
        status = read_courier_status(ground.folder)
        duty = status.duties.get("fails") if status else None
        return duty is not None and duty.failures == 3 and duty.state == "running" and str(error.args[0]) in duty.error

    log = Log()
    ground.duties = [Duty("fails", "", run), log.duty("other")]
    async with ground.at_work():
        await until(told)
        assert log.notes == ["other  begins"]


async def test_an_errand_is_performed_once_and_its_answer_kept(ground: Ground) -> None:
    performed: list[str] = []

    async def export(_: Desk, one: Errand) -> dict[str, Any]:
        performed.append(one.id)
        if one.name == "broken":
            raise ErrandFailed("there is no such bucket")
        return {"rows": one.fields["rows"]}

    ground.errands = {"export": export}
    with ground.database.changing() as db:
        for number in range(8):
            errand.ask(db, Errand(f"e{number}", "export", "broken" if number == 3 else "nightly", {"rows": number}, number, "x"))
        errand.ask(db, Errand("other", "no one's", "", {}, 1, "x"))
    async with ground.at_work():
        await until(lambda: all(found(ground, f"e{number}").outcome for number in range(8)))
    assert sorted(performed) == [f"e{number}" for number in range(8)]
    assert [found(ground, f"e{number}").answer for number in (2, 3)] == [{"rows": 2}, {"error": "there is no such bucket"}]
    assert [found(ground, f"e{number}").outcome for number in (2, 3)] == ["done", "failed"]
    with ground.database.reading() as db:
        assert db is not None
        assert errand.waiting(db)  # the one that nobody performs
        assert [one.id for one in errand.latest(db, "export", "nightly", 3)] == ["e7", "e6", "e5"]


def found(ground: Ground, errand_id: str) -> Errand:
    with ground.database.reading() as db:
        assert db is not None
        one = errand.find(db, errand_id)
    assert one is not None
    return one


async def test_an_errand_over_which_couriers_die_is_given_up_after_three_attempts(ground: Ground) -> None:
    with ground.database.changing() as db:
        errand.ask(db, Errand("deadly", "export", "", {}, 1, "x"))
    for attempt in range(1, errand.ATTEMPTS_MAX + 1):
        assert [one.id for one in errand.take(ground.database, ("export",), 4, attempt)] == ["deadly"]
        assert errand.take(ground.database, ("export",), 4, attempt) == []  # taken
        errand.give_back(ground.database)
    assert found(ground, "deadly").outcome == "failed"
    assert errand.take(ground.database, ("export",), 4, 9) == []


async def test_the_newest_thousand_errands_are_kept_and_those_that_wait(ground: Ground) -> None:
    with ground.database.changing() as db:
        errand.ask(db, Errand("waits", "export", "", {}, 1, "x"))
        errand.ask(db, Errand("was done", "export", "", {}, 2, "x"))
    errand.finish(ground.database, "was done", "done", {}, 3)
    with ground.database.changing() as db:
        for number in range(errand.KEPT):
            errand.ask(db, Errand(f"e{number}", "export", "", {}, 10 + number, "x"))
        assert errand.find(db, "was done") is None
        assert errand.find(db, "waits") is not None


async def test_a_second_courier_does_not_begin(ground: Ground) -> None:
    with sole_courier(ground.folder), pytest.raises(CourierBusy):
        async with ground.at_work():
            await asyncio.sleep(0.1)


def test_a_gateway_starts_a_courier_once_an_errand_waits_and_another_when_it_dies(
    tmp_path: Path,
) -> None:
    with GatewayUnderTest(tmp_path, "http://127.0.0.1:9") as gateway:
        state_dir = tmp_path / "state"
        assert read_courier_status(state_dir) is None
        with gateway.database.changing() as db:
            errand.ask(db, Errand("e1", "nobody's", "", {}, 1, "the test"))
        gateway.poll(lambda: read_courier_status(state_dir) is not None, "a courier")
        first = read_courier_status(state_dir)
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        gateway.poll(lambda: (now := read_courier_status(state_dir)) is not None and now.pid != first.pid, "another courier")
        assert "the courier ended (exit code -9); starting another" in gateway.process.log_end()
