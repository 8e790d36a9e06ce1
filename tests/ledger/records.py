"""Call records for tests: every field filled, any of them changed by name."""

from typing import Any

from msgspec.structs import fields

from gw.domain.call import WHO, CallRecord, OpenCall

NOON_US = 1_793_534_400_000_000  # 2026-11-01 12:00 UTC


def record(call_id: str, **changes: Any) -> CallRecord:
    values: dict[str, Any] = {}
    for field in fields(CallRecord):
        values[field.name] = False if field.type is bool else 0 if field.type is int else ""
    values |= {
        "call_id": call_id,
        "endpoint": "messages",
        "started_us": NOON_US,
        "ended_us": NOON_US + 1_500_000,
        "outcome": "completed",
        "status": 200,
        "requested_model": "claude-sonnet-4-5",
        "served_model": "claude-sonnet-4-5-20250929",
        "stream": True,
        "usage_source": "exact",
        "upstream": "anthropic",
    }
    return CallRecord(**(values | changes))


def opened(slot: int, begun_record: CallRecord) -> OpenCall:
    """The frame of such a call."""
    one = begun_record
    who = tuple(getattr(one, name) for name in WHO)
    return OpenCall(
        slot, one.call_id, one.endpoint, one.started_us, one.worker, one.stream, one.request_bytes, who, one.gw_version
    )


def begun(call_id: str, **changes: Any) -> CallRecord:
    """As a worker opens it."""
    return opened(-1, record(call_id, **changes)).record()
