"""Calls as OTLP: requests with spans and events, as protobuf. The SDK is not asked: it makes spans of what happens now, at 55 us
each; these have happened, and their ids and times are known.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from gw import __version__
from gw.domain.call import CallRecord
from gw.domain.trace import SAMPLED
from gw.telemetry.attributes import Attribute, Naming, Value, error_of, failed, failed_attempts, operation_of
from gw.telemetry.sampling import sampled, span_of, trace_of

NS_PER_US = 1000
KEPT_MAX = 8192  # names of models, keys, teams, sessions; some 2 MB
PASSING = frozenset(
    ["gw.call.id", "gw.upstream.request_id", "gw.prompt.id", "gw.cost.billed_usd", "gw.cost.list_usd", "gw.attempt_of"]
)
EVENT = "gen_ai.client.inference.operation.details"
SCOPE = InstrumentationScope(name="gw", version=__version__)
HAS_PARENT = 0x100  # of Span.flags: bit 8 says that bit 9 is known, which says whether the parent is remote
IS_REMOTE = 0x200


class Parcel(NamedTuple):
    """What one batch of calls comes to."""

    spans: bytes  # ExportTraceServiceRequest; b"": none is sampled
    span_count: int
    events: bytes  # ExportLogsServiceRequest


def resource_of(attributes: Iterable[Attribute]) -> Resource:
    return Resource(attributes=[key_value(key, value) for key, value in attributes])


def any_value(value: Value) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=one) for one in value]))


@lru_cache(maxsize=KEPT_MAX, typed=True)
def kept(key: str, value: Value) -> KeyValue:
    """Made once for all calls that have it; whoever takes it copies it."""
    return KeyValue(key=key, value=any_value(value))


def key_value(key: str, value: Value) -> KeyValue:
    if isinstance(value, str | bool | tuple) and key not in PASSING:
        return kept(key, value)
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=any_value(value))


class Encoder:
    """`sample`: the share of traces that are told. Events are told of every call, where they are asked for."""

    def __init__(self, naming: Naming, resource: Sequence[Attribute], sample: float, *, traces: bool, logs: bool) -> None:
        self._naming = naming
        self._resource = resource_of(resource)
        self._sample = sample
        self._traces = traces
        self._logs = logs

    def parcel(self, records: Iterable[CallRecord]) -> Parcel:
        """All of them in one request of each kind."""
        spans, events = ExportTraceServiceRequest(), ExportLogsServiceRequest()
        of_spans = spans.resource_spans.add(resource=self._resource).scope_spans.add(scope=SCOPE)
        of_events = events.resource_logs.add(resource=self._resource).scope_logs.add(scope=SCOPE)
        for record in records:
            told = self._traces and sampled(record, self._sample)
            if not told and not self._logs:
                continue
            attributes = [key_value(key, value) for key, value in self._naming.attributes(record)]
            if told:
                _write_span(of_spans.spans.add(), record, attributes)
            if self._logs:
                _write_event(of_events.log_records.add(), record, attributes, told=told)
        return Parcel(
            spans.SerializeToString() if of_spans.spans else b"",
            len(of_spans.spans),
            events.SerializeToString() if of_events.log_records else b"",
        )


def _write_span(span: Span, record: CallRecord, attributes: list[KeyValue]) -> None:
    """Into a message that stands in its request already: to make one aside would copy it."""
    span.trace_id = bytes.fromhex(trace_of(record))
    span.span_id = bytes.fromhex(span_of(record))
    span.name = f"{operation_of(record)} {record.requested_model}".rstrip()
    span.kind = Span.SPAN_KIND_CLIENT
    span.start_time_unix_nano = record.started_us * NS_PER_US
    span.end_time_unix_nano = record.ended_us * NS_PER_US
    span.attributes.extend(attributes)
    if record.trace_id:
        span.parent_span_id = bytes.fromhex(record.parent_span_id)
        span.flags = (record.trace_flags & 0xFF) | HAS_PARENT | IS_REMOTE
    else:
        span.flags = SAMPLED | HAS_PARENT
    for after_us, said in failed_attempts(record):
        told = [key_value(key, value) for key, value in said]
        span.events.add(name="gw.attempt", time_unix_nano=(record.started_us + after_us) * NS_PER_US, attributes=told)
    for name, at_us in (("gw.first_byte", record.first_byte_us), ("gw.first_token", record.first_token_us)):
        if at_us:
            span.events.add(name=name, time_unix_nano=at_us * NS_PER_US)
    if failed(record):
        span.status.code = Status.STATUS_CODE_ERROR
        span.status.message = error_of(record)


def _write_event(event: LogRecord, record: CallRecord, attributes: list[KeyValue], *, told: bool) -> None:
    """`told`: its span is, too."""
    wrong = failed(record)
    event.time_unix_nano = event.observed_time_unix_nano = record.ended_us * NS_PER_US
    event.severity_number = SeverityNumber.SEVERITY_NUMBER_ERROR if wrong else SeverityNumber.SEVERITY_NUMBER_INFO
    event.severity_text = "ERROR" if wrong else "INFO"
    event.event_name = EVENT
    event.attributes.extend(attributes)
    event.trace_id = bytes.fromhex(trace_of(record))
    event.span_id = bytes.fromhex(span_of(record))
    event.flags = SAMPLED if told else 0
