"""A run as Markdown: the tables of the report, for where HTML cannot be read."""

import re
from collections.abc import Iterable, Sequence

from bench.load.results import Results
from bench.load.tables import books_cells, columns, head_of, rounds_text, scenario_rows, state_of, summary
from bench.load.wording import printable

# What Markdown, or the HTML within it, would read as more than text.
MARKUP = re.compile(r"([\\`*_\[\]<>|~#&!])")


def text(words: str) -> str:
    """One line of plain text, whatever it was."""
    return MARKUP.sub(r"\\\1", " ".join(printable(words).split()))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: bool = False) -> list[str]:
    """Cells are escaped here. The first column is words, the others figures unless `words`."""
    lines = ["| " + " | ".join(map(text, head)) + " |", "|---" + ("|---" if words else "|---:") * (len(head) - 1) + "|"]
    return [*lines, *("| " + " | ".join(map(text, row)) + " |" for row in rows), ""]


def render(results: Results) -> str:
    lines = ["# gw, side by side", "", text(head_of(results)), ""]
    if words := summary(results):
        lines += [f"**{text(words)}**", ""]
    if results.targets:
        lines += ["## Targets", ""]
        rows = [(one.what, one.target, one.measured, state_of(one)) for one in results.targets]
        lines += table(("what", "target", "measured", ""), rows)
    for name, scenario in results.scenarios.items():
        chosen = columns(scenario)
        lines += [f"## {text(name)}", "", text(scenario.what), "", text(rounds_text(scenario)), ""]
        lines += table(("", *(head for _, head in chosen)), [(who, *cells) for who, cells in scenario_rows(scenario, chosen)])
    if results.ledger:
        lines += ["## Ledger and invoice", ""]
        head = ("after", "calls in the ledger", "in the invoice", "ledger, USD", "invoice, USD", "budgets passed by", "")
        lines += table(head, [(*books_cells(one), "equal" if one.ok else "UNEQUAL") for one in results.ledger])
    notes = [*(f"{name}: {why}" for name, why in results.absent.items()), *results.notes]
    if notes:
        lines += ["## Notes", "", *(f"- {text(note)}" for note in notes), ""]
    lines += ["## Machine and versions", ""]
    pairs = [*results.machine.items(), *((f"version of {name}", one) for name, one in results.versions.items())]
    lines += table(("", ""), pairs, words=True)
    return "\n".join(lines).rstrip() + "\n"
