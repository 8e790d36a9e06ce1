"""Which card prices a model at one provider, region and instant: the data set under the overlay's rules.

Claude models are always priced from Anthropic's own list, wherever they run, times the cloud's regional premium; so all
five rates, fast cards and long-prompt steps exist on every cloud. The data set's own Bedrock rows say the same (a test
compares them). Everything else is priced from the rows of the provider's own catalog.
"""

import re

from msgspec import Struct
from msgspec.structs import replace

from gw.domain.money import round_half_even
from gw.domain.price import Ladder, PriceCard, Rates, Ratio, Step
from gw.pricing.catalog import Catalog, Model, boundaries, card_at, utc_at
from gw.pricing.ids import listed
from gw.pricing.overlay import CLAUDE_CATALOG, FOR_EVER_US, Lacking, Overlay, OverlayCard, ProviderRules

SELF_HOSTED = "self_hosted"
_CLIENT_SUFFIX = re.compile(r"\[\d+[km]\]$")
_BEDROCK = re.compile(r"(?:(?P<profile>[a-z-]+)\.)?anthropic\.(?P<name>.+)")
_BEDROCK_VERSION = re.compile(r"-v\d+(:\d+)?(:\d+k)?$")
_FLOATING = re.compile(r"@(default|latest)$")


class Found(Struct, frozen=True):
    """`card` holds for [from_us, until_us); None: no price is known."""

    card: PriceCard | None
    from_us: int = -FOR_EVER_US
    until_us: int = FOR_EVER_US


class _Home(Struct, frozen=True):
    """A Claude model's name without what the platform adds, and the premium of where it runs."""

    name: str
    ratio: Ratio | None = None
    suffix: str = ""
    flags: tuple[str, ...] = ()


def normal(model: str) -> str:
    """Lower case, without the context suffix that Claude Code adds (`[1m]`)."""
    return _CLIENT_SUFFIX.sub("", model.strip().lower())


def beside(model: str, other: str) -> str:
    """`other`, which a response names beside `model`, with the platform's prefix that `model` has: the advisor of
    `us.anthropic.claude-x` runs in the same profile."""
    match = _BEDROCK.fullmatch(model)
    if match is None or _BEDROCK.fullmatch(other):
        return other
    return model[: match.start("name")] + other


