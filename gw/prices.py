"""From the [pricing] table to a price book: the one place where configuration and price data meet."""

from collections.abc import Iterable
from pathlib import Path

from gw.config.model import Config, Pricing
from gw.config.model import Override as ConfiguredOverride
from gw.domain.money import rate_from_usd_per_mtok
from gw.domain.price import Rates
from gw.pricing.book import PriceBook
from gw.pricing.overrides import CLASSES, Override, PartialRates, check_overrides
from gw.pricing.source import SNAPSHOT, read_source


def book_of(pricing: Pricing, directory: Path | None) -> PriceBook:
    """`directory`: synced price data; None = the embedded snapshot. Raises ValueError or OSError."""
    fallback = (
        Rates(*(rate_from_usd_per_mtok(getattr(pricing.fallback, name)) for name in CLASSES))
        if pricing.unknown_model == "fallback"
        else None
    )
    return PriceBook.load(directory, overrides_of(pricing), pricing.unknown_model or "deny", fallback)


def overrides_of(pricing: Pricing) -> list[Override]:
    return [_override(one) for one in pricing.override]


def _override(one: ConfiguredOverride) -> Override:
    rates = {name: text for name in CLASSES if (text := getattr(one, name))}
    return Override(
        name=one.name,
        upstream=one.upstream,
        model=one.model,
        key=one.key,
        team=one.team,
        starts_us=one.from_us,
        ends_us=one.until_us,
        multiplier=one.multiplier or None,
        rates=PartialRates(**rates) if rates else None,
    )


def override_problems(config: Config) -> Iterable[tuple[tuple[str | int, ...], str]]:
    """For the configuration's loader: what is wrong between overrides, at the table of the overrides."""
    for problem in check_overrides(overrides_of(config.pricing)):
        yield ("pricing", "override"), problem


def embedded_version() -> str:
    """Which price data this build carries."""
    return read_source(SNAPSHOT).label
