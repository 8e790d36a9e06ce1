"""The real Claude Code through gw: for each session the ledger equals the fake upstream's own invoice.

Two released versions of the client, headless and in a terminal; HOME is empty, the key is a dummy or a virtual one.
"""

import hashlib
import signal
from typing import Any

import pytest

from gw.clock import wall_us
from gw.demo.invoice import Line
from tests.e2e.conftest import House
from tests.support.bill import assert_equal_bills
from tests.support.claims import allowed
from tests.support.claude import Desk, Run, Terminal, allow
from tests.support.gateway import Row

OWN = "sk-ant-the-developers-own"


def as_own() -> dict[str, str]:
    return {"ANTHROPIC_API_KEY": OWN}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def check(house: House, run: Run, *, calls: int) -> tuple[list[Row], list[Line]]:
    """The run ended well, and its session's ledger is its invoice, with so many calls in both."""
    assert run.status == 0, (run.text, run.err[-2000:])
    rows, lines = house.bills(run.session)
    assert len(rows) == len(lines) == calls
    assert_equal_bills(rows, lines)
    return rows, lines


# what a developer does


def test_plain_turn_is_one_exact_row(house: House, desk: Desk) -> None:
    run = desk.run(house.url, "go [play:plain]", as_own())
    (row,), (line,) = check(house, run, calls=1)
    assert (row["outcome"], row["status"], row["usage_source"], row["usage_flags"]) == ("completed", 200, "exact", "")
    assert row["client_version"] == f"claude-cli/{desk.version.number}"
    assert (row["stop_reason"], row["served_model"]) == ("end_turn", line.model)
    assert row["started_us"] <= row["first_byte_us"] <= row["first_token_us"] <= row["ended_us"]
    assert row["device"] and row["credential"] and not row["key_id"]
    assert line.credential_sha256 == sha256(OWN)


def test_tool_turns_are_one_row_per_model_step(house: House, desk: Desk) -> None:
    (desk.work / "note.txt").write_text("a note to read\n")
    run = desk.run(house.url, f"go [play:tools {desk.work / 'note.txt'}]", as_own(), *allow("Bash", "Read"))
    rows, _ = check(house, run, calls=3)
    assert [row["stop_reason"] for row in rows] == ["tool_use", "tool_use", "end_turn"]
    assert all(row["thinking_tokens"] > 0 for row in rows[:2])
    assert rows[2]["cache_read_tokens"] > rows[1]["cache_read_tokens"] > rows[0]["cache_read_tokens"] == 0


def test_subagent_calls_carry_its_agent_id(house: House, desk: Desk) -> None:
    run = desk.run(house.url, "go [play:agent tools]", as_own(), *allow("Bash", "Agent", "Task"))
    rows, _ = check(house, run, calls=4)
    main = [row for row in rows if not row["agent_id"]]
    agent = [row for row in rows if row["agent_id"]]
    assert (len(main), len(agent), len({row["agent_id"] for row in agent})) == (2, 2, 1)
    assert {row["parent_agent_id"] for row in rows} == {""}


def test_nested_subagent_calls_carry_the_parent_too(house: House, desk: Desk) -> None:
    run = desk.run(house.url, "go [play:nested]", as_own(), *allow("Bash", "Agent", "Task"))
    rows, _ = check(house, run, calls=6)
    outer = {row["agent_id"] for row in rows if row["agent_id"] and not row["parent_agent_id"]}
    inner = [row for row in rows if row["parent_agent_id"]]
    assert len(outer) == 1 and len(inner) == 2
    assert {row["parent_agent_id"] for row in inner} == outer
    assert not {row["agent_id"] for row in inner} & outer


def test_resumed_session_keeps_its_id(house: House, desk: Desk) -> None:
    first = desk.run(house.url, "go [play:plain]", as_own())
    second = desk.run(house.url, "and on [play:plain]", as_own(), "--resume", first.session)
    assert second.session == first.session
    rows, _ = check(house, second, calls=2)
    assert rows[1]["cache_read_tokens"] > 0


