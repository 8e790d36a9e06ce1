"""The table of operations: path, method, what performs it, and what there is to say of it. It serves, and it is the document."""

from functools import cache
from typing import Any

import msgspec

from gw.config.budget_model import Increase
from gw.control import http_items, http_listing, http_session, http_views
from gw.control.http_answer import Answer, Ask, json_answer
from gw.control.http_docs import page
from gw.control.http_items import Perform
from gw.control.http_schema import PLURALS, Schema, closed, columns, shown, table_schema, written
from gw.control.http_shapes import AccountView, AuditPage, ConfigView, StatusView
from gw.control.openapi import REF, Body, Described, Parameter, document, reference
from gw.control.service import OVERLAP_S_MAX, Kind
from gw.domain.scope import KINDS

WRITE = ("invalid", "invalid_json", "body_too_large", "unsupported_media_type", "request_incomplete")
CHANGE = ("not_found", "precondition_required", "precondition_failed", "provisioned")
TAGS = {
    "Customers": "The outermost accounts.",
    "Teams": "Groups of virtual keys, each of a customer or of none.",
    "Keys": "Virtual keys: what clients of the gateway show.",
    "Budgets": "How much may be spent in each window, and by whom.",
    "Limits": "How fast calls may go, or how many at once, and whose.",
    "Accounts": "Where an account stands: what is spent, set aside and left of everything that it is charged to.",
    "Gateway": "The audit, the configuration, and how the gateway is.",
}
TAG_OF: dict[Kind, str] = dict(zip(PLURALS, TAGS, strict=False))

TEXT: Schema = {"type": "string"}
NAME = Parameter("name", "path", {"type": "string", "minLength": 1}, "Its name; a slash in it is written %2F.", required=True)
IF_MATCH = Parameter(
    "If-Match",
    "header",
    {"type": "string", "minLength": 1},
    "The ETag of what is to be changed; `*`: whatever it is now. Without it: 428.",
    required=True,
)
IF_MATCH_OPTIONAL = Parameter("If-Match", "header", TEXT, "Only if it is still this.")
IF_NONE_MATCH = Parameter("If-None-Match", "header", TEXT, "Answer 304 if it is still this.")
ACTOR = Parameter("X-Gw-Actor", "header", TEXT, "For whom the caller acts; named in the audit beside the token.")
LIMIT = {"type": "integer", "minimum": 1, "maximum": http_listing.LIMIT_MAX, "default": http_listing.LIMIT_DEFAULT}


REVOKED = Parameter("revoked", "query", {"type": "boolean", "default": False}, "`true`: revoked keys, too.")


class Operation(Described, frozen=True, kw_only=True):
    perform: Perform


def _of_kind(kind: Kind) -> tuple[Operation, ...]:
    plural, tag, shape = PLURALS[kind], TAG_OF[kind], kind.capitalize()
    all_of, one = f"/api/{plural}", f"/api/{plural}/{{name}}"
    listing = Operation(
        method="GET",
        path=all_of,
        id=f"list_{plural}",
        tag=tag,
        summary=f"List {plural}",
        parameters=_list_parameters(kind),
        answer=f"{shape}Page",
        problems=("invalid",),
        perform=http_items.listing(kind),
    )
    creating = Operation(
        method="POST",
        path=all_of,
        id=f"create_{kind}",
        tag=tag,
        summary=f"Create a {kind}",
        description="The answer holds the secret, this once: `key`." if kind == "key" else "",
        parameters=(ACTOR,),
        body=Body(f"{shape}New"),
        status=201,
        answer="KeyWithSecret" if kind == "key" else shape,
        etag=True,
        problems=("exists", "provisioned", *WRITE),
        perform=http_items.creating(kind),
    )
    showing = Operation(
        method="GET",
        path=one,
        id=f"get_{kind}",
        tag=tag,
        summary=f"Show a {kind}",
        parameters=(NAME, IF_NONE_MATCH),
        answer=shape,
        etag=True,
        conditional=True,
        problems=("not_found", "invalid"),
        perform=http_items.showing(kind),
    )
    changing = Operation(
        method="PATCH",
        path=one,
        id=f"change_{kind}",
        tag=tag,
        summary=f"Change a {kind}",
        description="Fields that are not given stay; null sets one back to its default. A name never changes.",
        parameters=(NAME, IF_MATCH, ACTOR),
        body=Body(f"{shape}Patch"),
        answer=shape,
        etag=True,
        problems=(*CHANGE, *WRITE, "in_use"),
        perform=http_items.changing(kind),
    )
    deleting = Operation(
        method="DELETE",
        path=one,
        id=f"delete_{kind}",
        tag=tag,
        summary=f"Delete a {kind}",
        parameters=(NAME, IF_MATCH, ACTOR),
        status=204,
        problems=(*CHANGE, "in_use", "invalid"),
        perform=http_items.deleting(kind),
    )
    return listing, creating, showing, changing, deleting


