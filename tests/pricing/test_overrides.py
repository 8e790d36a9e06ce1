"""Negotiated prices: what they change, which one wins, what is refused."""

import itertools
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.usage import Iteration, Reading, Usage
from gw.pricing.book import PriceBook
from gw.pricing.overrides import Override, PartialRates, check_overrides, pick

from .conftest import NOW, us

MILLION = 10**6


def price(overrides, usage, *, model="claude-opus-5-5", key="", team="", upstream="up", provider="anthropic", region="", **more):
    return PriceBook.load(overrides=overrides).price(
        provider=provider,
        upstream=upstream,
        region=region,
        model=model,
        reading=Reading(usage=usage),
        at_us=NOW,
        key=key,
        team=team,
        **more,
    )


def test_rates_replace_the_named_classes_of_the_billed_amount_only():
    deal = Override(name="deal", rates=PartialRates(input="3", cache_write_1h="7"))
    priced = price([deal], Usage(10, 10, 10, 10, 10))
    assert priced.list_pusd == 10 * (4 + 20 + 5 + 8) * MILLION + 10 * 200_000
    assert (priced.input_pusd, priced.cache_write_1h_pusd) == (30 * MILLION, 70 * MILLION)
    assert (priced.output_pusd, priced.cache_read_pusd, priced.cache_write_5m_pusd) == (200 * MILLION, 2 * MILLION, 50 * MILLION)


def test_rates_replace_both_steps_of_a_card():
    deal = Override(name="deal", rates=PartialRates(input="0.07"))
    assert price([deal], Usage(input_tokens=200_000), model="claude-haiku-5-5").input_pusd == 200_000 * 70_000


def test_geo_and_batch_stack_on_negotiated_rates():
    deal = Override(name="deal", rates=PartialRates(input="3"))
    assert price([deal], Usage(input_tokens=10, inference_geo="us")).billed_pusd == 33 * MILLION
    assert price([deal], Usage(input_tokens=10), batch=True).billed_pusd == 15 * MILLION


def test_fast_stays_at_list_unless_given():
    usage = Usage(input_tokens=10, speed="fast")
    assert price([Override(name="deal", rates=PartialRates(input="3"))], usage).billed_pusd == 80 * MILLION
    given = Override(name="deal", rates=PartialRates(input="3"), fast=PartialRates(input="6"))
    assert price([given], usage).billed_pusd == 60 * MILLION


def test_multiplier_reaches_tokens_and_never_searches():
    deal = Override(name="deal", multiplier="0.85")
    priced = price([deal], Usage(input_tokens=1000, web_search_requests=3))
    assert priced.billed_pusd == 3400 * MILLION + 3 * 10**10
    assert priced.list_pusd == 4000 * MILLION + 3 * 10**10
    assert priced.tools_pusd == 3 * 10**10


def test_multiplier_of_a_reported_charge():
    deal = Override(name="deal", multiplier="0.5")
    priced = price([deal], Usage(), provider="xai", model="grok-4.3", exact_pusd=101)
    assert (priced.list_pusd, priced.billed_pusd, priced.other_pusd) == (101, 50, 50)


def test_multiplied_fractions_of_a_pico_are_rounded_once_and_the_rest_stands_in_other():
    deal = Override(name="deal", multiplier="0.333333333")
    priced = price([deal], Usage(1, 1, 1, 1, 1))
    parts = [
        priced.input_pusd,
        priced.output_pusd,
        priced.cache_read_pusd,
        priced.cache_write_5m_pusd,
        priced.cache_write_1h_pusd,
    ]
    assert priced.billed_pusd == round((4 + 20 + 0.2 + 5 + 8) * 333333.333) == sum(parts) + priced.other_pusd
    assert 0 < priced.other_pusd < 6


