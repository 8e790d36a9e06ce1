"""Counters: both twins count the same, and at the end of 64 bits they stand still."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import figures as compiled
from gw._fast.ref import figures as pure

TWINS = pytest.mark.parametrize("module", [pytest.param(compiled, id="compiled"), pytest.param(pure, id="pure")])
MOST = 2**63 - 1
USD = 10**12
BOUNDS = (10, 20, 50)
WORDS = st.integers(-MOST - 1, MOST) | st.integers(0, 60)
STEPS = st.lists(
    st.tuples(st.just("add"), st.integers(-1, 8), WORDS)
    | st.tuples(st.just("add_money"), st.integers(-1, 8), WORDS)
    | st.tuples(st.just("observe"), st.integers(-1, 8), WORDS),
    max_size=20,
)


def done(figures: Any, step: tuple[str, int, int]) -> str:
    kind, at, value = step
    more: tuple[Any, ...] = {"add": (value,), "add_money": (value, USD), "observe": (BOUNDS, value)}[kind]
    try:
        assert getattr(figures, kind)(at, *more) == 0
    except IndexError as error:
        return str(error)
    return ""


@given(STEPS)
def test_the_twins_count_alike(steps: list[tuple[str, int, int]]) -> None:
    one, other = compiled.Figures([0] * 8), pure.Figures([0] * 8)
    for step in steps:
        assert done(one, step) == done(other, step), step
        assert one.shown() == other.shown(), step


@TWINS
def test_money_is_kept_in_whole_units_and_the_rest(module: Any) -> None:
    figures = module.Figures([1, 2, USD - 1])
    figures.add_money(1, 3 * USD + 1, USD)
    assert figures.shown() == [1, 6, 0]
    with pytest.raises(ValueError, match="above 0"):
        figures.add_money(1, 1, 0)


@TWINS
def test_a_bound_belongs_to_what_is_below_it(module: Any) -> None:
    figures = module.Figures([0] * 6)
    for value in (0, 10, 11, 50, 51, 1000):
        figures.observe(1, BOUNDS, value)
    assert figures.shown() == [0, 2, 1, 1, 2, 1122]


@TWINS
def test_a_counter_at_its_end_stays_there(module: Any) -> None:
    figures = module.Figures([MOST - 1, -MOST])
    for _ in range(3):
        figures.add(0, 2)
        figures.add(1, -MOST)
    assert figures.shown() == [MOST, -MOST - 1]


@TWINS
def test_what_is_no_figure_changes_none(module: Any) -> None:
    figures = module.Figures([5, 6, 7])
    for call in (
        lambda: figures.add(3, 1),
        lambda: figures.add(-1, 1),
        lambda: figures.add_money(2, 1, USD),
        lambda: figures.observe(0, BOUNDS, 1),
    ):
        with pytest.raises(IndexError):
            call()
    for call in (lambda: figures.add(0, 2**63), lambda: figures.observe(0, (), 2**63), lambda: module.Figures([2**63])):
        with pytest.raises(OverflowError):
            call()
    assert figures.shown() == [5, 6, 7] and figures.count == 3
