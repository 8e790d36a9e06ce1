"""The report for programs: CSV with a line per group, and JSON. Amounts are exact decimal numbers in USD; `amount_usd` is what
the printed report shows, in cents that add up.

A cell of text that a spreadsheet would take for a formula (it begins with = + - @, a tab or a line end) gets an apostrophe before
it, which spreadsheets hide; so does one that begins with an apostrophe, that the original can be told. Numbers are gw's own.
"""

import csv
import io
from typing import Any

import msgspec

from gw.chargeback.figures import CLASSES, TOKENS, Sums
from gw.chargeback.report import Group, Report, walk
from gw.domain.money import usd_text
from gw.domain.text import defused

COUNTED = ("calls", "failed", "unpriced", *TOKENS, "thinking_tokens")


def csv_bytes(report: Report) -> bytes:
    """RFC 4180 in UTF-8. `level` says what a line is of: the innermost ones and `total` are what to add up, or not."""
    text = io.StringIO()
    lines = csv.writer(text)
    names = [name for level in report.by for name in ([level] if level != "key" else ["key", "key_id", "credential"])]
    lines.writerow(["month", "level", *names, *_figures(report.whole.sums, report.whole)])
    for path in walk(report.whole):
        lines.writerow([str(report.month), path[-1].level, *_who(report, path), *_figures(path[-1].sums, path[-1]).values()])
    blank = ["" for _ in names]
    lines.writerow([str(report.month), "total", *blank, *_figures(report.whole.sums, report.whole).values()])
    return text.getvalue().encode()


def _who(report: Report, path: tuple[Group, ...]) -> list[str]:
    cells: list[str] = []
    for at, level in enumerate(report.by):
        group = path[at] if at < len(path) else None
        cells.append(group.name if group is not None else "")
        if level == "key":
            cells += [group.key_id, group.credential] if group is not None else ["", ""]
    return [defused(cell) for cell in cells]


def _figures(sums: Sums, group: Group) -> dict[str, Any]:
    """By the names of their columns."""
    counts = {name: sums.count(name) for name in COUNTED}
    money = {f"{name}_usd": usd_text(sums.pusd(name)) for name in CLASSES}
    return {
        **counts,
        "estimated": sums.count("observed") + sums.count("estimated"),
        **money,
        "list_usd": usd_text(sums.pusd("list")),
        "charges_usd": usd_text(sums.pusd("billed") - sums.adjusted),
        "adjustments_usd": usd_text(sums.adjusted),
        "billed_usd": usd_text(sums.pusd("billed")),
        "amount_usd": cents_text(group.cents.billed),
        "previous_usd": usd_text(group.before.pusd("billed")),
    }


def cents_text(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def json_bytes(report: Report) -> bytes:
    """The tree, with the same names as the columns of the CSV."""
    body = {
        "month": str(report.month),
        "by": report.by,
        "running": report.running,
        "total": _figures(report.whole.sums, report.whole),
        "groups": [_tree(part) for part in report.whole.parts],
        "models": [{"model": name, **_of_model(sums)} for name, sums in report.figures.models],
        "unpriced_models": [{"model": name, "calls": calls} for name, calls in report.figures.unpriced],
        "adjusted_after_month_usd": usd_text(report.figures.adjusted_later),
        "complete": not report.figures.behind,
    }
    return msgspec.json.encode(body) + b"\n"


def _tree(group: Group) -> dict[str, Any]:
    key = {"key_id": group.key_id, "credential": group.credential} if group.level == "key" else {}
    parts = {"groups": [_tree(part) for part in group.parts]} if group.parts else {}
    return {"level": group.level, "name": group.name, **key, **_figures(group.sums, group), **parts}


def _of_model(sums: Sums) -> dict[str, Any]:
    counts = {name: sums.count(name) for name in COUNTED}
    return {**counts, "list_usd": usd_text(sums.pusd("list")), "billed_usd": usd_text(sums.pusd("billed"))}
