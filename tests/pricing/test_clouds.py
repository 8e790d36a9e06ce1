"""Claude on Bedrock and Vertex, and the providers whose cards have rules of their own."""

import pytest

from gw.domain.usage import Iteration, Usage

from .conftest import MILLION, NOW, price, us


@pytest.mark.parametrize(
    ("model", "region", "expected", "name"),
    [
        ("global.anthropic.claude-opus-5-5", "us-east-1", 4000, "claude-opus-5-5"),
        ("anthropic.claude-opus-5-5", "us-east-1", 4400, "claude-opus-5-5@regional"),
        ("eu.anthropic.claude-opus-5-5", "eu-west-1", 4400, "claude-opus-5-5@regional"),
        ("apac.anthropic.claude-sonnet-4-5-20250929-v1:0", "", 3300, "claude-sonnet-4-5@regional"),
        ("us.anthropic.claude-opus-4-6-v1", "", 5500, "claude-opus-4-6@regional"),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", "", 15000, "claude-opus-4-1"),
        ("anthropic.claude-3-haiku-20240307-v1:0:48k", "", 250, "claude-3-haiku"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-opus-5", "", 5000, "claude-opus-5"),
        ("us-gov.anthropic.claude-opus-5-5", "us-gov-west-1", 4800, "claude-opus-5-5@govcloud"),
    ],
)
def test_bedrock_id_names_model_and_premium(book, model, region, expected, name):
    priced = price(book, Usage(input_tokens=1000), provider="bedrock", model=model, region=region)
    assert priced.billed_pusd == expected * MILLION
    assert priced.price_version.endswith(f"#anthropic/{name}")


def test_govcloud_rows_are_marked_as_upper_bounds(book):
    priced = price(book, Usage(), provider="bedrock", model="us-gov.anthropic.claude-opus-5-5")
    assert priced.flags == ("upper_bound",)


def test_bedrock_application_profile_names_no_model(book):
    arn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123"
    assert not book.knows(provider="bedrock", upstream="", region="", model=arn, at_us=NOW)


def test_bedrock_advisor_runs_in_the_requests_profile(book):
    entries = (Iteration("message", "", 0, 0), Iteration("advisor_message", "claude-opus-5", 100, 0))
    for profile, expected in (("us.", 550), ("global.", 500)):
        usage = Usage(iterations=entries)
        priced = price(book, usage, provider="bedrock", model=f"{profile}anthropic.claude-sonnet-5")
        assert priced.billed_pusd == expected * MILLION


@pytest.mark.parametrize(
    ("model", "region", "expected"),
    [
        ("claude-opus-5-5", "global", 4000),
        ("claude-opus-5-5", "us-east5", 4400),
        ("claude-opus-5-5", "eu", 4400),
        ("claude-sonnet-4-5@20250929", "europe-west1", 3300),
        ("claude-opus-4-1@20250805", "us-east5", 15000),
        ("claude-opus-4@default", "us-east5", 15000),
    ],
)
def test_vertex_region_names_the_premium(book, model, region, expected):
    assert price(book, Usage(input_tokens=1000), provider="vertex", model=model, region=region).billed_pusd == expected * MILLION


def test_cloud_premium_reaches_fast_and_all_classes_and_geo_does_not_stack(book):
    usage = Usage(100, 100, 100, 100, 100, speed="fast", inference_geo="us")
    priced = price(book, usage, provider="vertex", region="us-east5", model="claude-fable-5-2")
    assert priced.billed_pusd == 100 * (16 + 80 + 20 + 32) * 1_100_000 + 100 * 440_000


def test_deepseek_peak_is_weekdays_only_and_an_upper_bound(book):
    def at(text):
        usage = Usage(input_tokens=10)
        return price(book, usage, provider="deepseek", model="deepseek-flash", at_us=us(text))

    assert (at("2026-11-20T01:00").billed_pusd, at("2026-11-20T01:00").flags) == (10 * 300_000, ("upper_bound",))
    assert (at("2026-11-20T04:00").billed_pusd, at("2026-11-20T04:00").flags) == (10 * 150_000, ())
    assert at("2026-11-20T06:00").billed_pusd == 10 * 300_000
    assert at("2026-11-21T02:30").billed_pusd == 10 * 150_000, "a Saturday"


def test_xai_tier_is_inclusive_and_openais_is_not(book):
    def step(provider, model, tokens):
        return price(book, Usage(input_tokens=tokens), provider=provider, model=model).billed_pusd // tokens

    assert step("xai", "grok-4.3", 199_999) < step("xai", "grok-4.3", 200_000)
    assert step("openai", "gpt-6.1-sol", 272_000) < step("openai", "gpt-6.1-sol", 272_001)


def test_openai_tier_of_the_response_selects_its_card(book):
    def at(tier, **usage):
        return price(book, Usage(service_tier=tier, **usage), provider="openai", model="gpt-5.5")

    assert at("flex", input_tokens=100).billed_pusd == 250 * MILLION
    assert at("priority", input_tokens=100).billed_pusd == 1250 * MILLION
    assert at("default", input_tokens=100).billed_pusd == 500 * MILLION
    assert at("priority", input_tokens=300_000).flags == ("tier_excludes_long",)


def test_tiers_and_batches_of_gemini_models_have_their_factor_where_the_list_has_no_price(book):
    def at(tier, model="gemini-2.5-pro", batch=False, **usage):
        priced = price(book, Usage(service_tier=tier, **usage), provider="gemini", model=model, batch=batch)
        assert priced.flags == ()
        return priced.billed_pusd

    assert at("flex", input_tokens=100, output_tokens=10) == 100 * 625_000 + 10 * 5 * MILLION
    assert at("flex", cache_read_tokens=40) == 40 * 62_500
    assert at("priority", input_tokens=100) == 225 * MILLION
    assert at("priority", input_tokens=200_001) == 200_001 * 4_500_000
    assert at("priority", model="gemini-3.8-flash-tts", input_tokens=100) == 90 * MILLION  # as it is listed
    assert at("", model="gemini-3-pro-preview", batch=True, input_tokens=100) == 100 * MILLION
    flex = price(book, Usage(input_tokens=1, service_tier="flex"), provider="vertex", model="gemini-2.5-pro")
    assert flex.billed_pusd == 625_000


@pytest.mark.parametrize(("tier", "factor"), [("", 2), ("flex", 1), ("priority", 4)])
def test_what_openai_keeps_for_twelve_hours_costs_two_and_a_half_times_the_input(book, tier, factor):
    usage = Usage(cache_write_5m_tokens=100, cache_write_1h_tokens=10, service_tier=tier)
    half = MILLION // 2 * factor  # gpt-6.1-sol: an input token is 2, 1 or 4 of a million, a write 1.25 of that
    for provider in ("openai", "azure") if not tier else ("openai",):
        assert price(book, usage, provider=provider, model="gpt-6.1-sol").billed_pusd == 100 * half * 5 // 2 + 10 * half * 5
    long = Usage(cache_write_1h_tokens=272_001, service_tier=tier)
    assert price(book, long, provider="openai", model="gpt-6.1-sol").billed_pusd == 272_001 * half * 10
    old = Usage(cache_write_1h_tokens=10)
    assert price(book, old, provider="openai", model="gpt-5.5").billed_pusd == 50 * MILLION  # writes are as input there


def test_batch_without_a_batch_price_is_standard_and_flagged(book):
    priced = price(book, Usage(input_tokens=1), provider="deepseek", model="deepseek-v3.2", batch=True)
    assert priced.flags == ("no_batch_card",)


def test_data_sets_own_bedrock_rows_agree_with_list_times_premium(book, catalog):
    """Every Claude row of the AWS price list has the five rates that the Anthropic list and the premium give."""
    compared = 0
    for entry in catalog.providers["aws"].models:
        scope, _, rest = entry.id.partition(".")
        if not rest.startswith("anthropic.") or not isinstance(entry.prices, dict) or "cache_write_1h_mtok" not in entry.prices:
            continue
        model = f"{'global' if scope == 'global' else 'us'}.{rest}"
        for name, key in (("input", "input_mtok"), ("output", "output_mtok"), ("cache_read", "cache_read_mtok")):
            listed = entry.prices[key]
            base = getattr(listed, "base", listed)
            usage = Usage(**{f"{name}_tokens": 1000})
            priced = price(book, usage, provider="bedrock", model=model)
            assert priced.billed_pusd == base * 10**9, (model, name)
        compared += 1
    assert compared >= 25
