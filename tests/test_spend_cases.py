"""What becomes of the cells, case by case, when rules, rows, windows and sessions come and go."""

from collections.abc import Iterator

import pytest
from msgspec.structs import astuple, replace

from gw import clock
from gw.domain.budget import Budget, cell_key
from gw.domain.scope import CallPath, Scope
from gw.domain.window import LIFETIME, bounds, parse_window
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import StoreError
from tests.ledger.records import NOON_US
from tests.ledger.spent import charged, empty, insert
from tests.spending import Clock, World

HOUR_US = 3_600_000_000
MONTH_US = 31 * 24 * HOUR_US
TEAM = Budget("team", Scope("team", "red"), 10**9, parse_window("day"))
EACH = Budget("each", Scope("key", "*", each=True), 10**9, parse_window("hour", "Europe/Berlin"))
GOOD = Budget("good", Scope("customer", "*"), 10**9, LIFETIME)
WORST = Budget("worst", Scope("team", "*", each=True), 10**9, parse_window("5h"), reserve="worst")
CHAT = Budget("chat", Scope("session", "*", each=True), 10**9, LIFETIME)
BUDGETS = (TEAM, EACH, GOOD, WORST, CHAT)
RED = CallPath("c", "red", "anna", "", "up", "m", "", "s1")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabase:
    database = SqliteDatabase(tmp_path_factory.mktemp("spend") / "gw.db")
    database.prepare()
    return database


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock(NOON_US)
    monkeypatch.setattr(clock, "wall_us", fake.wall_us)
    monkeypatch.setattr(clock, "mono_ns", fake.mono_ns)
    return fake


@pytest.fixture
def world(ledger: SqliteDatabase, now: Clock) -> Iterator[World]:
    empty(ledger)
    yield World(ledger, now)


def under(world: World, *budgets: Budget) -> None:
    """These are in force, and the worker knows it."""
    world.publish(budgets)
    world.served = world.snapshot


def test_a_start_finds_what_was_spent_and_rows_of_the_last_run_that_come_late_are_added(world: World, now: Clock) -> None:
    under(world, *BUDGETS)
    world.finish(world.admit(RED), 5)
    world.move()
    late = charged("late", now.now_us, 3, RED, rules_us=world.served.published_us)  # its journal could not be read at the start
    world.start(BUDGETS)
    assert (world.spent(TEAM, "red"), world.spent(EACH, "anna"), world.spent(CHAT, "s1")) == (5, 5, 5)
    world.write(late)
    world.move()
    assert (world.spent(TEAM, "red"), world.spent(EACH, "anna"), world.spent(CHAT, "s1")) == (8, 8, 8)
    world.check()
    assert world.upkeep.found.checked == 5 and not world.upkeep.found.corrected


def test_a_new_budget_knows_what_was_spent_before_it_came_and_what_calls_of_before_cost_later(world: World) -> None:
    world.finish(world.admit(RED), 5)
    world.move()
    running = world.admit(RED)
    world.publish([TEAM])
    assert world.spent(TEAM, "red") == 5, "before any worker can have heard of it"
    slow = world.admit(RED)  # the worker has not: it holds nothing
    world.served = world.snapshot
    held = world.admit(RED, amount=50)
    for one, nusd in ((held, 100), (slow, 20), (running, 7)):
        world.finish(one, nusd)
    assert world.spent(TEAM, "red") == 105
    world.move()
    assert world.spent(TEAM, "red") == 132
    assert not world.wrong()


def test_a_budget_that_was_away_misses_nothing(world: World) -> None:
    under(world, TEAM)
    held = world.admit(RED)
    under(world)
    world.finish(world.admit(RED), 5)
    world.move()
    world.publish([TEAM])
    assert world.spent(TEAM, "red") == 5
    world.finish(held, 7)  # begun when it was there: its own hold counts it
    world.move()
    assert world.spent(TEAM, "red") == 12
    world.check()
    assert not world.upkeep.found.corrected


def test_a_changed_limit_mode_or_warning_moves_no_money(world: World) -> None:
    under(world, TEAM)
    world.finish(world.admit(RED), 5)
    held = world.admit(RED, amount=9)
    world.publish([replace(TEAM, limit_nusd=1, mode="shadow", warn_at=(5000,))])
    world.finish(held, 6)
    world.move()
    world.check()
    assert world.spent(TEAM, "red") == 11 and world.upkeep.found.checked == 1 and not world.upkeep.found.corrected


def test_another_reserve_counts_by_its_own_rule(world: World) -> None:
    under(world, WORST)
    world.finish(world.admit(RED), 5, 70)
    world.move()
    assert world.spent(WORST, "red") == 70
    world.publish([replace(WORST, reserve="typical")])
    world.check()
    assert world.spent(WORST, "red") == 5 and not world.upkeep.found.corrected


def test_calls_stay_with_the_team_that_their_key_was_in(world: World) -> None:
    under(world, replace(TEAM, scope=Scope("team", "*", each=True)))
    before = world.admit(RED)
    world.finish(world.admit(RED._replace(team="blue")), 3)
    world.finish(before, 5)
    world.move()
    assert not world.wrong() and sorted(one.nusd for one in world.spending.sums.values()) == [3, 5]


