"""Metrics of calls, read back by the protocol's own decoder."""

from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from gw.domain.call import CallRecord
from gw.telemetry import otlp_metrics
from gw.telemetry.attributes import Naming
from gw.telemetry.otlp_metrics import Metrics
from tests.ledger.records import NOON_US, record
from tests.telemetry.calls import PLACES, full
from tests.telemetry.test_otlp import read

COMMON = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.system": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.response.model": "claude-sonnet-4-5-20250929",
    "server.address": "api.anthropic.com",
    "server.port": 443,
    "gw.key": "ada",
    "gw.team": "platform",
    "gw.customer": "acme",
    "gw.project": "alpha",
}


def told(metrics: Metrics, now_us: int = NOON_US + 10) -> dict[str, Any]:
    message = ExportMetricsServiceRequest.FromString(metrics.request(now_us))
    return {metric.name: metric for one in message.resource_metrics for scope in one.scope_metrics for metric in scope.metrics}


def counted(*records: CallRecord, who: tuple[str, ...] = ("*",), delta: bool = False) -> Metrics:
    metrics = Metrics(Naming(PLACES, who), [("service.name", "gw")], NOON_US, delta=delta)
    metrics.add(records)
    return metrics


def test_every_metric_of_the_conventions_and_what_calls_cost() -> None:
    found = told(counted(full("gw_1"), full("gw_2", output_tokens=70)))
    assert {name: metric.unit for name, metric in found.items()} == {
        "gen_ai.client.token.usage": "{token}",
        "gen_ai.client.operation.duration": "s",
        "gen_ai.server.time_to_first_token": "s",
        "gw.cost": "USD",
        "gw.cost.list": "USD",
        "gw.tokens": "{token}",
        "gw.calls": "{call}",
    }
    usage = found["gen_ai.client.token.usage"].histogram
    assert usage.aggregation_temporality == 2 and list(usage.data_points[0].explicit_bounds)[:3] == [1, 4, 16]
    by_type = {read(point.attributes)["gen_ai.token.type"]: point for point in usage.data_points}
    assert {kind: (point.count, point.sum) for kind, point in by_type.items()} == {"input": (2, 39_426), "output": (2, 120)}
    assert list(by_type["output"].bucket_counts) == [0, 0, 0, 1, 1, *[0] * 10]  # up to 64, up to 256
    assert read(by_type["input"].attributes) == COMMON | {"gen_ai.token.type": "input"}
    (duration,) = found["gen_ai.client.operation.duration"].histogram.data_points
    assert (duration.count, duration.sum, read(duration.attributes)) == (2, 3.0, COMMON)
    assert (duration.start_time_unix_nano, duration.time_unix_nano) == (NOON_US * 1000, (NOON_US + 10) * 1000)
    (first,) = found["gen_ai.server.time_to_first_token"].histogram.data_points
    assert (first.count, first.sum) == (2, 0.5)
    cost = found["gw.cost"].sum
    assert cost.is_monotonic and cost.data_points[0].as_double == pytest.approx(0.0102904, abs=1e-15)
    classes = {read(point.attributes)["gw.token.class"]: point.as_int for point in found["gw.tokens"].sum.data_points}
    assert classes == {"input": 6, "output": 120, "cache_read": 39_282, "cache_write_5m": 120, "cache_write_1h": 18}
    (calls,) = found["gw.calls"].sum.data_points
    assert (calls.as_int, read(calls.attributes)) == (2, COMMON | {"gw.outcome": "completed"})


def test_a_failure_is_told_by_its_error_and_uses_nothing() -> None:
    refused = record("gw_1", outcome="refused", error="rate_limited", usage_source="none", served_model="")
    found = told(counted(refused))
    assert set(found) == {"gen_ai.client.operation.duration", "gw.calls"}
    (duration,) = found["gen_ai.client.operation.duration"].histogram.data_points
    assert read(duration.attributes)["error.type"] == "rate_limited"


def test_identities_that_are_not_named_make_no_series() -> None:
    (calls,) = told(counted(full("gw_1"), full("gw_2", key_name="bob"), who=("team",)))["gw.calls"].sum.data_points
    assert calls.as_int == 2 and {key for key in read(calls.attributes) if key.startswith("gw.")} == {"gw.team", "gw.outcome"}


def test_series_are_bounded_and_totals_stay_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_metrics, "SERIES_MAX", 3)
    found = told(counted(*(full(f"gw_{number}", requested_model=f"made-up-{number}") for number in range(10))))
    for name in ("gw.calls", "gw.cost", "gen_ai.client.operation.duration"):
        kind = found[name].sum if found[name].HasField("sum") else found[name].histogram
        assert len(kind.data_points) == 4
        assert {"otel.metric.overflow": True} in [read(point.attributes) for point in kind.data_points]
    assert sum(point.as_int for point in found["gw.calls"].sum.data_points) == 10
    assert sum(point.count for point in found["gen_ai.client.operation.duration"].histogram.data_points) == 10


def test_nothing_counted_is_nothing_told() -> None:
    assert counted().request(NOON_US) == b""
