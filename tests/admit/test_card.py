"""The shortest way to an estimate gives what the long one does, to the nano-USD."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gw._fast import Weight
from gw.admit import card
from gw.admit.card import FEW_GEO, FEW_PUSD, Card, Estimate
from gw.admit.estimate import NUSD_MAX, Estimator
from gw.admit.hold import NOTHING
from gw.domain.tariff import Rung, Tariff
from gw.domain.usage import Usage
from tests.admit.weighing import NOW, tariff, weight

OPUS = "claude-opus-5-5"
SIZES = st.integers(0, 40_000_000)
COUNTS = st.integers(0, 600)
BODIES = st.builds(
    weight,
    text_bytes=SIZES,
    bound_bytes=SIZES,
    images=COUNTS,
    documents=COUNTS,
    document_bytes=SIZES,
    blocks=st.integers(0, 100_000),
    tools=COUNTS,
    defined_tools=COUNTS,
    references=st.integers(0, 1),
    output_cap=st.sampled_from([-1, 0, 1, 64, 128_000, 10**9]),
    ttl=st.sampled_from([0, 5, 60]),
    geo=st.integers(0, 2),
)
RATES = st.sampled_from([0, 1, 100_000, 25_000_000, FEW_PUSD])
RUNGS = st.builds(Rung, st.just(-1), RATES, RATES, RATES, RATES, RATES)
TARIFFS = st.builds(
    Tariff,
    RUNGS.map(lambda one: (one,)),
    RUNGS.map(lambda one: (one,)),
    RUNGS.map(lambda one: (one,)),
    RUNGS.map(lambda one: (one,)),
    RUNGS,
    st.sampled_from([10, 11, FEW_GEO]),
    st.sampled_from([1, 10]),
    RATES,
)


def figures(found: Estimate) -> tuple[int, ...]:
    return (
        found.typical_nusd,
        found.worst_nusd,
        found.prompt_tokens,
        found.output_tokens,
        found.slice_nusd,
        found.bytes_per_token,
    )


def both(monkeypatch: pytest.MonkeyPatch, prices: Tariff, body: Weight, usages: list[Usage]) -> list[tuple[int, ...]]:
    """As it is, and where no tariff is taken for a plain one."""
    found = []
    for few in (FEW_PUSD, -1):
        monkeypatch.setattr(card, "FEW_PUSD", few)
        assert Card(prices, OPUS).few == (few > 0)
        of = Estimator()
        for usage in usages:
            of.learn(NOTHING, body, usage, OPUS, "key", "s", "", NOW)
        found.append(figures(of.estimate(prices, body, OPUS, "key", "s", "", NOW + 1)))
    return found


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prices=TARIFFS, body=BODIES, geo=st.sampled_from(["", "us"]), known=st.booleans())
def test_the_short_way_gives_what_the_long_one_does(
    monkeypatch: pytest.MonkeyPatch, prices: Tariff, body: Weight, geo: str, known: bool
) -> None:
    usages = [Usage(input_tokens=9, output_tokens=700, cache_read_tokens=54_000, inference_geo=geo)] if known else []
    short, long = both(monkeypatch, prices, body, usages)
    assert short == long


@pytest.mark.parametrize("field", ["fast", "server_tools", "fallbacks", "compaction", "searches_cap"])
def test_a_call_that_the_provider_may_make_more_of_goes_the_long_way(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    body = weight(text_bytes=90_000, bound_bytes=100_000, output_cap=1_000)._replace(**{field: 1})
    short, long = both(monkeypatch, tariff(OPUS), body, [])
    assert short == long


def test_a_price_beyond_all_money_is_bounded_by_what_a_budget_can_hold() -> None:
    rung = Rung(-1, *(10**18,) * 5)
    prices = Tariff((rung,), (rung,), (rung,), (rung,), rung, 11, 10, 0)
    found = Estimator().estimate(prices, weight(text_bytes=10**6, bound_bytes=10**6), OPUS, "key", "s", "", NOW)
    assert found.worst_nusd == NUSD_MAX >= found.typical_nusd > 0


def test_a_card_is_made_anew_for_another_tariff_or_model() -> None:
    of, dear, cheap = Estimator(), tariff(OPUS), tariff("claude-haiku-5-5")
    body = weight(text_bytes=90_000, bound_bytes=100_000, output_cap=1_000)
    for prices, model in ((dear, OPUS), (cheap, OPUS), (dear, "claude-sonnet-4-5"), (dear, OPUS)):
        found = of.estimate(prices, body, model, "key", "", "", NOW)
        assert figures(found) == figures(Estimator().estimate(prices, body, model, "key", "", "", NOW))
