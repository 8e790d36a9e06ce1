"""Calls for the tests of telemetry: one of which every field is filled, and a ledger that takes more."""

from typing import Any

from msgspec.structs import astuple

from gw.domain.call import CallRecord
from gw.ledger.store import Batch, Database
from gw.telemetry.attributes import Place
from tests.ledger.records import NOON_US, record

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PLACES = {"main": Place("anthropic", "api.anthropic.com", 443)}


def full(call_id: str = "gw_1", **changes: Any) -> CallRecord:
    values: dict[str, Any] = {
        "upstream": "main",
        "first_byte_us": NOON_US + 200_000,
        "first_token_us": NOON_US + 250_000,
        "key_id": "kid",
        "key_name": "ada",
        "team": "platform",
        "customer": "acme",
        "credential": "c0ffee",
        "session_id": "session-1",
        "agent_id": "agent-1",
        "parent_agent_id": "agent-0",
        "prompt_id": "prompt-1",
        "device": "dev1",
        "project": "alpha",
        "tags": "a=1",
        "client_version": "claude-cli/2.1.329",
        "stop_reason": "end_turn",
        "input_tokens": 3,
        "output_tokens": 50,
        "cache_read_tokens": 19_641,
        "cache_write_5m_tokens": 60,
        "cache_write_1h_tokens": 9,
        "thinking_tokens": 7,
        "web_search_requests": 2,
        "service_tier": "standard",
        "speed": "standard",
        "inference_geo": "global",
        "usage_flags": "ttl_assumed",
        "list_pusd": 6_000_000_000,
        "billed_pusd": 5_145_200_000,
        "price_version": "v1",
        "upstream_status": 200,
        "upstream_request_id": "req_1",
        "retries": 1,
        "request_bytes": 300,
        "response_bytes": 400,
        "worker": "0-boot",
        "trace_id": TRACE,
        "parent_span_id": SPAN,
        "trace_flags": 1,
    }
    return record(call_id, **(values | changes))


async def keep(database: Database, *records: CallRecord) -> None:
    """As the keeper does."""
    store = database.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in records]))
    await store.close()
