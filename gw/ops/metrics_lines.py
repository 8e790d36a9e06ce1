"""Families of many series as lines of text. prometheus-client takes 10 us a line, this 0.6 (bench/micro/bench_metrics.py): with
200 accounts its page would take longer than a scrape may. What has few series goes through the library (gw/ops/metrics.py), and
tests read all of it with the library's parsers.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from gw.domain.money import PUSD_PER_NUSD, PUSD_PER_USD
from gw.ops.metrics_figures import (
    BILLED,
    CALLS,
    ENDPOINTS,
    HITS,
    LIST,
    OUTCOMES,
    RETRIES,
    TIMES,
    TIMINGS,
    TOKEN_CLASSES,
    TOKENS,
    UNPRICED,
    US_PER_S,
    Counted,
)
from gw.ops.metrics_published import Published

NUSD_PER_USD = PUSD_PER_USD // PUSD_PER_NUSD
Labelled = list[tuple[str, list[int]]]  # labels as they stand in a line, figures

_CALL_LABELS = [
    (CALLS + e * len(OUTCOMES) + o, f'endpoint="{endpoint}",outcome="{outcome}"')
    for e, endpoint in enumerate(ENDPOINTS)
    for o, outcome in enumerate(OUTCOMES)
]
_TOKEN_LABELS = [(TOKENS + nth, f'class="{name}"') for nth, name in enumerate(TOKEN_CLASSES)]


def families(published: Published, *, openmetrics: bool) -> Iterator[str]:
    """One at a time, so that others may run in between."""
    counted = published.counted
    paths = [(_joined(counted.labels, values), figures) for values, figures in counted.paths]
    for name, text, lines in _of_paths(paths):
        yield _family(name, text, "counter", lines, openmetrics=openmetrics)
    for name, text, lines in _of_services(counted):
        yield _family(name, text, "counter", lines, openmetrics=openmetrics)
    yield _family(
        "gw_ledger_errors",
        "Calls of the ledger that ended in an error, by outcome and slug",
        "counter",
        _errors(counted),
        openmetrics=openmetrics,
    )
    for name, text, lines in _of_ways(counted):
        yield _family(name, text, "counter", lines, openmetrics=openmetrics)
    yield from _timings(counted)
    for name, text, lines in _of_budgets(published):
        yield _family(name, text, "gauge", lines, openmetrics=openmetrics)


def escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _joined(names: Sequence[str], values: Sequence[str]) -> str:
    return ",".join([f'{name}="{escaped(value)}"' for name, value in zip(names, values, strict=True)])


def _family(name: str, text: str, kind: str, lines: Iterable[str], *, openmetrics: bool) -> str:
    """`lines`: without the name, from the brace on."""
    sample = f"{name}_total" if kind == "counter" else name
    head = name if openmetrics else sample
    return "".join([f"# HELP {head} {text}\n# TYPE {head} {kind}\n", *[f"{sample}{line}\n" for line in lines]])


def _usd(figures: Sequence[int], at: int) -> float:
    """For Prometheus only, whose numbers are floats by definition."""
    return (figures[at] * PUSD_PER_USD + figures[at + 1]) / PUSD_PER_USD


def _of_paths(paths: Labelled) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Of paths that cost nothing yet only the calls are shown."""
    costly = [(labels, figures) for labels, figures in paths if any(figures[TOKENS : HITS + 1])]
    yield (
        "gw_ledger_calls",
        "Calls of the ledger by endpoint and outcome",
        [f"{{{labels},{more}}} {figures[at]}" for labels, figures in paths for at, more in _CALL_LABELS if figures[at]],
    )
    yield (
        "gw_ledger_tokens",
        "Tokens of the ledger's calls by price class",
        [f"{{{labels},{more}}} {figures[at]}" for labels, figures in costly for at, more in _TOKEN_LABELS],
    )
    yield (
        "gw_ledger_cost_usd",
        "Cost of the ledger's calls, at list price and as billed",
        [
            f'{{{labels},kind="{kind}"}} {_usd(figures, at)}'
            for labels, figures in costly
            for kind, at in (("list", LIST), ("billed", BILLED))
        ],
    )
    yield (
        "gw_ledger_cached_calls",
        "Messages calls that read a part of their prompt from the cache",
        [f"{{{labels}}} {figures[HITS]}" for labels, figures in costly],
    )


