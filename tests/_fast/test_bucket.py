"""Rate limits are exact: what a bucket grants, refuses and asks to wait is what fractions say, in both implementations."""

import math
import mmap
import multiprocessing
from fractions import Fraction
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests._fast.shared import BUCKETS, compiled_bucket, new_buckets, pure_bucket

SECOND = 10**9
YEAR = 365 * 24 * 3600 * SECOND
FAR = (2**63 - 1) // 4
both = pytest.mark.parametrize("module", BUCKETS)


def new_limit(module: ModuleType, units: int = 10, per_ns: int = SECOND, burst: int = 5, key: int = 1) -> Any:
    return module.Limit(new_buckets(module), key, units, per_ns, burst)


# --- the table and the borders ----------------------------------------------------------------------------------------


@both
def test_buckets_are_found_by_key_until_none_is_free(module: ModuleType) -> None:
    buckets = new_buckets(module, 4)
    assert sorted(buckets.find(key) for key in (1, 2, 3, 4)) == [0, 1, 2, 3]
    assert (buckets.find(5), buckets.lookup(5), buckets.lookup(3), buckets.arrival(0)) == (-1, -1, buckets.find(3), (0, 0))
    with pytest.raises(OverflowError):
        module.Limit(buckets, 5, 1, 1, 1)
    with pytest.raises(IndexError):
        buckets.arrival(4)
    with pytest.raises(ValueError):
        buckets.find(0)
    with pytest.raises(ValueError):
        module.Buckets(mmap.mmap(-1, 255), 4)


@both
def test_values_out_of_range_are_refused(module: ModuleType) -> None:
    buckets = new_buckets(module)
    most = module.UNITS_MAX
    for wrong in ((0, 1, 1), (1, 0, 1), (1, 1, 0), (most + 1, 1, 1), (1, 2**62 + 1, 1), (1, 1, most + 1)):
        with pytest.raises(ValueError):
            module.Limit(buckets, 1, *wrong)
    limit = module.Limit(buckets, 1, 1, 1, 1)
    for wrong_units in (-1, most + 1):
        for call in (limit.take, limit.debt, lambda units, now_ns: module.Limits([limit]).take_all(units, now_ns)):
            with pytest.raises(ValueError):
                call(wrong_units, 0)
    with pytest.raises(ValueError):
        module.Limits([limit] * 2)
    with pytest.raises(ValueError):
        module.Limits([module.Limit(buckets, key, 1, 1, 1) for key in range(1, 26)])


# --- a limit by itself ------------------------------------------------------------------------------------------------


