"""What tokens cost before it is known which of a model's prices will apply. Pure; the price book makes it once per plan.

Rates are pico-USD per token, with everything that multiplies them but data residency already in them, each rounded up.
"""

from typing import NamedTuple


class Rung(NamedTuple):
    """Rates for prompts longer than `above` tokens. In the dearest rungs each rate is at least that of the rung before, and
    reading or writing the cache costs at least what input does: so one rate bounds every way to bill the prompt."""

    above: int
    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int


class Tariff(NamedTuple):
    """`usual` and `dearest`: rungs by rising `above`, the first at -1, so that every prompt stands on one.

    `usual` is the standard card (for calls that ask for it: the fast one). `dearest` holds at least what any card costs that
    the answer can name: a service tier, and for calls that ask for fast speed the fast card. `others` bounds what a model
    beside the requested one costs that may have a say in the answer (an advisor, a fallback), data residency included."""

    usual: tuple[Rung, ...]
    usual_fast: tuple[Rung, ...]
    dearest: tuple[Rung, ...]
    dearest_fast: tuple[Rung, ...]
    others: Rung
    geo_num: int  # what data residency multiplies all tokens by, geo_num >= geo_den > 0
    geo_den: int
    search_pusd: int  # each web search; nothing multiplies it


def rung_at(rungs: tuple[Rung, ...], prompt_tokens: int) -> Rung:
    """The rates of a whole request with that prompt."""
    found = rungs[0]
    for rung in rungs:
        if prompt_tokens > rung.above:
            found = rung
    return found