@pytest.mark.parametrize(("play", "attempts"), [("error-event", 1), ("error-event overloaded_error", 3)])
def test_fallback_after_a_broken_stream_is_billed_with_the_stream(house: House, desk: Desk, play: str, attempts: int) -> None:
    run = desk.run(house.url, f"go [play:{play}]", as_own())
    rows, _ = check(house, run, calls=attempts + 1)
    assert [bool(row["stream"]) for row in rows] == [True] * attempts + [False]
    assert {row["outcome"] for row in rows[:-1]} == {"upstream_error"}
    assert {row["usage_source"] for row in rows[:-1]} == {"observed"}
    assert (rows[-1]["outcome"], rows[-1]["usage_source"]) == ("completed", "exact")


def test_fallback_after_a_stream_without_events_is_exact(house: House, desk: Desk) -> None:
    run = desk.run(house.url, "go [play:no-events]", as_own())
    assert run.status == 0, run.text
    rows, lines = house.bills(run.session)
    assert [bool(row["stream"]) for row in rows] == [True, False]
    assert rows[0]["usage_source"] != "exact"
    assert_equal_bills(rows[1:], lines[1:])


def test_context_counts_tokens_and_costs_nothing(house: House, desk: Desk) -> None:
    def counts() -> list[Line]:
        lines = house.upstream.invoice.lines()[seen:]
        return [line for line in lines if "/count_tokens" in line.target]

    seen = len(house.upstream.invoice.lines())
    with Terminal(desk, house.url, as_own()) as terminal:
        terminal.enter("/context")
        terminal.until("the table", lambda: "estimatedusagebycategory" in terminal.screen().lower())
        session = counts()[0].headers["x-claude-code-session-id"]
        assert len(counts()) >= 10
        terminal.enter("hello [play:plain]")
        terminal.until("an answer", lambda: bool(house.upstream.invoice.billed(session=session)))
        terminal.until("a quiet prompt", lambda: "●" in terminal.screen())
    rows, lines = house.bills(session)
    counted = [row for row in rows if row["endpoint"] == "count_tokens"]
    assert len(counted) == sum("/count_tokens" in line.target for line in lines) >= 10
    assert {(row["list_pusd"], row["usage_source"], row["outcome"]) for row in counted} == {(0, "none", "completed")}
    assert_equal_bills(rows, lines)
    assert sum(row["list_pusd"] for row in rows) > 0


def test_interrupted_turn_closes_the_upstream_and_is_billed_as_observed(house: House, desk: Desk) -> None:
    upstream = house.upstream.upstream
    lines_before, chunks_before = len(upstream.invoice.lines()), upstream.chunks_sent
    process = desk.start(house.url, "go [play:events 400 50]", as_own())
    house.gateway.poll(lambda: upstream.chunks_sent > chunks_before + 20, "some output")
    interrupted_us = wall_us()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    house.gateway.poll(lambda: len(upstream.invoice.lines()) > lines_before, "the end at the upstream")
    (line,) = [one for one in upstream.invoice.lines()[lines_before:] if one.end == "cut_by_client"]
    assert 0 < line.cut_us - interrupted_us < allowed(1_000_000)
    (row,) = house.gateway.settled(bool, "upstream_request_id = ?", [line.request_id])
    assert (row["outcome"], row["usage_source"]) == ("client_gone", "observed")
    assert row["list_pusd"] > 0


# names of models


SLASHED = "groq/llama-3.3-70b-versatile"


def test_unknown_model_with_slashes_passes_through_unpriced(house: House, desk: Desk) -> None:
    run = desk.run(house.url, "go [play:plain]", as_own(), "--model", SLASHED)
    assert run.status == 0, run.text
    (row,), (line,) = house.bills(run.session)
    assert (row["requested_model"], row["list_pusd"], row["billed_pusd"]) == (SLASHED, 0, 0)
    assert row["price_version"] == "unpriced" and "unpriced" in row["usage_flags"]
    assert line.usage is not None
    assert row["output_tokens"] == line.usage["output_tokens"]


def test_override_prices_a_model_with_slashes(house: House, desk: Desk) -> None:
    run = desk.run(house.url, "go [play:plain]", {"ANTHROPIC_AUTH_TOKEN": house.keys["ada"]}, "--model", SLASHED)
    (row,), (line,) = check(house, run, calls=1)
    assert row["billed_pusd"] == line.cost_pusd > 0
    assert "groq at list" in row["price_version"]


# addresses and credentials


