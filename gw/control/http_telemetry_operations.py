"""What the operations on telemetry are called, asked and answer, for the table of operations."""

from typing import Any

from gw.control import http_telemetry as view
from gw.control.http_listing import LIMIT_DEFAULT, LIMIT_MAX
from gw.control.openapi import Parameter

SHAPES = (view.TelemetrySummary, view.TelemetryTools, view.TelemetrySession, view.ExportStates)
TAG = {"Telemetry": "What Claude Code reports of itself, beside what its calls cost; and what gw itself sends on."}

_DAY = {"type": "string", "format": "date"}
_NAME = {"type": "string", "maxLength": view.NAME_CHARS_MAX}
_DAYS = (
    Parameter("since", "query", _DAY, "First day (UTC)."),
    Parameter("until", "query", _DAY, "First day that is not looked at any more."),
)
_FILTERS = tuple(Parameter(name, "query", _NAME, f"Only of this {name}.") for name in view.NAMES)
_LIMIT = Parameter(
    "limit", "query", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}, "Rows at most."
)


def _by(choices: tuple[str, ...]) -> Parameter:
    return Parameter("by", "query", {"type": "string", "enum": list(choices), "default": choices[0]}, "What makes a row.")


TELEMETRY: tuple[dict[str, Any], ...] = (
    {
        "method": "GET",
        "path": "/api/telemetry/summary",
        "id": "get_telemetry_summary",
        "tag": "Telemetry",
        "summary": "Lines, commits, pull requests and accepted edits, beside their cost",
        "description": "Of whom nothing was reported, there is no row, whatever their calls cost.",
        "parameters": (_by(view.BYS), *_DAYS, *_FILTERS, _LIMIT),
        "answer": "TelemetrySummary",
        "problems": ("invalid",),
        "keys": True,
        "perform": view.summary,
    },
    {
        "method": "GET",
        "path": "/api/telemetry/tools",
        "id": "get_telemetry_tools",
        "tag": "Telemetry",
        "summary": "How tools, skills and MCP servers are used",
        "description": "Claude Code names MCP servers and its users' own skills only with OTEL_LOG_TOOL_DETAILS=1.",
        "parameters": (_by(view.TOOL_BYS), *_DAYS, *_FILTERS, _LIMIT),
        "answer": "TelemetryTools",
        "problems": ("invalid",),
        "keys": True,
        "perform": view.tools,
    },
    {
        "method": "GET",
        "path": "/api/telemetry/sessions/{id}",
        "id": "get_telemetry_session",
        "tag": "Telemetry",
        "summary": "One session as its client reported it",
        "parameters": (
            Parameter("id", "path", {"type": "string", "minLength": 1}, "The session's id.", required=True),
            Parameter(
                "limit",
                "query",
                {"type": "integer", "minimum": 1, "maximum": view.EVENTS_MAX, "default": LIMIT_DEFAULT},
                "Events at most.",
            ),
            Parameter("cursor", "query", {"type": "string"}, "`next_cursor` of the page before."),
        ),
        "answer": "TelemetrySession",
        "problems": ("not_found", "invalid"),
        "keys": True,
        "perform": view.session,
    },
    {
        "method": "GET",
        "path": "/api/telemetry/exports",
        "id": "get_telemetry_exports",
        "tag": "Telemetry",
        "summary": "How far the courier's duties have come in the ledger",
        "answer": "ExportStates",
        "problems": ("invalid",),
        "perform": view.exports,
    },
)
