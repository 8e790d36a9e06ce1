"""The peek, the scale and both in one pass, over request bodies: Claude Code's, small ones, and those that are hard on a
scanner."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.bodies import BODIES, SMALL, claude_code
from bench.micro.measure import each
from gw._fast import peek, peek_and_weigh, weigh

PEEK = pytest.mark.benchmark(group="jsonpeek")
WEIGH = pytest.mark.benchmark(group="weigh")
BOTH = pytest.mark.benchmark(group="peekweigh")


@PEEK
@pytest.mark.parametrize("kind", BODIES)
def test_peek_at_300_kb(benchmark: BenchmarkFixture, kind: str) -> None:
    body = BODIES[kind]()
    assert peek(body).error == ""
    each(benchmark, lambda: peek(body), calls=5, size=len(body))


@WEIGH
@pytest.mark.parametrize("kind", BODIES)
def test_weigh_300_kb(benchmark: BenchmarkFixture, kind: str) -> None:
    body = BODIES[kind]()
    each(benchmark, lambda: weigh(body), calls=5, size=len(body))


@PEEK
@pytest.mark.parametrize("kb", [1, 100, 1_000, 4_000])
def test_peek_at_claude_code(benchmark: BenchmarkFixture, kb: int) -> None:
    body = SMALL if kb == 1 else claude_code(kb * 1_000)
    each(benchmark, lambda: peek(body), calls=1_000 // kb or 1, size=len(body))


@WEIGH
@pytest.mark.parametrize("kb", [1, 100, 1_000, 4_000])
def test_weigh_claude_code(benchmark: BenchmarkFixture, kb: int) -> None:
    body = SMALL if kb == 1 else claude_code(kb * 1_000)
    each(benchmark, lambda: weigh(body), calls=1_000 // kb or 1, size=len(body))


@BOTH
@pytest.mark.parametrize("kind", BODIES)
def test_peek_and_weigh_300_kb(benchmark: BenchmarkFixture, kind: str) -> None:
    body = BODIES[kind]()
    assert peek_and_weigh(body).weight == weigh(body)
    each(benchmark, lambda: peek_and_weigh(body), calls=5, size=len(body))


@BOTH
@pytest.mark.parametrize("kb", [1, 100, 1_000, 4_000])
def test_peek_and_weigh_claude_code(benchmark: BenchmarkFixture, kb: int) -> None:
    body = SMALL if kb == 1 else claude_code(kb * 1_000)
    each(benchmark, lambda: peek_and_weigh(body), calls=1_000 // kb or 1, size=len(body))
