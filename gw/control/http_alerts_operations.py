"""What there is to say of the operations on alerts, and of the verification of the audit; part of the table of operations."""

from typing import Any

from gw.control import http_alerts, http_audit
from gw.control.http_listing import LIMIT_DEFAULT, LIMIT_MAX
from gw.control.http_schema import Schema, closed
from gw.control.openapi import Body, Parameter

TAG = {"Alerts": "What is watched and told: what fires, what there was, and whether channels work."}
WRITE = ("invalid", "invalid_json", "body_too_large", "unsupported_media_type", "request_incomplete")
TEXT: Schema = {"type": "string"}
NAME = Parameter("name", "path", {"type": "string", "minLength": 1}, "Of the rule; a slash in it is written %2F.", required=True)
ACTOR = Parameter("X-Gw-Actor", "header", TEXT, "For whom the caller acts; named in the audit beside the token.")
LIMIT = Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}, "Entries.")
CURSOR = Parameter("cursor", "query", TEXT, "`next_cursor` of the page before.")
ID = Parameter("id", "path", TEXT, "Of the alert.", required=True)

SCHEMAS: dict[str, Schema] = {
    "AlertSilenceNew": closed(
        {
            "until": {"type": "string", "format": "date-time", "description": "Within a year; with its offset."},
            "subject": {"type": "string", "maxLength": 300, "default": "", "description": "Only this; empty: all of the rule."},
            "reason": {"type": "string", "maxLength": 300, "default": "", "description": "Why, for those who look later."},
        },
        ["until"],
        "Nothing is told until then. What fires meanwhile stands in the history, and is told then if it still does.",
    )
}
SHAPES = (*http_alerts.SHAPES, *http_audit.SHAPES)

OPERATIONS: tuple[dict[str, Any], ...] = (
    {
        "method": "GET",
        "path": "/api/alerts",
        "id": "list_alerts",
        "tag": "Alerts",
        "summary": "The rules, and what fires",
        "answer": "AlertRules",
        "problems": ("invalid",),
        "perform": http_alerts.rules,
    },
    {
        "method": "GET",
        "path": "/api/alerts/history",
        "id": "list_alert_history",
        "tag": "Alerts",
        "summary": "The alerts that there were, newest first",
        "parameters": (
            Parameter("rule", "query", TEXT, "Only of this rule."),
            Parameter("firing", "query", {"type": "boolean", "default": False}, "`true`: only those that fire now."),
            LIMIT,
            CURSOR,
        ),
        "answer": "AlertHistory",
        "problems": ("invalid",),
        "perform": http_alerts.history,
    },
    {
        "method": "POST",
        "path": "/api/alerts/history/{id}/acknowledge",
        "id": "acknowledge_alert",
        "tag": "Alerts",
        "summary": "Say that somebody looks after it",
        "parameters": (ID, ACTOR),
        "body": Body("Nothing", required=False),
        "answer": "AlertFired",
        "problems": ("not_found", *WRITE),
        "perform": http_alerts.acknowledge,
    },
    {
        "method": "POST",
        "path": "/api/alerts/{name}/silence",
        "id": "silence_alert",
        "tag": "Alerts",
        "summary": "Tell nothing of it for a while",
        "parameters": (NAME, ACTOR),
        "body": Body("AlertSilenceNew"),
        "answer": "AlertRules",
        "problems": ("not_found", *WRITE),
        "perform": http_alerts.silence,
    },
    {
        "method": "DELETE",
        "path": "/api/alerts/{name}/silence",
        "id": "unsilence_alert",
        "tag": "Alerts",
        "summary": "Tell of it again",
        "parameters": (NAME, Parameter("subject", "query", TEXT, "That was silenced by itself."), ACTOR),
        "status": 204,
        "problems": ("not_found", "invalid"),
        "perform": http_alerts.unsilence,
    },
    {
        "method": "POST",
        "path": "/api/alerts/{name}/test",
        "id": "test_alert",
        "tag": "Alerts",
        "summary": "Send a test through each of its channels",
        "description": "The message says that it is a test. What the channels answered is asked for by the `id` of the answer.",
        "parameters": (NAME, ACTOR),
        "body": Body("Nothing", required=False),
        "status": 202,
        "answer": "AlertTest",
        "problems": ("not_found", *WRITE),
        "perform": http_alerts.test,
    },
    {
        "method": "GET",
        "path": "/api/alerts/{name}/test/{id}",
        "id": "get_alert_test",
        "tag": "Alerts",
        "summary": "What the channels answered to a test",
        "parameters": (NAME, Parameter("id", "path", TEXT, "Of the test.", required=True)),
        "answer": "AlertTest",
        "problems": ("not_found", "invalid"),
        "perform": http_alerts.tested,
    },
    {
        "method": "GET",
        "path": "/api/audit/verify",
        "id": "verify_audit",
        "tag": "Gateway",
        "summary": "Whether the audit is what it was",
        "description": "Reads the whole of it, or the entries between two ids, and checks chain, head and signatures. `gw audit "
        "verify` does the same with signatures that somebody else has kept, which alone tell of whoever owns the database.",
        "parameters": (
            Parameter("from", "query", {"type": "integer", "minimum": 1}, "The first entry."),
            Parameter("to", "query", {"type": "integer", "minimum": 1}, "The last entry."),
            Parameter("ledger", "query", {"type": "boolean", "default": False}, "`true`: the ledger's own chain, too."),
        ),
        "answer": "AuditVerification",
        "problems": ("invalid",),
        "perform": http_audit.verify,
    },
)
