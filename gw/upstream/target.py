"""Where requests go: one `Target` per configured upstream, built once per snapshot, with all that can be computed ahead.

Two targets with the same `key` share pooled connections, so a new snapshot keeps them warm; everything that decides
whom a connection talks to, and how that is verified, is part of the key.
"""

import hashlib
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Self
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

PORTS = {"http": 80, "https": 443}
TICK_MAX_S = 5.0


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, itself reached over TLS if the scheme is https. `authorization`: header value, or empty."""

    scheme: str
    host: str
    port: int
    authorization: bytes = field(repr=False)
    ssl: SSLContext | None = field(repr=False)

    @property
    def authorization_line(self) -> bytes:
        return b"Proxy-Authorization: %b\r\n" % self.authorization if self.authorization else b""


@dataclass(frozen=True, slots=True)
class Target:
    """One upstream origin, with its limits. Times in seconds; `pool_max` counts idle connections, `connections_max` all.

    `prefix` and `tail` are the fixed parts of every request before and after the path: the base path (in absolute form
    for a plain-text target behind a proxy), and the HTTP version with the Host header.
    """

    scheme: str
    host: str
    port: int
    base_path: str
    host_header: bytes
    ssl: SSLContext | None = field(repr=False)
    proxy: Proxy | None
    connect_timeout_s: float
    first_byte_timeout_s: float
    idle_timeout_s: float
    total_timeout_s: float
    pool_max: int
    connections_max: int
    keepalive_s: float
    key: str = field(repr=False)
    prefix: bytes = field(repr=False)
    tail: bytes = field(repr=False)
    tick_s: float = field(repr=False)  # how often a connection looks at its deadlines; never longer than any of them

    @property
    def tunnelled(self) -> bool:
        """Reached by CONNECT through the proxy."""
        return self.proxy is not None and self.ssl is not None

    @classmethod
    def from_url(
        cls,
        base_url: str,
        *,
        connect_timeout_s: float = 10.0,
        first_byte_timeout_s: float = 300.0,
        idle_timeout_s: float = 300.0,
        total_timeout_s: float = 3600.0,
        pool_max: int = 64,
        connections_max: int = 1000,
        keepalive_s: float = 30.0,
        ca_file: str | Path | None = None,
        proxy: str | None = None,
        verify: bool = True,
    ) -> Self:
        """`https://host[:port][/base/path]`. `ca_file` (PEM) replaces the system's trust; for the proxy it adds to it.

        Raises ValueError for a URL or number that cannot be used, OSError or ssl.SSLError for an unusable `ca_file`.
        """
        split, host, port = _parse(base_url, "base_url")
        if split.username is not None or split.password is not None or split.query or split.fragment:
            raise ValueError("base_url may have a scheme, a host, a port and a path, nothing else")
        times = (connect_timeout_s, first_byte_timeout_s, idle_timeout_s, total_timeout_s, keepalive_s)
        if min(times) <= 0 or pool_max < 0 or connections_max < 1:
            raise ValueError("timeouts and connections_max must be above 0, pool_max not below 0")
        base_path = split.path.rstrip("/")
        if not base_path.isascii() or any(char <= " " or char == "\x7f" for char in base_path):
            raise ValueError("the path of base_url must be percent-encoded")
        tls = tls_context(ca_file, verify=verify) if split.scheme == "https" else None
        via = _parse_proxy(proxy, ca_file, verify=verify) if proxy else None
        name = f"[{host}]" if ":" in host else host
        host_header = (name if port == PORTS[split.scheme] else f"{name}:{port}").encode("ascii")
        prefix, tail = base_path.encode("ascii"), b" HTTP/1.1\r\nHost: %b\r\n" % host_header
        if via is not None and tls is None:
            prefix = b"http://%b%b" % (host_header, prefix)
            tail += via.authorization_line
        trust = hashlib.sha256(Path(ca_file).read_bytes()).hexdigest() if ca_file else "system"
        return cls(
            scheme=split.scheme,
            host=host,
            port=port,
            base_path=base_path,
            host_header=host_header,
            ssl=tls,
            proxy=via,
            connect_timeout_s=connect_timeout_s,
            first_byte_timeout_s=first_byte_timeout_s,
            idle_timeout_s=idle_timeout_s,
            total_timeout_s=total_timeout_s,
            pool_max=pool_max,
            connections_max=connections_max,
            keepalive_s=keepalive_s,
            key="|".join((split.scheme, name, str(port), proxy or "", trust, str(verify))),
            prefix=prefix,
            tail=tail,
            tick_s=min(TICK_MAX_S, *times),
        )


def tls_context(ca_file: str | Path | None = None, *, verify: bool = True, system: bool = False) -> SSLContext:
    """A client's context: TLS 1.2 or later, HTTP/1.1 only. Trusts the system, or `ca_file` instead (`system`: or both)."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # not all builds of Python say so by themselves
    if ca_file and system:
        context.load_default_certs()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _parse_proxy(url: str, ca_file: str | Path | None, *, verify: bool) -> Proxy:
    split, host, port = _parse(url, "proxy")
    if split.path not in ("", "/") or split.query or split.fragment:
        raise ValueError("proxy may have a scheme, credentials, a host and a port, nothing else")
    authorization = b""
    if split.username is not None:
        pair = b"%b:%b" % (unquote_to_bytes(split.username), unquote_to_bytes(split.password or ""))
        authorization = b"Basic " + b64encode(pair)
    tls = tls_context(ca_file, verify=verify, system=True) if split.scheme == "https" else None
    return Proxy(split.scheme, host, port, authorization, tls)


def _parse(url: str, what: str) -> tuple[SplitResult, str, int]:
    """The message never repeats the URL: a proxy's holds a password."""
    try:
        split = urlsplit(url)
        host, port = split.hostname, split.port
    except ValueError as error:
        raise ValueError(f"{what} is not a URL") from error
    if any(char <= " " or char == "\x7f" for char in url):  # urlsplit drops line ends without a word
        raise ValueError(f"{what} holds a space or a control character")
    if split.scheme not in PORTS or not host or port == 0:
        raise ValueError(f"{what} must be http://host[:port] or https://host[:port]")
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{what} has no valid host name") from error
    if any(char <= " " or char in "/?#@\\\x7f" for char in host):
        raise ValueError(f"{what} has no valid host name")
    return split, host, port or PORTS[split.scheme]
