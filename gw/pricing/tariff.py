"""From price cards to what a call may cost before it is made."""

from collections.abc import Iterable, Sequence

from gw.domain.money import rate_from_usd_per_mtok
from gw.domain.price import ONE, Ladder, PriceCard, Rates, Ratio
from gw.domain.tariff import Rung, Tariff
from gw.pricing.catalog import EPOCH, Catalog, Model, card_at, day_us, utc_at
from gw.pricing.overlay import CLAUDE_CATALOG, Overlay, ratio
from gw.pricing.overrides import CLASSES, Override, PartialRates

FREE = Rung(-1, 0, 0, 0, 0, 0)


def tariff_of(card: PriceCard, search_pusd: int, others: Rung) -> Tariff:
    """`search_pusd`: of one web search. `others`: bounds the models that may be asked beside this one."""
    fast = card.fast or card.standard
    slow = (card.standard, *card.tiers.values())
    # Anthropic writes to the cache only where the request marks it; elsewhere a write may come unasked.
    unasked = not card.name.startswith(f"{CLAUDE_CATALOG}/")
    geo = card.geo_us if card.geo_us.num > card.geo_us.den else ONE
    return Tariff(
        usual=_rungs((card.standard,), card.factor),
        usual_fast=_rungs((fast,), card.factor),
        dearest=_rising(_rungs(slow, card.factor), unasked=unasked),
        dearest_fast=_rising(_rungs((*slow, fast), card.factor), unasked=unasked),
        others=_dearest((others, *_rising(_rungs((*slow, fast), card.factor), unasked=True)))._replace(above=-1),
        geo_num=geo.num,
        geo_den=geo.den,
        search_pusd=search_pusd,
    )


def dearest_claude(catalog: Catalog, overlay: Overlay, overrides: Sequence[Override]) -> Rung:
    """Bounds what any Claude model costs at any time, anywhere, at any speed, under any override: for the models that an answer
    may name only afterwards."""
    provider = catalog.providers.get(CLAUDE_CATALOG)
    cards = [card for model in (provider.models if provider else ()) for card in _cards(model)]
    cards += [card.card() for card in overlay.card]
    ladders = [ladder for card in cards for ladder in (card.standard, card.fast) if ladder is not None]
    ladders += [Ladder(_given(block)) for one in overrides for block in (one.rates, one.fast) if block is not None]
    claude = overlay.claude  # a cloud's premium and data residency are never charged together
    premium = _largest((ONE, claude.regional_ratio, claude.govcloud_ratio, claude.geo_ratio))
    factor = _largest((ONE, *(ratio(override.multiplier) for override in overrides if override.multiplier)))
    return _scaled(_dearest((FREE, *_rising(_rungs(ladders, premium), unasked=True))), factor)


def _cards(model: Model) -> Iterable[PriceCard]:
    """One for every date at which a price of it changes."""
    days = {constraint.start_date for constraint in model.constraints() if constraint.start_date is not None}
    for at in (EPOCH, *(utc_at(day_us(day)) for day in days)):
        card = card_at(model.id, model, at)
        if card is not None:
            yield card


def _given(block: PartialRates) -> Rates:
    """The rates that an override names; 0 for the others."""
    texts = (getattr(block, name) for name in CLASSES)
    return Rates(*(0 if text is None else rate_from_usd_per_mtok(text) for text in texts))


def _rungs(ladders: Sequence[Ladder], factor: Ratio) -> tuple[Rung, ...]:
    """At each step of any of the ladders the dearest of all, class by class."""
    starts = sorted({-1, *(step.above for ladder in ladders for step in ladder.steps)})
    return tuple(_scaled(_dearest(_rung(start, ladder.at(start + 1)) for ladder in ladders), factor) for start in starts)


def _rising(rungs: Sequence[Rung], *, unasked: bool) -> tuple[Rung, ...]:
    """As the dearest rungs of a tariff must be."""
    found: list[Rung] = []
    for rung in rungs:
        highest = _dearest((*found[-1:], rung))
        input_ = max(highest.input, highest.cache_read)
        if unasked:
            input_ = max(input_, highest.cache_write_5m, highest.cache_write_1h)
        write_5m = max(highest.cache_write_5m, input_)
        write_1h = max(highest.cache_write_1h, write_5m)
        found.append(Rung(rung.above, input_, highest.output, input_, write_5m, write_1h))
    return tuple(found)


def _rung(above: int, rates: Rates) -> Rung:
    return Rung(above, rates.input, rates.output, rates.cache_read, rates.cache_write_5m, rates.cache_write_1h)


def _dearest(rungs: Iterable[Rung]) -> Rung:
    return Rung(*map(max, zip(*rungs, strict=True)))


def _scaled(rung: Rung, factor: Ratio) -> Rung:
    return Rung(rung.above, *(-(-rate * factor.num // factor.den) for rate in rung[1:]))


def _largest(ratios: Iterable[Ratio]) -> Ratio:
    found = ONE
    for one in ratios:
        if one.num * found.den > found.num * one.den:
            found = one
    return found
