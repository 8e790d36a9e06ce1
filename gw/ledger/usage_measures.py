"""What can be asked about usage, and how it is made of the columns of rollups. Pure.

A measure has a value that can be compared (an integer: a count, pico-USD, millionths of a share, microseconds), and a way to be
shown: counts as numbers, money as a decimal string in USD, shares and milliseconds as numbers, null where nothing is known.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from gw.domain.money import usd_text
from gw.ledger.rollup_shape import AMOUNTS, COUNTS, TOKENS, TOOLS
from gw.ledger.sums import whole

Figures = Mapping[str, int]  # by column of MEASURES
Shown = int | float | str | None
MILLION = 1_000_000
PROMPT = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")


class Measure(NamedTuple):
    name: str
    columns: tuple[str, ...]
    value: Callable[[Figures], int]
    show: Callable[[int], Shown]
    known: Callable[[Figures], bool]
    about: str


def _always(_: Figures) -> bool:
    return True


def _count(name: str, about: str) -> Measure:
    return Measure(name, (name,), lambda figures: figures[name], int, _always, about)


def _sum(name: str, columns: tuple[str, ...], about: str) -> Measure:
    return Measure(name, columns, lambda figures: sum(figures[one] for one in columns), int, _always, about)


def _money(name: str, about: str) -> Measure:
    high, low = f"{name}_high", f"{name}_low"
    return Measure(f"{name}_usd", (high, low), lambda figures: whole(figures[high], figures[low]), usd_text, _always, about)


def _mean_ms(name: str, column: str, about: str) -> Measure:
    took, count = f"{column}_us", f"{column}_count"

    def value(figures: Figures) -> int:
        return figures[took] // figures[count] if figures[count] else 0

    return Measure(name, (took, count), value, lambda us: round(us / 1000, 1), lambda figures: bool(figures[count]), about)


def _share(name: str, part: str, columns: tuple[str, ...], about: str) -> Measure:
    def value(figures: Figures) -> int:
        of = sum(figures[one] for one in columns)
        return figures[part] * MILLION // of if of else 0

    def known(figures: Figures) -> bool:
        return any(figures[one] for one in columns)

    return Measure(name, tuple(dict.fromkeys((part, *columns))), value, lambda share: round(share / MILLION, 6), known, about)


_ABOUT = {
    "calls": "Calls to `messages`.",
    "requests": "Requests of clients, to all endpoints; each once, however many rows it has.",
    "failed": "Calls that did not end `completed`.",
    "errors": "Calls that the upstream or the gateway failed.",
    "refused": "Calls that the gateway said no to.",
    "unpriced": "Requests without a price: they cost 0 here.",
    "observed": "Requests billed by what was read of an incomplete answer.",
    "estimated": "Requests billed by estimate.",
}
MEASURES: dict[str, Measure] = {
    one.name: one
    for one in (
        *(_count(name, about) for name, about in _ABOUT.items()),
        *(_count(name, "Tokens of this class.") for name in TOKENS),
        _sum("tokens", (*PROMPT, "output_tokens"), "Tokens of all classes; thinking is in the output."),
        *(_count(name, "Requests of server tools.") for name in TOOLS),
        _money("billed", "What it cost."),
        _money("list", "What it would have cost by list prices."),
        *(_money(name[:-5], "Of what it cost, this part.") for name in AMOUNTS[2:]),
        _mean_ms("latency_ms", "total", "Mean time to the end, of calls that completed."),
        _mean_ms("first_byte_ms", "first_byte", "Mean time to the first byte, likewise."),
        _mean_ms("first_token_ms", "first_token", "Mean time to the first token, likewise."),
        _share("error_rate", "errors", ("calls",), "Errors of all calls, 0 to 1."),
        _share("cache_read_share", "cache_read_tokens", PROMPT, "Of the tokens of prompts, those read from the cache, 0 to 1."),
    )
}
DEFAULT = ("calls", "failed", *TOKENS[:5], "list_usd", "billed_usd")


def columns_of(measures: Iterable[Measure]) -> tuple[str, ...]:
    """What must be read for them; at least one."""
    return tuple(dict.fromkeys(column for one in measures for column in one.columns)) or (COUNTS[0],)


def shown(measures: Iterable[Measure], figures: Figures) -> dict[str, Shown]:
    return {one.name: one.show(one.value(figures)) if one.known(figures) else None for one in measures}


def change(measures: Iterable[Measure], now: Figures, then: Figures) -> dict[str, Shown]:
    """By how much each has grown; null where one of both is not known."""
    return {
        one.name: one.show(one.value(now) - one.value(then)) if one.known(now) and one.known(then) else None for one in measures
    }
