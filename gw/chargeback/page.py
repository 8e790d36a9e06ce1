"""The report as a page for people: self-contained HTML, for a screen and for paper. Every name in it comes from outside, and is
escaped; amounts are in cents that add up."""

from calendar import month_name
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import escape

from gw.chargeback.figures import CLASSES
from gw.chargeback.month import DAY_US, EPOCH
from gw.chargeback.report import PUSD_PER_CENT, Cents, Group, Report, apportioned
from gw.chargeback.style import css, policy
from gw.chargeback.words import amount, compact, counted, delta, named, notes, percent

CONTENTS_MIN = 12  # accounts from which on there is a table of contents
LONG_ROWS = 24  # of an account: from here on it begins a page of its own
PLURALS = {"customer": "customers", "team": "teams", "project": "projects", "key": "keys"}
CLASS_NAMES = {
    "input": "Input",
    "output": "Output",
    "cache_read": "Cache read",
    "cache_write_5m": "Cache write, 5 minutes",
    "cache_write_1h": "Cache write, 1 hour",
    "tools": "Web searches and other tools",
    "other": "Compaction and other charges",
}
HEAD = (
    "<tr><th>{}</th><th>Calls</th><th>Input</th><th>Cache read</th><th>Cache write</th><th>Output</th>{}"
    "<th>Billed USD</th>{}</tr>"
)


def page(report: Report) -> bytes:
    style = css(f"Chargeback {report.month.title}")
    body = "".join(
        [
            _header(report),
            _facts(report),
            _chart(report),
            _notes(report),
            _summary(report),
            '<div class="two">',
            _classes(report),
            _models(report),
            "</div>",
            _contents(report),
            *_accounts(report),
            _how(report),
        ]
    )
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy_of(report).rpartition("; frame")[0])}">'
        f'<meta name="robots" content="noindex"><title>Chargeback {escape(report.month.title)}</title><style>{style}</style>'
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'.encode()


def policy_of(report: Report) -> str:
    """The Content-Security-Policy to serve it with."""
    return policy(css(f"Chargeback {report.month.title}"))


def _header(report: Report) -> str:
    by = " / ".join(report.by)
    last = _day(report.until_us - 1)
    change = delta(report.whole.cents.billed, report.whole.before_cents)
    against = f"{report.month.before.title}: {amount(report.whole.before_cents)}"
    if report.running:
        against = f"first days of {against}"
    return (
        f"<header><div><h1><small>Chargeback</small>{escape(report.month.title)}</h1>"
        f"<p>{_day(report.month.start_us)} to {last} (UTC), by {by}</p></div>"
        f'<div class="total"><b>${amount(report.whole.cents.billed)}</b><span>billed, {change} ({against})</span></div></header>'
    )


def _facts(report: Report) -> str:
    sums, cents, before = report.whole.sums, report.whole.cents, report.whole.before
    tokens = sum(sums.count(f"{name}_tokens") for name in CLASSES[:5])
    then = sum(before.count(f"{name}_tokens") for name in CLASSES[:5])
    cached = sums.count("cache_read_tokens")
    prompt = tokens - sums.count("output_tokens")
    saved = cents.list - cents.charges
    facts = [
        ("At list price", f"${amount(cents.list)}", f"{percent(saved, cents.list)} saved" if saved > 0 else "as billed"),
        ("Charges", f"${amount(cents.charges)}", "before adjustments"),
        ("Adjustments", f"${amount(cents.adjusted)}" if sums.adjusted else "none", "price corrections"),
        ("Calls", counted(sums.count("calls")), f"{delta(sums.count('calls'), before.count('calls'))}"),
        ("Tokens", compact(tokens), delta(tokens, then)),
        ("From cache", percent(cached, prompt), "of prompt tokens"),
    ]
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}<span>{more}</span></dd></div>" for name, value, more in facts)
    return f'<dl class="facts">{cells}</dl>'


