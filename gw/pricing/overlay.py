"""The reviewed overlay: what the price data set does not model, as data (`snapshot/overlay.toml`)."""

import re
import tomllib
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

from gw.domain.money import pusd_from_usd, rate_from_usd_per_mtok
from gw.domain.price import Ladder, PriceCard, Rates, Ratio, Step
from gw.pricing.catalog import day_us

OVERLAY = Path(__file__).parent / "snapshot" / "overlay.toml"
FOR_EVER_US = 2**62
CLAUDE_CATALOG = "anthropic"


class RateTexts(Struct, frozen=True, forbid_unknown_fields=True):
    """USD per million tokens, decimal strings."""

    input: str
    output: str
    cache_read: str
    cache_write_5m: str
    cache_write_1h: str

    def rates(self) -> Rates:
        return Rates(*(rate_from_usd_per_mtok(getattr(self, name)) for name in self.__struct_fields__))


class OverlayCard(Struct, frozen=True, forbid_unknown_fields=True):
    """Standard rates of one Claude model for some days. `fill`: only where the data set does not know the model."""

    id: str
    source: str
    rates: RateTexts
    from_: date | None = field(default=None, name="from")
    until: date | None = None
    fill: bool = False
    long_above: int = 0
    long: RateTexts | None = None
    fast: RateTexts | None = None

    def window_us(self) -> tuple[int, int]:
        return day_us(self.from_) if self.from_ else 0, day_us(self.until) if self.until else FOR_EVER_US

    def names(self, model: str) -> bool:
        """The id itself, or with a date."""
        return model == self.id or re.fullmatch(re.escape(self.id) + r"-\d{8}", model) is not None

    def standard(self) -> Ladder:
        steps = (Step(self.long_above, self.long.rates()),) if self.long else ()
        return Ladder(self.rates.rates(), steps)

    def card(self) -> PriceCard:
        fast = Ladder(self.fast.rates()) if self.fast else None
        return PriceCard(f"{CLAUDE_CATALOG}/{self.id}", self.standard(), fast=fast)


class Claude(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """Rules of Claude models. `*_before`: prefixes of the catalog ids that the rule does not reach."""

    geo_us: str
    geo_before: tuple[str, ...]
    regional: str
    regional_before: tuple[str, ...]
    govcloud: str
    batch: str
    web_search_usd: str

    @cached_property
    def geo_ratio(self) -> Ratio:
        return ratio(self.geo_us)

    @cached_property
    def regional_ratio(self) -> Ratio:
        return ratio(self.regional)

    @cached_property
    def govcloud_ratio(self) -> Ratio:
        return ratio(self.govcloud)

    @cached_property
    def batch_ratio(self) -> Ratio:
        return ratio(self.batch)

    @cached_property
    def web_search_pusd(self) -> int:
        return pusd_from_usd(self.web_search_usd)


class ProviderRules(Struct, frozen=True, forbid_unknown_fields=True):
    """How one provider of gw finds its prices."""

    catalogs: tuple[str, ...] = ()
    claude: Literal["", "list", "bedrock", "vertex"] = ""
    geo: bool = False
    free: bool = False  # run by oneself: nobody sends a bill by tokens


class Peak(Struct, frozen=True, forbid_unknown_fields=True):
    """Models whose times of day hold from Monday to Friday only."""

    catalog: str
    models: tuple[str, ...]


class Lacking(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """What the data set leaves out of the rows of a catalog, as factors: `batch` and `tiers` on all classes, `writes_long` on the
    input, of whose writes cost more than that. `models`: how their ids begin."""

    catalog: str
    models: str = ""
    batch: str = ""
    tiers: dict[str, str] = {}
    writes_long: str = ""

    @cached_property
    def batch_ratio(self) -> Ratio | None:
        return ratio(self.batch) if self.batch else None

    @cached_property
    def tier_ratios(self) -> dict[str, Ratio]:
        return {name: ratio(factor) for name, factor in self.tiers.items()}

    @cached_property
    def writes_ratio(self) -> Ratio | None:
        return ratio(self.writes_long) if self.writes_long else None


class Overlay(Struct, frozen=True, forbid_unknown_fields=True):
    date: str
    claude: Claude
    providers: dict[str, ProviderRules]
    card: tuple[OverlayCard, ...] = ()
    peak: tuple[Peak, ...] = ()
    lacking: tuple[Lacking, ...] = ()

    def rules(self, provider: str) -> ProviderRules:
        """A provider that is not listed is looked up in the data set under its own name."""
        return self.providers.get(provider) or ProviderRules(catalogs=(provider,))

    def lacks(self, catalog: str, model_id: str) -> Lacking | None:
        found = (one for one in self.lacking if one.catalog == catalog and model_id.startswith(one.models))
        return next(found, None)

    def weekdays_only(self, catalog: str, model_id: str) -> bool:
        return any(peak.catalog == catalog and model_id in peak.models for peak in self.peak)


def load_overlay(path: Path = OVERLAY) -> Overlay:
    """Raises ValueError (tomllib's and msgspec's errors are ValueErrors) when the file is not a valid overlay."""
    overlay = msgspec.convert(tomllib.loads(path.read_text()), Overlay)
    for card in overlay.card:
        card.card()  # every rate is a whole pico-USD
    return overlay


def ratio(text: str) -> Ratio:
    """`"1.1"` -> 11/10. Raises ValueError unless it is a finite decimal above 0."""
    try:
        value = Decimal(text)
    except ArithmeticError as error:
        raise ValueError(f"not a decimal number: {text!r}") from error
    if not value.is_finite() or value <= 0:
        raise ValueError(f"not a factor above 0: {text!r}")
    return Ratio(*value.as_integer_ratio())
