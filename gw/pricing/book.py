"""The price book: the price of a reading, and whether a model has one. One per snapshot and worker; no I/O after `load`.

A model's terms at a moment are resolved once and kept with the interval in which no price can change; a call inside it
costs one dictionary hit and a few multiplications. Which id prices a call: the id sent upstream (in lower case, without
the client's suffix `[1m]`); the served model's only where that one is unknown; iterations by their own rules (lines.py).
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import astuple

from gw._fast import Found
from gw.domain.money import round_half_even
from gw.domain.price import Ladder, PriceCard, Priced, Rates, cost
from gw.domain.tariff import Rung, Tariff
from gw.domain.usage import Reading
from gw.pricing.cards import Cards, beside, normal
from gw.pricing.catalog import MODEL_TEXT_MAX, Catalog, decode
from gw.pricing.lines import COUNT_BITS, PLAIN_GEOS, PLAIN_SPEEDS, PLAIN_TIERS, bill, is_free
from gw.pricing.overlay import FOR_EVER_US, Overlay, load_overlay
from gw.pricing.overrides import Override, check_overrides, pick
from gw.pricing.source import read_data
from gw.pricing.tariff import dearest_claude, tariff_of

Number = int  # compiled, a C integer: book.pxd

# Below these, six products with counts below 2^COUNT_BITS add up to less than 2^63: 2,147 USD for a million tokens, 17 USD for
# a thousand searches.
RATE_MAX, SEARCH_MAX = 1 << 31, 1 << 34
PLAIN_BITS = COUNT_BITS  # compiled, a C integer: book.pxd
PLANS_MAX = 4096  # clients choose model names, so plans are bounded: when full, it starts anew
UNPRICED = "unpriced"

# provider, upstream, region, model, key, team; a scope that no override names is "", so that a thousand keys share a plan.
Where = tuple[str, str, str, str, str, str]


class Plan:
    """The terms of one (provider, upstream, region, model, key, team) for [from_us, until_us). Never changed once made.

    `listed` is None when the model has no price. A plain reading needs only the two tuples of rates, unless `stepped`: then
    which rates depends on the length of its prompt."""

    __slots__ = (
        "billed",
        "billed_rates",
        "den",
        "flags",
        "flat",
        "from_us",
        "input_rate",
        "list_rates",
        "listed",
        "num",
        "output_rate",
        "read_rate",
        "same",
        "search_pusd",
        "search_rate",
        "stepped",
        "tariff",
        "until_us",
        "version",
        "write_1h_rate",
        "write_5m_rate",
    )

    def __init__(self, listed: PriceCard | None, billed: PriceCard | None, version: str, from_us: int, until_us: int) -> None:
        self.listed = listed
        self.billed = billed
        self.version = version
        self.from_us = from_us
        self.until_us = until_us
        self.same = billed is listed
        self.flat = False
        self.flags: tuple[str, ...] = ()
        self.search_pusd = 0
        self.tariff: Tariff | None = None  # what tokens may cost before the call is made; set once, with the plan
        if listed is None or billed is None:
            return
        self.flags = listed.flags
        self.num, self.den = billed.factor.num, billed.factor.den
        self.stepped = bool(listed.standard.steps or billed.standard.steps)
        self.list_rates = _five(listed.standard.base)
        self.billed_rates = _five(billed.standard.base)
        self.search_pusd = listed.web_search_pusd
        # The same as C integers, where nothing changes a rate and no product can be too large for one.
        rates = (*self.billed_rates, self.search_pusd)
        small = max(self.billed_rates) < RATE_MAX and self.search_pusd < SEARCH_MAX
        self.flat = self.same and not self.stepped and self.num == self.den and small
        if self.flat:
            (self.input_rate, self.output_rate, self.read_rate, self.write_5m_rate, self.write_1h_rate, self.search_rate) = rates


class Bill:
    """The price of an answer as almost all are, at flat rates: as Priced has it, each amount below 2^63."""

    __slots__ = (
        "billed_pusd", "cache_read_pusd", "cache_write_1h_pusd", "cache_write_5m_pusd", "flags", "input_pusd", "output_pusd",
        "tools_pusd", "version",
    )  # fmt: skip

    def __init__(self, version: str, flags: tuple[str, ...]) -> None:
        self.version = version
        self.flags = flags
        self.input_pusd = 0
        self.output_pusd = 0
        self.cache_read_pusd = 0
        self.cache_write_5m_pusd = 0
        self.cache_write_1h_pusd = 0
        self.tools_pusd = 0
        self.billed_pusd = 0


class Terms:
    """The terms of one call; the book's own."""

    __slots__ = ("plan", "where")

    def __init__(self, where: Where, plan: Plan) -> None:
        self.where = where
        self.plan = plan

    @property
    def known(self) -> bool:
        """The model has a price of its own."""
        return self.plan.listed is not None


