"""Schedules: fixed beforehand, in order, as many as the rate says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.loadgen.schedule import SECOND_NS, at_random, evenly, merged


@given(st.floats(0.5, 20_000), st.floats(0.01, 0.5))
def test_even_ones_are_equally_far_apart_and_before_the_end(rps: float, seconds: float):
    made = evenly(rps, seconds, kind=3)
    assert len(made) == max(1, round(rps * seconds))
    assert made.offsets_ns[0] == 0 and set(made.kinds) == {3}
    gaps = {second - first for first, second in zip(made.offsets_ns, made.offsets_ns[1:], strict=False)}
    assert all(abs(gap - SECOND_NS / rps) <= 1 for gap in gaps)
    assert made.offsets_ns[-1] <= (seconds + 0.5 / rps) * SECOND_NS


def test_even_ones_do_not_drift():
    assert evenly(3, 10_000).offsets_ns[29_997] == 9_999 * SECOND_NS


@given(st.integers(0, 5))
def test_random_ones_are_the_same_for_the_same_seed_and_as_many_as_the_rate_says(seed: int):
    made = at_random(2000, 2, seed=seed)
    assert made == at_random(2000, 2, seed=seed) != at_random(2000, 2, seed=seed + 1)
    assert list(made.offsets_ns) == sorted(made.offsets_ns) and made.offsets_ns[-1] < 2 * SECOND_NS
    assert 3600 < len(made) < 4400  # six standard deviations


def test_merged_keeps_each_with_its_kind_in_order_of_time():
    made = merged([evenly(10, 1, kind=0), evenly(4, 1, kind=7)])
    assert len(made) == 14 and list(made.offsets_ns) == sorted(made.offsets_ns)
    assert [at for at, kind in zip(made.offsets_ns, made.kinds, strict=True) if kind == 7] == list(evenly(4, 1).offsets_ns)


@pytest.mark.parametrize(("rps", "seconds"), [(0, 1), (-1, 1), (1, 0)])
def test_no_load_is_an_error(rps: float, seconds: float):
    with pytest.raises(ValueError):
        evenly(rps, seconds)
    with pytest.raises(ValueError):
        at_random(rps, seconds, seed=1)
