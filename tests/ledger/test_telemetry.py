"""What clients report, counted in the database: once, whatever comes twice, on both of them."""

import pytest

from gw.domain.telemetry import Count, Event, Owner, Told
from gw.ledger.store import Database
from gw.ledger.telemetry import DAY_US, Place, forget_places, keep, move_sent, places, retire
from gw.telemetry.claude import read
from tests.ledger.records import record
from tests.support.databases import query
from tests.telemetry.calls import keep as keep_calls
from tests.telemetry.client import JSON, SESSION, TOOL_TURN, WORK, logs, metrics

OWNER = Owner("kid", "ada", "platform", "acme")
AT_US = 1_795_260_461_000_000
SUMS = "sessions, lines_added, lines_removed, commits, pull_requests, edits_accepted, edits_rejected, active_cli_ms"
SUMS += ", estimated_pusd"


def count(value: int, *, at: int, start: int = 0, series: str = "s1", cumulative: bool = False, session: str = "one") -> Count:
    return Count(session, "", "commits", series, value, AT_US + start, AT_US + at, cumulative)


def commits(database: Database) -> int:
    return int(query(database, "SELECT COALESCE(SUM(commits), 0) FROM telemetry_session")[0][0])


def told(*counts: Count) -> list[tuple[Owner, Told]]:
    return [(OWNER, Told(list(counts), []))]


def test_a_turn_becomes_events_sums_and_uses_of_tools(database: Database) -> None:
    said = [(OWNER, read("logs", JSON, logs(*TOOL_TURN))), (OWNER, read("metrics", JSON, metrics(*WORK)))]
    keep(database, said, "f1", 900)
    assert query(database, f"SELECT {SUMS} FROM telemetry_session") == [(1, 6, 1, 1, 1, 2, 1, 1552, 109_007_000_000)]
    who = "session_id, key_id, key_name, team, customer, project, prompts, first_us, last_us"
    assert query(database, f"SELECT {who} FROM telemetry_session") == [
        (SESSION, "kid", "ada", "platform", "acme", "", 1, AT_US + 5000, AT_US + 1_000_000)
    ]
    tools = "tool, mcp_server, skill, calls, failures, duration_ms, accepted, rejected"
    assert query(database, f"SELECT {tools} FROM telemetry_tool ORDER BY tool") == [
        ("WebFetch", "", "", 0, 0, 0, 0, 1),
        ("Write", "", "", 1, 0, 18, 1, 0),
        ("mcp_tool", "notes", "", 1, 1, 22, 0, 0),
    ]
    assert query(database, "SELECT COUNT(*) FROM telemetry_event") == [(len(TOOL_TURN),)]
    assert places(database) == {"f1": Place(900, 0)}


def test_what_comes_twice_counts_once(database: Database) -> None:
    said = [(OWNER, read("logs", JSON, logs(*TOOL_TURN))), (OWNER, read("metrics", JSON, metrics(*WORK)))]
    keep(database, said, "f1", 900)
    before = [query(database, f"SELECT * FROM telemetry_{table}") for table in ("session", "tool", "event")]
    keep(database, said, "f1", 1800)  # a client that did not hear the answer
    assert [query(database, f"SELECT * FROM telemetry_{table}") for table in ("session", "tool", "event")] == before


def test_another_key_in_the_same_session_counts_for_itself(database: Database) -> None:
    other = Owner("kid2", "bob", "", "")
    keep(database, [(OWNER, Told([count(2, at=1)], [])), (other, Told([count(3, at=1)], []))], "f1", 1)
    assert query(database, "SELECT key_name, commits FROM telemetry_session ORDER BY key_name") == [("ada", 2), ("bob", 3)]


def test_deltas_add_up_and_cumulative_sums_count_by_their_growth(database: Database) -> None:
    keep(database, told(count(2, at=1), count(3, at=2), count(3, at=2), count(1, at=1)), "f1", 1)
    assert commits(database) == 5  # the third came before, the fourth is older than what is known
    grown = [count(value, at=at, series="s2", cumulative=True) for value, at in ((4, 1), (7, 2), (7, 3))]
    keep(database, told(*grown), "f1", 2)
    assert commits(database) == 12
    anew = [count(value, at=at, start=10, series="s2", cumulative=True) for value, at in ((2, 11), (3, 12))]
    keep(database, told(*anew), "f1", 3)  # the client began anew
    assert commits(database) == 15


def test_a_project_is_what_the_client_says_else_what_its_calls_say(database: Database) -> None:
    keep(database, told(count(1, at=1, session="silent")), "f1", 1)
    asyncio_run_keep(database)
    said = Event("one", "beta", AT_US, 1, "user_prompt")
    keep(database, [(OWNER, Told([count(1, at=5), count(1, at=6, session="silent")], [said]))], "f1", 2)
    found = dict(query(database, "SELECT session_id, project FROM telemetry_session"))
    assert found == {"one": "alpha", "silent": ""}
    assert query(database, "SELECT project FROM telemetry_event") == [("beta",)]


def asyncio_run_keep(database: Database) -> None:
    import asyncio

    asyncio.run(keep_calls(database, record("gw_1", session_id="one", project="alpha")))


def test_a_failed_transaction_keeps_nothing_and_no_place(database: Database) -> None:
    broken = Count("one", "", "no_such_total", "s", 1, AT_US, AT_US, False)
    with pytest.raises(AssertionError):
        keep(database, told(count(1, at=1), broken), "f1", 5)
    assert commits(database) == 0 and places(database) == {}


def test_places_of_both_readers_move_apart_and_go_together(database: Database) -> None:
    keep(database, [], "f1", 5)
    move_sent(database, "f1", 3)
    move_sent(database, "f2", 9)
    assert places(database) == {"f1": Place(5, 3), "f2": Place(0, 9)}
    forget_places(database, ["f1"])
    assert places(database) == {"f2": Place(0, 9)}


def test_what_is_old_goes_and_what_is_not_stays(database: Database) -> None:
    old = Event("one", "", AT_US - 40 * DAY_US, 1, "tool_result", tool="Bash")
    new = Event("one", "", AT_US, 2, "tool_result", tool="Bash")
    counts = [count(1, at=-40 * DAY_US), count(1, at=0, series="s2")]
    keep(database, [(OWNER, Told(counts, [old, new]))], "f1", 1)
    assert not retire(database, AT_US - 30 * DAY_US)
    for table in ("event", "session", "tool", "series"):
        assert query(database, f"SELECT COUNT(*) FROM telemetry_{table}") == [(1,)], table
