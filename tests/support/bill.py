"""Comparing gw's ledger with the fake upstream's own invoice, call by call."""

from collections.abc import Sequence

from gw.demo.invoice import Line
from tests.support.gateway import Row


def of_invoice(line: Line) -> tuple[object, ...]:
    """What a billed call must look like in the ledger."""
    usage = line.usage or {}
    written = usage.get("cache_creation_input_tokens") or 0
    hour = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
    return (
        line.request_id,
        line.headers.get("x-claude-code-session-id", ""),
        line.headers.get("x-claude-code-agent-id", ""),
        line.headers.get("x-claude-code-parent-agent-id", ""),
        line.model,
        line.stream,
        line.status,
        usage.get("input_tokens"),
        usage.get("output_tokens"),
        usage.get("cache_read_input_tokens"),
        written - hour,
        hour,
        line.cost_pusd,
        line.request_bytes,
        line.headers["user-agent"].split(" ")[0],
    )


def of_row(row: Row) -> tuple[object, ...]:
    return (
        row["upstream_request_id"],
        row["session_id"],
        row["agent_id"],
        row["parent_agent_id"],
        row["requested_model"],
        bool(row["stream"]),
        row["upstream_status"],
        row["input_tokens"],
        row["output_tokens"],
        row["cache_read_tokens"],
        row["cache_write_5m_tokens"],
        row["cache_write_1h_tokens"],
        row["list_pusd"],
        row["request_bytes"],
        row["client_version"],
    )


SPLIT = (
    "input_pusd",
    "output_pusd",
    "cache_read_pusd",
    "cache_write_5m_pusd",
    "cache_write_1h_pusd",
    "tools_pusd",
    "other_pusd",
)


def assert_equal_bills(rows: Sequence[Row], lines: Sequence[Line]) -> None:
    """Same billed calls, each with the same figures; same total; every split adds up."""
    billed = [row for row in rows if row["list_pusd"]]
    due = [line for line in lines if line.billed]
    assert sorted(map(of_row, billed), key=str) == sorted(map(of_invoice, due), key=str)
    assert sum(row["list_pusd"] for row in rows) == sum(line.cost_pusd for line in lines)
    for row in rows:
        assert row["billed_pusd"] == sum(row[name] for name in SPLIT)
