"""The price data set (genai-prices v2 `data.json`): decode, find a model, price cards at an instant.

One reader for the embedded snapshot and for what a sync downloads: a JSON array of providers. Prices are decimal numbers
or strings in USD per million tokens and never pass through a binary float. Unknown fields and units are ignored; a price
that is negative, not finite, or of another type fails the decoding.

When several prices of a model have conditions, the last whose condition holds is taken, else the first. Dates are UTC days.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec
from msgspec import Struct, field
from msgspec.structs import astuple

from gw.domain.money import rate_from_usd_per_mtok
from gw.domain.price import Ladder, PriceCard, Rates, Step
from gw.domain.usage import MODES

DAY_US = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MODEL_TEXT_MAX = 256  # bounds what a regular expression of the data set is run on
PICO_PER_TOKEN = Decimal("0.000001")  # USD per million tokens that make one pico-USD per token
RATE_MAX = Decimal(1_000_000)  # USD per million tokens; a dollar a token is not a price

# Charges of a text call beyond the five token classes. A model that has one is priced without it, and says so.
PARTIAL_KEYS = ("requests_kcount", "output_reasoning_mtok", "output_citation_mtok")
_COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=[-:]|$)")
# How a pattern runs for ever: a repeated group, or many repeats in a row. The data set has neither.
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_REPEAT = re.compile(r"[*+]|\{\d*,\d*\}")
REPEATS_MAX = 2


class Clause(Struct, frozen=True):
    """One node of a model's match logic; exactly one field is set."""

    starts_with: str | None = None
    ends_with: str | None = None
    contains: str | None = None
    regex: str | None = None
    equals: str | None = None
    or_: "list[Clause] | None" = field(default=None, name="or")
    and_: "list[Clause] | None" = field(default=None, name="and")

    def matches(self, text: str) -> bool:
        """`text` is in lower case."""
        if self.equals is not None:
            return text == self.equals.lower()
        if self.starts_with is not None:
            return text.startswith(self.starts_with.lower())
        if self.or_ is not None:
            return any(clause.matches(text) for clause in self.or_)
        if self.and_ is not None:
            return all(clause.matches(text) for clause in self.and_)
        if self.contains is not None:
            return self.contains.lower() in text
        if self.ends_with is not None:
            return text.endswith(self.ends_with.lower())
        return self.regex is not None and re.search(self.regex, text) is not None


class Tier(Struct, frozen=True):
    start: int
    price: Decimal


class Tiered(Struct, frozen=True):
    """`price` of the last tier whose `start` the prompt exceeds, for all tokens of the request; else `base`."""

    base: Decimal
    tiers: list[Tier]


Price = Decimal | Tiered | None
Prices = dict[str, Price]


class Constraint(Struct, frozen=True):
    """A first day, or a daily interval [start_time, end_time) in UTC."""

    start_date: date | None = None
    start_time: time | None = None
    end_time: time | None = None

    def holds(self, at: datetime, weekdays_only: bool) -> bool:
        if self.start_date is not None:
            return at.date() >= self.start_date
        if self.start_time is None or self.end_time is None or (weekdays_only and at.weekday() > 4):
            return False
        now, start, end = at.time(), _utc(self.start_time), _utc(self.end_time)
        return start <= now < end if start <= end else now >= start or now < end


class Conditional(Struct, frozen=True):
    prices: Prices
    constraint: Constraint | None = None


class Variant(Struct, frozen=True):
    """Prices that replace the standard ones where the request or response says `when`."""

    when: dict[str, str]
    prices: Prices
    constraint: Constraint | None = None


class Model(Struct, frozen=True):
    id: str
    match: Clause
    prices: list[Conditional] | Prices
    price_variants: list[Variant] | None = None

    def constraints(self) -> list[Constraint]:
        found = [item.constraint for item in self.prices] if isinstance(self.prices, list) else []
        found += [variant.constraint for variant in self.price_variants or ()]
        return [constraint for constraint in found if constraint is not None]

    def timed(self) -> bool:
        """Whether a price depends on the time of day."""
        return any(constraint.start_time is not None for constraint in self.constraints())


class Provider(Struct, frozen=True):
    id: str
    models: list[Model]
    fallback_model_providers: list[str] | None = None


