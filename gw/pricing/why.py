"""Why a call costs what it costs: tokens x rate x factor, line by line, from the card that priced it.

The lines are those that the book bills by (gw.pricing.lines). What they add up to, rounded once, is the amount in the row; so it
can be said whether they do (`agrees`). A card that is not at hand any more is not guessed at.
"""

from decimal import Decimal, localcontext

import msgspec
from msgspec import Struct

from gw.domain.call import CallRecord
from gw.domain.money import PUSD_PER_USD
from gw.domain.price import Line, PriceCard, cost
from gw.domain.usage import Usage
from gw.pricing.book import Plan, PriceBook
from gw.pricing.cards import beside, normal
from gw.pricing.lines import PLAIN_SPEEDS, PLAIN_TIERS, bill
from gw.pricing.reading import reading_of

CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
SAID = {
    "input": "input, not from the cache",
    "output": "output, thinking included",
    "cache_read": "read from the cache",
    "cache_write_5m": "written to the cache for 5 minutes",
    "cache_write_1h": "written to the cache for an hour",
}


class Part(Struct, frozen=True):
    """`amount_usd` is exact: count x rate x factor, before the whole is rounded to a pico-USD."""

    what: str
    count: int
    rate_usd: str  # of one token, or one search
    factor: str
    amount_usd: str
    extra: bool = False  # not of the message itself: compaction, an advisor or a fallback


class Multiplier(Struct, frozen=True):
    name: str  # fast, tier, geo, long_prompt, negotiated
    factor: str  # "" where it is rates of its own, not a factor
    about: str


class Why(Struct, frozen=True):
    """`known` False: `said` is why not. Moments in microseconds since 1970; 0: no bound."""

    known: bool
    said: str = ""
    source: str = ""  # price data and overlay, with their dates
    card: str = ""
    override: str = ""
    since_us: int = 0  # these rates hold from ...
    until_us: int = 0
    parts: tuple[Part, ...] = ()
    multipliers: tuple[Multiplier, ...] = ()
    total_pusd: int = 0  # of the parts, rounded once
    agrees: bool = False


def why(book: PriceBook, record: CallRecord, provider: str, region: str) -> Why:
    """`provider`, `region`: of its upstream, as configured now; "" if it is gone."""
    version = record.price_version.partition(";")[0]
    source, _, rest = version.partition("#")
    card, _, override = rest.partition("~")
    named = Why(False, source=source if rest else "", card=card, override=override)
    if record.usage_source == "none" or not version:
        return _not(named, "nothing was billed")
    if version == "unpriced":
        return _not(named, "its model had no price when it was made")
    if "provider_charge" in record.usage_flags.split(","):
        return _not(named, "the provider named the charge itself; no rates were used")
    if "refusal_free" in record.usage_flags.split(","):
        return _not(named, "the model refused before any content, which is not charged")
    plan = _plan(book, record, provider, region) if provider else None
    if plan is None or plan.version != version or plan.billed is None:
        return _not(named, f"the prices of that version ({version}) are not in force any more; the amounts are those of the row")
    try:
        reading = reading_of(record)
    except msgspec.MsgspecError:
        return _not(named, "its iterations cannot be read")
    billed = bill(reading, plan.billed, lambda other: _beside(book, record, provider, region, other), batch=False)
    tools_pusd = billed.searches * plan.search_pusd
    total = cost(billed.lines, tools_pusd=tools_pusd).total_pusd
    parts = [part for line in billed.lines for part in _parts(line)]
    if billed.searches:
        parts.append(Part("web searches", billed.searches, _usd(plan.search_pusd), "1", _usd(tools_pusd)))
    return Why(
        True,
        source=source,
        card=card,
        override=override,
        since_us=max(plan.from_us, 0),
        until_us=plan.until_us if plan.until_us < 2**62 else 0,
        parts=tuple(parts),
        multipliers=tuple(_multipliers(reading.usage, plan.billed, billed.lines)),
        total_pusd=total,
        agrees=total == record.billed_pusd,
    )


def _not(named: Why, said: str) -> Why:
    return msgspec.structs.replace(named, said=said)


def _plan(book: PriceBook, record: CallRecord, provider: str, region: str) -> Plan:
    model = record.sent_model or record.requested_model
    if "served_model_card" in record.usage_flags.split(","):
        model = beside(normal(model), record.served_model.lower())
    return book.terms(provider, record.upstream, region, model, record.key_name, record.team, record.started_us).plan


def _beside(book: PriceBook, record: CallRecord, provider: str, region: str, other: str) -> PriceCard | None:
    model = beside(normal(record.sent_model or record.requested_model), other.lower())
    return book.terms(provider, record.upstream, region, model, record.key_name, record.team, record.started_us).plan.billed


def _parts(line: Line) -> list[Part]:
    factor = _text(Decimal(line.factor.num) / line.factor.den)
    found = []
    for name in CLASSES:
        count, rate = getattr(line, f"{name}_tokens"), getattr(line.rates, name)
        if count:
            amount = _usd(count * rate * line.factor.num, line.factor.den)
            found.append(Part(SAID[name], count, _usd(rate), factor, amount, line.extra))
    return found


def _multipliers(usage: Usage, card: PriceCard, lines: tuple[Line, ...]) -> list[Multiplier]:
    found = []
    if usage.speed not in PLAIN_SPEEDS and card.fast is not None:
        found.append(Multiplier("fast", "", "Fast mode has rates of its own."))
    elif usage.service_tier not in PLAIN_TIERS and usage.service_tier in card.tiers:
        found.append(Multiplier("tier", "", f'The tier "{usage.service_tier}" has rates of its own.'))
    elif any(line.rates in [step.rates for step in card.standard.steps] for line in lines):
        found.append(Multiplier("long_prompt", "", "Prompts of this length have rates of their own."))
    if usage.inference_geo == "us" and card.geo_us.num != card.geo_us.den:
        found.append(Multiplier("geo", _text(Decimal(card.geo_us.num) / card.geo_us.den), "Inference in the US alone."))
    if card.factor.num != card.factor.den:
        found.append(Multiplier("negotiated", _text(Decimal(card.factor.num) / card.factor.den), "A price override."))
    return found


def _usd(pusd: int, den: int = 1) -> str:
    with localcontext() as context:
        context.prec = 60
        return _text(Decimal(pusd) / den / PUSD_PER_USD)


def _text(value: Decimal) -> str:
    """Without an exponent or trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
