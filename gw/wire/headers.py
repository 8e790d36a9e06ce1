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
from gw.domain.text import printable

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
KEY_MARK = PREFIX.encode()
NOT_CLIENT = HOP_BY_HOP | {b"request-id", b"content-length", b"date", b"server"}
OF_THE_ACCOUNT = (b"anthropic-ratelimit-", b"anthropic-organization-id", b"set-cookie")  # beginnings of names
PLAIN_CONNECTION = (b"keep-alive", b"close")
VALUE_MAX = 128
TAGS_MAX = 512

_OLD_USER_ID = re.compile(r"user_([0-9a-f]{16,128})_account_[^_]*_session_([0-9a-fA-F-]{36})")


# What gw does with a request header of a known name; one without a role is passed on.
# TELL: passed on, and kept for the record. OWN: kept for the record, not passed on.
DROP, TELL, OWN, API_KEY, AUTHORIZATION, GW_KEY, LENGTH, ENCODING, CONNECTION = range(9)


ROLES: dict[bytes, int] = {
    **dict.fromkeys(HOP_BY_HOP | {b"host", b"accept-encoding", b"expect"}, DROP),
    b"connection": CONNECTION,
    b"content-length": LENGTH,
    b"content-encoding": ENCODING,
    b"x-api-key": API_KEY,
    b"authorization": AUTHORIZATION,
    b"x-gw-key": GW_KEY,
    b"x-gw-project": OWN,
    b"x-gw-tags": OWN,
    b"user-agent": TELL,
    b"x-claude-code-session-id": TELL,
    b"x-claude-code-agent-id": TELL,
    b"x-claude-code-parent-agent-id": TELL,
    b"x-claude-code-prompt-id": TELL,
}


class Sent(NamedTuple):
    """What gw reads of the client's request headers; bytes as sent, empty if absent."""

    head: list[bytes]  # pieces of the header lines for the upstream, without credentials
    credentials: list[bytes]  # the client's own credential lines
    gw_key: bytes
    api_key: bytes
    authorization: bytes
    content_encoding: bytes
    content_length: int  # -1: not declared or not a number
    values: dict[bytes, bytes]  # the attribution headers that were present


def read_request(headers: Headers) -> Sent:
    """One pass over the client's headers (names are lower-case in ASGI)."""
    head: list[bytes] = []
    credentials: list[bytes] = []
    values: dict[bytes, bytes] = {}
    gw_key = api_key = authorization = encoding = b""
    length = -1
    for name, value in headers:
        role = ROLES.get(name)
        if role is None:
            if not name.startswith(b"x-gw-"):
                head += (name, b": ", value, b"\r\n")
        elif role == TELL:
            values[name] = value
            head += (name, b": ", value, b"\r\n")
        elif role == OWN:
            values[name] = value
        elif role == LENGTH:
            length = int(value) if value.isdigit() else -1
        elif role == ENCODING:
            encoding = encoding + b"," + value.strip().lower() if encoding else value.strip().lower()
            head += (name, b": ", value, b"\r\n")
        elif role == GW_KEY:
            gw_key = value.strip()
        elif role in (API_KEY, AUTHORIZATION):
            if KEY_MARK not in value:  # a virtual key never goes upstream, whichever of its headers identified the caller
                credentials.append(b"%b: %b\r\n" % (name, value))
            if role == API_KEY:
                api_key = value.strip()
            else:
                authorization = value.strip()
        elif role == CONNECTION and value.lower() not in PLAIN_CONNECTION:
            return read_request(_without_named(headers))
    head.append(b"accept-encoding: identity\r\n")
    return Sent(head, credentials, gw_key, api_key, authorization, encoding, length, values)


def _without_named(headers: Headers) -> Headers:
    """Drops Connection and the headers that it declares hop-by-hop."""
    gone = {b"connection"}
    for name, value in headers:
        if name == b"connection":
            gone |= {token.strip().lower() for token in value.split(b",")}
    return [item for item in headers if item[0] not in gone]


class Answer(NamedTuple):
    """What gw reads of the upstream's response headers."""

    headers: Headers  # for the client
    request_id: str  # the upstream's own
    content_type: bytes  # lower-case
    encoding: bytes  # lower-case; empty: identity

    @property
    def streams(self) -> bool:
        return self.content_type.startswith(b"text/event-stream")


def to_client(upstream: Headers, call_id: bytes, *, own_account: bool) -> Answer:
    """One pass over the upstream's headers. `own_account`: they describe the client's own account, not the company's."""
    headers: Headers = [(b"request-id", call_id), (b"x-gw-call-id", call_id)]
    request_id = content_type = encoding = b""
    for item in upstream:
        name, value = item
        if name in NOT_CLIENT:
            if name == b"request-id":
                request_id = value
            elif name == b"connection" and value.lower() not in PLAIN_CONNECTION:
                return to_client(_without_named(upstream), call_id, own_account=own_account)
            continue
        if name == b"content-type":
            content_type = value.strip().lower()
        elif name == b"content-encoding":
            encoding = value.strip().lower()
        elif name.startswith(b"x-gw-") or (
            not own_account and (name.startswith(b"anthropic-ratelimit-") or name in OF_THE_ACCOUNT)
        ):
            continue
        headers.append(item)
    if request_id:
        headers.append((b"x-gw-upstream-request-id", request_id))
    return Answer(headers, text_of(request_id), content_type, b"" if encoding == b"identity" else encoding)


def text_of(value: bytes, limit: int = VALUE_MAX) -> str:
    """A header value as bounded printable text."""
    return printable(value[:limit].decode("latin-1"), limit)


class Device:
    """Reads `metadata.user_id`: (digest of the device, session id), cached because a session repeats it."""

    CACHE_MAX = 4096
    TEXT_MAX = 1024  # a longer one is not kept: it would let clients fill the memory

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
            if len(user_id) <= self.TEXT_MAX:
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