def _of_services(counted: Counted) -> Iterator[tuple[str, str, Iterable[str]]]:
    services = _services(counted)
    for name, text, at in (
        ("gw_ledger_retries", "Upstream attempts repeated, of the ledger's calls", RETRIES),
        ("gw_ledger_unpriced_calls", "Calls of the ledger that have no price", UNPRICED),
    ):
        yield name, text, [f"{{{labels}}} {figures[at]}" for labels, figures in services]
    one = counted.adjusted
    yield "gw_ledger_adjusted_calls", "Times that repricing has changed the cost of a call", [f" {one.calls}"]
    yield (
        "gw_ledger_adjustments_usd",
        "What repricing has added to the cost of earlier calls (up) or taken from it (down)",
        [
            f'{{direction="{direction}",kind="{kind}"}} {_usd(figures, 0)}'
            for kind, direction, figures in (
                ("list", "up", one.list_up),
                ("list", "down", one.list_down),
                ("billed", "up", one.billed_up),
                ("billed", "down", one.billed_down),
            )
        ],
    )


def _errors(counted: Counted) -> list[str]:
    names = (*(label for label in counted.labels if label != "model"), "outcome", "error")
    return [f"{{{_joined(names, values)}}} {count}" for values, count in counted.errors]


def _of_ways(counted: Counted) -> Iterator[tuple[str, str, Iterable[str]]]:
    names = ("upstream", "error", "then")
    yield (
        "gw_ledger_failed_attempts",
        "Attempts that failed at an upstream and were followed by another one, again there or elsewhere",
        [f"{{{_joined(names, values)}}} {count}" for values, count in counted.failures],
    )
    yield (
        "gw_ledger_dialect_calls",
        "Messages calls that went to an upstream, by the dialect that the client speaks",
        [f"{{{_joined(('upstream', 'dialect'), values)}}} {count}" for values, (count,) in counted.dialects],
    )


def _services(counted: Counted) -> Labelled:
    return [(_joined(("upstream", "model"), values), figures) for values, figures in counted.services]


def _timings(counted: Counted) -> Iterator[str]:
    services = _services(counted)
    for nth, timing in enumerate(TIMINGS):
        name, size, base = timing.name, len(timing.bounds_us), TIMES[nth]
        bounds = [*(str(bound / US_PER_S) for bound in timing.bounds_us), "+Inf"]
        lines = [f"# HELP {name} {timing.text}\n# TYPE {name} histogram\n"]
        for labels, figures in services:
            running = list(accumulate(figures[base : base + size + 1]))
            for bound, count in zip(bounds, running, strict=True):
                lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {count}\n')
            lines.append(f"{name}_count{{{labels}}} {running[-1]}\n")
            lines.append(f"{name}_sum{{{labels}}} {figures[base + size + 1] / US_PER_S}\n")
        yield "".join(lines)


def _of_budgets(published: Published) -> Iterator[tuple[str, str, Iterable[str]]]:
    names = ("budget", "scope", "account", "mode")
    budgets = [(_joined(names, (one.budget, one.scope, one.account, one.mode)), one) for one in published.budgets]
    for name, text, amounts in (
        ("gw_budget_limit_usd", "What an account may spend in the window of now, increases included", "limit_nusd"),
        ("gw_budget_settled_usd", "What an account has spent in the window of now", "settled_nusd"),
        ("gw_budget_reserved_usd", "What is set aside for calls of an account that run", "reserved_nusd"),
    ):
        yield name, text, [f"{{{labels}}} {getattr(one, amounts) / NUSD_PER_USD}" for labels, one in budgets]
    windows = [(_joined(("budget",), (one.budget,)), one) for one in published.windows]
    ending = [(labels, one) for labels, one in windows if one.end_us]
    yield (
        "gw_budget_window_start_timestamp_seconds",
        "Beginning of a budget's window of now",
        [f"{{{labels}}} {one.start_us / US_PER_S}" for labels, one in ending],
    )
    yield (
        "gw_budget_window_end_timestamp_seconds",
        "End of a budget's window of now",
        [f"{{{labels}}} {one.end_us / US_PER_S}" for labels, one in ending],
    )
    yield (
        "gw_budget_accounts_hidden",
        "Accounts of a budget that are not shown: sessions, and those that have used least of their limit where there are many",
        [f"{{{labels}}} {one.hidden}" for labels, one in windows],
    )
