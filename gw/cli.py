"""The `gw` command. Each group of commands has a file of its own; this one puts them together and holds the short ones."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from gw import __version__
from gw.cli_alerts import alerts
from gw.cli_audit import audit
from gw.cli_bench import bench
from gw.cli_chargeback import chargeback
from gw.cli_check import check
from gw.cli_content import content
from gw.cli_control import budget, customer, limit, team
from gw.cli_demo import demo
from gw.cli_export import export
from gw.cli_keys import key
from gw.cli_logs import logs
from gw.cli_me import me, status_line
from gw.cli_reports import usage
from gw.cli_reprice import reprice_command
from gw.cli_route import route
from gw.config.load import ConfigError, find, load
from gw.config.model import Config
from gw.ops.admin_token import TOKEN_FILE, AdminToken, load_admin_token
from gw.prices import override_problems

CLIENT_BINARY = "claude"
LOGIN_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
KEY_HEADER = "x-gw-key"
UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (addresses to listen on, not to connect to)

config_option = click.option(
    "--config", "config_path", metavar="PATH", help="Configuration file [default: $GW_CONFIG, else ./config.toml]."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="gw %(version)s")
def main() -> None:
    """gw: the gateway that makes Claude Code's cost visible, bounded and small."""


def load_or_exit(config_path: str | None) -> tuple[Config, Path | None]:
    """The configuration, or every problem on stderr and exit code 1."""
    path = find(config_path)
    try:
        return load(path, extra_checks=[override_problems]), path
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(1)


def base_url(config: Config) -> str:
    """Where Claude Code on this machine finds the gateway."""
    host = UNSPECIFIED.get(config.server.host, config.server.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{config.server.port}/anthropic"


@main.command()
@config_option
def serve(config_path: str | None) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    from gw import serve as server  # noqa: PLC0415  (Granian is needed by this command alone)
    from gw.ops.process import configure_logging  # noqa: PLC0415

    config, path = load_or_exit(config_path)
    configure_logging(config.server.log_level)
    try:
        server.serve(config, path, announce)
    except server.StartError as error:
        click.echo(f"gw: {error}", err=True)
        sys.exit(1)


def announce(config: Config) -> None:
    """What a person needs next: the two lines for the shell that runs Claude Code; at the first start, the admin token."""
    admin = admin_token(config)
    mode = "clients' own credentials pass through" if config.auth.passthrough else "virtual keys only"
    click.echo(
        f"gw {__version__} on {base_url(config).removesuffix('/anthropic')} ({mode}; ledger {config.storage.url.reference})"
    )
    click.echo("Paste into the shell that runs Claude Code:\n")
    click.echo(f"  export ANTHROPIC_BASE_URL={base_url(config)}")
    click.echo("  claude" if config.auth.passthrough else "  export ANTHROPIC_AUTH_TOKEN=gwk_...   # from: gw key create NAME")
    click.echo()
    if admin.made:
        kept = Path(config.server.state_dir) / TOKEN_FILE
        click.echo(f"The admin token of /api, shown this once and kept in {kept}:\n\n  {admin.text}\n")
    sys.stdout.flush()


def admin_token(config: Config) -> AdminToken:
    """Ends the command if there is none that can be used."""
    try:
        return load_admin_token(Path(config.server.state_dir))
    except (OSError, ValueError) as error:
        raise click.ClickException(f"the control API would be closed to everybody: {error}") from error


@main.command(
    short_help="Start Claude Code against this gateway.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def claude(arguments: tuple[str, ...]) -> None:
    """Start Claude Code against this gateway; all arguments are its own.

    The gateway's address is GW_URL, such as https://gw.example.com/anthropic; without it, that of the configuration. A
    virtual key in GW_KEY goes beside your own login, or stands in for one.
    """
    wanted = os.environ.get("GW_CLAUDE") or CLIENT_BINARY
    binary = shutil.which(wanted)
    if binary is None:
        install = "Install it (npm install -g @anthropic-ai/claude-code), or name its program in GW_CLAUDE."
        click.echo(f'gw: Claude Code was not found as "{wanted}". {install}', err=True)
        sys.exit(127)
    environment = client_environment(os.environ, client_url(os.environ))
    try:
        os.execve(binary, [binary, *arguments], environment)  # noqa: S606
    except OSError as error:
        click.echo(f"gw: {binary} cannot be started: {error.strerror}", err=True)
        sys.exit(126)


def client_url(environ: Mapping[str, str]) -> str:
    """GW_URL, else the configuration's address. Ends the command if neither can be used."""
    url = environ.get("GW_URL", "").rstrip("/")
    if not url:
        return base_url(load_or_exit(None)[0])
    if not url.startswith(("http://", "https://")):
        raise click.ClickException(f'GW_URL is "{url}"; write the whole address, such as https://gw.example.com/anthropic')
    return url


def client_environment(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """What Claude Code is to see. A virtual key goes into a header of its own, so that a login stays what it was; only
    who has none gets the key as a token too, or Claude Code would ask for a login."""
    environment = {**environ, "ANTHROPIC_BASE_URL": url}
    if virtual_key := environ.get("GW_KEY"):
        headers = environ.get("ANTHROPIC_CUSTOM_HEADERS", "").splitlines()
        others = [line for line in headers if line.partition(":")[0].strip().lower() != KEY_HEADER]
        environment["ANTHROPIC_CUSTOM_HEADERS"] = "\n".join([*others, f"{KEY_HEADER}: {virtual_key}"])
        if not has_login(environ):
            environment["ANTHROPIC_AUTH_TOKEN"] = virtual_key
    return environment


def has_login(environ: Mapping[str, str]) -> bool:
    """Whether Claude Code has a credential of its user's own: in the environment, or kept from a login."""
    kept = Path(environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude") / ".credentials.json"
    return any(environ.get(name) for name in LOGIN_VARIABLES) or kept.is_file()


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def version(as_json: bool) -> None:
    """Print the version of gw and of its price data."""
    from gw.prices import embedded_version  # noqa: PLC0415

    prices = embedded_version()
    click.echo(f'{{"gw": "{__version__}", "prices": "{prices}"}}' if as_json else f"gw {__version__}\nprices {prices}")


COMMANDS = (
    alerts, audit, bench, budget, chargeback, check, content, customer, demo, export, key, limit, logs, me,
    reprice_command, route, status_line, team, usage,
)
for command in COMMANDS:
    main.add_command(command)
