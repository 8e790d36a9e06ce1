"""`gw me` and `gw statusline`: for a developer, where key, team and session stand. They ask the gateway, not its files."""

import os
import sys

import click
from rich.table import Table
from rich.text import Text

from gw import clock, statusline
from gw.cli_ledger import address_of, console, load_or_exit
from gw.statusline import Document, inner, money, reset_text, text_in

TIMEOUT_S = 10.0
STYLES = {"warning": "yellow", "spent": "red"}


@click.command(short_help="Show what your key has spent and may still spend.")
@click.option("--key", "virtual_key", metavar="KEY", help="Virtual key [default: $GW_KEY, else what Claude Code would send].")
@click.option("--url", metavar="URL", help="The gateway [default: $GW_URL, else $ANTHROPIC_BASE_URL, else the configuration's].")
@click.option("--session", default="", metavar="ID", help="Show the cost of this session of yours, too.")
@click.option("--json", "as_json", is_flag=True, help="For programs: what GET /api/me says.")
def me(virtual_key: str | None, url: str | None, session: str, *, as_json: bool) -> None:
    """Show the budgets and limits that calls with your key fall under: spent, set aside, left, and when they start anew.

    The key is --key, GW_KEY, or what Claude Code would send: ANTHROPIC_CUSTOM_HEADERS, ANTHROPIC_AUTH_TOKEN,
    ANTHROPIC_API_KEY.
    """
    headers = statusline.credential(os.environ, virtual_key or "")
    if not headers:
        raise click.ClickException("there is no key: give --key, or set GW_KEY or ANTHROPIC_AUTH_TOKEN")
    where = (url or "").rstrip("/") or statusline.address(os.environ) or address_of(load_or_exit(None))
    try:
        status, body = statusline.fetch(where, headers, session, TIMEOUT_S)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"the gateway at {where} cannot be asked: {error}") from error
    document = statusline.parsed(body)
    if status != 200 or not document:
        said = text_in(inner(document, "error"), "message") or "it is no gateway that knows /api/me"
        raise click.ClickException(f"{where} answered {status}: {said}")
    if as_json:
        click.echo(body)
    else:
        _show(document)


@click.command("statusline", short_help="Print one line for Claude Code's status line.")
def status_line() -> None:
    """Print one line for Claude Code's status line: this session's cost, and what is left of the tightest budget.

    In ~/.claude/settings.json: {"statusLine": {"type": "command", "command": "gw statusline"}}
    """
    statusline.main()
    sys.stdout.flush()


def _show(document: Document) -> None:
    out, now_us = console(), clock.wall_us()
    out.print(_who(document), soft_wrap=True)
    session = inner(document, "session")
    if session:
        out.print(f"session {text_in(session, 'id')}: {money(session.get('cost_usd')) or '?'} in {session.get('calls')} calls")
    budgets, limits = _list(document, "budgets"), _list(document, "limits")
    if budgets:
        out.print(budget_table(budgets, now_us))
    if limits:
        out.print(limit_table(limits))
    if not budgets and not limits:
        out.print("No budget and no limit applies to your calls.")


def _who(document: Document) -> str:
    key = inner(document, "key")
    if not key:
        return f"your own credential, here known as ~{text_in(document, 'credential')}"
    of = [f'{kind} "{text_in(key, kind)}"' for kind in ("team", "customer") if text_in(key, kind)]
    models = ", ".join(str(one) for one in _values(key, "models"))
    expires = f", expires {text_in(key, 'expires_at')}" if text_in(key, "expires_at") else ""
    return f'key "{text_in(key, "name")}"{"".join(f" of {one}" for one in of)}, models {models}{expires}'


def budget_table(budgets: list[Document], now_us: int) -> Table:
    table = _table("budget", "whose", "window", "mode", "spent", "set aside", "left", "limit", "resets")
    for one in budgets:
        cells = [
            text_in(one, "id"),
            f'{text_in(one, "scope")} "{text_in(one, "account")}"',
            text_in(one, "period"),
            text_in(one, "mode"),
            money(one.get("spent_usd"), down=True),
            money(one.get("reserved_usd")),
            money(one.get("remaining_usd"), down=True),
            money(one.get("limit_usd")),
            reset_text(text_in(one, "resets_at"), now_us) or "never",
        ]
        table.add_row(*map(Text, cells), style=STYLES.get(text_in(one, "state")))
    return table


def limit_table(limits: list[Document]) -> Table:
    table = _table("limit", "whose", "of", "per", "burst", "free now", "clears in", "amount")
    for one in limits:
        per, clears = one.get("per_s"), one.get("clears_in_s")
        cells = [
            text_in(one, "id"),
            f'{text_in(one, "scope")} "{text_in(one, "account")}"',
            text_in(one, "kind").replace("_", " "),
            f"{per} s" if per else "at once",
            _plain(one.get("burst")),
            _plain(one.get("available")),
            f"{clears} s" if clears else "",
            _plain(one.get("amount")),
        ]
        table.add_row(*map(Text, cells), style="yellow" if clears else None)
    return table


def _table(*names: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for at, name in enumerate(names):
        table.add_column(name, justify="right" if at > 3 else "left", overflow="fold")
    return table


def _list(document: Document, name: str) -> list[Document]:
    return [one for one in _values(document, name) if isinstance(one, dict)]


def _values(document: Document, name: str) -> list[object]:
    found = document.get(name)
    return found if isinstance(found, list) else []


def _plain(value: object) -> str:
    """Calls and tokens are numbers, USD is text."""
    return (
        f"${value}" if isinstance(value, str) else "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    )
