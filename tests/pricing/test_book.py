"""The rules of one call: refusals, iterations, geo, speed, batch, tiers, clouds, unknown models, price versions."""

from decimal import Decimal

import pytest

from gw.domain.price import Rates
from gw.domain.usage import Iteration, Reading, Usage
from gw.pricing.book import PLANS_MAX, PriceBook
from gw.pricing.catalog import Catalog, Clause, Model, Provider
from gw.pricing.overlay import load_overlay
from gw.pricing.overrides import Override, PartialRates

from .conftest import MILLION, NOW, price, us


def test_refusal_without_content_is_free_and_with_content_is_not(book):
    usage = Usage(input_tokens=412, output_tokens=3)
    free = price(book, usage, reading={"stop_reason": "refusal"})
    assert free.billed_pusd > 0
    reading = Reading(usage=usage, stop_reason="refusal", content_empty=True)
    free = book.price(provider="anthropic", upstream="", region="", model="claude-opus-5-5", reading=reading, at_us=NOW)
    assert (free.list_pusd, free.billed_pusd, free.flags) == (0, 0, ("refusal_free",))
    assert free.price_version.endswith("#anthropic/claude-opus-5-5")


def test_client_suffix_case_and_platform_prefix_do_not_change_the_price(book):
    usage = Usage(input_tokens=1000)
    plain = price(book, usage)
    for model in (
        "claude-opus-5-5[1m]",
        "Claude-Opus-5-5",
        "anthropic/claude-opus-5-5",
        "claude-opus-5-5-20260930",
        "claude-opus-5-5@20260930",
    ):
        assert price(book, usage, model=model) == plain


def test_one_message_iteration_is_the_top_level(book):
    usage = Usage(input_tokens=7, output_tokens=9, cache_write_1h_tokens=100)
    assert price(book, usage) == price(
        book,
        Usage(input_tokens=7, output_tokens=9, cache_write_1h_tokens=100, iterations=(Iteration("message", "", 7, 9, 0, 100),)),
    )


def test_message_iterations_that_add_up_decide_the_long_prompt_tier_one_by_one(book):
    halves = (Iteration("message", "", 60_000, 10), Iteration("message", "", 60_000, 10))
    usage = Usage(input_tokens=120_000, output_tokens=20, iterations=halves)
    assert price(book, usage, model="claude-haiku-5-5").billed_pusd == 120_000 * 100_000 + 20 * 500_000
    other = Usage(input_tokens=120_001, output_tokens=20, iterations=halves)
    assert price(book, other, model="claude-haiku-5-5").billed_pusd == 120_001 * 500_000 + 20 * 2_500_000


def test_message_iterations_keep_the_top_levels_ttl_split(book):
    entries = (Iteration("message", "", 0, 0, 0, 50_000), Iteration("message", "", 0, 0, 0, 70_000))
    usage = Usage(cache_write_5m_tokens=30_000, cache_write_1h_tokens=90_000, iterations=entries)
    priced = price(book, usage, model="claude-haiku-5-5")
    assert priced.cache_write_1h_pusd == 90_000 * 200_000
    assert priced.cache_write_5m_pusd == 30_000 * 125_000


def test_advisor_is_added_at_its_own_model_and_stands_in_other(book):
    entries = (Iteration("message", "", 10, 20), Iteration("advisor_message", "claude-opus-5", 823, 1612))
    priced = price(book, Usage(input_tokens=10, output_tokens=20, iterations=entries), model="claude-sonnet-5")
    assert priced.other_pusd == 823 * 5 * MILLION + 1612 * 25 * MILLION
    assert priced.input_pusd == 10 * 2 * MILLION
    assert priced.price_version.endswith("#anthropic/claude-sonnet-5;anthropic/claude-opus-5")


def test_advisor_runs_at_standard_speed_and_in_the_same_geo(book):
    entries = (Iteration("message", "", 10, 0), Iteration("advisor_message", "claude-opus-5", 100, 0))
    usage = Usage(input_tokens=10, iterations=entries, speed="fast", inference_geo="us")
    assert price(book, usage).billed_pusd == (10 * 8 * MILLION + 100 * 5 * MILLION) * 11 // 10


