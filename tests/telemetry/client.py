"""What Claude Code sends, made by hand in the shape that was seen of the real one (2.1.329): as JSON or as protobuf."""

from typing import Any

import orjson
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]  # as in gw.telemetry.protobuf

from gw.telemetry.protobuf import REQUESTS

JSON, PROTOBUF = "application/json", "application/x-protobuf"
SESSION = "dba72ebf-35ac-4bb2-a63b-a56c2a643355"
AT_NS = 1_795_260_461_000_000_000  # 2026-11-21
WHO = {"user.id": "51ab", "user.email": "ada@example.com", "session.id": SESSION, "terminal.type": "xterm-256color"}


def value(one: Any) -> dict[str, Any]:
    if isinstance(one, bool):
        return {"boolValue": one}
    if isinstance(one, int):
        return {"intValue": one}
    if isinstance(one, float):
        return {"doubleValue": one}
    return {"arrayValue": {"values": [value(part) for part in one]}} if isinstance(one, list) else {"stringValue": one}


def attributes(pairs: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value(one)} for key, one in pairs.items()]


def event(name: str, sequence: int, **said: Any) -> dict[str, Any]:
    """`said`: with `__` for a dot in a name."""
    own = {key.replace("__", "."): one for key, one in said.items()}
    at_ns = str(AT_NS + sequence * 1_000_000)
    return {
        "timeUnixNano": at_ns,
        "observedTimeUnixNano": at_ns,
        "body": {"stringValue": f"claude_code.{name}"},
        "attributes": attributes(WHO | {"event.name": name, "event.sequence": sequence, "prompt.id": "p1"} | own),
    }


def point(amount: float, *, start: int = 0, at: int = 1000, **said: Any) -> dict[str, Any]:
    """Milliseconds after AT_NS."""
    return {
        "startTimeUnixNano": str(AT_NS + start * 1_000_000),
        "timeUnixNano": str(AT_NS + at * 1_000_000),
        "asDouble": amount,
        "attributes": attributes(WHO | said),
    }


def total(name: str, *points: dict[str, Any], cumulative: bool = False) -> dict[str, Any]:
    temporality = 2 if cumulative else 1
    return {
        "name": f"claude_code.{name}",
        "sum": {"aggregationTemporality": temporality, "isMonotonic": True, "dataPoints": list(points)},
    }


def logs(*events: dict[str, Any], kind: str = JSON, resource: dict[str, Any] | None = None) -> bytes:
    scope = {"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": list(events)}
    return _body("logs", {"resourceLogs": [{"resource": _resource(resource), "scopeLogs": [scope]}]}, kind)


def metrics(*totals: dict[str, Any], kind: str = JSON, resource: dict[str, Any] | None = None) -> bytes:
    scope = {"scope": {"name": "com.anthropic.claude_code"}, "metrics": list(totals)}
    return _body("metrics", {"resourceMetrics": [{"resource": _resource(resource), "scopeMetrics": [scope]}]}, kind)


def traces(count: int, kind: str = JSON) -> bytes:
    spans = [{"name": "claude_code.tool", "startTimeUnixNano": str(AT_NS)} for _ in range(count)]
    return _body("traces", {"resourceSpans": [{"resource": _resource(None), "scopeSpans": [{"spans": spans}]}]}, kind)


def _resource(more: dict[str, Any] | None) -> dict[str, Any]:
    return {"attributes": attributes({"service.name": "claude-code", "service.version": "2.1.329"} | (more or {}))}


def _body(signal: str, document: dict[str, Any], kind: str) -> bytes:
    if kind == JSON:
        return orjson.dumps(document)
    encoded: bytes = ParseDict(document, REQUESTS[signal]()).SerializeToString()
    return encoded


TOOL_TURN = (
    event("user_prompt", 5, prompt_length="30", prompt="a secret plan", prompt_text="a secret plan"),
    event("api_request", 6, model="claude-opus-5-5", cost_usd=0.099007, duration_ms=59, request_id="gw_1", input_tokens=3),
    event("assistant_response", 7, response_length=7, response="the secret answer", request_id="gw_1", model="claude-opus-5-5"),
    event("tool_decision", 8, decision="accept", source="config", tool_name="Write", tool_source="builtin", request_id="gw_1"),
    event(
        "tool_result",
        9,
        tool_name="Write",
        success="true",
        duration_ms="18",
        tool_input='{"file_path":"/home/ada/secret.py"}',
        tool_input_size_bytes="82",
        tool_use_id="toolu_1",
        request_id="gw_1",
    ),
    event("skill_activated", 10, skill__name="greet", invocation_trigger="nested-skill", skill__source="userSettings"),
    event("api_request", 11, model="claude-opus-5-5", cost_usd=0.01, duration_ms=40, request_id="gw_2", skill__name="greet"),
    event(
        "tool_result",
        12,
        tool_name="mcp_tool",
        success="false",
        duration_ms="22",
        error="secret trouble",
        error_type="ShellError",
        tool_parameters='{"mcp_server_name":"notes","mcp_tool_name":"remember","full_command":"secret"}',
        request_id="gw_2",
    ),
    event("tool_decision", 13, decision="reject", source="user_reject", tool_name="WebFetch", request_id="gw_2"),
    event("mcp_server_connection", 14, status="connected", transport_type="stdio", duration_ms="147", server_name="notes"),
)
WORK = (
    total("session.count", point(1, start_type="fresh")),
    total("lines_of_code.count", point(6, type="added", model="m"), point(1, type="removed", model="m")),
    total("commit.count", point(1)),
    total("pull_request.count", point(1)),
    total("cost.usage", point(0.109007, model="claude-opus-5-5")),
    total("token.usage", point(12, type="input"), point(198, type="output")),
    total("code_edit_tool.decision", point(2, decision="accept", language="Python"), point(1, decision="reject")),
    total("active_time.total", point(1.552, type="cli"), point(2.5, type="user")),
)
