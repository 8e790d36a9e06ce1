"""Spans and events of calls, read back by the protocol's own decoder: every attribute that there is."""

from collections.abc import Iterable
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from gw import __version__
from gw.domain.call import CallRecord
from gw.domain.trace import span_id_of, trace_id_of
from gw.telemetry.attributes import Naming
from gw.telemetry.otlp import EVENT, Encoder, Parcel
from gw.telemetry.sampling import sampled
from tests.ledger.records import NOON_US, record
from tests.telemetry.calls import PLACES, SPAN, TRACE, full

EXPECTED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.system": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.request.stream": True,
    "gen_ai.response.model": "claude-sonnet-4-5-20250929",
    "gen_ai.response.finish_reasons": ["end_turn"],
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.conversation.id": "session-1",
    "gen_ai.usage.input_tokens": 3 + 19_641 + 60 + 9,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.cache_read.input_tokens": 19_641,
    "gen_ai.usage.cache_creation.input_tokens": 69,
    "gen_ai.usage.reasoning.output_tokens": 7,
    "server.address": "api.anthropic.com",
    "server.port": 443,
    "http.response.status_code": 200,
    "gw.call.id": "gw_1",
    "gw.outcome": "completed",
    "gw.key": "ada",
    "gw.key.id": "kid",
    "gw.team": "platform",
    "gw.customer": "acme",
    "gw.project": "alpha",
    "gw.tags": "a=1",
    "gw.prompt.id": "prompt-1",
    "gw.agent.id": "agent-1",
    "gw.agent.parent_id": "agent-0",
    "gw.device": "dev1",
    "gw.credential": "c0ffee",
    "gw.upstream": "main",
    "gw.upstream.request_id": "req_1",
    "gw.upstream.status_code": 200,
    "gw.retries": 1,
    "gw.web_search_requests": 2,
    "gw.usage.source": "exact",
    "gw.usage.flags": "ttl_assumed",
    "gw.price.version": "v1",
    "gw.service_tier": "standard",
    "gw.speed": "standard",
    "gw.inference_geo": "global",
    "gw.client.version": "claude-cli/2.1.329",
    "gw.worker": "0-boot",
    "gw.request.bytes": 300,
    "gw.response.bytes": 400,
    "gw.cost.billed_usd": "0.0051452",
    "gw.cost.list_usd": "0.006",
    "gw.cost.usd": 0.0051452,
}


