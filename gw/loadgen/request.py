"""What is sent: a request as the bytes that go over the wire, made once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# As Claude Code sends them; compressed answers would measure the compression.
CLIENT_HEADERS: Mapping[str, str] = {
    "accept": "application/json",
    "content-type": "application/json",
    "user-agent": "claude-cli/2.1.329 (external, sdk-cli)",
    "anthropic-version": "2023-06-01",
    "x-app": "cli",
    "accept-encoding": "identity",
}
MESSAGES = "/v1/messages"


@dataclass(frozen=True)
class Target:
    """Where a gateway listens; `path` is in front of every request's own."""

    host: str
    port: int
    path: str = ""
    tls: bool = False

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Raises ValueError for what is not an http or https address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not an address such as http://127.0.0.1:8080/anthropic")
    tls = parts.scheme == "https"
    return Target(parts.hostname, parts.port or (443 if tls else 80), parts.path.rstrip("/"), tls)


@dataclass(frozen=True)
class Kind:
    """One kind of request: what is counted together. Its `variants` are sent in turn; `streams`: the answer is events."""

    name: str
    variants: Sequence[bytes] = field(repr=False)
    streams: bool = False


def encode(target: Target, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A whole POST. Raises ValueError for a header that cannot be one."""
    lines = [f"POST {target.path}{path} HTTP/1.1", f"host: {target.authority}"]
    for name, value in {**headers, "content-length": str(len(body))}.items():
        if any(mark in name + value for mark in "\r\n\0"):
            raise ValueError(f"the header {name!r} holds a line break")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
