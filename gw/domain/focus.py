"""Calls as charges in the columns of FOCUS, the FinOps Open Cost and Usage Specification, version 1.3 (December 2025). Pure.

One charge per period, account path, model and token class, at one unit price: where a price changes within a period there are two
charges, so that quantity times unit price is the cost, to the last digit, as the specification demands. What is priced by no
quantity (iterations that Claude Code does not count, and what a rounding leaves) is a charge of its own, so that the charges of a
period add up to the ledger.

The ledger splits the billed cost by token class, the list cost it knows as a whole. Without a negotiated price they are the same.
With one, the list cost is divided as the billed cost is, which is exact for a multiplier; where an override names single rates,
the sum over the classes is exact and the division among them an approximation.

ProviderName and PublisherName are deprecated in 1.3 and gone in 1.4; 1.3 still demands them.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson

from gw.domain.column import Column

VERSION = "1.3"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE = 10**12  # of a decimal's units
SELLERS = {"anthropic": ("Anthropic", "Claude API")}  # provider of an upstream -> who bills, and what its service is called

FOCUS = (
    Column("BilledCost", "decimal", money=True, nullable=False),
    Column("BillingAccountId", nullable=False),
    Column("BillingAccountName"),
    Column("BillingCurrency", nullable=False),
    Column("BillingPeriodEnd", "second", nullable=False),
    Column("BillingPeriodStart", "second", nullable=False),
    Column("ChargeCategory", nullable=False),
    Column("ChargeClass"),
    Column("ChargeDescription"),
    Column("ChargeFrequency", nullable=False),
    Column("ChargePeriodEnd", "second", nullable=False),
    Column("ChargePeriodStart", "second", nullable=False),
    Column("ConsumedQuantity", "decimal"),
    Column("ConsumedUnit"),
    Column("ContractedCost", "decimal", money=True, nullable=False),
    Column("ContractedUnitPrice", "decimal"),
    Column("EffectiveCost", "decimal", money=True, nullable=False),
    Column("HostProviderName", nullable=False),
    Column("InvoiceIssuerName", nullable=False),
    Column("ListCost", "decimal", money=True, nullable=False),
    Column("ListUnitPrice", "decimal"),
    Column("PricingCategory"),
    Column("PricingQuantity", "decimal"),
    Column("PricingUnit"),
    Column("ProviderName", nullable=False),
    Column("PublisherName", nullable=False),
    Column("RegionId"),
    Column("RegionName"),
    Column("ResourceId"),
    Column("ResourceName"),
    Column("ResourceType"),
    Column("ServiceCategory", nullable=False),
    Column("ServiceName", nullable=False),
    Column("ServiceProviderName", nullable=False),
    Column("ServiceSubcategory", nullable=False),
    Column("SkuId"),
    Column("SkuMeter"),
    Column("SkuPriceDetails", "json"),
    Column("SkuPriceId"),
    Column("SubAccountId"),
    Column("SubAccountName"),
    Column("SubAccountType"),
    Column("Tags", "json"),
    Column("x_Calls", "int", nullable=False),
    Column("x_Customer"),
    Column("x_Estimated", "bool", nullable=False),
    Column("x_Project"),
    Column("x_Unpriced", "bool", nullable=False),
)

READ = (
    "ended_us",
    "upstream",
    "customer",
    "team",
    "key_id",
    "key_name",
    "credential",
    "project",
    "served_model",
    "requested_model",
    "speed",
    "service_tier",
    "inference_geo",
    "usage_source",
    "price_version",
    "list_pusd",
    "billed_pusd",
    "tools_pusd",
    "web_search_requests",
    "input_tokens",
    "input_pusd",
    "output_tokens",
    "output_pusd",
    "cache_read_tokens",
    "cache_read_pusd",
    "cache_write_5m_tokens",
    "cache_write_5m_pusd",
    "cache_write_1h_tokens",
    "cache_write_1h_pusd",
)
"""The columns of a call that charges are made of."""
(CHARGED_FROM,) = (column for column in FOCUS if column.name == "ChargePeriodStart")
CORRECTIONS = (
    "ended_us",
    "upstream",
    "customer",
    "team",
    "key_id",
    "key_name",
    "project",
    "requested_model",
    "new_version",
    "list_pusd",
    "billed_pusd",
)
"""The columns of an adjustment that corrections are made of."""
CLASSES = (
    ("input", "Input Tokens", 20),
    ("output", "Output Tokens", 100),
    ("cache_read", "Cache Read Tokens", 2),
    ("cache_write_5m", "Cache Write Tokens (5 minutes)", 25),
    ("cache_write_1h", "Cache Write Tokens (1 hour)", 40),
)
"""Token class, its meter, and its usual price beside the others': by that a list cost is divided where nothing was billed."""
TOOLS, OTHER, CORRECTION = "web_search", "other", "correction"
METERS = {name: meter for name, meter, _ in CLASSES}
METERS |= {TOOLS: "Web Searches", OTHER: "Other Charges", CORRECTION: "Price Corrections"}