NO_PLAN = Plan(None, None, UNPRICED, -FOR_EVER_US, FOR_EVER_US)


class PriceBook:
    """Immutable but for its memory of plans."""

    def __init__(
        self,
        catalog: Catalog,
        overlay: Overlay,
        overrides: Sequence[Override] = (),
        unknown: str = "deny",
        fallback: Rates | None = None,
    ) -> None:
        """Raises ValueError when the overrides contradict each other, or when the policy is fallback without rates."""
        problems = check_overrides(overrides)
        if unknown == "fallback" and fallback is None:
            problems.append("unknown models are to be priced at fallback rates, but none are given")
        if problems:
            raise ValueError("; ".join(problems))
        self.label = f"{catalog.label}+overlay-{overlay.date}"
        self.unknown = unknown
        self._cards = Cards(catalog, overlay)
        self._overrides = tuple(overrides)
        self._keys = frozenset(override.key for override in overrides if override.key)
        self._teams = frozenset(override.team for override in overrides if override.team)
        self._by_upstream = any(override.upstream not in ("", "*") for override in overrides)
        self._plans: dict[tuple[str, str, str, str, str, str], Plan] = {}
        self._dearest: Rung | None = None
        self._fallback: Plan | None = None
        if unknown == "fallback" and fallback is not None:
            card = PriceCard("fallback", Ladder(fallback), flags=("fallback_rates",))
            self._fallback = Plan(card, card, "fallback", -FOR_EVER_US, FOR_EVER_US)
            # The answer may name a model that has a price, which then stands.
            tariff = tariff_of(card, 0, self._others)
            self._fallback.tariff = tariff._replace(dearest=(tariff.others,), dearest_fast=(tariff.others,))

    @classmethod
    def load(
        cls, path: Path | None = None, overrides: Sequence[Override] = (), unknown: str = "deny", fallback: Rates | None = None
    ) -> "PriceBook":
        """`path`: a data file, or a directory with `source.json`; None = the embedded snapshot. Raises OSError or ValueError."""
        return cls(decode(*read_data(path)), load_overlay(), overrides, unknown, fallback)

    def terms(  # noqa: PLR0917 - by position: every call pays for each keyword
        self, provider: str, upstream: str, region: str, model: str, key: str, team: str, at_us: Number
    ) -> Terms:
        """What a call sent at `at_us` with `model` as its id will be charged by: looked up once, when it is admitted."""
        where = (
            provider,
            upstream if self._by_upstream else "",
            region,
            model,
            key if key in self._keys else "",
            team if team in self._teams else "",
        )
        return Terms(where, self._plan(where, at_us))

    def tariff(self, terms: Terms) -> Tariff | None:
        """What tokens of a call on these terms may cost, before it is made. None: no price is known and none stands in."""
        if terms.plan.listed is None and self._fallback is not None:
            return self._fallback.tariff
        return terms.plan.tariff

    def knows(self, *, provider: str, upstream: str, region: str, model: str, at_us: int, key: str = "", team: str = "") -> bool:
        """Whether a catalog or an override has a price for the model. Fallback rates do not make a model known."""
        return self.terms(provider, upstream, region, model, key, team, at_us).known

    def price(
        self,
        *,
        provider: str,
        upstream: str,
        region: str,
        model: str,
        reading: Reading,
        at_us: int,
        key: str = "",
        team: str = "",
        batch: bool = False,
        exact_pusd: int | None = None,
    ) -> Priced:
        """`terms` and `charge` in one."""
        terms = self.terms(provider, upstream, region, model, key, team, at_us)
        return self.charge(terms, reading, at_us, batch=batch, exact_pusd=exact_pusd)

    def charge(
        self, terms: Terms, reading: Reading, at_us: int, *, batch: bool = False, exact_pusd: int | None = None
    ) -> Priced:
        """The list and the billed price of `reading`, of a call sent at `at_us`.

        `exact_pusd`: the charge that the provider itself reported, which is then the list price. A model without a price
        costs 0 with the flag and the price version `unpriced`, or the fallback rates with the flag `fallback_rates`.
        """
        if exact_pusd is None and not batch:
            priced = _plain(terms.plan, reading)
            if priced is not None:
                return priced
        return self._general(terms.plan, terms.where, reading, at_us, batch=batch, exact_pusd=exact_pusd)

    def bill(self, terms: Terms, found: Found) -> Bill | None:
        """As `charge`, of an answer with nothing but tokens and searches of one message, at flat rates. None: it is another."""
        plan = terms.plan
        a, b, c = found.input_tokens, found.output_tokens, found.cache_read_tokens
        d, e, searches = found.cache_write_5m_tokens, found.cache_write_1h_tokens, found.web_search_requests
        if (
            not plan.flat
            or (a | b | c | d | e | searches) >> PLAIN_BITS
            or found.code_execution_requests
            or (found.iterations and (len(found.iterations) > 1 or found.iterations[0][0] != "message"))
            or found.stop_reason == "refusal"
            or found.speed not in PLAIN_SPEEDS
            or found.inference_geo not in PLAIN_GEOS
            or found.service_tier not in PLAIN_TIERS
        ):
            return None
        bill = Bill(plan.version, plan.flags)
        bill.input_pusd = a * plan.input_rate
        bill.output_pusd = b * plan.output_rate
        bill.cache_read_pusd = c * plan.read_rate
        bill.cache_write_5m_pusd = d * plan.write_5m_rate
        bill.cache_write_1h_pusd = e * plan.write_1h_rate
        bill.tools_pusd = searches * plan.search_rate
        bill.billed_pusd = (
            bill.input_pusd + bill.output_pusd + bill.cache_read_pusd + bill.cache_write_5m_pusd + bill.cache_write_1h_pusd
            + bill.tools_pusd
        )  # fmt: skip
        return bill

    def _general(self, plan: Plan, where: Where, reading: Reading, at_us: int, *, batch: bool, exact_pusd: int | None) -> Priced:
        if exact_pusd is not None:
            return _charged(plan, exact_pusd)

        plan_of = partial(self._beside, where, at_us)  # no function of its own: that would be a cycle for each call
        flags: tuple[str, ...] = ()
        if plan.listed is None:
            plan = plan_of(reading.model) if reading.model else self._fallback or plan
            flags = () if plan is self._fallback else ("served_model_card",)
        if plan.listed is None or plan.billed is None:
            return Priced(0, 0, price_version=UNPRICED, flags=(UNPRICED,))
        flags = (*plan.flags, *flags)
        if is_free(reading) and (where[0] == "anthropic" or "claude" in where[3]):  # a rule of Anthropic's
            return Priced(0, 0, price_version=plan.version, flags=(*flags, "refusal_free"))

        listed = bill(reading, plan.listed, partial(_listed, plan_of), batch=batch)
        tools_pusd = listed.searches * plan.search_pusd + listed.beside_pusd
        list_split = cost(listed.lines, tools_pusd=tools_pusd)
        billed, split = listed, list_split
        if self._overrides:  # an advisor's model may have one where the request's has none
            billed = bill(reading, plan.billed, partial(_billed, plan_of), batch=batch)
            split = cost(billed.lines, tools_pusd=tools_pusd)
        return Priced(
            list_split.total_pusd,
            split.total_pusd,
            split.input_pusd,
            split.output_pusd,
            split.cache_read_pusd,
            split.cache_write_5m_pusd,
            split.cache_write_1h_pusd,
            split.tools_pusd,
            split.other_pusd,
            ";".join((plan.version, *billed.models)),
            tuple(dict.fromkeys((*flags, *billed.flags))),
        )

    def _beside(self, where: Where, at_us: int, other: str) -> Plan:
        """Of a model that the response names."""
        provider, upstream, region, model, key, team = where
        found = self._plan((provider, upstream, region, beside(normal(model), other.lower()), key, team), at_us)
        return self._fallback if found.listed is None and self._fallback is not None else found

    def _plan(self, where: Where, at_us: Number) -> Plan:
        plan: Plan | None = self._plans.get(where)
        if plan is None or not plan.from_us <= at_us < plan.until_us:
            if len(where[3]) > MODEL_TEXT_MAX:
                return NO_PLAN
            plan = self._resolve(where, at_us)
            if len(self._plans) >= PLANS_MAX:
                self._plans.clear()
            self._plans[where] = plan
        return plan

    def _resolve(self, where: Where, at_us: int) -> Plan:
        provider, upstream, region, model, key, team = where
        model = normal(model)
        found = self._cards.find(provider, region, model, at_us)
        override = pick(self._overrides, upstream=upstream, model=model, at_us=at_us, key=key, team=team)
        instants = [found.from_us, found.until_us]
        instants += [override.starts_us for override in self._overrides]
        instants += [override.ends_us for override in self._overrides if override.ends_us]
        from_us = max(instant for instant in instants if instant <= at_us)
        until_us = min(instant for instant in instants if instant > at_us)
        listed = billed = found.card
        if listed is None and override is not None:
            listed = billed = override.whole_card()
        elif listed is not None and override is not None:
            billed = override.reprice(listed)
        if listed is None or billed is None:
            return Plan(None, None, UNPRICED, from_us, until_us)
        version = f"{self.label}#{listed.name}"
        plan = Plan(listed, billed, f"{version}~{override.stamp()}" if override else version, from_us, until_us)
        plan.tariff = tariff_of(billed, plan.search_pusd, self._others)
        return plan

    def prepare(self) -> "PriceBook":
        """Itself, with what every tariff needs and the first call would otherwise wait for: 4 ms."""
        assert self._others is not None
        return self

    @property
    def _others(self) -> Rung:
        """Bounds the price of a model that only the answer names."""
        if self._dearest is None:
            self._dearest = dearest_claude(self._cards.catalog, self._cards.overlay, self._overrides)
        return self._dearest