@both
def test_a_burst_then_the_steady_rate(module: ModuleType) -> None:
    limit, now = new_limit(module), 1_000 * SECOND
    assert [limit.take(1, now) for _ in range(7)] == [0, 0, 0, 0, 0, SECOND // 10, SECOND // 10]
    assert limit.take(1, now + SECOND // 10 - 1) == 1
    assert limit.take(1, now + SECOND // 10) == 0
    assert [limit.take(5, now + 10 * SECOND), limit.take(1, now + 10 * SECOND)] == [0, SECOND // 10]


@both
def test_more_than_the_burst_can_never_be_taken(module: ModuleType) -> None:
    limit = new_limit(module)
    assert (limit.take(6, 0), limit.take(5, 0)) == (module.NEVER, 0)


@both
def test_a_rate_of_thirds_of_a_nanosecond_loses_nothing(module: ModuleType) -> None:
    limit, now = new_limit(module, units=3, per_ns=1, burst=3), 50
    for _ in range(1000):
        assert [limit.take(1, now) for _ in range(4)] == [0, 0, 0, 1]
        now += 1


@both
def test_a_debt_is_charged_in_full_and_waited_for(module: ModuleType) -> None:
    limit, now = new_limit(module, units=1000, per_ns=60 * SECOND, burst=1000), 7 * SECOND
    assert limit.check(now) == 0
    limit.debt(1000, now)
    assert (limit.check(now), limit.take(1, now)) == (0, 60_000_000)
    limit.debt(2500, now)
    assert limit.check(now) == 150 * SECOND
    assert (limit.check(now + 150 * SECOND - 1), limit.check(now + 150 * SECOND)) == (1, 0)


@both
def test_what_is_given_back_can_be_taken_again(module: ModuleType) -> None:
    limit, now = new_limit(module, units=7, burst=7), 3 * SECOND
    assert limit.take(7, now) == 0
    limit.give(3)
    assert (limit.take(3, now), limit.take(1, now)) == (0, math.ceil(Fraction(SECOND, 7)))


@both
def test_another_rate_of_the_same_bucket_keeps_its_time(module: ModuleType) -> None:
    buckets = new_buckets(module)
    thirds, sevenths = module.Limit(buckets, 1, 3, 2, 1000), module.Limit(buckets, 1, 7, 5, 1000)
    thirds.debt(2, 100)  # 4/3 ns
    assert buckets.arrival(thirds.index) == (101, 1)
    sevenths.debt(1, 100)  # 5/7 ns more; one part of three is read as one of seven
    assert buckets.arrival(thirds.index) == (101, 6)
    thirds.debt(1, 100)  # six parts of three are more than a nanosecond: read as one
    assert buckets.arrival(thirds.index) == (102, 2)


@both
def test_extremes_do_not_overflow(module: ModuleType) -> None:
    most, now = module.UNITS_MAX, 2**61
    fast = new_limit(module, units=most, per_ns=SECOND, burst=most)
    assert [fast.take(most, now), fast.take(1, now), fast.take(most, now + SECOND)] == [0, 1, 0]
    slow = new_limit(module, units=1, per_ns=YEAR, burst=2)
    assert [slow.take(1, now), slow.take(1, now), slow.take(1, now), slow.take(1, now + YEAR)] == [0, 0, YEAR, 0]
    for _ in range(20):
        slow.debt(most, now)
    assert slow.check(now) == FAR - 2 * YEAR
    never = new_limit(module, units=1, per_ns=2**62, burst=most)
    assert [never.take(most, now), never.take(1, now)] == [0, FAR]


shapes = st.tuples(st.integers(1, 10**12), st.one_of(st.integers(1, 100), st.integers(1, YEAR)), st.integers(1, 10**12))
calls = st.lists(
    st.tuples(st.sampled_from(["take", "take", "debt", "check", "give"]), st.integers(0, 10**6), st.floats(0, 3)), max_size=40
)


@given(shapes, calls)
@example((7, 3, 5), [("take", 1, 0.1)] * 30)
@example((10**12, SECOND, 10**12), [("take", 999_999, 0.5)] * 30)
def test_both_do_what_fractions_say(shape: tuple[int, int, int], steps: list[tuple[str, int, float]]) -> None:
    units, per_ns, burst = shape
    period = Fraction(per_ns, units)
    burst = max(1, min(burst, math.floor(FAR / 100 / period)))
    twins = [new_limit(module, units, per_ns, burst) for module in (compiled_bucket, pure_bucket)]
    arrival, now, taken = Fraction(0), 10**9, [0]
    for step, share, pause in steps:
        count = min(burst, share)
        now += min(int(float(period) * pause * count), FAR // 100)
        earned = max(arrival, Fraction(now))
        if step == "check":
            expected: object = max(0, math.ceil(earned - now - burst * period))
            results = [twin.check(now) for twin in twins]
        elif step == "debt":
            arrival, expected = earned + count * period, None
            results = [twin.debt(count, now) for twin in twins]
        elif step == "give":
            count = taken.pop() if len(taken) > 1 else 0
            arrival, expected = arrival - count * period, None
            results = [twin.give(count) for twin in twins]
        else:
            wait = max(0, math.ceil(earned + count * period - now - burst * period))
            results, expected = [twin.take(count, now) for twin in twins], wait
            if wait == 0:
                arrival = earned + count * period
                taken.append(count)
        assert results == [expected, expected]
        parts = period.denominator
        whole, rest = twins[0].buckets.arrival(twins[0].index)
        assert whole + Fraction(rest, parts) == arrival and (whole, rest) == twins[1].buckets.arrival(twins[1].index)


# --- limits together --------------------------------------------------------------------------------------------------


@both
def test_take_all_takes_from_each_or_from_none(module: ModuleType) -> None:
    buckets, now = new_buckets(module), 50 * SECOND
    shapes = [(10, SECOND, 10), (2, SECOND, 3), (100, 60 * SECOND, 4), (10, SECOND, 10)]
    parts = [module.Limit(buckets, key, *shape) for key, shape in enumerate(shapes, 1)]
    limits = module.Limits(parts)
    assert (len(limits), limits.limits) == (4, tuple(parts))
    assert [limits.take_all(1, now) for _ in range(3)] == [None] * 3
    before = [buckets.arrival(part.index) for part in parts]
    assert limits.take_all(1, now) == (1, SECOND // 2)
    assert [buckets.arrival(part.index) for part in parts] == before
    assert parts[2].take(1, now) == 0
    assert limits.take_all(1, now) == (2, 600_000_000), "the longest wait of those that refuse"
    assert limits.take_all(1, now + 600_000_000 - 1) == (2, 1)
    assert limits.take_all(1, now + 600_000_000) is None
    limits.give_all(1)
    assert limits.take_all(1, now + 600_000_000) is None
    assert limits.take_all(4, now) == (1, module.NEVER)
    assert module.Limits([]).take_all(1, now) is None


@given(st.lists(shapes, min_size=1, max_size=5), st.lists(st.tuples(st.integers(1, 50), st.integers(0, 10**9)), max_size=20))
def test_take_all_agrees_and_its_wait_is_enough_and_not_too_long(
    found: list[tuple[int, int, int]], steps: list[tuple[int, int]]
) -> None:
    both_limits = []
    for module in (compiled_bucket, pure_bucket):
        buckets = new_buckets(module)
        both_limits.append(
            module.Limits([module.Limit(buckets, key, *shape[:2], 50 + shape[2] % 1000) for key, shape in enumerate(found, 1)])
        )
    now = 10**9
    for units, pause in steps:
        now += pause
        results = [limits.take_all(units, now) for limits in both_limits]
        assert results[0] == results[1]
        if results[0] is None or results[0][1] > FAR // 100:
            continue
        wait_ns = results[0][1]
        assert [limits.take_all(units, now + wait_ns - 1) for limits in both_limits] == [(results[0][0], 1)] * 2
        now += wait_ns
        assert [limits.take_all(units, now) for limits in both_limits] == [None] * 2


def take_often(buckets: Any, ends: Any, number: int) -> None:
    """Takes one unit from both limits again and again while the clock of this test stands still."""
    limits = compiled_bucket.Limits(
        [compiled_bucket.Limit(buckets, 1, 7, SECOND, 50_000), compiled_bucket.Limit(buckets, 2 + number % 2, 3, SECOND, 20_000)]
    )
    ends[number] = sum(limits.take_all(1, SECOND) is None for _ in range(40_000))


def test_four_processes_take_exactly_the_burst() -> None:
    fork = multiprocessing.get_context("fork")
    buckets, ends = new_buckets(), fork.Array("q", 4)
    workers = [fork.Process(target=take_often, args=(buckets, ends, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(ends) == 40_000  # 20,000 of each second limit; the first would have granted 50,000
    for key, units, taken in ((1, 7, 40_000), (2, 3, 20_000), (3, 3, 20_000)):
        whole, rest = buckets.arrival(buckets.lookup(key))
        assert whole - SECOND + Fraction(rest, units) == taken * Fraction(SECOND, units)
