"""Negotiated prices: which override prices a call, and what it does to a card.

An override is either a multiplier of everything the tokens cost, or rates that replace some classes of the standard
card; it changes the billed amount, never the list amount. Exactly one override applies to a call: the most specific
match. Specificity is compared in this order, each part outweighing all that follow:

    key named > team named > upstream > model

of upstream and of model: without wildcard > more characters before the first wildcard > more characters in all.

Two overrides of equal specificity that could meet on one call are a configuration error (`check_overrides`).
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from gw.domain.money import rate_from_usd_per_mtok
from gw.domain.price import Ladder, PriceCard, Rates, Step
from gw.pricing.overlay import FOR_EVER_US, ratio

CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
FACTOR_MAX = Decimal(1000)
FACTOR_DECIMALS_MAX = 9


class PartialRates(Struct, frozen=True, forbid_unknown_fields=True):
    """USD per million tokens, decimal strings; a class left out keeps the list rate."""

    input: str | None = None
    output: str | None = None
    cache_read: str | None = None
    cache_write_5m: str | None = None
    cache_write_1h: str | None = None


class Override(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One negotiated price. `model` and `upstream` are globs (`*`, `?`); `model` is compared with the id sent upstream, in
    lower case and without `[1m]`. An empty scope matches all; [starts_us, ends_us), 0 = open."""

    name: str
    upstream: str = ""
    model: str = "*"
    key: str = ""
    team: str = ""
    starts_us: int = 0
    ends_us: int = 0
    multiplier: str | None = None
    rates: PartialRates | None = None
    fast: PartialRates | None = None  # of the fast card, which otherwise stays at list; only beside rates

    def specificity(self) -> tuple[bool, bool, tuple[bool, int, int], tuple[bool, int, int]]:
        return bool(self.key), bool(self.team), _weight(self.upstream or "*"), _weight(self.model)

    def applies(self, *, upstream: str, model: str, at_us: int, key: str, team: str) -> bool:
        return (
            self.key in ("", key)
            and self.team in ("", team)
            and self.starts_us <= at_us < (self.ends_us or FOR_EVER_US)
            and _glob(self.upstream or "*").fullmatch(upstream) is not None
            and _glob(self.model.lower()).fullmatch(model) is not None
        )

    def stamp(self) -> str:
        """`name:1f2e3d`: the name, and a digest that changes with the content, so that a price version says which terms."""
        return f"{self.name}:{blake2b(repr(self).encode(), digest_size=3).hexdigest()}"

    def reprice(self, card: PriceCard) -> PriceCard:
        """`card` at this override's terms: its multiplier, or its rates on every step of the standard ladder and, if it has
        them, on the fast card. Batch follows where it is a factor; published batch and tier cards stay at list."""
        if self.multiplier is not None:
            return replace(card, factor=ratio(self.multiplier))
        fast = _ladder(card.fast or card.standard, self.fast) if self.fast else card.fast
        return replace(card, standard=_ladder(card.standard, self.rates or PartialRates()), fast=fast)

    def whole_card(self) -> PriceCard | None:
        """The card this override alone makes for a model that no catalog knows; None unless it names input and output. What else
        it does not name costs what input does: a cache without a price of its own is no discount. A 1h write without a rate
        costs what a 5m write does."""
        rates = self.rates
        if rates is None or rates.input is None or rates.output is None:
            return None
        written = rates.cache_write_5m or rates.input
        texts = (rates.input, rates.output, rates.cache_read or rates.input, written, rates.cache_write_1h or written)
        base = Rates(*map(rate_from_usd_per_mtok, texts))
        fast = _ladder(Ladder(base), self.fast) if self.fast else None
        return PriceCard(f"override/{self.name}", Ladder(base), fast=fast)


def _weight(pattern: str) -> tuple[bool, int, int]:
    """How specific a glob is: no wildcard, literal characters before the first, literal characters in all."""
    wild = re.search(r"[*?]", pattern)
    return wild is None, wild.start() if wild else len(pattern), len(re.sub(r"[*?]", "", pattern))


def pick(overrides: Sequence[Override], *, upstream: str, model: str, at_us: int, key: str, team: str) -> Override | None:
    """The most specific override that applies. `overrides` have passed `check_overrides`."""
    found = [
        override for override in overrides if override.applies(upstream=upstream, model=model, at_us=at_us, key=key, team=team)
    ]
    return max(found, key=Override.specificity, default=None)


