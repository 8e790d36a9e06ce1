"""`gw reprice` as people and programs see it."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import astuple, replace

from gw.cli_reprice import reprice_command
from gw.ledger.adjust import AMOUNTS
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Batch
from tests.support.databases import query
from tests.test_reprice import PRICERS, calls

OVERRIDE = '[[pricing.override]]\nname = "contract"\nmodel = "claude-*"\nmultiplier = "0.5"\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A gateway that is stopped, with three calls of each of three keys and one without a price."""
    config = tmp_path / "config.toml"
    config.write_text('[server]\nstate_dir = "state"\n[storage]\nurl = "sqlite:///state/gw.db"\n')
    rows = calls(9, PRICERS[0])
    nothing = dict.fromkeys(AMOUNTS, 0)
    odd = replace(rows[0], call_id="gw_odd", requested_model="odd", served_model="odd", price_version="unpriced", **nothing)

    async def fill() -> None:
        store = SqliteDatabase(tmp_path / "state" / "gw.db").store()
        await store.open()
        await store.commit(Batch(rows=[astuple(one) for one in (*rows, odd)]))
        await store.close()

    asyncio.run(fill())
    return config


def run(site: Path, *arguments: str, fails: str = "") -> Result:
    result = CliRunner().invoke(reprice_command, ["--config", str(site), *arguments])
    if fails:
        assert result.exit_code and fails in result.output, result.output
    else:
        assert result.exit_code == 0, result.output
    return result


def test_an_unchanged_book_changes_nothing_and_says_what_stays(site: Path) -> None:
    output = run(site, "--since", "all").output.splitlines()
    assert output == [
        "Nothing to change: 9 calls cost what the prices in force say.",
        "1 call of odd stays as it is: its model has no price",
    ]


def test_a_dry_run_shows_the_tables_and_writes_nothing(site: Path) -> None:
    site.write_text(site.read_text() + OVERRIDE)
    output = run(site, "--since", "all", "--dry-run").output
    words = [line.split() for line in output.splitlines()]
    before = sum(one.billed_pusd for one in calls(9, PRICERS[0]))
    amounts = [f"{before / 10**12:.4f}", f"{before / 2 / 10**12:.4f}", f"-{before / 2 / 10**12:.4f}"]
    assert ["claude-opus-5-5", "9", "9", *amounts] in words and ["red", "9", "9", *amounts] in words
    keys = [line[1:4] for line in words if line[:1] == ["key"] and line[1] in "012"]
    assert keys == [["2", "3", "3"], ["1", "3", "3"], ["0", "3", "3"]], "the largest difference first"
    assert "9 of 9 calls would change: billed -" in output and "Nothing was written." in output
    database = SqliteDatabase(site.parent / "state" / "gw.db")
    assert query(database, "SELECT COUNT(*) FROM adjustment") == query(database, "SELECT COUNT(*) FROM audit") == [(0,)]


def test_programs_get_exact_money_and_the_audit_a_row(site: Path) -> None:
    site.write_text(site.read_text() + OVERRIDE)
    output = run(site, "--since", "all", "--json", "--key", "key 1", "--reason", "late").output
    lines = [json.loads(line) for line in output.splitlines()]
    rows = [one for one in calls(9, PRICERS[0]) if one.key_name == "key 1"]
    half = sum(one.billed_pusd for one in rows) // 2
    assert [(one["group"], one["name"], one["changed"]) for one in lines] == [
        ("total", "", 3),
        ("model", "claude-opus-5-5", 3),
        ("key", "key 1", 3),
        ("team", "red", 3),
    ]
    assert {one["billed_delta_usd"] for one in lines} == {f"-{half / 10**12:.12f}".rstrip("0")}
    assert {one["list_delta_usd"] for one in lines} == {"0"} and not any(one["dry_run"] for one in lines)
    database = SqliteDatabase(site.parent / "state" / "gw.db")
    ((action, via, after),) = query(database, "SELECT action, via, after_json FROM audit")
    assert (action, via) == ("reprice", "cli") and json.loads(after)["reason"] == "late" and json.loads(after)["changed"] == 3
    assert query(database, "SELECT DISTINCT reason FROM adjustment") == [("late",)]


MISTAKES = [
    ([], "--since"),
    (["--since", "yesterday"], "neither a span"),
    (["--since", "1h", "--until", "2h"], "nothing lies between"),
    (["--since", "all", "--reason", "a\nb"], "one line"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES)
def test_mistakes_are_said(site: Path, arguments: list[str], words: str) -> None:
    run(site, *arguments, fails=words)
