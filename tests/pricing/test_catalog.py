"""Reading the data set: exact decimals, conditions, match rules, hostile content."""

import json
from decimal import Decimal

import pytest

from gw.domain.price import Rates
from gw.pricing.catalog import boundaries, card_at, decode, utc_at
from gw.pricing.overlay import load_overlay
from gw.pricing.source import SNAPSHOT, read_body, read_source

from .conftest import us


def data(*models, provider="p", **more):
    return json.dumps([{"id": provider, "models": list(models), **more}]).encode()


def model(prices, name="m", match=None, **more):
    return {"id": name, "match": match or {"equals": name}, "prices": prices, **more}


def card(body, at="2026-11-20", name="m", **more):
    found = decode(body, "test").find("p", name)
    return card_at(name, found[1], utc_at(us(at)), **more)


def test_embedded_snapshot_is_whole_small_and_dated():
    source = read_source(SNAPSHOT)
    body = read_body(SNAPSHOT, source)
    assert len(body) < 2 << 20
    assert source.date in source.file
    assert "MIT" in source.licence
    catalog = decode(body, source.label)
    assert len(catalog.providers) == 47
    assert sum(len(provider.models) for provider in catalog.providers.values()) == 2330
    assert (SNAPSHOT / "LICENSE.genai-prices").read_text().startswith("The MIT License")


def test_every_card_of_the_snapshot_can_be_made_at_any_date():
    catalog = decode(read_body(SNAPSHOT, read_source(SNAPSHOT)), "x")
    made = 0
    for provider in catalog.providers.values():
        for entry in provider.models:
            for day in ("2025-01-01T03:00", "2026-11-20T02:00", "2027-06-01T12:00"):
                made += card_at(entry.id, entry, utc_at(us(day))) is not None
    assert made > 6000


@pytest.mark.parametrize("written", ["0.003625", '"0.003625"', "3.625e-3", "0.0036250000000000000000"])
def test_price_never_passes_through_a_float(written):
    body = data(model({"input_mtok": "PRICE", "output_mtok": 12345678.123456})).replace(b'"PRICE"', written.encode())
    with pytest.raises(ValueError, match="output_mtok"):
        decode(body, "x")  # above a dollar a token
    body = data(model({"input_mtok": "PRICE"})).replace(b'"PRICE"', written.encode())
    assert card(body).standard.base.input == 3625


def test_float_noise_of_resale_rows_is_rounded_to_a_whole_pico():
    assert card(data(model({"input_mtok": "0.18000000000000002"}))).standard.base.input == 180_000
    assert card(data(model({"input_mtok": "0.0833333333333333"}))).standard.base.input == 83_333


def test_missing_class_is_priced_as_its_parent():
    assert card(data(model({"input_mtok": 2, "output_mtok": 3}))).standard.base == Rates(*[10**6 * n for n in (2, 3, 2, 2, 2)])
    prices = {"input_mtok": 2, "cache_write_mtok": 4, "cache_write_1h_mtok": 5, "cache_read_mtok": 0}
    assert card(data(model(prices))).standard.base == Rates(2_000_000, 0, 0, 4_000_000, 5_000_000)
    prices["cache_write_5m_mtok"] = 6
    assert card(data(model(prices))).standard.base.cache_write_5m == 6_000_000


def test_model_without_a_token_price_has_no_card():
    assert card(data(model({"audio_hours": 1}))) is None


def test_a_charge_that_is_not_modelled_is_flagged():
    assert card(data(model({"input_mtok": 1, "requests_kcount": 5}))).flags == ("partial_card",)


def test_last_price_whose_condition_holds_wins_else_the_first():
    dated = [
        {"prices": {"input_mtok": 1}},
        {"constraint": {"start_date": "2026-01-01"}, "prices": {"input_mtok": 2}},
        {"constraint": {"start_date": "2026-06-01"}, "prices": {"input_mtok": 3}},
    ]
    seen = [
        card(data(model(dated)), at).standard.base.input // 10**6
        for at in ("2025-12-31T23:59", "2026-01-01", "2026-05-31", "2026-06-01")
    ]
    assert seen == [1, 2, 2, 3]
    future = [{"constraint": {"start_date": "2030-01-01"}, "prices": {"input_mtok": 9}}]
    assert card(data(model(future))).standard.base.input == 9_000_000


@pytest.mark.parametrize(
    ("start", "end", "at", "inside"),
    [
        ("01:00:00Z", "04:00:00Z", "01:00", True),
        ("01:00:00Z", "04:00:00Z", "03:59", True),
        ("01:00:00Z", "04:00:00Z", "04:00", False),
        ("22:00:00Z", "02:00:00Z", "23:00", True),
        ("22:00:00Z", "02:00:00Z", "01:59", True),
        ("22:00:00Z", "02:00:00Z", "02:00", False),
        ("03:00:00+02:00", "06:00:00+02:00", "01:00", True),
        ("03:00:00+02:00", "06:00:00+02:00", "04:00", False),
        ("01:00:00", "04:00:00", "02:00", True),
    ],
)
def test_time_of_day_is_half_open_and_may_cross_midnight(start, end, at, inside):
    timed = [{"prices": {"input_mtok": 1}}, {"constraint": {"start_time": start, "end_time": end}, "prices": {"input_mtok": 2}}]
    body = data(model(timed))
    assert card(body, f"2026-11-20T{at}").standard.base.input == (2_000_000 if inside else 1_000_000)
    assert card(body, f"2026-11-21T{at}", weekdays_only=True).standard.base.input == 1_000_000, "a Saturday"


