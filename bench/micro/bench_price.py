"""Pricing of what a call used, per kind of reading and of override."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.measure import each
from gw.domain.usage import Iteration, Reading, Usage
from gw.pricing.book import PriceBook
from gw.pricing.overrides import Override, PartialRates

pytestmark = pytest.mark.benchmark(group="price")

AT_US = 1_795_000_000_000_000
PLAIN = Usage(input_tokens=12, output_tokens=812, cache_read_tokens=48_210, cache_write_1h_tokens=2_150, service_tier="standard")
ADVISED = Usage(
    input_tokens=1760,
    output_tokens=531,
    iterations=(
        Iteration("message", "", 412, 89),
        Iteration("advisor_message", "claude-opus-5", 823, 1612),
        Iteration("message", "", 1348, 442),
    ),
)
KINDS = {
    "plain": ("claude-opus-5-5", Reading(usage=PLAIN, stop_reason="end_turn", content_empty=False)),
    "stepped": ("claude-haiku-5-5", Reading(usage=PLAIN, stop_reason="end_turn", content_empty=False)),
    "geo us": ("claude-opus-5-5", Reading(usage=Usage(input_tokens=12, output_tokens=812, inference_geo="us"))),
    "advisor": ("claude-sonnet-5", Reading(usage=ADVISED)),
    "unknown model": ("no-such-model", Reading(usage=PLAIN)),
}
OVERRIDES = {
    "list": [],
    "rates": [Override(name="a", rates=PartialRates(input="1"), key="alice")],
    "multiplier": [Override(name="a", multiplier="0.85", key="alice")],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("overrides", OVERRIDES)
def test_charge(benchmark: BenchmarkFixture, overrides: str, kind: str) -> None:
    book = PriceBook.load(overrides=OVERRIDES[overrides])
    model, reading = KINDS[kind]
    terms = book.terms("anthropic", "anthropic", "", model, "alice", "core", AT_US)
    each(benchmark, lambda: book.charge(terms, reading, AT_US))


def test_the_terms_of_a_call(benchmark: BenchmarkFixture) -> None:
    book = PriceBook.load()
    each(benchmark, lambda: book.terms("anthropic", "anthropic", "", "claude-opus-5-5", "alice", "core", AT_US))
