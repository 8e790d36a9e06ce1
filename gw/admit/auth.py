"""Who calls? The digest of the key decides; a dict lookup, no I/O.

Precedence, fixed: `x-gw-key`, then `x-api-key`, then `Authorization: Bearer`. The first of them that carries a virtual
key (`gwk_...`) identifies the caller. With passthrough, a virtual key in `x-gw-key` leaves the other two headers to the
client's own credential (a subscription's OAuth bearer, say), which then goes upstream. Otherwise, and always without
passthrough, a virtual key's calls go out under the upstream's configured credential; nothing but a valid virtual key does.
"""

from collections.abc import Mapping
from hashlib import blake2b

from gw.domain.account import Account
from gw.domain.key import digest, parse
from gw.errors import Refusal

KEY_MARK = b"gwk_"
CACHE_MAX = 4096
TEXT_MAX = 1024  # a longer credential is not kept: it would let clients fill the memory

Number = int  # compiled, a C integer: auth.pxd
Flag = bool


class Caller:
    __slots__ = ("account", "own_credential")

    def __init__(self, account: Account, own_credential: Flag) -> None:
        self.account = account
        self.own_credential = own_credential  # the client's own credential headers go upstream; else gw's replaces them


class EndedKey(Refusal):
    """A known key that may be used no more; `account` says whose it was, so that the record can."""

    def __init__(self, slug: str, message: str, account: Account) -> None:
        super().__init__(slug, message)
        self.account = account


class Authenticator:
    """Built per snapshot. `authenticate` raises Refusal (401) and nothing else."""

    def __init__(
        self, keys: Mapping[bytes, Account], pepper: bytes, *, passthrough: bool, stores_content: bool = False
    ) -> None:
        """`stores_content`: of calls without a virtual key."""
        self._keys = keys  # key digest -> account
        self._pepper = pepper
        self._passthrough = passthrough
        self._stores_content = stores_content
        self._by_text: dict[bytes, Account] = {}  # texts already digested, so that the hot path is one dict lookup
        self._by_credential: dict[bytes, Account] = {}

    def authenticate(self, gw_key: bytes, api_key: bytes, authorization: bytes, now_us: Number) -> Caller:
        """The three header values as sent (empty if absent)."""
        if not gw_key and api_key.startswith(KEY_MARK):  # the usual case first
            return Caller(self._virtual(api_key, now_us), False)
        bearer = authorization[7:].strip() if authorization[:7].lower() == b"bearer " else b""
        own = True
        if gw_key:
            account = self._virtual(gw_key, now_us)
            theirs = (api_key and not api_key.startswith(KEY_MARK)) or (authorization and not bearer.startswith(KEY_MARK))
            own = self._passthrough and bool(theirs)
        elif bearer.startswith(KEY_MARK):
            account, own = self._virtual(bearer, now_us), False
        elif not self._passthrough:
            raise Refusal(
                "virtual_key_required" if api_key or bearer else "missing_credential",
                "This gateway needs a virtual key (gwk_...). Set ANTHROPIC_AUTH_TOKEN to the one you were given.",
            )
        elif api_key or authorization:
            account = self._credential(api_key or authorization)
        else:
            raise Refusal(
                "missing_credential",
                "No credential was sent. Set ANTHROPIC_AUTH_TOKEN to a virtual key (gwk_...), or log in with your own.",
            )
        return Caller(account, own)

    def _virtual(self, text: bytes, now_us: Number) -> Account:
        account = self._by_text.get(text)
        if account is None:
            account = self._lookup(text)
        if not account.active:
            message = f'The virtual key "{account.key_name}" was revoked. Ask your gateway administrator for a new one.'
            if account.problem:
                told = f"out of force; tell your gateway administrator: {account.problem}"
                message = f'The virtual key "{account.key_name}" is {told}'
            raise EndedKey("revoked_key", message, account)
        if account.expires_us and account.expires_us <= now_us:
            message = f'The virtual key "{account.key_name}" has expired. Ask your gateway administrator for a new one.'
            raise EndedKey("expired_key", message, account)
        return account

    def holder(self, key_digest: bytes, now_us: int) -> Account:
        """Of the virtual key with this digest, which was shown before. Raises Refusal if it may be used no more."""
        account = self._keys.get(key_digest)
        if account is None or not account.active or (account.expires_us and account.expires_us <= now_us):
            raise Refusal("revoked_key", "The virtual key that was signed in with may be used no more. Sign in again.")
        return account

    def _lookup(self, text: bytes) -> Account:
        key = text.decode("latin-1")
        parsed = parse(key)
        if not parsed.valid:
            raise Refusal("malformed_key", "The virtual key is damaged (its checksum does not fit). Copy it again, whole.")
        account = self._keys.get(digest(key, self._pepper))
        if account is None:
            raise Refusal(
                "unknown_key", f"No virtual key {parsed.public_id} is known here. Check that it belongs to this gateway."
            )
        if len(self._by_text) >= CACHE_MAX:
            self._by_text.clear()
        self._by_text[text] = account
        return account

    def _credential(self, text: bytes) -> Account:
        account = self._by_credential.get(text)
        if account is None:
            credential = blake2b(text, key=self._pepper, digest_size=8).hexdigest()
            account = Account(credential=credential, stores_content=self._stores_content)
            if len(text) <= TEXT_MAX:
                if len(self._by_credential) >= CACHE_MAX:
                    self._by_credential.clear()
                self._by_credential[text] = account
        return account
