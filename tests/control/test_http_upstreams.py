"""How upstreams do and what prices models, over the API."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gw import clock
from gw.control.http_upstreams import health
from gw.domain.place_entry import DOWN, OPEN, PROBE_US, PROBED_US, PROBES_FAILED, SHORT
from gw.ledger.database import database_of
from gw.ledger.rollup_shape import HOUR_US
from gw.ledger.usage_upstreams import OF_UPSTREAM, none
from tests.control.api import CONFIG, Api, serving
from tests.ledger.log_rows import fill
from tests.ledger.records import record

PRICED = (
    CONFIG.replace("[[customer]]", '[[upstream]]\nname = "second"\nmodels = ["claude-haiku-*"]\napi_key = ""\n[[customer]]', 1)
    + """
[[pricing.override]]
name = "contract"
model = "claude-opus-*"
multiplier = "0.8"
[[pricing.override]]
name = "for platform"
team = "platform"
model = "claude-*"
multiplier = "0.5"
[[pricing.override]]
name = "house model"
model = "house-*"
input = "1"
output = "2"
cache_read = "0.1"
cache_write_5m = "1.25"
"""
)
USD = 10**12


@pytest.fixture
async def api(tmp_path: Path, token: str) -> AsyncIterator[Api]:
    async with serving(tmp_path, PRICED) as one:
        yield one


async def called(api: Api, **changes: Any) -> None:
    """A call that has just ended, or `ago_us` before."""
    ended_us = clock.wall_us() - changes.pop("ago_us", 0)
    times = {"started_us": ended_us - 2_000_000, "first_token_us": ended_us - 1_500_000, "ended_us": ended_us}
    one = record(f"gw_{changes.pop('number', 0):020x}", **{"upstream": "fake", **times, **changes})
    await fill(database_of(api.worker.snapshot.config.storage.address), [one])


async def view(api: Api, query: str = "") -> dict[str, Any]:
    answer = await api.ask("GET", f"/api/upstreams{query}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json
    return found


async def test_an_upstream_shows_what_it_did_lately_and_in_each_hour(api: Api) -> None:
    await called(api, number=1, billed_pusd=3 * USD)
    await called(api, number=2, outcome="upstream_error", status=529)
    await called(api, number=3, ago_us=3 * HOUR_US, billed_pusd=2 * USD)
    await called(api, number=4, ago_us=30 * HOUR_US, billed_pusd=USD)
    found = await view(api, "?from=24h")
    fake, second = found["upstreams"]
    assert (fake["name"], fake["configured"], second["name"]) == ("fake", True, "second")
    assert fake["host"] == "api.anthropic.com" and fake["credential"] and not second["credential"]
    assert fake["values"]["calls"] == 3 and fake["values"]["errors"] == 1 and fake["values"]["billed_usd"] == "5"
    assert fake["values"]["first_token_ms"] == 500 and fake["values"]["latency_ms"] == 2000
    assert (fake["lately"]["values"]["calls"], fake["lately"]["health"]) == (2, "troubled")
    assert found["bucket"] == "hour" and len(found["buckets"]) == len(fake["calls"]) in (25, 26)
    assert sum(fake["calls"]) == 3 and sum(fake["errors"]) == 1
    assert second["lately"] == {"seconds": 300, "health": "idle", "values": second["values"]}


async def test_an_upstream_says_what_it_speaks_whose_credentials_it_has_and_what_left_it(api: Api) -> None:
    failed = '[["fake",529,"upstream_overloaded_error",40],["fake",500,"upstream_api_error",4]]'
    await called(api, number=1, upstream="second", attempts=failed)
    await called(api, number=2, upstream="second", attempts=failed, ago_us=2 * HOUR_US)
    fake, second = (await view(api))["upstreams"]
    assert (fake["failed_over"], fake["tried_again"], second["failed_over"]) == (1, 1, 0)
    assert fake["dialects"] == ["anthropic"]
    (credential,) = fake["credentials"]
    assert credential["there"] and credential["name"] == "" and "sk-" not in str(fake)
    assert [one["there"] for one in second["credentials"]] == [False]


async def test_a_credential_says_that_it_is_left_alone_why_and_for_how_long(api: Api) -> None:
    entry = api.worker.state.places.entry("fake", "")
    assert entry is not None
    now_ns = clock.mono_ns()
    entry[OPEN] = now_ns + 40 * 10**9
    entry[PROBED_US], entry[PROBE_US], entry[PROBES_FAILED] = clock.wall_us(), 31_000, 1
    (one,) = (await view(api))["upstreams"][0]["credentials"]
    assert (one["left_alone"], one["probe_ms"], one["probes_failed"], one["limit_short"]) == ("calls", 31, 1, False)
    assert 30 <= one["left_alone_s"] <= 40 and one["probed"].endswith("Z")
    entry[DOWN] = now_ns + 50 * 10**9
    entry[SHORT] = now_ns + 50 * 10**9
    (one,) = (await view(api))["upstreams"][0]["credentials"]
    assert one["left_alone"] == "probes" and one["left_alone_s"] > 40 and one["limit_short"]
    (other,) = (await view(api))["upstreams"][1]["credentials"]
    assert (other["left_alone"], other["left_alone_s"], other["probed"], other["probe_ms"]) == ("", 0, None, None)


async def test_what_is_configured_no_more_is_still_shown(api: Api) -> None:
    await called(api, upstream="gone", number=1)
    await called(api, upstream="", outcome="refused", number=2)
    assert [(one["name"], one["configured"]) for one in (await view(api))["upstreams"]][2:] == [("gone", False)]


async def test_a_model_shows_its_card_at_each_upstream_that_serves_it(api: Api) -> None:
    await called(api, requested_model="claude-haiku-4-5", served_model="claude-haiku-4-5-20251001", billed_pusd=USD, number=1)
    found = await view(api)
    (model,) = found["models"]
    assert model["name"] == "claude-haiku-4-5" and model["served"] == ["claude-haiku-4-5-20251001"] and model["priced"]
    assert [(one["upstream"], one["card"], one["override"]) for one in model["cards"]] == [
        ("fake", "anthropic/claude-haiku-4-5", ""),
        ("second", "anthropic/claude-haiku-4-5", ""),
    ]
    rates = model["cards"][0]["rates"]
    assert rates == {"input": "1", "output": "5", "cache_read": "0.1", "cache_write_5m": "1.25", "cache_write_1h": "2"}
    assert model["cards"][0]["listed"] is None and model["cards"][0]["source"] == found["price_source"]
    assert model["overrides"] == ["for platform"]


async def test_an_override_for_all_changes_the_rates_and_keeps_the_listed_ones(api: Api) -> None:
    await called(api, requested_model="claude-opus-4-5[1m]", served_model="claude-opus-4-5-20251101", number=1)
    (model,) = (await view(api))["models"]
    (card,) = model["cards"]
    assert card["override"] == "contract" and model["overrides"] == ["contract", "for platform"]
    assert (card["listed"]["input"], card["rates"]["input"]) == ("5", "4")
    assert (card["listed"]["output"], card["rates"]["output"]) == ("25", "20")


async def test_a_model_without_a_price_says_so_and_an_override_alone_can_make_one(api: Api) -> None:
    await called(api, requested_model="unheard-of", served_model="unheard-of", price_version="unpriced", number=1)
    await called(api, requested_model="house-small", served_model="house-small", number=2)
    found = await view(api)
    models = {one["name"]: one for one in found["models"]}
    assert not models["unheard-of"]["priced"] and models["unheard-of"]["values"]["unpriced"] == 1
    assert models["unheard-of"]["cards"][0] | {"upstream": ""} == {
        **dict.fromkeys(("upstream", "card", "source", "override"), ""),
        **dict.fromkeys(("since", "until", "rates", "listed", "fast", "web_search_usd")),
        **dict.fromkeys(("known", "by_served"), False),
        "long": [],
    }
    house = models["house-small"]["cards"][0]
    assert models["house-small"]["priced"] and house["card"] == "override/house model" and house["rates"]["output"] == "2"
    assert [(one["name"], one["active"]) for one in found["overrides"]][2] == ("house model", True)
    assert found["overrides"][2]["rates"] == {"input": "1", "output": "2", "cache_read": "0.1", "cache_write_5m": "1.25"}


async def test_a_name_that_only_answers_have_a_price_for_is_priced_by_that(api: Api) -> None:
    await called(api, requested_model="best", served_model="claude-haiku-4-5-20251001", number=1)
    (model,) = (await view(api))["models"]
    assert model["priced"] and model["cards"][0]["by_served"] and model["cards"][0]["rates"]["output"] == "5"


async def test_a_long_time_is_cut_into_days_and_a_wrong_one_is_told(api: Api) -> None:
    found = await view(api, "?from=2026-10-01&to=2026-10-20&tz=Europe/Berlin")
    assert found["bucket"] == "day" and len(found["buckets"]) == 19 and found["buckets"][0] == "2026-10-01T00:00:00+02:00"
    (await api.ask("GET", "/api/upstreams?from=yesterday")).problem(422, "invalid")
    (await api.ask("GET", "/api/upstreams?from=7d&to=8d")).problem(422, "invalid")


@pytest.mark.parametrize(
    ("calls", "refused", "errors", "said"),
    [
        (0, 0, 0, "idle"),
        (3, 3, 0, "idle"),
        (100, 0, 4, "good"),
        (100, 0, 5, "troubled"),
        (4, 2, 1, "troubled"),
        (1, 0, 1, "failing"),
        (10, 0, 5, "failing"),
        (10, 0, 4, "troubled"),
    ],
)
def test_health_is_the_share_of_calls_that_failed(calls: int, refused: int, errors: int, said: str) -> None:
    assert health(none(OF_UPSTREAM) | {"calls": calls, "refused": refused, "errors": errors}) == said
