"""`gw content`: conversations that are kept: read one, search, purge, see how much there is."""

import secrets
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
import orjson

from gw import clock
from gw.cli_fields import ControlCommand, me
from gw.cli_ledger import config_option, load_or_exit, past_us, utc_text
from gw.config.content_model import KEY_BYTES
from gw.config.model import Config
from gw.content.conversation import Conversation, conversation
from gw.content.found import SEARCHED
from gw.content.library import Library, Raw, Stats
from gw.content.spool import DIRECTORY
from gw.content.store import CallRow
from gw.content.sweep import Which, counted, drop, is_due, sweep
from gw.content.vault import ContentError
from gw.ledger.audit import note
from gw.ledger.database import database_of

Value = TypeVar("Value")
MB = 1_000_000
PROBLEMS = {
    "too_large": "longer than [content] max_bytes_per_call",
    "spool_full": "[content] spool_mb was used up",
    "spool_failed": "the worker could not encrypt it",
    "unreadable": "it was compressed so that no redaction rule could look into it",
}


@click.group(short_help="Read, search and purge conversations that are kept.")
def content() -> None:
    """Read, search and purge conversations that are kept ([content] in the configuration)."""


@content.command(cls=ControlCommand)
@config_option
@click.argument("call_id")
@click.option("--raw", type=click.Choice(["request", "answer"]), help="The bytes, exactly as they were kept, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(config_path: str | None, call_id: str, raw: str | None, as_json: bool) -> None:
    """Show what a call said and was answered. That you looked stands in the audit."""
    config = load_or_exit(config_path)
    row, found = _read(config, call_id)
    actor = me()
    about = {"raw": raw} if raw else {}
    note(database_of(config.storage.address), clock.wall_us(), actor.name, actor.via, "read_conversation", "call", call_id, about)
    if raw:
        sys.stdout.buffer.write(found.request if raw == "request" else found.answer)
        return
    shown = conversation(row, found)
    if as_json:
        click.echo(msgspec.json.encode({**row._asdict(), **_parts(shown)}).decode())
    else:
        _print(shown)


@content.command(cls=ControlCommand)
@config_option
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Calls at most.")
def search(config_path: str | None, words: tuple[str, ...], limit: int) -> None:
    """List calls in which all of these WORDS were said.

    The latest come first. That you searched stands in the audit.

    Words in quotes stand beside each other; a word that ends with * may go on: gw content search '"credit card" invoi*'.
    """
    config, text = load_or_exit(config_path), " ".join(words)
    library = _library(config)
    try:
        found = _told(lambda: library.search(text, limit))
    except ValueError as error:
        raise click.UsageError(f"the search {error}") from error
    actor, database = me(), database_of(config.storage.address)
    note(database, clock.wall_us(), actor.name, actor.via, SEARCHED, "content", text, {"calls": len(found)})
    for call_id in found:
        click.echo(call_id)


@content.command(cls=ControlCommand)
@config_option
@click.option("--key", default="", metavar="NAME|PUBLIC_ID", help="Only calls of this virtual key.")
@click.option("--team", default="", help="Only calls of this team.")
@click.option("--call", "call_id", default="", help="Only this call.")
@click.option("--before", metavar="SPAN|DATE", help="Only calls that began before: 30d, 2026-11-01.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(config_path: str | None, *, key: str, team: str, call_id: str, before: str | None, yes: bool) -> None:
    """Remove what is kept of conversations, for good. The ledger keeps its rows: who called when, and what it cost."""
    if not (key or team or call_id or before):
        raise click.UsageError("say which: --key, --team, --call, --before, or several of them")
    config = load_or_exit(config_path)
    library = _library(config)
    which = Which(past_us(before), key, team, call_id)
    calls = counted(library.database, which)
    if calls and not yes:
        click.confirm(f"Remove the content of {calls} calls?", abort=True)
    vault = _told(lambda: library.vault)
    if calls:
        actor = me()
        about: dict[str, Any] = {"calls": calls, **{name: value for name, value in which._asdict().items() if value}}
        database = database_of(config.storage.address)
        note(database, clock.wall_us(), actor.name, actor.via, "purge_conversations", "content", key or team or call_id, about)
    gone = blocks = 0
    while dropped := drop(library.database, vault, which):
        gone += dropped
    while is_due(library.database):
        blocks += sweep(library.database, vault)
    click.echo(f"Removed the content of {gone} calls; {blocks} blocks that no other call needs went with it.")
    waiting = Path(config.server.state_dir) / DIRECTORY
    if waiting.is_dir() and any(waiting.glob("*.gws")):
        click.echo("Some content is still on its way to the database; purge again in a few seconds to have it, too.", err=True)


@content.command(cls=ControlCommand)
@config_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def stats(config_path: str | None, as_json: bool) -> None:
    """Show how much is kept, and what it takes."""
    config = load_or_exit(config_path)
    library = _library(config)
    found = library.stats()
    if as_json:
        click.echo(orjson.dumps({**found._asdict(), "by_key": {str(key): n for key, n in found.by_key.items()}}).decode())
        return
    if not found.calls and not found.blocks:
        click.echo(f"Nothing is kept in {library.database.name}; [content] store is {config.content.store!r}.")
        return
    _print_stats(found, library.database.name)


@content.command("new-key")
def new_key() -> None:
    """Print a fresh key for [content] encryption_key."""
    click.echo(b64encode(secrets.token_bytes(KEY_BYTES)).decode())


def _read(config: Config, call_id: str) -> tuple[CallRow, Raw]:
    library = _library(config)
    row = library.row(call_id)
    raw = _told(lambda: library.raw(call_id)) if row is not None else None
    if row is None or raw is None:
        raise click.ClickException(f"no content is kept of {call_id}: it was not to be kept, or is gone by its age")
    return row, raw


def _library(config: Config) -> Library:
    return Library(config.content, config.storage.address)


def _told(read: Callable[[], Value]) -> Value:
    """Ends the command with one line where what is kept cannot be read."""
    try:
        return read()
    except ContentError as error:
        raise click.ClickException(str(error)) from error


def _parts(shown: Conversation) -> dict[str, Any]:
    names = ("system", "messages", "tools", "parameters", "answer", "unreadable")
    return {name: getattr(shown, name) for name in names}


def _print(shown: Conversation) -> None:
    row = shown.call
    whose = " · ".join(part for part in (row.key_name, row.team, row.session_id) if part)
    click.echo(f"{row.call_id}  {utc_text(row.started_us)} UTC  {whose}")
    click.echo(f"model {shown.parameters.get('model', '?')}, {len(shown.system)} system blocks, {len(shown.tools)} tools")
    for part, problem in (("request", row.request_problem), ("answer", row.answer_problem)):
        if problem:
            click.echo(f"The {part} was not kept: {PROBLEMS.get(problem, problem)}.")
        if part in shown.unreadable:
            click.echo(f"The {part} is no JSON; see it with --raw {part}.")
    for message in shown.messages:
        role = message.get("role", "?") if isinstance(message, dict) else "?"
        _print_blocks(str(role), message.get("content") if isinstance(message, dict) else message)
    if shown.answer is not None:
        _print_blocks("answer", shown.answer.get("content", shown.answer.get("error")))


def _print_blocks(who: str, content: Any) -> None:
    click.echo(click.style(f"\n{who}:", bold=True))
    for block in content if isinstance(content, list) else [content]:
        click.echo(_plain(_block_text(block)))


def _block_text(block: Any) -> str:
    if isinstance(block, str):
        return block
    if not isinstance(block, dict):
        return orjson.dumps(block).decode()
    kind = block.get("type")
    if kind in {"text", "thinking"} and isinstance(block.get(kind), str):
        return str(block[kind]) if kind == "text" else f"[thinking] {block[kind]}"
    if kind == "tool_use":
        return f"[{block.get('name')}] {orjson.dumps(block.get('input')).decode()}"
    if kind == "tool_result":
        inner = block.get("content")
        return "[result] " + "\n".join(map(_block_text, inner if isinstance(inner, list) else [inner or ""]))
    if isinstance(block.get("source"), dict):
        return f"[{kind}, {len(str(block['source'].get('data', '')))} characters]"
    return orjson.dumps(block).decode()


def _plain(text: str) -> str:
    """Nothing in a conversation moves the terminal."""
    return "".join(one if one.isprintable() or one in "\n\t" else "?" for one in text)


def _print_stats(found: Stats, name: str) -> None:
    share = f" ({100 * found.kept / found.sent:.2f} %)" if found.sent else ""
    click.echo(f"{name}")
    click.echo(f"{found.calls} calls, the oldest of {utc_text(found.oldest_us)} UTC")
    click.echo(f"{found.sent / MB:.1f} MB sent and answered, kept in {found.kept / MB:.1f} MB{share}, {found.blocks} blocks")
    encrypted = sum(count for key, count in found.by_key.items() if key)
    if encrypted:
        click.echo(f"{encrypted} blocks encrypted, with {len([key for key in found.by_key if key])} key(s)")
    if clear := found.by_key.get(0, 0):
        click.echo(f"{clear} blocks not encrypted")
    for reason, text in PROBLEMS.items():
        if count := found.counts.get(f"dropped_{reason}", 0):
            click.echo(f"{count} requests or answers were dropped: {text}")
    if damaged := found.counts.get("damaged", 0):
        click.echo(f"{damaged} damaged stretches of the spool were passed over")
