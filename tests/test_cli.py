"""The `gw` command itself: its help, its versions, what `gw serve` says first, and how `gw claude` starts Claude Code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gw import __version__, cli
from gw.config.load import load

FAKE_CLAUDE = """#!/bin/sh
for one in "$@"; do echo "arg=$one"; done
env
"""
KEY = "gwk_virtual"


def gw(cwd: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own: it may become Claude Code."""
    command = [sys.executable, "-c", "from gw.cli import main; main(prog_name='gw')", *arguments]
    root = str(Path(__file__).parents[1])
    surroundings = {"PATH": os.environ["PATH"], "PYTHONPATH": root, "HOME": str(cwd / "home")} | environ
    return subprocess.run(command, cwd=cwd, env=surroundings, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory with a configuration, a home without a login, and a Claude Code that prints what it was given."""
    (tmp_path / "home").mkdir()
    (tmp_path / "config.toml").write_text('[server]\nhost = "0.0.0.0"\nport = 9123\n[auth]\npassthrough = false\n')
    fake = tmp_path / "fake-claude"
    fake.write_text(FAKE_CLAUDE)
    fake.chmod(0o755)
    return tmp_path


def started(site: Path, *arguments: str, **environ: str) -> tuple[dict[str, str], list[str]]:
    """Environment and arguments as Claude Code saw them. A value of several lines is its lines joined by `|`."""
    done = gw(site, "claude", *arguments, GW_CLAUDE=str(site / "fake-claude"), **environ)
    assert done.returncode == 0, done.stderr
    seen, given, last = dict[str, str](), list[str](), ""
    for line in done.stdout.splitlines():
        name, found, value = line.partition("=")
        if name == "arg":
            given.append(value)
        elif found:
            seen[name], last = value, name
        else:
            seen[last] += f"|{line}"
    return seen, given


def test_claude_code_gets_the_configured_address_and_all_arguments(site: Path) -> None:
    arguments = ["-p", "say hi", "--help", "--config", "x", "--version"]
    seen, given = started(site, *arguments)
    assert seen["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:9123/anthropic" and given == arguments
    assert "ANTHROPIC_AUTH_TOKEN" not in seen and "ANTHROPIC_CUSTOM_HEADERS" not in seen


def test_gw_url_needs_no_configuration(site: Path) -> None:
    (site / "config.toml").write_text("broken")
    seen, _ = started(site, GW_URL="https://gw.example.com/anthropic/")
    assert seen["ANTHROPIC_BASE_URL"] == "https://gw.example.com/anthropic"
    refused = gw(site, "claude", GW_CLAUDE=str(site / "fake-claude"), GW_URL="gw.example.com")
    assert refused.returncode == 1 and 'GW_URL is "gw.example.com"; write the whole address' in refused.stderr


def test_key_of_a_user_without_a_login_is_header_and_token(site: Path) -> None:
    seen, _ = started(site, GW_KEY=KEY)
    assert seen["ANTHROPIC_CUSTOM_HEADERS"] == f"x-gw-key: {KEY}" and seen["ANTHROPIC_AUTH_TOKEN"] == KEY


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"])
def test_key_leaves_a_credential_of_the_environment_alone(site: Path, name: str) -> None:
    seen, _ = started(site, GW_KEY=KEY, **{name: "own"})
    assert seen["ANTHROPIC_CUSTOM_HEADERS"] == f"x-gw-key: {KEY}" and seen[name] == "own"
    assert seen.get("ANTHROPIC_AUTH_TOKEN", "own") == "own"


@pytest.mark.parametrize("environ", [{}, {"CLAUDE_CONFIG_DIR": "elsewhere"}], ids=["home", "CLAUDE_CONFIG_DIR"])
def test_key_leaves_a_subscription_login_alone(site: Path, environ: dict[str, str]) -> None:
    kept = site / environ.get("CLAUDE_CONFIG_DIR", "home/.claude")
    kept.mkdir()
    (kept / ".credentials.json").write_text("{}")
    seen, _ = started(site, GW_KEY=KEY, **environ)
    assert seen["ANTHROPIC_CUSTOM_HEADERS"] == f"x-gw-key: {KEY}" and "ANTHROPIC_AUTH_TOKEN" not in seen


def test_key_joins_other_custom_headers_and_replaces_an_older_key(site: Path) -> None:
    seen, _ = started(site, GW_KEY=KEY, ANTHROPIC_CUSTOM_HEADERS="x-gw-project: alpha\nX-GW-Key: gwk_old")
    assert seen["ANTHROPIC_CUSTOM_HEADERS"] == f"x-gw-project: alpha|x-gw-key: {KEY}"


def test_missing_claude_code_is_said_plainly_whatever_the_configuration(site: Path) -> None:
    (site / "config.toml").write_text("broken")
    done = gw(site, "claude", GW_CLAUDE="no-such-claude")
    assert done.returncode == 127 and 'Claude Code was not found as "no-such-claude"' in done.stderr
    assert "npm install -g @anthropic-ai/claude-code" in done.stderr and "Traceback" not in done.stderr


def test_program_that_cannot_be_started_is_named(site: Path) -> None:
    (site / "fake-claude").write_text("#!/no/such/shell\n")
    done = gw(site, "claude", GW_CLAUDE=str(site / "fake-claude"))
    assert done.returncode == 126 and "fake-claude cannot be started" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("passthrough", "lines"),
    [
        ("true", ["export ANTHROPIC_BASE_URL=http://127.0.0.1:9123/anthropic", "claude"]),
        (
            "false",
            [
                "export ANTHROPIC_BASE_URL=http://127.0.0.1:9123/anthropic",
                "export ANTHROPIC_AUTH_TOKEN=gwk_...   # from: gw key create NAME",
            ],
        ),
    ],
)
def test_serve_says_the_two_lines_to_paste(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, passthrough: str, lines: list[str]
) -> None:
    monkeypatch.setenv("GW_ADMIN_TOKEN", "gwa_chosen-by-the-test")
    config = site / "config.toml"
    config.write_text(config.read_text().replace("false", passthrough))
    cli.announce(load(config, {"ANTHROPIC_API_KEY": "sk-test"}))
    shown = capsys.readouterr().out
    assert [line.strip() for line in shown.splitlines() if line.startswith("  ")] == lines
    assert shown.startswith(f"gw {__version__} on http://127.0.0.1:9123 (")


def test_serve_shows_the_admin_token_when_it_is_made_and_never_again(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = load(site / "config.toml", {"ANTHROPIC_API_KEY": "sk-test"})
    cli.announce(config)
    token = (site / ".gw" / "admin.token").read_text().strip()
    assert f"\n  {token}\n" in capsys.readouterr().out
    cli.announce(config)
    assert token not in capsys.readouterr().out


def test_a_chosen_admin_token_is_not_shown_and_a_useless_one_ends_the_start(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(site / "config.toml", {"ANTHROPIC_API_KEY": "sk-test"})
    monkeypatch.setenv("GW_ADMIN_TOKEN", "gwa_chosen-by-the-test")
    cli.announce(config)
    assert "chosen-by-the-test" not in capsys.readouterr().out and not (site / ".gw").exists()
    monkeypatch.setenv("GW_ADMIN_TOKEN", "too-short")
    with pytest.raises(click.ClickException, match="20 to 512 characters") as raised:
        cli.announce(config)
    assert "too-short" not in raised.value.message


def test_versions_for_people_and_programs() -> None:
    def said(*arguments: str) -> str:
        result = CliRunner().invoke(cli.main, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    both = json.loads(said("version", "--json"))
    assert both["gw"] == __version__ and both["prices"]
    assert said("version") == f"gw {__version__}\nprices {both['prices']}\n"
    assert said("--version") == f"gw {__version__}\n"


def groups(group: click.Group, name: str) -> dict[str, click.Group]:
    found = {name: group}
    for below, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= groups(command, f"{name} {below}")
    return found


@pytest.mark.parametrize("group", groups(cli.main, "gw").values(), ids=groups(cli.main, "gw").keys())
def test_help_of_every_command_fits_its_line(group: click.Group) -> None:
    with click.Context(group) as context:
        listed = group.get_help(context).partition("Commands:")[2]
    assert "..." not in listed and all(f"  {name} " in listed for name in group.commands)
    for name, command in group.commands.items():
        with click.Context(command, info_name=name) as context:
            assert command.help and context.get_help().startswith("Usage: ")