def test_advisor_without_a_price_is_flagged(book):
    entries = (Iteration("message", "", 10, 0), Iteration("advisor_message", "mystery", 100, 0))
    priced = price(book, Usage(input_tokens=10, iterations=entries))
    assert priced.flags == ("unpriced_iteration",)
    assert priced.billed_pusd == 10 * 4 * MILLION


def test_compaction_is_added_at_the_requests_model_with_its_ttl(book):
    entries = (Iteration("compaction", "", 100, 10, 5, 40), Iteration("message", "", 10, 0, 0, 7))
    priced = price(book, Usage(input_tokens=10, cache_write_1h_tokens=7, iterations=entries))
    assert priced.other_pusd == (100 * 4 + 10 * 20 + 40 * 8) * MILLION + 5 * 200_000
    assert "ttl_assumed" in priced.flags


@pytest.mark.parametrize(
    ("entries", "stop", "empty", "expected"),
    [
        # declined before output: free; the fallback's own model
        (
            [("message", "claude-fable-5", 535, 0), ("fallback_message", "claude-opus-4-8", 412, 264)],
            "end_turn",
            False,
            412 * 5 + 264 * 25,
        ),
        # declined after output: both are billed
        (
            [("message", "claude-fable-5", 535, 40), ("fallback_message", "claude-opus-4-8", 412, 264)],
            "end_turn",
            False,
            535 * 10 + 40 * 50 + 412 * 5 + 264 * 25,
        ),
        # the last attempt is itself a refusal without output: nothing left
        ([("message", "claude-fable-5", 535, 0), ("fallback_message", "claude-opus-4-8", 412, 0)], "refusal", True, 0),
        # two fallbacks, the first declines too
        (
            [
                ("message", "claude-fable-5", 9, 0),
                ("fallback_message", "claude-opus-5", 9, 0),
                ("fallback_message", "claude-opus-4-8", 4, 2),
            ],
            "end_turn",
            False,
            4 * 5 + 2 * 25,
        ),
        # an advisor beside a fallback
        (
            [
                ("message", "claude-fable-5", 9, 0),
                ("advisor_message", "claude-opus-5", 3, 0),
                ("fallback_message", "claude-opus-4-8", 4, 0),
            ],
            "max_tokens",
            False,
            3 * 5 + 4 * 5,
        ),
    ],
)
def test_fallback_bills_each_attempt_at_its_own_model(book, entries, stop, empty, expected):
    iterations = tuple(Iteration(kind, model, inp, out) for kind, model, inp, out in entries)
    reading = Reading(
        usage=Usage(input_tokens=412, output_tokens=264, iterations=iterations), stop_reason=stop, content_empty=empty
    )
    priced = book.price(provider="anthropic", upstream="", region="", model="claude-fable-5", reading=reading, at_us=NOW)
    assert priced.billed_pusd == expected * MILLION


def test_unknown_iteration_beside_the_top_level_is_added_and_flagged(book):
    entries = (Iteration("message", "", 10, 0), Iteration("novelty", "", 5, 0))
    beside = price(book, Usage(input_tokens=10, iterations=entries))
    assert (beside.billed_pusd, beside.flags) == (15 * 4 * MILLION, ("unknown_iteration",))
    inside = price(book, Usage(input_tokens=15, iterations=entries))
    assert (inside.billed_pusd, inside.flags) == (15 * 4 * MILLION, ("unknown_iteration",))


def test_geo_us_is_ten_percent_from_4_6_on_and_never_on_searches(book):
    usage = Usage(input_tokens=1000, web_search_requests=2, inference_geo="us")
    assert price(book, usage).billed_pusd == 4400 * MILLION + 2 * 10**10
    assert price(book, usage).tools_pusd == 2 * 10**10
    assert price(book, usage, model="claude-opus-4-6").billed_pusd == 5500 * MILLION + 2 * 10**10
    assert price(book, usage, model="claude-opus-4-5").billed_pusd == 5000 * MILLION + 2 * 10**10
    assert price(book, usage, model="claude-haiku-4-5").billed_pusd == 1000 * MILLION + 2 * 10**10
    assert price(book, Usage(inference_geo="atlantis")).flags == ("unknown_geo",)
    assert price(book, Usage(input_tokens=1, inference_geo="not_available")).flags == ()


