"""`gw check`: exit codes, streams, and what programs get."""

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gw.cli_check import check
from gw.config.load import parse

VALUE = "sk-ant-api03-do-not-show"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)

    def run_check(text: str | None, *arguments: str, **environ: str) -> Result:
        if text is not None:
            (tmp_path / "config.toml").write_text(text)
        cleared = {"ANTHROPIC_API_KEY": None, "GW_CONFIG": None}
        return CliRunner().invoke(check, arguments, env={**cleared, **environ}, catch_exceptions=False)

    return run_check


def test_without_a_file_the_defaults_are_valid(run) -> None:  # type: ignore[no-untyped-def]
    result = run(None)
    assert result.exit_code == 0
    assert tomllib.loads(result.stdout)["upstream"][0]["name"] == "anthropic"
    assert "valid: built-in defaults (1 upstream, 0 keys, 0 price overrides, 0 budgets, 0 limits, 1 warning)" in result.stderr


def test_valid_file_is_printed_whole_with_origins_and_can_be_loaded_again(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result = run('[server]\nport = 9000\n[[upstream]]\nname = "a"\n', ANTHROPIC_API_KEY=VALUE, GW_JOURNAL_FSYNC="always")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "port = 9000 # config.toml:2" in lines
    assert 'fsync = "always" # GW_JOURNAL_FSYNC' in lines
    assert 'host = "127.0.0.1" # default' in lines
    assert 'api_key = "env:ANTHROPIC_API_KEY" # set, default' in lines
    assert VALUE not in result.output
    again = parse(result.stdout, "again.toml", tmp_path, {"ANTHROPIC_API_KEY": VALUE}).config
    assert again.server.port == 9000 and again.journal.fsync == "always"


def test_invalid_file_gives_exit_code_1_and_every_problem_on_stderr(run) -> None:  # type: ignore[no-untyped-def]
    result = run("[server]\nprot = 1\nport = 0\n")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        'config.toml:2: server.prot: unknown key; did you mean "port"?',
        "config.toml:3: server.port: must be 1 to 65535, not 0",
    ]


def test_tied_price_overrides_are_a_problem(run) -> None:  # type: ignore[no-untyped-def]
    text = "".join(f'[[pricing.override]]\nname = "{name}"\nmultiplier = "0.5"\n' for name in "ab")
    result = run(text)
    assert result.exit_code == 1
    assert "equally specific" in result.stderr


def test_named_file_must_exist(run) -> None:  # type: ignore[no-untyped-def]
    for result in (run(None, "--config", "absent.toml"), run(None, GW_CONFIG="absent.toml")):
        assert (result.exit_code, result.stderr) == (1, "absent.toml: there is no such file\n")


def test_programs_get_values_origins_and_warnings(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result = run('[[upstream]]\nname = "a"\napi_key = "' + VALUE + '"\n', "--json")
    assert result.exit_code == 0
    assert VALUE not in result.output
    report = json.loads(result.stdout)
    values = {value["key"]: value for value in report["values"]}
    assert report["valid"] and report["source"] == "config.toml" and len(report["fingerprint"]) == 32
    assert values["server.port"] == {"key": "server.port", "value": "8080", "origin": "default"}
    assert values["upstream.0.api_key"] == {
        "key": "upstream.0.api_key",
        "value": '"********"',
        "origin": "config.toml:3",
        "secret": "literal",
    }
    assert report["warnings"] == [
        {
            "source": "config.toml",
            "line": 3,
            "key": "upstream.api_key",
            "message": "the secret stands in the file itself; env:NAME or file:PATH keeps it out",
        }
    ]


def test_programs_get_problems_too(run) -> None:  # type: ignore[no-untyped-def]
    result = run("[server]\nport = 0\n", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "valid": False,
        "problems": [{"source": "config.toml", "line": 2, "key": "server.port", "message": "must be 1 to 65535, not 0"}],
    }
    assert "must be 1 to 65535" in result.stderr
