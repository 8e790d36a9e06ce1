"""`gw key`: what is printed once, what is stored, what is refused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gw import clock
from gw.cli_keys import key
from gw.domain.key import KeyRow, digest, parse
from gw.ledger.control import read_stored
from gw.ledger.sqlite import SqliteDatabase
from gw.ops.pepper import load_pepper

CONFIG = """
[server]
state_dir = "state"
port = 9123
[storage]
url = "sqlite:///state/gw.db"
[[customer]]
name = "acme"
[[team]]
name = "platform"
customer = "acme"
[[key]]
name = "ci"
team = "platform"
secret_hash = "{hash}"
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(hash="ab" * 32))
    return config


def run(site: Path, *arguments: str) -> Result:
    command, *rest = arguments
    return CliRunner().invoke(key, [command, "--config", str(site), *rest])


def list_keys(path: Path) -> list[KeyRow]:
    return list(read_stored(SqliteDatabase(path)).keys)


def ok(site: Path, *arguments: str) -> str:
    result = run(site, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_created_key_is_shown_once_with_the_lines_to_paste(site: Path) -> None:
    output = ok(site, "create", "anna", "--team", "platform")
    base, token = (line.strip() for line in output.splitlines() if "export" in line)
    assert base == "export ANTHROPIC_BASE_URL=http://127.0.0.1:9123/anthropic"
    text = token.removeprefix("export ANTHROPIC_AUTH_TOKEN=")
    (row,) = list_keys(site.parent / "state" / "gw.db")
    assert parse(text) == (row.public_id, "") and row.team == "platform"
    assert row.digest == digest(text, load_pepper(site.parent / "state")).hex()
    listed = ok(site, "list")
    assert "anna" in listed and row.public_id in listed and "active" in listed and text not in listed
    assert any(line.startswith("ci ") and "config" in line for line in listed.splitlines())


def test_created_key_for_programs_carries_the_hash_for_the_configuration(site: Path) -> None:
    arguments = ("create", "ci-2", "--models", "claude-*", "--models", "x", "--upstreams", "anth*", "--expires", "90d", "--json")
    made = json.loads(ok(site, *arguments))
    assert made["models"] == ["claude-*", "x"] and made["upstreams"] == ["anth*"] and made["state"] == "active"
    assert made["secret_hash"] == digest(made["key"], load_pepper(site.parent / "state")).hex()
    assert abs(made["expires_us"] - clock.wall_us() - 90 * 86_400_000_000) < 60_000_000
    configured, listed = (json.loads(line) for line in ok(site, "list", "--json").splitlines())
    assert (configured["name"], configured["source"], listed["source"]) == ("ci", "config", "database")
    assert "secret_hash" not in configured and "secret" not in configured
    assert "key" not in listed and "digest" not in listed and listed["public_id"] == made["public_id"]


def test_revoked_key_leaves_the_list_and_frees_its_name(site: Path) -> None:
    first = json.loads(ok(site, "create", "anna", "--json"))
    assert first["public_id"] in ok(site, "revoke", "anna")
    assert "No virtual keys in" in ok(site, "list") and "revoked" in ok(site, "list", "--all")
    second = json.loads(ok(site, "create", "anna", "--json"))
    assert json.loads(ok(site, "revoke", second["public_id"], "--json"))["state"] == "revoked"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "x", "--team", "platfrom"), 'there is no team "platfrom"'),
        (("create", "ci"), 'the configuration file has a key named "ci"'),
        (("create", ""), "name: must not be empty"),
        (("create", "a\nb"), "name: contains a line break"),
        (("create", "x" * 81), "name: is longer than 80 characters"),
        (("create", "gwk_x"), "name: looks like a secret"),
        (("create", "x", "--max-cost-usd", "lots"), "max_cost_usd: must be a decimal number"),
        (("create", "x", "--expires", "2020-01-01"), "is past"),
        (("create", "x", "--expires", "soon"), "neither a span"),
        (("revoke", "nobody"), 'there is no key "nobody"; `gw key list` shows what there is'),
        (("rotate", "nobody"), 'there is no key "nobody"'),
        (("rotate", "ci", "--overlap", "soon"), "is no span"),
        (("update", "ci", "--active"), "change it there"),
        (("update", "nobody"), "nothing to change"),
        (("update", "nobody", "--team", "platform", "--reset", "team"), "contradict each other"),
        (("revoke", "ci"), "set active = false there"),
    ],
)
def test_refusals_say_what_to_do_and_store_nothing(site: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run(site, *arguments)
    assert result.exit_code in (1, 2) and said in result.output
    assert list_keys(site.parent / "state" / "gw.db") == []


def test_new_ledger_is_announced_once_and_beside_the_answer(site: Path) -> None:
    ledger = site.parent / "state" / "gw.db"
    assert f"No virtual keys in {ledger} yet" in ok(site, "list")
    missing = run(site, "revoke", "anna")
    assert missing.exit_code == 1 and 'no key "anna"' in missing.output and not ledger.exists()
    first = run(site, "create", "anna", "--json")
    assert f"made a new ledger, {ledger} (state directory" in first.stderr and f"after {site}" in first.stderr
    assert json.loads(first.stdout)["name"] == "anna"
    assert run(site, "create", "bert").stderr == ""


def test_same_name_twice_is_refused(site: Path) -> None:
    ok(site, "create", "anna")
    result = run(site, "create", "anna")
    assert result.exit_code == 1 and 'already a key named "anna"' in result.output
