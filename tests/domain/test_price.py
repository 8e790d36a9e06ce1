"""Ladders and sums of lines."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.price import Ladder, Line, Rates, Ratio, Step, cost

BASE = Rates(1, 2, 3, 4, 5)
LONG = Rates(10, 20, 30, 40, 50)
LONGER = Rates(100, 200, 300, 400, 500)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [(0, BASE), (100, BASE), (101, LONG), (200, LONG), (201, LONGER), (10**9, LONGER)],
)
def test_step_begins_after_its_threshold(prompt, expected):
    assert Ladder(BASE, (Step(100, LONG), Step(200, LONGER))).at(prompt) is expected


def test_every_class_is_priced_by_its_own_rate():
    split = cost([Line(BASE, 1, 10, 100, 1000, 10000)], tools_pusd=7)
    assert (split.input_pusd, split.output_pusd, split.cache_read_pusd) == (1, 20, 300)
    assert (split.cache_write_5m_pusd, split.cache_write_1h_pusd, split.tools_pusd, split.other_pusd) == (4000, 50000, 7, 0)
    assert split.total_pusd == 54328


def test_extra_lines_stand_in_other():
    split = cost([Line(BASE, 1), Line(LONG, 1, 1, extra=True)])
    assert (split.total_pusd, split.input_pusd, split.output_pusd, split.other_pusd) == (31, 1, 0, 30)


@pytest.mark.parametrize(("half", "expected"), [(210_375, 105_188), (210_373, 105_186), (210_374, 105_187)])
def test_the_sum_is_rounded_once_half_to_even(half, expected):
    """105,187.5 pico-USD becomes 105,188; two halves of one request become one whole, not two roundings."""
    rates = Rates(half, half, 0, 0, 0)
    assert cost([Line(rates, 1, factor=Ratio(1, 2))]).total_pusd == expected
    assert cost([Line(rates, 1, 1, factor=Ratio(1, 2))]).total_pusd == half


def test_no_factor_touches_the_tools():
    assert cost([Line(BASE, 10, factor=Ratio(11, 10))], tools_pusd=3).total_pusd == 14


def test_nothing_costs_nothing():
    assert cost([]).total_pusd == 0


def test_a_negative_count_is_a_bug():
    with pytest.raises(AssertionError):
        cost([Line(BASE, -1)])


counts = st.integers(0, 2**27)
rates = st.builds(Rates, *[st.integers(0, 10**9)] * 5)
ratios = st.builds(Ratio, st.integers(1, 10**6), st.integers(1, 10**6))
lines = st.lists(st.builds(Line, rates, counts, counts, counts, counts, counts, ratios, st.booleans()), max_size=5)


@given(lines, st.integers(0, 10**13))
def test_split_adds_up_is_never_negative_and_is_within_half_a_pico(lines, tools):
    split = cost(lines, tools_pusd=tools)
    parts = [
        split.input_pusd,
        split.output_pusd,
        split.cache_read_pusd,
        split.cache_write_5m_pusd,
        split.cache_write_1h_pusd,
        split.tools_pusd,
        split.other_pusd,
    ]
    assert sum(parts) == split.total_pusd
    assert min(parts) >= 0
    exact = Fraction(tools)
    for line in lines:
        tokens = (
            line.input_tokens * line.rates.input
            + line.output_tokens * line.rates.output
            + line.cache_read_tokens * line.rates.cache_read
            + line.cache_write_5m_tokens * line.rates.cache_write_5m
            + line.cache_write_1h_tokens * line.rates.cache_write_1h
        )
        exact += Fraction(tokens * line.factor.num, line.factor.den)
    assert split.total_pusd == round(exact)
