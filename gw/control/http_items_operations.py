"""The operations on customers, teams, keys, budgets and limits."""

from gw.control import http_items, http_listing
from gw.control.http_operation import (
    ACTOR,
    CHANGE,
    IF_MATCH,
    IF_MATCH_OPTIONAL,
    IF_NONE_MATCH,
    LIMIT,
    NAME,
    REVOKED,
    TEXT,
    WRITE,
    Operation,
)
from gw.control.http_schema import PLURALS, Schema, columns
from gw.control.openapi import Body, Parameter
from gw.control.service import Kind

TAG = {
    "Customers": "The outermost accounts.",
    "Teams": "Groups of virtual keys, each of a customer or of none.",
    "Keys": "Virtual keys: what clients of the gateway show.",
    "Budgets": "How much may be spent in each window, and by whom.",
    "Limits": "How fast calls may go, or how many at once, and whose.",
}
TAG_OF: dict[Kind, str] = dict(zip(PLURALS, TAG, strict=False))


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

ITEMS = (*(operation for kind in PLURALS for operation in _of_kind(kind)), *KEY_ACTIONS, *INCREASES)
