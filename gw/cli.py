"""The `gw` command. Each group of commands has a file of its own; this one puts them together and holds the short ones."""

import os
import shutil
import sys
from pathlib import Path

import click

from gw import __version__
from gw.budgets import not_enforced
from gw.cli_check import check
from gw.cli_demo import demo
from gw.cli_keys import key
from gw.cli_reports import logs, usage
from gw.config.load import ConfigError, find, load
from gw.config.model import Config
from gw.prices import override_problems

CLIENT_BINARY = "claude"
UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (addresses to listen on, not to connect to)

config_option = click.option(
    "--config", "config_path", metavar="PATH", help="Configuration file [default: $GW_CONFIG, else ./config.toml]."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """gw: the gateway that makes Claude Code's cost visible, bounded and small."""


def load_or_exit(config_path: str | None) -> tuple[Config, Path | None]:
    """The configuration, or every problem on stderr and exit code 1."""
    path = find(config_path)
    try:
        return load(path, extra_checks=[override_problems, not_enforced]), path
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
    """What a person needs next: the two lines for the shell that runs Claude Code."""
    mode = "clients' own credentials pass through" if config.auth.passthrough else "virtual keys only"
    click.echo(f"gw {__version__} on {base_url(config).removesuffix('/anthropic')} ({mode}; ledger {config.storage.url})")
    click.echo("Paste into the shell that runs Claude Code:\n")
    click.echo(f"  export ANTHROPIC_BASE_URL={base_url(config)}")
    click.echo("  claude" if config.auth.passthrough else "  export ANTHROPIC_AUTH_TOKEN=gwk_...   # from: gw key create NAME")
    click.echo()
    sys.stdout.flush()


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def claude(arguments: tuple[str, ...]) -> None:
    """Start Claude Code against this gateway; all arguments are its own.

    The gateway's address comes from the configuration, a virtual key from GW_KEY if it is set.
    """
    config, _ = load_or_exit(None)
    binary = shutil.which(os.environ.get("GW_CLAUDE", CLIENT_BINARY))
    if binary is None:
        click.echo(
            "gw: Claude Code was not found. Install it (npm install -g @anthropic-ai/claude-code), or name it in GW_CLAUDE.",
            err=True,
        )
        sys.exit(127)
    environment = {**os.environ, "ANTHROPIC_BASE_URL": base_url(config)}
    if virtual_key := os.environ.get("GW_KEY"):
        headers = environment.get("ANTHROPIC_CUSTOM_HEADERS", "")
        environment["ANTHROPIC_CUSTOM_HEADERS"] = f"{headers}\nx-gw-key: {virtual_key}".strip()
        if not (environment.get("ANTHROPIC_API_KEY") or environment.get("ANTHROPIC_AUTH_TOKEN")):
            environment["ANTHROPIC_AUTH_TOKEN"] = virtual_key
    os.execve(binary, [binary, *arguments], environment)  # noqa: S606


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def version(as_json: bool) -> None:
    """Print the version of gw and of its price data."""
    from gw.prices import embedded_version  # noqa: PLC0415

    prices = embedded_version()
    click.echo(f'{{"gw": "{__version__}", "prices": "{prices}"}}' if as_json else f"gw {__version__}\nprices {prices}")


for command in (check, demo, key, logs, usage):
    main.add_command(command)
