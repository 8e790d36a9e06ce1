"""`gw alerts`: what is watched, what fires, what there was; trying channels out, silencing."""

import os
from pathlib import Path
from threading import Event

import click
import orjson
from msgspec.structs import asdict
from rich.text import Text

from gw import clock
from gw.alerts import store
from gw.alerts.decide import fingerprint
from gw.alerts.look import channels_of
from gw.cli_fields import ControlCommand, lines_json_option, me, table_of
from gw.cli_ledger import config_option, console, load_or_exit, moment_us, span_us, utc_text
from gw.config.alert_model import Alert
from gw.config.model import Config
from gw.config.said import nearest
from gw.ledger import errand
from gw.ledger.audit import note
from gw.ledger.database import database_of
from gw.ledger.errand import Errand
from gw.ledger.store import Database

SHOWN = 30
TEST = "alert_test"
TEST_S = 60
POLL_S = 0.25


@click.group(short_help="Show alerts, try their channels out, silence them.")
def alerts() -> None:
    """Show what is watched and what fires, try channels out, silence."""


@alerts.command("list", cls=ControlCommand, short_help="Show the rules, and what fires.")
@config_option
@lines_json_option
def list_(config_path: str | None, *, as_json: bool) -> None:
    """Show the rules of the configuration, and which of them fire."""
    config = load_or_exit(config_path)
    database, now_us = _database(config), clock.wall_us()
    with database.reading() as db:
        firing = store.alerts(db, 500, open_only=True) if db is not None else []
        quiet = store.silences(db, now_us) if db is not None else []
    if as_json:
        for alert in config.alert:
            plain = [asdict(one) for one in firing if one.rule == alert.name]
            line = {"name": alert.name, "kind": alert.kind, "severity": alert.severity, "active": alert.active, "firing": plain}
            click.echo(orjson.dumps({**line, "channels": channels_of(alert, config.notify)}).decode())
        return
    if not config.alert:
        click.echo("Nothing is watched. Rules stand in config.toml as [[alert]]; docs/alerts.md has examples.")
        return
    table = table_of(("name", "kind", "severity", "channels", "state"))
    for alert in config.alert:
        own = [one for one in firing if one.rule == alert.name]
        silenced = [one for one in quiet if one.rule == alert.name and not one.fingerprint]
        state = f"{len(own)} firing" if own else "quiet" if alert.active else "off"
        state += f", silenced until {utc_text(silenced[0].until_us, seconds=False)}" if silenced else ""
        table.add_row(
            *map(Text, (alert.name, alert.kind, alert.severity, ", ".join(channels_of(alert, config.notify)) or "-", state))
        )
    console().print(table)
    for one in firing:
        console().print(Text(f"{one.id}: {one.title} (since {utc_text(one.fired_us, seconds=False)} UTC)"), soft_wrap=True)


@alerts.command(cls=ControlCommand, short_help="Show the alerts that there were.")
@config_option
@click.argument("name", default="")
@click.option("--limit", "count", default=SHOWN, show_default=True, metavar="N", help="How many, newest first.")
@lines_json_option
def history(config_path: str | None, name: str, *, count: int, as_json: bool) -> None:
    """Show past alerts, of the rule NAME or of all, newest first."""
    with _database(load_or_exit(config_path)).reading() as db:
        rows = store.alerts(db, count, rule=name) if db is not None else []
    if as_json:
        for row in rows:
            click.echo(orjson.dumps(asdict(row)).decode())
        return
    if not rows:
        click.echo("There was none yet.")
        return
    table = table_of(("id", "fired (UTC)", "until", "rule", "what"))
    for row in rows:
        until = utc_text(row.resolved_us, seconds=False) if row.resolved_us else "fires"
        table.add_row(*map(Text, (str(row.id), utc_text(row.fired_us, seconds=False), until, row.rule, row.title)))
    console().print(table)


