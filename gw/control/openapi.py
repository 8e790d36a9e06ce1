"""The OpenAPI document, made of the table of operations that also serves: what it says is what is there. Pure."""

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from gw import __version__
from gw.control.http_schema import Schema
from gw.control.problem import MEDIA_TYPE, PROBLEMS

JSON = "application/json"
REF = "#/components/schemas/{name}"
ALWAYS: tuple[str, ...] = ("admin_token_missing", "admin_token_wrong", "virtual_key_refused", "locked_out", "busy", "internal")
ALWAYS += ("admin_token_unusable", "database_unavailable")
ABOUT = """\
Customers, teams, virtual keys, budgets and limits of this gateway, and where accounts stand.

What is defined in `config.toml` is shown with `"source": "config"` and changed only there; what is made here has \
`"source": "database"`. A change is in force in every worker within a second. Every change stands in the audit, with who made it.

Money is a decimal string in USD, a moment a date-time in UTC. A name that holds a slash is written with `%2F` in a path.

Each of them has an `ETag`; PATCH and DELETE ask for it as `If-Match` (`*`: whatever it is now), so that nobody overwrites what \
somebody else has changed meanwhile. Errors have one shape (RFC 9457), with a stable `slug` and what to do about it."""


class Parameter(Struct, frozen=True):
    name: str
    where: Literal["path", "query", "header"]
    schema: Schema
    description: str = ""
    required: bool = False


class Body(Struct, frozen=True):
    schema: str  # name of the component
    required: bool = True


class Described(Struct, frozen=True, kw_only=True):
    """What there is to say of an operation."""

    method: str
    path: str
    id: str
    tag: str
    summary: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    status: int = 200
    answer: str = ""  # name of the component; "" for none
    answer_type: str = JSON
    also: tuple[str, ...] = ()  # other media types of text that it answers with where it is asked for them
    raw_type: str = ""  # of bytes that it answers when it is asked for them instead; "" if it never does
    etag: bool = False
    conditional: bool = False  # answers 304 to If-None-Match
    problems: tuple[str, ...] = ()
    public: bool = False
    keys: bool = False  # whoever shows a virtual key may ask, too, and gets what is its own


def document(operations: Iterable[Described], schemas: dict[str, Schema], tags: dict[str, str]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "gw control API", "version": __version__, "description": ABOUT, "license": {"name": "Apache-2.0"}},
        "security": [{"adminToken": []}],
        "tags": [{"name": name, "description": about} for name, about in tags.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "adminToken": {"type": "http", "scheme": "bearer", "description": "The admin token, `gwa_...`."},
            },
            "schemas": {**schemas, "Problem": PROBLEM},
        },
        "x-problems": [{"slug": slug, **kind._asdict()} for slug, kind in PROBLEMS.items()],
    }


def reference(name: str) -> Schema:
    return {"$ref": REF.format(name=name)}


def _operation(operation: Described) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": operation.id, "tags": [operation.tag], "summary": operation.summary}
    if operation.description:
        described["description"] = operation.description
    if operation.parameters:
        described["parameters"] = [_parameter(one) for one in operation.parameters]
    if operation.body is not None:
        content = {JSON: {"schema": reference(operation.body.schema)}}
        described["requestBody"] = {"required": operation.body.required, "content": content}
    if operation.public:
        described["security"] = []
    described["responses"] = _responses(operation)
    return described


def _parameter(one: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {"name": one.name, "in": one.where, "schema": one.schema, "required": one.required}
    return {**described, "description": one.description} if one.description else described


def _responses(operation: Described) -> dict[str, Any]:
    done: dict[str, Any] = {"description": operation.summary}
    if operation.answer:
        done["content"] = {operation.answer_type: {"schema": reference(operation.answer)}}
    elif operation.answer_type != JSON:
        done["content"] = {operation.answer_type: {"schema": {"type": "string"}}}
    for media_type in operation.also:
        done["content"][media_type] = {"schema": {"type": "string"}}
    if operation.raw_type:
        done["content"][operation.raw_type] = {"schema": {"type": "string", "format": "binary"}}
    if operation.etag:
        done["headers"] = {"ETag": {"description": "Changes with it.", "required": True, "schema": {"type": "string"}}}
    responses = {str(operation.status): done}
    if operation.conditional:
        responses["304"] = {"description": "It is still what If-None-Match names."}
    slugs: dict[str, list[str]] = {}
    for slug in (*operation.problems, *(() if operation.public else ALWAYS)):
        slugs.setdefault(str(PROBLEMS[slug].status), []).append(slug)
    for status in sorted(slugs):
        said = "; ".join(f"`{slug}`: {PROBLEMS[slug].title}" for slug in slugs[status])
        responses[status] = {"description": said, "content": {MEDIA_TYPE: {"schema": reference("Problem")}}}
    return responses


PROBLEM: Schema = {
    "type": "object",
    "description": "Why it was not done, and what to do (RFC 9457).",
    "required": ["type", "title", "status", "slug", "detail", "hint", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Where the slug is explained."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "slug": {"type": "string", "enum": list(PROBLEMS), "description": "Stable, for programs."},
        "detail": {"type": "string", "description": "What it was this time."},
        "hint": {"type": "string", "description": "What to do."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Each thing that is wrong.",
            "items": {
                "type": "object",
                "required": ["in", "field", "message"],
                "properties": {
                    "in": {"type": "string", "enum": ["body", "query", "path", "header"]},
                    "field": {"type": "string", "description": "Dotted, with positions in lists: `increase.0.until`."},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
