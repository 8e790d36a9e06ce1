"""What goes by mistake does not come back: the clock is believed only when it has said the same for a while."""

import pytest

from gw import clock, retain
from gw.ledger.months import begin_us, month_of
from gw.retain import Retention
from tests.ledger.records import NOON_US
from tests.spending import Clock

MONTH = month_of(NOON_US)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock(NOON_US)
    monkeypatch.setattr(clock, "wall_us", fake.wall_us)
    monkeypatch.setattr(clock, "mono_ns", fake.mono_ns)
    return fake


def test_whole_months_are_kept_besides_the_running_one(now: Clock) -> None:
    one = Retention(2)
    assert one.due() == 0
    now.mono += retain.STEADY_NS
    assert one.due() == begin_us(MONTH - 2)


def test_zero_keeps_all(now: Clock) -> None:
    one = Retention(0)
    now.mono += 10 * retain.STEADY_NS
    assert one.due() == one.due() == 0


def test_a_clock_that_jumps_ahead_for_a_moment_takes_nothing(now: Clock) -> None:
    one = Retention(1)
    one.due()
    now.mono += retain.STEADY_NS
    now.now_us += 400 * 86_400_000_000
    assert one.due() == 0
    now.mono += retain.STEADY_NS - 1
    now.now_us = NOON_US
    assert one.due() == 0
    now.mono += 1
    assert one.due() == 0, "the answer was another one since"
    now.mono += retain.STEADY_NS
    assert one.due() == begin_us(MONTH - 1)


def test_portions_follow_each_other_and_then_it_rests(now: Clock) -> None:
    one = Retention(1)
    one.due()
    now.mono += retain.STEADY_NS
    assert one.due()
    one.done(more=True)
    assert not one.due()
    now.mono += retain.PAUSE_NS
    assert one.due()
    one.done(more=False)
    now.mono += retain.EVERY_NS - 1
    assert not one.due()
    now.mono += 1
    assert one.due()
