"""Which calls are told in traces. Pure: the same call is judged the same by whoever asks, as often as they ask."""

from gw.domain.call import CallRecord
from gw.domain.trace import SAMPLED, span_id_of, trace_id_of
from gw.telemetry.attributes import failed

ALL_IDS = 2**64


def trace_of(record: CallRecord) -> str:
    """Its caller's trace, or one of its own; 32 hex digits."""
    return record.trace_id or trace_id_of(record.call_id)


def span_of(record: CallRecord) -> str:
    return span_id_of(record.call_id)


def sampled(record: CallRecord, share: float) -> bool:
    """Failures always; else as the caller's flag says; else by the trace's id, as TraceIdRatioBased does: its last 8 bytes below
    the share of all there are."""
    if failed(record):
        return True
    if record.trace_id:
        return bool(record.trace_flags & SAMPLED)
    return int(trace_id_of(record.call_id)[16:], 16) < share * ALL_IDS
