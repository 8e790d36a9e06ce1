"""Cells that are wrong are put right and said; cells that may be busy are left alone; cells that nobody needs are forgotten."""

from collections.abc import Iterator

import pytest

from gw import clock
from gw.domain.budget import Budget, cell_key
from gw.domain.scope import CallPath, Scope
from gw.domain.window import LIFETIME, bounds, parse_window
from gw.ledger.sqlite import SqliteDatabase
from gw.spend import KEPT_US
from tests.ledger.records import NOON_US
from tests.ledger.spent import empty
from tests.spending import Clock, World

HOUR_US = 3_600_000_000
KEPT_H = KEPT_US // HOUR_US
TEAM = Budget("team", Scope("team", "red"), 10**9, parse_window("hour"))
CHAT = Budget("chat", Scope("session", "*", each=True), 10**9, LIFETIME)
RED = CallPath(team="red", session="s1")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabase:
    database = SqliteDatabase(tmp_path_factory.mktemp("upkeep") / "gw.db")
    database.prepare()
    return database


@pytest.fixture
def world(ledger: SqliteDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Red has spent 5 of both budgets."""
    fake = Clock(NOON_US)
    monkeypatch.setattr(clock, "wall_us", fake.wall_us)
    monkeypatch.setattr(clock, "mono_ns", fake.mono_ns)
    empty(ledger)
    one = World(ledger, fake)
    one.publish([TEAM, CHAT])
    one.served = one.snapshot
    one.finish(one.admit(RED), 5)
    one.move()
    yield one


def cell(world: World) -> int:
    return world.cells.lookup(cell_key(TEAM, "red", bounds(TEAM.window, NOON_US)[0]))


def sweep(world: World, hours: int, *, wall_hours: int | None = None) -> None:
    """After that time."""
    world.clock.mono += hours * HOUR_US * 1000
    world.clock.now_us += (hours if wall_hours is None else wall_hours) * HOUR_US
    world.upkeep.sweep(world.clock.now_us, world.clock.mono)


@pytest.mark.parametrize("by", [-3, 4])
def test_a_cell_that_is_wrong_is_put_right_counted_and_said(world: World, by: int, caplog: pytest.LogCaptureFixture) -> None:
    world.cells.charge(cell(world), by)
    world.check()
    assert world.spent(TEAM, "red") == 5
    found = world.upkeep.found
    assert (found.checked, found.corrected, found.drift_nusd) == (1, 1, abs(by))
    assert f'team "red" in budget "team": the cell said {5 + by} nano-USD were spent, the ledger says 5; corrected' in caplog.text


def test_a_keeper_that_died_between_commit_and_charge_is_made_up_for(world: World) -> None:
    world.publish([])
    world.served = world.snapshot
    begun = world.admit(RED)
    world.publish([TEAM, CHAT])
    world.finish(begun, 7)  # its own hold counts nothing
    world.move(told=False)
    world.keeper()
    assert world.spent(TEAM, "red") == 5
    world.check()
    assert world.spent(TEAM, "red") == 12 and world.upkeep.found.corrected == 2


@pytest.mark.parametrize("meanwhile", ["held", "charged", "not moved"])
def test_a_cell_that_may_be_busy_is_not_judged(world: World, meanwhile: str) -> None:
    world.cells.charge(cell(world), 3)
    if meanwhile == "held":
        world.admit(RED)
    world.upkeep.check(world.passes)
    if meanwhile == "charged":
        world.cells.charge(cell(world), 3)
        world.cells.charge(cell(world), -3)
    world.upkeep.check(world.passes + (1 if meanwhile == "not moved" else 2))
    assert not world.upkeep.found.corrected
    assert world.spent(TEAM, "red") == 8


def test_nothing_is_judged_while_a_worker_keeps_records_in_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.cells.charge(cell(world), 3)
    monkeypatch.setattr(world.upkeep._state, "sum_own", lambda own: 0)
    world.check()
    assert not world.upkeep.found.corrected


def test_the_cell_of_a_window_goes_an_hour_after_its_end_by_both_clocks(world: World) -> None:
    sweep(world, 1)  # its end is seen
    sweep(world, 0, wall_hours=9)
    assert cell(world) >= 0, "the wall clock has jumped"
    sweep(world, KEPT_H)
    assert cell(world) == -1 and world.upkeep.found.forgotten == 1
    assert world.spent(CHAT, "s1") == 5, "sessions have no end"


def test_a_cell_in_which_something_is_held_or_changes_stays(world: World) -> None:
    held = world.admit(RED)
    for _ in range(3):
        sweep(world, KEPT_H + 1)
        assert cell(world) >= 0
    world.finish(held, 7)
    world.move()
    sweep(world, 0)
    assert cell(world) >= 0
    sweep(world, KEPT_H)
    assert cell(world) == -1


def test_a_window_that_comes_again_because_the_clock_was_set_back_is_filled_from_the_ledger(world: World) -> None:
    sweep(world, 1)
    sweep(world, KEPT_H)
    assert cell(world) == -1
    world.clock.now_us = NOON_US
    world.check()
    assert world.spent(TEAM, "red") == 5


def test_cells_of_a_budget_that_is_gone_go_too(world: World) -> None:
    world.publish([CHAT])
    sweep(world, 0)
    assert cell(world) >= 0
    sweep(world, KEPT_H)
    assert cell(world) == -1 and world.spent(CHAT, "s1") == 5


def test_of_too_many_sessions_those_idle_for_longest_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gw.upkeep.SESSIONS_MAX", 3)
    for at in range(2, 8):
        world.clock.now_us += 1
        world.finish(world.admit(RED._replace(session=f"s{at}")), 1)
    world.move()
    sweep(world, 0)
    assert [at for at in range(1, 8) if world.spent(CHAT, f"s{at}")] == [5, 6, 7]


def test_cells_that_nobody_knows_stay_unless_they_are_empty(world: World) -> None:
    empty_one, full = world.cells.find(1), world.cells.find(2)
    world.cells.load(full, 3)
    sweep(world, 0)
    sweep(world, KEPT_H)
    assert world.cells.lookup(1) == -1 and world.cells.lookup(2) == full != empty_one
