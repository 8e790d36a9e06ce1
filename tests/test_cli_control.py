"""`gw customer`, `team`, `budget`, `limit`, `audit`: what they print, what they refuse, and that options are the model's keys."""

import json
import sqlite3
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from gw.cli import main
from gw.cli_fields import future_text, me
from gw.config.combined import SECRETS, TABLES
from gw.config.schema import specs
from gw.ledger.audit import read_audit
from gw.ledger.control import read_stored
from gw.ledger.migrate import SQLITE, migrate
from gw.ledger.sqlite import SqliteDatabase

CONFIG = """
[server]
state_dir = "state"
[storage]
url = "sqlite:///state/gw.db"
[[customer]]
name = "acme"
[[team]]
name = "platform"
customer = "acme"
[[budget]]
name = "all"
team = "*"
limit_usd = "100"
[[limit]]
name = "agents"
session = "*"
parallel = 8
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    return config


def run(site: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"GW_CONFIG": str(site)})


def ok(site: Path, *arguments: str) -> str:
    result = run(site, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def ledger(site: Path) -> SqliteDatabase:
    return SqliteDatabase(site.parent / "state" / "gw.db")


def test_both_sources_are_listed_with_where_they_come_from(site: Path) -> None:
    ok(site, "customer", "create", "beta")
    ok(site, "team", "create", "red", "--customer", "beta")
    assert ok(site, "customer", "list").split() == ["name", "source", "acme", "config", "beta", "database"]
    assert ok(site, "team", "list").split()[3:] == ["platform", "acme", "config", "red", "beta", "database"]
    listed = [json.loads(line) for line in ok(site, "team", "list", "--json").splitlines()]
    assert listed == [
        {"name": "platform", "customer": "acme", "store_content": "", "source": "config", "version": 0, "problem": ""},
        {"name": "red", "customer": "beta", "store_content": "", "source": "database", "version": 2, "problem": ""},
    ]


def test_budget_from_its_creation_to_its_end(site: Path) -> None:
    arguments = ("--team", "platform", "--limit-usd", "50", "--window", "week", "--warn-at", "0.5,0.9", "--mode", "soft")
    made = json.loads(ok(site, "budget", "create", "red", *arguments, "--json"))
    assert (made["limit_usd"], made["warn_at"], made["version"], made["source"]) == ("50", [0.5, 0.9], 1, "database")
    assert ok(site, "budget", "update", "red", "--limit-usd", "60", "--reset", "mode") == 'Changed the budget "red".\n'
    raised = ok(site, "budget", "increase", "red", "--limit-usd", "10", "--until", "7d", "--reason", "release week")
    assert "0: $10 until " in raised and raised.endswith("Z: release week\n")
    ok(site, "budget", "increase", "red", "--limit-usd", "1", "--until", "2999-01-01", "--reason", "for good")
    (line,) = (line for line in ok(site, "budget", "list").splitlines() if line.startswith("red"))
    assert "$60 + $10 + $1" in line and 'team "platform"' in line and "weekly" in line and "hard" in line
    assert "release week" not in ok(site, "budget", "increase", "red", "--remove", "0")
    assert ok(site, "budget", "increase", "red", "--remove", "0") == 'The budget "red" has no increases.\n'
    assert run(site, "budget", "delete", "red", "--if-version", "1").exit_code == 1
    assert ok(site, "budget", "delete", "red") == 'Deleted the budget "red".\n'
    assert read_stored(ledger(site)).definitions == ()


def test_limits_are_told_in_words(site: Path) -> None:
    ok(site, "limit", "create", "pace", "--key", "*", "--each", "--requests", "60", "--burst", "20")
    ok(site, "limit", "create", "burn", "--upstream", "anthropic", "--usd", "50", "--per", "1h")
    ok(site, "limit", "update", "pace", "--no-each")
    table = ok(site, "limit", "list")
    assert "each session" in table and "8 at once" in table
    assert 'key "*"' in table and "60 requests per 1m" in table and "$50 per 1h" in table and 'upstream "anthropic"' in table


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("team", "create", "platform"), 'the configuration file has a team named "platform"; choose another name'),
        (("team", "create", "x", "--customer", "acne"), 'there is no customer "acne"; did you mean "acme"?'),
        (("team", "create", "x*"), "name: must be letters, digits"),
        (("team", "update", "platform", "--customer", ""), 'the team "platform" stands in the configuration file'),
        (("team", "update", "platform"), "nothing to change; give an option, or --reset FIELD"),
        (("team", "delete", "red"), 'there is no team "red"; `gw team list` shows what there is'),
        (("budget", "create", "x", "--team", "platform"), "limit_usd: is required"),
        (("budget", "create", "x", "--team", "*", "--limit-usd", "many"), "limit_usd: must be a decimal number"),
        (("budget", "create", "x", "--team", "*", "--limit-usd", "1", "--warn-at", "half"), "is no list of numbers"),
        (("budget", "create", "x", "--limit-usd", "1", "--mode", "block"), "'block' is not one of 'hard', 'soft', 'shadow'"),
        (("budget", "increase", "all", "--limit-usd", "1"), "an increase needs --limit-usd, --until and --reason"),
        (("budget", "increase", "all", "--remove", "0", "--reason", "x"), "--remove stands alone"),
        (("budget", "increase", "x", "--limit-usd", "1", "--until", "2020-01-01", "--reason", "x"), "is past"),
        (("limit", "create", "x", "--team", "*"), 'limit "x" limits nothing'),
        (("limit", "create", "x", "--team", "*", "--requests", "many"), "is not a valid integer"),
    ],
)
def test_refusals_are_one_line_and_change_nothing(site: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run(site, *arguments)
    assert result.exit_code in (1, 2) and said in result.output
    assert result.output.splitlines()[-1].startswith("Error: ")
    assert ledger(site).is_new() or read_stored(ledger(site)).version == 0


def test_what_the_file_put_out_of_force_is_told_by_list_and_check(site: Path) -> None:
    ok(site, "team", "create", "red", "--customer", "acme")
    ok(site, "key", "create", "anna", "--team", "red")
    ok(site, "budget", "create", "red", "--team", "red", "--limit-usd", "5")
    site.write_text(CONFIG.replace('"acme"', '"acne"'))
    assert 'team "red" of the database is not in force: customer: there is no customer "acme"' in ok(site, "team", "list")
    assert "not in force" in ok(site, "key", "list") and 'there is no team "red"' in ok(site, "budget", "list")
    checked = run(site, "check")
    assert checked.exit_code == 0
    warned = [line for line in checked.stderr.splitlines() if line.startswith("warning: database: ")]
    assert warned == [
        'warning: database: the hard budget "red" of the database is not in force: team: there is no team "red"',
        'warning: database: the key "anna" of the database is not in force: team: there is no team "red"',
        'warning: database: the team "red" of the database is not in force: customer: there is no customer "acme"; '
        'did you mean "acne"?',
    ]


def test_audit_names_who_did_what(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ok(site, "audit") == "Nothing has been changed yet.\n"
    monkeypatch.setattr("gw.cli_fields.getpass.getuser", lambda: "ann")
    monkeypatch.delenv("SUDO_USER", raising=False)
    ok(site, "team", "create", "red")
    monkeypatch.setenv("SUDO_USER", "bob")
    ok(site, "team", "update", "red", "--customer", "acme")
    shown = ok(site, "audit")
    assert "ann (sudo by bob)" in shown and 'customer "" -> "acme"' in shown and 'team "red"' in shown
    second, first = (json.loads(line) for line in ok(site, "audit", "--json").splitlines())
    assert (first["actor"], first["via"], first["action"]) == ("ann", "cli", "create")
    assert first["after"] == second["before"] == {"customer": "", "store_content": ""}
    assert second["after"] == {"customer": "acme", "store_content": ""}
    assert len(ok(site, "audit", "--limit", "1", "--json").splitlines()) == 1
    assert "create" in ok(site, "audit", "--before", "2") and "update" not in ok(site, "audit", "--before", "2")
    assert ok(site, "audit", "--kind", "budget") == "Nothing has been changed yet.\n"
    assert len(read_audit(ledger(site), 10)) == 2


def test_who_has_no_name_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError

    monkeypatch.setattr("gw.cli_fields.getpass.getuser", nobody)
    monkeypatch.setattr("gw.cli_fields.os.getuid", lambda: 77)
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert me() == ("uid 77", "cli")


@pytest.mark.parametrize("kind", [kind for kind in TABLES if kind != "customer"])
def test_every_key_of_the_table_is_an_option(kind: str) -> None:
    group = main.commands[kind]
    assert isinstance(group, click.Group)
    wanted = {spec.key for spec in specs(TABLES[kind]) if spec.table is None} - {"name", *SECRETS}  # type: ignore[index]
    for command in ("create", "update"):
        assert wanted <= {option.name for option in group.commands[command].params}


def test_span_is_a_moment_from_now_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gw.clock.wall_us", lambda: 1_792_972_800_123_456)
    assert future_text("90m") == "2026-10-26T01:30:00+00:00"
    assert future_text("2027-01-31") == "2027-01-31T00:00:00+00:00"


def test_ledger_of_an_earlier_gw_is_brought_up_to_date_by_any_of_them(site: Path) -> None:
    first = site.parent / "first"
    first.mkdir()
    (first / "0001_ledger.sql").write_text((SQLITE.directory / "0001_ledger.sql").read_text())
    ledger(site).path.parent.mkdir()
    db = sqlite3.connect(ledger(site).path, isolation_level=None)
    migrate(db, SQLITE._replace(directory=first))
    db.close()
    checked = run(site, "check")
    assert checked.exit_code == 0 and "warning: database: cannot be looked at: gw.db: no such table" in checked.stderr
    assert "acme" in ok(site, "customer", "list")
    assert "cannot be looked at" not in run(site, "check").stderr
