"""CPU time, memory and their slope, as the kernel says."""

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.process import MB, Watch, cpu_us, peak, resident, slope

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@linux
def test_this_process_has_used_time_and_memory():
    mine = [os.getpid()]
    assert cpu_us(mine) > 0 and peak(mine) >= resident(mine) > MB


@linux
def test_a_process_that_is_gone_counts_nothing():
    gone = [2**22 + 1]
    assert (cpu_us(gone), resident(gone), peak(gone)) == (0, 0, 0)


@linux
def test_a_watch_sees_what_is_allocated_and_freed_between():
    watch = Watch([os.getpid()])
    watch.begin()
    block = bytearray(64 * MB)
    del block
    figures = watch.end(requests=2, events=4)
    assert figures["rise_mb"] > 50 and figures["cpu_per_request_us"] == 2 * figures["cpu_per_event_us"]


def test_nobody_to_watch_has_no_figures():
    assert Watch([]).end(requests=1) == {}


@given(st.floats(-100, 100), st.floats(-100, 100), st.lists(st.integers(0, 1000), min_size=2, max_size=20, unique=True))
def test_the_slope_of_a_line_is_its_slope(rise: float, start: float, xs: list[int]):
    assert slope([(x, start + rise * x) for x in xs]) == pytest.approx(rise, abs=1e-6)


def test_no_line_has_no_slope():
    assert slope([]) == slope([(1, 5)]) == slope([(1, 5), (1, 7)]) == 0