class Account(NamedTuple):
    """Whose charge it is, and for what."""

    start_us: int  # of the period
    upstream: str
    customer: str
    team: str
    key_id: str
    key_name: str
    credential: str
    project: str
    model: str
    speed: str
    tier: str
    geo: str
    estimated: bool
    unpriced: bool


class Price(NamedTuple):
    """The charges of one sum: same account, token class and unit prices (pico-USD per token or search; of `other` none)."""

    account: Account
    kind: str
    list_unit: int = 0
    billed_unit: int = 0


class Amount:
    """Pico-USD."""

    __slots__ = ("billed", "calls", "list", "quantity")

    def __init__(self) -> None:
        self.quantity = self.list = self.billed = self.calls = 0


class Charges:
    """Adds calls up to charges; memory grows with the number of charges, not of calls."""

    def __init__(self, bucket_us: int) -> None:
        self._bucket_us = bucket_us
        self._sums: dict[Price, Amount] = {}

    def add(self, call: tuple[Any, ...]) -> None:
        """`call`: the values of READ."""
        (ended, upstream, customer, team, key_id, key_name, credential, project, served, requested, speed, tier, geo) = call[:13]
        source, version, listed, billed, tools, searches = call[13:19]
        account = Account(
            ended - ended % self._bucket_us,
            upstream,
            customer,
            team,
            key_id,
            key_name,
            credential,
            project,
            served or requested,
            speed,
            tier,
            geo,
            source in ("observed", "estimated"),
            version == "unpriced",
        )
        tokens, costs = call[19::2], call[20::2]
        list_left, billed_left = listed, billed
        if searches and tools:
            unit = tools // searches
            self._add(Price(account, TOOLS, unit, unit), searches, unit * searches, unit * searches)
            list_left, billed_left = list_left - unit * searches, billed_left - unit * searches
        shares = _shares(listed, billed, tools, tokens, costs)
        for (name, _, _), count, cost, share in zip(CLASSES, tokens, costs, shares, strict=True):
            if count:
                list_unit, billed_unit = max(share, 0) // count, cost // count
                self._add(Price(account, name, list_unit, billed_unit), count, list_unit * count, billed_unit * count)
                list_left, billed_left = list_left - list_unit * count, billed_left - billed_unit * count
        if list_left or billed_left:
            self._add(Price(account, OTHER), 1, list_left, billed_left)

    def correct(self, adjustment: tuple[Any, ...]) -> None:
        """`adjustment`: the values of CORRECTIONS. Its amounts may be negative."""
        ended, upstream, customer, team, key_id, key_name, project, model, version, listed, billed = adjustment
        start_us = ended - ended % self._bucket_us
        account = Account(
            start_us, upstream, customer, team, key_id, key_name, "", project, model, "", "", "", False, version == "unpriced"
        )
        self._add(Price(account, CORRECTION), 1, listed, billed)

    def _add(self, price: Price, quantity: int, listed: int, billed: int) -> None:
        amount = self._sums.get(price)
        if amount is None:
            amount = self._sums[price] = Amount()
        amount.quantity += quantity
        amount.list += listed
        amount.billed += billed
        amount.calls += 1

    def rows(self, providers: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
        """In a fixed order, values in that of FOCUS. `providers`: upstream -> its provider, as configured."""
        for price in sorted(self._sums):
            yield _row(price, self._sums[price], self._bucket_us, providers.get(price.account.upstream, ""))


def _shares(listed: int, billed: int, tools: int, tokens: tuple[int, ...], costs: tuple[int, ...]) -> list[int]:
    """The list cost of each token class; rounded down."""
    if listed == billed:
        return list(costs)
    listed, billed = listed - tools, billed - tools
    if billed > 0:
        return [cost * listed // billed for cost in costs]
    weights = [count * usual for count, (_, _, usual) in zip(tokens, CLASSES, strict=True)]
    return [weight * listed // (sum(weights) or 1) for weight in weights]


def _row(price: Price, amount: Amount, bucket_us: int, provider: str) -> tuple[Any, ...]:
    account = price.account
    period_start, period_end = _month(account.start_us)
    values = {
        "BilledCost": amount.billed,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": period_end,
        "BillingPeriodStart": period_start,
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{account.model or 'unknown model'}: {METERS[price.kind].lower()}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": account.start_us + bucket_us,
        "ChargePeriodStart": account.start_us,
        "ContractedCost": amount.billed,
        "EffectiveCost": amount.billed,
        "ListCost": amount.list,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "x_Calls": amount.calls,
        "x_Estimated": account.estimated,
        "x_Unpriced": account.unpriced,
        **_sold_by(account, provider),
        **_whose(account),
        **({"ChargeClass": "Correction"} if price.kind == CORRECTION else _priced(price, amount)),
    }
    return tuple(values.get(column.name) for column in FOCUS)


def _sold_by(account: Account, provider: str) -> dict[str, Any]:
    upstream = account.upstream or "unknown"
    seller, service = SELLERS.get(provider, (upstream, upstream))
    roles = ("HostProviderName", "InvoiceIssuerName", "ProviderName", "PublisherName", "ServiceProviderName")
    return {
        "BillingAccountId": upstream,
        "BillingAccountName": upstream,
        "ServiceName": service,
        "RegionId": account.geo or None,
        "RegionName": account.geo or None,
        **dict.fromkeys(roles, seller),
    }


def _whose(account: Account) -> dict[str, Any]:
    who = account.key_id or account.credential
    path = {"customer": account.customer, "team": account.team, "key": account.key_name, "project": account.project}
    return {
        "ResourceId": who or None,
        "ResourceName": account.key_name or None,
        "ResourceType": ("Virtual Key" if account.key_id else "Client Credential") if who else None,
        "SubAccountId": account.team or None,
        "SubAccountName": account.team or None,
        "SubAccountType": "Team" if account.team else None,
        "Tags": orjson.dumps({name: value for name, value in path.items() if value}).decode(),
        "x_Customer": account.customer or None,
        "x_Project": account.project or None,
    }


def _priced(price: Price, amount: Amount) -> dict[str, Any]:
    """Quantities, unit prices and what they are for; of a correction there are none."""
    account, kind = price.account, price.kind
    consumed, unit, quantity, pricing_unit, factor = _measures(kind, amount)
    sku = f"{account.model or 'unknown'}:{kind}"
    details = {"x_Speed": account.speed, "x_ServiceTier": account.tier, "x_InferenceGeo": account.geo}
    given = {name: value for name, value in details.items() if value}
    return {
        "ConsumedQuantity": consumed * ONE,
        "ConsumedUnit": unit,
        "ContractedUnitPrice": price.billed_unit * factor if factor else amount.billed,
        "ListUnitPrice": price.list_unit * factor if factor else amount.list,
        "PricingCategory": "Standard",
        "PricingQuantity": quantity,
        "PricingUnit": pricing_unit,
        "SkuId": sku,
        "SkuMeter": METERS[kind],
        "SkuPriceDetails": orjson.dumps(given).decode() if given else None,
        "SkuPriceId": ":".join([sku, *given.values()]),
    }


def _measures(kind: str, amount: Amount) -> tuple[int, str, int, str, int]:
    """Consumed quantity and unit; pricing quantity (1e-12 units) and unit; how many of the former a price is for, 0: all."""
    if kind == OTHER:
        return amount.calls, "Requests", ONE, "Units", 0
    if kind == TOOLS:
        return amount.quantity, "Requests", amount.quantity * ONE // 1000, "1000 Requests", 1000
    return amount.quantity, "Tokens", amount.quantity * ONE // 10**6, "1000000 Tokens", 10**6


def _month(us: int) -> tuple[int, int]:
    first = (EPOCH + timedelta(microseconds=us)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (first + timedelta(days=32)).replace(day=1)
    return (first - EPOCH) // timedelta(microseconds=1), (after - EPOCH) // timedelta(microseconds=1)