def _list_parameters(kind: Kind) -> tuple[Parameter, ...]:
    known = columns(kind)
    sorts = [f"{sign}{column.name}" for column in known for sign in ("", "-")]
    searched = ", ".join(column.name for column in known if column.searched)
    q = {"type": "string", "maxLength": http_listing.Q_CHARS_MAX}
    return (
        Parameter("q", "query", q, f"Only those that hold this, in any case, in one of: {searched}."),
        Parameter("sort", "query", {"type": "string", "enum": sorts, "default": "name"}, "Order; falling with a `-` before it."),
        Parameter("limit", "query", LIMIT, "Entries on a page."),
        Parameter("cursor", "query", TEXT, "`next_cursor` of the page before; the other parameters stay the same."),
        *(_filter(column) for column in known if column.filtered),
        *((REVOKED,) if kind == "key" else ()),
    )


def _filter(column: http_listing.Column) -> Parameter:
    schema: Schema = {"type": "boolean"} if column.kind == "bool" else {"type": "string"}
    if column.choices:
        schema["enum"] = list(column.choices)
    return Parameter(column.name, "query", schema, f"Only those with this value. {column.effect}")


KEY_ACTIONS = (
    Operation(
        method="POST",
        path="/api/keys/{name}/rotate",
        id="rotate_key",
        tag="Keys",
        summary="Give a key a new secret",
        description="The answer holds the new secret, this once: `key`. The one before it goes on for `overlap_s`.",
        parameters=(NAME, IF_MATCH_OPTIONAL, ACTOR),
        body=Body("Rotation", required=False),
        answer="KeyWithSecret",
        etag=True,
        problems=("not_found", "precondition_failed", "provisioned", "in_use", *WRITE),
        perform=http_items.rotate_key,
    ),
    Operation(
        method="POST",
        path="/api/keys/{name}/revoke",
        id="revoke_key",
        tag="Keys",
        summary="Revoke a key",
        description="At once and for good: a call that shows it is told so.",
        parameters=(NAME, IF_MATCH_OPTIONAL, ACTOR),
        body=Body("Nothing", required=False),
        answer="Key",
        etag=True,
        problems=("not_found", "precondition_failed", "provisioned", "in_use", *WRITE),
        perform=http_items.revoke_key,
    ),
)
INCREASES = (
    Operation(
        method="POST",
        path="/api/budgets/{name}/increases",
        id="add_increase",
        tag="Budgets",
        summary="Raise a budget for a while",
        parameters=(NAME, IF_MATCH_OPTIONAL, ACTOR),
        body=Body("IncreaseNew"),
        status=201,
        answer="Budget",
        etag=True,
        problems=("not_found", "precondition_failed", "provisioned", "in_use", *WRITE),
        perform=http_items.add_increase,
    ),
    Operation(
        method="DELETE",
        path="/api/budgets/{name}/increases/{position}",
        id="remove_increase",
        tag="Budgets",
        summary="Take an increase back",
        parameters=(
            NAME,
            Parameter("position", "path", {"type": "integer", "minimum": 0}, "Of the increase, from 0.", required=True),
            IF_MATCH,
            ACTOR,
        ),
        answer="Budget",
        etag=True,
        problems=(*CHANGE, "invalid"),
        perform=http_items.remove_increase,
    ),
)
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
        path="/api/audit",
        id="list_audit",
        tag="Gateway",
        summary="Who changed what, newest first",
        parameters=(
            Parameter("kind", "query", {"type": "string", "enum": list(PLURALS)}, "Only changes to this kind."),
            Parameter("name", "query", TEXT, "Only changes to what has this name."),
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
        id="get_session",
        tag="Gateway",
        summary="Who is signed in",
        answer="SignedIn",
        problems=("signed_out", "virtual_key_wrong", "invalid"),
        keys=True,
        perform=http_session.signed_in,
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
    *(operation for kind in PLURALS for operation in _of_kind(kind)),
    *KEY_ACTIONS,
    *INCREASES,
    *VIEWS,
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
    schemas["OpenApi"] = {"type": "object", "required": ["openapi", "info", "paths"]}
    views = (AccountView, AuditPage, ConfigView, StatusView, http_session.SignedIn)
    return {**schemas, **msgspec.json.schema_components(views, ref_template=REF)[1]}


def _page(shape: str) -> Schema:
    properties: dict[str, Schema] = {
        "items": {"type": "array", "items": reference(shape)},
        "next_cursor": {"type": ["string", "null"], "description": "For the next page; null: this is the last."},
        "total": {"type": "integer", "description": "Of all pages, as of now."},
    }
    return closed(properties, list(properties))
