"""One configured upstream, prepared: where to send, what is spoken there, and with which credentials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import asdict, replace

from gw._fast import holds
from gw.config.secret import Secret
from gw.config.upstream_model import Credential as Configured
from gw.config.upstream_model import Upstream
from gw.credentials.account import Account, credential_of
from gw.credentials.credential import Credential
from gw.credentials.renewed import scrubbed
from gw.credentials.static import Key
from gw.domain.quirks import Quirks
from gw.providers.registry import provider_of
from gw.routing.globs import catcher, filled
from gw.upstream.target import Target

# How a key is sent, of those whose clients' own is known to gw as x-api-key (gw.wire.credentials).
KEY_HEADERS = {"x-goog-api-key": b"x-goog-api-key:", "api-key": b"api-key:", "azure": b"api-key:"}
SECRET_MIN = 8  # characters; a shorter value of a header is none, and may be a word


class Keyed:
    """One account at the upstream. `name` is "" where there is only one, not named."""

    __slots__ = ("credential", "line", "name", "requests_per_min", "tokens_per_min", "weight")

    def __init__(self, name: str, weight: int, credential: Credential, requests: int = 0, tokens: int = 0) -> None:
        self.name = name
        self.weight = weight
        self.credential = credential
        self.line = (credential.head() or b"") if isinstance(credential, Key) else b""  # what needs neither renewal nor signature
        self.requests_per_min = requests  # that the account allows; 0: not known
        self.tokens_per_min = tokens


class Deployment:
    """`credential`: the header line of its first account where that is a key, b"" else. `rules`: its provider's."""

    __slots__ = (
        "_lines", "_models", "_quirks", "accounts", "base_url", "credential", "extra", "max_retries", "models", "name", "named",
        "place", "plain", "provider", "region", "rules", "secret_name", "target",
    )  # fmt: skip

    def __init__(self, upstream: Upstream) -> None:
        self.name = upstream.name
        self.provider = upstream.provider
        self.region = upstream.region
        self.models = tuple(upstream.models)
        self.max_retries = upstream.max_retries
        self.base_url = upstream.address
        self.place = upstream.place
        self.rules = provider_of(self.place)
        try:
            self.target = Target.from_url(
                self.base_url,
                ca_file=upstream.ca_file or None,
                proxy=upstream.proxy.reveal() if upstream.proxy else None,
                connect_timeout_s=upstream.connect_timeout_s,
                first_byte_timeout_s=upstream.first_byte_timeout_s,
                idle_timeout_s=upstream.idle_timeout_s,
                total_timeout_s=upstream.total_timeout_s,
                pool_max=upstream.pool_max,
                connections_max=upstream.connections_max,
                keepalive_s=upstream.keepalive_s,
            )
        except (OSError, ValueError) as error:
            raise ValueError(f'upstream "{upstream.name}" cannot be used (base_url, proxy or ca_file): {error}') from error
        self.secret_name = upstream.api_key.reference
        self.accounts = tuple(_accounts(upstream))
        first = self.accounts[0].credential
        self.credential = (first.head() or b"") if first.usable else b""
        self.extra = b"".join(_header(name, value.reveal()) for name, value in upstream.headers.items() if value)
        self.named = tuple(upstream.model_map)
        self._models = tuple((catcher(name), meant) for name, meant in upstream.model_map.items())
        self._quirks: dict[str, Any] = dict(upstream.quirks)
        # By dialect: how a line begins where it is the first, and behind others; and the line.
        self._lines: dict[str, tuple[tuple[bytes, bytes, bytes], ...]] = {}
        # Nothing but Anthropic's own API under one key: its calls need no more than to be passed on.
        alone = len(self.accounts) == 1 and not upstream.model_map and not upstream.max_retries
        self.plain = self.provider == "anthropic" and alone

    def model_sent(self, model: str) -> str:
        """The upstream's name for what a client or a route calls so."""
        for pattern, meant in self._models:
            found = pattern.fullmatch(model)
            if found is not None:
                return filled(meant, found.groups())
        return model

    def quirks(self, dialect: str, model: str) -> Quirks:
        """Of the provider, and above them those of the configuration."""
        own = self.rules.quirks(self.place, dialect, model)
        return replace(own, **self._quirks) if self._quirks else own

    def own_login(self, lines: bytes) -> bytes:
        """A client's own credential, under the header that is looked at here; `lines` as gw.wire.headers has them."""
        name = KEY_HEADERS.get(self.rules.auth(self.place))
        return (b"\n" + lines).replace(b"\nx-api-key:", b"\n" + name)[1:] if name is not None else lines

    def hides(self, text: str) -> str:
        """What the upstream says, in one line and without what authorises gw there: some repeat the key that they refuse."""
        heads = [one.credential.head() for one in self.accounts if one.credential.usable]
        lines = b"".join((self.extra, *filter(None, heads))).decode("latin-1").split("\r\n")
        values = (line.partition(": ")[2].removeprefix("Bearer ") for line in lines)
        return scrubbed(text, *(value for value in values if len(value) >= SECRET_MIN))

    def lines(self, dialect: str, head: bytes) -> bytes:
        """The provider's static header lines that `head` does not have, and the configured ones."""
        there = b"\n" + head.lower()
        made = self.extra
        for _, behind, line in self._lines.get(dialect) or self._known(dialect):
            if behind not in there:
                made = line + made
        return made

    def lines_beside(self, dialect: str, head: bytes) -> bytes:
        """The same, where `head` is the client's own: its names came in lower case."""
        made = self.extra
        for begins, behind, line in self._lines.get(dialect) or self._known(dialect):
            if not head.startswith(begins) and not holds(head, behind):
                made = line + made
        return made

    def _known(self, dialect: str) -> tuple[tuple[bytes, bytes, bytes], ...]:
        lines = self.rules.headers(self.place, dialect)
        known = tuple((b"%b:" % name, b"\n%b:" % name, b"%b: %b\r\n" % (name, value)) for name, value in lines)
        self._lines[dialect] = known
        return known


def _accounts(upstream: Upstream) -> Iterator[Keyed]:
    place = upstream.place
    rules = provider_of(place)
    service, region = rules.signing(place, "")
    common = Account(rules.credential(place), rules.auth(place), service, region)
    if not upstream.credential:
        key = upstream.api_key
        reason = f'The upstream "{upstream.name}" has no credential ({key.reference or "api_key"} is not set).'
        yield Keyed("", 1, credential_of(replace(common, api_key=key.reveal() if key else "", reason=reason)))
    for one in upstream.credential:
        credential = credential_of(_account(upstream, one, common))
        yield Keyed(one.name, one.weight, credential, one.requests_per_min, one.tokens_per_min)


def _account(upstream: Upstream, one: Configured, common: Account) -> Account:
    """The fields of both have the same names."""
    said = {name: value.reveal() if isinstance(value, Secret) and value else value for name, value in asdict(one).items()}
    known = {name: str(value) for name, value in said.items() if name in Account.__struct_fields__ and value}
    key = one.api_key.reference or "api_key"
    reason = f'The credential "{one.name}" of the upstream "{upstream.name}" has no key ({key} is not set).'
    return replace(common, reason=reason, **known)


def _header(name: str, value: str) -> bytes:
    return b"%b: %b\r\n" % (name.lower().encode("latin-1"), value.encode("latin-1"))
