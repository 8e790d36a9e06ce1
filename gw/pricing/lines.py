"""From one reading to the token lines that are billed: which tokens, at which card, times which factor. Pure.

The provider's rules (Anthropic's documentation of pricing, compaction, advisor, fallback and refusals, 2026-08-22):

- The top level of usage is the sum of the request's own `message` iterations. Compaction and advisor iterations stand
  beside it and are added, an advisor at its own model. With a `fallback_message` the top level describes the returned
  attempt only, so the entries are summed, each at its own model, and an attempt declined before any output is free.
- A refusal with empty content is free.
- A step for long prompts is decided per `message` iteration when those add up to the top level, else on the top level.
- Speed, batch and service tier select a card; data residency multiplies tokens. Speed does not reach an advisor.
"""

from collections.abc import Callable, Sequence
from math import prod

from msgspec import Struct
from msgspec.structs import replace

from gw.domain.price import Ladder, Line, PriceCard, Ratio
from gw.domain.usage import BESIDE, MODES, Iteration, Reading, Usage

CardOf = Callable[[str], PriceCard | None]  # of the model that an iteration names

PLAIN_SPEEDS = ("", "standard")
PLAIN_TIERS = ("", "standard", "default", "on_demand", "STANDARD", "ON_DEMAND")
PLAIN_GEOS = ("", "global", "not_available")
EXTRA_KINDS = ("compaction", "advisor_message")
COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "web_search_requests",
)
COUNT_BITS = 27  # a count of more than 134 million tokens in one response is not a count


class Bill(Struct, frozen=True):
    """`models`: cards other than the request's own that price a line. `searches`: web searches to charge."""

    lines: tuple[Line, ...]
    flags: tuple[str, ...]
    models: tuple[str, ...]
    searches: int
    beside_pusd: int = 0  # other tools


def is_free(reading: Reading) -> bool:
    """A refusal before any content, and no fallback took over (with one, each attempt is judged by itself)."""
    return (
        reading.stop_reason == "refusal"
        and reading.content_empty
        and not any(entry.type == "fallback_message" for entry in reading.usage.iterations)
    )


def bill(reading: Reading, card: PriceCard, card_of: CardOf, *, batch: bool) -> Bill:
    """The lines of `reading`. `card` prices the request's own model; `card_of` gives None for a model without a price,
    whose tokens then have no line and the bill the flag `unpriced_iteration`."""
    usage, flags = _bounded(reading.usage)
    maker = _Maker(usage, card, card_of, batch=batch)
    if any(entry.type == "fallback_message" for entry in usage.iterations):
        if reading.stop_reason == "refusal" and reading.content_empty:
            maker.flag("refusal_free")  # of the last attempt: its row would not say otherwise that it had no content
        for entry in _billed_attempts(reading, usage.iterations):
            maker.add(entry, entry.model, extra=entry.type != "message", executor=entry.type != "advisor_message")
    else:
        own = [entry for entry in usage.iterations if entry.type == "message"]
        others = [entry for entry in usage.iterations if entry.type not in ("message", *MODES, *BESIDE)]
        if any(entry.type not in EXTRA_KINDS for entry in others):
            maker.flag("unknown_iteration")
            if own and _same_sums([*own, *others], usage) and not _same_sums(own, usage):
                own, others = [*own, *others], []
        if len(own) > 1 and _same_sums(own, usage) and maker.has_steps():
            for entry in _with_split(own, usage):
                maker.add(entry, "", extra=False, executor=True)
        else:
            maker.add_top(_top_level(usage), [entry for entry in usage.iterations if entry.type in MODES])
        for entry in others:
            model = "" if entry.type == "compaction" else entry.model
            maker.add(entry, model, extra=True, executor=entry.type != "advisor_message")
    if usage.code_execution_requests and not (usage.web_search_requests or usage.web_fetch_requests):
        maker.flag("code_execution_unpriced")  # billed by container time, which usage does not tell
    beside_pusd = sum(map(maker.beside, usage.iterations))
    return Bill(
        tuple(maker.lines),
        tuple(dict.fromkeys((*flags, *maker.flags))),
        tuple(dict.fromkeys(maker.models)),
        usage.web_search_requests,
        beside_pusd,
    )


