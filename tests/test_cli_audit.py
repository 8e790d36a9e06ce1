"""`gw audit` and `gw alerts` as people use them: what they say, and how they end."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gw import cli_alerts
from gw.audit.record import put_signed_anchor
from gw.audit.sign import signer_of
from gw.cli import main
from gw.ledger.audit import note
from gw.ledger.database import database_of
from gw.ledger.store import Database
from gw.ops.pepper import load_pepper
from tests.audit.tampering import rechained, sql, tamper

CONFIG = """
[server]
state_dir = "state"
[storage]
url = "sqlite:///gw.db"
[[notify]]
name = "ops"
kind = "webhook"
url = "http://127.0.0.1:1/"
[[alert]]
name = "budgets"
kind = "budget_threshold"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def run(site: Path, *args: str) -> Result:
    group, command, *rest = args
    return CliRunner().invoke(main, [group, command, "--config", str(site / "config.toml"), *rest])


def database(site: Path) -> Database:
    return database_of(f"sqlite:///{site / 'gw.db'}")


def filled(site: Path) -> Database:
    for number in range(1, 6):
        note(database(site), 1_793_534_400_000_000 + number, "ann", "cli", "sign_in", "sign_in", f"192.0.2.{number}")
    return database(site)


def test_nothing_is_whole(site: Path) -> None:
    found = run(site, "audit", "verify")
    assert found.exit_code == 0 and found.output == "Whole: there are no entries.\n"


def test_verify_says_what_is_signed_and_what_is_not(site: Path) -> None:
    ledger = filled(site)
    found = run(site, "audit", "verify")
    assert found.exit_code == 0 and "Whole: 5 entries, 1 to 5." in found.output and "Nothing is signed yet" in found.output
    signer = signer_of("", site / "state", load_pepper(site / "state"))
    put_signed_anchor(ledger, signer, 1_793_534_500_000_000)
    note(ledger, 2, "ann", "cli", "sign_in", "sign_in", "192.0.2.9")
    found = run(site, "audit", "verify")
    assert f"Signed up to entry 5 (2026-11-01 12:01:40 UTC, ed25519 {signer.key_id}); what came after it (1)" in found.output
    kept = run(site, "audit", "export", "--anchors")
    (site / "kept.jsonl").write_text(kept.output)
    tamper(ledger, sql("UPDATE audit SET actor = 'mallory' WHERE id = 3"), rechained)
    tamper(ledger, sql("DELETE FROM audit_anchor"), table="audit_anchor")
    assert run(site, "audit", "verify").exit_code == 0, "without the anchors nobody can tell"
    public = run(site, "audit", "key").output.splitlines()[1]
    found = run(site, "audit", "verify", "--anchors", str(site / "kept.jsonl"), "--public-key", public)
    assert found.exit_code == 1 and "row 3 is not what was signed on 2026-11-01 12:01 UTC" in found.output
    assert "NOT WHOLE" in found.output


def test_verify_for_programs(site: Path) -> None:
    ledger = filled(site)
    tamper(ledger, sql("DELETE FROM audit WHERE id = 2"))
    found = run(site, "audit", "verify", "--json", "--ledger")
    told = json.loads(found.output)
    assert found.exit_code == 1 and told["ok"] is False
    assert told["findings"] == [{"what": "missing", "row": 2, "last": 2, "said": "row 2 is missing"}]
    assert told["ledger"]["blocks"] == 0
    assert run(site, "audit", "verify", "--from", "3", "--to", "4").exit_code == 0


def test_the_audit_is_listed_and_exported_with_its_hashes(site: Path) -> None:
    filled(site)
    assert "192.0.2.5" in CliRunner().invoke(main, ["audit", "--config", str(site / "config.toml"), "--limit", "1"]).output
    lines = [json.loads(line) for line in run(site, "audit", "export", "--from", "2").output.splitlines()]
    assert [one["id"] for one in lines] == [2, 3, 4, 5]
    assert [one["prev_hash"] for one in lines[1:]] == [one["hash"] for one in lines[:-1]]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("audit", "verify", "--public-key", "xyz"), "64 hexadecimal digits"),
        (("audit", "verify", "--anchors", "nowhere.jsonl"), "No such file"),
        (("alerts", "silence", "budget", "--until", "2h"), 'did you mean "budgets"?'),
        (("alerts", "silence", "budgets"), "say how long"),
        (("alerts", "silence", "budgets", "--off"), "is not silenced"),
        (("alerts", "test", "nothing"), 'there is no [[alert]] "nothing"'),
    ],
)
def test_mistakes_end_with_a_line(site: Path, args: tuple[str, ...], said: str) -> None:
    found = run(site, *args)
    assert found.exit_code and said in found.output


def test_alerts_are_listed_and_silenced(site: Path) -> None:
    assert "budget_threshold" in run(site, "alerts", "list").output
    found = run(site, "alerts", "silence", "budgets", "--until", "2h", "--reason", "release")
    assert found.exit_code == 0 and found.output.startswith('Nothing is told of "budgets" until')
    assert "silenced until" in run(site, "alerts", "list").output
    assert run(site, "alerts", "silence", "budgets", "--off").exit_code == 0
    assert [json.loads(line)["action"] for line in run(site, "audit", "list", "--json").output.splitlines()] == [
        "unsilence",
        "silence",
    ]
    assert run(site, "alerts", "history").output == "There was none yet.\n"


def test_a_test_without_a_gateway_says_so(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_alerts, "TEST_S", 0)
    found = run(site, "alerts", "test", "budgets")
    assert found.exit_code == 1 and "does a gateway run on" in found.output
