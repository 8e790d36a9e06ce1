"""Waits, the purse of all retries, and the step that follows a verdict."""

import random

from hypothesis import given
from hypothesis import strategies as st

from gw.routing.retry import STOP, Patience, Purse, Step, next_step, wait_ns
from gw.routing.verdict import Verdict, classify

S = 1_000_000_000
RICH = Patience(percent=100, floor=10_000)


def step(
    verdict: Verdict, *, tried: int = 1, at_place: int = 1, others: int = 0, patience: Patience = RICH, purse: Purse | None = None
) -> Step:
    return next_step(patience, purse or Purse(patience, 0), verdict, tried, at_place, others, 0, lambda: 0.5)


@given(st.integers(1, 100), st.floats(0, 0.999))
def test_a_wait_lies_between_nothing_and_a_bound_that_doubles_up_to_the_cap(attempt: int, chance: float) -> None:
    found = wait_ns(Patience(), attempt, chance)
    assert 0 <= found <= min(250_000_000 * 2 ** (attempt - 1), 8 * S)
    assert found == wait_ns(Patience(), attempt, chance)


def test_waits_are_spread_over_all_of_it() -> None:
    chance = random.Random(7).random
    waits = [wait_ns(Patience(), 3, chance()) for _ in range(1000)]
    assert max(waits) - min(waits) > 0.98 * S
    assert abs(sum(waits) / 1000 - S / 2) < 0.05 * S


def test_the_steps_after_each_verdict() -> None:
    again, elsewhere = classify(500), classify(529)
    assert step(again) == Step(False, 125_000_000, again=True)
    assert step(again, at_place=3) == Step(False, 500_000_000, again=True)
    assert step(elsewhere, others=1) == Step(False)
    assert step(elsewhere) == Step(False, 125_000_000, again=True), "no other place: this one may do better in a moment"
    assert step(classify(529, retry_after_s=5.0)) == Step(False, 5 * S, again=True)
    assert step(classify(529, retry_after_s=9.0)) == STOP, "nobody waits longer than the cap"
    assert step(classify(429, retry_after_s=60.0), others=1) == Step(False)
    assert step(classify(401)) == STOP, "what a credential was refused, it is refused again"
    assert step(classify(401), others=1) == Step(False)
    assert step(classify(0, "tls")) == STOP
    assert step(classify(400), others=3) == STOP
    assert step(classify(200), others=3) == STOP
    assert step(again, tried=4) == STOP


def test_without_money_in_the_purse_the_first_other_place_is_still_tried() -> None:
    poor = Patience(percent=0, floor=0)
    assert step(classify(500), patience=poor) == STOP
    assert step(classify(500), patience=poor, others=1) == Step(False)
    assert step(classify(500), patience=poor, others=1, tried=2) == STOP


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 40), st.integers(0, 5 * S)), max_size=60),
    st.integers(0, 100),
    st.integers(0, 60),
)
def test_retries_are_never_more_than_their_part_of_the_calls_and_the_floor(
    steps: list[tuple[int, int, int]], percent: int, floor: int
) -> None:
    """Over any time: percent of the calls, the floor of each minute, and what was in the purse at the beginning."""
    purse, now, calls, taken = Purse(Patience(percent=percent, floor=floor), 0), 0, 0, 0
    for begun, wanted, later in steps:
        for _ in range(begun):
            purse.call()
        calls += begun
        taken += sum(purse.take(now) for _ in range(wanted))
        assert taken * 100 <= percent * calls + floor * 100 + floor * 100 * now / (60 * S)
        now += later


def test_a_fifth_of_the_calls_may_be_tried_again_however_long_it_lasts() -> None:
    purse, now, taken = Purse(Patience(), 0), 0, 0
    for _ in range(10_000):
        purse.call()
        now += S // 100
        taken += purse.take(now)
    assert 2000 <= taken <= 2000 + 30 + 50


def test_an_idle_worker_has_its_floor_again_after_a_minute() -> None:
    purse = Purse(Patience(floor=3), 0)
    assert [purse.take(0) for _ in range(4)] == [True, True, True, False]
    assert not purse.take(19 * S) and purse.take(20 * S)
    assert [purse.take(500 * S) for _ in range(4)] == [True, True, True, False]
