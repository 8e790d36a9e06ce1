"""Bytes sought in bytes that do not hold them, as almost every body is searched."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.measure import each
from gw._fast import holds

pytestmark = pytest.mark.benchmark(group="seek")

TEXT = b'{"type":"text","text":"What a body holds most of is words, code and numbers like 4711."},'
SIZES = {"1 KB": 1_000, "300 KB": 300_000}


@pytest.mark.parametrize("size", SIZES)
def test_what_is_not_there(benchmark: BenchmarkFixture, size: str) -> None:
    body = (TEXT * (SIZES[size] // len(TEXT) + 1))[: SIZES[size]]
    each(benchmark, lambda: holds(body, b'"signature"'), calls=100, size=len(body))
