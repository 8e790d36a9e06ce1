"""Who asks: the admin, or whoever a virtual key was given to; by a header, or by a browser's session.

A session is a cookie that says who signed in and until when, sealed with a key made of the admin token and the pepper: every
worker can read it, none has to remember it, and a new admin token ends them all. A virtual key's session ends with the key: its
digest is looked up anew at each request. The cookie is HttpOnly and SameSite=Strict; what changes anything must besides carry
`x-gw-csrf`, which only a page of this origin can have read.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import blake2b
from http.cookies import CookieError, SimpleCookie

import msgspec
from msgspec import Struct

from gw.domain.account import Account

COOKIE = "gw_session"
CSRF_HEADER = "x-gw-csrf"
LIFE_US = 12 * 3600 * 1_000_000
SEAL_BYTES = 32
COOKIE_CHARS_MAX = 1024


class Principal(Struct, frozen=True):
    """`account` None: the admin, who may see and change everything; else only what is this virtual key's own may be seen."""

    actor: str  # as the audit names it
    account: Account | None = None

    @property
    def admin(self) -> bool:
        return self.account is None


class Session(Struct, frozen=True):
    issued_us: int
    expires_us: int
    nonce: str
    key_digest: bytes = b""  # keyed digest of the virtual key; b"" for the admin


def begun(now_us: int, key_digest: bytes = b"") -> Session:
    return Session(now_us, now_us + LIFE_US, secrets.token_urlsafe(12), key_digest)


class Seal:
    """Makes cookies of sessions and sessions of cookies."""

    def __init__(self, admin_token: str, pepper: bytes) -> None:
        self._key = blake2b(admin_token.encode(), key=pepper[:64], person=b"gw session").digest()

    def close(self, session: Session) -> str:
        payload = msgspec.msgpack.encode(session)
        return _text(payload + self._mark(payload, b"cookie"))

    def open(self, cookie: str, now_us: int) -> Session | None:
        """None for one that is not ours, or over."""
        if len(cookie) > COOKIE_CHARS_MAX:
            return None
        try:
            sealed = urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
            payload, mark = sealed[:-SEAL_BYTES], sealed[-SEAL_BYTES:]
            if not hmac.compare_digest(mark, self._mark(payload, b"cookie")):
                return None
            session = msgspec.msgpack.decode(payload, type=Session)
        except ValueError:  # not base64, or of another version
            return None
        return session if session.issued_us <= now_us < session.expires_us else None

    def csrf(self, session: Session) -> str:
        return _text(self._mark(session.nonce.encode(), b"csrf"))

    def may_change(self, session: Session, headers: Mapping[str, str]) -> bool:
        """It is a page of ours that asks, not another site with the browser's cookie."""
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        return hmac.compare_digest(headers.get(CSRF_HEADER, "").encode("utf-8", "replace"), self.csrf(session).encode())

    def _mark(self, payload: bytes, purpose: bytes) -> bytes:
        return blake2b(payload, key=self._key, person=purpose, digest_size=SEAL_BYTES).digest()


def cookie_of(headers: Mapping[str, str]) -> str:
    """The session's, "" without one."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def set_cookie(value: str, *, secure: bool, seconds: int = LIFE_US // 1_000_000) -> str:
    """Of the header Set-Cookie; "" and 0 take it away."""
    return f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"


def _text(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode().rstrip("=")
