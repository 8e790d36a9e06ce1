"""`gw key`: virtual keys, made, listed and revoked. A running gateway follows within a second."""

import click
import orjson
from rich.table import Table
from rich.text import Text

from gw import clock
from gw.cli_ledger import LedgerCommand, address_of, config_option, console, load_or_exit, moment_us, span_us, utc_text
from gw.config.load import find
from gw.config.model import Config
from gw.config.values import nearest
from gw.domain.key import KeyRow
from gw.ledger.keys import Created, KeyRefused, create_key, list_keys, revoke_key

NAME_CHARS_MAX = 64

one_json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.group()
def key() -> None:
    """Create, list and revoke virtual keys."""


@key.command(cls=LedgerCommand)
@config_option
@click.argument("name")
@click.option("--team", default="", metavar="TEAM", help="Team of the configuration that its calls are charged to.")
@click.option("--models", "models", multiple=True, metavar="GLOB", help="Models it may use; repeatable [default: all].")
@click.option("--upstreams", "upstreams", multiple=True, metavar="GLOB", help="Upstreams it may use; repeatable [default: all].")
@click.option("--expires", metavar="WHEN", help="90d, 12h, or a date (UTC) [default: never].")
@one_json_option
def create(
    *,
    config_path: str | None,
    name: str,
    team: str,
    models: tuple[str, ...],
    upstreams: tuple[str, ...],
    expires: str | None,
    as_json: bool,
) -> None:
    """Create the virtual key NAME and print it, once."""
    from gw.snapshot import pepper_of  # noqa: PLC0415 - brings the price book along, which no other command of this group needs

    config = load_or_exit(config_path)
    _check(config, name, team)
    is_new = not config.storage.path.exists()
    try:
        created = create_key(
            config.storage.path,
            pepper_of(config),
            name=name,
            team=team,
            models=models or ("*",),
            upstreams=upstreams or ("*",),
            expires_us=_expiry(expires),
        )
    except KeyRefused as error:
        raise click.ClickException(str(error)) from error
    if is_new:
        source = find(config_path) or "no configuration file"
        made = f"made a new ledger, {config.storage.path.absolute()} (state directory {config.server.state_dir})"
        click.echo(f"{made}, after {source}: is this the gateway's configuration?", err=True)
    if as_json:
        click.echo(orjson.dumps({"key": created.text, "secret_hash": created.row.digest, **key_fields(created.row)}).decode())
    else:
        _show_created(config, created)


@key.command("list", cls=LedgerCommand, short_help="List the keys.")
@config_option
@click.option("--all", "revoked_too", is_flag=True, help="Revoked keys too.")
@one_json_option
def list_(config_path: str | None, revoked_too: bool, as_json: bool) -> None:
    """List the keys made with `gw key create`, and those of the configuration file."""
    config = load_or_exit(config_path)
    rows = [row for row in list_keys(config.storage.path) if revoked_too or as_json or not row.revoked_us]
    if as_json:
        for row in rows:
            click.echo(orjson.dumps(key_fields(row)).decode())
        return
    if rows:
        console().print(key_table(rows))
    else:
        click.echo(f"No virtual keys in {config.storage.path.absolute()} yet. Make one with: gw key create NAME")
    if config.key:
        click.echo(f"In the configuration file: {', '.join(one.name for one in config.key)}")


@key.command(cls=LedgerCommand)
@config_option
@click.argument("name", metavar="NAME|PUBLIC_ID")
@one_json_option
def revoke(config_path: str | None, name: str, as_json: bool) -> None:
    """Revoke a key at once and for good."""
    config = load_or_exit(config_path)
    if any(one.name == name for one in config.key):
        raise click.ClickException(f'"{name}" stands in the configuration file; set active = false there')
    if not config.storage.path.exists():
        raise click.ClickException(f'there is no active key named "{name}": no ledger {config.storage.path.absolute()} yet')
    try:
        row = revoke_key(config.storage.path, name)
    except KeyRefused as error:
        raise click.ClickException(str(error)) from error
    click.echo(orjson.dumps(key_fields(row)).decode() if as_json else f"Revoked {row.name} ({row.public_id}).")


def key_fields(row: KeyRow) -> dict[str, object]:
    """A key for programs; nothing of it opens anything."""
    return {
        "name": row.name,
        "public_id": row.public_id,
        "team": row.team,
        "models": row.models,
        "upstreams": row.upstreams,
        "created_us": row.created_us,
        "expires_us": row.expires_us,
        "revoked_us": row.revoked_us,
        "state": state_of(row, clock.wall_us()),
    }


def state_of(row: KeyRow, now_us: int) -> str:
    if row.revoked_us:
        return "revoked"
    return "expired" if row.expires_us and row.expires_us <= now_us else "active"


def key_table(rows: list[KeyRow]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("name", "public id", "team", "models", "upstreams", "created (UTC)", "expires (UTC)", "state"):
        table.add_column(name, overflow="fold")
    now_us = clock.wall_us()
    for row in rows:
        expires = utc_text(row.expires_us, seconds=False) if row.expires_us else "never"
        globs = (" ".join(row.models), " ".join(row.upstreams))
        created, state = utc_text(row.created_us, seconds=False), state_of(row, now_us)
        cells = (row.name, row.public_id, row.team or "-", *globs, created, expires, state)
        table.add_row(*(Text(cell) for cell in cells), style="" if state == "active" else "dim")
    return table


def _check(config: Config, name: str, team: str) -> None:
    """Raises click.ClickException for names that could not be told apart later."""
    if not name.strip() or len(name) > NAME_CHARS_MAX or not name.isprintable():
        raise click.ClickException(f"a key's name has 1 to {NAME_CHARS_MAX} printable characters")
    if any(one.name == name for one in config.key):
        raise click.ClickException(f'the configuration file has a key named "{name}"; choose another name')
    teams = [one.name for one in config.team]
    if team and team not in teams:
        known = f"known teams: {', '.join(teams)}" if teams else "the configuration has no [[team]] yet"
        raise click.ClickException(f'there is no team "{team}"{nearest(team, teams)}; {known}')


def _expiry(text: str | None) -> int:
    """UTC microseconds, 0 = never. Raises click.BadParameter if it is not in the future."""
    if not text:
        return 0
    now_us = clock.wall_us()
    span = span_us(text)
    at_us = now_us + span if span else moment_us(text)
    if at_us <= now_us:
        raise click.BadParameter(f'"{text}" is past')
    return at_us


def _show_created(config: Config, created: Created) -> None:
    row = created.row
    click.echo(f"Created {row.name} ({row.public_id}). This is the only time the key is shown:\n")
    click.echo(f"  export ANTHROPIC_BASE_URL={address_of(config)}")
    click.echo(f"  export ANTHROPIC_AUTH_TOKEN={created.text}\n")
    click.echo("Paste both lines into the shell that runs Claude Code.")
