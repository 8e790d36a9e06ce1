"""What a provider is to gw: which dialect it speaks, where a request goes, how it is authorised, what is billed.

One small pure file each; gw.providers.registry has the table. `Common` holds what is the same with nearly all of them, so a
file says only what is its own.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, Protocol
from urllib.parse import quote, unquote_to_bytes

from gw.domain.quirks import Quirks
from gw.providers.passages import Passage, passage_of
from gw.providers.place import Place

Operation = Literal["messages", "count_tokens", "models", "embeddings", "completions", "responses", "other"]
# What kind of credential is meant: gw.credentials has one file for each.
CredentialKind = Literal["key", "aws", "google", "azure", "none"]
Lines = tuple[tuple[bytes, bytes], ...]
SAFE = "-._~"  # of a model's id in a path; all else is percent-encoded, "/" and ":" of ARNs too
FREE = frozenset({"count_tokens", "models"})
CREDENTIALS = (b"key", b"access_token", b"oauth_token", b"api-key")  # fields of a query that carry a client's own


class Provider(Protocol):
    """`dialect` as gw.translate.dialects names them, or "embeddings", "completions", and those of embeddings in
    gw.translate.embeddings.UPSTREAMS. `model` is always the id as it is sent upstream. An operation "other" has no line of its
    own: `passed`."""

    name: str
    key_env: str  # the variable that its own tools read an API key from; "" none
    apis: tuple[str, ...]  # which words of `api` besides "auto" mean something to it

    def dialect(self, place: Place, model: str, operation: Operation, client: str = "") -> str:
        """What the upstream speaks for this; "" = it does not serve it. `client`: the dialect of who asks; where the upstream
        speaks several, and the configuration leaves it open, that one is taken, so that bytes pass through."""
        ...

    def request_line(  # noqa: PLR0917 - by position: every call asks
        self, place: Place, dialect: str, operation: Operation, model: str, stream: bool, query: bytes = b""
    ) -> tuple[bytes, bytes]:
        """(method, path below the base URL with its query). `query`: the client's, kept only where it means the same there.
        Raises ValueError for a model whose id cannot be part of a path."""
        ...

    def default_base_url(self, place: Place) -> str:
        """"" where there is none: the configuration must say it."""
        ...

    def lacking(self, place: Place) -> Iterator[tuple[str, str]]:
        """(key of [[upstream]], what to do) for each thing that the configuration must still say, or says wrongly."""
        ...

    def credential(self, place: Place) -> CredentialKind:
        """What authorises a request where no API key is configured. "key": nothing else does."""
        ...

    def auth(self, place: Place) -> str:
        """How an API key is sent, in words of gw.credentials.static."""
        ...

    def signing(self, place: Place, dialect: str) -> tuple[str, str]:
        """(service, region) of AWS signatures."""
        ...

    def headers(self, place: Place, dialect: str) -> Lines:
        """Static header lines, in lower case, for requests that do not have them yet."""
        ...

    def passages(self, place: Place) -> tuple[Passage, ...]: ...

    def passed(self, place: Place, method: bytes, path: bytes, query: bytes = b"") -> tuple[Passage, bytes] | None:
        """For a client's request that goes through as it is: its passage, and the path below the base URL with its query. None:
        it does not go through. `path`: behind the client's door."""
        ...

    def quirks(self, place: Place, dialect: str, model: str) -> Quirks: ...

    def is_billed(self, status: int, operation: Operation) -> bool: ...

    def usage(self, dialect: str) -> tuple[str, str]:
        """(provider, api) for gw.providers.usage_dialects.usage_from."""
        ...


class Common:
    """What most providers have in common. Not a provider by itself."""

    name = ""
    key_env = ""
    apis: tuple[str, ...] = ()

    def default_base_url(self, place: Place) -> str:
        return ""

    def lacking(self, place: Place) -> Iterator[tuple[str, str]]:
        if not place.base_url and not self.default_base_url(place):
            yield "base_url", "is required: this provider has no address of its own"

    def credential(self, place: Place) -> CredentialKind:
        return "key"

    def auth(self, place: Place) -> str:
        return place.auth or "bearer"

    def signing(self, place: Place, dialect: str) -> tuple[str, str]:
        return "", place.region

    def headers(self, place: Place, dialect: str) -> Lines:
        return ()

    def passages(self, place: Place) -> tuple[Passage, ...]:
        return ()

    def passed(self, place: Place, method: bytes, path: bytes, query: bytes = b"") -> tuple[Passage, bytes] | None:
        found = passage_of(self.passages(place), method, path)
        if found is None:
            return None
        address = below(place, found.upstream_path(path).decode("latin-1")).encode("latin-1")
        query = without(query, *CREDENTIALS)
        return found, address + b"?" + query if query else address

    def quirks(self, place: Place, dialect: str, model: str) -> Quirks:
        return Quirks()

    def is_billed(self, status: int, operation: Operation) -> bool:
        """Counting and listing are free everywhere, and so is what failed."""
        return operation not in FREE and 200 <= status < 300

    def usage(self, dialect: str) -> tuple[str, str]:
        return self.name, dialect


def segment(model: str) -> str:
    """A model's id as one segment of a path. Raises ValueError for one that would be no segment, or lead elsewhere."""
    if model in {"", ".", ".."}:
        raise ValueError(f"the model's name {model!r} cannot be part of a path")
    return quote(model, safe=SAFE)


def below(place: Place, path: str) -> str:
    """`path` as it stands below the base URL, which may end in the path's own first segments: `https://h/v1` or `https://h`."""
    return _below(place.base_url, path)


@lru_cache(maxsize=4096)
def _below(base_url: str, path: str) -> str:
    _, _, base = base_url.partition("://")
    base = "/" + base.partition("/")[2].rstrip("/")
    end = path.find("/", 1)
    while end > 0:
        if base.endswith(path[:end]):
            return path[end:]
        end = path.find("/", end + 1)
    return path


def line(method: str, path: str, query: bytes = b"") -> tuple[bytes, bytes]:
    address = path.encode("ascii")
    return method.encode(), address + (b"&" if b"?" in address else b"?") + query if query else address


def without(query: bytes, *names: bytes) -> bytes:
    """A query string without these fields, however they are written."""
    return b"&".join(one for one in query.split(b"&") if one and unquote_to_bytes(one.partition(b"=")[0]).lower() not in names)
