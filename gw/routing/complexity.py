"""How hard a prompt looks, by cheap features of it, and whether a session should change its model. Pure integers.

The score is a sum of parts in thousandths; each part rises from 0 to its most as its feature does. It is a rule of thumb that
costs microseconds and always gives the same answer; what it saves is in the ledger (`gw route savings`), with what it costs.
"""

from typing import Literal, NamedTuple

from gw.domain.tariff import Rung
from gw.routing.asked import Asked

Level = Literal["haiku", "sonnet", "opus"]
LEVELS: tuple[Level, ...] = ("haiku", "sonnet", "opus")
WHOLE = 1000

# Feature -> the most that it adds; together WHOLE. What the user wrote counts most: a long history may end in a simple question.
PARTS = {"keywords": 250, "last_text": 230, "effort": 200, "prompt": 120, "turns": 80, "code": 70, "tools": 50}
NEUTRAL_KEYWORDS = 125  # without any word of either kind
WORD_WORTH = 42  # of a hard word up, of an easy one down
LAST_TEXT_BYTES = (100, 6_000)  # nothing below the first, all from the second on; between them by its logarithm
PROMPT_TOKENS = (16_000, 250_000)  # the first is what Claude Code sends with "hi"
TURNS = (4, 128)
CODE_BLOCKS_MOST = 3
EFFORT_WORTH = {"": 80, "none": 0, "minimal": 20, "low": 40, "medium": 90, "high": 140, "xhigh": 180, "max": 200}


class Score(NamedTuple):
    """`parts` add up to `total`, 0 to WHOLE."""

    total: int
    parts: tuple[tuple[str, int], ...]

    @property
    def text(self) -> str:
        """`0.31`: rounded down, so that what is shown lies below a threshold whenever the score does."""
        return f"{self.total // 1000}.{self.total % 1000 // 10:02d}"


class Switch(NamedTuple):
    """`worth`: the saving exceeds the loss. Amounts in pico-USD; the saving may be negative."""

    worth: bool
    saving_pusd: int
    loss_pusd: int


class Expected(NamedTuple):
    """What a session is likely to ask for yet: further calls, and tokens of each beyond what is cached."""

    calls: int = 1
    input_tokens: int = 2_000
    output_tokens: int = 800


def score(asked: Asked) -> Score:
    words = asked.words
    keywords = min(max(NEUTRAL_KEYWORDS + WORD_WORTH * (words.hard - words.easy), 0), PARTS["keywords"])
    parts = (
        ("keywords", keywords),
        ("last_text", rising(words.last_text_bytes, *LAST_TEXT_BYTES, PARTS["last_text"])),
        ("effort", EFFORT_WORTH.get(words.effort, EFFORT_WORTH[""])),
        ("prompt", rising(asked.prompt_tokens, *PROMPT_TOKENS, PARTS["prompt"])),
        ("turns", rising(words.turns, *TURNS, PARTS["turns"])),
        ("code", PARTS["code"] * min(words.code_blocks, CODE_BLOCKS_MOST) // CODE_BLOCKS_MOST),
        ("tools", PARTS["tools"] if asked.tools else 0),
    )
    return Score(sum(part for _, part in parts), parts)


def rising(value: int, low: int, high: int, most: int) -> int:
    """0 up to `low`, `most` from `high` on, and between them by the binary logarithm, to a sixteenth of an octave."""
    if value <= low:
        return 0
    if value >= high:
        return most
    return most * (_log16(value) - _log16(low)) // (_log16(high) - _log16(low))


def _log16(value: int) -> int:
    """Sixteen times the binary logarithm, straight between powers of two: never falls as `value` rises."""
    top = value.bit_length() - 1
    return 16 * top + ((value << 4) >> top) - 16


def level_of(total: int, haiku_below: int, opus_from: int) -> Level:
    """Thresholds in thousandths."""
    if total < haiku_below:
        return "haiku"
    return "opus" if total >= opus_from else "sonnet"


def worth_switching(cached_tokens: int, stay: Rung, go: Rung, expected: Expected, *, ttl: int = 5) -> Switch:
    """Whether a session with `cached_tokens` in its prompt cache should go on with another model, whose cache is cold.

    saving = calls x (cached x (read_stay - read_go) + input x (write_stay - write_go) + output x (output_stay - output_go)),
    as if the other's cache were as warm as this one; loss = cached x (write_go - read_go): the first call there writes what it
    would have read here. The two differ by exactly what all expected calls cost here and there. `ttl`: minutes that the client
    writes caches for. What would be lost a second time by coming back is not in it.
    """
    write_stay, write_go = _write(stay, ttl), _write(go, ttl)
    each = (
        cached_tokens * (stay.cache_read - go.cache_read)
        + expected.input_tokens * (write_stay - write_go)
        + expected.output_tokens * (stay.output - go.output)
    )
    saving, loss = expected.calls * each, cached_tokens * (write_go - go.cache_read)
    return Switch(saving > loss, saving, loss)


def _write(rung: Rung, ttl: int) -> int:
    """A model without a price for writing takes what is written as plain input."""
    return (rung.cache_write_1h if ttl > 5 else rung.cache_write_5m) or rung.input
