"""`gw route explain` as people and programs see it."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import astuple

from gw.cli_route import route
from gw.domain.call import CallRecord
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Batch
from tests.ledger.records import NOON_US, record

CONFIG = """
[server]
state_dir = "state"
[storage]
url = "sqlite:///state/gw.db"
[[upstream]]
name = "anthropic"
[[upstream]]
name = "eu"
[[team]]
name = "platform"
[[key]]
name = "ci"
team = "platform"
models = ["claude-*"]
secret_hash = "{hash}"
[[route]]
model = "claude-*"
candidates = [{ upstream = "anthropic", weight = 3 }, { upstream = "eu" }]
[[route]]
model = "auto"
by = "complexity"
candidates = [
  { upstream = "anthropic", model = "claude-haiku-5-5", tier = "haiku" },
  { upstream = "anthropic", model = "claude-opus-5-5", tier = "opus" },
]
[[rule]]
name = "agents"
when = { kind = "subagent", cache_warm = false, header.x-app = "cli*" }
do = { model = "claude-sonnet-5-5", tag = ["downgraded"] }
[[rule]]
name = "spent"
when = { budget_used_percent = ">= 90" }
do = { deny = "Ask for more." }
[[rule]]
name = "huge"
when = { prompt_tokens = ">= 10" }
do = { max_tokens = 5, shadow = true }
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.replace("{hash}", "0123456789abcdef" * 4))
    return path


def run(site: Path, *arguments: str, code: int = 0) -> Result:
    result = CliRunner(env={"ANTHROPIC_API_KEY": "x"}).invoke(route, ["explain", "--config", str(site), *arguments])
    assert result.exit_code == code, result.output
    return result


def said(site: Path, *arguments: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(run(site, *arguments, "--json").output)
    return found


def test_it_shows_rules_with_the_first_condition_that_fails_and_candidates_with_their_share(site: Path) -> None:
    lines = run(site, "--model", "claude-opus-5-5", "--key", "ci").output.splitlines()
    assert lines[0] == '"claude-opus-5-5", Claude Code\'s opus, by key "ci", main, about 0 tokens of prompt'
    assert any(line.startswith("agents  no: kind") and line.rstrip().endswith("ns") for line in lines)
    assert any(line.split() == ["anthropic", "claude-opus-5-5", "1", "75", "%", "route:claude-*"] for line in lines)


def test_what_it_says_to_programs(site: Path) -> None:
    found = said(site, "--model", "claude-opus-5-5", "--agent", "a1", "--header", "X-App: cli-2")
    assert [(one["name"], one["verdict"]) for one in found["rules"]] == [  # type: ignore[attr-defined]
        ("agents", "applies"), ("spent", "not asked"), ("huge", "not asked"),
    ]  # fmt: skip
    assert found["tags"] == ["downgraded"] and found["reason"] == "rule:agents"
    assert [one["model"] for one in found["candidates"]] == ["claude-sonnet-5-5"] * 2  # type: ignore[attr-defined]


def test_a_refusal_is_told_with_its_rule(site: Path) -> None:
    found = said(site, "--model", "claude-opus-5-5", "--budget", "95")
    assert (found["refused"], found["rule"], found["message"]) == ("denied_by_rule", "spent", "Ask for more.")
    assert "Refused (model_not_allowed)" in run(site, "--model", "gpt-9", "--key", "ci").output


def test_a_body_is_looked_at(site: Path, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    words = "rename foo to bar, fix the typo and list the files of the folder"
    body.write_text(json.dumps({"model": "auto", "max_tokens": 9000, "messages": [{"role": "user", "content": words}]}))
    found = said(site, "--body", str(body))
    assert str(found["reason"]).startswith("complexity:0.") and str(found["reason"]).endswith("->haiku")
    assert found["shadowed"] == ["huge: max_tokens 5"] and found["score"]
    kept = said(site, "--body", str(body), "--warm", "anthropic/claude-opus-5-5=100")
    assert "haiku" in str(kept["reason"])
    assert "score: keywords" in run(site, "--body", str(body)).output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--key", "zz", "--model", "x"], 'there is no key "zz"'),
        ([], "name the model"),
        (["--model", "x", "--budget", "lots"], "neither PERCENT nor NAME=PERCENT"),
        (["--model", "x", "--header", "nothing"], "is no pair NAME:VALUE"),
        (["--model", "x", "--warm", "anthropic"], "is not UPSTREAM/MODEL=TOKENS"),
    ],
)
def test_what_cannot_be_asked_is_said(site: Path, arguments: list[str], says: str) -> None:
    assert says in " ".join(run(site, *arguments, code=2).output.split())


def test_a_body_that_is_none_is_said(site: Path, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text("[1]")
    assert "is no request: not_object" in run(site, "--body", str(body), code=2).output


def filled(site: Path, rows: list[CallRecord]) -> None:
    async def fill() -> None:
        store = SqliteDatabase(site.parent / "state" / "gw.db").store()
        await store.open()
        await store.commit(Batch(rows=[astuple(one) for one in rows]))
        await store.close()

    asyncio.run(fill())


def saved(site: Path, *arguments: str) -> str:
    environment = {"ANTHROPIC_API_KEY": "x"}
    result = CliRunner(env=environment).invoke(route, ["savings", "--config", str(site), "--since", "all", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_savings_are_told_with_what_the_cache_lost(site: Path) -> None:
    (site.parent / "state").mkdir()
    assert "No call was sent as another model" in saved(site)
    asked = {"requested_model": "claude-opus-5-5", "session_id": "s", "cache_write_5m_tokens": 50_000}
    moved = {"sent_model": "claude-haiku-5-5", "served_model": "claude-haiku-5-5", "route": "complexity:0.21->haiku"}
    rows = [
        record("c1", **asked, billed_pusd=250_000_000_000),
        record("c2", **asked, **moved, started_us=NOON_US + 2_000_000, billed_pusd=6_250_000_000),
        record("c3", session_id="t", route="route:auto", requested_model="auto", sent_model="claude-haiku-5-5", input_tokens=5),
    ]
    filled(site, rows)
    first, second = map(json.loads, saved(site, "--json").splitlines())
    assert (first["reason"], first["calls"], first["switches"], first["lost_tokens"]) == ("complexity", 1, 1, 50_000)
    assert (first["gross_usd"], first["loss_usd"], first["net_usd"]) == ("0.24375", "0.24", "0.00375")
    assert (second["reason"], second["unpriced"]) == ("route:auto", 1)
    shown = saved(site)
    assert "complexity" in shown and "1 call is not in the sums" in shown and "--instead-of" in shown
    assert "not in the sums" not in saved(site, "--instead-of", "claude-opus-5-5")