class Catalog:
    """The decoded data set; immutable."""

    def __init__(self, providers: list[Provider], label: str) -> None:
        self.label = label
        self.providers = {provider.id: provider for provider in providers}

    def find(self, provider_id: str, model: str) -> tuple[str, Model] | None:
        """(provider id, model) whose match logic accepts `model`; first in the data set's order, then one step of the
        provider's fallback providers, then both again with a compact date (-20251211) written with dashes."""
        text = model.lower()[:MODEL_TEXT_MAX]
        dashed = _COMPACT_DATE.sub(r"-\1-\2-\3", text)
        provider = self.providers.get(provider_id)
        if provider is None:
            return None
        for name in (text, dashed) if dashed != text else (text,):
            for candidate_id in (provider_id, *(provider.fallback_model_providers or ())):
                candidate = self.providers.get(candidate_id)
                for entry in candidate.models if candidate else ():
                    if entry.match.matches(name):
                        return candidate_id, entry
        return None


def decode(body: bytes, label: str) -> Catalog:
    """Raises ValueError (msgspec.ValidationError is one) when the body is not the data set or holds an impossible price."""
    try:
        providers = msgspec.json.decode(body, type=list[Provider])
    except msgspec.DecodeError as error:
        raise ValueError(f"price data: {error}") from error
    if len({provider.id for provider in providers}) != len(providers) or not providers:
        raise ValueError("price data: no providers, or one named twice")
    for provider in providers:
        for model in provider.models:
            _check_clause(model.match, f"{provider.id}/{model.id}")
            sets = [item.prices for item in model.prices] if isinstance(model.prices, list) else [model.prices]
            sets += [variant.prices for variant in model.price_variants or ()]
            for prices in sets:
                _check_prices(prices, f"{provider.id}/{model.id}")
            if not sets or model.prices == []:
                raise ValueError(f"price data: {provider.id}/{model.id} has no prices")
    return Catalog(providers, label)


def utc_at(at_us: int) -> datetime:
    """Microseconds since 1970 -> aware UTC datetime."""
    return EPOCH + timedelta(microseconds=at_us)


def day_us(day: date) -> int:
    """The first microsecond of a UTC day."""
    return (day - EPOCH.date()).days * DAY_US


def boundaries(model: Model, at_us: int) -> list[int]:
    """Instants around `at_us` at which a price of `model` may change (all dates; the times of that day)."""
    today = at_us - at_us % DAY_US
    instants = []
    for constraint in model.constraints():
        if constraint.start_date is not None:
            instants.append(day_us(constraint.start_date))
        for clock in (constraint.start_time, constraint.end_time):
            if clock is not None:
                of_day = _utc(clock)
                seconds = of_day.hour * 3600 + of_day.minute * 60 + of_day.second
                instants += [today, today + seconds * 1_000_000, today + DAY_US]
    return instants


def card_at(name: str, model: Model, at: datetime, *, weekdays_only: bool = False) -> PriceCard | None:
    """The card of `model` at `at`, or None when it has no price for input tokens (images, audio hours, pages).

    A class without its own price is priced as its parent: a 1h or 5m write as a write, a write or a read as input.
    """
    standard = _standard_at(model, at, weekdays_only)
    if standard.get("input_mtok") is None:
        return None
    batch: Ladder | None = None
    fast: Ladder | None = None
    tiers: dict[str, Ladder] = {}
    for when, prices in _variants_at(model, at, weekdays_only):
        ladder = _ladder({**standard, **prices})
        if when == {"processing": "batch"}:
            batch = ladder
        elif when == {"speed": "fast"}:
            fast = ladder
        elif when.keys() == {"service_tier"}:
            tiers[when["service_tier"]] = ladder
    return PriceCard(
        name=name,
        standard=_ladder(standard),
        fast=fast,
        batch=batch,
        tiers=tiers,
        web_search_pusd=_each(standard.get("web_searches_kcount")),
        file_search_pusd=_each(standard.get("storage_searches_kcount")),
        modes={mode: rates for mode in MODES if any(astuple(rates := _mode(mode, standard)))},
        flags=("partial_card",) if any(standard.get(key) for key in PARTIAL_KEYS) else (),
    )


