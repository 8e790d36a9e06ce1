"""`gw customer`, `gw team`, `gw budget`, `gw limit`: what the database defines beside config.toml."""

from collections.abc import Callable, Iterable
from datetime import datetime

import click
import orjson
from rich.text import Text

from gw import clock
from gw.cli_fields import (
    ControlCommand,
    create_command,
    delete_command,
    future_text,
    group,
    json_line,
    lines_json_option,
    me,
    one_json_option,
    service_of,
    show_problems,
    table_of,
    update_command,
    version_option,
)
from gw.cli_ledger import config_option, console, load_or_exit
from gw.cli_standings import COLUMNS, cells_of, plain, standings_of
from gw.config.model import wall_us_of
from gw.control.items import Fields, Item
from gw.domain.limit import LIMIT_KINDS
from gw.domain.scope import KINDS, is_pattern
from gw.domain.stored import Kind
from gw.domain.window import describe, parse_window

Rows = Callable[[list[Item]], Iterable[tuple[str, ...]]]
BUDGET_COLUMNS = ("name", "scope", "limit", "window", "mode", "reserve", "source")

customer = group("customer", "Create, list and delete customers.")
team = group("team", "Create, list, change and delete teams.")
budget = group("budget", "Create, list, change, raise and delete budgets.")
limit = group("limit", "Create, list, change and delete limits.")


def list_command(kind: Kind, columns: tuple[str, ...], rows: Rows) -> click.Command:
    @click.command("list", cls=ControlCommand, help=f"List the {kind}s, those of the configuration file first.")
    @config_option
    @lines_json_option
    def list_(config_path: str | None, as_json: bool) -> None:
        items = service_of(load_or_exit(config_path)).list(kind)
        if as_json:
            for item in items:
                click.echo(json_line(item))
            return
        if not items:
            click.echo(f"No {kind}s yet. Make one with: gw {kind} create NAME")
            return
        table = table_of(columns)
        for cells in rows(items):
            table.add_row(*map(Text, cells))
        console().print(table)
        show_problems(items)

    return list_


def customer_rows(items: list[Item]) -> Iterable[tuple[str, ...]]:
    return ((item.name, item.source) for item in items)


def team_rows(items: list[Item]) -> Iterable[tuple[str, ...]]:
    return ((item.name, item.fields["customer"] or "-", item.source) for item in items)


@click.command("list", cls=ControlCommand, short_help="List the budgets, and what is spent of each.")
@config_option
@lines_json_option
def list_budgets(config_path: str | None, as_json: bool) -> None:
    """List the budgets, those of the configuration file first; where a gateway has run, with what is spent of each."""
    config = load_or_exit(config_path)
    items = service_of(config).list("budget")
    found = standings_of(config)
    if as_json:
        for item in items:
            in_force = found.get(item.name, []) if found is not None and not item.problem else None
            more = {"standings": list(map(plain, in_force))} if in_force is not None else {}
            click.echo(json_line(item, **more))
        return
    if not items:
        click.echo("No budgets yet. Make one with: gw budget create NAME")
        return
    table = table_of((*BUDGET_COLUMNS, *(COLUMNS if found is not None else ())))
    for item in items:
        cells = budget_cells(item)
        accounts = [] if found is None or item.problem else found.get(item.name, [])
        for stands in list(cells_of(accounts)) or [()]:
            table.add_row(*map(Text, (*cells, *stands)))
            cells = ("",) * len(cells)  # further accounts of the same budget
    console().print(table)
    show_problems(items)


def budget_cells(item: Item) -> tuple[str, ...]:
    fields = item.fields
    amounts = amount_text(fields), window_text(fields), fields["mode"], fields["reserve"]
    return item.name, scope_text(fields), *amounts, item.source


def limit_rows(items: list[Item]) -> Iterable[tuple[str, ...]]:
    for item in items:
        yield item.name, scope_text(item.fields), rate_text(item.fields), item.fields["burst"] or "-", item.source


