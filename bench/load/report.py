"""A file of results -> a report beside it: HTML with plots, complete in itself, and Markdown with the same tables.

python -m bench.load.report bench/results/all.json

Everything in the file is text to show, never markup: it is escaped here, and in `plots`.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from bench.load import markdown
from bench.load.plots import Series, figure_plot, percentile_plot
from bench.load.results import FIGURES, Ledger, Results, Scenario, Target, from_json
from bench.load.tables import books_cells, columns, head_of, range_text, rounds_text, scenario_rows, state_of, summary
from bench.load.wording import markup
from gw.loadgen.histogram import Histogram

STYLE = Path(__file__).with_name("report.css")
# Contenders that have a colour of their own, in every report the same; others take what is left, in their order.
COLOURS = ("gw", "bare", "nginx", "direct", "litellm", "portkey")
COLOURS_MAX = 10
LATENCIES = {
    "latency": "Latency of whole answers",
    "first_byte": "Time to the first byte of the answer",
    "event_delay": "Delay of each event, from the upstream to the client",
}
PLOTTED = {
    "rps": "Requests answered per second",
    "added_p50_us": "Latency added to the upstream's own, median",
    "added_ttfb_p50_us": "Time added to the first byte, median",
    "cpu_per_request_us": "CPU time of the worker per request",
    "cpu_per_event_us": "CPU time of the worker per streamed event",
    "rise_per_body": "Memory per request in flight, in bodies",
}
UPSTREAM = "direct"
STATES = {"met": ("ok", "✓ met"), "missed": ("missed", "✗ missed"), "not measured": ("open", "– not measured")}


def write(results: Results, path: Path) -> tuple[Path, Path]:
    """Writes (HTML, Markdown) beside the file of results at `path`."""
    page, table = path.with_suffix(".html"), path.with_suffix(".md")
    page.write_text(html(results), encoding="utf-8")
    table.write_text(markdown.render(results), encoding="utf-8")
    return page, table


def html(results: Results) -> str:
    """The whole page: well-formed, no script, nothing fetched."""
    series = assign(results)
    scenarios = "".join(_scenario(name, one, series) for name, one in results.scenarios.items())
    title = f"gw bench, {markup(head_of(results))}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>{title}</title>
<style>{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<main>
<header>
<h1>gw, side by side</h1>
<p class="lead">{markup(head_of(results))}</p>
<p class="sum">{markup(summary(results))}</p>
</header>
{_targets(results.targets)}
{scenarios}
{_ledger(results.ledger)}
{_notes(results)}
{_machine(results)}
{_definitions(results)}
</main>
</body>
</html>
"""


def assign(results: Results) -> dict[str, Series]:
    """Contender -> its name and its colour."""
    names = list(dict.fromkeys(name for one in results.scenarios.values() for name in one.contenders))
    own = {name: COLOURS.index(name) for name in names if name in COLOURS}
    free = [number for number in range(COLOURS_MAX) if number not in own.values() and number >= len(COLOURS)]
    others = [name for name in names if name not in own]
    own |= {name: free[index % len(free)] for index, name in enumerate(others)}
    return {name: Series(name, f"c{own[name]}") for name in names}


def _targets(targets: Sequence[Target]) -> str:
    if not targets:
        return ""
    rows = []
    for one in targets:
        state, mark = STATES[state_of(one)]
        how = f"<small>{markup(one.how)}</small>" if one.how else ""
        rows.append(
            f'<tr class="{state}"><td>{markup(one.what)}{how}</td><td>{markup(one.target)}</td>'
            f'<td class="measured">{markup(one.measured)}</td><td><span class="mark">{mark}</span></td></tr>'
        )
    head = _row("th", ("what", "target", "measured", ""))
    return _section("targets", "Targets", f'<div class="wide"><table class="targets">{head}{"".join(rows)}</table></div>')


