"""One operation of the control API, and the parameters and problems that many of them share."""

from gw.control.http_items import Perform
from gw.control.http_listing import LIMIT_DEFAULT, LIMIT_MAX
from gw.control.http_schema import Schema
from gw.control.openapi import Described, Parameter

WRITE = ("invalid", "invalid_json", "body_too_large", "unsupported_media_type", "request_incomplete")
CHANGE = ("not_found", "precondition_required", "precondition_failed", "provisioned")

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
LIMIT = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}
REVOKED = Parameter("revoked", "query", {"type": "boolean", "default": False}, "`true`: revoked keys, too.")


class Operation(Described, frozen=True, kw_only=True):
    perform: Perform
    families: tuple[str, ...] = ()  # parameters that its description tells of, too many to be listed one by one
    slow: bool = False  # it may look through many rows: in a thread where what is quick does not wait for it
