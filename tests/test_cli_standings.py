"""`gw budget list` where a gateway has run: what each account has spent, by the cells of the state file."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gw.budgets import accounts_of, budgets_of
from gw.cli import main
from gw.cli_standings import ACCOUNTS_SHOWN, standings_of
from gw.config.load import load
from gw.control.service import Actor, Service
from gw.domain.budget import cell_key
from gw.domain.window import bounds
from gw.ledger.sqlite import SqliteDatabase
from gw.ops.state import STATE_FILE, StateFile

NOW_US = 1_792_972_800_000_000  # 2026-10-26 00:00 UTC, a Monday
CONFIG = """
[server]
state_dir = "state"
[storage]
url = "sqlite:///state/gw.db"
[[team]]
name = "platform"
[[budget]]
name = "each team"
team = "*"
each = true
limit_usd = "100"
[[budget]]
name = "opus"
model = "claude-opus-*"
limit_usd = "10"
window = "lifetime"
[[budget]]
name = "sessions"
session = "*"
limit_usd = "1"
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    monkeypatch.setattr("gw.clock.wall_us", lambda: NOW_US)
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    (tmp_path / "state").mkdir()
    service = Service(load(config), SqliteDatabase(tmp_path / "state" / "gw.db"), b"")
    service.create("team", "red", {}, actor=Actor("ann", "cli"))
    service.create("budget", "red", {"team": "red", "limit_usd": "5", "mode": "soft"}, actor=Actor("ann", "cli"))
    return config


def spend(site: Path, name: str, account: str, nusd: int) -> None:
    """As a gateway would have counted it. The budget is one of the file."""
    (budget,) = (one for one in budgets_of(load(site)) if one.id == name)
    state = StateFile(site.parent / "state" / STATE_FILE, create=not (site.parent / "state" / STATE_FILE).exists())
    key = cell_key(budget, account, bounds(budget.window, NOW_US)[0])
    state.cells.load(state.cells.find(key), nusd)
    state.close()


def listed(site: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["budget", "list", "--config", str(site), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_without_a_gateway_nothing_is_said_of_spending(site: Path) -> None:
    assert standings_of(load(site)) is None
    assert "spent" not in listed(site)
    assert all("standings" not in json.loads(line) for line in listed(site, "--json").splitlines())


def test_each_account_stands_in_a_line_of_its_own(site: Path) -> None:
    spend(site, "each team", "red", 60 * 10**9)
    spend(site, "opus", "claude-opus-*", 25 * 10**8)
    lines = [line.split() for line in listed(site).splitlines()]
    assert lines[0][-5:] == ["account", "spent", "reserved", "remaining", "resets"]
    assert lines[1][:2] == ["each", "team"] and lines[1][9:13] == ["red", "$60", "$0", "$40"]
    assert lines[2] == ["platform", "$0", "$0", "$100", "Nov", "1", "00:00", "UTC"]
    assert lines[3][-5:] == ["claude-opus-*", "$2.5", "$0", "$7.5", "never"]
    assert lines[4][0] == "sessions" and lines[4][-1] == "config", "sessions have no names here"
    assert lines[5][0] == "red" and lines[5][-8:-4] == ["red", "$0", "$0", "$5"]


def test_programs_get_every_account(site: Path) -> None:
    spend(site, "each team", "red", 1)
    found = {one["name"]: one["standings"] for one in map(json.loads, listed(site, "--json").splitlines())}
    assert found["sessions"] == []
    assert {
        "account": "red",
        "limit_usd": "100",
        "spent_usd": "0.000000001",
        "reserved_usd": "0",
        "remaining_usd": "99.999999999",
        "resets_us": 1_793_491_200_000_000,
    } in found["each team"]


def test_of_many_accounts_those_that_spent_most_are_shown(site: Path) -> None:
    teams = "".join(f'[[team]]\nname = "t{at:02}"\n' for at in range(ACCOUNTS_SHOWN))
    site.write_text(CONFIG + teams)
    spend(site, "each team", "t07", 1)
    lines = listed(site).splitlines()
    assert "t07" in lines[1] and sum(" t" in line for line in lines) <= ACCOUNTS_SHOWN + 1
    assert any("and 2 more" in line for line in lines)


def test_pattern_without_each_has_one_account(site: Path) -> None:
    config = load(site)
    budgets = {one.id: one for one in budgets_of(config)}
    assert list(accounts_of(budgets["opus"], config)) == ["claude-opus-*"]
    assert list(accounts_of(budgets["each team"], config)) == ["platform"]
    assert list(accounts_of(budgets["sessions"], config)) == []
