"""`gw route`: why a call would go where, and what routing has saved."""

from pathlib import Path

import click
import orjson
from rich.table import Table
from rich.text import Text

from gw import clock
from gw._fast import peek, weigh
from gw.accounts import accounts
from gw.cli_ledger import (
    LedgerCommand,
    config_option,
    console,
    json_option,
    ledger_of,
    load_or_exit,
    moment_us,
    past_us,
)
from gw.cli_reports import span_options
from gw.config.combined import combined, judge
from gw.config.model import Config
from gw.domain.account import Account
from gw.domain.estimate import tokens_of
from gw.domain.money import usd_rounded, usd_text
from gw.domain.tariff import Rung, rung_at
from gw.explain import Explained, explain, fields_of, shares
from gw.ledger.control import read_stored
from gw.ledger.database import database_of
from gw.ledger.rerouted import sessions
from gw.prices import book_of
from gw.pricing.sync import best_file
from gw.reprice import pricer_of
from gw.routes import router_of
from gw.routing.asked import Asked, Warm, kind_of
from gw.routing.features import words_of
from gw.routing.routes import RatesOf
from gw.savings import savings

STYLE = {"applies": "green", "shadow": "cyan", "denies": "red"}
REPEATABLE = "Repeatable."
NO_PEPPER = bytes(32)  # accounts are looked for by name here, so their digests need not be right


@click.group("route", help="Why calls go where they go, and what that saves.", short_help="Why calls go where they go.")
def route() -> None:
    """Holds the commands."""


