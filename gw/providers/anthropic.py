"""Anthropic and whatever speaks its API: where requests go, how they are authorised, what an answer's status means."""

from gw.domain.call import Endpoint

PATHS: dict[Endpoint, bytes] = {
    "messages": b"/v1/messages",
    "count_tokens": b"/v1/messages/count_tokens",
    "models": b"/v1/models",
}


def credential_head(auth: str, secret: str) -> bytes:
    """The header line that carries the upstream's credential: `auth` is "x-api-key" or "bearer"."""
    if auth == "bearer":
        return b"authorization: Bearer %b\r\n" % secret.encode("latin-1")
    return b"x-api-key: %b\r\n" % secret.encode("latin-1")


def request_path(endpoint: Endpoint, query: bytes) -> bytes:
    """The endpoint's path below the upstream's base URL, with the client's query as it came."""
    path = PATHS[endpoint]
    return path + b"?" + query if query else path


def is_billed(status: int, endpoint: Endpoint) -> bool:
    """Anthropic charges for successful messages only: never for HTTP errors, count_tokens or models."""
    return endpoint == "messages" and 200 <= status < 300
