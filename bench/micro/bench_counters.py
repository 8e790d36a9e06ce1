"""A worker's counters and marks in shared memory, and the stopwatch of a call."""

import mmap

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.measure import each
from gw._fast import Counters, Laps, Slots
from gw.ops import metrics

COUNTERS = pytest.mark.benchmark(group="counters")
LAPS = pytest.mark.benchmark(group="laps")


@COUNTERS
def test_add(benchmark: BenchmarkFixture) -> None:
    counters = Counters(mmap.mmap(-1, 4096))
    each(benchmark, lambda: counters.add(7, 1))


@COUNTERS
def test_read(benchmark: BenchmarkFixture) -> None:
    counters = Counters(mmap.mmap(-1, 4096))
    each(benchmark, lambda: counters[7])


@COUNTERS
def test_a_slot_takes_its_name(benchmark: BenchmarkFixture) -> None:
    slots = Slots(mmap.mmap(-1, 65_536), 256)
    each(benchmark, lambda: slots.name(3, "gw_0193a1b2c3d4"))


@LAPS
def test_a_lap(benchmark: BenchmarkFixture) -> None:
    laps = Laps()
    each(benchmark, lambda: laps.lap(metrics.PEEK))


@LAPS
def test_a_stopwatch_to_its_histograms(benchmark: BenchmarkFixture) -> None:
    counters = Counters(mmap.mmap(-1, 65_536))
    laps = Laps()
    laps.lap(metrics.PEEK)
    each(benchmark, lambda: metrics.observe_overhead(counters, laps))
