"""A call's estimate, and the shortest way to it: what a tariff and its model's scale come to, as C integers.

Almost every call has one rate of each kind, whatever the length of its prompt, and asks for nothing that the provider runs by
itself. Of these the probable cost and the bound are a few multiplications; all others are gw.admit.estimate's.
"""

from gw._fast import Weight
from gw.domain.estimate import scale_of
from gw.domain.money import PUSD_PER_NUSD
from gw.domain.tariff import Tariff

SLICE_TOKENS = 1_000  # what a stream that outgrows what was expected takes at a time

# The bound. What a body does not show of its prompt: the provider's framing, its instructions for tools (806 tokens at most
# where they are published), and the text of the tools that it defines itself (7,490 for the largest set).
BLOCK_TOKENS_MAX = 16
TOOL_TOKENS_MAX = 64
TOOLS_TOKENS_MAX = 1_000
DEFINED_TOOL_TOKENS_MAX = 8_000
PAGES_MAX = 600  # of one PDF
OUTPUT_MAX = 128_000  # of one generation whose request does not cap it

OUTPUT_START = 2_000  # expected output before anything was learned; calls of Claude Code average about half of it
OUTPUT_SHIFT = 4  # a new output counts a sixteenth of the mean

# Of a token, and of what multiplies it: with windows of 2^21 tokens, and an output of as many, no product passes 2^62.
FEW_PUSD, FEW_GEO = 1 << 30, 1 << 10

Number = int  # compiled, a C integer: card.pxd
Flag = bool


class Seen:
    """The last exact usage of one prefix."""

    __slots__ = ("at_us", "cached", "forgotten", "moved_us", "prompt", "rest", "text", "warm_until_us")

    def __init__(self) -> None:
        self.prompt = 0  # its tokens
        self.cached = 0  # of these in the provider's cache since
        self.text = 1  # bytes
        self.rest = 0  # tokens of what is not text, as guessed then
        self.warm_until_us = 0  # until when the cache is warm
        self.at_us = 0  # when it was seen
        self.moved_us = 0  # when it became the one that was used last
        self.forgotten = False  # it is in nobody's memory any more


class Habit:
    """What the calls of a key with a model have in common."""

    __slots__ = ("cached", "forgotten", "geo_us", "output")

    def __init__(self) -> None:
        self.output = OUTPUT_START << OUTPUT_SHIFT  # the mean, shifted
        self.cached = 0  # which part of a prompt was in the cache where nothing was known of it (prefixes that sessions share)
        self.geo_us = False  # the last one was billed for data residency
        self.forgotten = False

    def expected(self) -> Number:
        """Tokens of output."""
        return self.output >> OUTPUT_SHIFT

    def learn(self, output: Number) -> None:
        self.output += (output if output < OUTPUT_MAX else OUTPUT_MAX) - self.expected()


class Estimate:
    """Costs in nano-USD, rounded up; typical_nusd <= worst_nusd."""

    __slots__ = (
        "bytes_per_token", "habit", "output_tokens", "prompt_tokens", "seen", "slice_nusd", "typical_nusd", "worst_nusd",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917 - by position: every call makes one
        self,
        typical_nusd: Number,
        worst_nusd: Number,
        prompt: Number,
        output: Number,
        slice_nusd: Number,
        bytes_per_token: Number,
    ) -> None:
        self.typical_nusd = typical_nusd
        self.worst_nusd = worst_nusd
        self.prompt_tokens = prompt  # as probably counted, the cached ones included
        self.output_tokens = output  # as expected, within the body's cap
        self.slice_nusd = slice_nusd  # of SLICE_TOKENS more output tokens
        self.bytes_per_token = bytes_per_token  # of output text: how a stream is counted while it runs
        self.seen: Seen | None = None  # what it rests on: looked up once for admission and learning
        self.habit: Habit | None = None


