"""What the commands that define something share: options made of the model of the configuration, the service, the answers.

The options of `gw budget create` are the keys of [[budget]], with the same names, ranges and words: they are read off the model.
"""

import getpass
import os
from collections.abc import Callable, Iterable
from typing import Any

import click
import orjson
from rich.table import Table
from rich.text import Text

from gw import clock
from gw.cli_ledger import LedgerCommand, config_option, console, load_or_exit, moment_us, span_us
from gw.config.combined import SECRETS, TABLES, moment_of
from gw.config.load import find
from gw.config.model import Config
from gw.config.schema import Spec, specs
from gw.control.items import Actor, ControlError, Fields, Item, NotFound
from gw.control.service import Service
from gw.domain.stored import Kind
from gw.ledger.database import database_of

US_PER_S = 1_000_000
Command = Callable[..., None]
one_json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
lines_json_option = click.option("--json", "as_json", is_flag=True, help="For programs: a JSON object per line.")
version_option = click.option("--if-version", "version", type=int, metavar="N", help="Only if its version is still this one.")


class ControlCommand(LedgerCommand):
    """A command that ends with one line when what was asked cannot be done."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except NotFound as error:
            group = ctx.parent.info_name if ctx.parent is not None else ""
            raise click.ClickException(f"{error}; `gw {group} list` shows what there is") from error
        except ControlError as error:
            raise click.ClickException(str(error)) from error


def field_options(kind: Kind) -> Callable[[Command], Command]:
    """An option for each key of this kind's table; those that are given arrive as keyword arguments of the key's name."""

    def decorate(command: Command) -> Command:
        for spec in reversed(_written(kind)):
            command = _option(spec)(command)
        return command

    return decorate


def reset_option(kind: Kind) -> Callable[[Command], Command]:
    names = [spec.key for spec in _written(kind)]
    text = "Set this one back to its default; repeatable."
    return click.option("--reset", multiple=True, type=click.Choice(names), metavar="FIELD", help=text)


def given(kind: Kind, options: Fields, reset: Iterable[str] = ()) -> Fields:
    """The fields that were given, as the service takes them; None where one is to be reset."""
    found: Fields = {}
    for spec in _written(kind):
        raw = options[spec.attribute]
        if raw is not None and raw != ():
            found[spec.key] = _value(spec, raw)
    for name in reset:
        if name in found:
            raise click.UsageError(f"--reset {name} and {_flag(name)} contradict each other")
        found[name] = None
    return found


def service_of(config: Config, pepper: bytes = b"") -> Service:
    """`pepper`: for those that mint keys. A ledger of an earlier gw is brought up to date."""
    database = database_of(config.storage.address)
    if not database.is_new():
        database.prepare()
    return Service(config, database, pepper)


def me() -> Actor:
    """Who runs this command, as the audit names it."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = f"uid {os.getuid()}"
    behind = os.environ.get("SUDO_USER", "")
    return Actor(f"{user} (sudo by {behind})" if behind else user, "cli")


def tell_if_new(config: Config, config_path: str | None, *, is_new: bool) -> None:
    """A ledger that was just made may be in a place that no gateway looks at."""
    if is_new:
        source = find(config_path) or "no configuration file"
        made = f"made a new ledger, {database_of(config.storage.address).name} (state directory {config.server.state_dir})"
        click.echo(f"{made}, after {source}: is this the gateway's configuration?", err=True)


def is_new(config: Config) -> bool:
    return database_of(config.storage.address).is_new()


def json_line(item: Item, **more: Any) -> str:
    """As the control API says it."""
    fields = {"name": item.name, **item.fields, "source": item.source, "version": item.version, "problem": item.problem}
    return orjson.dumps({**fields, **more}).decode()


def show_problems(items: Iterable[Item]) -> None:
    """Under a table: what is not in force."""
    for item in items:
        if item.problem and not item.revoked_us:
            text = f'{item.kind} "{item.name}" of the database is not in force: {item.problem}'
            console().print(Text(text, style="red"), soft_wrap=True)


