"""The stopwatch of a call's own time, both twins."""

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import laps as compiled
from gw._fast.counters import Counters as CompiledCounters
from gw._fast.ref import laps as pure
from gw._fast.ref.counters import Counters as PureCounters
from gw.clock import mono_ns

TWINS = pytest.mark.parametrize("module", [pytest.param(compiled, id="compiled"), pytest.param(pure, id="pure")])
BOUNDS_NS = (1_000, 1_000_000, 1_000_000_000)
SIZE = len(BOUNDS_NS) + 2


@TWINS
def test_each_part_has_the_time_since_the_lap_before_and_no_more_than_has_passed(module: Any) -> None:
    began_ns = mono_ns()
    laps = module.Laps()
    for part in (0, 1, 0, 7):
        laps.lap(part)
    passed_ns = mono_ns() - began_ns
    spent = [laps[part] for part in range(8)]
    assert 0 < sum(spent) <= passed_ns
    assert min(spent) >= 0 and spent[2:7] == [0] * 5


@TWINS
def test_time_that_is_skipped_is_nobodys(module: Any) -> None:
    laps = module.Laps()
    until_ns = mono_ns() + 20_000_000
    while mono_ns() < until_ns:
        pass
    laps.skip()
    laps.lap(0)
    assert laps[0] < 20_000_000


@TWINS
@pytest.mark.parametrize("part", [-1, 8])
def test_there_is_no_other_part(module: Any, part: int) -> None:
    laps = module.Laps()
    with pytest.raises(IndexError):
        laps.lap(part)
    with pytest.raises(IndexError):
        laps[part]


@TWINS
def test_a_record_counts_the_whole_and_the_governed_part_once_each(module: Any) -> None:
    counters = (CompiledCounters if module is compiled else PureCounters)(memoryview(bytearray(8 * (2 * SIZE + 8 + 1))))
    laps = module.Laps()
    for part in (0, 1, 5, 6):
        laps.lap(part)
    laps.record(counters, 1, BOUNDS_NS, 6)
    spent = [laps[part] for part in range(8)]
    found = [counters[at] for at in range(len(counters))]
    whole, governed, parts = found[1 : 1 + SIZE], found[1 + SIZE : 1 + 2 * SIZE], found[1 + 2 * SIZE :]
    assert found[0] == 0 and parts == spent
    assert (sum(whole[:-1]), whole[-1]) == (1, sum(spent))
    assert (sum(governed[:-1]), governed[-1]) == (1, sum(spent[:6]))
    assert whole.index(1) == sum(sum(spent) > bound for bound in BOUNDS_NS)


@given(st.lists(st.integers(0, 7), max_size=12))
def test_what_is_recorded_adds_up(parts: list[int]) -> None:
    counters = CompiledCounters(memoryview(bytearray(8 * (2 * SIZE + 8))))
    laps = compiled.Laps()
    for part in parts:
        laps.lap(part)
    for _ in range(3):
        laps.record(counters, 0, BOUNDS_NS, 6)
    counts = list(accumulate(counters[at] for at in range(SIZE - 1)))
    assert counts[-1] == 3
    assert counters[SIZE - 1] == 3 * sum(laps[part] for part in range(8))