class _Maker:
    """Collects the lines of one bill."""

    def __init__(self, usage: Usage, card: PriceCard, card_of: CardOf, *, batch: bool) -> None:
        self.usage = usage
        self.card = card
        self.card_of = card_of
        self.batch = batch or usage.service_tier.lower() == "batch"
        self.lines: list[Line] = []
        self.flags: list[str] = []
        self.models: list[str] = []

    def flag(self, name: str) -> None:
        self.flags.append(name)

    def has_steps(self) -> bool:
        card = self.card
        ladders = (card.standard, card.fast, card.batch, *card.tiers.values())
        return any(ladder.steps for ladder in ladders if ladder is not None)

    def add(self, entry: Iteration, model: str, *, extra: bool, executor: bool, size: int = 0) -> None:
        """`model` prices the entry; "" = the request's. `executor`: it ran as the request itself, at its speed and tier. `size`:
        of the whole prompt, if the entry is less."""
        card = self.card_of(model) if model else self.card
        if card is None:
            self.flag("unpriced_iteration")
            return
        if card.name != self.card.name:
            self.models.append(card.name)
            self.flags.extend(card.flags)
        write_5m, write_1h = self._split(entry)
        prompt = size or entry.input_tokens + entry.cache_read_tokens + write_5m + write_1h
        ladder, factor = self._ladder(card, prompt, executor)
        self.lines.append(
            Line(
                ladder.at(prompt),
                entry.input_tokens,
                entry.output_tokens,
                entry.cache_read_tokens,
                write_5m,
                write_1h,
                _times(factor, self._geo(card), card.factor),
                extra,
            )
        )

    def add_top(self, top: Iteration, modes: Sequence[Iteration]) -> None:
        """The top level, with the tokens among it that are no text at rates of their own, where those are published; what they
        cost in other tiers is bounded by the standard rates."""
        size = top.input_tokens + top.cache_read_tokens + _writes(top)
        for entry in modes:
            rates = self.card.modes.get(entry.type)
            if rates is None:
                self.flag(f"{entry.type}_at_text_rates")
                continue
            part = Iteration(
                entry.type,
                "",
                min(entry.input_tokens, top.input_tokens) if rates.input else 0,
                min(entry.output_tokens, top.output_tokens) if rates.output else 0,
                min(entry.cache_read_tokens, top.cache_read_tokens) if rates.cache_read else 0,
            )
            if not any(_counts(part)):
                continue
            if self.batch or self.usage.service_tier not in PLAIN_TIERS:
                self.flag("upper_bound")
            factor = _times(self._geo(self.card), self.card.factor)
            self.lines.append(Line(rates, part.input_tokens, part.output_tokens, part.cache_read_tokens, factor=factor))
            top = replace(
                top,
                input_tokens=top.input_tokens - part.input_tokens,
                output_tokens=top.output_tokens - part.output_tokens,
                cache_read_tokens=top.cache_read_tokens - part.cache_read_tokens,
            )
        self.add(top, "", extra=False, executor=True, size=size)

    def beside(self, entry: Iteration) -> int:
        """pico-USD of what was used beside tokens; marked, if there is no price for it or usage does not tell it."""
        if entry.type not in BESIDE:
            return 0
        if entry.type == "file_search" and self.card.file_search_pusd:
            return entry.input_tokens * self.card.file_search_pusd
        self.flag(f"{entry.type}_unpriced")
        return 0

    def _ladder(self, card: PriceCard, prompt: int, executor: bool) -> tuple[Ladder, Ratio]:
        usage = self.usage
        if self.batch:
            if usage.speed not in PLAIN_SPEEDS:
                self.flag("fast_in_batch")  # not sold together: the batch price stands
            if card.batch_ratio is not None:
                return card.standard, card.batch_ratio
            if card.batch is None:
                self.flag("no_batch_card")
            return card.batch or card.standard, Ratio()
        if executor and usage.speed not in PLAIN_SPEEDS:
            if usage.speed == "fast" and card.fast is not None:
                return card.fast, Ratio()
            self.flag("no_fast_card")
        tier = card.tiers.get(usage.service_tier)
        if tier is None:
            if usage.service_tier not in PLAIN_TIERS:
                self.flag("notional_tier")  # no price is published for it: list price
            return card.standard, Ratio()
        if not tier.steps and card.standard.at(prompt) is not card.standard.base:
            self.flag("tier_excludes_long")  # the published tier prices end where long prompts begin
        return tier, Ratio()

    def _geo(self, card: PriceCard) -> Ratio:
        geo = self.usage.inference_geo
        if geo == "us":
            return card.geo_us
        if geo not in PLAIN_GEOS:
            self.flag("unknown_geo")
        return Ratio()

    def _split(self, entry: Iteration) -> tuple[int, int]:
        """(5m, 1h) writes of an entry. What its own split leaves open is 1h if all writes of the top level are, else 5m."""
        total = max(entry.cache_write_tokens, entry.cache_write_5m_tokens + entry.cache_write_1h_tokens)
        one_hour = min(entry.cache_write_1h_tokens, total)
        rest = total - one_hour - entry.cache_write_5m_tokens
        if rest > 0:
            self.flag("ttl_assumed")
            if self.usage.cache_write_1h_tokens and not self.usage.cache_write_5m_tokens:
                one_hour += rest
        return total - one_hour, one_hour


