"""The shape of `[content]`: whose conversations are kept, for how long, and what is taken out of them first."""

import binascii
import re
from base64 import b64decode
from typing import Annotated, Literal

from gw.config.schema import Table, about
from gw.config.secret import Secret

KEY_BYTES = 32
ENCRYPTION_KEY = "32 random bytes in base64 or 64 hexadecimal digits; `gw content new-key` prints one"


class Redact(Table, frozen=True):
    """What is taken out of every text before it is kept. A text is one string of the request or the answer, as its reader sees
    it, without JSON's escapes."""

    name: Annotated[str, about("Named in its place.", kind="name", example="ticket numbers")]
    pattern: Annotated[str, about("A regular expression of Python's.", example="ACME-[0-9]{4,}")]
    replacement: Annotated[str, about("What stands there instead. Empty: [redacted NAME].")] = ""


class Content(Table, frozen=True):
    """Whether conversations are kept, and how (needs the extra gw[content]). Off unless it is said here; docs/content.md."""

    store: Annotated[
        Literal["none", "chosen", "all"],
        about(
            'Whose calls are kept with their content. chosen: of keys and teams that say store_content = "yes". '
            'all: of everybody, but for those that say "no".'
        ),
    ] = "none"
    retention_days: Annotated[
        int, about("Content of calls that began earlier goes. 0 keeps all.", unit="days", low=0, high=36_500)
    ] = 30
    max_bytes_per_call: Annotated[
        int,
        about("A longer request or answer is not kept; that it was too long is.", unit="bytes", low=1024, high=1 << 30),
    ] = 33_554_432
    spool_mb: Annotated[
        int,
        about(
            "Room in the state directory for content on its way to the database. When it is full, content is dropped and the "
            "call says so; no call ever waits.",
            unit="MB",
            low=1,
            high=1_000_000,
        ),
    ] = 512
    redact_api_keys: Annotated[bool, about("Take out keys and tokens of well-known kinds.")] = True
    redact_private_keys: Annotated[bool, about("Take out private keys in PEM.")] = True
    redact_emails: Annotated[bool, about("Take out e-mail addresses.")] = False
    encryption_key: Annotated[
        Secret,
        about(f"Encrypts what is kept, with AES-256-GCM: {ENCRYPTION_KEY}. Turns search off.", kind="secret"),
    ] = Secret("")
    former_encryption_key: Annotated[
        Secret,
        about("The key before that one, while what it has encrypted is encrypted anew.", kind="secret"),
    ] = Secret("")
    search: Annotated[bool, about("Index the words of users and of the model. Never with an encryption_key.")] = True
    search_tool_results: Annotated[bool, about("Index what tools answered, too.")] = False
    redact: tuple[Redact, ...] = ()

    @property
    def searches(self) -> bool:
        """An index of words would say in the clear what was encrypted."""
        return self.search and not self.encryption_key.reference


def encryption_key_of(text: str) -> bytes:
    """The KEY_BYTES that a configuration names. Raises ValueError, which says nothing of them."""
    try:
        key = bytes.fromhex(text) if re.fullmatch(r"[0-9A-Fa-f]{64}", text) else b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"must be {ENCRYPTION_KEY}")
    return key
