"""What is answered of Claude Code's own reports: sums beside costs, shares, one session; and only a key's own to whoever has a
key."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gw.domain.telemetry import Owner
from gw.ledger.cursor import move_cursor
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database
from gw.ledger.telemetry import keep
from gw.ledger.telemetry_reports import Cost, Scope, groups, tools
from gw.telemetry.claude import read
from tests.control.api import CONFIG, TOKEN, Api, serving
from tests.ledger.records import record
from tests.telemetry.calls import keep as keep_calls
from tests.telemetry.client import JSON, SESSION, TOOL_TURN, WORK, logs, metrics

AT_US = 1_795_260_461_000_000
ADA = Owner("kid", "ada", "platform", "acme")
BOB = Owner("kid2", "bob", "", "")


async def reported(database: Database) -> None:
    """Ada's turn with its two calls, and Bob's work without any in the ledger."""
    times = {"started_us": AT_US, "ended_us": AT_US + 1_000_000}
    who: dict[str, Any] = {"key_id": "kid", "key_name": "ada", "team": "platform", "customer": "acme", "session_id": SESSION}
    who |= {"project": "alpha", **times}
    two = [record("gw_1", billed_pusd=2 * 10**12, **who), record("gw_2", billed_pusd=10**12, **who)]
    await keep_calls(database, *two, record("gw_3", **times))
    keep(database, [(ADA, read("logs", JSON, logs(*TOOL_TURN))), (ADA, read("metrics", JSON, metrics(*WORK)))], "f1", 1)
    body = metrics(*WORK).replace(SESSION.encode(), b"bobs")
    keep(database, [(BOB, read("metrics", JSON, body))], "f1", 2)


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setenv("GW_ADMIN_TOKEN", TOKEN)
    async with serving(tmp_path, CONFIG) as api:
        database = SqliteDatabase(tmp_path / "state" / "gw.db")
        await reported(database)
        move_cursor(database, "otel", 1)
        yield api


async def test_a_summary_says_what_was_done_and_what_it_cost(served: Api) -> None:
    said = (await served.ask("GET", "/api/telemetry/summary")).json
    assert said["by"] == "team"
    platform, none = said["items"]
    assert platform == {
        "group": "platform",
        "sessions": 1,
        "prompts": 1,
        "first_at": "2026-11-21T11:27:41.005000Z",
        "last_at": "2026-11-21T11:27:42Z",
        "active_s": 4,
        "lines_added": 6,
        "lines_removed": 1,
        "commits": 1,
        "pull_requests": 1,
        "edits_accepted": 2,
        "edits_rejected": 1,
        "accept_share": 0.6667,
        "calls": 2,
        "cost_usd": "3",
        "estimated_usd": "0.109007",
        "per_commit_usd": "3",
        "per_pull_request_usd": "3",
        "per_100_lines_usd": "42.857143",
    }
    assert (none["group"], none["commits"], none["cost_usd"], none["calls"]) == ("", 1, "0", 1)


@pytest.mark.parametrize(
    ("query", "groups"),
    [
        ("by=key", {"ada": "3", "bob": "0"}),
        ("by=customer", {"acme": "3", "": "0"}),
        ("by=project", {"alpha": "3", "": "0"}),
        ("by=session", {SESSION: "3", "bobs": "0"}),
        ("by=day", {"2026-11-21": "3"}),
        ("by=day&project=alpha", {"2026-11-21": "3"}),
        ("by=key&team=platform", {"ada": "3"}),
        ("by=key&key=bob", {"bob": "0"}),
        ("by=project&session=" + SESSION, {"alpha": "3"}),
        ("by=team&since=2026-11-21&until=2026-11-22", {"platform": "3", "": "0"}),
        ("by=team&since=2026-11-22", {}),
        ("by=team&until=2026-11-21", {}),
        ("by=team&limit=1&team=platform", {"platform": "3"}),
    ],
)
async def test_it_is_told_apart_and_narrowed_as_asked(served: Api, query: str, groups: dict[str, str]) -> None:
    said = (await served.ask("GET", f"/api/telemetry/summary?{query}")).json
    assert {one["group"]: one["cost_usd"] for one in said["items"]} == groups


async def test_tools_skills_and_servers_by_use(served: Api) -> None:
    said = (await served.ask("GET", "/api/telemetry/tools")).json["items"]
    by_name = {one["name"]: one for one in said}
    assert by_name["Write"] == {
        "name": "Write",
        "sessions": 1,
        "calls": 1,
        "failures": 0,
        "success_share": 1.0,
        "average_ms": 18,
        "accepted": 1,
        "rejected": 0,
        "accept_share": 1.0,
        "cost_usd": None,
    }
    assert (by_name["mcp_tool"]["success_share"], by_name["WebFetch"]["average_ms"], by_name["WebFetch"]["accept_share"]) == (
        0.0,
        None,
        0.0,
    )
    servers = (await served.ask("GET", f"/api/telemetry/tools?by=mcp_server&session={SESSION}")).json["items"]
    assert [(one["name"], one["calls"], one["cost_usd"]) for one in servers] == [("notes", 1, "1")]
    assert (await served.ask("GET", "/api/telemetry/tools?by=skill")).json["items"] == []


async def test_a_session_is_told_event_by_event_with_what_calls_cost(served: Api) -> None:
    said = (await served.ask("GET", f"/api/telemetry/sessions/{SESSION}?limit=3")).json
    assert (said["totals"]["commits"], said["totals"]["cost_usd"]) == (1, "3")
    assert [one["name"] for one in said["events"]] == ["user_prompt", "api_request", "assistant_response"]
    request = said["events"][1]
    assert (request["request_id"], request["cost_usd"], request["model"]) == ("gw_1", "2", "claude-opus-5-5")
    assert said["events"][0]["cost_usd"] is None and said["events"][0]["more"]["prompt_length"] == "30"
    assert {one["name"]: one["cost_usd"] for one in said["tools"]} == {"Write": "2", "mcp_tool": "1", "WebFetch": "0"}
    seen = said["events"]
    while said["next_cursor"]:
        said = (await served.ask("GET", f"/api/telemetry/sessions/{SESSION}?limit=3&cursor={said['next_cursor']}")).json
        seen += said["events"]
    assert [one["at"] for one in seen] == sorted(one["at"] for one in seen) and len(seen) == len(TOOL_TURN)
    decision = next(one for one in seen if one["decision"] == "reject")
    assert (decision["tool"], decision["source"], decision["success"]) == ("WebFetch", "user_reject", None)


async def test_what_sends_calls_on_says_how_far_it_is(served: Api) -> None:
    said = (await served.ask("GET", "/api/telemetry/exports")).json
    assert said == {"items": [{"name": "otel", "seq": 1, "behind": 2, "refused": 0}]}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("summary?by=nobody", "by"),
        ("summary?since=yesterday", "since"),
        ("summary?limit=0", "limit"),
        ("summary?key=" + "x" * 501, "key"),
        ("summary?team=a%00b", "team"),
        ("tools?by=team", "by"),
        (f"sessions/{SESSION}?cursor=1.x", "cursor"),
        (f"sessions/{SESSION}?cursor={'9' * 30}.0", "cursor"),
    ],
)
async def test_what_cannot_be_meant_is_said(served: Api, path: str, field: str) -> None:
    problem = (await served.ask("GET", f"/api/telemetry/{path}")).problem(422, "invalid")
    assert [one["field"] for one in problem["errors"]] == [field]


async def test_a_session_that_nobody_told_of_is_not_found(served: Api) -> None:
    (await served.ask("GET", "/api/telemetry/sessions/none")).problem(404, "not_found")


async def test_both_databases_say_the_same(database: Database) -> None:
    assert groups(database, "team", Scope(), 10) == [] and tools(database, "tool", Scope(), 10) == []
    await reported(database)
    for by in ("team", "customer", "key", "project", "session", "day"):
        found = groups(database, by, Scope(), 10)  # type: ignore[arg-type]  # each of By
        assert sum(one.cost.billed_pusd for one in found) == 3 * 10**12 and sum(one.counts["commits"] for one in found) == 2
    assert {one.name: one.cost for one in tools(database, "tool", Scope(session=SESSION), 10)} == {
        "Write": Cost(1, 2 * 10**12),
        "mcp_tool": Cost(1, 10**12),
        "WebFetch": Cost(),
    }
