"""A virtual key: what a client of the gateway shows instead of a provider's credential.

Text: `gwk_<public id>_<secret><checksum>`, 55 ASCII characters, all but the marks in base62.
    public id   12 characters: names the key in lists, logs and rows; no secret
    secret      32 characters, 190 bits from the system's random source
    checksum     6 characters: CRC-32 of everything before it
The checksum tells a key that was mistyped or cut short from one that is unknown, without asking any store, and lets
secret scanners confirm a find. Only a keyed digest of the whole text is ever stored.
"""

import re
import secrets
from hashlib import blake2b
from typing import Literal, NamedTuple
from zlib import crc32

from msgspec import Struct

PREFIX = "gwk_"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PUBLIC_ID_CHARS = 12
SECRET_CHARS = 32
CHECKSUM_CHARS = 6  # 62**6 > 2**32
DIGEST_BYTES = 32

Fault = Literal["", "malformed", "bad_checksum"]

_SHAPE = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{PUBLIC_ID_CHARS}}})_[0-9A-Za-z]{{{SECRET_CHARS + CHECKSUM_CHARS}}}", re.ASCII)


class Minted(NamedTuple):
    """A new key: show `text` once, then forget it."""

    text: str
    public_id: str


class FormerSecret(NamedTuple):
    """A secret that a rotation has replaced: good until then (UTC microseconds)."""

    digest: str
    until_us: int


class KeyRow(Struct, frozen=True):
    """One virtual key as stored. Times are UTC microseconds, 0 = never; amounts are decimal text as in the configuration."""

    public_id: str
    digest: str  # hex of `digest`
    name: str
    team: str = ""
    models: tuple[str, ...] = ("*",)
    upstreams: tuple[str, ...] = ("*",)
    created_us: int = 0
    expires_us: int = 0
    revoked_us: int = 0
    active: bool = True
    max_cost_usd: str = ""
    max_tokens: int = 0
    session_limit_usd: str = ""
    owner: str = ""
    updated_us: int = 0
    version: int = 0  # of all that the database defines, when this was written
    store_content: Literal["", "yes", "no"] = ""
    former: tuple[FormerSecret, ...] = ()


class ParsedKey(NamedTuple):
    """What can be said of a text without a store. `malformed`: wrong length or characters; `public_id` is then empty."""

    public_id: str
    fault: Fault

    @property
    def valid(self) -> bool:
        return not self.fault


def mint(public_id: str = "") -> Minted:
    """A fresh key from the system's random source; for a key that is rotated, another secret under the same public id."""
    public_id = public_id or _random(PUBLIC_ID_CHARS)
    assert len(public_id) == PUBLIC_ID_CHARS, "not a public id"
    body = f"{PREFIX}{public_id}_{_random(SECRET_CHARS)}"
    return Minted(body + checksum(body), public_id)


def parse(text: str) -> ParsedKey:
    """Reads the public id and checks the checksum; never raises."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        return ParsedKey("", "malformed")
    fault: Fault = "" if checksum(text[:-CHECKSUM_CHARS]) == text[-CHECKSUM_CHARS:] else "bad_checksum"
    return ParsedKey(found.group(1), fault)


def digest(text: str, pepper: bytes) -> bytes:
    """The 32 bytes under which a key is stored and looked up. The pepper (16 to 64 bytes) is this gateway's own secret."""
    assert 16 <= len(pepper) <= 64, "the pepper must have 16 to 64 bytes"
    return blake2b(text.encode(), key=pepper, digest_size=DIGEST_BYTES).digest()


def checksum(body: str) -> str:
    """CRC-32 of an ASCII text in base62, most significant digit first, padded to six characters."""
    rest = crc32(body.encode("ascii"))
    digits = []
    for _ in range(CHECKSUM_CHARS):
        rest, digit = divmod(rest, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