def test_an_advisor_has_the_terms_of_its_own_model():
    deal = Override(name="deal", model="claude-opus-5", multiplier="0.5")
    entries = (Iteration("message", "", 10, 0), Iteration("advisor_message", "claude-opus-5", 100, 0))
    priced = price([deal], Usage(input_tokens=10, iterations=entries), model="claude-sonnet-5")
    assert (priced.input_pusd, priced.other_pusd) == (20 * MILLION, 250 * MILLION)
    assert priced.list_pusd == 520 * MILLION


def test_input_and_output_make_an_unknown_model_known_and_less_does_not():
    full = PartialRates(input="1", output="2", cache_read="0.1", cache_write_5m="1.5")
    book = PriceBook.load(overrides=[Override(name="house", model="house-*", rates=full)])
    assert book.knows(provider="anthropic", upstream="", region="", model="house-1", at_us=NOW)
    priced = price([Override(name="house", model="house-*", rates=full)], Usage(10, 10, 10, 10, 10), model="house-1")
    assert priced.list_pusd == priced.billed_pusd == 10 * (1_000_000 + 2_000_000 + 100_000 + 1_500_000 + 1_500_000)
    assert priced.price_version.startswith("genai-prices-")
    part = Override(name="part", model="house-*", rates=PartialRates(input="1", output="2"))
    no_discount = 10 * (1 + 2 + 1 + 1 + 1) * MILLION
    assert price([part], Usage(10, 10, 10, 10, 10), model="house-1").billed_pusd == no_discount
    less = Override(name="less", model="house-*", rates=PartialRates(input="1", cache_read="0.1"))
    assert price([less], Usage(10), model="house-1").flags == ("unpriced",)
    assert price([Override(name="m", multiplier="2")], Usage(10), model="house-1").flags == ("unpriced",)


def test_client_suffix_does_not_escape_an_override():
    deal = Override(name="deal", model="claude-opus-5-5", multiplier="0.5")
    assert price([deal], Usage(input_tokens=1), model="Claude-Opus-5-5[1m]").billed_pusd == 2 * MILLION


LADDER = [
    Override(name="all", multiplier="2"),
    Override(name="glob", model="claude-*", multiplier="2"),
    Override(name="long glob", model="claude-opus-*", multiplier="2"),
    Override(name="longer glob", model="claude-opus-*-5", multiplier="2"),
    Override(name="literal", model="claude-opus-5-5", multiplier="2"),
    Override(name="upstream glob", upstream="u*", multiplier="2"),
    Override(name="upstream", upstream="up", multiplier="2"),
    Override(name="upstream and model", upstream="up", model="claude-*", multiplier="2"),
    Override(name="team", team="t", multiplier="2"),
    Override(name="team and upstream", team="t", upstream="up", multiplier="2"),
    Override(name="key", key="k", multiplier="2"),
    Override(name="key and team", key="k", team="t", multiplier="2"),
]


@pytest.mark.parametrize(("weaker", "stronger"), list(itertools.combinations(range(len(LADDER)), 2)))
def test_most_specific_override_wins_whatever_the_order(weaker, stronger):
    call = {"upstream": "up", "model": "claude-opus-5-5", "at_us": NOW, "key": "k", "team": "t"}
    pair = [LADDER[weaker], LADDER[stronger]]
    assert check_overrides(pair) == []
    assert pick(pair, **call) is pick(pair[::-1], **call) is LADDER[stronger]


def test_an_override_of_another_scope_does_not_apply():
    call = {"upstream": "up", "model": "claude-opus-5-5", "at_us": NOW, "key": "k", "team": "t"}
    others = [
        Override(name="a", key="other", multiplier="2"),
        Override(name="b", team="other", multiplier="2"),
        Override(name="c", upstream="other", multiplier="2"),
        Override(name="d", model="claude-sonnet-*", multiplier="2"),
        Override(name="e", starts_us=NOW + 1, multiplier="2"),
        Override(name="f", ends_us=NOW, multiplier="2"),
    ]
    assert pick(others, **call) is None


