"""The table of operations: path, method, what performs it, and what there is to say of it. It serves, and it is the document."""

from functools import cache
from typing import Any

import msgspec

from gw.config.budget_model import Increase
from gw.control import http_alerts_operations as alerts
from gw.control import http_content_operations as conversations
from gw.control import http_exports_operations as exports
from gw.control import http_items, http_mine, http_session, http_standings, http_views
from gw.control import http_items_operations as items
from gw.control import http_logs_operations as logs
from gw.control import http_telemetry_operations as telemetry
from gw.control import http_upstreams_operations as upstreams
from gw.control import http_usage_operations as used
from gw.control.http_answer import Answer, Ask, json_answer
from gw.control.http_docs import page
from gw.control.http_operation import LIMIT, NAME, TEXT, WRITE, Operation
from gw.control.http_schema import PLURALS, Schema, closed, shown, table_schema, written
from gw.control.http_shapes import AccountView, AuditPage, ConfigView, StatusView
from gw.control.openapi import REF, Body, Parameter, document, reference
from gw.control.service import OVERLAP_S_MAX
from gw.domain.scope import KINDS

TAGS = {
    **items.TAG,
    "Accounts": "Where an account stands: what is spent, set aside and left of everything that it is charged to.",
    "Gateway": "The audit, the configuration, and how the gateway is.",
    **conversations.TAG,
    **alerts.TAG,
    **telemetry.TAG,
    **logs.TAG,
    **used.TAG,
    **exports.TAG,
}
VIEWS = (
    Operation(
        method="GET",
        path="/api/accounts/{kind}/{name}",
        id="get_account",
        tag="Accounts",
        summary="Where an account stands",
        description="Every budget and limit that a call of this account falls under: what is spent, set aside and left, and "
        "when it starts anew. The query says more of such a call.",
        parameters=(
            Parameter("kind", "path", {"type": "string", "enum": list(KINDS)}, "What kind of account.", required=True),
            NAME,
            *(Parameter(part, "query", TEXT, f"Of such a call: its {part}.") for part in http_views.OPEN_PARTS),
        ),
        answer="AccountView",
        problems=("not_found", "invalid"),
        perform=http_views.account,
    ),
    Operation(
        method="GET",
        path="/api/accounts",
        id="list_accounts",
        tag="Accounts",
        summary="All customers, teams and keys, as a tree",
        description="Each with where it hangs, and the budget of its own that is nearest to its limit.",
        answer="AccountTree",
        problems=("invalid",),
        perform=http_standings.accounts,
    ),
    Operation(
        method="GET",
        path="/api/standings",
        id="get_standings",
        tag="Accounts",
        summary="Where all accounts stand in all budgets",
        description="What each has spent in the window of now, how that has grown, what is set aside, and where it goes at its "
        "present pace.",
        answer="Standings",
        problems=("invalid",),
        slow=True,
        perform=http_standings.standings,
    ),
    Operation(
        method="GET",
        path="/api/audit",
        id="list_audit",
        tag="Gateway",
        summary="Who changed, saw or tried what, newest first",
        parameters=(
            Parameter("kind", "query", {"type": "string", "enum": list(http_views.AUDITED)}, "Only what is about this kind."),
            Parameter("name", "query", TEXT, "Only what is about this name."),
            Parameter("limit", "query", LIMIT, "Entries on a page."),
            Parameter("cursor", "query", TEXT, "`next_cursor` of the page before."),
        ),
        answer="AuditPage",
        problems=("invalid",),
        perform=http_views.audit,
    ),
    Operation(
        method="GET",
        path="/api/config",
        id="get_config",
        tag="Gateway",
        summary="The configuration in force, and what is broken",
        description="Secrets appear by reference only.",
        answer="ConfigView",
        problems=("invalid",),
        perform=http_views.config,
    ),
    Operation(
        method="GET",
        path="/api/status",
        id="get_status",
        tag="Gateway",
        summary="How the gateway is",
        answer="StatusView",
        problems=("invalid",),
        perform=http_views.status,
    ),
)


def _docs_page(desk: http_items.Desk, ask: Ask) -> Answer:
    return page()


def _openapi(desk: http_items.Desk, ask: Ask) -> Answer:
    return json_answer(openapi_document())


