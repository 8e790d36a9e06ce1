"""From the ledger to a collector over HTTP: outages, refusals, restarts; nothing is lost, and what comes twice has the same
ids."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from gw.config.secret import Secret
from gw.config.telemetry_model import Otel
from gw.domain.trace import span_id_of
from gw.ledger.cursor import read_cursor
from gw.ledger.store import Database
from gw.telemetry import post
from gw.telemetry.otel import CALLS_CURSOR, METRICS_CURSOR, MetricsTeller, Settings, tell_calls
from gw.telemetry.post import Unavailable
from tests.ledger.records import record
from tests.support.databases import query
from tests.telemetry.calls import PLACES, full, keep
from tests.telemetry.sink import Got, Says, Sink, sink
from tests.telemetry.test_otlp import read


@pytest.fixture
def collector() -> Any:
    with sink() as found:
        yield found


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "PAUSE_S", (0.01, 0.02))


def settings(collector: Sink, **changes: Any) -> Settings:
    otel = Otel(endpoint=collector.url, **({"interval_s": 0.1, "metrics_interval_s": 0.1, "metrics": True} | changes))
    return Settings(otel, PLACES, "host-1")


def span_ids(collector: Sink) -> list[str]:
    found = []
    for body in collector.bodies("/v1/traces"):
        for one in ExportTraceServiceRequest.FromString(body).resource_spans:
            found += [span.span_id.hex() for scope in one.scope_spans for span in scope.spans]
    return found


def events(collector: Sink) -> list[str]:
    found = []
    for body in collector.bodies("/v1/logs"):
        for one in ExportLogsServiceRequest.FromString(body).resource_logs:
            found += [event.span_id.hex() for scope in one.scope_logs for event in scope.log_records]
    return found


async def until(reached: Callable[[], bool], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not reached():
            await asyncio.sleep(0.01)


def at(database: Database, name: str, seq: int) -> Callable[[], bool]:
    """The duty has dealt with all up to there."""
    return lambda: read_cursor(database, name) == seq


async def beside(run: Awaitable[None], reached: Callable[[], bool]) -> None:
    """Runs a duty until `reached()`; what it raises is raised."""
    task = asyncio.ensure_future(run)
    waiting = asyncio.ensure_future(until(reached))
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    if not waiting.cancelled():
        await waiting


async def begun(database: Database, name: str) -> None:
    """The duty has run before: all that comes from now on is told."""
    from gw.telemetry.feed import Feed

    database.prepare()
    await Feed(database, name).begin()


async def test_calls_go_out_with_what_was_configured(database: Database, collector: Sink) -> None:
    await begun(database, CALLS_CURSOR)
    await keep(database, full("gw_1"), record("gw_2"))
    otel = {"headers": {"authorization": Secret("env:TOKEN", "Bearer t")}, "resource": {"team.name": Secret("literal", "sre")}}
    await beside(tell_calls(settings(collector, **otel), database), lambda: len(events(collector)) == 2)
    assert span_ids(collector) == events(collector) == [span_id_of("gw_1"), span_id_of("gw_2")]
    (asked, _) = collector.asked
    assert (asked.headers["authorization"], asked.headers["content-type"]) == ("Bearer t", "application/x-protobuf")
    assert asked.headers["content-encoding"] == "gzip" and asked.headers["user-agent"].startswith("gw/")
    (one,) = ExportTraceServiceRequest.FromString(asked.body).resource_spans
    resource = read(one.resource.attributes)
    assert (resource["service.name"], resource["service.instance.id"], resource["team.name"]) == ("gw", "host-1", "sre")


async def test_what_lay_there_before_is_not_told(database: Database, collector: Sink) -> None:
    await keep(database, record("gw_old"))
    task = asyncio.create_task(tell_calls(settings(collector), database))
    await until(at(database, CALLS_CURSOR, 1))
    await keep(database, record("gw_new"))
    await until(lambda: bool(events(collector)))
    task.cancel()
    assert span_ids(collector) == [span_id_of("gw_new")]


async def test_an_outage_loses_nothing_and_a_restart_doubles_nothing(database: Database, collector: Sink) -> None:
    await begun(database, CALLS_CURSOR)
    await keep(database, *(record(f"gw_{number}") for number in range(5)))
    collector.answer = lambda _: Says(503)
    with pytest.raises(Unavailable, match="answered 503"):
        await tell_calls(settings(collector), database)
    assert len(collector.asked) == post.TRIES and read_cursor(database, CALLS_CURSOR) == 0
    collector.answer = lambda _: Says()
    for numbers in (range(5, 8), range(8, 10)):  # each time a new process, as far as the duty can see
        await keep(database, *(record(f"gw_{number}") for number in numbers))
        await beside(tell_calls(settings(collector), database), at(database, CALLS_CURSOR, numbers[-1] + 1))
    assert span_ids(collector) == events(collector) == [span_id_of(f"gw_{number}") for number in range(10)]


async def test_killed_between_answer_and_cursor_it_tells_that_batch_again_with_the_same_ids(
    database: Database, collector: Sink
) -> None:
    await begun(database, CALLS_CURSOR)
    await keep(database, record("gw_1"), record("gw_2"))

    def no_logs(got: Got) -> Says:
        return Says(503) if got.path == "/v1/logs" else Says()

    collector.answer = no_logs  # the spans are taken, then it fails
    with pytest.raises(Unavailable):
        await tell_calls(settings(collector), database)
    collector.answer = lambda _: Says()
    await beside(tell_calls(settings(collector), database), lambda: len(events(collector)) == 2)
    ids = [span_id_of("gw_1"), span_id_of("gw_2")]
    assert span_ids(collector) == ids * 2 and events(collector) == ids


async def test_the_wait_that_is_asked_for_is_kept(database: Database, collector: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await sleep(min(seconds, 0.01))

    await begun(database, CALLS_CURSOR)
    await keep(database, record("gw_1"))
    collector.answer = lambda _: Says(429, headers={"retry-after": "7"}) if len(collector.asked) < 3 else Says()
    monkeypatch.setattr(post.asyncio, "sleep", noted)
    await beside(tell_calls(settings(collector, logs=False), database), lambda: bool(span_ids(collector)))
    assert [wait for wait in waits if wait == 7] == [7, 7] and len(collector.asked) == 3


async def test_what_is_refused_for_good_is_counted_and_passed_over(database: Database, collector: Sink) -> None:
    partial = ExportTraceServiceResponse()
    partial.partial_success.rejected_spans = 2
    partial.partial_success.error_message = "too old"
    said = {"/v1/traces": Says(200, partial.SerializeToString()), "/v1/logs": Says(400, b"no logs here")}
    collector.answer = lambda got: said[got.path]
    await begun(database, CALLS_CURSOR)
    await keep(database, *(record(f"gw_{number}") for number in range(3)))
    await beside(tell_calls(settings(collector), database), at(database, CALLS_CURSOR, 3))
    assert query(database, "SELECT value FROM meta WHERE name = 'refused:otel'") == [(2 + 3,)]
    assert len(collector.asked) == 2  # neither was tried again


async def test_nobody_there_is_said_without_a_secret(database: Database, collector: Sink) -> None:
    await begun(database, CALLS_CURSOR)
    await keep(database, record("gw_1"))
    dead = settings(collector, headers={"authorization": Secret("literal", "Bearer s3cret")})
    dead = dead._replace(otel=Otel(endpoint="http://127.0.0.1:9", interval_s=0.1, headers=dead.otel.headers))
    with pytest.raises(Unavailable, match=r"http://127.0.0.1:9/v1/traces") as said:
        await tell_calls(dead, database)
    assert "s3cret" not in str(said.value)


def points(collector: Sink, name: str) -> list[Any]:
    """Of the last request that has it: its data points."""
    for body in reversed(collector.bodies("/v1/metrics")):
        for one in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in one.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        return list(getattr(metric, str(metric.WhichOneof("data"))).data_points)
    return []


async def test_metrics_are_counted_once_over_a_failure(database: Database, collector: Sink) -> None:
    await begun(database, METRICS_CURSOR)
    await keep(database, full("gw_1"))
    teller = MetricsTeller(settings(collector))
    collector.answer = lambda _: Says(503)
    with pytest.raises(Unavailable):
        await teller.run(database)
    await keep(database, full("gw_2"))
    collector.answer = lambda _: Says()
    await beside(teller.run(database), at(database, METRICS_CURSOR, 2))
    (point,) = points(collector, "gw.calls")
    assert point.as_int == 2


async def test_deltas_begin_anew_after_each_that_was_taken(database: Database, collector: Sink, tmp_path: Path) -> None:
    await begun(database, METRICS_CURSOR)
    teller = MetricsTeller(settings(collector, temporality="delta"))
    for number in (1, 2):
        await keep(database, full(f"gw_{number}"))
        await beside(teller.run(database), at(database, METRICS_CURSOR, number))
    told = [ExportMetricsServiceRequest.FromString(body) for body in collector.bodies("/v1/metrics")]
    spans = []
    for message in told:
        metric = next(one for one in message.resource_metrics[0].scope_metrics[0].metrics if one.name == "gw.calls")
        (point,) = metric.sum.data_points
        assert (metric.sum.aggregation_temporality, point.as_int) == (1, 1)
        spans.append((point.start_time_unix_nano, point.time_unix_nano))
    assert len(spans) == 2 and spans[0][1] <= spans[1][0] < spans[1][1]
