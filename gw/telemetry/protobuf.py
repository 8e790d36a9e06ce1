"""Reads OTLP's protobuf, requests and answers. Needs the extra gw[otel]; the one file that knows google.protobuf."""

from collections.abc import Callable
from typing import Any, NamedTuple

# Its stubs are a package of their own (types-protobuf), which gw does not need for these four names.
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse


class Malformed(ValueError):
    """It is no message of that kind."""


class Partial(NamedTuple):
    """What a collector did not take of a request that it took."""

    refused: int = 0
    said: str = ""


REQUESTS: dict[str, Callable[[], Any]] = {
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "traces": ExportTraceServiceRequest,
}
RESPONSES: dict[str, Callable[[], Any]] = {
    "logs": ExportLogsServiceResponse,
    "metrics": ExportMetricsServiceResponse,
    "traces": ExportTraceServiceResponse,
}
REFUSED = {"logs": "rejected_log_records", "metrics": "rejected_data_points", "traces": "rejected_spans"}


def document_of(signal: str, body: bytes) -> Any:
    """A request as OTLP/JSON would have it; but ids are in base64 there, not in hex. Raises Malformed."""
    message = REQUESTS[signal]()
    _parse(message, body)
    try:
        return MessageToDict(message)
    except ValueError as error:
        raise Malformed(str(error)) from error


def partial_of(signal: str, body: bytes) -> Partial:
    """Of a collector's answer. Raises Malformed."""
    message = RESPONSES[signal]()
    _parse(message, body)
    partial = message.partial_success
    return Partial(int(getattr(partial, REFUSED[signal])), str(partial.error_message))


def _parse(message: Any, body: bytes) -> None:
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise Malformed(str(error)) from error
