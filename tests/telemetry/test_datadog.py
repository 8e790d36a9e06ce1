"""Spans as Datadog's LLM Observability takes them, and DogStatsD as its Agent does: payloads read back, every field."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from gw import __version__, clock
from gw.config.secret import Secret
from gw.config.telemetry_model import Datadog
from gw.domain.call import CallRecord
from gw.domain.trace import span_id_of, trace_id_of
from gw.ledger.cursor import read_cursor
from gw.ledger.sqlite import SqliteDatabase
from gw.telemetry import post
from gw.telemetry.datadog import PATH, SPANS_CURSOR, STATSD_CURSOR, Encoder, Settings, datagrams, tell_spans, tell_statsd
from gw.telemetry.post import Unavailable
from tests.ledger.records import NOON_US, record
from tests.support.databases import query
from tests.telemetry.calls import PLACES, SPAN, TRACE, full, keep
from tests.telemetry.sink import Says, Sink, sink
from tests.telemetry.test_otel import at, begun, beside

PARTS = {"input_pusd": 1_000_000, "output_pusd": 2_000_000, "cache_read_pusd": 3_000_000, "cache_write_5m_pusd": 4_000_000}
PARTS |= {"cache_write_1h_pusd": 5_000_000, "billed_pusd": 15_000_000}


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteDatabase:
    return SqliteDatabase(tmp_path / "gw.db")


@pytest.fixture
def intake() -> Iterator[Sink]:
    with sink() as found:
        yield found


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "PAUSE_S", (0.01, 0.02))


def settings(**more: Any) -> Settings:
    tags = {"env": Secret("literal", "prod")}
    return Settings(Datadog(**({"ml_app": "house", "tags": tags, "interval_s": 0.1} | more)), PLACES)


def young(one: CallRecord) -> CallRecord:
    """As it would be if it ended now."""
    return replace(one, started_us=clock.wall_us() - 1_500_000, ended_us=clock.wall_us())


def test_a_span_says_all_that_datadog_looks_for() -> None:
    encoder = Encoder(settings())
    document = orjson.loads(encoder.request(encoder.spans([full(**PARTS)])))
    assert document["data"]["type"] == "span"
    attributes = document["data"]["attributes"]
    assert (attributes["ml_app"], attributes["tags"]) == ("house", ["service:house", f"version:{__version__}", "env:prod"])
    (span,) = attributes["spans"]
    metadata = span["meta"].pop("metadata")
    assert span.pop("metrics") == {
        "input_tokens": 19_713,
        "non_cached_input_tokens": 3,
        "cache_read_input_tokens": 19_641,
        "cache_write_input_tokens": 69,
        "output_tokens": 50,
        "reasoning_output_tokens": 7,
        "total_tokens": 19_763,
        "input_cost": 0.000013,
        "non_cached_input_cost": 0.000001,
        "cache_read_input_cost": 0.000003,
        "cache_write_input_cost": 0.000009,
        "output_cost": 0.000002,
        "total_cost": 0.000015,
        "time_to_first_token": 0.25,
    }
    tags = span.pop("tags")
    assert {"key:ada", "team:platform", "customer:acme", "project:alpha", "session:session-1", "outcome:completed"} <= set(tags)
    assert span == {
        "name": "chat claude-sonnet-4-5",
        "span_id": span_id_of("gw_1"),
        "trace_id": TRACE,
        "parent_id": SPAN,
        "session_id": "session-1",
        "start_ns": NOON_US * 1000,
        "duration": 1_500_000_000,
        "status": "ok",
        "meta": {"kind": "llm"},
    }
    assert metadata.items() >= {
        "model_name": "claude-sonnet-4-5-20250929",
        "model_provider": "anthropic",
        "stream": True,
        "stop_reason": "end_turn",
        "gw.call.id": "gw_1",
        "gw.cost.billed_usd": "0.000015",
    }.items()


def test_a_root_span_an_error_and_what_is_no_model_call() -> None:
    wrong = record("gw_2", outcome="upstream_error", error="upstream_reset", usage_source="none", status=502)
    counted = record("gw_3", endpoint="count_tokens")
    (span,) = Encoder(settings()).spans([wrong, counted])
    assert (span["parent_id"], span["trace_id"], span["status"], span["metrics"]) == (
        "undefined",
        trace_id_of("gw_2"),
        "error",
        {},
    )
    assert span["meta"]["error"] == {"type": "upstream_reset", "message": "upstream_error 502"} and "session_id" not in span


def test_identities_that_are_not_named_stay_here() -> None:
    encoder = Encoder(settings(identities=("team",)))
    one = full(key_name="lovelace")
    told = encoder.request(encoder.spans([one])) + b"\n".join(encoder.lines([one]))
    assert b"platform" in told
    for name in (b"lovelace", b"kid", b"acme", b"alpha", b"session-1", b"agent-1", b"dev1", b"c0ffee", b"prompt-1"):
        assert name not in told


def read(lines: list[bytes]) -> dict[tuple[str, str, str], list[float]]:
    """(metric, kind, tags) -> values; by the grammar of DogStatsD."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for line in lines:
        match = re.fullmatch(r"([a-z_.]+):([0-9.e+-]+)\|([cd])\|#(.+)", line.decode())
        assert match, line
        found.setdefault((match[1], match[3], match[4]), []).append(float(match[2]))
    return found