@alerts.command(cls=ControlCommand, short_help="Send a test through each channel of a rule.")
@config_option
@click.argument("name")
def test(config_path: str | None, name: str) -> None:
    """Send a message that is marked as a test through each channel of the rule NAME, and show what they answer. A gateway must
    run here: it is the one that sends."""
    config = load_or_exit(config_path)
    alert, database = _known(config, name), _database(config)
    if not channels_of(alert, config.notify):
        raise click.ClickException(f'the alert "{name}" has no channels: there is no [[notify]] for it')
    made = Errand(os.urandom(12).hex(), TEST, name, {}, clock.wall_us(), me().name)
    with database.changing() as db:
        errand.ask(db, made)
    note(database, made.asked_us, me().name, "cli", "test", "alert", name, {"test": made.id})
    deadline_ns = clock.mono_ns() + TEST_S * 10**9
    while (answer := _answer(database, made.id)) is None:
        if clock.mono_ns() > deadline_ns:
            state_dir = Path(config.server.state_dir)
            raise click.ClickException(f"nobody has sent it within {TEST_S} s: does a gateway run on {state_dir}?")
        Event().wait(POLL_S)
    if answer.outcome != "done":
        raise click.ClickException(str(answer.answer.get("error", "it failed")))
    failed = [one for one in answer.answer["channels"] if not one["ok"]]
    for one in answer.answer["channels"]:
        click.echo(f"{'ok    ' if one['ok'] else 'FAILED'}  {one['channel']} ({one['kind']}): {one['said']}")
    if failed:
        raise click.exceptions.Exit(1)


@alerts.command(cls=ControlCommand, short_help="Tell nothing of a rule for a while.")
@config_option
@click.argument("name")
@click.option("--until", "until", metavar="WHEN", help="A span from now (2h, 3d) or a date.")
@click.option("--subject", default="", help="Only of this, as the history names it.")
@click.option("--reason", default="", help="Why, for those who look later.")
@click.option("--off", is_flag=True, help="Instead: tell of it again.")
def silence(config_path: str | None, name: str, *, until: str | None, subject: str, reason: str, off: bool) -> None:
    """Tell nothing of the rule NAME until then. What fires meanwhile stands in the history, and is told then if it still does."""
    config = load_or_exit(config_path)
    _known(config, name)
    database, now_us, mark = _database(config), clock.wall_us(), fingerprint(name, subject) if subject else ""
    if off:
        with database.changing() as db:
            known = store.unsilence(db, name, mark)
        if not known:
            raise click.ClickException(f'the alert "{name}" is not silenced')
        note(database, now_us, me().name, "cli", "unsilence", "alert", name, {"subject": subject})
        click.echo(f'"{name}" is told of again.')
        return
    if not until:
        raise click.UsageError("say how long: --until 2h, or --off to end it")
    until_us = now_us + span_us(until) if span_us(until) else moment_us(until)
    if until_us <= now_us:
        raise click.UsageError("--until is past")
    with database.changing() as db:
        store.silence(db, store.Silence(name, mark, until_us, now_us, me().name, reason))
    note(
        database,
        now_us,
        me().name,
        "cli",
        "silence",
        "alert",
        name,
        {"until": utc_text(until_us), "subject": subject, "reason": reason},
    )
    click.echo(f'Nothing is told of "{name}" until {utc_text(until_us, seconds=False)} UTC.')


def _known(config: Config, name: str) -> Alert:
    for alert in config.alert:
        if alert.name == name:
            return alert
    names = [alert.name for alert in config.alert]
    raise click.ClickException(f'there is no [[alert]] "{name}"{nearest(name, names)}')


def _database(config: Config) -> Database:
    database = database_of(config.storage.address)
    if not database.is_new():
        database.prepare()
    return database


def _answer(database: Database, errand_id: str) -> Errand | None:
    """None while it is not done."""
    with database.reading() as db:
        found = errand.find(db, errand_id) if db is not None else None
    return found if found is not None and found.done_us else None