def _each(price: Price) -> int:
    """pico-USD for one of what is sold by the thousand."""
    if isinstance(price, Tiered):
        price = price.base
    return 0 if price is None else rate_from_usd_per_mtok(_whole_pico(price * 1000))


def _mode(mode: str, prices: Prices) -> Rates:
    """No such tokens are written to caches."""
    heard, said, kept = (prices.get(f"{name}_mtok") for name in (f"input_{mode}", f"output_{mode}", f"cache_{mode}_read"))
    return Rates(_rate(heard, -1), _rate(said, -1), _rate(kept, -1), 0, 0)


def _standard_at(model: Model, at: datetime, weekdays_only: bool) -> Prices:
    if not isinstance(model.prices, list):
        return model.prices
    for item in reversed(model.prices):
        if item.constraint is None or item.constraint.holds(at, weekdays_only):
            return item.prices
    return model.prices[0].prices


def _variants_at(model: Model, at: datetime, weekdays_only: bool) -> list[tuple[dict[str, str], Prices]]:
    """Active variants, those of one `when` merged; for each price the first variant that names it wins."""
    merged: list[tuple[dict[str, str], Prices]] = []
    for variant in model.price_variants or ():
        if variant.constraint is not None and not variant.constraint.holds(at, weekdays_only):
            continue
        given: Prices = {key: price for key, price in variant.prices.items() if price is not None}
        earlier = next((prices for when, prices in merged if when == variant.when), None)
        if earlier is None:
            merged.append((variant.when, given))
        else:
            earlier.update({key: price for key, price in given.items() if key not in earlier})
    return merged


def _ladder(prices: Prices) -> Ladder:
    def first(*keys: str) -> Price:
        return next((prices[key] for key in keys if prices.get(key) is not None), None)

    classes = (
        first("input_mtok"),
        first("output_mtok"),
        first("cache_read_mtok", "input_mtok"),
        first("cache_write_5m_mtok", "cache_write_mtok", "input_mtok"),
        first("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
    )
    starts = sorted({tier.start for price in classes if isinstance(price, Tiered) for tier in price.tiers})
    base, *rest = (Rates(*(_rate(price, start) for price in classes)) for start in (-1, *starts))
    return Ladder(base, tuple(Step(start, rates) for start, rates in zip(starts, rest, strict=True)))


def _rate(price: Price, start: int) -> int:
    """pico-USD per token of the tier that begins at `start`; -1: below all tiers."""
    if price is None:
        return 0
    if isinstance(price, Tiered):
        tiers = sorted(price.tiers, key=lambda tier: tier.start)
        price = next((tier.price for tier in reversed(tiers) if tier.start <= start), price.base)
    return rate_from_usd_per_mtok(_whole_pico(price))


def _whole_pico(price: Decimal) -> Decimal:
    """Some resale rows carry float noise or a third of a cent: the nearest whole pico-USD per token is taken."""
    return price.quantize(PICO_PER_TOKEN, rounding=ROUND_HALF_EVEN)


def _check_prices(prices: Prices, where: str) -> None:
    for key, price in prices.items():
        values = [price.base, *(tier.price for tier in price.tiers)] if isinstance(price, Tiered) else [price]
        for value in values:
            if value is not None and not (value.is_finite() and 0 <= value <= RATE_MAX):
                raise ValueError(f"price data: {where} {key} is {value}")


def _check_clause(clause: Clause, where: str) -> None:
    for inner in (*(clause.or_ or ()), *(clause.and_ or ())):
        _check_clause(inner, where)
    if clause.regex is None:
        return
    repeats = len(_REPEAT.findall(clause.regex))
    if len(clause.regex) > MODEL_TEXT_MAX or repeats > REPEATS_MAX or _REPEATED_GROUP.search(clause.regex):
        raise ValueError(f"price data: {where} has a pattern that is not safe to run: {clause.regex[:80]!r}")
    try:
        re.compile(clause.regex)
    except re.error as error:
        raise ValueError(f"price data: {where} has a broken pattern: {error}") from error


def _utc(clock: time) -> time:
    """A time of day with an offset, as naive UTC."""
    if clock.tzinfo is None:
        return clock
    return datetime.combine(date(2000, 1, 2), clock).astimezone(UTC).time()
