"""Time of what a call costs before it is made: weighing its body, and the estimate itself.

python -m pytest -o addopts= --benchmark-only bench/micro/bench_estimate.py
"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.bench_fast import note_rate, request
from gw._fast import weigh
from gw.admit.estimate import Estimator, most_pusd
from gw.domain.estimate import scale_of
from gw.domain.tariff import Tariff
from gw.domain.usage import Usage
from gw.pricing.book import PriceBook

MODEL = "claude-opus-5-5"
AT_US = 1_795_000_000_000_000
USAGE = Usage(input_tokens=12, output_tokens=812, cache_read_tokens=48_210, cache_write_5m_tokens=2_150)


def tariff() -> Tariff:
    book = PriceBook.load()
    found = book.tariff(book.terms("anthropic", "anthropic", "", MODEL, "", "", AT_US))
    assert found is not None
    return found


@pytest.mark.parametrize("turns", [2, 50])
def test_weigh(benchmark: BenchmarkFixture, turns: int) -> None:
    body = request(turns)
    assert benchmark(weigh, body).output_cap == 128_000
    benchmark.extra_info["body bytes"] = len(body)
    note_rate(benchmark, len(body))


@pytest.mark.parametrize("escape", ["\n", '"', "é", "字"])
def test_weigh_300_kb_with_one_such_letter_in_forty(benchmark: BenchmarkFixture, escape: str) -> None:
    text = ("x" * 39 + escape) * 7_500
    body = b'{"messages":[{"role":"user","content":"%s"}]}' % text.replace("\n", "\\n").replace('"', '\\"').encode()
    benchmark(weigh, body)
    note_rate(benchmark, len(body))


@pytest.mark.parametrize("session", ["known", "new"])
def test_estimate(benchmark: BenchmarkFixture, session: str) -> None:
    of, prices, body = Estimator(), tariff(), weigh(request(50))
    of.learn(body, USAGE, MODEL, "key", "known", "", AT_US)
    found = benchmark(of.estimate, prices, body, MODEL, "key", session, "", AT_US + 1)
    assert found.worst_nusd > found.typical_nusd > 0


def test_bound_alone(benchmark: BenchmarkFixture) -> None:
    assert benchmark(most_pusd, tariff(), weigh(request(50)), scale_of(MODEL)) > 0


def test_learn(benchmark: BenchmarkFixture) -> None:
    benchmark(Estimator().learn, weigh(request(50)), USAGE, MODEL, "key", "known", "", AT_US)