def test_fast_without_a_fast_card_is_standard_and_flagged(book):
    priced = price(book, Usage(input_tokens=10, speed="fast"), model="claude-opus-4-6")
    assert (priced.billed_pusd, priced.flags) == (50 * MILLION, ("no_fast_card",))


def test_fast_stacks_with_geo_and_not_with_batch(book):
    usage = Usage(input_tokens=10, speed="fast", inference_geo="us")
    assert price(book, usage).billed_pusd == 88 * MILLION
    priced = price(book, usage, batch=True)
    assert (priced.billed_pusd, priced.flags) == (22 * MILLION, ("fast_in_batch",))


def test_batch_halves_the_long_prompt_tier_and_not_the_searches(book):
    usage = Usage(input_tokens=100_001, web_search_requests=1)
    assert price(book, usage, model="claude-haiku-5-5", batch=True).billed_pusd == 100_001 * 250_000 + 10**10


def test_priority_is_billed_at_list_as_a_notional_amount(book):
    priced = price(book, Usage(input_tokens=10, service_tier="priority"))
    assert (priced.billed_pusd, priced.flags) == (40 * MILLION, ("notional_tier",))


def test_code_execution_time_is_not_in_usage_and_is_flagged(book):
    assert price(book, Usage(code_execution_requests=1)).flags == ("code_execution_unpriced",)
    assert price(book, Usage(code_execution_requests=1, web_fetch_requests=1)).flags == ()


@pytest.mark.parametrize("unknown", ["deny", "allow_unpriced", ""])
def test_unknown_model_costs_nothing_and_says_so(unknown):
    book = PriceBook.load(unknown=unknown)
    priced = price(book, Usage(input_tokens=10), model="no-such-model")
    assert (priced.list_pusd, priced.billed_pusd) == (0, 0)
    assert (priced.flags, priced.price_version) == (("unpriced",), "unpriced")
    assert not book.knows(provider="anthropic", upstream="", region="", model="no-such-model", at_us=NOW)


def test_unknown_model_at_fallback_rates_is_flagged_and_still_unknown():
    book = PriceBook.load(unknown="fallback", fallback=Rates(5, 25, 1, 6, 10))
    priced = price(book, Usage(input_tokens=10, output_tokens=2), model="no-such-model")
    assert (priced.list_pusd, priced.billed_pusd) == (100, 100)
    assert (priced.flags, priced.price_version) == (("fallback_rates",), "fallback")
    assert not book.knows(provider="anthropic", upstream="", region="", model="no-such-model", at_us=NOW)
    advised = (Iteration("message", "", 10, 0), Iteration("advisor_message", "no-such-model", 3, 0))
    priced = price(book, Usage(input_tokens=10, iterations=advised))
    assert priced.billed_pusd == 10 * 4 * MILLION + 15
    assert priced.flags == ("fallback_rates",)


def test_fallback_policy_needs_rates():
    with pytest.raises(ValueError, match="fallback rates"):
        PriceBook.load(unknown="fallback")


def test_served_model_prices_only_a_call_whose_own_id_is_unknown(book):
    known = price(book, Usage(input_tokens=10), reading={"model": "claude-haiku-4-5"})
    assert known.billed_pusd == 40 * MILLION
    alias = price(book, Usage(input_tokens=10), model="my-alias", reading={"model": "claude-haiku-4-5"})
    assert (alias.billed_pusd, alias.flags) == (10 * MILLION, ("served_model_card",))


def test_a_charge_reported_by_the_provider_is_the_price(book):
    priced = price(book, Usage(input_tokens=1), provider="xai", model="grok-4.3", exact_pusd=123)
    assert (priced.list_pusd, priced.billed_pusd, priced.other_pusd, priced.flags) == (123, 123, 123, ("provider_charge",))


