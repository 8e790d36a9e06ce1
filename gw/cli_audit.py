"""`gw audit`: who changed, saw or tried what; whether all of that is still what it was; and the same for a program or a file."""

import sys
from pathlib import Path
from typing import TextIO

import click
import orjson
from msgspec.structs import asdict
from rich.text import Text

from gw.audit import record
from gw.audit.anchor import Anchor, anchors_in, anchors_of, line_of
from gw.audit.sign import PublicKey, SignError, Verifier, signer_of
from gw.audit.verify import Report
from gw.cli_control import change_text
from gw.cli_fields import ControlCommand, lines_json_option, one_json_option, service_of, table_of
from gw.cli_ledger import config_option, console, load_or_exit, past_us, utc_text
from gw.config.model import Config
from gw.ledger.audit import first_since, rows_from
from gw.ledger.database import database_of
from gw.ledger.store import Database
from gw.siem.format import event

SHOWN = 50
FINDINGS_SHOWN = 50


class AuditGroup(click.Group):
    """`gw audit` alone lists, as ever."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=AuditGroup, short_help="Show who changed what, and verify that nobody changed that.")
def audit() -> None:
    """Show who changed, saw or tried what; verify that it is what it was."""


@audit.command("list", cls=ControlCommand, short_help="Show the newest entries.")
@config_option
@click.option("--limit", "count", default=SHOWN, show_default=True, metavar="N", help="How many, newest first.")
@click.option("--before", "before_id", type=int, metavar="ID", help="Only those before this one.")
@click.option("--kind", default="", metavar="KIND", help="Only of this kind: key, budget, sign_in, ...")
@click.option("--name", default="", metavar="NAME", help="Only about this name.")
@lines_json_option
def list_(config_path: str | None, *, count: int, before_id: int | None, kind: str, name: str, as_json: bool) -> None:
    """Show changes, sign-ins and looks at data, newest first."""
    entries = service_of(load_or_exit(config_path)).audit(count, before_id, kind, name)
    if as_json:
        for entry in entries:
            click.echo(orjson.dumps(asdict(entry)).decode())
        return
    if not entries:
        click.echo("Nothing has been changed yet.")
        return
    table = table_of(("id", "when (UTC)", "who", "via", "what", "of", "change"))
    for entry in entries:
        of = f'{entry.kind} "{entry.name}"'
        change = change_text(entry.before, entry.after) or about_text(entry.action, entry.after)
        cells = (str(entry.id), utc_text(entry.at_us), entry.actor, entry.via, entry.action, of, change)
        table.add_row(*map(Text, cells))
    console().print(table)


def about_text(action: str, about: dict[str, object] | None) -> str:
    """What else there is to say of what is no change."""
    if not about or action in ("create", "delete", "revoke"):
        return ""
    return ", ".join(f"{name} {value}" for name, value in about.items() if not name.endswith("_us"))[:100]


@audit.command(cls=ControlCommand, short_help="Write the entries as JSON lines.")
@config_option
@click.option("--from", "since", metavar="WHEN", help="From an entry's id, a span before now (7d) or a date on.")
@click.option("--to", "until", metavar="WHEN", help="Up to an entry's id, a span before now or a date.")
@click.option("--anchors", is_flag=True, help="The signatures instead, for somebody else to keep.")
@click.option("--output", type=click.File("w", encoding="utf-8"), default="-", metavar="FILE", help="[default: standard output]")
def export(config_path: str | None, *, since: str | None, until: str | None, anchors: bool, output: TextIO) -> None:
    """Write the audit as JSON lines, oldest first, with its hashes."""
    database = _database(load_or_exit(config_path))
    first, last = _bounds(database, since, until)
    with database.reading() as db:
        if db is None:
            return
        if anchors:
            for anchor in anchors_of(db):
                output.write(f"{line_of(anchor)}\n")
            return
        for row in rows_from(db, first, last):
            output.write(f"{orjson.dumps(event(row)).decode()}\n")


@audit.command(cls=ControlCommand, short_help="Verify that nothing was changed.")
@config_option
@click.option("--from", "since", metavar="WHEN", help="From an entry's id, a span before now (7d) or a date on.")
@click.option("--to", "until", metavar="WHEN", help="Up to an entry's id, a span before now or a date.")
@click.option(
    "--anchors", "kept", type=click.Path(path_type=Path), metavar="FILE", help="Signatures that somebody else has kept."
)
@click.option("--public-key", metavar="HEX", help="Check them with this key instead of the gateway's own.")
@click.option("--ledger", is_flag=True, help="The ledger's own chain, too.")
@one_json_option
def verify(
    config_path: str | None,
    *,
    since: str | None,
    until: str | None,
    kept: Path | None,
    public_key: str | None,
    ledger: bool,
    as_json: bool,
) -> None:
    """Verify chain, head and signatures. Ends with 1 if anything is wrong, and says where and what."""
    config = load_or_exit(config_path)
    database = _database(config)
    verifier = _verifier(config, public_key)
    anchors = _kept(kept)
    report = record.verify(database, verifier, anchors, *_bounds(database, since, until))
    calls = record.verify_ledger(database, verifier, anchors) if ledger else None
    whole = report.is_whole and (calls is None or calls.is_whole)
    if as_json:
        found = {"ok": whole, **_plain(report)}
        click.echo(orjson.dumps({**found, "ledger": _plain(calls) if calls is not None else None}).decode())
    else:
        _say(report, verifier)
        if calls is not None:
            _findings([one.said for one in calls.findings])
            gone = f", {calls.gone:,} more let go by retention" if calls.gone else ""
            rest = f", {calls.unchained:,} are not chained yet" if calls.unchained else ""
            state = "Whole" if calls.is_whole else "NOT WHOLE"
            click.echo(f"{state}: {calls.rows:,} calls of the ledger in {calls.blocks:,} blocks{gone}{rest}.")
    sys.exit(0 if whole else 1)


@audit.command("key", cls=ControlCommand, short_help="Show the key that signatures are checked with.")
@config_option
def key_(config_path: str | None) -> None:
    """Show the public key: whoever has it can check signatures without the gateway."""
    found = _verifier(load_or_exit(config_path), None)
    public = getattr(found, "public", b"")
    click.echo(f"{found.algorithm} {found.key_id}")
    click.echo(public.hex() if public else "signed by HMAC with the pepper: there is no public key")


def _say(report: Report, verifier: Verifier) -> None:
    _findings([one.said for one in report.findings])
    state = "Whole" if report.is_whole else "NOT WHOLE"
    if not report.rows and report.is_whole:
        click.echo("Whole: there are no entries.")
        return
    click.echo(f"{state}: {report.rows:,} entries, {report.first_id} to {report.last_id}.")
    if report.signed_id:
        rest = max(report.last_id - report.signed_id, 0)
        after = f"; what came after it ({rest:,}) is held by the chain alone" if rest else ""
        by = f"{utc_text(report.signed_us)} UTC, {verifier.algorithm} {verifier.key_id}"
        click.echo(f"Signed up to entry {report.signed_id} ({by}){after}.")
    else:
        click.echo("Nothing is signed yet: who owns the database could have computed the chain anew.")
    if report.unchained:
        click.echo(f"{report.unchained:,} entries of earlier versions are taken into the chain with the next change.")


def _findings(said: list[str]) -> None:
    for one in said[:FINDINGS_SHOWN]:
        click.echo(f"  {one}")
    if len(said) > FINDINGS_SHOWN:
        click.echo(f"  and {len(said) - FINDINGS_SHOWN} more")


def _plain(report: object) -> dict[str, object]:
    import msgspec  # noqa: PLC0415

    found = msgspec.to_builtins(report)
    assert isinstance(found, dict)
    return found


def _database(config: Config) -> Database:
    database = database_of(config.storage.address)
    if not database.is_new():
        database.prepare()
    return database


def _verifier(config: Config, public_key: str | None) -> Verifier:
    from gw.snapshot import pepper_of  # noqa: PLC0415 - brings the price book along

    try:
        if public_key:
            return PublicKey(_hex(public_key))
        return signer_of(config.audit.key.reveal() if config.audit.key else "", Path(config.server.state_dir), pepper_of(config))
    except SignError as error:
        raise click.ClickException(str(error)) from error


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise click.BadParameter("must be 64 hexadecimal digits", param_hint="--public-key") from error


def _kept(path: Path | None) -> list[Anchor]:
    """Of a file of lines, or of a folder with a file for each."""
    if path is None:
        return []
    files = sorted(path.glob("*.json*")) if path.is_dir() else [path]
    try:
        found = [anchor for file in files for anchor in anchors_in(file.read_text("utf-8").splitlines(), str(file))]
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    return sorted(found, key=lambda one: one.id)


def _bounds(database: Database, since: str | None, until: str | None) -> tuple[int, int]:
    """The first and the last id, 0 where it is open."""
    first, last = (int(text) if text and text.isdecimal() else 0 for text in (since, until))
    with database.reading() as db:
        if db is None:
            return first, last
        if since and not first:
            first = first_since(db, past_us(since))
        if until and not last:
            last = max(first_since(db, past_us(until)) - 1, 1)
    return first, last
