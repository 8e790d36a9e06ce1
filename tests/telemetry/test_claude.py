"""Reading what Claude Code sends: both encodings say the same; texts are dropped; nothing is trusted."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.telemetry import Event
from gw.telemetry.claude import Unreadable, read
from tests.telemetry.client import JSON, PROTOBUF, SESSION, TOOL_TURN, WORK, event, logs, metrics, point, total, traces

KINDS = pytest.mark.parametrize("kind", [JSON, PROTOBUF])
AT_US = 1_795_260_461_000_000


@KINDS
def test_counts_are_what_gw_keeps_of_metrics(kind: str) -> None:
    told = read("metrics", kind, metrics(*WORK, kind=kind, resource={"project": "alpha"}))
    assert {one.total: one.value for one in told.counts} == {
        "sessions": 1,
        "lines_added": 6,
        "lines_removed": 1,
        "commits": 1,
        "pull_requests": 1,
        "estimated_pusd": 109_007_000_000,
        "edits_accepted": 2,
        "edits_rejected": 1,
        "active_cli_ms": 1552,
        "active_user_ms": 2500,
    }
    assert told.ignored == 2  # tokens: the ledger has them
    assert {(one.session_id, one.project, one.cumulative) for one in told.counts} == {(SESSION, "alpha", False)}
    assert {(one.start_us, one.at_us) for one in told.counts} == {(AT_US, AT_US + 1_000_000)}
    assert len({one.series for one in told.counts}) == 10


@KINDS
def test_events_say_which_tool_which_server_which_skill(kind: str) -> None:
    told = read("logs", kind, logs(*TOOL_TURN, kind=kind))
    by_sequence = {one.sequence: one for one in told.events}
    write, skill, mcp = by_sequence[9], by_sequence[11], by_sequence[12]
    assert write == Event(
        session_id=SESSION,
        project="",
        at_us=AT_US + 9000,
        sequence=9,
        name="tool_result",
        prompt_id="p1",
        request_id="gw_1",
        tool="Write",
        success=1,
        duration_ms=18,
        more='{"terminal.type":"xterm-256color","tool_input_size_bytes":"82","tool_use_id":"toolu_1"}',
    )
    assert (skill.name, skill.skill, skill.request_id, skill.estimated_pusd) == ("api_request", "greet", "gw_2", 10_000_000_000)
    assert (mcp.tool, mcp.mcp_server, mcp.mcp_tool, mcp.success) == ("mcp_tool", "notes", "remember", 0)
    assert (by_sequence[13].decision, by_sequence[13].source) == ("reject", "user_reject")
    assert by_sequence[14].mcp_server == "notes" and by_sequence[6].model == "claude-opus-5-5"


def test_texts_and_who_it_was_are_dropped_unless_they_are_asked_for() -> None:
    body = logs(*TOOL_TURN)
    kept = repr(read("logs", JSON, body))
    assert b"secret" in body and "secret" not in kept and "ada" not in kept
    asked = repr(read("logs", JSON, body, texts=True))
    assert "a secret plan" in asked and "/home/ada/secret.py" in asked and "ada@example.com" in asked


def test_an_attribute_that_nobody_knows_is_dropped_if_it_is_text() -> None:
    new = event("future", 1, new_text="secret", new_count=7, new_flag=True, new_list=["secret"])
    (one,) = read("logs", JSON, logs(new)).events
    assert orjson.loads(one.more) == {"new_count": 7, "new_flag": True, "terminal.type": "xterm-256color"}


def test_what_is_too_long_is_cut() -> None:
    (one,) = read("logs", JSON, logs(event("x" * 500, 1, body="y" * 20_000, model="m" * 500)), texts=True).events
    assert (len(one.name), len(one.model), one.more) == (128, 128, '{"cut": true}')


def test_an_event_without_a_sequence_is_told_apart_by_what_it_says() -> None:
    one, other = event("a", 1, status="x"), event("a", 1, status="y")
    for made in (one, other):
        made["attributes"] = [pair for pair in made["attributes"] if pair["key"] != "event.sequence"]
    found = read("logs", JSON, logs(one, other, one)).events
    assert found[0].sequence == found[2].sequence != found[1].sequence


def test_what_has_no_session_is_ignored() -> None:
    nameless = {"timeUnixNano": "1", "attributes": []}
    assert read("logs", JSON, logs(nameless)).ignored == 1
    bare = total("commit.count", {"asInt": "3", "attributes": []})
    assert read("metrics", JSON, metrics(bare)).ignored == 1


def test_whole_numbers_and_cumulative_sums_are_read_too() -> None:
    whole = point(0, type="added") | {"asInt": "9"}
    (one,) = read("metrics", JSON, metrics(total("lines_of_code.count", whole, cumulative=True))).counts
    assert (one.value, one.cumulative) == (9, True)


@pytest.mark.parametrize("amount", [float("1e300"), -5.0, "NaN", "12", None])
def test_no_number_is_too_strange(amount: Any) -> None:
    odd = point(1) | {"asDouble": amount}
    (one,) = read("metrics", JSON, metrics(total("commit.count", odd))).counts
    assert 0 <= one.value <= 2**63 - 1


@KINDS
def test_spans_are_counted_only(kind: str) -> None:
    told = read("traces", kind, traces(3, kind))
    assert (told.spans, told.events, told.counts) == (3, [], [])


@pytest.mark.parametrize(
    ("signal", "kind", "body"),
    [
        ("logs", JSON, b"not json"),
        ("logs", JSON, b"[1]"),
        ("logs", JSON, b'{"resourceLogs":[1]}'),
        ("logs", JSON, b'{"resourceLogs":{"a":1}}'),
        ("metrics", JSON, b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"claude_code.commit.count","sum":3}]}]}]}'),
        ("metrics", PROTOBUF, b"\xff\xff\xff"),
        ("logs", PROTOBUF, b"{}"),
    ],
)
def test_what_is_not_otlp_is_unreadable(signal: str, kind: str, body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(signal, kind, body)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(junk=JUNK, signal=st.sampled_from(["logs", "metrics", "traces"]))
def test_no_json_does_more_than_be_unreadable(junk: Any, signal: str) -> None:
    outer = {"logs": "resourceLogs", "metrics": "resourceMetrics", "traces": "resourceSpans"}[signal]
    for document in (junk, {outer: junk}, {outer: [{"scopeLogs": junk, "scopeMetrics": junk, "scopeSpans": junk}]}):
        try:
            body = orjson.dumps(document)
        except TypeError:  # a number beyond 64 bits
            continue
        try:
            read(signal, JSON, body)
        except Unreadable:
            continue
