"""`gw usage` and `gw logs` as people and programs see them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gw import clock
from gw.cli_ledger import past_us
from gw.cli_logs import logs
from gw.cli_reports import doubts, usage
from gw.ledger.journal import JournalWriter
from gw.ledger.mover import sole_mover
from gw.ledger.sqlite import prepare
from tests.ledger.records import NOON_US, record


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration with an empty state directory."""
    config = tmp_path / "config.toml"
    config.write_text('[server]\nstate_dir = "state"\nport = 9123\n[storage]\nurl = "sqlite:///state/gw.db"\n')
    return config


def journal(site: Path, *changes: dict[str, object]) -> None:
    """Calls of a gateway that is stopped before its keeper saw them."""
    writer = JournalWriter(site.parent / "state" / "journal", "0-a")
    for index, change in enumerate(changes):
        writer.append(record(str(change.pop("call_id", f"c{index}")), **change))
    writer.close()


def run(command: object, site: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(command, ["--config", str(site), *arguments])  # type: ignore[arg-type]
    assert result.exit_code == 0, result.output
    return result


def lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_empty_ledger_says_how_to_begin_and_creates_nothing(site: Path) -> None:
    for command in (usage, logs):
        output = run(command, site).output
        assert f"No calls in {site.parent / 'state' / 'gw.db'} yet" in output
        assert "export ANTHROPIC_BASE_URL=http://127.0.0.1:9123/anthropic" in output
        assert run(command, site, "--json").output == ""
    assert not (site.parent / "state" / "gw.db").exists()


def test_filters_that_match_nothing_say_so(site: Path) -> None:
    journal(site, {})
    assert "No calls match" in run(usage, site, "--since", "all", "--team", "nobody").output
    assert "No calls match" in run(logs, site, "--team", "nobody").output


def test_usage_counts_what_is_still_in_the_journals_of_a_stopped_gateway(site: Path) -> None:
    spent = {"input_tokens": 1200, "cache_write_5m_tokens": 30, "cache_write_1h_tokens": 4, "ended_us": clock.wall_us()}
    journal(site, spent | {"team": "a", "billed_pusd": 43_094_000_001, "list_pusd": 50_000_000_000}, spent | {"team": "b"})
    table = run(usage, site, "--by", "team").stdout.splitlines()
    assert " ".join(table[0].split()) == "team calls failed input output cache read cache write list USD billed USD"
    assert table[1].split() == ["a", "1", "0", "1,200", "0", "0", "34", "0.0500", "0.0431"]
    assert table[2].split() == ["b", "1", "0", "1,200", "0", "0", "34", "0.0000", "0.0000"]
    assert table[-1].split() == ["total", "2", "0", "2,400", "0", "0", "68", "0.0500", "0.0431"]
    assert "0.043094000001" in run(usage, site, "--by", "team", "--exact").stdout
    first, second = lines(run(usage, site, "--by", "team", "--json"))
    assert (first["team"], first["billed_usd"], first["list_usd"], first["calls"]) == ("a", "0.043094000001", "0.05", 1)
    assert second["billed_usd"] == "0" and "billed_pusd" not in second and "group" not in second


def test_usage_by_agent_names_the_main_one_and_markup_is_text(site: Path) -> None:
    journal(
        site, {"ended_us": clock.wall_us(), "billed_pusd": 10**12}, {"ended_us": clock.wall_us(), "agent_id": "[bold]x[/bold]"}
    )
    output = run(usage, site, "--by", "agent").stdout
    assert "(main)" in output and "[bold]x[/bold]" in output


def test_since_and_until_bound_the_span(site: Path) -> None:
    now = clock.wall_us()
    journal(site, {"ended_us": now - 3_600_000_000}, {"ended_us": now - 864_000_000_000}, {"ended_us": 1_000_000_000_000_000})

    def calls(*arguments: str) -> int:
        return sum(int(str(row["calls"])) for row in lines(run(usage, site, "--json", *arguments)))

    assert calls("--since", "2h") == 1 and calls("--since", "30m") == 0 and calls("--since", "all") == 3
    assert calls() == 1, "seven days, unless asked for more"
    assert calls("--since", "2001-09-09T01:46:40", "--until", "2001-09-10") == 1
    assert calls("--since", "all", "--until", "2001-09-09T01:46:40+00:00") == 0
    refused = CliRunner().invoke(usage, ["--config", str(site), "--since", "yesterday"])
    assert refused.exit_code == 2 and "neither a span" in refused.output


def test_dates_are_utc() -> None:
    assert past_us("2026-11-01") == 1_793_491_200_000_000
    assert past_us("2026-11-01T12:00") == past_us("2026-11-01T13:00+01:00") == NOON_US
    assert past_us(None) == 0


def test_logs_show_one_line_per_call_oldest_first(site: Path) -> None:
    journal(
        site,
        {"key_name": "ci", "session_id": "5e551011-aaaa", "input_tokens": 12, "output_tokens": 34, "billed_pusd": 5 * 10**9},
        {"credential": "abcd", "outcome": "upstream_error", "status": 502, "error": "upstream_reset"},
    )
    head, first, second = run(logs, site).stdout.splitlines()
    assert head.split()[:3] == ["ended", "(UTC)", "outcome"]
    told = "2026-11-01 12:00:01 completed 200 ci claude-sonnet-4-5-20250929 12 0 34 0.0050 1500 5e551011"
    assert first.split() == told.split()
    assert second.split()[2:5] == ["upstream_error", "502", "~abcd"] and second.endswith("upstream_reset")
    assert len(run(logs, site, "--limit", "1").stdout.splitlines()) == 2
    (only,) = lines(run(logs, site, "--json", "--error", "upstream_*", "--status", "502", "--outcome", "upstream_error"))
    assert (
        only["call_id"] == "c1"
        and only["billed_usd"] == "0"
        and only["stream"] is True
        and only["ended_at"] == "2026-11-01T12:00:01.500000Z"
    )


DOUBTFUL: list[dict[str, object]] = [
    {"team": "a", "served_model": "mystery/x", "price_version": "unpriced"},
    {"team": "a", "served_model": "mystery/x", "price_version": "unpriced", "usage_source": "estimated"},
    {"team": "b", "usage_source": "observed", "billed_pusd": 10**12, "list_pusd": 10**12, "outcome": "client_gone"},
    {"team": "b", "usage_source": "estimated", "billed_pusd": 10**12, "list_pusd": 10**12},
    {"team": "c", "billed_pusd": 2 * 10**12, "list_pusd": 2 * 10**12},
]
FOOTER = ["2 calls have no price (model mystery/x): add a [[pricing.override]]", "3 calls are billed by estimate"]


def test_calls_without_a_price_and_estimates_are_marked(site: Path) -> None:
    journal(site, *({**one, "ended_us": clock.wall_us()} for one in DOUBTFUL))
    shown = run(usage, site, "--by", "team").stdout.splitlines()
    cells = {line.split()[0]: line.split()[-2:] for line in shown[1:4]}
    assert cells == {"a": ["?", "?"], "b": ["2.0000", "2.0000"], "c": ["2.0000", "2.0000"]}
    assert shown[-2:] == FOOTER
    rows = {row["team"]: (row["unpriced"], row["estimated"]) for row in lines(run(usage, site, "--by", "team", "--json"))}
    assert rows == {"a": (2, 1), "b": (0, 2), "c": (0, 0)}
    listed = run(logs, site).stdout.splitlines()
    assert [line.split()[-2] for line in listed[1:6]] == ["?", "?", "~1.0000", "~1.0000", "2.0000"]
    assert listed[6:] == FOOTER
    told = [(row["unpriced"], row["estimated"]) for row in lines(run(logs, site, "--json"))]
    assert told == [(True, False), (True, True), (False, True), (False, True), (False, False)]
    assert run(usage, site, "--team", "c").stdout.splitlines()[-1].endswith("2.0000"), "nothing open, nothing said"


def test_doubts_name_a_few_models_and_count_the_rest() -> None:
    assert doubts(0, [], 0) == []
    assert doubts(1, ["a", "b", "c", "d", "e"], 1) == [
        "1 call has no price (models a, b, c and 2 more): add a [[pricing.override]]",
        "1 call is billed by estimate",
    ]


def test_no_calls_to_show_is_refused(site: Path) -> None:
    result = CliRunner().invoke(logs, ["--config", str(site), "-n", "0"])
    assert result.exit_code == 2 and "x>=1" in result.output


def test_running_keeper_is_not_disturbed(site: Path) -> None:
    journal(site, {})
    prepare(site.parent / "state" / "gw.db")
    with sole_mover(site.parent / "state"):
        assert "yet. Point Claude Code" in run(usage, site).output
    assert len(lines(run(logs, site, "--json"))) == 1


def test_broken_ledger_ends_in_one_line(site: Path) -> None:
    (site.parent / "state").mkdir()
    (site.parent / "state" / "gw.db").write_bytes(b"no database" * 500)
    result = CliRunner().invoke(usage, ["--config", str(site)])
    assert result.exit_code == 1 and result.output == "Error: the ledger cannot be used: gw.db: file is not a database\n"


def test_broken_configuration_is_named(site: Path) -> None:
    site.write_text("[server]\nprot = 1\n")
    result = CliRunner().invoke(usage, ["--config", str(site)])
    assert result.exit_code == 1 and "prot" in result.output