def _billed_attempts(reading: Reading, entries: Sequence[Iteration]) -> list[Iteration]:
    """All entries but the attempts that declined before any output: earlier ones without output, and the last one when
    the answer is itself a refusal without content."""
    attempts = [entry for entry in entries if entry.type in ("message", "fallback_message")]
    last = attempts[-1]

    def declined(entry: Iteration) -> bool:
        if entry.type not in ("message", "fallback_message") or entry.output_tokens:
            return entry is last and reading.stop_reason == "refusal" and reading.content_empty
        return entry is not last or reading.stop_reason == "refusal"

    return [entry for entry in entries if not declined(entry)]


def _top_level(usage: Usage) -> Iteration:
    return Iteration(
        "message",
        "",
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
    )


def _same_sums(entries: Sequence[Iteration], usage: Usage) -> bool:
    return (
        sum(entry.input_tokens for entry in entries) == usage.input_tokens
        and sum(entry.output_tokens for entry in entries) == usage.output_tokens
        and sum(entry.cache_read_tokens for entry in entries) == usage.cache_read_tokens
        and sum(_writes(entry) for entry in entries) == usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    )


def _writes(entry: Iteration) -> int:
    return max(entry.cache_write_tokens, entry.cache_write_5m_tokens + entry.cache_write_1h_tokens)


def _with_split(entries: Sequence[Iteration], usage: Usage) -> list[Iteration]:
    """The entries with their writes split so that both TTLs add up to the top level's: first what each entry says, the
    rest in order, 1h first."""
    open_1h = usage.cache_write_1h_tokens - sum(entry.cache_write_1h_tokens for entry in entries)
    out = []
    for entry in entries:
        total = _writes(entry)
        said_1h = entry.cache_write_1h_tokens
        rest = total - said_1h - entry.cache_write_5m_tokens
        more = max(0, min(rest, open_1h))
        open_1h -= more
        out.append(
            Iteration(
                entry.type,
                entry.model,
                entry.input_tokens,
                entry.output_tokens,
                entry.cache_read_tokens,
                total,
                total - said_1h - more,
                said_1h + more,
            )
        )
    return out


def _bounded(usage: Usage) -> tuple[Usage, tuple[str, ...]]:
    """Counts forced into [0, 2**27), flagged when one was not: a broken upstream must not make a negative price."""
    counts = {name: getattr(usage, name) for name in COUNTS}
    if all(_fits(count) for count in counts.values()) and all(_fits(c) for entry in usage.iterations for c in _counts(entry)):
        return usage, ()
    iterations = tuple(Iteration(entry.type, entry.model, *map(_clamp, _counts(entry))) for entry in usage.iterations)
    sane = {name: _clamp(count) for name, count in counts.items()}
    return replace(usage, iterations=iterations, **sane), ("count_out_of_range",)


def _counts(entry: Iteration) -> tuple[int, ...]:
    return (
        entry.input_tokens,
        entry.output_tokens,
        entry.cache_read_tokens,
        entry.cache_write_tokens,
        entry.cache_write_5m_tokens,
        entry.cache_write_1h_tokens,
    )


def _fits(count: int) -> bool:
    return not count >> COUNT_BITS


def _clamp(count: int) -> int:
    return min(max(count, 0), (1 << COUNT_BITS) - 1)


def _times(*ratios: Ratio) -> Ratio:
    return Ratio(prod(ratio.num for ratio in ratios), prod(ratio.den for ratio in ratios))