def test_price_is_constant_between_two_boundaries():
    timed = [
        {"prices": {"input_mtok": 1}},
        {"constraint": {"start_date": "2026-11-20"}, "prices": {"input_mtok": 3}},
        {"constraint": {"start_time": "01:00:00Z", "end_time": "04:00:00Z"}, "prices": {"input_mtok": 2}},
    ]
    entry = decode(data(model(timed)), "x").find("p", "m")[1]
    minutes = range(us("2026-11-18"), us("2026-11-23"), 7 * 60 * 10**6)
    rates = [card_at("m", entry, utc_at(at), weekdays_only=True).standard.base.input for at in minutes]
    for index, at in enumerate(minutes):
        instants = boundaries(entry, at)
        until = min((instant for instant in instants if instant > at), default=2**62)
        since = max((instant for instant in instants if instant <= at), default=-(2**62))
        for other, there in enumerate(minutes):
            if since <= there < until:
                assert rates[other] == rates[index]


def test_variant_replaces_only_the_prices_it_names():
    variants = [
        {"when": {"processing": "batch"}, "prices": {"input_mtok": 1}},
        {"when": {"speed": "fast"}, "constraint": {"start_date": "2027-01-01"}, "prices": {"input_mtok": 8}},
        {"when": {"service_tier": "flex"}, "prices": {"output_mtok": 2}},
        {"when": {"service_tier": "flex"}, "prices": {"output_mtok": 99, "input_mtok": 1.5}},
        {"when": {"service_tier": "x", "region": "y"}, "prices": {"input_mtok": 0}},
    ]
    found = card(data(model({"input_mtok": 2, "output_mtok": 4}, price_variants=variants)))
    assert found.batch.base == Rates(1_000_000, 4_000_000, 1_000_000, 1_000_000, 1_000_000)
    assert found.fast is None
    assert found.tiers.keys() == {"flex"}
    assert (found.tiers["flex"].base.output, found.tiers["flex"].base.input) == (2_000_000, 1_500_000)


def test_classes_may_step_at_different_lengths():
    tiers = [{"start": 200, "price": 3}, {"start": 100, "price": 2}]
    prices = {"input_mtok": {"base": 1, "tiers": tiers}, "output_mtok": {"base": 5, "tiers": [{"start": 150, "price": 6}]}}
    ladder = card(data(model(prices))).standard
    seen = [(ladder.at(prompt).input // 10**6, ladder.at(prompt).output // 10**6) for prompt in (100, 101, 150, 151, 200, 201)]
    assert seen == [(1, 5), (2, 5), (2, 5), (2, 6), (2, 6), (3, 6)]


@pytest.mark.parametrize(
    ("match", "yes", "no"),
    [
        ({"equals": "AbC"}, "abc", "abcd"),
        ({"starts_with": "Ab"}, "abc", "xab"),
        ({"ends_with": "Bc"}, "abc", "abcd"),
        ({"contains": "B"}, "abc", "ac"),
        ({"regex": r"^a-\d{8}$"}, "a-20260101", "a-2026"),
        ({"or": [{"equals": "a"}, {"equals": "b"}]}, "b", "c"),
        ({"and": [{"contains": "a"}, {"contains": "b"}]}, "ab", "a"),
    ],
)
def test_match_rules(match, yes, no):
    catalog = decode(data(model({"input_mtok": 1}, match=match)), "x")
    assert catalog.find("p", yes.upper()) is not None
    assert catalog.find("p", no) is None


def test_compact_date_is_tried_with_dashes_and_fallback_providers_once():
    body = json.dumps(
        [
            {"id": "p", "models": [], "fallback_model_providers": ["q"]},
            {"id": "q", "models": [model({"input_mtok": 1}, name="m-2025-12-11")], "fallback_model_providers": ["r"]},
            {"id": "r", "models": [model({"input_mtok": 1}, name="far")]},
        ]
    ).encode()
    catalog = decode(body, "x")
    assert catalog.find("p", "m-20251211")[0] == "q"
    assert catalog.find("p", "far") is None
    assert catalog.find("nobody", "m") is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"<html>",
        b'[{"id":"p"}]',
        data(model({"input_mtok": -1})),
        data(model({"input_mtok": "NaN"})),
        data(model({"input_mtok": "Infinity"})),
        data(model({"input_mtok": "1e400"})),
        data(model({"input_mtok": True})),
        data(model({"input_mtok": "cheap"})),
        data(model({"input_mtok": {"base": 1, "tiers": [{"start": 1, "price": -1}]}})),
        data(model([])),
        data(model({"input_mtok": 1}, match={"regex": "("})),
        data(model({"input_mtok": 1}, match={"regex": "(a+)+$"})),
        data(model({"input_mtok": 1}, match={"regex": "a*a*a*a*$"})),
        data(model({"input_mtok": 1}, match={"or": [{"regex": "x" * 300}]})),
        data(model({"input_mtok": 1}), provider="p")[:-1] + b"," + data(model({"input_mtok": 1}))[1:],
    ],
)
def test_what_is_not_the_data_set_is_refused(body):
    with pytest.raises(ValueError):
        decode(body, "x")


def test_unknown_fields_and_units_are_ignored():
    body = data(model({"input_mtok": 1, "moon_hours": 3}, new_field={"a": [1]}), new="x")
    assert card(body).standard.base.input == 1_000_000


def test_overlay_is_valid_and_every_card_names_its_source():
    overlay = load_overlay()
    assert overlay.card
    assert all(one.source.startswith("https://") for one in overlay.card)
    assert Decimal(overlay.claude.geo_us) == Decimal("1.1")


@pytest.mark.parametrize("line", ['date = "x"\nunknown = 1', "[claude]\n", "not toml ["])
def test_broken_overlay_is_refused(tmp_path, line):
    path = tmp_path / "overlay.toml"
    path.write_text(line)
    with pytest.raises(ValueError):
        load_overlay(path)
