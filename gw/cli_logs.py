"""`gw logs`: calls, one by one, from the ledger of this machine or from a gateway elsewhere, and as they end."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple, get_args

import click
import orjson
from msgspec.structs import replace
from rich.text import Text

from gw import clock
from gw.cli_fields import me
from gw.cli_ledger import LedgerCommand, address_of, config_option, console, json_option, ledger_of, load_or_exit
from gw.cli_live import Place, follow, get, place_of
from gw.cli_reports import STYLE_OF_OUTCOME, filter_options, money_of, nothing_said, print_doubts
from gw.config.model import Config
from gw.config.said import nearest
from gw.content.found import SEARCHED, TooMany, calls_that_said
from gw.content.library import Library
from gw.content.vault import ContentError
from gw.domain.attempts import attempts_of, is_left
from gw.domain.call import Outcome
from gw.domain.money import pusd_from_usd
from gw.ledger.audit import note
from gw.ledger.log_filter import PARAMETERS, FilterError, LogFilter, escaped, parse
from gw.ledger.log_shown import call_json, fields_of
from gw.ledger.logs import SORTS, Asked, page
from gw.ledger.store import Database, Row
from gw.ops.admin_token import load_admin_token

Document = dict[str, Any]  # a call as the API shows it
Show = Callable[[Document], None]
SHOWN = (
    "ended_at,outcome,status,error,key_name,key_id,credential,model,endpoint,input_tokens,output_tokens,cache_read_tokens,"
    "cache_write_5m_tokens,cache_write_1h_tokens,billed_usd,duration_ms,session_id,unpriced,estimated,upstream,attempts"
)
OTHERS = ("q", "content", "since", "until")  # filters that are no column's
PAGE = 500


class Wanted(NamedTuple):
    """`columns`: as `fields` of the API."""

    query: dict[str, str]
    sort: str
    limit: int
    columns: str


@click.command(cls=LedgerCommand, short_help="List calls, and follow them as they end.")
@click.argument("filters", nargs=-1, metavar="[FILTER]...")
@config_option
@click.option("--follow", "-f", "following", is_flag=True, help="Go on with new calls as they end, until Ctrl-C.")
@click.option("--url", metavar="URL", help="A gateway elsewhere [default: $GW_URL, where GW_ADMIN_TOKEN or GW_KEY is set, too].")
@click.option("--since", metavar="WHEN", help="Calls that ended since: 7d, 24h, 30m, a date (UTC) or 'all'.")
@click.option("--until", metavar="WHEN", help="Calls that ended before: a span ago, or a date (UTC).")
@filter_options
@click.option("--outcome", default="", metavar="OUTCOME", help=f"How it ended: {', '.join(get_args(Outcome))}.")
@click.option("--status", default="", metavar="CODE", help="HTTP status sent to the client.")
@click.option("--error", default="", metavar="SLUG", help="Error slug; may be a glob such as 'upstream_*'.")
@click.option("--q", "sought", default="", metavar="TEXT", help="Anywhere in names and errors; ids by their beginning.")
@click.option("--content", default="", metavar="WORDS", help="All of these were said: 'refund \"credit card\" invoi*'.")
@click.option("--sort", default="ended_at", type=click.Choice(list(SORTS)), show_default=True, help="The highest last.")
@click.option("--limit", "-n", type=click.IntRange(1), default=50, show_default=True, help="Calls to show.")
@click.option("--fields", default="", metavar="NAMES", help="Columns of --json, with commas [default: all].")
@click.option("--exact", is_flag=True, help="Cost to the last pico-dollar instead of four decimals.")
@json_option
def logs(
    *,
    filters: tuple[str, ...],
    config_path: str | None,
    following: bool,
    url: str | None,
    sort: str,
    limit: int,
    fields: str,
    exact: bool,
    as_json: bool,
    **options: str | None,
) -> None:
    """List calls, oldest first.

    FILTER is a column with what it has to be: team=a,b  model='claude-opus-*'  'status.gte=400'  'billed_usd.gt=0.5'
    error.not=overloaded_error  (docs/logs.md). Everything must hold.
    """
    query = query_of(filters, options)
    if following and query.get("content"):
        raise click.UsageError("what was said is indexed after a call has ended: --content does not go with --follow")
    place = elsewhere(url)
    show = print_json if as_json else LogLines(money_of(exact=exact)).show
    columns = (fields or "*") if as_json else SHOWN
    if fields_of(columns)[1]:
        raise click.BadParameter(f"there is no column {', '.join(fields_of(columns)[1])}", param_hint="--fields")
    wanted = Wanted(query, sort, limit, columns)
    if place is not None:
        last = _list_elsewhere(place, wanted, show)
    else:
        last = _list_here(config_path, wanted, show, quiet=as_json or following)
    if following:
        _follow(place or here(config_path), query, columns, show, last)


def query_of(filters: tuple[str, ...], options: dict[str, str | None]) -> dict[str, str]:
    """The parameters of the API that are meant. Raises click.BadParameter."""
    query: dict[str, str] = {}
    for text in filters:
        name, sign, value = text.partition("=")
        if not sign or (name not in PARAMETERS and name not in OTHERS):
            hint = nearest(name, list(PARAMETERS)) if sign else "; write COLUMN=VALUE"
            raise click.BadParameter(f'"{text}" is no filter{hint}', param_hint="FILTER")
        query[name] = value
    for name, given in options.items():
        if not given or (name == "since" and given == "all"):
            continue
        own = {"sought": "q", "session": "session_id"}.get(name, name)
        query[own] = f"{escaped(given)}*" if name == "session" else given
    try:
        parse(query, clock.wall_us())
    except FilterError as error:
        name, message = error.wrong[0]
        raise click.BadParameter(message, param_hint=f"--{name}" if name in options else name) from error
    return query


def elsewhere(url: str | None) -> Place | None:
    """The gateway that is to be asked by the network, if any. Raises click.ClickException."""
    token = os.environ.get("GW_ADMIN_TOKEN") or os.environ.get("GW_KEY") or ""
    wanted = url or (os.environ.get("GW_URL") if token else None)
    if not wanted:
        return None
    if not token:
        raise click.ClickException("set GW_ADMIN_TOKEN (all calls) or GW_KEY (your own) to ask a gateway elsewhere")
    return place_of(wanted, token)


def here(config_path: str | None) -> Place:
    """The gateway of this machine's configuration. Raises click.ClickException."""
    config = load_or_exit(config_path)
    try:
        token = load_admin_token(Path(config.server.state_dir)).text
    except (OSError, ValueError) as error:
        raise click.ClickException(f"there is no admin token to follow calls with: {error}") from error
    return place_of(address_of(config), token)