@pytest.mark.parametrize("count", [-1, -(2**70), 2**27, 2**63, 2**200])
def test_counts_that_cannot_be_are_bounded_and_flagged(book, count):
    for usage in (
        Usage(input_tokens=count),
        Usage(web_search_requests=count),
        Usage(iterations=(Iteration("compaction", "", count),)),
    ):
        priced = price(book, usage)
        assert 0 <= priced.billed_pusd < 2**62
        assert "count_out_of_range" in priced.flags


def test_price_version_names_data_overlay_card_and_override(book):
    assert price(book, Usage()).price_version == f"{book.label}#anthropic/claude-opus-5-5"
    assert book.label.startswith("genai-prices-2026-11-21+overlay-2026-")
    dear = PriceBook.load(overrides=[Override(name="deal", multiplier="0.9")])
    cheap = PriceBook.load(overrides=[Override(name="deal", multiplier="0.8")])
    versions = [price(one, Usage(input_tokens=1)).price_version for one in (dear, cheap)]
    assert all("#anthropic/claude-opus-5-5~deal:" in version for version in versions)
    assert versions[0] != versions[1], "other terms under the same name are another version"


def test_memory_of_plans_is_bounded_and_a_second_look_up_is_a_hit(book):
    fresh = PriceBook.load()
    for index in range(PLANS_MAX + 10):
        price(fresh, Usage(), model=f"invented-{index}")
    assert len(fresh._plans) <= PLANS_MAX
    price(fresh, Usage(), model="x" * 10_000)
    assert not any(len(where[3]) > 1000 for where in fresh._plans)
    price(fresh, Usage(), key="k1")
    plans = dict(fresh._plans)
    price(fresh, Usage(), key="k2", team="t", at_us=NOW + 1)
    assert fresh._plans == plans


def test_a_price_change_takes_effect_at_its_instant_also_when_asked_back_and_forth(book):
    before, after = us("2026-10-06T23:59"), us("2026-10-07")
    for at_us, expected in ((before, 200_000), (after, 100_000), (before, 200_000)):
        assert price(book, Usage(cache_read_tokens=1), model="claude-sonnet-5-5", at_us=at_us).billed_pusd == expected


def test_overlay_fills_a_gap_only_while_the_data_set_has_it(catalog):
    """Mythos 5.1 comes from the overlay; once the data set knows it, its own price stands."""
    usage = Usage(input_tokens=1)
    ours = price(PriceBook(catalog, load_overlay()), usage, model="claude-mythos-5-1")
    assert ours.billed_pusd == 10 * MILLION
    theirs = Model("claude-mythos-5-1", Clause(equals="claude-mythos-5-1"), {"input_mtok": Decimal(7)})
    grown = Catalog([Provider("anthropic", [*catalog.providers["anthropic"].models, theirs])], "later")
    assert price(PriceBook(grown, load_overlay()), usage, model="claude-mythos-5-1").billed_pusd == 7 * MILLION


def test_overridden_rates_hold_for_their_dates_only():
    book = PriceBook.load(
        overrides=[Override(name="q4", rates=PartialRates(input="3"), starts_us=us("2026-10-01"), ends_us=us("2027-01-01"))]
    )
    seen = [
        price(book, Usage(input_tokens=1), at_us=us(day)).billed_pusd
        for day in ("2026-09-30", "2026-10-01", "2026-12-31", "2027-01-01")
    ]
    assert seen == [4 * MILLION, 3 * MILLION, 3 * MILLION, 4 * MILLION]


def test_what_bounds_all_models_is_found_before_the_first_call_if_the_book_is_prepared(monkeypatch):
    prepared, other = PriceBook.load().prepare(), PriceBook.load()
    bounded = []
    monkeypatch.setattr("gw.pricing.book.dearest_claude", lambda *given: bounded.append(given) or prepared._others)
    usage = Usage(input_tokens=10)
    assert price(prepared, usage) == price(other, usage)
    assert len(bounded) == 1
