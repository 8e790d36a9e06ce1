"""Who signs anchors: Ed25519 where the extra with `cryptography` is there, else HMAC-SHA-256 keyed by the pepper.

An Ed25519 signature can be checked by anybody who has the public key. An HMAC only by who has the pepper, and who has it could
have made it as well; it still tells of whoever reached the database alone.
"""

import hmac
import logging
import os
import secrets
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from hashlib import blake2b, sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from gw.audit.anchor import Anchor

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE = "audit.key"
PUBLIC_FILE = "audit.pub"
SEED_BYTES = 32
EXTRA = "Ed25519 signatures need the extra gw[content] (package cryptography)"

log = logging.getLogger("gw.audit")


class SignError(Exception):
    """The key cannot be used; the message says why, without it."""


class Signer(Protocol):
    """`key_id` names the key without telling it."""

    @property
    def algorithm(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    def sign(self, payload: bytes) -> bytes: ...


class Verifier(Protocol):
    @property
    def algorithm(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    def verify(self, payload: bytes, signature: bytes) -> bool: ...


class HmacKey:
    """Signs and verifies. `pepper`: 32 bytes; the key is derived, so that it is good for nothing else."""

    algorithm = "hmac-sha256"

    def __init__(self, pepper: bytes) -> None:
        self._key = blake2b(b"anchors of the audit", key=pepper, digest_size=32, person=b"gw-audit").digest()
        self.key_id = key_id_of(blake2b(self._key, digest_size=32).digest())

    def sign(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")

    def verify(self, payload: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self.sign(payload), signature)


class Ed25519Key:
    """Raises SignError if `cryptography` is missing."""

    algorithm = "ed25519"

    def __init__(self, seed: bytes) -> None:
        self._private = _private(seed)
        self.public = self._private.public_key().public_bytes_raw()
        self.key_id = key_id_of(self.public)

    def sign(self, payload: bytes) -> bytes:
        return self._private.sign(payload)

    def verify(self, payload: bytes, signature: bytes) -> bool:
        return PublicKey(self.public).verify(payload, signature)


class PublicKey:
    """Verifies, and cannot sign. Raises SignError."""

    algorithm = "ed25519"

    def __init__(self, public: bytes) -> None:
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise SignError(EXTRA) from error
        try:
            self._public = Ed25519PublicKey.from_public_bytes(public)
        except ValueError as error:
            raise SignError("a public key has 32 bytes, as 64 hexadecimal digits") from error
        self.key_id = key_id_of(public)

    def verify(self, payload: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra

        try:
            self._public.verify(signature, payload)
        except InvalidSignature:
            return False
        return True


def key_id_of(public: bytes) -> str:
    return sha256(public).hexdigest()[:16]


def signer_of(key: str, state_dir: Path, pepper: bytes) -> HmacKey | Ed25519Key:
    """`key`: 64 hexadecimal digits, "" for the file in the state directory, which is made if it is not there. Without
    `cryptography`, and without a key of either kind, the pepper signs. Raises SignError, OSError."""
    if key:
        return Ed25519Key(seed_of(key, "[audit] key"))
    path = state_dir / KEY_FILE
    if path.exists():
        return Ed25519Key(seed_of(path.read_text("ascii", "replace").strip(), str(path)))
    if find_spec("cryptography") is None:
        log.info("anchors of the audit are signed by HMAC with the pepper; %s", EXTRA)
        return HmacKey(pepper)
    _make(path)
    made = Ed25519Key(seed_of(path.read_text("ascii").strip(), str(path)))
    (state_dir / PUBLIC_FILE).write_text(f"{made.public.hex()}\n")
    return made


def seed_of(text: str, where: str) -> bytes:
    """Raises SignError, never quoting it."""
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise SignError(f"{where}: a signing key is 32 bytes, as 64 hexadecimal digits (openssl rand -hex 32)")
    return seed


def signed(anchor: Anchor, signer: Signer) -> Anchor:
    named = replace(anchor, algorithm=signer.algorithm, key_id=signer.key_id)
    return replace(named, signature=b64encode(signer.sign(named.payload)).decode())


def is_signed_by(anchor: Anchor, verifier: Verifier) -> bool:
    if (anchor.algorithm, anchor.key_id) != (verifier.algorithm, verifier.key_id):
        return False
    try:
        signature = b64decode(anchor.signature, validate=True)
    except NotBase64:
        return False
    return verifier.verify(anchor.payload, signature)


def _private(seed: bytes) -> "Ed25519PrivateKey":
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SignError(EXTRA) from error
    return Ed25519PrivateKey.from_private_bytes(seed)


def _make(path: Path) -> None:
    """The first one wins."""
    partial = path.with_name(f".{KEY_FILE}.{os.getpid()}.{secrets.token_hex(4)}.partial")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, f"{secrets.token_hex(SEED_BYTES)}\n".encode())
        os.fsync(fd)
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        os.close(fd)
        partial.unlink()
