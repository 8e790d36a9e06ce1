"""`gw reprice`: after a price correction, what earlier calls cost by the prices in force, as adjustments beside their rows."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import click
import msgspec
import orjson
from rich.table import Table
from rich.text import Text

from gw import clock
from gw.cli_fields import me
from gw.cli_ledger import (
    LedgerCommand,
    config_option,
    console,
    json_option,
    ledger_of,
    load_or_exit,
    past_us,
    utc_text,
)
from gw.domain.money import usd_rounded, usd_text
from gw.ledger.adjust import AMOUNTS
from gw.ledger.audit import AuditRow, append
from gw.ledger.reprice import Order, Repriced, Wanted, reprice
from gw.ledger.store import Database
from gw.reprice import pricer_of

LIST, BILLED = AMOUNTS.index("list_pusd"), AMOUNTS.index("billed_pusd")
REASON_CHARS_MAX = 300
GROUPS_SHOWN_MAX = 50
KINDS = ("model", "key", "team")


class Line:
    """Sums of one group: of calls that have a price."""

    def __init__(self) -> None:
        self.calls = self.changed = 0
        self.before = [0, 0]  # list, billed; pico-USD
        self.after = [0, 0]

    def add(self, one: Repriced) -> None:
        assert not isinstance(one.priced, str), "a call without a price is not in any group"
        self.calls += 1
        self.changed += one.adjustment is not None
        for nth, before, after in ((0, LIST, one.priced.list_pusd), (1, BILLED, one.priced.billed_pusd)):
            self.before[nth] += one.before.amounts[before]
            self.after[nth] += after

    @property
    def delta(self) -> list[int]:
        return [after - before for after, before in zip(self.after, self.before, strict=True)]


class Report:
    """What came of it, before, after and the difference, by model, key and team; and the calls that stay as they are."""

    def __init__(self) -> None:
        self.total = Line()
        self.groups: dict[str, dict[str, Line]] = {kind: defaultdict(Line) for kind in KINDS}
        self.left: Counter[tuple[str, str]] = Counter()  # model, why

    def add(self, found: list[Repriced]) -> None:
        for one in found:
            record = one.record
            model = record.served_model or record.requested_model
            if isinstance(one.priced, str):
                self.left[model, one.priced] += 1
                continue
            passthrough = f"passthrough {record.credential}" if record.credential else record.key_id
            names = {"model": model, "key": record.key_name or passthrough, "team": record.team}
            for line in (self.total, *(self.groups[kind][name] for kind, name in names.items())):
                line.add(one)

    def changed(self, kind: str) -> list[tuple[str, Line]]:
        """Groups in which something changes, the largest difference first."""
        found = [(name, line) for name, line in self.groups[kind].items() if line.changed]
        return sorted(found, key=lambda one: (-abs(one[1].delta[1]), -abs(one[1].delta[0]), one[0]))


@click.command("reprice", cls=LedgerCommand, short_help="Price earlier calls by the prices in force.")
@config_option
@click.option("--since", required=True, metavar="WHEN", help="Calls that ended since: 7d, 24h, 30m, a date (UTC) or 'all'.")
@click.option("--until", metavar="WHEN", help="Calls that ended before: a span ago, or a date (UTC) [default: now].")
@click.option("--model", default="", metavar="MODEL", help="Model, requested or served; may be a glob such as 'claude-opus-*'.")
@click.option("--upstream", default="", metavar="UPSTREAM", help="Upstream.")
@click.option("--key", default="", metavar="KEY", help="Name or public id of a virtual key.")
@click.option("--team", default="", metavar="TEAM", help="Team.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for those who look later; kept with each adjustment.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--exact", is_flag=True, help="Cost to the last pico-dollar instead of four decimals.")
@json_option
def reprice_command(
    *,
    config_path: str | None,
    since: str,
    until: str | None,
    reason: str,
    dry_run: bool,
    exact: bool,
    as_json: bool,
    **filters: str,
) -> None:
    """Price earlier calls by the prices in force, after a price was corrected.

    Rows of calls never change: what a call costs more or less is added beside it, budgets and reports follow, and a second run
    adds nothing. Correct the price first ([[pricing.override]], or a newer price list), look with --dry-run, then do it.
    """
    config = load_or_exit(config_path)
    if len(reason) > REASON_CHARS_MAX or not reason.isprintable():
        raise click.BadParameter(f"must be one line of at most {REASON_CHARS_MAX} characters", param_hint="--reason")
    try:
        pricer = pricer_of(config)
    except (ValueError, OSError) as error:
        raise click.ClickException(f"there are no prices to go by: {error}") from error
    database, now_us = ledger_of(config), clock.wall_us()
    wanted = Wanted(since_us=0 if since == "all" else past_us(since), until_us=past_us(until) or now_us, **filters)
    if wanted.since_us >= wanted.until_us:
        raise click.UsageError(f"nothing lies between {utc_text(wanted.since_us)} and {utc_text(wanted.until_us)} UTC")
    report, actor = Report(), me()
    order = Order(wanted, pricer.price, now_us, actor.name, reason, dry_run)
    try:
        reprice(database, order, report.add)
    finally:  # pages are kept one by one: whatever came between, those that were stand in the audit
        if report.total.changed and not dry_run:
            _note(database, order, report, actor.via)
    if as_json:
        for fields in report_fields(report, dry_run=dry_run):
            click.echo(orjson.dumps(fields).decode())
    else:
        _show(report, usd_text if exact else usd_rounded, dry_run=dry_run)


def report_fields(report: Report, *, dry_run: bool) -> Iterator[dict[str, object]]:
    """For programs: the total, then each group that changes, then what stays. Money in USD as text."""
    yield {"group": "total", "name": "", **_line_fields(report.total), "dry_run": dry_run}
    for kind in KINDS:
        for name, line in report.changed(kind):
            yield {"group": kind, "name": name, **_line_fields(line), "dry_run": dry_run}
    for (model, why), calls in sorted(report.left.items()):
        yield {"group": "left", "name": model, "calls": calls, "why": why}


def _line_fields(line: Line) -> dict[str, object]:
    fields: dict[str, object] = {"calls": line.calls, "changed": line.changed}
    for nth, kind in enumerate(("list", "billed")):
        for name, amounts in (("before", line.before), ("after", line.after), ("delta", line.delta)):
            fields[f"{kind}_{name}_usd"] = usd_text(amounts[nth])
    return fields


def _show(report: Report, money: Callable[[int], str], *, dry_run: bool) -> None:
    total = report.total
    for kind in KINDS if total.changed else ():
        console().print(_table(kind, report.changed(kind), money))
    would = "would change" if dry_run else "changed"
    if total.changed:
        listed, billed = (f"{'+' if delta > 0 else ''}{money(delta)}" for delta in total.delta)
        click.echo(
            f"{total.changed:,} of {total.calls:,} calls {would}: billed {billed} USD "
            f"({money(total.before[1])} -> {money(total.after[1])}), list {listed} USD."
        )
    else:
        click.echo(f"Nothing to change: {total.calls:,} calls cost what the prices in force say.")
    for (model, why), calls in report.left.most_common():
        stay = "call of {} stays as it is" if calls == 1 else "calls of {} stay as they are"
        click.echo(f"{calls:,} {stay.format(model or '(no model)')}: {why}")
    if dry_run and total.changed:
        click.echo("Nothing was written. Without --dry-run it is.")


def _table(kind: str, groups: list[tuple[str, Line]], money: Callable[[int], str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(kind, overflow="fold")
    for name in ("calls", "changed", "before USD", "after USD", "delta USD"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, line in groups[:GROUPS_SHOWN_MAX]:
        delta = line.delta[1]
        amounts = (money(line.before[1]), money(line.after[1]), f"{'+' if delta > 0 else ''}{money(delta)}")
        table.add_row(Text(name or "(none)"), f"{line.calls:,}", f"{line.changed:,}", *amounts)
    if len(groups) > GROUPS_SHOWN_MAX:
        table.add_row(f"and {len(groups) - GROUPS_SHOWN_MAX} more: --json shows them all")
    table.add_section()
    return table


def _note(database: Database, order: Order, report: Report, via: str) -> None:
    """Into the audit: what was asked for, and what came of it."""
    asked = {name: value for name, value in msgspec.to_builtins(order.wanted).items() if value}
    came = {**asked, "reason": order.reason, **_line_fields(report.total)}
    row = AuditRow(0, clock.wall_us(), order.actor, via, "reprice", "ledger", "", "", msgspec.json.encode(came).decode())
    with database.changing() as db:
        append(db, row)