def _plain(plan: Plan, reading: Reading) -> Priced | None:
    """The price of a reading as almost all are: nothing but tokens and searches of one message. None: it is another."""
    card, usage = plan.billed, reading.usage
    a, b, c, d, e, _, searches, _, executions, tier, speed, geo, entries, _ = astuple(usage)
    if (
        card is None
        or (entries and (len(entries) > 1 or entries[0].type != "message"))
        or speed not in PLAIN_SPEEDS
        or geo not in PLAIN_GEOS
        or tier not in PLAIN_TIERS
        or executions
        or (a | b | c | d | e | searches) >> PLAIN_BITS
        or reading.stop_reason == "refusal"
    ):
        return None
    # The same sums as cost(bill(...)) of one line, without the objects between: a tenth of the time.
    ra, rb, rc, rd, re = _five(card.standard.at(a + c + d + e)) if plan.stepped else plan.billed_rates
    pa, pb, pc, pd, pe = a * ra, b * rb, c * rc, d * rd, e * re
    tools, other = searches * plan.search_pusd, 0
    billed = listed = pa + pb + pc + pd + pe + tools
    if plan.listed is not None and not plan.same:
        ra, rb, rc, rd, re = _five(plan.listed.standard.at(a + c + d + e)) if plan.stepped else plan.list_rates
        listed = a * ra + b * rb + c * rc + d * rd + e * re + tools
    if plan.num != plan.den:
        num, den = plan.num, plan.den
        billed = round_half_even((billed - tools) * num + tools * den, den)
        pa, pb, pc, pd, pe = pa * num // den, pb * num // den, pc * num // den, pd * num // den, pe * num // den
        other = billed - pa - pb - pc - pd - pe - tools
    return Priced(listed, billed, pa, pb, pc, pd, pe, tools, other, plan.version, plan.flags)


def _listed(plan_of: Callable[[str], Plan], model: str) -> PriceCard | None:
    return plan_of(model).listed


def _billed(plan_of: Callable[[str], Plan], model: str) -> PriceCard | None:
    return plan_of(model).billed


def _charged(plan: Plan, exact_pusd: int) -> Priced:
    """The provider said what the call cost: that is the list price; only a negotiated multiplier changes the billed one."""
    factor = plan.billed.factor if plan.billed is not None else None
    billed = round_half_even(exact_pusd * factor.num, factor.den) if factor is not None else exact_pusd
    return Priced(exact_pusd, billed, other_pusd=billed, price_version=plan.version, flags=("provider_charge",))


def _five(rates: Rates) -> tuple[int, int, int, int, int]:
    return rates.input, rates.output, rates.cache_read, rates.cache_write_5m, rates.cache_write_1h
