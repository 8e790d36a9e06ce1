"""Charges in the columns of FOCUS: by the specification's own table of columns, and to the last digit of the ledger."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw.domain.column import Column
from gw.domain.focus import CLASSES, FOCUS, READ, Charges
from gw.domain.price import Line, Rates, Ratio, cost
from gw.export.work import Wish, work
from gw.ledger.store import Database
from tests.export.ground import DAY_US, HOUR_US, LATER_US, PROVIDERS, adjust, arrived, call, fill, job, ledger, usd
from tests.ledger.records import NOON_US

# FOCUS 1.3, Cost and Usage: column -> (mandatory, allows nulls, type), of the mandatory ones and of those that are conditional on
# what a gateway has (sub accounts, unit prices, SKUs, usage measurement, resources, tags). ProviderName and PublisherName are
# deprecated.
SPECIFICATION = {
    "BilledCost": (True, False, "decimal"),
    "BillingAccountId": (True, False, "text"),
    "BillingAccountName": (True, True, "text"),
    "BillingCurrency": (True, False, "text"),
    "BillingPeriodEnd": (True, False, "second"),
    "BillingPeriodStart": (True, False, "second"),
    "ChargeCategory": (True, False, "text"),
    "ChargeClass": (True, True, "text"),
    "ChargeDescription": (True, True, "text"),
    "ChargeFrequency": (False, False, "text"),
    "ChargePeriodEnd": (True, False, "second"),
    "ChargePeriodStart": (True, False, "second"),
    "ConsumedQuantity": (False, True, "decimal"),
    "ConsumedUnit": (False, True, "text"),
    "ContractedCost": (True, False, "decimal"),
    "ContractedUnitPrice": (False, True, "decimal"),
    "EffectiveCost": (True, False, "decimal"),
    "HostProviderName": (True, False, "text"),
    "InvoiceIssuerName": (True, False, "text"),
    "ListCost": (True, False, "decimal"),
    "ListUnitPrice": (False, True, "decimal"),
    "PricingCategory": (False, True, "text"),
    "PricingQuantity": (True, True, "decimal"),
    "PricingUnit": (True, True, "text"),
    "ProviderName": (True, False, "text"),
    "PublisherName": (True, False, "text"),
    "RegionId": (False, True, "text"),
    "RegionName": (False, True, "text"),
    "ResourceId": (False, True, "text"),
    "ResourceName": (False, True, "text"),
    "ResourceType": (False, True, "text"),
    "ServiceCategory": (True, False, "text"),
    "ServiceName": (True, False, "text"),
    "ServiceProviderName": (True, False, "text"),
    "ServiceSubcategory": (False, False, "text"),
    "SkuId": (False, True, "text"),
    "SkuMeter": (False, True, "text"),
    "SkuPriceDetails": (False, True, "json"),
    "SkuPriceId": (False, True, "text"),
    "SubAccountId": (False, True, "text"),
    "SubAccountName": (False, True, "text"),
    "SubAccountType": (False, True, "text"),
    "Tags": (False, True, "json"),
}
PRODUCTS = (("ListCost", "ListUnitPrice"), ("ContractedCost", "ContractedUnitPrice"))
NULL_TOGETHER = ("ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "PricingUnit", "ConsumedQuantity", "SkuPriceId")


def test_every_column_is_one_of_the_specification_or_marked_as_ours() -> None:
    mine = {column.name: column for column in FOCUS}
    own = [name for name in mine if name.startswith("x_")]
    assert list(mine)[-len(own) :] == own, "custom columns come last"
    assert set(mine) - set(own) == set(SPECIFICATION)
    for name, (_, nullable, kind) in SPECIFICATION.items():
        assert (mine[name].nullable, mine[name].kind) == (nullable, kind), name


def conforms(rows: Iterable[dict[str, Any]]) -> None:
    """What FOCUS says of each row."""
    for row in rows:
        for name, (_, nullable, _) in SPECIFICATION.items():
            assert nullable or row[name] is not None, name
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        assert (row["BillingCurrency"], row["ChargeCategory"]) == ("USD", "Usage")
        assert (row["ServiceCategory"], row["ServiceSubcategory"]) == ("AI and Machine Learning", "Generative AI")
        if row["ChargeClass"] == "Correction":
            assert all(row[name] is None for name in NULL_TOGETHER)
            continue
        assert row["ChargeClass"] is None and all(row[name] is not None for name in NULL_TOGETHER)
        for total, price in PRODUCTS:
            assert row[price] >= 0 and row[price] * row["PricingQuantity"] == row[total]
        if row["SkuMeter"].endswith("Tokens") or "Tokens (" in row["SkuMeter"]:
            assert (row["ConsumedUnit"], row["PricingUnit"]) == ("Tokens", "1000000 Tokens")
            assert row["PricingQuantity"] * 1_000_000 == row["ConsumedQuantity"]


def test_a_day_of_charges_is_the_ledger(database: Database, tmp_path: Path) -> None:
    said = 7 * 15_000_000
    for number in range(40):
        total = call(number).input_pusd + said
        fill(database, [call(number, output_tokens=7, output_pusd=said, billed_pusd=total, list_pusd=total)])
    adjust(database, "call-000003", NOON_US, -250, upstream="anthropic", team="team0", customer="acme")
    work(database, job(tmp_path, what="focus"), Wish(LATER_US))
    rows = arrived(tmp_path)
    conforms(rows)
    assert sum(row["BilledCost"] for row in rows) == usd(sum(row["billed_pusd"] for row in ledger(database)) - 250)
    tokens = sum(row["ConsumedQuantity"] for row in rows if row["SkuMeter"] == "Input Tokens")
    assert tokens == sum(row["input_tokens"] for row in ledger(database))
    assert {row["SkuMeter"] for row in rows} == {"Input Tokens", "Output Tokens", None}
    assert {row["ServiceProviderName"] for row in rows} == {"Anthropic"}
    assert {row["SubAccountId"] for row in rows} == {"team0", "team1", "team2"}
    (correction,) = [row for row in rows if row["ChargeClass"]]
    assert correction["BilledCost"] == usd(-250)


RATES = Rates(3_000_000, 15_000_000, 300_000, 3_750_000, 6_000_000)
NUMBERS = ("_us", "_pusd", "_tokens", "_requests")
FACTORS = [(1, 1), (17, 20), (0, 1), (2, 3), (5, 4)]
COUNTS = st.integers(0, 300_000)


@settings(max_examples=150, deadline=None)
@given(calls=st.lists(st.tuples(*[COUNTS] * 5, st.integers(0, 3), st.sampled_from(FACTORS)), max_size=12))
def test_charges_add_up_whatever_the_prices_are(calls: list[tuple[Any, ...]]) -> None:
    """Multipliers that leave fractions, searches, nothing billed: quantity times price is the cost, and nothing is lost."""
    charges, listed, billed = Charges(HOUR_US), 0, 0
    for fresh, out, read, five, hour, searches, (num, den) in calls:
        split = {
            factor: cost([Line(RATES, fresh, out, read, five, hour, factor)], tools_pusd=searches * 10**10)
            for factor in (Ratio(num, den), Ratio())
        }
        ours, theirs = split[Ratio(num, den)], split[Ratio()]
        listed, billed = listed + theirs.total_pusd, billed + ours.total_pusd
        known = {"ended_us": NOON_US, "list_pusd": theirs.total_pusd, "billed_pusd": ours.total_pusd}
        known["web_search_requests"] = searches
        known |= {"input_tokens": fresh, "output_tokens": out, "cache_read_tokens": read, "cache_write_5m_tokens": five}
        known |= {"cache_write_1h_tokens": hour, "tools_pusd": ours.tools_pusd}
        known |= {f"{name}_pusd": getattr(ours, f"{name}_pusd") for name, _, _ in CLASSES}
        charges.add(tuple(known.get(name, 0 if name.endswith(NUMBERS) else "x") for name in READ))
    made = charges.rows(PROVIDERS)
    rows = [{column.name: shown(column, value) for column, value in zip(FOCUS, row, strict=True)} for row in made]
    conforms(rows)
    assert sum(row["ListCost"] for row in rows) == usd(listed)
    assert sum(row["BilledCost"] for row in rows) == usd(billed)


def shown(column: Column, value: Any) -> Any:
    return Decimal(value).scaleb(-12) if column.kind == "decimal" and value is not None else value


def test_hourly_charges_lie_in_their_hours(database: Database, tmp_path: Path) -> None:
    fill(database, [call(number) for number in range(130)])
    done = work(database, job(tmp_path, what="focus", bucket="hour"), Wish(LATER_US))
    assert len(done) == 3 and all(run.high - run.low == HOUR_US for run in done)
    conforms(arrived(tmp_path))


@pytest.mark.parametrize("form", ["csv", "jsonl.zst"])
def test_text_forms_say_null_as_focus_does(database: Database, tmp_path: Path, form: str) -> None:
    """Numbers without exponents or separators, null as nothing, date-times as YYYY-MM-DDTHH:mm:ssZ."""
    fill(database, [call(1, upstream="elsewhere", key_id="", key_name="", credential="")])
    work(database, job(tmp_path, what="focus", format=form), Wish(LATER_US + DAY_US))
    (row,) = arrived(tmp_path)
    assert row["ResourceId"] in ("", None) and row["ChargePeriodStart"] == "2026-11-01T00:00:00Z"
    assert row["ListUnitPrice"] == "3" and row["PricingQuantity"] == "0.001001" and row["ServiceProviderName"] == "elsewhere"
