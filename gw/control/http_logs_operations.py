"""What the operations on the log and on sessions are called, asked and answer, for the table of operations."""

from typing import Any

from gw.control import http_live, http_logs, http_sessions
from gw.control.http_listing import LIMIT_DEFAULT, LIMIT_MAX
from gw.control.http_live import EVENTS
from gw.control.http_logs import CONTENT_CHARS_MAX, CSV, CSV_ROWS_MAX, SORT_NAMES
from gw.control.http_logs_call import CallView
from gw.control.http_logs_shapes import SAME_SAID, call_schema
from gw.control.http_schema import Schema, closed
from gw.control.http_sessions import SessionDetail, SessionsPage
from gw.control.openapi import Parameter, reference
from gw.ledger.log_columns import Column
from gw.ledger.log_filter import PARAMETERS, Q_CHARS_MAX, TEXT_CHARS_MAX, Parameters
from gw.ledger.log_shown import USUAL
from gw.ledger.sessions import CALLS_MAX, SESSION_PARAMETERS, SESSION_SORTS

TEXT: Schema = {"type": "string"}
LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}
TAG = {"Log": "Calls, one by one, by session, and as they end."}
SHAPES = (CallView, SessionsPage, SessionDetail)
GRAMMAR = f"""\
Every column is a filter: `team=a,b` (one of these), `model=claude-opus-*` (globs: `*`, `?`), `project=` (it is empty), \
`error.not=...` (none of these); numbers, amounts and moments also `status.gte=400`, `.gt`, `.lte`, `.lt`. A backslash takes the \
next character as it is. All must hold. A moment is ISO 8601 or a span ago (`7d`, `24h`, `30m`). Also: {SAME_SAID}."""
NO_NUL = "^[^\\u0000]*$"
PATTERNS = {
    "number": r"^ *-?[0-9]{1,18}( *, *-?[0-9]{1,18})* *$",
    "money": r"^ *-?[0-9]{1,6}(\.[0-9]{1,12})?( *, *-?[0-9]{1,6}(\.[0-9]{1,12})?)* *$",
    "flag": r"^(true|false)(,(true|false))*$",
}
def filters(known: Parameters) -> tuple[Parameter, ...]:
    """The parameters of the filter that ask for equality; all others are `families`."""
    q: Schema = {"type": "string", "maxLength": Q_CHARS_MAX, "pattern": NO_NUL}
    return (
        Parameter("q", "query", q, "Anywhere in names, model, error, project and tags, in any case; ids by their beginning."),
        Parameter("since", "query", TEXT, "Calls that ended at this moment or later: ISO 8601, or a span ago such as `7d`."),
        Parameter("until", "query", TEXT, "Calls that ended before this moment."),
        *(_filter(name, column) for name, (column, operator) in known.items() if operator == "in"),
    )


def families(known: Parameters) -> tuple[str, ...]:
    return tuple(name for name, (_, operator) in known.items() if operator != "in")


def _filter(name: str, column: Column) -> Parameter:
    schema: Schema = {"type": "string", "maxLength": TEXT_CHARS_MAX, "pattern": PATTERNS.get(column.kind, NO_NUL)}
    return Parameter(name, "query", schema, column.about or f"One of these, of the column {column.name}.")


def _paging(sorts: list[str], limit_max: int) -> tuple[Parameter, ...]:
    sort: Schema = {"type": "string", "enum": [f"{sign}{name}" for name in sorts for sign in ("-", "")], "default": "-ended_at"}
    limit: Schema = {**LIMIT, "maximum": limit_max}
    return (
        Parameter("sort", "query", sort, "Order; falling with a `-` before it."),
        Parameter("limit", "query", limit, "Entries on a page."),
        Parameter("cursor", "query", TEXT, "`next_cursor` of the page before; the other parameters stay the same."),
        Parameter("count", "query", {"type": "boolean", "default": True}, "`false`: spares the counting."),
    )