@route.command("explain", cls=LedgerCommand, short_help="Which rules and candidates a call would meet.")
@config_option
@click.option("--model", default="", metavar="MODEL", help="What the call asks for; without it, what the body says.")
@click.option("--key", default="", metavar="KEY", help="Name or public id of a virtual key; without it, a client's own login.")
@click.option("--body", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A request's body (JSON) to look at.")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help=f"A header of the request. {REPEATABLE}")
@click.option("--project", default="", metavar="PROJECT", help="Project tag.")
@click.option("--agent", default="", metavar="ID", help="Id of the subagent that asks.")
@click.option("--at", default="", metavar="WHEN", help="When (UTC), such as 2026-11-20T22:30. [default: now]")
@click.option("--budget", "budgets", multiple=True, metavar="[NAME=]PERCENT", help=f"How much of a budget is used. {REPEATABLE}")
@click.option("--warm", default="", metavar="UPSTREAM/MODEL=TOKENS", help="The session's prompt cache, if it has one.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def explain_command(
    *, config_path: str | None, key: str, body: Path | None, as_json: bool,
    model: str, headers: tuple[str, ...], project: str, agent: str, at: str, budgets: tuple[str, ...], warm: str,
) -> None:  # fmt: skip
    """Show which rules and candidates a call would meet, and why.

    Nothing is sent. Upstreams are taken to be well; what a rule costs to look at is measured here and now.
    """
    config = load_or_exit(config_path)
    account = _account(config, key)
    said = dict(_pair(one, ":", "--header") for one in headers)
    asked = Asked(
        model=model or None,
        now_us=moment_us(at) if at else clock.wall_us(),
        agent=agent or said.get("x-claude-code-agent-id", ""),
        project=project or said.get("x-gw-project", ""),
        headers=said,
        budgets=_budgets(budgets),
        warm=_warm(warm),
    )
    asked = _looked_at(asked, body.read_bytes() if body is not None else b"")
    if not asked.model:
        raise click.UsageError("name the model by --model, or give a --body that names it")
    found = explain(router_of(config, config.upstream, rates_of(config)), account, asked)
    if as_json:
        click.echo(orjson.dumps(fields_of(found, asked)).decode())
        return
    _show(found, asked, account)


def rates_of(config: Config) -> RatesOf:
    """By the prices in force."""
    book = book_of(config.pricing, best_file(Path(config.server.state_dir)))
    places = {one.name: one for one in config.upstream}
    now_us = clock.wall_us()

    def rates(upstream: str, model: str, prompt_tokens: int) -> Rung | None:
        place = places[upstream]
        tariff = book.tariff(book.terms(place.provider, upstream, place.region, model, "", "", now_us))
        return None if tariff is None else rung_at(tariff.usual, prompt_tokens)

    return rates


def _account(config: Config, name: str) -> Account:
    """Of a key of the file or of the database. Raises click.BadParameter."""
    if not name:
        return Account()
    stored = read_stored(database_of(config.storage.address))
    left_out = judge(config, stored)
    whole = combined(config, stored, left_out)
    known = accounts(config, whole, stored, left_out, NO_PEPPER).values()
    found = next((one for one in known if name in (one.key_name, one.key_id)), None)
    if found is None:
        message = f'there is no key "{name}" that can be used; `gw key list` shows what there is'
        raise click.BadParameter(message, param_hint="--key")
    return found


def _looked_at(asked: Asked, body: bytes) -> Asked:
    """With what its body says. Raises click.BadParameter."""
    cap, tools, images, prompt, model, stream = -1, 0, 0, 0, asked.model, False
    if body:
        seen = peek(body)
        if seen.error:
            raise click.BadParameter(f"is no request: {seen.error} at byte {seen.error_offset}", param_hint="--body")
        weight = weigh(body)
        model = model or seen.model
        cap, tools, images, stream = weight.output_cap, weight.tools, weight.images, seen.stream
        prompt = tokens_of(weight.text_bytes, model or "")
    request_class = asked.headers.get("x-claude-code-request-class", "")
    return Asked(
        model=model,
        now_us=asked.now_us,
        kind=kind_of(asked.agent, request_class, tools=tools, max_tokens=cap),
        agent=asked.agent,
        project=asked.project,
        stream=stream,
        prompt_tokens=prompt,
        max_tokens=cap,
        tools=tools,
        images=images,
        headers=asked.headers,
        budgets=asked.budgets,
        words=words_of(body),
        warm=asked.warm,
    )


def _pair(text: str, between: str, option: str) -> tuple[str, str]:
    name, found, value = text.partition(between)
    if not found or not name.strip():
        raise click.BadParameter(f'"{text}" is no pair NAME{between}VALUE', param_hint=option)
    return name.strip().lower(), value.strip()


def _budgets(texts: tuple[str, ...]) -> dict[str, int]:
    """`""` is the fullest."""
    found: dict[str, int] = {}
    for text in texts:
        name, _, percent = text.rpartition("=")
        if not percent.isdecimal():
            raise click.BadParameter(f'"{text}" is neither PERCENT nor NAME=PERCENT', param_hint="--budget")
        found[name] = int(percent)
    return {"": max(found.values()), **found} if found else found


def _warm(text: str) -> Warm | None:
    if not text:
        return None
    place, _, tokens = text.rpartition("=")
    upstream, slash, model = place.partition("/")
    if not slash or not tokens.isdecimal():
        raise click.BadParameter(f'"{text}" is not UPSTREAM/MODEL=TOKENS', param_hint="--warm")
    return Warm(upstream, model, int(tokens))


def _show(found: Explained, asked: Asked, account: Account) -> None:
    who = f'key "{account.key_name}"' if account.key_name else "a client's own login"
    tier = f", Claude Code's {found.tier}" if found.tier else ""
    click.echo(f'"{asked.model}"{tier}, by {who}, {asked.kind}, about {asked.prompt_tokens:,} tokens of prompt')
    if found.rules:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("rule", "", "does", "costs"):
            table.add_column(name, overflow="fold")
        for one in found.rules:
            why = f"no: {one.failed}" if one.failed else one.verdict
            table.add_row(Text(one.name), Text(why, style=STYLE.get(one.verdict, "dim")), Text(one.does), f"{one.cost_ns} ns")
        console().print(table)
    if found.refusal is not None:
        by = f' by the rule "{found.refusal.rule}"' if found.refusal.rule else ""
        click.echo(f"Refused{by} ({found.refusal.slug}): {found.refusal.message}")
        return
    decision = found.decision
    assert decision is not None
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("upstream", "model", "priority", "share", "because"):
        table.add_column(name, overflow="fold")
    for place, share in zip(decision.candidates, shares(decision.candidates), strict=True):
        because = place.reason or "the first that serves it"
        table.add_row(Text(place.deployment), Text(place.model), str(place.priority), f"{share} %", Text(because))
    console().print(table)
    lines = [
        decision.max_tokens and f"max_tokens at most {decision.max_tokens:,}",
        decision.effort and f"effort at most {decision.effort}",
        decision.wait_s and f"after a wait of {decision.wait_s:g} s",
        decision.tags and f"tags {', '.join(decision.tags)}",
        decision.shadowed and f"in the shadow: {'; '.join(decision.shadowed)}",
        found.parts and "score: " + " + ".join(f"{name} 0.{part:03d}" for name, part in found.parts),
    ]
    for line in filter(None, lines):
        click.echo(line)


@route.command("savings", cls=LedgerCommand, short_help="What routing has saved, with what it cost the prompt cache.")
@config_option
@span_options("7d")
@click.option("--instead-of", "baseline", default="", metavar="MODEL", help="Compare with this one, not with what was asked for.")
@json_option
def savings_command(*, config_path: str | None, since: str, until: str | None, baseline: str, as_json: bool) -> None:
    """Show what calls would have cost where they were asked to go.

    By the prices in force. The loss is what a change of model had to write into a cache anew, there and back: docs/routing.md
    has the formula.
    """
    config = load_or_exit(config_path)
    try:
        pricer = pricer_of(config)
    except (ValueError, OSError) as error:
        raise click.ClickException(f"there are no prices to go by: {error}") from error
    since_us = 0 if since == "all" else past_us(since)
    rows = sessions(ledger_of(config), since_us, past_us(until) or clock.wall_us())
    found = savings(rows, pricer.price, [one.name for one in config.upstream], baseline)
    if as_json:
        for one in found:
            amounts = {"billed": one.billed_pusd, "gross": one.gross_pusd, "loss": one.loss_pusd, "net": one.net_pusd}
            plain = {"calls": one.calls, "switches": one.switches, "lost_tokens": one.lost_tokens, "unpriced": one.unpriced}
            usd = {f"{name}_usd": usd_text(amount) for name, amount in amounts.items()}
            click.echo(orjson.dumps({"reason": one.reason, **plain, **usd}).decode())
        return
    if not found:
        click.echo("No call was sent as another model than it asked for.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("because", overflow="fold")
    for name in ("calls", "billed USD", "saved USD", "cache lost USD", "net USD"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        money = [usd_rounded(amount) for amount in (one.billed_pusd, one.gross_pusd, one.loss_pusd, one.net_pusd)]
        table.add_row(Text(one.reason), f"{one.calls:,}", *money)
    console().print(table)
    if unpriced := sum(one.unpriced for one in found):
        calls = "1 call is" if unpriced == 1 else f"{unpriced:,} calls are"
        click.echo(f"{calls} not in the sums: what was asked for has no price. --instead-of names another model.")