def _list_here(config_path: str | None, wanted: Wanted, show: Show, *, quiet: bool) -> int:
    """From the ledger itself; the number of the last call that was there."""
    config = load_or_exit(config_path)
    ledger = ledger_of(config)
    names = fields_of(wanted.columns)[0]
    now_us = clock.wall_us()
    asked = Asked(wanted=parse(wanted.query, now_us), sort=wanted.sort, count=False)
    if wanted.query.get("content"):
        asked = replace(asked, among=_said(config, ledger, wanted.query["content"], asked.wanted, now_us))
    rows, after, until = list[tuple[int, Row]](), None, 0
    while len(rows) < wanted.limit:
        asked = replace(asked, limit=min(wanted.limit - len(rows), PAGE), after=after, until_seq=until)
        found = page(ledger, asked)
        rows += found.rows
        after, until = found.next, found.until_seq
        if after is None:
            break
    if not rows and not quiet:
        nothing_said(config, ledger)
    documents = [call_json(seq, row, names) for seq, row in reversed(rows)]
    for one in documents:
        show(one)
    if documents and not quiet:
        _doubts(documents)
    return until


def _said(config: Config, ledger: Database, text: str, wanted: LogFilter, now_us: int) -> tuple[str, ...]:
    """Calls in which it was said; that somebody searched is noted. Raises click.ClickException."""
    try:
        found = calls_that_said(Library(config.content, config.storage.address), text, wanted, now_us)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--content") from error
    except (ContentError, TooMany) as error:
        raise click.ClickException(f"{error}") from error
    actor = me()
    note(ledger, now_us, actor.name, actor.via, SEARCHED, "content", text, {"calls": len(found)})
    return found


