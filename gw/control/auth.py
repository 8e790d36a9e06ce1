"""Who may use the control API: whoever shows the admin token; and what is for them, those who show a virtual key.

The token is compared as keyed digests of equal length, in constant time. After some wrong ones an address is not listened
to for a while, which grows with each further one; what is remembered of addresses is bounded, and forgotten oldest first.
Each worker counts by itself. Nothing here ever holds, logs or answers a token.
"""

import hmac
import logging
import os
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from gw import clock
from gw.control.host import Host
from gw.control.problem import Problem
from gw.control.session import Principal, Seal, Session, cookie_of
from gw.domain.account import Account
from gw.domain.text import printable
from gw.errors import Refusal
from gw.ops.admin_token import VIRTUAL_KEY_PREFIX, AdminToken, load_admin_token

log = logging.getLogger("gw.control")

FREE_TRIES = 5
FIRST_LOCK_NS = 1_000_000_000
LOCK_DOUBLINGS_MAX = 8  # 256 s
FORGET_NS = 900_000_000_000
ADDRESSES_MAX = 1024
ACTOR_CHARS_MAX = 80
KEY_HEADERS = ("x-gw-key", "x-api-key")
IPV6_NETWORK_BITS = 64  # one customer of a provider has that many addresses at least


class Guard:
    """One per worker. The token is looked for at the first request that shows one; a new one is for a new start."""

    def __init__(self, state_dir: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._state_dir = state_dir
        self._environ = environ
        self._salt = os.urandom(32)
        self._digest = b""
        self._seal: tuple[bytes, Seal] | None = None
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()  # network -> wrong tokens, when the last one came

    def admit(
        self, headers: Mapping[str, str], address: str, now_ns: int, host: Host, *, keys: bool = False, changes: bool = False
    ) -> Principal:
        """Who asks. `keys`: whoever shows a virtual key may, too. `changes`: it is no mere look, so a browser's session alone
        does not do. Raises Problem."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip()
        shown = (token, *(headers.get(name, "").strip() for name in KEY_HEADERS))
        key = next((text for text in shown if text.startswith(VIRTUAL_KEY_PREFIX)), "")
        if key:
            self._must_not_be_locked(_network(address), now_ns)
            if not keys:
                raise Problem("virtual_key_refused")
            return Principal("", self.key_holder(key, address, now_ns, host))
        if not token and (session := self.session(headers, host)) is not None:
            if changes and not self.seal(host).may_change(session, headers):
                raise Problem("csrf_missing")
            return self._of_session(session, headers, address, host, keys=keys)
        if scheme.lower() != "bearer" or not token:
            self._must_not_be_locked(_network(address), now_ns)
            raise Problem("admin_token_missing", headers={"www-authenticate": 'Bearer realm="gw"'})
        self.check_token(token, address, now_ns)
        return Principal(actor(headers.get("x-gw-actor", ""), address))

    def check_token(self, token: str, address: str, now_ns: int) -> None:
        """It is the admin token. Raises Problem."""
        network = _network(address)
        self._must_not_be_locked(network, now_ns)
        if not hmac.compare_digest(self._digested(token), self._expected()):
            self._count(network, now_ns)
            raise Problem("admin_token_wrong", headers={"www-authenticate": 'Bearer realm="gw", error="invalid_token"'})
        self._failures.pop(network, None)

    def key_holder(self, key: str, address: str, now_ns: int, host: Host) -> Account:
        """Whose virtual key it is. Raises Problem; wrong ones count as wrong tokens do."""
        network = _network(address)
        self._must_not_be_locked(network, now_ns)
        try:
            return host.snapshot.authenticator.authenticate(key.encode("utf-8", "replace"), b"", b"", clock.wall_us()).account
        except Refusal as refusal:
            self._count(network, now_ns)
            raise Problem("virtual_key_wrong", refusal.message) from refusal

    def session(self, headers: Mapping[str, str], host: Host) -> Session | None:
        """The browser's, if it has one that is good."""
        cookie = cookie_of(headers)
        return self.seal(host).open(cookie, clock.wall_us()) if cookie else None

    def seal(self, host: Host) -> Seal:
        """Raises Problem if there is no usable admin token."""
        pepper = host.snapshot.pepper
        if self._seal is None or self._seal[0] != pepper:
            self._seal = pepper, Seal(self._token().text, pepper)
        return self._seal[1]

    def _of_session(self, session: Session, headers: Mapping[str, str], address: str, host: Host, *, keys: bool) -> Principal:
        if not session.key_digest:
            return Principal(actor(headers.get("x-gw-actor", ""), address))
        if not keys:
            raise Problem("virtual_key_refused")
        try:
            return Principal("", host.snapshot.authenticator.holder(session.key_digest, clock.wall_us()))
        except Refusal as refusal:
            raise Problem("signed_out", refusal.message) from refusal

    def _expected(self) -> bytes:
        if not self._digest:
            self._digest = self._digested(self._token().text)
        return self._digest

    def _token(self) -> AdminToken:
        try:
            return load_admin_token(self._state_dir, self._environ)
        except (OSError, ValueError) as error:
            log.error("nobody can use the control API: %s", error)
            raise Problem("admin_token_unusable") from error

    def _digested(self, token: str) -> bytes:
        return blake2b(token.encode("utf-8", "surrogateescape"), key=self._salt, digest_size=32).digest()

    def _must_not_be_locked(self, network: str, now_ns: int) -> None:
        count, last_ns = self._failures.get(network, (0, 0))
        if count < FREE_TRIES:
            return
        left_ns = last_ns + lock_ns(count) - now_ns
        if left_ns > 0:
            raise Problem("locked_out", headers={"retry-after": str(-(-left_ns // 1_000_000_000))})

    def _count(self, network: str, now_ns: int) -> None:
        count, last_ns = self._failures.pop(network, (0, now_ns))
        count = 1 if now_ns - last_ns > FORGET_NS else count + 1
        self._failures[network] = (count, now_ns)
        if len(self._failures) > ADDRESSES_MAX:
            self._failures.popitem(last=False)
        if count >= FREE_TRIES:
            log.warning("%d wrong admin tokens from %s; not listening to it for %d s", count, network, lock_ns(count) // 10**9)


def lock_ns(count: int) -> int:
    """How long an address is not listened to after so many wrong tokens."""
    return FIRST_LOCK_NS << min(count - FREE_TRIES, LOCK_DOUBLINGS_MAX)


def actor(named: str, address: str) -> str:
    """`admin token (alice)`: whom the caller says it acts for, else where it calls from."""
    return f"admin token ({printable(named.strip(), ACTOR_CHARS_MAX) or address or 'unknown address'})"


def _network(address: str) -> str:
    """What wrong tokens are counted by: an IPv4 address, or the network of an IPv6 one."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS)}/{IPV6_NETWORK_BITS}"