def table_of(columns: Iterable[str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def group(kind: Kind, about: str) -> click.Group:
    return click.Group(kind, help=about, short_help=about)


def create_command(kind: Kind, article: str) -> click.Command:
    @click.command("create", cls=ControlCommand, help=f"Define {article} named NAME. A running gateway follows within a second.")
    @config_option
    @click.argument("name")
    @field_options(kind)
    @one_json_option
    def create(config_path: str | None, name: str, *, as_json: bool, **options: Any) -> None:
        config = load_or_exit(config_path)
        new = is_new(config)
        item = service_of(config).create(kind, name, given(kind, options), actor=me())
        tell_if_new(config, config_path, is_new=new)
        click.echo(json_line(item) if as_json else f'Created the {kind} "{item.name}".')

    return create


def update_command(kind: Kind, article: str) -> click.Command:
    @click.command("update", cls=ControlCommand, help=f"Change {article}: what is given changes, the rest stays.")
    @config_option
    @click.argument("name")
    @field_options(kind)
    @reset_option(kind)
    @version_option
    @one_json_option
    def update(
        config_path: str | None, name: str, *, reset: tuple[str, ...], version: int | None, as_json: bool, **options: Any
    ) -> None:
        changes = given(kind, options, reset)
        if not changes:
            raise click.UsageError("nothing to change; give an option, or --reset FIELD")
        item = service_of(load_or_exit(config_path)).update(kind, name, changes, actor=me(), version=version)
        click.echo(json_line(item) if as_json else f'Changed the {kind} "{item.name}".')

    return update


def delete_command(kind: Kind, article: str) -> click.Command:
    @click.command("delete", cls=ControlCommand, help=f"Delete {article}. What was spent stays in the ledger.")
    @config_option
    @click.argument("name")
    @version_option
    def delete(config_path: str | None, name: str, version: int | None) -> None:
        service_of(load_or_exit(config_path)).delete(kind, name, actor=me(), version=version)
        click.echo(f'Deleted the {kind} "{name}".')

    return delete


def _written(kind: Kind) -> list[Spec]:
    return [spec for spec in specs(TABLES[kind]) if spec.table is None and spec.key not in {"name", *SECRETS}]


def _option(spec: Spec) -> Callable[[Command], Command]:
    flag = _flag(spec.key)
    if spec.kind == "bool":
        return click.option(f"{flag}/--no-{flag[2:]}", spec.attribute, default=None, help=spec.effect)
    if spec.kind == "choice":
        return click.option(flag, spec.attribute, type=click.Choice(spec.choices), help=spec.effect)
    if spec.kind == "globs":
        return click.option(flag, spec.attribute, multiple=True, metavar="GLOB", help=f"{spec.effect} Repeatable.")
    if spec.kind == "int":
        return click.option(flag, spec.attribute, type=int, metavar="N", help=spec.effect)
    metavar = {"usd": "USD", "moment": "WHEN", "fractions": "PARTS"}.get(spec.kind, spec.key.upper())
    more = {"moment": " A span from now works, too: 90d, 12h.", "fractions": " With commas between them: 0.5,0.8."}
    return click.option(flag, spec.attribute, metavar=metavar, help=spec.effect + more.get(spec.kind, ""))


def _flag(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _value(spec: Spec, raw: Any) -> object:
    if spec.kind == "globs":
        return list(raw)
    if spec.kind == "moment":
        return future_text(raw) if raw else None
    if spec.kind == "fractions":
        try:
            return [float(part) for part in raw.split(",") if part.strip()]
        except ValueError as error:
            raise click.BadParameter(f'"{raw}" is no list of numbers such as 0.5,0.8') from error
    return raw


def future_text(text: str) -> str:
    """A span from now, to the second, or a moment: ISO 8601 in UTC. Raises click.BadParameter if it is past."""
    now_us = clock.wall_us()
    span = span_us(text)
    at_us = (now_us + span) // US_PER_S * US_PER_S if span else moment_us(text)
    moment = moment_of(at_us)
    if at_us <= now_us or moment is None:
        raise click.BadParameter(f'"{text}" is past')
    return moment.isoformat()