def _list_elsewhere(place: Place, wanted: Wanted, show: Show) -> int:
    documents: list[Document] = []
    cursor = ""
    while len(documents) < wanted.limit:
        size = min(wanted.limit - len(documents), PAGE)
        asked = {**wanted.query, "sort": f"-{wanted.sort}", "limit": str(size), "fields": wanted.columns, "count": "false"}
        found = get(place, "/api/logs", {**asked, **({"cursor": cursor} if cursor else {})})
        documents += found["items"]
        cursor = found["next_cursor"]
        if not cursor:
            break
    for one in reversed(documents):
        show(one)
    return max((int(one["seq"]) for one in documents), default=-1)


def _follow(place: Place, query: dict[str, str], columns: str, show: Show, after: int) -> None:
    def tell(text: str) -> None:
        click.echo(click.style(f"gw: {text}", dim=True), err=True)

    filters = {name: value for name, value in query.items() if name not in ("since", "until")}
    try:
        for event in follow(place, {**filters, "fields": columns}, Event().wait, tell, after):
            if event.kind == "call":
                show(event.fields)
            elif event.kind == "lost":
                tell(f"{event.fields.get('count', 0):,} calls were not shown: they came faster than they could be")
    except KeyboardInterrupt:
        return


class LogLines:
    """Calls as aligned lines, so that they can be shown as they come."""

    HEAD = (
        f"{'ended (UTC)':19}  {'outcome':14} {'st.':>3}  {'who':18} {'model':26} "
        f"{'in':>8} {'cached':>9} {'out':>7} {'USD':>10} {'ms':>7}  session"
    )

    def __init__(self, money: Callable[[int], str]) -> None:
        self._money = money
        self._console = console()
        self._begun = False

    def show(self, call: Document) -> None:
        if not self._begun:
            self._begun = True
            self._line(Text(self.HEAD, style="bold"))
        style = STYLE_OF_OUTCOME.get(call["outcome"], "red")
        who = call["key_name"] or call["key_id"] or (call["credential"] and f"~{call['credential']}") or "-"
        cached = call["cache_read_tokens"] + call["cache_write_5m_tokens"] + call["cache_write_1h_tokens"]
        line = Text(f"{(call['ended_at'] or '')[:19].replace('T', ' '):19}  ")
        line.append(f"{call['outcome']:14} {call['status'] or '-':>3}", style=style)
        model = call["model"] or call["endpoint"]
        line.append(f"  {who[:18]:18} {model[:26]:26} {call['input_tokens']:>8} {cached:>9} {call['output_tokens']:>7}")
        line.append(f" {self._cost(call):>10} {call['duration_ms']:>7}  {call['session_id'][:8]}")
        if call["error"]:
            line.append(f" {call['error']}", style=style)
        line.append(_story(call), style="yellow")
        self._line(line)

    def _cost(self, call: Document) -> str:
        """`?` without a price, `~` before an estimate."""
        billed = pusd_from_usd(call["billed_usd"])
        if call["unpriced"] and not billed:
            return "?"
        return f"{'~' if call['estimated'] else ''}{self._money(billed)}"

    def _line(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)
        sys.stdout.flush()


def _story(call: Document) -> str:
    """Of a call whose first attempt was not its last: ` after first 529`, or that another one followed."""
    if is_left(call["outcome"], call["status"]):
        return f" at {call['upstream']}, tried again"
    before = ", ".join(f"{one.upstream} {one.status or one.error}" for one in attempts_of(call["attempts"]))
    return f" at {call['upstream']} after {before}" if before else ""


def _doubts(documents: list[Document]) -> None:
    unpriced = [one for one in documents if one["unpriced"]]
    models = list(dict.fromkeys(one["model"] or one["endpoint"] for one in unpriced))
    print_doubts(len(unpriced), models, sum(one["estimated"] for one in documents))


def print_json(call: Document) -> None:
    click.echo(orjson.dumps(call).decode())