@pytest.mark.parametrize(
    ("one", "other", "collide"),
    [
        ({}, {}, True),
        ({"model": "claude-*"}, {"model": "*-opus"}, False),  # eight characters before the wildcard outweigh none
        ({"model": "claude-a*"}, {"model": "claude-b*"}, False),
        ({"model": "a*c"}, {"model": "a*d"}, False),
        ({"model": "a*c?"}, {"model": "a*?c"}, True),
        ({"key": "x"}, {"key": "y"}, False),
        ({"key": "x"}, {"key": "x"}, True),
        ({"team": "x", "model": "m"}, {"team": "x", "model": "M"}, True),
        ({"upstream": "a?"}, {"upstream": "ab"}, False),
        ({"upstream": "a*b"}, {"upstream": "a*b"}, True),
        ({"starts_us": us("2026-01-01"), "ends_us": us("2026-02-01")}, {"starts_us": us("2026-02-01")}, False),
        ({"starts_us": us("2026-01-01"), "ends_us": us("2026-02-02")}, {"starts_us": us("2026-02-01")}, True),
        ({"ends_us": us("2026-01-01")}, {}, True),
    ],
)
def test_two_overrides_that_tie_on_one_call_are_an_error_naming_both(one, other, collide):
    problems = check_overrides([Override(name="first", multiplier="2", **one), Override(name="second", multiplier="3", **other)])
    assert bool(problems) is collide
    if collide:
        assert "'first'" in problems[0]
        assert "'second'" in problems[0]


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "either a multiplier or rates"),
        ({"multiplier": "2", "rates": PartialRates(input="1")}, "not both"),
        ({"multiplier": "0"}, "above 0"),
        ({"multiplier": "-1"}, "above 0"),
        ({"multiplier": "NaN"}, "above 0"),
        ({"multiplier": "Infinity"}, "above 0"),
        ({"multiplier": "ten percent"}, "not a decimal"),
        ({"multiplier": "1001"}, "at most"),
        ({"multiplier": "0.00000000001"}, "decimals"),
        ({"rates": PartialRates()}, "empty"),
        ({"rates": PartialRates(input="-1")}, "between"),
        ({"rates": PartialRates(input="0.0000001")}, "pico"),
        ({"rates": PartialRates(output="cheap")}, "not a"),
        ({"multiplier": "1", "fast": PartialRates(input="1")}, "fast"),
        ({"multiplier": "1", "starts_us": 5, "ends_us": 5}, "ends before"),
        ({"multiplier": "1", "model": ""}, "empty model"),
    ],
)
def test_bad_override_is_named_with_its_fault(fields, word):
    problems = check_overrides([Override(name="odd", **fields)])
    assert any("'odd'" in problem and word in problem for problem in problems)
    with pytest.raises(ValueError, match="odd"):
        PriceBook.load(overrides=[Override(name="odd", **fields)])


def test_names_are_needed_and_unique():
    assert check_overrides([Override(name="", multiplier="2")]) == ["a price override has no name"]
    twice = [Override(name="a", multiplier="2", key="x"), Override(name="a", multiplier="2", key="y")]
    assert check_overrides(twice) == ["two price overrides have the name 'a'"]


globs = st.text("ab*?", min_size=1, max_size=5)


@given(globs, globs, st.text("ab", max_size=6))
def test_globs_that_match_one_text_are_seen_to_meet(one, other, text):
    """Whatever text both match, the check must have seen that they meet (equal weight or not)."""
    from gw.pricing.overrides import _globs_meet

    if fnmatchcase(text, one) and fnmatchcase(text, other):
        assert _globs_meet(one, other)
    if not _globs_meet(one, other):
        texts = ("".join(chars) for size in range(7) for chars in itertools.product("ab", repeat=size))
        assert not any(fnmatchcase(word, one) and fnmatchcase(word, other) for word in texts)


@given(globs, st.text("ab", max_size=6))
def test_a_glob_matches_what_it_says(pattern, model):
    override = Override(name="x", model=pattern, multiplier="1")
    assert override.applies(upstream="", model=model, at_us=0, key="", team="") == fnmatchcase(model, pattern)
