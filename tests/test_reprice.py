"""What a row says is enough to price it again: by an unchanged book nothing ever changes, and by another exactly what should."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from gw.config.model import Upstream
from gw.domain.call import CallRecord
from gw.domain.price import Priced
from gw.domain.usage import Iteration, Reading, Usage
from gw.ledger.adjust import AMOUNTS, adjustments_of, costs_of
from gw.ledger.reprice import PAGE, Order, Repriced, Wanted, reprice
from gw.ledger.store import Batch, Database
from gw.pricing.book import PriceBook
from gw.pricing.lines import COUNT_BITS
from gw.pricing.overrides import Override, PartialRates
from gw.pricing.reading import reading_of
from gw.providers.usage_dialects import merged, usage_from
from gw.reprice import NO_PRICE, NO_UPSTREAM, NO_USAGE, Pricer
from gw.settle import flags_of
from tests.ledger.records import NOON_US, record
from tests.support.databases import query

CASES = json.loads((Path(__file__).parent / "pricing" / "cost_cases.json").read_text())
HOUR_US = 3_600_000_000
UP = Upstream(name="anthropic")


def row_of(reading: Reading, priced: Priced, **more: Any) -> CallRecord:
    """As gw.settle writes it (tests/test_settle.py has each column)."""
    usage = reading.usage
    entries = json.dumps([astuple(one) for one in usage.iterations]) if usage.iterations else ""
    values = {name: getattr(usage, name) for name in Usage.__struct_fields__ if name not in ("iterations", "ttl_assumed")}
    values |= {name: getattr(priced, name) for name in AMOUNTS}
    values |= {"served_model": reading.model, "stop_reason": reading.stop_reason, "usage_flags": flags_of(reading, priced)}
    return record("gw_1", iterations=entries, price_version=priced.price_version, **(values | more))


def pricer(*overrides: Override, provider: str = "anthropic", region: str = "") -> Pricer:
    upstream = replace(UP, region=region, provider=provider)  # price books know more of them than can be configured
    return Pricer(PriceBook.load(overrides=list(overrides)), [upstream])


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_case_costs_the_same_from_its_row(case: dict[str, Any]) -> None:
    flags, raw = case["flags"], case["usage"]
    if "message_start" in raw:
        raw = merged(raw["message_start"], raw["message_deltas"])
    usage, exact_pusd = usage_from(case["provider"], flags.get("api", ""), raw)
    if flags.get("batch"):
        usage = replace(usage, service_tier="batch")  # all that an answer can say of it
    reading = Reading(
        usage=usage,
        started=True,
        finished=True,
        final_usage=True,
        model=flags.get("response_model", case["model"]),
        stop_reason=flags.get("stop_reason", "end_turn"),
        content_empty=flags.get("content_empty", False),
    )
    rates = flags.get("rate_override")
    given_ = [Override(name="given", model=case["model"], rates=PartialRates(**rates))] if rates else []
    at_us = int(datetime.fromisoformat(flags["at"]).timestamp()) * 1_000_000
    region = flags.get("region", "")
    priced = PriceBook.load(overrides=given_).price(
        provider=case["provider"],
        upstream=UP.name,
        region=region,
        model=case["model"],
        reading=reading,
        at_us=at_us,
        exact_pusd=exact_pusd,
    )
    assert priced.billed_pusd == int(case["expected_pico_usd"])
    row = row_of(reading, priced, requested_model=case["model"], started_us=at_us)
    again = pricer(*given_, provider=case["provider"], region=region).price(row)
    assert again == priced


counts = st.one_of(st.integers(0, 3_000_000), st.integers(-5, 1 << (COUNT_BITS + 1)))
entries = st.builds(
    Iteration,
    st.sampled_from(("message", "compaction", "advisor_message", "fallback_message", "new_kind")),
    st.sampled_from(("", "claude-opus-5-5", "claude-haiku-5-5", "nobody-knows")),
    *[counts] * 6,
)
usages = st.builds(
    Usage,
    *[counts] * 9,
    st.sampled_from(("", "standard", "batch", "priority", "flex")),
    st.sampled_from(("", "standard", "fast", "warp")),
    st.sampled_from(("", "us", "global", "mars")),
    st.lists(entries, max_size=4).map(tuple),
)
readings = st.builds(
    Reading,
    usages,
    st.just(True),
    st.just(True),
    st.just(True),
    st.sampled_from(("", "claude-opus-5-5", "claude-sonnet-4-5")),
    st.just(""),
    st.sampled_from(("end_turn", "refusal", "")),
    st.booleans(),
)
BOOKS = [
    (),
    (Override(name="cheap", multiplier="0.873"),),
    (Override(name="ours", model="claude-opus-*", rates=PartialRates(input="3.3", cache_read="0.111")),),
]
MODELS = ("claude-opus-5-5", "claude-haiku-5-5[1m]", "nobody-knows")
PRICERS = [pricer(*overrides) for overrides in BOOKS]


@settings(max_examples=400, deadline=None)
@given(reading=readings, book=st.integers(0, 2), model=st.sampled_from(MODELS))
def test_any_reading_costs_the_same_from_its_row(reading: Reading, book: int, model: str) -> None:
    """But for what pricing does not look at."""
    one = PRICERS[book]
    priced = one._book.price(provider="anthropic", upstream=UP.name, region="", model=model, reading=reading, at_us=NOON_US)
    row = row_of(reading, priced, requested_model=model)
    found = one.price(row)
    if priced.price_version == "unpriced":
        assert found == NO_PRICE
    else:
        assert found == priced
        assert reading_of(row).usage == replace(reading.usage, ttl_assumed=False)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"upstream": "gone"}, NO_UPSTREAM),
        ({"usage_flags": "settle_failed"}, NO_USAGE),
        ({"iterations": "[[broken"}, NO_USAGE),
        ({"requested_model": "nobody-knows", "served_model": ""}, NO_PRICE),
    ],
)
def test_what_cannot_be_priced_says_why(changes: dict[str, Any], why: str) -> None:
    assert PRICERS[0].price(record("gw_1", **({"input_tokens": 5} | changes))) == why


# --- the ledger -------------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(database: Database) -> Iterator[Database]:
    database.prepare()
    yield database


def calls(count: int, one: Pricer, **more: Any) -> list[CallRecord]:
    """Each a second after the other, priced as a worker would."""
    found = []
    for number in range(count):
        changes = {"input_tokens": 1000 + number, "output_tokens": 10, "cache_read_tokens": 77, "usage_source": "exact", **more}
        at_us = NOON_US + number * 1_000_000
        blank = record(f"gw_{number:04}", started_us=at_us, ended_us=at_us + 5, requested_model="claude-opus-5-5", **changes)
        blank = replace(blank, served_model=more.get("served_model", "claude-opus-5-5"), key_name=f"key {number % 3}", team="red")
        priced = one.price(blank)
        if not isinstance(priced, str):
            amounts = {name: getattr(priced, name) for name in AMOUNTS}
            blank = replace(blank, price_version=priced.price_version, **amounts)
        found.append(blank)
    return found


async def hold(ledger: Database, records: list[CallRecord]) -> None:
    store = ledger.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in records]))
    await store.close()


def run(ledger: Database, by: Pricer, *, dry: bool = False, reason: str = "", **wanted: Any) -> list[Repriced]:
    found: list[Repriced] = []
    span = Wanted(**({"since_us": 0, "until_us": NOON_US + HOUR_US} | wanted))
    reprice(ledger, Order(span, by.price, NOON_US + HOUR_US, "anna", reason, dry), found.extend)
    return found


def changed(found: list[Repriced]) -> int:
    return sum(one.adjustment is not None for one in found)


def billed(ledger: Database, records: list[CallRecord]) -> list[int]:
    with ledger.reading() as db:
        assert db is not None
        return [cost.amounts[1] for cost in costs_of(db, records).values()]


def rolled_up(ledger: Database) -> int:
    found = query(ledger, "SELECT billed_high, billed_low FROM usage_day WHERE level = 1")
    return sum((int(high) << 31) + int(low) for high, low in found)


async def test_repricing_by_the_same_prices_changes_nothing(ledger: Database) -> None:
    rows = calls(PAGE + 3, PRICERS[0])
    await hold(ledger, rows)
    assert (len(found := run(ledger, PRICERS[0])), changed(found)) == (PAGE + 3, 0)
    assert query(ledger, "SELECT COUNT(*) FROM adjustment") == [(0,)]


async def test_repricing_adds_the_difference_once_and_back_again(ledger: Database) -> None:
    rows = calls(PAGE + 3, PRICERS[0])
    await hold(ledger, rows)
    before = [one.billed_pusd for one in rows]
    assert changed(run(ledger, PRICERS[1], dry=True)) == len(rows) and billed(ledger, rows) == before
    assert changed(run(ledger, PRICERS[1], reason="contract")) == len(rows)
    cheaper = [one.billed_pusd for one in calls(PAGE + 3, PRICERS[1])]
    assert billed(ledger, rows) == cheaper and sum(cheaper) < sum(before)
    assert rolled_up(ledger) == sum(cheaper)
    assert changed(run(ledger, PRICERS[1])) == 0, "twice is once"
    assert changed(run(ledger, PRICERS[0])) == len(rows)
    assert billed(ledger, rows) == before and rolled_up(ledger) == sum(before)
    with ledger.reading() as db:
        assert db is not None
        there, back = adjustments_of(db, rows[0].call_id)
    assert tuple(-amount for amount in there.amounts) == back.amounts
    assert (there.reason, there.actor, there.old_version, there.new_version) == (
        "contract",
        "anna",
        rows[0].price_version,
        back.old_version,
    )
    stored = query(ledger, "SELECT call_id, billed_pusd FROM call ORDER BY call_id")
    assert stored == [(one.call_id, one.billed_pusd) for one in rows], "rows of calls never change"


async def test_a_run_that_is_broken_off_is_finished_by_the_next(ledger: Database) -> None:
    rows = calls(PAGE + 3, PRICERS[0])
    await hold(ledger, rows)

    def stop(_found: list[Repriced]) -> None:
        raise KeyboardInterrupt

    order = Order(Wanted(since_us=0, until_us=NOON_US + HOUR_US), PRICERS[1].price, NOON_US, "anna", "")
    with pytest.raises(KeyboardInterrupt):
        reprice(ledger, order, stop)
    assert query(ledger, "SELECT COUNT(*) FROM adjustment") == [(PAGE,)]
    assert changed(run(ledger, PRICERS[1])) == 3
    assert billed(ledger, rows) == [one.billed_pusd for one in calls(PAGE + 3, PRICERS[1])]


FILTERS: list[tuple[dict[str, Any], int]] = [
    ({"key": "key 1"}, 3),
    ({"team": "blue"}, 0),
    ({"team": "red", "upstream": "anthropic"}, 10),
    ({"upstream": "elsewhere"}, 0),
    ({"model": "claude-opus-*"}, 10),
    ({"model": "*sonnet*"}, 0),
    ({"since_us": NOON_US + 5 + 3_000_000, "until_us": NOON_US + 5 + 7_000_000}, 4),
]


async def test_only_calls_that_are_asked_for_are_looked_at(ledger: Database) -> None:
    other = record("gw_count", endpoint="count_tokens", requested_model="claude-opus-5-5", input_tokens=5)
    refused = record("gw_refused", usage_source="none", outcome="refused", requested_model="claude-opus-5-5")
    await hold(ledger, [*calls(10, PRICERS[0]), other, refused])
    assert [len(run(ledger, PRICERS[1], dry=True, **wanted)) for wanted, _ in FILTERS] == [count for _, count in FILTERS]


async def test_a_call_without_a_price_gets_one_and_those_that_still_have_none_stay(ledger: Database) -> None:
    rows = calls(2, PRICERS[0], served_model="nobody-knows", price_version="unpriced")
    rows = [replace(one, requested_model="nobody-knows", billed_pusd=0, list_pusd=0, price_version="unpriced") for one in rows]
    rows = [replace(one, **dict.fromkeys(AMOUNTS[2:], 0)) for one in rows]
    await hold(ledger, rows)
    found = run(ledger, PRICERS[0])
    assert [one.priced for one in found] == [NO_PRICE, NO_PRICE] and changed(found) == 0
    rates = PartialRates(input="1", output="1", cache_read="1", cache_write_5m="1", cache_write_1h="1")
    assert changed(run(ledger, pricer(Override(name="new", model="nobody-*", rates=rates)))) == 2
    assert billed(ledger, rows) == [(1000 + 10 + 77) * 10**6, (1001 + 10 + 77) * 10**6]
    assert changed(run(ledger, PRICERS[0])) == 0, "a price that is gone takes nothing back"
