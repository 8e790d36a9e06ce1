"""`gw chargeback`: what a month has cost, and whom: for finance."""

import sys
from pathlib import Path

import click

from gw import clock
from gw.chargeback.month import month_of, parse_month
from gw.chargeback.page import page
from gw.chargeback.report import DEFAULT_BY, parse_by, report
from gw.chargeback.table import cents_text, csv_bytes, json_bytes
from gw.cli_fields import me
from gw.cli_ledger import LedgerCommand, config_option, ledger_of, load_or_exit
from gw.ledger.audit import note

FORMS = {"html": page, "csv": csv_bytes, "json": json_bytes}


@click.command(cls=LedgerCommand, short_help="Make the report of a month for those who pay.")
@config_option
@click.option("--month", "month_text", metavar="YYYY-MM", help="The month (UTC) [default: the one before this].")
@click.option(
    "--by", "by_text", default=",".join(DEFAULT_BY), show_default=True, metavar="LIST", help="customer, team, project, key."
)
@click.option("--format", "form", type=click.Choice(list(FORMS)), help="[default: by the name of the file, else html].")
@click.option("--output", "-o", metavar="FILE", help="Where to write it; without it, to standard output.")
def chargeback(*, config_path: str | None, month_text: str | None, by_text: str, form: str | None, output: str | None) -> None:
    """Make the report of a month: HTML to read and print, CSV or JSON to book.

    Groups stand within groups in the order of --by. CSV cells that a spreadsheet would run begin with an apostrophe.
    """
    now_us = clock.wall_us()
    try:
        month = parse_month(month_text) if month_text else month_of(now_us).before
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--month") from error
    try:
        by = parse_by(by_text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--by") from error
    chosen = form or _form_of(output)
    ledger, actor = ledger_of(load_or_exit(config_path)), me()
    made = report(ledger, month, by, now_us)
    about = {"by": ",".join(by), "format": chosen}
    note(ledger, now_us, actor.name, actor.via, "read_report", "report", f"chargeback {month}", about)
    content = FORMS[chosen](made)
    if output is None or output == "-":
        sys.stdout.buffer.write(content)
        return
    Path(output).write_bytes(content)
    billed, calls = cents_text(made.whole.cents.billed), made.whole.sums.count("calls")
    click.echo(f"{output}: {month.title}, {billed} USD billed for {calls:,} calls")


def _form_of(output: str | None) -> str:
    suffix = Path(output or "").suffix.lower().removeprefix(".")
    return {"htm": "html"}.get(suffix, suffix if suffix in FORMS else "html")
