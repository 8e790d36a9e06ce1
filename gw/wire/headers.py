"""Header policy between client and upstream, both ways, and attribution read from the client's headers.

To the upstream goes everything the client sent except: hop-by-hop headers (RFC 9110 7.6.1), Host and Content-Length
(the upstream client writes them), the credential when gw's own replaces it, `x-gw-*` (gw's own), and Accept-Encoding,
which becomes `identity` so that usage can be read as it passes. To the client goes everything but hop-by-hop headers,
with gw's `request-id` in place of the upstream's (kept as `x-gw-upstream-request-id`). Behind a virtual key the
upstream's organisation and its rate-limit headers stay here too: they describe the company's account, not the caller's.
"""

import re
from hashlib import blake2b
from typing import NamedTuple

import orjson

from gw.domain.key import PREFIX

Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
NOT_UPSTREAM = HOP_BY_HOP | {b"host", b"content-length", b"accept-encoding", b"expect"}
CREDENTIALS = frozenset({b"x-api-key", b"authorization"})
KEY_MARK = PREFIX.encode()
NOT_CLIENT = HOP_BY_HOP | {b"request-id", b"content-length", b"date", b"server", b"x-gw-call-id"}
VALUE_MAX = 128
TAGS_MAX = 512

_OLD_USER_ID = re.compile(r"user_([0-9a-f]{16,128})_account_[^_]*_session_([0-9a-fA-F-]{36})")


class Sent(NamedTuple):
    """What gw reads of the client's request headers; bytes as sent, empty if absent."""

    head: list[bytes]  # header lines for the upstream, without credentials
    credentials: list[bytes]  # the client's own credential lines
    gw_key: bytes
    api_key: bytes
    authorization: bytes
    content_encoding: bytes
    content_length: int  # -1: not declared or not a number
    values: dict[bytes, bytes]  # the attribution headers that were present


ATTRIBUTION = frozenset(
    {
        b"user-agent",
        b"x-claude-code-session-id",
        b"x-claude-code-agent-id",
        b"x-claude-code-parent-agent-id",
        b"x-claude-code-prompt-id",
        b"x-gw-project",
        b"x-gw-tags",
    }
)


def read_request(headers: Headers) -> Sent:
    """One pass over the client's headers (names are lower-case in ASGI)."""
    head: list[bytes] = []
    credentials: list[bytes] = []
    values: dict[bytes, bytes] = {}
    gw_key = api_key = authorization = encoding = b""
    length = -1
    named = _named_by_connection(headers)
    for name, value in headers:
        if name in ATTRIBUTION:
            values[name] = value
        if name.startswith(b"x-gw-"):
            if name == b"x-gw-key":
                gw_key = value.strip()
            continue
        if name in CREDENTIALS:
            if KEY_MARK not in value:  # a virtual key never goes upstream, whichever of its headers identified the caller
                credentials.append(b"%b: %b\r\n" % (name, value))
            if name == b"x-api-key":
                api_key = value.strip()
            else:
                authorization = value.strip()
            continue
        if name == b"content-length":
            length = int(value) if value.isdigit() else -1
        elif name == b"content-encoding":
            encoding = value.strip().lower()
        if name in NOT_UPSTREAM or name in named:
            continue
        head.append(b"%b: %b\r\n" % (name, value))
    head.append(b"accept-encoding: identity\r\n")
    return Sent(head, credentials, gw_key, api_key, authorization, encoding, length, values)


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    """Headers that `Connection:` declares hop-by-hop."""
    found: frozenset[bytes] = frozenset()
    for name, value in headers:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            found |= {token.strip().lower() for token in value.split(b",")}
    return found


def to_client(upstream: Headers, call_id: bytes, *, own_account: bool) -> tuple[Headers, str, int]:
    """(headers for the client, the upstream's request id, its content-length or -1)."""
    headers: Headers = [(b"request-id", call_id), (b"x-gw-call-id", call_id)]
    request_id = b""
    length = -1
    by_connection = _named_by_connection(upstream)
    for name, value in upstream:
        if name in NOT_CLIENT or name in by_connection or name.startswith(b"x-gw-"):
            if name == b"request-id":
                request_id = value
            elif name == b"content-length" and value.isdigit():
                length = int(value)
            continue
        if not own_account and (
            name.startswith(b"anthropic-ratelimit-") or name in (b"anthropic-organization-id", b"set-cookie")
        ):
            continue
        headers.append((name, value))
    if request_id:
        headers.append((b"x-gw-upstream-request-id", request_id))
    return headers, text_of(request_id), length


def named(headers: Headers, name: bytes) -> bytes:
    """The first value of a header, in lower case and stripped; empty if it is absent."""
    for key, value in headers:
        if key == name:
            return value.strip().lower()
    return b""


def text_of(value: bytes, limit: int = VALUE_MAX) -> str:
    """A header value as bounded printable text."""
    text = value[:limit].decode("latin-1")
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


class Device:
    """Reads `metadata.user_id`: (digest of the device, session id), cached because a session repeats it."""

    CACHE_MAX = 4096

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper
        self._cache: dict[str, tuple[str, str]] = {}

    def read(self, user_id: str | None) -> tuple[str, str]:
        if not user_id:
            return "", ""
        found = self._cache.get(user_id)
        if found is None:
            device, session = _device_and_session(user_id)
            found = (blake2b(device.encode(), key=self._pepper, digest_size=8).hexdigest() if device else "", session[:VALUE_MAX])
            if len(self._cache) >= self.CACHE_MAX:
                self._cache.clear()
            self._cache[user_id] = found
        return found


def _device_and_session(user_id: str) -> tuple[str, str]:
    """The JSON text of current clients, the underscore form of older ones, or any other text as a device of its own."""
    if user_id.startswith("{"):
        try:
            parsed = orjson.loads(user_id.encode("utf-8", "surrogatepass"))
        except orjson.JSONDecodeError:
            return user_id, ""
        device, session = parsed.get("device_id"), parsed.get("session_id")
        return (device if isinstance(device, str) else ""), (session if isinstance(session, str) else "")
    old = _OLD_USER_ID.search(user_id)
    if old:
        return old[1], old[2]
    return user_id, ""
