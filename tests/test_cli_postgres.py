"""The commands on a ledger in Postgres: what they say and do is what they say and do on a file."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from gw.cli import main
from gw.ledger.database import database_of
from gw.ledger.journal import JournalWriter
from tests.ledger.records import record
from tests.support.databases import Server

CONFIG = """
[server]
state_dir = "state"
port = 9123
[storage]
url = "env:GW_TEST_LEDGER"
"""


@pytest.fixture
def site(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A configuration whose ledger is a database without any tables, behind a variable."""
    url = f"{server.fresh(template='template0')}&password=secret"
    monkeypatch.setenv("GW_TEST_LEDGER", url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    yield SimpleNamespace(config=config, state=tmp_path / "state", url=url)
    database_of(url).close()
    server.drop(url)


def run(site: SimpleNamespace, *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"GW_CONFIG": str(site.config)})


def ok(site: SimpleNamespace, *arguments: str) -> str:
    result = run(site, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def journal(site: SimpleNamespace, *names: str, **changes: object) -> None:
    """Calls of a gateway that is stopped before its keeper saw them."""
    writer = JournalWriter(site.state / "journal", "0-a")
    for name in names:
        writer.append(record(name, **changes))
    writer.close()


def test_calls_are_shown_and_summed(site: SimpleNamespace) -> None:
    nothing = ok(site, "usage")
    assert "No calls in postgresql://gw@" in nothing and "secret" not in nothing
    journal(site, "a", "b", team="red", billed_pusd=5 * 10**12)
    journal(site, "c", team="blue", billed_pusd=2**63 - 1)
    rows = [json.loads(line) for line in ok(site, "usage", "--by", "team", "--json", "--since", "all").splitlines()]
    assert [(row["team"], row["calls"], row["billed_usd"]) for row in rows] == [
        ("blue", 1, "9223372.036854775807"),
        ("red", 2, "10"),
    ]
    names = [json.loads(line)["call_id"] for line in ok(site, "logs", "--json", "--model", "claude-?onnet*").splitlines()]
    assert sorted(names) == ["a", "b", "c"], "two lives of workers, in either order"


def test_keys_teams_budgets_and_their_audit(site: SimpleNamespace) -> None:
    ok(site, "team", "create", "red")
    created = ok(site, "key", "create", "anna", "--team", "red")
    ok(site, "budget", "create", "all", "--team", "*", "--limit-usd", "100")
    ok(site, "budget", "update", "all", "--limit-usd", "200")
    ok(site, "key", "revoke", "anna")
    assert "gwk_" in created and "gwk_" not in ok(site, "key", "list", "--json")
    assert json.loads(ok(site, "budget", "list", "--json"))["limit_usd"] == "200"
    audit = [json.loads(line) for line in ok(site, "audit", "--json").splitlines()]
    assert [(one["action"], one["kind"], one["name"]) for one in reversed(audit)] == [
        ("create", "team", "red"),
        ("create", "key", "anna"),
        ("create", "budget", "all"),
        ("update", "budget", "all"),
        ("revoke", "key", "anna"),
    ]


def test_its_password_is_shown_nowhere(site: SimpleNamespace) -> None:
    checked = run(site, "check")
    assert checked.exit_code == 0 and 'url = "env:GW_TEST_LEDGER"' in checked.stdout and "secret" not in checked.output


def test_a_database_that_does_not_answer_ends_in_one_line(site: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GW_TEST_LEDGER", "postgresql://gw:secret@/gw?host=/nowhere")
    for command in ("usage", "logs", "audit"):
        result = run(site, command)
        assert result.exit_code == 1 and result.output.startswith("Error: the ledger cannot be used: Postgres: connection is bad")
        assert len(result.output.splitlines()) == 1 and "secret" not in result.output
