"""What a budget allows at an instant, and which changes of it begin a new sum."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gw.domain.budget import Budget, Increase, cell_key, effective_limit_nusd, limit_changes_us, warnings_nusd
from gw.domain.limit import Limit, bucket_key, parse_per, usd_units
from gw.domain.money import NUSD_MAX, nusd_from_usd
from gw.domain.scope import Scope
from gw.domain.window import parse_window

USD = 10**9
BUDGET = Budget(
    "b", Scope("team", "platform"), 10 * USD, parse_window("month"), increases=(Increase(5 * USD, 200), Increase(USD, 100))
)
LIMIT = Limit("l", Scope("team", "platform"), "requests", 60, 60 * 10**9, 60)


@pytest.mark.parametrize(
    ("at_us", "limit", "changes_us"), [(0, 16, 100), (99, 16, 100), (100, 15, 200), (199, 15, 200), (200, 10, 0), (10**15, 10, 0)]
)
def test_increase_holds_up_to_its_end(at_us, limit, changes_us):
    assert effective_limit_nusd(BUDGET, at_us) == limit * USD
    assert limit_changes_us(BUDGET, at_us) == changes_us


@given(st.integers(0, NUSD_MAX), st.lists(st.builds(Increase, st.integers(0, NUSD_MAX), st.integers(1, 5)), max_size=4))
def test_effective_limit_fits_a_cell_and_is_what_changes_say(limit, increases):
    budget = replace(BUDGET, limit_nusd=limit, increases=tuple(increases))
    for at in range(6):
        effective = effective_limit_nusd(budget, at)
        assert limit <= effective <= NUSD_MAX
        until = limit_changes_us(budget, at)
        assert all(effective_limit_nusd(budget, later) == effective for later in range(at, until or 6))


@pytest.mark.parametrize(
    ("limit", "expected"), [(10 * USD, (5 * USD, 8 * USD)), (1, (1, 1)), (0, (0, 0)), (10_001, (5001, 8001))]
)
def test_warnings_are_parts_of_the_limit_in_force_rounded_up(limit, expected):
    assert warnings_nusd(replace(BUDGET, warn_at=(5000, 8000)), limit) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit_nusd": -1},
        {"limit_nusd": NUSD_MAX + 1},
        {"warn_at": (8000, 5000)},
        {"warn_at": (5000, 5000)},
        {"warn_at": (0,)},
        {"warn_at": (10_001,)},
        {"increases": (Increase(-1, 5),)},
    ],
)
def test_what_is_no_budget_is_refused(wrong):
    with pytest.raises(ValueError):
        replace(BUDGET, **wrong)


# --- cells and buckets --------------------------------------------------------------------------------------------------------


def test_terms_of_a_budget_may_change_without_a_new_cell():
    same = replace(BUDGET, limit_nusd=1, mode="soft", reserve="worst", warn_at=(1,), contact="x", increases=())
    assert cell_key(same, "platform", 7) == cell_key(BUDGET, "platform", 7)


def test_another_sum_is_another_cell():
    others = [
        (replace(BUDGET, id="c"), "platform", 7),
        (replace(BUDGET, scope=Scope("customer", "platform")), "platform", 7),
        (replace(BUDGET, scope=Scope("team", "plat*", each=True)), "platform", 7),
        (replace(BUDGET, window=parse_window("day")), "platform", 7),  # on the first of a month both begin at once
        (replace(BUDGET, window=parse_window("month", "Asia/Tokyo")), "platform", 7),
        (replace(BUDGET, window=parse_window("month", "UTC", "2")), "platform", 7),
        (BUDGET, "other", 7),
        (BUDGET, "platform", 8),
    ]
    keys = {cell_key(*other) for other in others} | {cell_key(BUDGET, "platform", 7)}
    assert len(keys) == len(others) + 1


def test_changed_rate_keeps_its_bucket_and_another_count_is_another():
    key = bucket_key(LIMIT, "platform")
    assert bucket_key(replace(LIMIT, amount=5, per_ns=7, burst=9), "platform") == key
    others = [
        bucket_key(replace(LIMIT, id="m"), "platform"),
        bucket_key(replace(LIMIT, kind="tokens"), "platform"),
        bucket_key(replace(LIMIT, scope=Scope("key", "platform")), "platform"),
        bucket_key(LIMIT, "other"),
        cell_key(BUDGET, "platform", 0),
    ]
    assert len({key, *others}) == 6


# --- limits and amounts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "per_ns"), [("1s", 10**9), ("90s", 90 * 10**9), ("1m", 60 * 10**9), ("2h", 7200 * 10**9), ("1w", 604_800 * 10**9)]
)
def test_time_of_a_rate(text, per_ns):
    assert parse_per(text) == per_ns


@pytest.mark.parametrize("text", ["", "m", "0m", "1M", "1Y", "1.5h", "-1m", "1m ", "minute", "366d", "999999999w"])
def test_what_is_no_time_of_a_rate_is_refused(text):
    with pytest.raises(ValueError, match=r'^must be .*"$'):
        parse_per(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": 10**12 + 1},
        {"per_ns": 0},
        {"burst": 0},
        {"burst": 10**12 + 1},
        {"per_ns": 2**62},
        {"kind": "parallel"},
    ],
)
def test_what_is_no_limit_is_refused(wrong):
    with pytest.raises(ValueError):
        replace(LIMIT, **wrong)


def test_parallel_calls_have_no_time():
    assert Limit("p", LIMIT.scope, "parallel", 8).per_ns == 0


@pytest.mark.parametrize(("nusd", "units"), [(0, 0), (1, 1), (1000, 1), (1001, 2), (USD, 10**6)])
def test_cost_counts_in_micro_usd_rounded_up(nusd, units):
    assert usd_units(nusd) == units


@pytest.mark.parametrize(("text", "nusd"), [("0", 0), ("0.000000001", 1), ("2500", 2500 * USD), ("1.5", 1_500_000_000)])
def test_usd_in_nano_usd(text, nusd):
    assert nusd_from_usd(text) == nusd


@pytest.mark.parametrize("text", ["0.0000000001", "NaN", "x"])
def test_what_is_no_amount_in_nano_usd_is_refused(text):
    with pytest.raises(ValueError):
        nusd_from_usd(text)