def test_counts_are_summed_and_times_are_told_one_by_one() -> None:
    wrong = record("gw_3", outcome="refused", error="rate_limited", usage_source="none", upstream="main", served_model="")
    told = read(Encoder(settings()).lines([full("gw_1"), full("gw_2"), wrong]))
    model = "claude-sonnet-4-5-20250929"
    ours = f"env:prod,operation:chat,model:{model},provider:anthropic,key:ada,team:platform,customer:acme,project:alpha"
    nobody = "env:prod,operation:chat,model:claude-sonnet-4-5,provider:anthropic"
    assert told == {
        ("gw.calls", "c", f"{ours},outcome:completed"): [2],
        ("gw.calls", "c", f"{nobody},outcome:refused"): [1],
        ("gw.errors", "c", f"{nobody},error:rate_limited"): [1],
        ("gw.tokens", "c", f"{ours},class:input"): [6],
        ("gw.tokens", "c", f"{ours},class:output"): [100],
        ("gw.tokens", "c", f"{ours},class:cache_read"): [39_282],
        ("gw.tokens", "c", f"{ours},class:cache_write_5m"): [120],
        ("gw.tokens", "c", f"{ours},class:cache_write_1h"): [18],
        ("gw.cost", "c", ours): [pytest.approx(0.0102904)],
        ("gw.call.duration", "d", f"{ours},outcome:completed"): [1.5, 1.5],
        ("gw.call.duration", "d", f"{nobody},outcome:refused"): [1.5],
        ("gw.call.time_to_first_token", "d", ours): [0.25, 0.25],
    }


def test_no_name_ends_a_tag_or_a_line() -> None:
    lines = Encoder(settings()).lines([full(project="a,b|c#d\ne", requested_model="m", served_model="x\ry")])
    assert all(b"\n" not in line and b"\r" not in line and line.count(b"|") == 2 and line.count(b"#") == 1 for line in lines)
    assert any(b"project:a_b_c_d_e" in line for line in lines)


def test_lines_share_datagrams_up_to_their_size() -> None:
    assert datagrams([b"a" * 5, b"b" * 5, b"c" * 5, b"d" * 30], size=11) == [b"aaaaa\nbbbbb", b"ccccc", b"d" * 30]


async def test_spans_go_to_the_intake_with_its_key(ledger: SqliteDatabase, intake: Sink) -> None:
    await begun(ledger, SPANS_CURSOR)
    await keep(ledger, young(full("gw_1")), full("gw_old"))  # the second is older than a day
    told = settings(api_key=Secret("env:DD", "dd-key"), url=intake.url)
    intake.answer = lambda _: Says(202)
    await beside(tell_spans(told, ledger), at(ledger, SPANS_CURSOR, 2))
    (got,) = intake.taken
    assert (got.path, got.headers["dd-api-key"], got.headers["content-type"]) == (PATH, "dd-key", "application/json")
    (span,) = orjson.loads(got.body)["data"]["attributes"]["spans"]
    assert span["span_id"] == span_id_of("gw_1")
    assert query(ledger, "SELECT value FROM meta WHERE name = 'refused:datadog'") == [(1,)]


async def test_an_outage_loses_nothing_and_a_wrong_key_is_said(
    ledger: SqliteDatabase, intake: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    await begun(ledger, SPANS_CURSOR)
    await keep(ledger, young(record("gw_1")))
    told = settings(api_key=Secret("literal", "dd-key"), url=intake.url)
    intake.answer = lambda _: Says(503)
    with pytest.raises(Unavailable):
        await tell_spans(told, ledger)
    assert read_cursor(ledger, SPANS_CURSOR) == 0
    intake.answer = lambda _: Says(403, b'{"errors":["Forbidden"]}')
    await beside(tell_spans(told, ledger), at(ledger, SPANS_CURSOR, 1))
    assert "Forbidden" in caplog.text and "dd-key" not in caplog.text


async def test_metrics_go_to_the_agent_by_udp_and_by_its_socket(ledger: SqliteDatabase, tmp_path: Path) -> None:
    await begun(ledger, STATSD_CURSOR)
    path = tmp_path / "dsd.socket"
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix,
    ):
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(path))
        await keep(ledger, full("gw_1"))
        by_udp = settings(statsd_host="127.0.0.1", statsd_port=udp.getsockname()[1])
        await beside(tell_statsd(by_udp, ledger), at(ledger, STATSD_CURSOR, 1))
        await keep(ledger, full("gw_2"))
        await beside(tell_statsd(settings(statsd_socket=str(path)), ledger), at(ledger, STATSD_CURSOR, 2))
        for agent in (udp, unix):
            agent.setblocking(False)
            found = []
            while True:
                try:
                    found += agent.recv(65_536).split(b"\n")
                except BlockingIOError:
                    break
            assert sum(sum(values) for (name, _, _), values in read(found).items() if name == "gw.calls") == 1


async def test_a_socket_that_is_gone_is_an_outage(ledger: SqliteDatabase, tmp_path: Path) -> None:
    await begun(ledger, STATSD_CURSOR)
    await keep(ledger, full("gw_1"))
    with pytest.raises(OSError, match="No such file"):
        await tell_statsd(settings(statsd_socket=str(tmp_path / "gone")), ledger)
    assert read_cursor(ledger, STATSD_CURSOR) == 0
