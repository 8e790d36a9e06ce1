"""Anthropic and whatever speaks its API: where requests go, how they are authorised, what an answer's status means."""

from collections.abc import Iterator

from gw.domain.call import Endpoint
from gw.providers import passages
from gw.providers.passages import Passage
from gw.providers.place import Place
from gw.providers.provider import Common, CredentialKind, Lines, Operation, below, line

VERSION = b"2023-06-01"
PATHS: dict[Endpoint, bytes] = {
    "messages": b"/v1/messages",
    "count_tokens": b"/v1/messages/count_tokens",
    "models": b"/v1/models",
}


QUERIED_MAX = 16  # there is hardly more than one
_queried: dict[bytes, bytes] = {}  # the path of messages, by the query: as for the call before


def request_path(endpoint: Endpoint, query: bytes) -> bytes:
    """The endpoint's path below the upstream's base URL, with the client's query as it came."""
    if not query:
        return PATHS[endpoint]
    path = _queried.get(query) if endpoint == "messages" else None
    if path is None:
        path = PATHS[endpoint] + b"?" + query
        if endpoint == "messages":
            if len(_queried) >= QUERIED_MAX:
                _queried.clear()
            _queried[query] = path
    return path


OPERATIONS: dict[Operation, tuple[str, str]] = {
    "messages": ("POST", "/v1/messages"),
    "responses": ("POST", "/v1/messages"),
    "count_tokens": ("POST", "/v1/messages/count_tokens"),
    "models": ("GET", "/v1/models"),
}


class Anthropic(Common):
    """The Claude API itself."""

    name = "anthropic"
    key_env = "ANTHROPIC_API_KEY"
    apis: tuple[str, ...] = ("anthropic",)

    def dialect(self, place: Place, model: str, operation: Operation, client: str = "") -> str:
        return "anthropic" if operation in OPERATIONS or operation == "other" else ""

    def request_line(  # noqa: PLR0917 - by position: every call asks
        self, place: Place, dialect: str, operation: Operation, model: str, stream: bool, query: bytes = b""
    ) -> tuple[bytes, bytes]:
        method, path = OPERATIONS[operation]
        return line(method, below(place, path), query)

    def default_base_url(self, place: Place) -> str:
        return "https://api.anthropic.com"

    def auth(self, place: Place) -> str:
        return place.auth or "x-api-key"

    def headers(self, place: Place, dialect: str) -> Lines:
        return ((b"anthropic-version", VERSION),)

    def passages(self, place: Place) -> tuple[Passage, ...]:
        return passages.ANTHROPIC


class AnthropicAws(Anthropic):
    """Claude Platform on AWS: Anthropic's API and prices under AWS credentials; `project` is the workspace."""

    name = "anthropic_aws"
    key_env = "ANTHROPIC_AWS_API_KEY"

    def default_base_url(self, place: Place) -> str:
        return f"https://aws-external-anthropic.{place.region}.api.aws" if place.region else ""

    def lacking(self, place: Place) -> Iterator[tuple[str, str]]:
        if not place.region:
            yield "region", 'is required, such as "us-east-1"'
        if not place.project:
            yield "project", "is required: the id of the workspace (ANTHROPIC_AWS_WORKSPACE_ID)"

    def credential(self, place: Place) -> CredentialKind:
        return "aws"

    def signing(self, place: Place, dialect: str) -> tuple[str, str]:
        return "aws-external-anthropic", place.region

    def headers(self, place: Place, dialect: str) -> Lines:
        return ((b"anthropic-version", VERSION), (b"anthropic-workspace-id", place.project.encode("latin-1")))