def scope_text(fields: Fields) -> str:
    """`each key "database-*"`."""
    said = []
    for kind in KINDS:
        if name := fields[kind]:
            each = "each " if kind == "session" or (fields["each"] and is_pattern(name)) else ""
            said.append(f"each {kind}" if each and name == "*" else f'{each}{kind} "{name}"')
    return " and ".join(said) or "nobody"


def amount_text(fields: Fields) -> str:
    """`$50 + $10`: with the increases that are in force."""
    now_us = clock.wall_us()
    running = [one["limit_usd"] for one in fields["increase"] if wall_us_of(datetime.fromisoformat(one["until"])) > now_us]
    return " + ".join(f"${usd}" for usd in (fields["limit_usd"], *running))


def window_text(fields: Fields) -> str:
    """`monthly`; as it was written where that is no window."""
    try:
        return describe(parse_window(fields["window"], fields["time_zone"], fields["anchor"]))
    except ValueError:
        return str(fields["window"])


def rate_text(fields: Fields) -> str:
    """`600 requests per 1m`."""
    said = []
    for kind in LIMIT_KINDS:
        if amount := fields[kind]:
            what = f"${amount}" if kind == "usd" else f"{amount} {kind.replace('_', ' ')}"
            said.append(f"{amount} at once" if kind == "parallel" else f"{what} per {fields['per']}")
    return " and ".join(said) or "nothing"


@click.command("increase", cls=ControlCommand)
@config_option
@click.argument("name")
@click.option("--limit-usd", metavar="USD", help="Added to the limit.")
@click.option("--until", metavar="WHEN", help="First instant at which it holds no more: a date (UTC), or a span from now: 7d.")
@click.option("--reason", help="Why, for those who look later.")
@click.option("--remove", "position", type=int, metavar="N", help="Instead: take back the increase N, counted from 0.")
@version_option
@one_json_option
def increase(
    config_path: str | None,
    name: str,
    *,
    limit_usd: str | None,
    until: str | None,
    reason: str | None,
    position: int | None,
    version: int | None,
    as_json: bool,
) -> None:
    """Raise the budget NAME for a while, or take that back."""
    service = service_of(load_or_exit(config_path))
    if position is not None:
        if limit_usd or until or reason:
            raise click.UsageError("--remove stands alone")
        item = service.remove_increase(name, position, actor=me(), version=version)
    else:
        if not (limit_usd and until and reason):
            raise click.UsageError("an increase needs --limit-usd, --until and --reason")
        fields = {"limit_usd": limit_usd, "until": future_text(until), "reason": reason}
        item = service.add_increase(name, fields, actor=me(), version=version)
    if as_json:
        click.echo(json_line(item))
        return
    if not item.fields["increase"]:
        click.echo(f'The budget "{item.name}" has no increases.')
        return
    click.echo(f'The increases of the budget "{item.name}":')
    for at, one in enumerate(item.fields["increase"]):
        click.echo(f"  {at}: ${one['limit_usd']} until {one['until']}: {one['reason']}")


def change_text(before: Fields | None, after: Fields | None) -> str:
    """What differs: `limit_usd "10" -> "20"`."""
    if before is None or after is None:
        return ""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return ", ".join(f"{name} {_short(before.get(name))} -> {_short(after.get(name))}" for name in names)


def _short(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."


GROUPS: tuple[tuple[click.Group, Kind, str, click.Command], ...] = (
    (customer, "customer", "a customer", list_command("customer", ("name", "source"), customer_rows)),
    (team, "team", "a team", list_command("team", ("name", "customer", "source"), team_rows)),
    (budget, "budget", "a budget", list_budgets),
    (limit, "limit", "a limit", list_command("limit", ("name", "scope", "rate", "burst", "source"), limit_rows)),
)
for commands, of_kind, article, lister in GROUPS:
    commands.add_command(create_command(of_kind, article))
    commands.add_command(lister)
    commands.add_command(delete_command(of_kind, article))
    if of_kind != "customer":  # it has nothing but its name
        commands.add_command(update_command(of_kind, article))
budget.add_command(increase)