class Cards:
    """Looks up cards; keeps nothing but its sources."""

    def __init__(self, catalog: Catalog, overlay: Overlay) -> None:
        self.catalog = catalog
        self.overlay = overlay

    def find(self, provider: str, region: str, model: str, at_us: int) -> Found:
        """`model` is normal()."""
        rules = self.overlay.rules(provider)
        if rules.claude:
            found = self._claude(rules, self._home(rules, region, model), at_us)
            if found is not None:
                return found
        if rules.free:
            return Found(PriceCard(f"{provider}/{SELF_HOSTED}", Ladder(Rates(0, 0, 0, 0, 0))))
        for catalog_id, name in listed(provider, rules.catalogs, model):
            hit = self.catalog.find(catalog_id, name)
            if hit is not None:
                return self._listed(*hit, at_us)
        return Found(None)

    def _listed(self, catalog_id: str, entry: Model, at_us: int) -> Found:
        at = utc_at(at_us)
        weekdays = self.overlay.weekdays_only(catalog_id, entry.id)
        card = card_at(f"{catalog_id}/{entry.id}", entry, at, weekdays_only=weekdays)
        lacking = self.overlay.lacks(catalog_id, entry.id)
        if card is not None and lacking is not None:
            card = _completed(card, lacking)
        if card is not None and weekdays and any(one.start_time and one.holds(at, weekdays) for one in entry.constraints()):
            card = replace(card, flags=(*card.flags, "upper_bound"))
        return _within(card, boundaries(entry, at_us), at_us)

    def _claude(self, rules: ProviderRules, home: _Home, at_us: int) -> Found | None:
        hit = self.catalog.find(CLAUDE_CATALOG, home.name) or self.catalog.find(
            CLAUDE_CATALOG, _BEDROCK_VERSION.sub("", home.name)
        )
        entry = hit[1] if hit is not None and hit[0] == CLAUDE_CATALOG else None
        ours = [card for card in self.overlay.card if _is_for(card, entry, _BEDROCK_VERSION.sub("", home.name))]
        now = next((card for card in ours if card.window_us()[0] <= at_us < card.window_us()[1]), None)
        card = card_at(f"{CLAUDE_CATALOG}/{entry.id}", entry, utc_at(at_us)) if entry is not None else None
        if now is not None:
            added = now.card()
            card = added if card is None else replace(card, standard=added.standard, fast=added.fast or card.fast)
        instants = [instant for one in ours for instant in one.window_us()]
        instants += boundaries(entry, at_us) if entry is not None else []
        if card is None:
            return _within(None, instants, at_us) if instants else None
        return _within(self._as_claude(card, rules, home), instants, at_us)

    def _as_claude(self, card: PriceCard, rules: ProviderRules, home: _Home) -> PriceCard:
        claude = self.overlay.claude
        model_id = card.name.partition("/")[2]
        card = replace(
            card,
            batch=None,
            batch_ratio=claude.batch_ratio,
            geo_us=claude.geo_ratio if rules.geo and not model_id.startswith(claude.geo_before) else Ratio(),
            web_search_pusd=card.web_search_pusd or claude.web_search_pusd,
        )
        if home.ratio is None or model_id.startswith(claude.regional_before):
            return card
        return replace(
            card,
            name=card.name + home.suffix,
            standard=_scaled(card.standard, home.ratio),
            fast=_scaled(card.fast, home.ratio) if card.fast else None,
            flags=(*card.flags, *home.flags),
        )

    def _home(self, rules: ProviderRules, region: str, model: str) -> _Home:
        claude = self.overlay.claude
        name = _FLOATING.sub("", model.rpartition("/")[2] if model.startswith(("arn:", "anthropic/", "publishers/")) else model)
        name = name.replace("@", "-")
        if rules.claude == "vertex" and region not in ("", "global"):
            return _Home(name, claude.regional_ratio, "@regional")
        if rules.claude != "bedrock":
            return _Home(name)
        match = _BEDROCK.fullmatch(name)
        profile = match["profile"] if match else None
        name = match["name"] if match else name
        if profile == "us-gov" or region.startswith("us-gov-"):
            return _Home(name, claude.govcloud_ratio, "@govcloud", ("upper_bound",))
        return _Home(name) if profile == "global" else _Home(name, claude.regional_ratio, "@regional")


def _is_for(card: OverlayCard, entry: Model | None, name: str) -> bool:
    if entry is not None:
        return card.id == entry.id and not card.fill
    return card.names(name)


def _within(card: PriceCard | None, instants: list[int], at_us: int) -> Found:
    return Found(
        card,
        max((instant for instant in instants if instant <= at_us), default=-FOR_EVER_US),
        min((instant for instant in instants if instant > at_us), default=FOR_EVER_US),
    )


def _completed(card: PriceCard, lacking: Lacking) -> PriceCard:
    """With the tiers, the batch price and the price of long writes that the data set does not have."""
    tiers = {name: _scaled(card.standard, ratio) for name, ratio in lacking.tier_ratios.items()} | card.tiers
    batch = card.batch
    if batch is None and lacking.batch_ratio is not None:
        batch = _scaled(card.standard, lacking.batch_ratio)
    longer = lacking.writes_ratio
    if longer is None:
        return replace(card, tiers=tiers, batch=batch)
    return replace(
        card,
        standard=_kept_long(card.standard, longer),
        tiers={name: _kept_long(ladder, longer) for name, ladder in tiers.items()},
        batch=_kept_long(batch, longer) if batch else None,
    )


def _kept_long(ladder: Ladder, ratio: Ratio) -> Ladder:
    """Long writes at `ratio` times the input, where writes are billed and these have no price of their own."""

    def longer(rates: Rates) -> Rates:
        if not rates.input < rates.cache_write_5m == rates.cache_write_1h:
            return rates
        return replace(rates, cache_write_1h=round_half_even(rates.input * ratio.num, ratio.den))

    return Ladder(longer(ladder.base), tuple(Step(step.above, longer(step.rates)) for step in ladder.steps))


def _scaled(ladder: Ladder, ratio: Ratio) -> Ladder:
    """Every rate times `ratio`; exact for all published Claude prices, else to the nearest pico-USD per token."""

    def scaled(rates: Rates) -> Rates:
        names = rates.__struct_fields__
        return Rates(*(round_half_even(getattr(rates, name) * ratio.num, ratio.den) for name in names))

    steps = tuple(Step(step.above, scaled(step.rates)) for step in ladder.steps)
    return Ladder(scaled(ladder.base), steps)
