"""Cells say what the ledger says, whatever happens to rules, calls, workers, keepers and the clock, in whatever order."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from msgspec.structs import replace

from gw import clock
from gw.domain.budget import Budget
from gw.domain.scope import CallPath, Scope
from gw.domain.tenure import GONE_KEPT_US, budget_key
from gw.domain.window import LIFETIME, parse_window
from gw.ledger.sqlite import SqliteDatabase
from tests.ledger.records import NOON_US
from tests.ledger.spent import charged, empty
from tests.spending import Clock, World

HOUR_US = 3_600_000_000
TEAM = Budget("team", Scope("team", "red"), 10**9, parse_window("day"))
EACH = Budget("each", Scope("key", "*", each=True), 10**9, parse_window("hour", "Europe/Berlin"))
GOOD = Budget("good", Scope("customer", "*"), 10**9, LIFETIME)
WORST = Budget("worst", Scope("team", "*", each=True), 10**9, parse_window("5h"), reserve="worst")
CHAT = Budget("chat", Scope("session", "*", each=True), 10**9, LIFETIME)
BUDGETS = (TEAM, EACH, GOOD, WORST, CHAT)
RED = CallPath("c", "red", "anna", "", "up", "m", "", "s1")
BLUE = CallPath("c", "blue", "bob", "", "up", "m", "", "s2")
NOBODY = CallPath("", "", "", "", "up", "m", "", "")


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


# --- anything in any order ------------------------------------------------------------------------------------------------


class Anything(RuleBasedStateMachine):
    """At rest, every cell of a budget in force shows what all rows together say. Only where a commit was not told of, where a
    budget has come back while calls of its former time were not yet in the ledger, or after the clock was set back, or where a
    call runs for a day, a correction may be needed for it."""

    ledger: SqliteDatabase

    def __init__(self) -> None:
        super().__init__()
        empty(self.ledger)
        self.now = Clock(NOON_US)
        self.patches = [patch.object(clock, "wall_us", self.now.wall_us), patch.object(clock, "mono_ns", self.now.mono_ns)]
        for one in self.patches:
            one.start()
        self.world = World(self.ledger, self.now)
        self.excused = self.set_back = False

    def teardown(self) -> None:
        try:
            self.rest()
        finally:
            for one in self.patches:
                one.stop()

    @rule(budgets=st.sets(st.sampled_from(BUDGETS)), limit=st.integers(1, 5))
    def publish(self, budgets: set[Budget], limit: int) -> None:
        known = self.world.snapshot.published.tenures
        back = [one for one in budgets if len(known.get(budget_key(one), ())) % 2 == 0 and budget_key(one) in known]
        begun_us = [one.charged_us for one in (*self.world.journal, *(one.record for one in self.world.running))]
        self.excused |= bool(back and (begun_us or self.set_back))
        self.excused |= min(begun_us, default=self.now.now_us) < self.now.now_us - GONE_KEPT_US // 2
        self.world.publish([replace(one, limit_nusd=limit) for one in sorted(budgets, key=lambda one: one.id)])

    @rule()
    def worker_takes_the_new_rules(self) -> None:
        self.world.served = self.world.snapshot

    @precondition(lambda self: len(self.world.running) < 20)
    @rule(path=st.sampled_from((RED, BLUE, NOBODY)), amount=st.sampled_from((0, 1, 50)))
    def admit(self, path: CallPath, amount: int) -> None:
        self.world.admit(path, amount)

    @precondition(lambda self: self.world.running)
    @rule(which=st.integers(0, 19), nusd=st.integers(0, 100), at_most=st.sampled_from((0, 0, 70)))
    def finish(self, which: int, nusd: int, at_most: int) -> None:
        self.world.finish(self.world.running[which % len(self.world.running)], nusd, at_most)

    @rule(count=st.integers(1, 5), told=st.sampled_from((True, True, True, False)))
    def move(self, count: int, told: bool) -> None:
        self.excused |= not told and bool(self.world.journal)
        self.world.move(count, told=told)

    @rule(which=st.integers(0, 50), nusd=st.integers(0, 100), seen=st.booleans())
    def reprice(self, which: int, nusd: int, seen: bool) -> None:
        self.world.reprice(which, nusd)
        if seen:
            self.world.look()

    @rule(steps=st.lists(st.integers(0, 3), min_size=20, max_size=20), nusd=st.integers(0, 100))
    def worker_dies(self, steps: list[int], nusd: int) -> None:
        """Each call at a step of its own: held; sent; journaled; half posted."""
        for one, step in zip(list(self.world.running), steps, strict=False):
            if step == 1:  # the keeper settles it as observed
                record = one.record
                self.world.write(charged(record.call_id, self.charged_us(one), nusd, self.path(one), rules_us=record.rules_us))
            elif step > 1:
                self.world.finish(one, nusd, posts=step - 2)
        self.world.die()
        self.world.move()
        self.world.reap()

    @rule()
    def keeper_dies(self) -> None:
        self.world.keeper()

    @rule(hours=st.sampled_from((1, 1, 5, 24, -1)))
    def time_passes(self, hours: int) -> None:
        # An empty cell may be forgotten after an hour, under a call that holds nothing in it.
        self.excused |= any(not slot.held for one in self.world.running for slot, _ in one.slots)
        self.set_back |= hours < 0
        self.now.now_us += hours * HOUR_US
        self.now.mono += abs(hours) * HOUR_US * 1000
        self.world.spending.follow(self.now.now_us)
        self.world.upkeep.sweep(self.now.now_us, self.now.mono)
        self.world.upkeep.check(self.world.passes)

    @rule()
    def rest(self) -> None:
        world = self.world
        for one in list(world.running):
            world.finish(one, 7)
        world.move()
        assert world.reserved() == 0
        world.look()
        if not self.excused:
            world.spending.follow(self.now.now_us)
            world.upkeep.check(world.passes)  # enters what the clock has made current again
            assert not world.wrong()
        world.check()
        assert not world.wrong()
        assert self.excused or not world.upkeep.found.corrected

    @rule()
    def restart(self) -> None:
        self.rest()
        self.world.start(self.world.snapshot.budget_book.budgets)
        assert not self.world.wrong()
        self.excused = self.set_back = False

    @staticmethod
    def path(one) -> CallPath:
        return next(path for path in (RED, BLUE, NOBODY) if path.key_name == one.record.key_name)

    @staticmethod
    def charged_us(one) -> int:
        return one.record.charged_us


def test_whatever_happens_cells_show_what_the_rows_say(ledger: SqliteDatabase) -> None:
    Anything.ledger = ledger
    run_state_machine_as_test(Anything, settings=settings(max_examples=80, stateful_step_count=40, deadline=None))