def _chart(report: Report) -> str:
    """Billed of each day, as bars; days to come are empty."""
    days, most = report.figures.days, max([*report.figures.days, 1])
    width, height, left = 720, 84, 44
    step = (width - left) / report.month.days  # of places on the page, not of money
    bars = [f'<line x1="{left}" x2="{width}" y1="{height}" y2="{height}"/><line x1="{left}" x2="{width}" y1="8" y2="8"/>']
    cents = apportioned(days, sum(days) // PUSD_PER_CENT + bool(sum(days) % PUSD_PER_CENT))
    for at, billed in enumerate(days):
        high = max(billed, 0) * (height - 8) * 100 // most
        title = f"{_day(report.month.start_us + at * DAY_US)}: ${amount(cents[at])}"
        x, y = left + at * step + step * 0.14, height - high / 100
        bars.append(f'<rect class="fill" x="{x:.1f}" y="{y:.1f}" width="{step * 0.72:.1f}" height="{high / 100:.1f}">')
        bars.append(f"<title>{title}</title></rect>")
    marks = [
        f'<text x="{left + (day - 0.5) * step:.1f}" y="{height + 11}" text-anchor="middle">{day}</text>'
        for day in range(1, report.month.days + 1, 7)
    ]
    top = f'<text x="{left - 5}" y="11" text-anchor="end">${compact_usd(most)}</text>'
    zero = f'<text x="{left - 5}" y="{height}" text-anchor="end">0</text>'
    drawn = f'<svg viewBox="0 0 {width} {height + 14}" width="100%" role="img">{"".join([*bars, *marks, top, zero])}</svg>'
    return f"<figure><figcaption>Billed per day</figcaption>{drawn}</figure>"


def compact_usd(pusd: int) -> str:
    return f"{pusd // 10**12:,}" if pusd >= 10 * 10**12 else amount(pusd // PUSD_PER_CENT)


def _notes(report: Report) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in notes(report))
    return f'<div class="notes"><h3>Before you book this</h3><ul>{lines}</ul></div>' if lines else ""


def _summary(report: Report) -> str:
    level = report.by[0]
    rows = "".join(_row(part, report, 1, link=_has_details(report), shares=True) for part in report.whole.parts)
    return f"<h2>By {level}</h2>{_table(level, report, rows, shares=True)}"


def _table(level: str, report: Report, rows: str, whole: Group | None = None, *, shares: bool = False) -> str:
    more = "<th>Adjusted</th>" if report.whole.sums.adjusted or report.whole.cents.adjusted else ""
    head = HEAD.format(level.capitalize(), more, f"<th>Share</th>{'<th></th>' if shares else ''}<th>{_against(report)}</th>")
    foot = _row(whole or report.whole, report, 1, shares=shares, label="Total")
    return f'<div class="table"><table><thead>{head}</thead><tbody>{rows}</tbody><tfoot>{foot}</tfoot></table></div>'


def _against(report: Report) -> str:
    before = month_name[report.month.before.number]
    days = (report.before_until_us - report.month.before.start_us) // DAY_US
    return f"vs. {days} days of {before}" if report.running else f"vs. {before}"


def _row(group: Group, report: Report, depth: int, *, link: bool = False, shares: bool = False, label: str = "") -> str:
    sums, whole = group.sums, report.whole.cents.billed
    name = escape(label or named(group.label))
    if link:
        name = f'<a href="#{_anchor(report, group)}">{name}</a>'
    if group.level == "key" and group.name and group.key_id and not label:
        name += f"<small>{escape(named(group.key_id))}</small>"
    adjusted = f"<td>{amount(group.cents.adjusted)}</td>" if report.whole.sums.adjusted or report.whole.cents.adjusted else ""
    written = sums.count("cache_write_5m_tokens") + sums.count("cache_write_1h_tokens")
    tokens = (sums.count("input_tokens"), sums.count("cache_read_tokens"), written, sums.count("output_tokens"))
    cells = "".join(f"<td>{compact(count)}</td>" for count in tokens)
    bar = f'<td class="share">{"" if label else _bar(group.cents.billed, whole)}</td>' if shares else ""
    return (
        f'<tr class="d{depth}{"" if group.parts else " leaf"}"><td>{name}</td>'
        f'<td>{counted(sums.count("calls"))}</td>{cells}{adjusted}'
        f'<td class="money">{amount(group.cents.billed)}</td><td>{percent(group.cents.billed, whole)}</td>{bar}'
        f"<td>{delta(group.cents.billed, group.before_cents)}</td></tr>"
    )


def _bar(part: int, whole: int) -> str:
    width = min(max(part, 0) * 1000 // whole, 1000) if whole > 0 else 0
    return (
        '<svg class="bar" viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="1000" height="100"/><rect class="fill" width="{width}" height="100"/></svg>'
    )


def _classes(report: Report) -> str:
    sums = report.whole.sums
    shown = [name for name in CLASSES if sums.pusd(name) or (name in CLASSES[:5] and sums.count(f"{name}_tokens"))]
    cents = apportioned([sums.pusd(name) for name in shown], report.whole.cents.billed) if shown else []
    rows = "".join(
        f"<tr><td>{CLASS_NAMES[name]}</td><td>{compact(sums.count(f'{name}_tokens')) if name in CLASSES[:5] else ''}</td>"
        f'<td class="money">{amount(one)}</td><td>{percent(one, report.whole.cents.billed)}</td></tr>'
        for name, one in zip(shown, cents, strict=True)
    )
    return _small("What it was spent on", "Token class", "Tokens", rows, report)


def _models(report: Report) -> str:
    found = report.figures.models
    cents = apportioned([sums.pusd("billed") for _, sums in found], report.whole.cents.billed) if found else []
    rows = "".join(
        f"<tr><td>{escape(named(name or 'all others'))}</td><td>{counted(sums.count('calls'))}</td>"
        f'<td class="money">{amount(one)}</td><td>{percent(one, report.whole.cents.billed)}</td></tr>'
        for (name, sums), one in zip(found, cents, strict=True)
    )
    return _small("By model", "Model", "Calls", rows, report)


def _small(title: str, first: str, second: str, rows: str, report: Report) -> str:
    foot = f'<tr><td>Total</td><td></td><td class="money">{amount(report.whole.cents.billed)}</td><td>100%</td></tr>'
    head = f"<tr><th>{first}</th><th>{second}</th><th>Billed USD</th><th>Share</th></tr>"
    return (
        f"<div><h2>{title}</h2><div class=\"table\"><table><thead>{head}</thead><tbody>{rows}</tbody>"
        f"<tfoot>{foot}</tfoot></table></div></div>"
    )


def _has_details(report: Report) -> bool:
    return len(report.by) > 1


def _anchor(report: Report, group: Group) -> str:
    return f"a{next(at for at, part in enumerate(report.whole.parts) if part is group)}"


def _contents(report: Report) -> str:
    if not _has_details(report) or len(report.whole.parts) < CONTENTS_MIN:
        return ""
    lines = "".join(
        f'<li><a href="#a{at}"><span>{escape(named(part.label))}</span><span>{amount(part.cents.billed)}</span></a></li>'
        for at, part in enumerate(report.whole.parts)
    )
    return f"<nav><h2>Contents</h2><ol>{lines}</ol></nav>"


def _accounts(report: Report) -> Iterator[str]:
    """Of each account of the first level a table of what is in it."""
    if not _has_details(report):
        return
    level = report.by[0]
    for at, part in enumerate(report.whole.parts):
        rows = list(_nested(part, report, 1))
        long = " long" if len(rows) >= LONG_ROWS or at == 0 else ""
        cents: Cents = part.cents
        head = (
            f'<div class="head"><h3><small>{level}</small>{escape(named(part.label))}</h3>'
            f"<p><b>${amount(cents.billed)}</b>{percent(cents.billed, report.whole.cents.billed)} of all</p></div>"
        )
        yield f'<section class="account{long}" id="a{at}">{head}{_table(report.by[1], report, "".join(rows), part)}</section>'


def _nested(group: Group, report: Report, depth: int) -> Iterator[str]:
    for part in group.parts:
        yield _row(part, report, depth)
        yield from _nested(part, report, min(depth + 1, 3))


def _how(report: Report) -> str:
    made = (EPOCH + timedelta(microseconds=report.made_us)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    return (
        '<div class="how"><h2>How to read this</h2>'
        "<p>A call belongs to the month (UTC) in which it ended. <b>Billed</b> is what the calls cost at the prices agreed with "
        "the provider, price corrections included; <b>at list price</b> is the same usage without any agreement. Sums are exact "
        "to the last 1e-12 dollar; amounts shown are cents, rounded such that every column adds up to its total. The CSV has "
        "both. "
        f"<b>{_against(report)}</b> is the change of what is billed.</p>"
        f"<p>Made by gw on {made}.</p></div>"
    )


def _day(us: int) -> str:
    moment: datetime = (EPOCH + timedelta(microseconds=us)).astimezone(UTC)
    return f"{moment.day} {moment:%B %Y}"

