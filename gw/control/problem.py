"""What the control API answers when it does not do what was asked: one shape (RFC 9457), named by a stable slug.

The table says status, title and what to do. `detail` says what it was this time; `errors` names fields, one line each.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

DOCUMENTED_AT = "/api/docs#problem-"
MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    status: int
    title: str
    hint: str  # what to do about it


PROBLEMS: dict[str, Kind] = {
    # who asks
    "admin_token_missing": Kind(
        401,
        "No admin token",
        "Send `Authorization: Bearer gwa_...`: the value of GW_ADMIN_TOKEN, or of admin.token in the state directory.",
    ),
    "admin_token_wrong": Kind(
        401,
        "Wrong admin token",
        "Take the value of GW_ADMIN_TOKEN as the gateway sees it, or of admin.token in its state directory.",
    ),
    "virtual_key_refused": Kind(
        403,
        "A virtual key cannot administer",
        "Send the admin token instead. What a key may spend itself stands at /api/me.",
    ),
    "virtual_key_wrong": Kind(401, "Not a virtual key that may be used", "Copy the key that you were given again, whole."),
    "csrf_missing": Kind(
        403, "Not asked by a page of this gateway", "Reload the page; a program sends the admin token as a header, not a cookie."
    ),
    "signed_out": Kind(401, "Nobody is signed in", "Sign in with the admin token or a virtual key."),
    "locked_out": Kind(
        429, "Too many wrong tokens", "Wait as long as Retry-After says, then send the right token; until then none is looked at."
    ),
    "admin_token_unusable": Kind(
        503, "This gateway has no usable admin token", "Look into its log, mend admin.token or GW_ADMIN_TOKEN and start it again."
    ),
    # the request
    "unknown_path": Kind(404, "Nothing is served there", "Look at /api/docs for what there is."),
    "method_not_allowed": Kind(405, "Not a method of this path", "Use one of those that the Allow header names."),
    "body_too_large": Kind(413, "The body is too large", "Send at most 1 MiB."),
    "unsupported_media_type": Kind(415, "Not a body that is read here", "Send JSON with `Content-Type: application/json`."),
    "invalid_json": Kind(400, "The body is not valid JSON", "Send one JSON object in UTF-8, each field once."),
    "request_incomplete": Kind(400, "The body was cut short", "Send as much as Content-Length says."),
    "too_broad": Kind(
        422,
        "Too much would have to be looked through",
        "Narrow it: a shorter time (since, until), one team, key or session, or the order of time (sort=-ended_at).",
    ),
    "invalid": Kind(422, "Something in the request is not right", "Change what `errors` names, and send it again."),
    # the state of things
    "not_found": Kind(404, "There is no such thing", "List its kind to see what there is."),
    "exists": Kind(409, "The name is taken", "Choose another name, or change what is there with PATCH."),
    "provisioned": Kind(
        409, "It is defined in the configuration file", "Change it there; it is taken over within a second. This API cannot."
    ),
    "in_use": Kind(409, "Something still refers to it", "Change or delete what `detail` names first."),
    "precondition_required": Kind(
        428, "If-Match is required", "Send the ETag that GET answered as If-Match, or `*` to change it whatever it is now."
    ),
    "precondition_failed": Kind(412, "It has changed since you looked", "GET it again, and decide anew with its new ETag."),
    # gw itself
    "busy": Kind(503, "Too many requests to the API at once", "Try again after Retry-After."),
    "database_unavailable": Kind(503, "The database cannot be used now", "Try again after Retry-After; calls are not affected."),
    "not_ready": Kind(503, "This part of the gateway is not ready", "Try again after Retry-After."),
    "content_unreadable": Kind(
        503, "What is kept of this call cannot be read", "Give [content] the encryption_key it was kept with, or the former one."
    ),
    "internal": Kind(500, "A bug in gw", "Report it with the request id and the gateway's log."),
}
RETRY_AFTER_S = {"busy": 1, "database_unavailable": 2, "not_ready": 1}

Place = Literal["body", "query", "path", "header"]


class FieldError(Struct, frozen=True):
    """One thing that is wrong. `field` is dotted, with positions in lists: `increase.0.until`."""

    where: Place
    field: str
    message: str


class Problem(Exception):
    """Raised anywhere on the way to an answer, and becomes it."""

    def __init__(
        self,
        slug: str,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        hint: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.slug = slug
        self.kind = PROBLEMS[slug]
        self.detail = detail or self.kind.title
        self.hint = hint or self.kind.hint
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        if slug in RETRY_AFTER_S:
            self.headers["retry-after"] = str(RETRY_AFTER_S[slug])

    def body(self, request_id: str) -> dict[str, object]:
        """As JSON says it."""
        body: dict[str, object] = {
            "type": DOCUMENTED_AT + self.slug,
            "title": self.kind.title,
            "status": self.kind.status,
            "slug": self.slug,
            "detail": self.detail,
            "hint": self.hint,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [{"in": one.where, "field": one.field, "message": one.message} for one in self.errors]
        return body


def all_invalid(errors: Sequence[FieldError]) -> Problem:
    """Of at least one error."""
    first = f"{errors[0].field}: {errors[0].message}" if errors[0].field else errors[0].message
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Problem("invalid", first + more, errors=errors)


def invalid(where: Place, field: str, message: str) -> Problem:
    return all_invalid([FieldError(where, field, message)])
