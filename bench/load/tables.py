"""What the tables of a report say, as text: the same words for HTML and for Markdown."""

from collections.abc import Iterator, Sequence

from bench.load.results import FIGURES, Ledger, Measured, Results, Scenario, Target
from bench.load.wording import figure_text

# Figure -> head of its column. In this order; a table has those that some contender has.
COLUMNS = {
    "rps": "requests/s",
    "p50_us": "p50",
    "p99_us": "p99",
    "p999_us": "p99.9",
    "added_p50_us": "added p50",
    "added_p99_us": "added p99",
    "ttfb_p50_us": "first byte p50",
    "ttfb_p99_us": "p99",
    "added_ttfb_p50_us": "added first byte p50",
    "added_ttfb_p99_us": "p99",
    "delay_p50_us": "event delay p50",
    "delay_p99_us": "p99",
    "cpu_per_request_us": "CPU/request",
    "cpu_per_event_us": "CPU/event",
    "governance_p50_us": "governance p50",
    "governance_p99_us": "p99",
    "events_per_s": "events/s",
    "rss_mb": "memory",
    "peak_mb": "peak",
    "rise_per_body": "rise",
    "slope_kb_per_min": "slope",
    "open_connections": "connections",
    "aborted": "aborted",
    "in_flight_after": "in flight after",
    "files_left": "files left",
    "failed": "failed",
}
NOT_MEASURED = "not measured"
PUSD = 1_000_000_000_000


def head_of(results: Results) -> str:
    """When, on what, with which gw."""
    version = results.versions.get("gw", "")
    cpu, cores = results.machine.get("cpu", ""), results.machine.get("cores", "")
    parts = (results.started, f"gw {version}" if version else "", f"{cpu}, {cores} cores" if cpu else "")
    return " · ".join(part for part in parts if part)


def summary(results: Results) -> str:
    """Targets met, and whether the books agree."""
    states = [state_of(one) for one in results.targets]
    measured = [state for state in states if state != NOT_MEASURED]
    parts = [f"{measured.count('met')} of {len(measured)} targets met"] if measured else []
    if left := len(states) - len(measured):
        parts.append(f"{left} not measured")
    if results.ledger:
        equal = sum(one.ok for one in results.ledger)
        parts.append(f"ledger and invoice equal in {equal} of {len(results.ledger)} runs")
    return " · ".join(parts)


def state_of(one: Target) -> str:
    """`met`, `missed` or `not measured`."""
    if one.ok:
        return "met"
    return NOT_MEASURED if one.measured == NOT_MEASURED else "missed"


def rounds_text(scenario: Scenario) -> str:
    counts = sorted({len(measured.rounds) for measured in scenario.contenders.values()})
    rounds = " or ".join(map(str, counts)) or "no"
    spoilt = sum(not one.good for measured in scenario.contenders.values() for one in measured.rounds)
    text = f"Interleaved rounds of {scenario.seconds:g} s: {rounds}. Medians of those that count"
    return f"{text}; {spoilt} of all measurements did not." if spoilt else f"{text}."


def columns(scenario: Scenario) -> list[tuple[str, str]]:
    """(figure, head) of the columns of a scenario's table; none where all of them are 0."""
    medians = [measured.median for measured in scenario.contenders.values()]
    return [(figure, head) for figure, head in COLUMNS.items() if any(median.get(figure) for median in medians)]


def scenario_rows(scenario: Scenario, chosen: Sequence[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """(contender, its cells); an empty cell for what it has not."""
    for who, measured in scenario.contenders.items():
        median = measured.median
        yield who, [figure_text(figure, median[figure]) if figure in median else "" for figure, _ in chosen]


def range_text(measured: Measured, figure: str) -> str:
    """From the least to the greatest of the rounds that count."""
    values = [one.figures[figure] for one in measured.rounds if one.good and figure in one.figures]
    if not values:
        return FIGURES[figure][1]
    return f"{figure_text(figure, min(values))} to {figure_text(figure, max(values))} in {len(values)} rounds"


def usd(pusd: str) -> str:
    """Pico-USD as decimal text -> USD, exact; what is no whole number as it is."""
    if not pusd.isdecimal() or not pusd.isascii():
        return pusd
    whole, part = divmod(int(pusd), PUSD)
    return f"{whole:,}.{part:012d}".rstrip("0").rstrip(".")


def books_cells(one: Ledger) -> tuple[str, ...]:
    passed = usd(str(one.overshoot_nusd * 1000)) if one.overshoot_nusd else "0"
    calls = (f"{one.ledger_calls:,}", f"{one.invoice_calls:,}")
    return (one.scenario, *calls, usd(one.ledger_pusd), usd(one.invoice_pusd), passed)
