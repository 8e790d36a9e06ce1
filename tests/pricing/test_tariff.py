"""A tariff made once bounds every price that its plan can later come to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw.domain.price import Ladder, PriceCard, Rates, Ratio, Step
from gw.domain.tariff import Rung, Tariff, rung_at
from gw.domain.usage import Usage
from gw.pricing.book import PriceBook
from gw.pricing.overrides import Override, PartialRates
from gw.pricing.tariff import FREE, tariff_of
from tests.pricing.conftest import NOW, price

MTOK = 10**6


def tariff(book: PriceBook, model: str, provider: str = "anthropic", region: str = "", key: str = "") -> Tariff:
    found = book.tariff(book.terms(provider, "up", region, model, key, "", NOW))
    assert found is not None
    return found


def test_one_card_is_one_rung(book):
    found = tariff(book, "claude-opus-5-5")
    assert found.usual == (Rung(-1, 4 * MTOK, 20 * MTOK, MTOK // 5, 5 * MTOK, 8 * MTOK),)
    assert found.usual_fast == (Rung(-1, 8 * MTOK, 40 * MTOK, 2 * MTOK // 5, 10 * MTOK, 16 * MTOK),)
    assert (found.geo_num, found.geo_den, found.search_pusd) == (11, 10, 10**10)


def test_a_step_is_a_rung_of_all_tokens(book):
    found = tariff(book, "claude-haiku-5-5").usual
    assert rung_at(found, 100_000).output == MTOK // 2
    assert rung_at(found, 100_001).output == 5 * MTOK // 2


def test_a_model_without_a_fast_card_asks_the_standard_price_for_speed(book):
    found = tariff(book, "claude-sonnet-5-5")
    assert found.usual_fast == found.usual


def test_the_price_that_the_key_pays_is_the_one(book):
    billed = PriceBook.load(overrides=[Override(name="half", multiplier="0.5", key="k")])
    assert tariff(billed, "claude-opus-5-5", key="k").usual[0].input == 2 * MTOK
    assert tariff(billed, "claude-opus-5-5").usual[0].input == 4 * MTOK


def test_a_fraction_of_a_pico_is_rounded_up():
    card = PriceCard("anthropic/x", Ladder(Rates(1, 10, 1, 1, 1)), factor=Ratio(1, 3))
    assert tariff_of(card, 0, FREE).usual[0] == Rung(-1, 1, 4, 1, 1, 1)


def test_a_cheaper_step_does_not_lower_the_bound():
    dear, cheap = Rates(9, 9, 9, 9, 9), Rates(5, 5, 5, 5, 5)
    card = PriceCard("anthropic/x", Ladder(dear, (Step(100, cheap),)))
    assert rung_at(tariff_of(card, 0, FREE).dearest, 101) == Rung(100, 9, 9, 9, 9, 9)


def test_elsewhere_than_at_anthropic_a_write_may_come_unasked():
    rates = Ladder(Rates(4, 20, 1, 5, 8))
    assert tariff_of(PriceCard("anthropic/x", rates), 0, FREE).dearest[0].input == 4
    assert tariff_of(PriceCard("openai/x", rates), 0, FREE).dearest[0].input == 8


def test_a_tier_that_the_answer_may_name_is_in_the_bound(book):
    found = tariff(book, "gpt-5.5", provider="openai")
    assert found.dearest[0].output > found.usual[0].output


def test_without_a_price_there_is_no_tariff(book):
    assert book.tariff(book.terms("anthropic", "up", "", "no-such-model", "", "", NOW)) is None


def test_fallback_rates_stand_in_but_do_not_bound_a_model_that_the_answer_names():
    fallback = Rates(MTOK, 5 * MTOK, MTOK, MTOK, MTOK)
    book = PriceBook.load(unknown="fallback", fallback=fallback)
    found = tariff(book, "no-such-model")
    assert found.usual[0].output == 5 * MTOK
    assert found.dearest[0].output >= tariff(book, "claude-fable-5-2").dearest_fast[0].output


@pytest.mark.parametrize(
    "override",
    [
        None,
        Override(name="dear", model="claude-fable-*", multiplier="3.5"),
        Override(name="rates", model="claude-opus-4-8", rates=PartialRates(input="900", cache_write_1h="2000", output="4000")),
        Override(name="fast", model="claude-opus-5-5", rates=PartialRates(input="1"), fast=PartialRates(output="5000")),
    ],
)
def test_no_model_that_an_answer_can_name_is_dearer_than_the_others(override):
    book = PriceBook.load(overrides=[override] if override else [])
    for provider, region in (("anthropic", ""), ("vertex", "us-east5"), ("bedrock", "us-gov-west-1")):
        others = tariff(book, "claude-haiku-4-5", provider, region).others
        for model in ("claude-fable-5-2", "claude-opus-5-5", "claude-opus-4-8", "claude-sonnet-4-5", "claude-opus-4-1"):
            found = tariff(book, model, provider, region)
            for rung in (*found.dearest, *found.dearest_fast):
                assert all(theirs <= ours for theirs, ours in zip(rung[1:], others[1:], strict=True)), (model, provider)


SOME_RATES = PartialRates(input="7.1", cache_read="9")
counts = st.integers(0, 10**6)
MODELS = (
    ("anthropic", "", "claude-opus-5-5"),
    ("anthropic", "", "claude-haiku-5-5"),
    ("bedrock", "eu-west-1", "claude-sonnet-5"),
    ("vertex", "us", "claude-fable-5-2"),
    ("openai", "", "gpt-5.5"),
    ("gemini", "", "gemini-2.5-pro"),
    ("deepseek", "", "deepseek-flash"),
)
BOOKS = (
    PriceBook.load(),
    PriceBook.load(overrides=[Override(name="a", multiplier="1.337"), Override(name="b", model="gpt*", rates=SOME_RATES)]),
)


@settings(max_examples=300, deadline=None)
@given(
    which=st.sampled_from(BOOKS),
    model=st.sampled_from(MODELS),
    usage=st.builds(
        Usage,
        input_tokens=counts,
        output_tokens=counts,
        cache_read_tokens=counts,
        cache_write_5m_tokens=counts,
        cache_write_1h_tokens=counts,
        web_search_requests=st.integers(0, 9),
        speed=st.sampled_from(["", "standard", "fast"]),
        inference_geo=st.sampled_from(["", "global", "us", "eu"]),
        service_tier=st.sampled_from(["", "standard", "priority", "flex", "fast", "default"]),
    ),
)
def test_no_usage_costs_more_than_the_dearest_rung(which, model, usage):
    provider, region, name = model
    found = tariff(which, name, provider, region)
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    rung = rung_at(found.dearest_fast if usage.speed == "fast" else found.dearest, prompt)
    most = (usage.input_tokens + usage.cache_read_tokens) * rung.input + usage.cache_write_5m_tokens * rung.cache_write_5m
    most += usage.cache_write_1h_tokens * rung.cache_write_1h + usage.output_tokens * rung.output
    most = -(-most * found.geo_num // found.geo_den) + usage.web_search_requests * found.search_pusd
    priced = price(which, usage, model=name, provider=provider, region=region)
    assert priced.billed_pusd <= most