DOCS = (
    Operation(
        method="GET",
        path="/api/docs",
        id="get_docs",
        tag="Gateway",
        summary="This document, to read and to try",
        answer_type="text/html",
        problems=("invalid",),
        public=True,
        perform=_docs_page,
    ),
    Operation(
        method="GET",
        path="/api/openapi.json",
        id="get_openapi",
        tag="Gateway",
        summary="This document",
        answer="OpenApi",
        problems=("invalid",),
        public=True,
        perform=_openapi,
    ),
)

SESSION = (
    Operation(
        method="POST",
        path="/api/session",
        id="sign_in",
        tag="Gateway",
        summary="Sign in a browser",
        description="With the admin token or a virtual key; the answer sets a cookie. A virtual key sees only what is its own.",
        body=Body("SessionNew"),
        answer="SignedIn",
        problems=("admin_token_wrong", "virtual_key_wrong", *WRITE),
        public=True,
        perform=http_session.sign_in,
    ),
    Operation(
        method="GET",
        path="/api/session",
        id="get_signed_in",
        tag="Gateway",
        summary="Who is signed in",
        answer="SignedIn",
        problems=("signed_out", "virtual_key_wrong", "invalid"),
        keys=True,
        perform=http_session.signed_in,
    ),
    Operation(
        method="GET",
        path="/api/mine",
        id="get_mine",
        tag="Accounts",
        summary="What my key falls under",
        description="For whoever shows a virtual key: every budget and limit of its path, with what is left and where it goes.",
        answer="Mine",
        problems=("not_found", "invalid"),
        keys=True,
        perform=http_mine.mine,
    ),
    Operation(
        method="DELETE",
        path="/api/session",
        id="sign_out",
        tag="Gateway",
        summary="Sign out",
        status=204,
        problems=("invalid",),
        public=True,
        perform=http_session.sign_out,
    ),
)

OPERATIONS: tuple[Operation, ...] = (
    *SESSION,
    *items.ITEMS,
    *VIEWS,
    *(Operation(**one) for one in logs.LOGS),
    *(Operation(**one) for one in used.OPERATIONS),
    *(Operation(**one) for one in upstreams.OPERATIONS),
    Operation(**conversations.CONVERSATION),
    *(Operation(**one) for one in alerts.OPERATIONS),
    *(Operation(**one) for one in exports.OPERATIONS),
    *(Operation(**one) for one in telemetry.TELEMETRY),
    *DOCS,
)


@cache
def openapi_document() -> dict[str, Any]:
    return document(OPERATIONS, _schemas(), TAGS)


def _schemas() -> dict[str, Schema]:
    schemas: dict[str, Schema] = {}
    for kind in PLURALS:
        shape = kind.capitalize()
        schemas[shape] = shown(kind)
        schemas[f"{shape}New"] = written(kind, partial=False)
        schemas[f"{shape}Patch"] = written(kind, partial=True)
        schemas[f"{shape}Page"] = _page(shape)
    secret = {"key": {"type": "string", "description": "What clients show. It is nowhere else, and never shown again."}}
    key = schemas["Key"]
    schemas["KeyWithSecret"] = closed({**key["properties"], **secret}, [*key["required"], "key"], key["description"])
    overlap: Schema = {"type": "integer", "minimum": 0, "maximum": OVERLAP_S_MAX, "default": 0}
    overlap["description"] = "How long the secret before it goes on, in seconds."
    schemas["Rotation"] = closed({"overlap_s": overlap}, [])
    schemas["Nothing"] = closed({}, [])
    schemas["IncreaseNew"] = table_schema(Increase)
    schemas["SessionNew"] = http_session.SESSION_NEW
    schemas |= alerts.SCHEMAS
    schemas |= exports.SCHEMAS
    schemas["OpenApi"] = {"type": "object", "required": ["openapi", "info", "paths"]}
    views: tuple[type, ...] = (AccountView, AuditPage, ConfigView, StatusView, http_session.SignedIn, *http_standings.SHAPES)
    views = (*views, *conversations.SHAPES, *telemetry.SHAPES, *alerts.SHAPES, *logs.SHAPES, *used.SHAPES, *exports.SHAPES)
    views = (*views, *upstreams.SHAPES, http_mine.Mine)
    schemas |= logs.schemas()
    return {**schemas, **msgspec.json.schema_components(views, ref_template=REF)[1]}


def _page(shape: str) -> Schema:
    properties: dict[str, Schema] = {
        "items": {"type": "array", "items": reference(shape)},
        "next_cursor": {"type": ["string", "null"], "description": "For the next page; null: this is the last."},
        "total": {"type": "integer", "description": "Of all pages, as of now."},
    }
    return closed(properties, list(properties))
