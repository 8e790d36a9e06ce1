"""Header policy between client and upstream, both ways, and attribution read from the client's headers.

To the upstream goes everything the client sent except: hop-by-hop headers (RFC 9110 7.6.1), Host and Content-Length
(the upstream client writes them), the credential when gw's own replaces it, `x-gw-*` (gw's own), and Accept-Encoding,
which becomes `identity` so that usage can be read as it passes. To the client goes everything but hop-by-hop headers,
with gw's `request-id` in place of the upstream's (kept as `x-gw-upstream-request-id`). Behind a virtual key the
upstream's organisation and its rate-limit headers stay here too: they describe the company's account, not the caller's.
Headers that a Connection header names are hop-by-hop as well. A virtual key never goes upstream, in whichever header it
came. The passes over the headers, and the names, are in gw._fast.heads.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b

import orjson

from gw._fast import Answer, Headers, Sent, read_request, text_of, to_client

__all__ = ["TAGS_MAX", "TIMING", "VALUE_MAX", "Answer", "Device", "Headers", "Sent", "read_request", "text_of", "to_client"]

TIMING = b"x-gw-timing"  # asked for by a request, said in its answer
VALUE_MAX = 128  # what text_of keeps of a value
TAGS_MAX = 512
CACHE_MAX = 4096  # of what Device keeps
TEXT_MAX = 1024  # a longer one is not kept: it would let clients fill the memory

_OLD_USER_ID = re.compile(r"user_([0-9a-f]{16,128})_account_[^_]*_session_([0-9a-fA-F-]{36})")


class Device:
    """Reads `metadata.user_id`: (digest of the device, session id), cached because a session repeats it."""

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
            if len(user_id) <= TEXT_MAX:
                if len(self._cache) >= CACHE_MAX:
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


def attempts_line(attempts: Sequence[tuple[str, int, str, int]]) -> tuple[bytes, bytes]:
    """What an answer says of the attempts before the last: `primary 529 upstream_overloaded_error 312ms, ...`."""
    words = (f"{name} {status} {slug} {ms}ms" for name, status, slug, ms in attempts)
    return b"x-gw-attempts", ", ".join(words).encode("ascii", "replace")
