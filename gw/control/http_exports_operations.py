"""What there is to say of the operations on exports and of the chargeback report; part of the table of operations."""

from typing import Any

from gw.chargeback.figures import CLASSES
from gw.chargeback.report import BY, DEFAULT_BY
from gw.chargeback.table import COUNTED
from gw.control import http_chargeback, http_exports
from gw.control.http_listing import LIMIT_DEFAULT, LIMIT_MAX
from gw.control.http_schema import Schema, closed
from gw.control.openapi import Body, Parameter, reference

TAG = {"Exports": "What goes out of the ledger: files for a warehouse, charges for FinOps tools, the month for finance."}
WRITE = ("invalid", "invalid_json", "body_too_large", "unsupported_media_type", "request_incomplete")
TEXT: Schema = {"type": "string"}
USD: Schema = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}
NAME = Parameter("name", "path", {"type": "string", "minLength": 1}, "Of the export; a slash is written %2F.", required=True)
LIMIT = Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}, "Runs.")
MONEY = (*CLASSES, "list", "charges", "adjustments", "billed", "amount", "previous")


def _figures() -> dict[str, Schema]:
    counts: dict[str, Schema] = {name: {"type": "integer"} for name in (*COUNTED, "estimated")}
    money: dict[str, Schema] = {f"{name}_usd": USD for name in MONEY}
    money["amount_usd"] = {**USD, "description": "billed_usd in cents, such that the parts add up to the whole."}
    money["previous_usd"] = {**USD, "description": "Billed the month before; while the month runs, in as many days of it."}
    return {**counts, **money}


def _chargeback() -> dict[str, Schema]:
    figures = _figures()
    group = {
        "level": {"type": "string", "enum": list(BY)},
        "name": TEXT,
        "key_id": TEXT,
        "credential": TEXT,
        **figures,
        "groups": {"type": "array", "items": reference("ChargebackGroup")},
    }
    optional = ("key_id", "credential", "groups")
    model = {"model": TEXT, **{name: figures[name] for name in (*COUNTED, "list_usd", "billed_usd")}}
    unpriced: Schema = closed({"model": TEXT, "calls": {"type": "integer"}}, ["model", "calls"])
    report = {
        "month": TEXT,
        "by": {"type": "array", "items": TEXT},
        "running": {"type": "boolean", "description": "The month is not over."},
        "total": closed(figures, list(figures)),
        "groups": {"type": "array", "items": reference("ChargebackGroup")},
        "models": {"type": "array", "items": closed(model, list(model))},
        "unpriced_models": {"type": "array", "items": unpriced},
        "adjusted_after_month_usd": USD,
        "complete": {"type": "boolean", "description": "false: sums of calls from before an update are still being made."},
    }
    return {
        "ChargebackGroup": closed(group, [name for name in group if name not in optional]),
        "Chargeback": closed(report, list(report)),
    }


DATE_TIME: Schema = {"type": "string", "format": "date-time"}
SCHEMAS: dict[str, Schema] = {
    "ExportWindow": closed(
        {
            "since": {**DATE_TIME, "description": "This window once more, instead of what is due."},
            "until": {**DATE_TIME, "description": "Its end; without it, now."},
        },
        [],
    ),
    **_chargeback(),
}
SHAPES = http_exports.SHAPES

OPERATIONS: tuple[dict[str, Any], ...] = (
    {
        "method": "GET",
        "path": "/api/exports",
        "id": "list_exports",
        "tag": "Exports",
        "summary": "The configured exports, and how they stand",
        "answer": "Exports",
        "problems": ("invalid",),
        "perform": http_exports.listing,
    },
    {
        "method": "GET",
        "path": "/api/exports/{name}/runs",
        "id": "list_export_runs",
        "tag": "Exports",
        "summary": "What an export has sent, newest first",
        "parameters": (NAME, LIMIT, Parameter("cursor", "query", TEXT, "`next_cursor` of the page before.")),
        "answer": "ExportRuns",
        "problems": ("not_found", "invalid"),
        "perform": http_exports.history,
    },
    {
        "method": "POST",
        "path": "/api/exports/{name}/run",
        "id": "run_export",
        "tag": "Exports",
        "summary": "Run an export now",
        "description": "All that is due; with `since` or `until`, that window once more: calls into a folder of their own, whole "
        "periods of usage and focus as a new revision. The courier does it; ask for what became of it by its `id`.",
        "parameters": (NAME, Parameter("X-Gw-Actor", "header", TEXT, "For whom the caller acts.")),
        "body": Body("ExportWindow", required=False),
        "status": 202,
        "answer": "ExportAsked",
        "problems": ("not_found", *WRITE),
        "perform": http_exports.run,
    },
    {
        "method": "GET",
        "path": "/api/exports/{name}/run/{id}",
        "id": "get_export_run",
        "tag": "Exports",
        "summary": "What became of a run that was asked for",
        "parameters": (NAME, Parameter("id", "path", TEXT, "As POST answered it.", required=True)),
        "answer": "ExportAsked",
        "problems": ("not_found", "invalid"),
        "perform": http_exports.asked,
    },
    {
        "method": "GET",
        "path": "/api/chargeback",
        "id": "get_chargeback",
        "tag": "Exports",
        "summary": "What a month has cost, and whom",
        "description": "Groups within groups in the order of `by`, with sums, adjustments and the month before. As CSV, cells of "
        "text that a spreadsheet would take for a formula begin with an apostrophe. As HTML, a page to read and to print.",
        "parameters": (
            Parameter("month", "query", {"type": "string", "pattern": r"^\d{4}-\d{2}$"}, "UTC; without it, the one before this."),
            Parameter("by", "query", {"type": "string", "default": ",".join(DEFAULT_BY)}, f"Of {', '.join(BY)}, by commas."),
            Parameter("format", "query", {"type": "string", "enum": list(http_chargeback.FORMS), "default": "json"}, "Form."),
        ),
        "answer": "Chargeback",
        "also": ("text/html", "text/csv"),
        "problems": ("invalid", "too_broad"),
        "slow": True,
        "perform": http_chargeback.chargeback,
    },
)
