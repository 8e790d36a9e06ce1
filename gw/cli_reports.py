"""`gw usage`: what was spent, and by whom."""

from collections.abc import Callable
from typing import Any, get_args

import click
import orjson
from msgspec.structs import asdict
from rich.table import Table
from rich.text import Text

from gw.cli_ledger import (
    LedgerCommand,
    address_of,
    config_option,
    console,
    json_option,
    ledger_of,
    load_or_exit,
    past_us,
)
from gw.config.model import Config
from gw.domain.money import usd_rounded, usd_text
from gw.ledger import reports
from gw.ledger.reports import By, Filters, UsageRow
from gw.ledger.store import Database

FOLLOW_EVERY_S = 0.3
ROWS_SHOWN_MAX = 100
MODELS_NAMED_MAX = 3
STYLE_OF_OUTCOME = {"completed": "green", "refused": "yellow", "client_gone": "yellow", "stopped": "yellow"}  # the rest: red
EMPTY_GROUP = {"agent": "(main)", "day": "(no date)"}


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """The filters that both commands know; they arrive as keyword arguments of the same names."""
    options = (
        ("key", "Name or public id of a virtual key."),
        ("team", "Team."),
        ("customer", "Customer."),
        ("model", "Model, requested or served; may be a glob such as 'claude-opus-*'."),
        ("session", "Claude Code's session id, or its beginning."),
        ("project", "Project tag."),
        ("upstream", "Upstream."),
    )
    for name, text in reversed(options):
        command = click.option(f"--{name}", default="", metavar=name.upper(), help=text)(command)
    return command


def span_options(since: str | None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        command = click.option("--until", metavar="WHEN", help="Calls that ended before: a span ago, or a date (UTC).")(command)
        shown = f" [default: {since}]" if since else ""
        text = f"Calls that ended since: 7d, 24h, 30m, a date (UTC) or 'all'.{shown}"
        return click.option("--since", default=since, metavar="WHEN", help=text)(command)

    return decorate


@click.command(cls=LedgerCommand)
@config_option
@click.option("--by", type=click.Choice(get_args(By)), default="model", show_default=True, help="One row for each.")
@span_options("7d")
@filter_options
@click.option("--exact", is_flag=True, help="Cost to the last pico-dollar instead of four decimals.")
@json_option
def usage(*, config_path: str | None, by: By, since: str, until: str | None, exact: bool, as_json: bool, **filters: Any) -> None:
    """Show calls, tokens and cost."""
    config = load_or_exit(config_path)
    ledger = ledger_of(config)
    span_and_filters = _since(since), past_us(until), Filters(**filters)
    rows = reports.usage(ledger, by, *span_and_filters)
    if as_json:
        for row in rows:
            _print_json(usage_fields(by, row))
    elif not rows:
        nothing_said(config, ledger)
    else:
        console().print(usage_table(by, rows, money_of(exact=exact)))
        if len(rows) > ROWS_SHOWN_MAX:
            click.echo(f"{len(rows) - ROWS_SHOWN_MAX} more in the total; --json shows them all.")
        whole = reports.total(rows)
        models = reports.unpriced_models(ledger, *span_and_filters) if whole.unpriced else []
        print_doubts(whole.unpriced, models, whole.estimated)


def usage_fields(by: By, row: UsageRow) -> dict[str, str | int]:
    """One group for programs: the group under the name of what it is by, money in USD as text."""
    fields = asdict(row)
    return {by: fields.pop("group"), **_with_usd(fields)}


def usage_table(by: By, rows: list[UsageRow], money: Callable[[int], str]) -> Table:
    """Groups and their total."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(f"{by} (UTC)" if by == "day" else by, overflow="fold")
    for name in ("calls", "failed", "input", "output", "cache read", "cache write", "list USD", "billed USD"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows[:ROWS_SHOWN_MAX]:
        table.add_row(Text(row.group or EMPTY_GROUP.get(by, "(none)")), *_usage_cells(row, money))
    if len(rows) > 1:
        table.add_section()
        table.add_row(Text("total"), *_usage_cells(reports.total(rows), money), style="bold")
    return table


def _usage_cells(row: UsageRow, money: Callable[[int], str]) -> list[str]:
    counts = (row.calls, row.failed, row.input_tokens, row.output_tokens, row.cache_read_tokens)
    written = row.cache_write_5m_tokens + row.cache_write_1h_tokens
    costs = ["?" if row.unpriced and not cost else money(cost) for cost in (row.list_pusd, row.billed_pusd)]
    return [f"{count:,}" for count in (*counts, written)] + costs


def doubts(unpriced: int, models: list[str], estimated: int) -> list[str]:
    """What the costs shown leave open, a line each; `models` are those of the calls without a price."""
    lines = []
    if unpriced:
        more = f" and {len(models) - MODELS_NAMED_MAX} more" if len(models) > MODELS_NAMED_MAX else ""
        which = f"model{'s' if len(models) > 1 else ''} {', '.join(models[:MODELS_NAMED_MAX])}{more}"
        lines.append(
            f"{unpriced:,} {'call has' if unpriced == 1 else 'calls have'} no price ({which}): add a [[pricing.override]]"
        )
    if estimated:
        lines.append(f"{estimated:,} {'call is' if estimated == 1 else 'calls are'} billed by estimate")
    return lines


def print_doubts(unpriced: int, models: list[str], estimated: int) -> None:
    for line in doubts(unpriced, models, estimated):
        click.echo(line)


def _print_json(fields: dict[str, Any]) -> None:
    click.echo(orjson.dumps(fields).decode())


def _with_usd(fields: dict[str, Any]) -> dict[str, Any]:
    """`x_pusd: 43094000000` -> `x_usd: "0.043094"`, in place of it: whole pico-dollars do not fit every reader's numbers."""
    return {
        f"{name[:-5]}_usd" if name.endswith("_pusd") else name: usd_text(value) if name.endswith("_pusd") else value
        for name, value in fields.items()
    }


def money_of(*, exact: bool) -> Callable[[int], str]:
    return usd_text if exact else usd_rounded


def _since(text: str | None) -> int:
    return 0 if text == "all" else past_us(text)


def nothing_said(config: Config, ledger: Database) -> None:
    if reports.any_calls(ledger):
        click.echo("No calls match. Try a longer --since, or fewer filters.")
    else:
        click.echo(f"No calls in {ledger.name} yet. Point Claude Code at this gateway:\n")
        click.echo(f"  export ANTHROPIC_BASE_URL={address_of(config)}\n  claude")
