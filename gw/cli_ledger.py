"""What the commands about the ledger and its keys share: finding it, bringing it up to date, reading dates, printing."""

import asyncio
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from gw import clock
from gw.config.load import ConfigError, find, load
from gw.config.model import Config, wall_us_of
from gw.keeper import flush_all
from gw.ledger.database import database_of
from gw.ledger.mover import JOURNAL_DIRECTORY, KeeperBusy
from gw.ledger.store import Database, StoreError

PLAIN_WIDTH = 200  # columns when the output is no terminal: nothing is cut off there
SPAN = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
SPAN_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - addresses to listen on, not to connect to

config_option = click.option(
    "--config", "config_path", metavar="PATH", help="Configuration file [default: $GW_CONFIG, else ./config.toml]."
)
json_option = click.option("--json", "as_json", is_flag=True, help="For programs: a JSON object per line, money as text.")


class LedgerCommand(click.Command):
    """A command that ends with one line, not a traceback, when the database cannot be used."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except StoreError as error:
            raise click.ClickException(f"the ledger cannot be used: {error}") from error
        except OSError as error:
            raise click.ClickException(str(error)) from error


def load_or_exit(config_path: str | None) -> Config:
    """The configuration, or every problem on stderr and exit code 1."""
    try:
        return load(find(config_path))
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(1)


def ledger_of(config: Config) -> Database:
    """The ledger, with what the journals of a stopped gateway still hold. A running one's keeper does that by itself."""
    state_dir, database = Path(config.server.state_dir), database_of(config.storage.address)
    if any((state_dir / JOURNAL_DIRECTORY).glob("*.gwj")):
        try:
            asyncio.run(flush_all(state_dir, database.store()))
        except KeeperBusy:
            pass
        except (StoreError, OSError) as error:
            click.echo(f"warning: some calls are still in the journals and not shown here: {error}", err=True)
    return database


def address_of(config: Config) -> str:
    """Where Claude Code on this machine finds the gateway."""
    host = UNSPECIFIED.get(config.server.host, config.server.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{config.server.port}/anthropic"


def span_us(text: str) -> int:
    """`"7d"` -> microseconds; 0 if it is no span (s, m, h, d, w)."""
    found = SPAN.fullmatch(text)
    return int(found[1]) * SPAN_US[found[2]] if found else 0


def moment_us(text: str) -> int:
    """A date or a date with time -> UTC microseconds; without an offset it is UTC. Raises click.BadParameter."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f'"{text}" is neither a span (7d, 24h, 30m) nor a date (2026-11-01T12:00)') from error
    return wall_us_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def past_us(text: str | None) -> int:
    """`--since`, `--until`: a span before now, or a moment; 0 if not given."""
    if not text:
        return 0
    span = span_us(text)
    return clock.wall_us() - span if span else moment_us(text)


def utc_text(us: int, *, seconds: bool = True) -> str:
    """For people."""
    moment = datetime.fromtimestamp(us // 1_000_000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def console() -> Console:
    """Writes to stdout as click sees it now."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
