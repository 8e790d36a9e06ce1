"""Price cards as the API shows them: which one prices a model at an upstream now, whence it is, and what changes it."""

from typing import Annotated

from msgspec import Meta, Struct

from gw.config.model import Config, Upstream
from gw.config.model import Override as ConfiguredOverride
from gw.control.http_shapes import Moment, Money, moment
from gw.domain.money import round_half_even, usd_text
from gw.domain.price import Ladder, PriceCard, Rates, Ratio
from gw.pricing.book import PriceBook
from gw.pricing.cards import beside, normal
from gw.pricing.overlay import FOR_EVER_US
from gw.pricing.overrides import Override

MILLION = 1_000_000


class RatesView(Struct, frozen=True):
    """USD per million tokens, a negotiated factor included."""

    input: Money
    output: Money
    cache_read: Money
    cache_write_5m: Money
    cache_write_1h: Money


class LongView(Struct, frozen=True):
    """Of a whole request whose prompt is longer than `above` tokens."""

    above: int
    rates: RatesView


class CardView(Struct, frozen=True):
    """What prices a model at an upstream now, without those overrides that are for one key or team alone."""

    upstream: str
    known: Annotated[bool, Meta(description="false: there is no price.")]
    card: Annotated[str, Meta(description="`anthropic/claude-opus-5-5`; `override/...`: an override alone makes it.")]
    source: Annotated[str, Meta(description="Price data and the overlay on it, each with its date.")]
    override: Annotated[str, Meta(description='The override that is in these rates; "": none.')]
    by_served: Annotated[bool, Meta(description="Only the name in the answers has a price, which then stands.")]
    since: Annotated[Moment | None, Meta(description="These rates hold from then on; null: as far back as prices are known.")]
    until: Moment | None
    rates: RatesView | None
    listed: Annotated[RatesView | None, Meta(description="Where an override changes them: the rates of the list.")]
    long: tuple[LongView, ...]
    fast: RatesView | None
    web_search_usd: Money | None


class OverrideView(Struct, frozen=True, rename={"from_": "from"}):
    """A `[[pricing.override]]` of the configuration."""

    name: str
    upstream: str
    model: str
    key: str
    team: str
    multiplier: str
    rates: Annotated[dict[str, str], Meta(description="By class of tokens, USD per million; others stay at list.")]
    from_: Moment | None
    until: Moment | None
    active: Annotated[bool, Meta(description="Its dates hold now.")]


def card_of(book: PriceBook, upstream: Upstream, model: str, served: tuple[str, ...], now_us: int) -> CardView:
    """`model`: as clients name it; `served`: as answers do."""
    asked = [model, *(beside(normal(model), name.lower()) for name in served)]
    plans = [book.terms(upstream.provider, upstream.name, upstream.region, name, "", "", now_us).plan for name in asked]
    plan = next((one for one in plans if one.listed is not None), plans[0])
    source, _, rest = plan.version.partition("#")
    name, _, override = rest.partition("~")
    listed, billed = plan.listed, plan.billed
    known = listed is not None and billed is not None
    return CardView(
        upstream=upstream.name,
        known=known,
        card=name,
        source=source if known else "",
        override=override.rpartition(":")[0],
        by_served=known and plan is not plans[0],
        since=moment(max(plan.from_us, 0)),
        until=moment(plan.until_us) if plan.until_us < FOR_EVER_US else None,
        rates=_rates(billed.standard.base, billed.factor) if billed is not None else None,
        listed=_rates(listed.standard.base, Ratio()) if listed is not None and billed is not listed else None,
        long=_long(billed),
        fast=_fast(billed),
        web_search_usd=usd_text(billed.web_search_pusd) if billed is not None and billed.web_search_pusd else None,
    )


def override_view(one: ConfiguredOverride, now_us: int) -> OverrideView:
    classes = RatesView.__struct_fields__
    return OverrideView(
        name=one.name,
        upstream=one.upstream,
        model=one.model,
        key=one.key,
        team=one.team,
        multiplier=one.multiplier,
        rates={name: getattr(one, name) for name in classes if getattr(one, name)},
        from_=moment(one.from_us),
        until=moment(one.until_us),
        active=one.from_us <= now_us < (one.until_us or FOR_EVER_US),
    )


def overrides_on(config: Config, upstreams: tuple[Upstream, ...], model: str, now_us: int) -> tuple[str, ...]:
    """Names of the overrides that price some calls of this model now, whoever makes them."""
    name = normal(model)
    return tuple(
        one.name
        for one in config.pricing.override
        if any(_scope(one).applies(upstream=up.name, model=name, at_us=now_us, key="", team="") for up in upstreams)
    )


def _scope(one: ConfiguredOverride) -> Override:
    """When and for what it is; not what it does."""
    return Override(name=one.name, upstream=one.upstream, model=one.model, starts_us=one.from_us, ends_us=one.until_us)


def _rates(rates: Rates, factor: Ratio) -> RatesView:
    def shown(rate: int) -> str:
        return usd_text(round_half_even(rate * MILLION * factor.num, factor.den))

    return RatesView(*(shown(getattr(rates, name)) for name in RatesView.__struct_fields__))


def _long(card: PriceCard | None) -> tuple[LongView, ...]:
    if card is None:
        return ()
    return tuple(LongView(step.above, _rates(step.rates, card.factor)) for step in card.standard.steps)


def _fast(card: PriceCard | None) -> RatesView | None:
    ladder: Ladder | None = card.fast if card is not None else None
    return _rates(ladder.base, card.factor) if ladder is not None and card is not None else None