def value_of(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return [value_of(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, str(kind))


def read(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    found = list(attributes)
    read = {one.key: value_of(one.value) for one in found}
    assert len(read) == len(found), "an attribute is given twice"
    return read


def parcel(
    *records: CallRecord, sample: float = 1.0, traces: bool = True, logs: bool = True, who: tuple[str, ...] = ("*",)
) -> Parcel:
    resource = [("service.name", "gw"), ("deployment.environment.name", "prod")]
    return Encoder(Naming(PLACES, who), resource, sample, traces=traces, logs=logs).parcel(records)


def spans(told: Parcel) -> list[Span]:
    message = ExportTraceServiceRequest.FromString(told.spans)
    return [span for one in message.resource_spans for scope in one.scope_spans for span in scope.spans]


def events(told: Parcel) -> list[Any]:
    message = ExportLogsServiceRequest.FromString(told.events)
    return [event for one in message.resource_logs for scope in one.scope_logs for event in scope.log_records]


def test_a_span_says_all_there_is_to_say() -> None:
    told = parcel(full())
    (one,) = ExportTraceServiceRequest.FromString(told.spans).resource_spans
    assert read(one.resource.attributes) == {"service.name": "gw", "deployment.environment.name": "prod"}
    assert (one.scope_spans[0].scope.name, one.scope_spans[0].scope.version) == ("gw", __version__)
    (span,) = spans(told)
    assert (span.name, span.kind, told.span_count) == ("chat claude-sonnet-4-5", Span.SPAN_KIND_CLIENT, 1)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (NOON_US * 1000, (NOON_US + 1_500_000) * 1000)
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.span_id.hex()) == (TRACE, SPAN, span_id_of("gw_1"))
    assert (span.flags & 0xFF, span.flags & 0x300) == (1, 0x300)  # sampled; its parent is known to be remote
    assert [(event.name, event.time_unix_nano) for event in span.events] == [
        ("gw.first_byte", (NOON_US + 200_000) * 1000),
        ("gw.first_token", (NOON_US + 250_000) * 1000),
    ]
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert read(span.attributes) == EXPECTED


def test_an_event_says_the_same_and_leads_to_its_span() -> None:
    (event,) = events(parcel(full()))
    assert read(event.attributes) == EXPECTED
    assert (event.event_name, event.severity_text, event.time_unix_nano) == (EVENT, "INFO", (NOON_US + 1_500_000) * 1000)
    assert (event.trace_id.hex(), event.span_id.hex(), event.flags) == (TRACE, span_id_of("gw_1"), 1)


def test_a_call_without_a_parent_is_a_trace_of_its_own() -> None:
    (span,) = spans(parcel(record("gw_2")))
    assert (span.trace_id.hex(), span.parent_span_id, span.span_id.hex()) == (trace_id_of("gw_2"), b"", span_id_of("gw_2"))
    assert span.flags & 0x300 == 0x100


def test_a_failure_is_an_error_and_costs_nothing() -> None:
    said = {"outcome": "refused", "error": "budget_exceeded", "status": 429, "budget": "b1"}
    refused = record("gw_3", usage_source="none", upstream="", **said)
    (span,), (event,) = spans(parcel(refused)), events(parcel(refused))
    said = read(span.attributes)
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "budget_exceeded")
    assert (said["error.type"], said["gw.budget"], said["gw.outcome"]) == ("budget_exceeded", "b1", "refused")
    assert "server.address" not in said and not any("usage.input" in key or "cost" in key for key in said)
    assert (event.severity_text, read(event.attributes)) == ("ERROR", said)


def test_a_developer_who_left_is_no_error() -> None:
    (span,) = spans(parcel(record("gw_4", outcome="client_gone", status=0)))
    assert span.status.code == Status.STATUS_CODE_UNSET and "error.type" not in read(span.attributes)


@pytest.mark.parametrize(
    ("who", "left"),
    [
        (("team", "project"), {"gw.team", "gw.project"}),
        (("none-of-them",), set()),
        (("key", "pro*"), {"gw.key", "gw.key.id", "gw.project", "gw.prompt.id"}),
    ],
)
def test_identities_that_are_not_named_stay_here(who: tuple[str, ...], left: set[str]) -> None:
    (span,) = spans(parcel(full(), who=who))
    people = {"gw.key", "gw.key.id", "gw.team", "gw.customer", "gw.project", "gw.tags", "gw.prompt.id", "gw.agent.id"}
    people |= {"gw.agent.parent_id", "gw.device", "gw.credential", "gen_ai.conversation.id"}
    assert read(span.attributes).keys() & people == left
    names = ("ada", "kid", "platform", "acme", "alpha", "a=1", "prompt-1", "agent-1", "agent-0", "dev1", "c0ffee", "session-1")
    assert sum(name.encode() in parcel(full(), who=who).spans for name in names) == len(left)


def test_a_share_of_traces_is_the_same_one_each_time_and_failures_are_always_in_it() -> None:
    calls = [record(f"gw_{number}") for number in range(600)]
    kept = [span.span_id for span in spans(parcel(*calls, sample=0.25))]
    assert 110 < len(kept) < 190
    assert kept == [span.span_id for span in spans(parcel(*calls, sample=0.25))]
    more = {span.span_id for span in spans(parcel(*calls, sample=0.5))}
    assert set(kept) < more  # a larger share holds the smaller one
    assert spans(parcel(*calls, sample=0.0)) == [] and len(events(parcel(*calls, sample=0.0))) == 600
    wrong = [record(f"gw_{number}", outcome="upstream_error", error="upstream_reset") for number in range(10)]
    assert len(spans(parcel(*wrong, sample=0.0))) == 10


def test_the_flag_of_the_caller_decides_over_the_share() -> None:
    assert sampled(full(trace_flags=1), 0.0) and not sampled(full(trace_flags=0), 1.0)
    assert sampled(full(trace_flags=0, outcome="timed_out", error="upstream_idle_timeout"), 0.0)
    (event,) = events(parcel(full(trace_flags=0)))
    assert event.flags == 0


def test_nothing_is_made_that_was_not_asked_for() -> None:
    assert parcel(full(), traces=False).spans == b"" and parcel(full(), logs=False).events == b""


def test_attempts_before_the_last_are_events_of_its_span_alone() -> None:
    attempts = '[["main",529,"upstream_overloaded_error",40],["spare",0,"reset",20]]'
    left = full("gw_1", outcome="timed_out", status=0, attempts=attempts)
    last = full("gw_2", attempts=attempts, dialect="chat", sent_model="llama", route="route:claude-*", attempt_of="gw_1")
    alone = full("gw_3", attempts=attempts)
    made = spans(parcel(left, last, alone))
    none, at_once, told = ([event for event in span.events if event.name == "gw.attempt"] for span in made)
    assert none == [] and [event.time_unix_nano for event in at_once] == [NOON_US * 1000] * 2
    assert [event.time_unix_nano // 1000 - NOON_US for event in told] == [40_000, 60_000]
    assert read(told[0].attributes) == {
        "gw.upstream": "main",
        "gw.upstream.status_code": 529,
        "error.type": "upstream_overloaded_error",
        "gw.attempt.duration_ms": 40,
        "gw.attempt.then": "elsewhere",
    }
    found = read(spans(parcel(last))[0].attributes)
    names = ("gw.client.dialect", "gw.sent_model", "gw.route", "gw.attempt_of")
    assert [found[name] for name in names] == ["chat", "llama", "route:claude-*", "gw_1"]