def test_a_call_that_runs_over_the_end_of_a_window_counts_in_the_old_one(world: World, now: Clock) -> None:
    under(world, EACH)
    old = cell_key(EACH, "anna", bounds(EACH.window, now.now_us)[0])
    long = world.admit(RED)
    now.now_us += HOUR_US
    world.finish(world.admit(RED), 3)
    world.finish(long, 5)
    world.move()
    assert (world.settled(old), world.spent(EACH, "anna")) == (5, 3)
    world.check()
    assert world.upkeep.found.checked == 2 and not world.upkeep.found.corrected


def test_a_late_row_of_a_window_that_is_over_enters_no_cell(world: World, now: Clock) -> None:
    under(world, EACH)
    old_us = now.now_us - 24 * HOUR_US
    world.write(charged("late", old_us, 3, RED, rules_us=0))
    world.move()
    world.check()
    assert world.cells.lookup(cell_key(EACH, "anna", bounds(EACH.window, old_us)[0])) == -1
    assert world.spent(EACH, "anna") == 0


def test_a_late_row_of_an_hour_to_come_is_no_drift(world: World, now: Clock) -> None:
    """The clock was set back, then the budget came into force: of that hour there are rows, and nobody has a cell."""
    world.write(charged("a", now.now_us, 7, RED, rules_us=0))
    world.move()
    world.write(charged("b", now.now_us, 7, RED, rules_us=0))
    now.now_us -= HOUR_US
    under(world, EACH)
    world.move()
    world.check()
    now.now_us += HOUR_US
    world.spending.follow(now.now_us)
    world.check()
    assert world.spent(EACH, "anna") == 14 and not world.upkeep.found.corrected


def test_what_was_repriced_while_a_budget_was_away_is_no_drift_of_an_hour_that_is_over(world: World, now: Clock) -> None:
    """Nobody adds it to the cell of that hour, which is still there when a further adjustment asks for its sum."""
    under(world, EACH)
    world.finish(world.admit(RED), 7)
    world.move()
    now.now_us += 5 * HOUR_US
    under(world)
    world.reprice(0, 1)
    world.check()
    under(world, EACH)
    world.reprice(0, 3)
    world.check()
    assert world.spent(EACH, "anna") == 0 and not world.wrong() and not world.upkeep.found.corrected


def test_rows_of_one_batch_count_each_in_its_window(world: World, now: Clock) -> None:
    """One path and the same rules, around the beginning of an hour. No worker knows of them: the rows charge the cells."""
    under(world, EACH, TEAM, GOOD)
    for at, nusd in ((-2, 3), (-1, 5), (0, 7), (1, 11)):
        world.write(charged(f"at {at}", now.now_us + at, nusd, RED, rules_us=0))
    world.move()
    world.check()
    assert (world.spent(EACH, "anna"), world.spent(TEAM, "red"), world.spent(GOOD, "*")) == (18, 26, 26)
    assert not world.upkeep.found.corrected


def test_rows_that_were_there_before_are_not_added_twice(world: World, now: Clock) -> None:
    under(world, TEAM)
    row = charged("a", now.now_us, 5, RED, rules_us=0)
    world.write(row)
    world.move()
    world.spending.moved([astuple(row)], 1)
    world.check()
    assert world.spent(TEAM, "red") == 5 and not world.upkeep.found.corrected


def test_while_the_ledger_cannot_be_read_nothing_is_judged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StoreError("locked")

    under(world, TEAM, CHAT)
    with monkeypatch.context() as broke:
        broke.setattr("gw.spend.spent", broken)
        with pytest.raises(StoreError):
            world.publish([TEAM, CHAT, GOOD])
        world.spending.doubt()
        world.finish(world.admit(RED), 5)
        world.move()
        world.check()
        assert not world.spending.sums and not world.upkeep.found.checked
    world.publish([TEAM, CHAT, GOOD])
    world.check()
    assert world.spent(GOOD, "*") == 5 and world.upkeep.found.checked == 3 and not world.upkeep.found.corrected


def test_a_full_table_is_said_and_stops_nothing(world: World, caplog: pytest.LogCaptureFixture, now: Clock) -> None:
    insert(world.ledger, [charged(str(at), now.now_us, 1, RED._replace(session=f"s{at}")) for at in range(2000)])
    world.start([CHAT])
    assert "the shared state is full: 976 accounts begin as if they had spent nothing" in caplog.text
    world.write(charged("more", now.now_us, 1, RED._replace(session="more"), rules_us=0))
    world.move()
    assert 'a call of session "more" is not charged' in caplog.text


def test_a_session_that_comes_back_after_it_was_forgotten_is_put_right_without_alarm(
    world: World, now: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    under(world, CHAT)
    world.finish(world.admit(RED), 5)
    world.move()
    for _ in range(2):
        now.now_us += MONTH_US
        now.mono += MONTH_US * 1000
        world.upkeep.sweep(now.now_us, now.mono)
    assert world.spent(CHAT, "s1") == 0 and not world.spending.sums
    world.finish(world.admit(RED), 7)
    world.move()
    world.check()
    assert world.spent(CHAT, "s1") == 12
    assert not world.upkeep.found.corrected and "ERROR" not in caplog.text


def test_without_budgets_rows_cost_nothing(world: World) -> None:
    world.spending.moved([()] * 1000, 0)
    assert not world.spending.sums
