"""Price cards and the cost of token lines: pure integer arithmetic, one rounding per request.

Rates are pico-USD per token, so tokens x rate is exact. Modifiers (data residency, batch, a negotiated multiplier) are
ratios of integers; they are applied to the sum, and the sum is rounded once, half to even. The parts of the split are
rounded down and what that leaves (less than one pico-USD a part) stands in `other_pusd`: the parts always add up to the
whole, and none is ever negative.
"""

from collections.abc import Iterable
from math import lcm

from msgspec import Struct

from gw.domain.money import round_half_even


class Rates(Struct, frozen=True):
    """One price per token class, pico-USD per token. No rate is derived from another: each is as published."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int


class Step(Struct, frozen=True):
    """The rates of a whole request whose prompt is longer than `above` tokens."""

    above: int
    rates: Rates


class Ladder(Struct, frozen=True):
    """Rates by prompt length; `steps` ascend by `above`."""

    base: Rates
    steps: tuple[Step, ...] = ()

    def at(self, prompt_tokens: int) -> Rates:
        """The rates of every token, output too, of a request with that prompt (input + cache reads + cache writes)."""
        rates = self.base
        for step in self.steps:
            if prompt_tokens > step.above:
                rates = step.rates
        return rates


class Ratio(Struct, frozen=True):
    """A factor as a fraction of integers, den > 0."""

    num: int = 1
    den: int = 1


ONE = Ratio()


class PriceCard(Struct, frozen=True):
    """Everything that prices one model at one provider at one moment."""

    name: str  # "anthropic/claude-opus-5-5", with "@regional" where a regional price was taken
    standard: Ladder
    fast: Ladder | None = None  # used when the response says speed "fast"
    batch: Ladder | None = None  # a published batch card ...
    batch_ratio: Ratio | None = None  # ... or a factor on the standard ladder, which then wins
    tiers: dict[str, Ladder] = {}  # by the response's service_tier, where the provider sells tiers
    geo_us: Ratio = ONE  # factor on tokens when the response says inference_geo "us"
    factor: Ratio = ONE  # negotiated, on all tokens
    web_search_pusd: int = 0  # each; no factor touches it
    file_search_pusd: int = 0  # likewise
    modes: dict[str, Rates] = {}  # of tokens that are no text; a class of 0 has the price of text
    flags: tuple[str, ...] = ()  # what every call priced by this card must be marked with


class Line(Struct, frozen=True):
    """Tokens that share one set of rates and one factor. `extra`: not the request's own message but an addition to it
    (compaction, advisor, fallback), so its cost goes to `other_pusd`."""

    rates: Rates
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    factor: Ratio = ONE
    extra: bool = False


class Split(Struct, frozen=True):
    """pico-USD; the seven parts add up to `total_pusd`."""

    total_pusd: int
    input_pusd: int = 0
    output_pusd: int = 0
    cache_read_pusd: int = 0
    cache_write_5m_pusd: int = 0
    cache_write_1h_pusd: int = 0
    tools_pusd: int = 0
    other_pusd: int = 0


class Priced(Struct, frozen=True, gc=False):
    """The price of one call. The split is of the billed amount and adds up to it exactly."""

    list_pusd: int
    billed_pusd: int
    input_pusd: int = 0
    output_pusd: int = 0
    cache_read_pusd: int = 0
    cache_write_5m_pusd: int = 0
    cache_write_1h_pusd: int = 0
    tools_pusd: int = 0
    other_pusd: int = 0  # compaction, advisor and fallback iterations, a charge taken as a whole, and what rounding leaves
    price_version: str = ""
    flags: tuple[str, ...] = ()


def cost(lines: Iterable[Line], *, tools_pusd: int = 0) -> Split:
    """The cost of all lines plus `tools_pusd`, rounded once. Counts, rates and charges are 0 or more."""
    lines = tuple(lines)
    den = lcm(*(line.factor.den for line in lines))
    parts = [0, 0, 0, 0, 0, 0]  # numerators over den: input, output, read, 5m write, 1h write, extra
    for line in lines:
        scale = den // line.factor.den * line.factor.num
        rates = line.rates
        amounts = (
            line.input_tokens * rates.input * scale,
            line.output_tokens * rates.output * scale,
            line.cache_read_tokens * rates.cache_read * scale,
            line.cache_write_5m_tokens * rates.cache_write_5m * scale,
            line.cache_write_1h_tokens * rates.cache_write_1h * scale,
        )
        if line.extra:
            parts[5] += sum(amounts)
        else:
            for index, amount in enumerate(amounts):
                parts[index] += amount
    total = round_half_even(sum(parts) + tools_pusd * den, den)
    five = [part // den for part in parts[:5]]
    other = total - sum(five) - tools_pusd
    assert min(other, tools_pusd, *five) >= 0, "a negative count, rate or charge"
    return Split(total, five[0], five[1], five[2], five[3], five[4], tools_pusd, other)
