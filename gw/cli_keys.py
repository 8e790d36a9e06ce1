"""`gw key`: virtual keys, made, changed, rotated and revoked. A running gateway follows within a second."""

from typing import Any

import click
from rich.text import Text

from gw import clock
from gw.cli_fields import (
    ControlCommand,
    field_options,
    given,
    is_new,
    json_line,
    lines_json_option,
    me,
    one_json_option,
    reset_option,
    service_of,
    show_problems,
    table_of,
    tell_if_new,
    version_option,
)
from gw.cli_ledger import address_of, config_option, console, load_or_exit, span_us, utc_text
from gw.config.model import Config
from gw.control.items import Item
from gw.domain.key import digest
from gw.ledger.database import database_of

US_PER_S = 1_000_000


@click.group(short_help="Create, list, change, rotate and revoke virtual keys.")
def key() -> None:
    """Create, list, change, rotate and revoke virtual keys."""


@key.command(cls=ControlCommand, short_help="Create a key and print it, once.")
@config_option
@click.argument("name")
@field_options("key")
@one_json_option
def create(config_path: str | None, name: str, *, as_json: bool, **options: Any) -> None:
    """Create the virtual key NAME and print it, once."""
    config = load_or_exit(config_path)
    new, pepper = is_new(config), _pepper(config)
    item, text = service_of(config, pepper).create_key(name, given("key", options), actor=me())
    tell_if_new(config, config_path, is_new=new)
    if as_json:
        click.echo(_key_line(item, key=text, secret_hash=digest(text, pepper).hex()))
    else:
        click.echo(f"Created {item.name} ({item.public_id}). This is the only time the key is shown:\n")
        _show_lines(config, text)


@key.command("list", cls=ControlCommand, short_help="List the keys.")
@config_option
@click.option("--all", "revoked_too", is_flag=True, help="Revoked keys too.")
@lines_json_option
def list_(config_path: str | None, revoked_too: bool, as_json: bool) -> None:
    """List the keys, those of the configuration file first."""
    config = load_or_exit(config_path)
    items = service_of(config).list("key", revoked=revoked_too or as_json)
    if as_json:
        for item in items:
            click.echo(_key_line(item))
        return
    if items:
        _show_keys(items)
    if all(item.source == "config" for item in items):
        click.echo(f"No virtual keys in {database_of(config.storage.address).name} yet. Make one with: gw key create NAME")


@key.command(cls=ControlCommand, short_help="Change a key.")
@config_option
@click.argument("name", metavar="NAME|PUBLIC_ID")
@field_options("key")
@reset_option("key")
@version_option
@one_json_option
def update(
    config_path: str | None, name: str, *, reset: tuple[str, ...], version: int | None, as_json: bool, **options: Any
) -> None:
    """Change a key: what is given changes, the rest stays. What it has spent stays with the team that it had."""
    changes = given("key", options, reset)
    if not changes:
        raise click.UsageError("nothing to change; give an option, or --reset FIELD")
    item = service_of(load_or_exit(config_path)).update("key", name, changes, actor=me(), version=version)
    click.echo(_key_line(item) if as_json else f"Changed {item.name} ({item.public_id}).")


@key.command(cls=ControlCommand, short_help="Give a key a new secret, and print it, once.")
@config_option
@click.argument("name", metavar="NAME|PUBLIC_ID")
@click.option(
    "--overlap", default="", metavar="SPAN", help="How long the secret before it stays good: 24h, 7d [default: not at all]."
)
@version_option
@one_json_option
def rotate(config_path: str | None, name: str, overlap: str, version: int | None, as_json: bool) -> None:
    """Give a key a new secret under its name and public id, and print it, once."""
    config = load_or_exit(config_path)
    overlap_us = span_us(overlap)
    if overlap and not overlap_us:
        raise click.BadParameter(f'"{overlap}" is no span; write 30m, 24h or 7d')
    pepper = _pepper(config)
    service = service_of(config, pepper)
    item, text = service.rotate_key(name, overlap_s=overlap_us // US_PER_S, actor=me(), version=version)
    if as_json:
        click.echo(_key_line(item, key=text, secret_hash=digest(text, pepper).hex()))
        return
    still = (
        f"its earlier secret is good until {utc_text(item.overlap_until_us)} UTC" if overlap else "its earlier secret is refused"
    )
    click.echo(f"Rotated {item.name} ({item.public_id}); {still}. This is the only time the new key is shown:\n")
    _show_lines(config, text)


@key.command(cls=ControlCommand)
@config_option
@click.argument("name", metavar="NAME|PUBLIC_ID")
@version_option
@one_json_option
def revoke(config_path: str | None, name: str, version: int | None, as_json: bool) -> None:
    """Revoke a key at once and for good."""
    item = service_of(load_or_exit(config_path)).revoke_key(name, actor=me(), version=version)
    click.echo(_key_line(item) if as_json else f"Revoked {item.name} ({item.public_id}).")


def state_of(item: Item, now_us: int) -> str:
    if item.revoked_us:
        return "revoked"
    if item.problem:
        return "not in force"
    if not item.fields["active"]:
        return "inactive"
    expires_us = item.expires_us
    return "expired" if expires_us and expires_us <= now_us else "active"


def _key_line(item: Item, **more: Any) -> str:
    """A key for programs; but for `more` nothing of it opens anything."""
    times = {"created_us": item.created_us, "expires_us": item.expires_us, "revoked_us": item.revoked_us}
    overlap = {"overlap_until_us": item.overlap_until_us}
    return json_line(item, public_id=item.public_id, state=state_of(item, clock.wall_us()), **times, **overlap, **more)


def _show_keys(items: list[Item]) -> None:
    """The owner is shown where somebody has one."""
    owned = any(item.fields["owner"] for item in items)
    names = ["name", "public id", "team", "models", "upstreams", "created (UTC)", "expires (UTC)", "state", "source"]
    table = table_of([*names, *(["owner"] if owned else [])])
    now_us = clock.wall_us()
    for item in items:
        fields, state = item.fields, state_of(item, now_us)
        globs = (" ".join(fields["models"]), " ".join(fields["upstreams"]))
        created = utc_text(item.created_us, seconds=False) if item.created_us else "-"
        expires = utc_text(item.expires_us, seconds=False) if item.expires_us else "never"
        cells = [item.name, item.public_id or "-", fields["team"] or "-", *globs, created, expires, state, item.source]
        cells += [fields["owner"] or "-"] if owned else []
        table.add_row(*map(Text, cells), style="" if state == "active" else "dim")
    console().print(table)
    show_problems(items)


def _show_lines(config: Config, text: str) -> None:
    click.echo(f"  export ANTHROPIC_BASE_URL={address_of(config)}")
    click.echo(f"  export ANTHROPIC_AUTH_TOKEN={text}\n")
    click.echo("Paste both lines into the shell that runs Claude Code.")


def _pepper(config: Config) -> bytes:
    from gw.snapshot import pepper_of  # noqa: PLC0415 - brings the price book along, which no other command of this group needs

    return pepper_of(config)