SAID = Parameter(
    "content",
    "query",
    {"type": "string", "maxLength": CONTENT_CHARS_MAX, "pattern": NO_NUL},
    "Calls in which all of these words were said, where conversations are kept: words in quotes stand beside each other, a `*` "
    "at the end is for any ending. At most 10,000 calls may have said it. That it was searched stands in the audit.",
)
FIELDS = Parameter("fields", "query", TEXT, f"Columns to show, with commas; `*`: all. Without it: {', '.join(USUAL)}.")
CALL_ID = Parameter("call_id", "path", {"type": "string", "minLength": 1}, "As in the answer's request-id.", required=True)
SESSION_ID = Parameter("session_id", "path", {"type": "string", "minLength": 1}, "Claude Code's id of it.", required=True)
BEGIN: Schema = {"type": "integer", "minimum": 1, "maximum": CALLS_MAX}
LOGS: tuple[dict[str, Any], ...] = (
    {
        "method": "GET",
        "path": "/api/logs",
        "id": "list_calls",
        "tag": "Log",
        "summary": "Calls, page by page",
        "description": f"{GRAMMAR}\n\nPages neither repeat nor leave out a call while others come: what came after the first "
        "page is on none of them. `count` is exact up to 10,000, or a lower bound (`count_is`). A virtual key sees its own.",
        "parameters": (*_paging(list(SORT_NAMES), LIMIT_MAX), FIELDS, SAID, *filters(PARAMETERS)),
        "families": families(PARAMETERS),
        "answer": "CallPage",
        "problems": ("invalid", "too_broad"),
        "keys": True,
        "slow": True,
        "perform": http_logs.listing,
    },
    {
        "method": "GET",
        "path": "/api/logs.csv",
        "id": "list_calls_csv",
        "tag": "Log",
        "summary": "Calls as CSV",
        "description": f"As /api/logs, with its filters, up to {CSV_ROWS_MAX:,} at once; the header `x-next-cursor` names the "
        "next page.",
        "parameters": (*_paging(list(SORT_NAMES), CSV_ROWS_MAX), FIELDS, SAID, *filters({})),
        "families": tuple(PARAMETERS),
        "answer_type": CSV,
        "problems": ("invalid", "too_broad"),
        "keys": True,
        "slow": True,
        "perform": http_logs.as_csv,
    },
    {
        "method": "GET",
        "path": "/api/logs/{call_id}",
        "id": "get_call",
        "tag": "Log",
        "summary": "A call with everything about it",
        "description": "Its row, why it cost what it did (tokens x rate x factor, and whose rates), when what happened, why it "
        "went where it went, and each attempt upstream. An attempt that may have been billed has a row of its own: "
        "`attempts.rows` has all.",
        "parameters": (CALL_ID,),
        "answer": "CallView",
        "problems": ("not_found", "invalid", "too_broad"),
        "keys": True,
        "slow": True,
        "perform": http_logs.one,
    },
    {
        "method": "GET",
        "path": "/api/live",
        "id": "watch_calls",
        "tag": "Log",
        "summary": "Calls as they end",
        "description": "A stream of events: `call` with the columns of `fields`, its `id` is the call's `seq`; `lost` with a "
        "`count` where the watcher was too slow, or away for too long. `Last-Event-ID` goes on behind a call, up to 20,000 back. "
        "Filters as those of /api/logs. /api/ws is the same as a WebSocket.",
        "parameters": (
            FIELDS,
            Parameter("after", "query", {"type": "integer", "minimum": 0}, "Go on behind the call with this `seq`."),
            Parameter("Last-Event-ID", "header", TEXT, "As `after`; a browser sends it by itself."),
            *filters({}),
        ),
        "families": tuple(PARAMETERS),
        "answer_type": EVENTS,
        "problems": ("invalid",),
        "keys": True,
        "perform": http_live.live,
    },
    {
        "method": "GET",
        "path": "/api/sessions",
        "id": "list_sessions",
        "tag": "Log",
        "summary": "Sessions, page by page",
        "description": "From sums that the ledger keeps. Filters as those of /api/logs, over these columns.",
        "parameters": (*_paging(list(SESSION_SORTS), LIMIT_MAX), *filters(SESSION_PARAMETERS)),
        "families": families(SESSION_PARAMETERS),
        "answer": "SessionsPage",
        "problems": ("invalid", "too_broad"),
        "keys": True,
        "slow": True,
        "perform": http_sessions.listing,
    },
    {
        "method": "GET",
        "path": "/api/sessions/{session_id}",
        "id": "get_session",
        "tag": "Log",
        "summary": "What a session did, and what made it expensive",
        "description": "Turns with their cost, the tree of agents, how calls used the cache, what was billed again and why.",
        "parameters": (
            SESSION_ID,
            Parameter("limit", "query", LIMIT, "Calls on a page."),
            Parameter("cursor", "query", BEGIN, "`next_cursor` of the page before: of its calls; all else is the same on each."),
        ),
        "answer": "SessionDetail",
        "problems": ("not_found", "invalid", "too_broad"),
        "keys": True,
        "slow": True,
        "perform": http_sessions.one,
    },
)


def schemas() -> dict[str, Schema]:
    page: dict[str, Schema] = {
        "items": {"type": "array", "items": reference("CallOnPage")},
        "next_cursor": {"type": ["string", "null"], "description": "For the next page; null: this is the last."},
        "count": {"type": ["integer", "null"], "description": "Of all pages as of the first, up to 10,000."},
        "count_is": {"enum": ["exact", "at_least", "unknown"], "description": "unknown: nobody asked for it."},
    }
    return {"Call": call_schema(whole=True), "CallOnPage": call_schema(whole=False), "CallPage": closed(page, list(page))}