@pytest.mark.parametrize("path", ["", "/", "/anthropic", "/anthropic/"])
def test_base_url_forms_reach_the_same_route(house: House, new_desk: Desk, path: str) -> None:
    run = new_desk.run(house.gateway.base_url + path, "go [play:plain]", as_own())
    _, (line,) = check(house, run, calls=1)
    assert line.target == "/v1/messages?beta=true"


@pytest.mark.parametrize("variable", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_virtual_key_is_replaced_by_the_upstream_credential(house: House, desk: Desk, variable: str) -> None:
    run = desk.run(house.url, "go [play:plain]", {variable: house.keys["ada"]})
    (row,), (line,) = check(house, run, calls=1)
    assert (row["key_name"], row["team"], row["customer"]) == ("ada", "platform", "acme")
    assert row["key_id"] and not row["credential"]
    assert (line.credential, line.credential_sha256) == ("x-api-key", sha256(house.gateway.upstream_key))
    assert house.keys["ada"] not in str(line.headers)


def test_x_gw_key_leaves_the_clients_own_bearer_alone(house: House, desk: Desk) -> None:
    environ = {"ANTHROPIC_AUTH_TOKEN": "own-oauth-token", "ANTHROPIC_CUSTOM_HEADERS": f"x-gw-key: {house.keys['ada']}"}
    run = desk.run(house.url, "go [play:plain]", environ)
    (row,), (line,) = check(house, run, calls=1)
    assert row["key_name"] == "ada"
    assert (line.credential, line.credential_sha256) == ("authorization", sha256("own-oauth-token"))
    assert not [name for name in line.headers if name.startswith("x-gw-")]


def test_project_and_tags_come_from_custom_headers(house: House, desk: Desk) -> None:
    environ: dict[str, Any] = {**as_own(), "ANTHROPIC_CUSTOM_HEADERS": "x-gw-project: alpha\nx-gw-tags: a=1,b=2"}
    run = desk.run(house.url, "go [play:plain]", environ)
    (row,), _ = check(house, run, calls=1)
    assert (row["project"], row["tags"]) == ("alpha", "a=1,b=2")


def test_prompt_id_groups_a_turn(house: House, new_desk: Desk) -> None:
    environ = {**as_own(), "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1"}
    run = new_desk.run(house.url, "go [play:tools]", environ, *allow("Bash"))
    rows, _ = check(house, run, calls=2)
    assert len({row["prompt_id"] for row in rows}) == 1 and rows[0]["prompt_id"]


# refusals as the developer sees them


def refused(house: House, run: Run) -> Row:
    """Exactly one request was made, and the upstream never saw it."""
    assert run.status == 1
    rows, lines = house.bills(run.session, refused=1)
    assert not lines
    (row,) = rows
    assert (row["outcome"], row["list_pusd"], row["usage_source"]) == ("refused", 0, "none")
    return row


@pytest.mark.parametrize(("key", "slug"), [("gone", "revoked_key"), ("late", "expired_key")])
def test_ended_key_stops_the_client_at_once(house: House, desk: Desk, key: str, slug: str) -> None:
    run = desk.run(house.url, "go [play:plain]", {"ANTHROPIC_AUTH_TOKEN": house.keys[key]})
    row = refused(house, run)
    assert (row["status"], row["error"], row["key_name"]) == (401, slug, key)
    assert run.text.startswith("Failed to authenticate. API Error: 401")
    assert key in run.text


def test_model_not_allowed_is_shown_as_it_is(house: House, desk: Desk) -> None:
    run = desk.run(house.url, "go [play:plain]", {"ANTHROPIC_AUTH_TOKEN": house.keys["small"]})
    row = refused(house, run)
    assert (row["status"], row["error"]) == (400, "model_not_allowed")
    assert run.text.startswith("API Error: 400")
    assert "claude-haiku-*" in run.text


def test_unknown_model_is_denied_to_a_virtual_key(house: House, desk: Desk) -> None:
    run = desk.run(house.url, "go [play:plain]", {"ANTHROPIC_AUTH_TOKEN": house.keys["ada"]}, "--model", "mistral/large")
    row = refused(house, run)
    assert (row["status"], row["error"]) == (400, "model_unpriced")
    assert "mistral/large" in run.text