def check_overrides(overrides: Sequence[Override]) -> list[str]:
    """What is wrong, one sentence each; empty if nothing is."""
    problems = [problem for override in overrides for problem in _problems(override)]
    for index, one in enumerate(overrides):
        for other in overrides[index + 1 :]:
            if one.name == other.name:
                problems.append(f"two price overrides have the name {one.name!r}")
            elif one.specificity() == other.specificity() and _meet(one, other):
                problems.append(
                    f"price overrides {one.name!r} and {other.name!r} are equally specific and can match the same call"
                    f"{_common_dates(one, other)}: narrow one, or make their dates not overlap"
                )
    return problems


def _problems(override: Override) -> list[str]:
    where = f"price override {override.name!r}"
    problems = []
    if not override.name:
        problems.append("a price override has no name")
    if (override.multiplier is None) == (override.rates is None):
        problems.append(f"{where} needs either a multiplier or rates, and not both")
    if override.fast is not None and override.rates is None:
        problems.append(f"{where} has fast rates without rates")
    if override.ends_us and override.ends_us <= override.starts_us:
        problems.append(f"{where} ends before it starts")
    if not override.model:
        problems.append(f'{where} has an empty model; write "*" for all')
    if override.multiplier is not None:
        problems += _factor_problems(where, override.multiplier)
    for block in (override.rates, override.fast):
        if block is not None:
            problems += _rate_problems(where, block)
    return problems


def _factor_problems(where: str, text: str) -> list[str]:
    try:
        ratio(text)
    except ValueError as error:
        return [f"{where}: multiplier is {error}"]
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    if value > FACTOR_MAX or not isinstance(exponent, int) or exponent < -FACTOR_DECIMALS_MAX:
        return [f"{where}: multiplier {text!r} must be at most {FACTOR_MAX} and have at most {FACTOR_DECIMALS_MAX} decimals"]
    return []


def _rate_problems(where: str, block: PartialRates) -> list[str]:
    problems = []
    given = [(name, text) for name in CLASSES if (text := getattr(block, name)) is not None]
    if not given:
        problems.append(f"{where} has an empty block of rates")
    for name, text in given:
        try:
            if not 0 <= rate_from_usd_per_mtok(text) <= 10**12:
                problems.append(f"{where}: {name} = {text!r} is not between 0 and 1000000 USD per million tokens")
        except ValueError as error:
            problems.append(f"{where}: {name} is {error}")
    return problems


def _meet(one: Override, other: Override) -> bool:
    """Whether some call matches both: scopes of equal specificity name the same fields."""
    return (
        (one.key, one.team) == (other.key, other.team)
        and max(one.starts_us, other.starts_us) < min(one.ends_us or FOR_EVER_US, other.ends_us or FOR_EVER_US)
        and _globs_meet(one.upstream or "*", other.upstream or "*")
        and _globs_meet(one.model.lower(), other.model.lower())
    )


def _common_dates(one: Override, other: Override) -> str:
    start, end = max(one.starts_us, other.starts_us), min(one.ends_us or FOR_EVER_US, other.ends_us or FOR_EVER_US)
    words = f" from {_day(start)}" if start else ""
    return words + (f" until {_day(end)}" if end < FOR_EVER_US else "")


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).date().isoformat()


def _globs_meet(one: str, other: str) -> bool:
    """Whether some text matches both globs: walk the pairs of positions from which the rest could still agree."""
    open_pairs, seen = [(0, 0)], set()
    while open_pairs:
        left, right = pair = open_pairs.pop()
        if pair in seen:
            continue
        seen.add(pair)
        if left == len(one) and right == len(other):
            return True
        a, b = one[left : left + 1], other[right : right + 1]
        if a == "*":
            open_pairs += [(left + 1, right), (left, right + 1)] if b else [(left + 1, right)]
        elif b == "*":
            open_pairs += [(left, right + 1), (left + 1, right)] if a else [(left, right + 1)]
        elif a and b and (a == b or "?" in (a, b)):
            open_pairs.append((left + 1, right + 1))
    return False


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    words = {"*": ".*", "?": "."}
    return re.compile("".join(words.get(char) or re.escape(char) for char in pattern), re.DOTALL)


def _ladder(ladder: Ladder, block: PartialRates) -> Ladder:
    steps = tuple(Step(step.above, _replaced(step.rates, block)) for step in ladder.steps)
    return Ladder(_replaced(ladder.base, block), steps)


def _replaced(rates: Rates, block: PartialRates) -> Rates:
    texts = {name: getattr(block, name) for name in CLASSES}
    return Rates(**{name: getattr(rates, name) if text is None else rate_from_usd_per_mtok(text) for name, text in texts.items()})
