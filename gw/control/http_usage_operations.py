"""What the operations on usage are called, asked and answer, for the table of operations."""

from typing import Any

from gw.control import http_usage, http_usage_overview
from gw.control.http_schema import Schema
from gw.control.http_usage import CSV, LIMIT_DEFAULT, LIMIT_MAX, LIST_CHARS_MAX, TOP_MAX, UsagePage
from gw.control.http_usage_overview import DAYS_DEFAULT, DAYS_MAX, UsageOverview
from gw.control.openapi import Parameter
from gw.ledger.usage import ASKED
from gw.ledger.usage_measures import DEFAULT, MEASURES
from gw.ledger.usage_time import BUCKETS

TAG = {"Usage": "What was used and what it cost, summed: by whom, on what, when."}
SHAPES = (UsagePage, UsageOverview)
MOMENT: Schema = {"type": "string", "maxLength": 40}
LIST: Schema = {"type": "string", "maxLength": LIST_CHARS_MAX, "pattern": "^[^\\u0000]*$"}
TZ = Parameter("tz", "query", {"type": "string", "maxLength": 80, "default": "UTC"}, "Time zone of days, weeks and months.")
ABOUT = f"""\
Read from rollups that are kept by the hour; exact, whatever the ends. By group, in each bucket of time. \
What concerns `session_id`, `agent_id`, `client_version` or `dialect` is read from the calls themselves, and of too many refused.

A filter is a dimension with the values it may have, with commas between them (`team=a,b`; `\\,` is a comma itself; `project=` \
is what has none). With `top`, all other groups are one line, whose `group` is null. As CSV (`format=csv`, or `Accept: \
text/csv`) all lines come at once. Days of a zone that begin within an hour of UTC (at :30 or :45) begin with the next whole one.

Measures: {", ".join(f"`{name}`" for name in MEASURES)}."""


def _filters() -> tuple[Parameter, ...]:
    status: Schema = {**LIST, "pattern": "^[0-9]{1,3}(,[0-9]{1,3})*$"}
    return tuple(Parameter(name, "query", status if name == "status" else LIST, f"Only these: {name}.") for name in ASKED)


PARAMETERS = (
    Parameter("from", "query", MOMENT, "Calls that ended since: a date, a moment, a span ago (`7d`). Without it: 30 days."),
    Parameter("to", "query", MOMENT, "Calls that ended before. Without it: now."),
    TZ,
    Parameter("bucket", "query", {"type": "string", "enum": list(BUCKETS), "default": "none"}, "Cut time into these."),
    Parameter("group_by", "query", LIST, f"Dimensions, with commas: {', '.join(ASKED)}."),
    Parameter("measures", "query", LIST, f"What to show, with commas. Without it: {', '.join(DEFAULT)}."),
    Parameter("order", "query", LIST, "A measure; falling with a `-` before it. Without it: by what it cost, the dearest first."),
    Parameter("top", "query", {"type": "integer", "minimum": 1, "maximum": TOP_MAX}, "Only so many groups, the rest as one."),
    Parameter(
        "compare", "query", {"type": "string", "enum": ["none", "previous"], "default": "none"}, "With as long a time before."
    ),
    Parameter(
        "limit", "query", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}, "Lines on a page."
    ),
    Parameter("cursor", "query", LIST, "`next_cursor` of the page before; the other parameters stay the same."),
    Parameter("format", "query", {"type": "string", "enum": ["json", "csv"]}, "Without it: as `Accept` says."),
    *_filters(),
)
DAYS: Schema = {"type": "integer", "minimum": 1, "maximum": DAYS_MAX, "default": DAYS_DEFAULT}
OPERATIONS: tuple[dict[str, Any], ...] = (
    {
        "method": "GET",
        "path": "/api/usage",
        "id": "get_usage",
        "tag": "Usage",
        "summary": "Sums of calls, tokens and cost",
        "description": ABOUT,
        "parameters": PARAMETERS,
        "answer": "UsagePage",
        "also": (CSV,),
        "problems": ("invalid", "too_broad"),
        "keys": True,
        "slow": True,
        "perform": http_usage.usage,
    },
    {
        "method": "GET",
        "path": "/api/usage/overview",
        "id": "get_usage_overview",
        "tag": "Usage",
        "summary": "What a first page shows, in one request",
        "parameters": (TZ, Parameter("days", "query", DAYS, "So many days, today included.")),
        "answer": "UsageOverview",
        "problems": ("invalid",),
        "keys": True,
        "slow": True,
        "perform": http_usage_overview.usage_overview,
    },
)