class Trail:
    """What an estimator has looked up for a call, for the next one of the same session and model."""

    __slots__ = ("card", "habit", "of", "seen", "tools")

    def __init__(self, of: object) -> None:
        self.of = of  # the estimator
        self.card: Card | None = None
        self.habit: Habit | None = None
        self.seen: Seen | None = None
        self.tools = 0  # how many that was seen with


class Card:
    """A tariff and its model's scale as C integers. `few`: one rung each, and no product of tokens and rates comes near 2^63."""

    __slots__ = (
        "bytes_per_token", "few", "geo_den", "geo_num", "image_max", "model", "most_input", "most_output", "most_write_1h",
        "most_write_5m", "page_max", "scale", "tariff", "usual_input", "usual_output", "usual_read", "usual_write_1h",
        "usual_write_5m", "window",
    )  # fmt: skip

    def __init__(self, tariff: Tariff, model: str) -> None:
        self.tariff = tariff
        self.model = model
        self.scale = scale_of(model)
        self.window, self.image_max, self.page_max, self.bytes_per_token = self.scale
        usual, most = tariff.usual[0], tariff.dearest[0]
        self.few = (
            len(tariff.usual) == len(tariff.dearest) == 1
            and min(*usual[1:], *most[1:]) >= 0
            and max(*usual, *most) <= FEW_PUSD
            and 0 < tariff.geo_den <= tariff.geo_num <= FEW_GEO
        )
        if self.few:
            _, self.usual_input, self.usual_output, self.usual_read, self.usual_write_5m, self.usual_write_1h = usual
            _, self.most_input, self.most_output, _, self.most_write_5m, self.most_write_1h = most
            self.geo_num, self.geo_den = tariff.geo_num, tariff.geo_den


def plain_estimate(  # noqa: PLR0917 - compiled, it is a C function
    card: Card, weight: Weight, prompt: Number, warm: Number, output: Number, geo_us: Flag
) -> Estimate:
    """The rest of `estimate`, and `most_pusd`, of almost every call: nothing but C integers (tests/admit/test_estimate.py)."""
    per = PUSD_PER_NUSD
    cap, ttl, geo, num, den = weight.output_cap, weight.ttl, weight.geo, card.geo_num, card.geo_den
    most = most_tokens(weight, card.image_max, card.page_max)
    if weight.references or most > card.window:
        most = card.window
    most_output = OUTPUT_MAX if cap < 0 else cap if cap < card.window else card.window
    rate = card.most_input if not ttl else card.most_write_5m if ttl == 5 else card.most_write_1h
    worst_pusd = most * rate + most_output * card.most_output
    if geo != 1:
        worst_pusd = (worst_pusd * num + den - 1) // den
    rate = card.usual_input if not ttl else card.usual_write_5m if ttl == 5 else card.usual_write_1h
    pusd = warm * card.usual_read + (prompt - warm) * rate + output * card.usual_output
    slice_pusd = SLICE_TOKENS * card.usual_output
    if geo == 2 or (geo_us and not geo):
        pusd, slice_pusd = pusd * num // den, slice_pusd * num // den
    pusd = min(pusd, worst_pusd)
    found: Estimate = Estimate.__new__(Estimate)
    found.typical_nusd = (pusd + per - 1) // per
    found.worst_nusd = (worst_pusd + per - 1) // per
    found.slice_nusd = (slice_pusd + per - 1) // per
    found.prompt_tokens, found.output_tokens, found.bytes_per_token = prompt, output, card.bytes_per_token
    return found


def most_tokens(weight: Weight, image_max: Number, page_max: Number) -> Number:
    """Of the prompt, whatever the window."""
    most: Number = weight.bound_bytes + BLOCK_TOKENS_MAX * weight.blocks
    if weight.tools:
        most += TOOLS_TOKENS_MAX + TOOL_TOKENS_MAX * weight.tools + DEFINED_TOOL_TOKENS_MAX * weight.defined_tools
    if weight.images or weight.documents:
        most += image_max * weight.images + PAGES_MAX * page_max * weight.documents
    return most
