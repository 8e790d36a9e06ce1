"""Signatures of AWS, version 4, in a header. Pure: keys, time and request in, header lines out.

Signed are the host, the body's digest, content-type, and every x-amz header that is there. The path is percent-encoded once
more, as every service but S3 wants it; so what was encoded once (an ARN in a path) is encoded twice in the signature.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html (2026-11)
"""

import hmac
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


class Keys(NamedTuple):
    """A key pair, `token` with temporary ones."""

    access_key_id: str
    secret_access_key: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Keys({self.access_key_id[:4]}...)"


def signature_lines(
    keys: Keys, service: str, region: str, at_us: int, *, method: bytes, url: str, head: bytes, body: bytes
) -> bytes:
    """The lines to add: x-amz-date, authorization, and x-amz-security-token if there is one. `at_us`: UTC, since 1970."""
    stamp = f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y%m%dT%H%M%SZ}"
    day = stamp[:8]
    parts = urlsplit(url)
    signed = {"host": parts.netloc.rpartition("@")[2], "x-amz-date": stamp}
    if keys.token:
        signed["x-amz-security-token"] = keys.token
    for line in head.split(b"\r\n"):
        start, _, value = line.partition(b":")
        lower = start.strip().lower()
        if lower == b"content-type" or lower.startswith(b"x-amz"):
            signed.setdefault(lower.decode("latin-1"), " ".join(value.decode("latin-1").split()))
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    path = quote(parts.path or "/", safe="/~")
    canonical = f"{method.decode()}\n{path}\n{_query(parts.query)}\n{lines}\n{names}\n{sha256(body).hexdigest()}"
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"{ALGORITHM}\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    seal = hmac.new(_signing_key(keys.secret_access_key, day, region, service), text.encode(), sha256).hexdigest()
    token = f"x-amz-security-token: {keys.token}\r\n" if keys.token else ""
    seal_line = f"authorization: {ALGORITHM} Credential={keys.access_key_id}/{scope}, SignedHeaders={names}, Signature={seal}\r\n"
    return f"x-amz-date: {stamp}\r\n{token}{seal_line}".encode("latin-1")


def _query(query: str) -> str:
    pairs = (part.partition("=") for part in query.split("&") if part)
    return "&".join(f"{name}={value}" for name, value in sorted((name, value) for name, _, value in pairs))


@lru_cache(maxsize=64)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """Four digests that change once a day."""
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key
