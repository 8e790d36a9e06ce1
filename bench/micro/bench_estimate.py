"""What a call may cost before it is made: the estimate, its bound, and learning from what it did cost."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.bodies import claude_code
from bench.micro.measure import each
from gw._fast import weigh
from gw.admit.estimate import Estimator, most_pusd
from gw.admit.hold import NOTHING
from gw.domain.estimate import scale_of
from gw.domain.tariff import Tariff
from gw.domain.usage import Usage
from gw.pricing.book import PriceBook

pytestmark = pytest.mark.benchmark(group="estimate")

MODEL = "claude-opus-5-5"
AT_US = 1_795_000_000_000_000
USAGE = Usage(input_tokens=12, output_tokens=812, cache_read_tokens=48_210, cache_write_5m_tokens=2_150)


def tariff() -> Tariff:
    book = PriceBook.load()
    found = book.tariff(book.terms("anthropic", "anthropic", "", MODEL, "", "", AT_US))
    assert found is not None
    return found


@pytest.mark.parametrize("session", ["known", "new"])
def test_estimate(benchmark: BenchmarkFixture, session: str) -> None:
    of, prices, weight = Estimator(), tariff(), weigh(claude_code())
    of.learn(NOTHING, weight, USAGE, MODEL, "key", "known", "", AT_US)
    found = of.estimate(prices, weight, MODEL, "key", session, "", AT_US + 1)
    assert found.worst_nusd > found.typical_nusd > 0
    each(benchmark, lambda: of.estimate(prices, weight, MODEL, "key", session, "", AT_US + 1))


def test_the_bound_alone(benchmark: BenchmarkFixture) -> None:
    prices, weight, scale = tariff(), weigh(claude_code()), scale_of(MODEL)
    each(benchmark, lambda: most_pusd(prices, weight, scale))


def test_learn(benchmark: BenchmarkFixture) -> None:
    of, weight = Estimator(), weigh(claude_code())
    each(benchmark, lambda: of.learn(NOTHING, weight, USAGE, MODEL, "key", "known", "", AT_US))