def _scenario(name: str, scenario: Scenario, series: dict[str, Series]) -> str:
    parts = [f"<p>{markup(scenario.what)}</p>", f'<p class="quiet">{markup(rounds_text(scenario))}</p>']
    for key, title in LATENCIES.items():
        found = {
            series[who]: Histogram.of(measured.histograms[key])
            for who, measured in scenario.contenders.items()
            if key in measured.histograms
        }
        parts.append(_figure(title, percentile_plot(f"{title}: {name}", found)))
    scheduled = any("due" in measured.median for measured in scenario.contenders.values())
    for figure, title in PLOTTED.items():
        if figure == "rps" and scheduled:
            continue  # an open loop: the rate is the schedule's, not the contender's
        values = {
            series[who]: measured.median[figure]
            for who, measured in scenario.contenders.items()
            if figure in measured.median and who != UPSTREAM
        }
        if len(values) > 1:
            parts.append(_figure(title, figure_plot(f"{title}: {name}", figure, values)))
    parts.append(_table(scenario, series))
    return _section("", name, "".join(parts))


def _figure(title: str, plot: str) -> str:
    return f"<figure><figcaption>{markup(title)}</figcaption>{plot}</figure>" if plot else ""


def _table(scenario: Scenario, series: dict[str, Series]) -> str:
    chosen = columns(scenario)
    if not chosen:
        return ""
    heads = "".join(f'<th title="{markup(FIGURES[figure][1])}">{markup(label)}</th>' for figure, label in chosen)
    rows = []
    for who, cells in scenario_rows(scenario, chosen):
        ranges = [range_text(scenario.contenders[who], figure) for figure, _ in chosen]
        shown = "".join(f'<td title="{markup(spread)}">{markup(cell)}</td>' for cell, spread in zip(cells, ranges, strict=True))
        rows.append(f'<tr><th scope="row"><span class="key {series[who].colour}"></span>{markup(who)}</th>{shown}</tr>')
    return f'<div class="wide"><table><tr><th></th>{heads}</tr>{"".join(rows)}</table></div>'


def _ledger(books: Sequence[Ledger]) -> str:
    if not books:
        return ""
    head = _row("th", ("after", "calls in the ledger", "in the invoice", "ledger, USD", "invoice, USD", "budgets passed by", ""))
    rows = []
    for one in books:
        mark = f'<td><span class="mark">{"✓ equal" if one.ok else "✗ unequal"}</span></td>'
        cells = "".join(f"<td>{markup(cell)}</td>" for cell in books_cells(one))
        rows.append(f'<tr class="{"ok" if one.ok else "missed"}">{cells}{mark}</tr>')
    said = "<p>What gw's ledger says against what the fake provider has billed, once the journals were empty.</p>"
    return _section("", "Ledger and invoice", f'{said}<div class="wide"><table>{head}{"".join(rows)}</table></div>')


def _notes(results: Results) -> str:
    lines = [f"{name}: {why}" for name, why in results.absent.items()] + results.notes
    return _section("", "Notes", _list(lines)) if lines else ""


def _machine(results: Results) -> str:
    pairs = [*results.machine.items(), *((f"version of {name}", text) for name, text in results.versions.items())]
    rows = "".join(f'<tr><th scope="row">{markup(name)}</th><td>{markup(text)}</td></tr>' for name, text in pairs)
    return _section("", "Machine and versions", f'<div class="wide"><table class="plain">{rows}</table></div>')


def _definitions(results: Results) -> str:
    used = {figure for one in results.scenarios.values() for measured in one.contenders.values() for figure in measured.median}
    rows = "".join(
        f'<tr><th scope="row">{markup(figure)}</th><td>{markup(unit)}</td><td>{markup(meaning)}</td></tr>'
        for figure, (unit, meaning) in FIGURES.items()
        if figure in used
    )
    return _section("", "What each figure means", f'<div class="wide"><table class="plain">{rows}</table></div>') if rows else ""


def _section(kind: str, title: str, body: str) -> str:
    start = f'<section class="{kind}">' if kind else "<section>"
    return f"{start}<h2>{markup(title)}</h2>{body}</section>"


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{markup(cell)}</{tag}>" for cell in cells) + "</tr>"


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{markup(line)}</li>" for line in lines) + "</ul>"


def paths(words: Sequence[str]) -> Iterator[Path]:
    """Raises SystemExit for what is no file of results."""
    for word in words:
        path = Path(word)
        try:
            results = from_json(path.read_bytes())
        except (OSError, msgspec.DecodeError) as error:
            raise SystemExit(f"{path}: {error}") from error
        yield from write(results, path)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("usage: python -m bench.load.report RESULTS.json...")
    for written in paths(sys.argv[1:]):
        print(written)
