"""How a block's bytes are kept: compressed where that helps, encrypted where there is a key.

Encrypted: nonce (12 random bytes), then AES-256-GCM of the bytes with the tag at the end (16 bytes); the block's hash is what the
tag vouches for besides, so that no block passes for another. The key is known by a number, a digest of it.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from gw.config.content_model import Content, encryption_key_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
LEVEL = 9  # of zstd: 2 ms for 100 KB of new text, which is little of it
PLAIN, ZSTD = 0, 1
NO_KEY = 0
BLOCK_BYTES_MAX = 1 << 31


class ContentError(Exception):
    """What is kept cannot be read: the key is not there, or it is damaged. The message is for people."""


class ExtraMissing(ContentError):
    """The extra gw[content] is not installed."""


class Kept(NamedTuple):
    """As it stands in the database."""

    form: int  # PLAIN or ZSTD, before it was encrypted
    key: int  # NO_KEY: not encrypted
    data: bytes


class Vault:
    """`current` encrypts, all of `keys` decrypt. For use by one thread at a time."""

    def __init__(self, current: bytes = b"", former: tuple[bytes, ...] = ()) -> None:
        """Raises ExtraMissing."""
        try:
            import zstandard  # noqa: PLC0415 - an extra, loaded where content is kept or read
        except ImportError as error:
            raise missing(error) from error
        self.current = number_of(current) if current else NO_KEY
        self._ciphers: Mapping[int, AESGCM] = {number_of(key): cipher_of(key) for key in (current, *former) if key}
        self._pack = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True)
        self._unpack = zstandard.ZstdDecompressor()
        self._damaged: type[Exception] = zstandard.ZstdError

    def has(self, key: int) -> bool:
        """Whether what that key has encrypted can be read; NO_KEY can."""
        return key == NO_KEY or key in self._ciphers

    def close(self, data: bytes, mark: bytes, *, secret: bool = True) -> Kept:
        """`mark`: the block's hash. `secret`: encrypted if there is a key."""
        packed = self._pack.compress(data) if len(data) > 64 else data
        form, kept = (ZSTD, packed) if len(packed) < len(data) else (PLAIN, data)
        if not secret or self.current == NO_KEY:
            return Kept(form, NO_KEY, kept)
        return Kept(form, self.current, sealed(self._ciphers[self.current], kept, mark))

    def open(self, kept: Kept, mark: bytes) -> bytes:
        """Raises ContentError."""
        data = bytes(kept.data)
        if kept.key != NO_KEY:
            cipher = self._ciphers.get(kept.key)
            if cipher is None:
                raise ContentError("it is encrypted, and not with the encryption_key that [content] has now")
            data = opened(cipher, data, mark)
        if kept.form == PLAIN:
            return data
        try:
            return self._unpack.decompress(data, max_output_size=BLOCK_BYTES_MAX)
        except self._damaged as error:
            raise ContentError(f"a block is damaged: {error}") from error

    def unseal(self, data: bytes, mark: bytes) -> bytes:
        """What a worker has encrypted for the spool, with whichever of the keys. Raises ContentError."""
        for cipher in self._ciphers.values():
            with suppress(ContentError):
                return opened(cipher, data, mark)
        raise ContentError("it is encrypted, and not with the encryption_key that [content] has now")


def vault_of(content: Content) -> Vault:
    """Raises ContentError."""
    try:
        secrets = [content.encryption_key, content.former_encryption_key]
        current, former = (encryption_key_of(one.reveal()) if one.reference else b"" for one in secrets)
    except (LookupError, ValueError) as error:
        raise ContentError(f"[content] encryption_key: {error}") from error
    return Vault(current, (former,) if former else ())


def number_of(key: bytes) -> int:
    """1 to 2**31 - 1; says nothing of the key."""
    return int.from_bytes(blake2b(key, digest_size=4, person=b"gw-content-key").digest(), "big") >> 1 or 1


def cipher_of(key: bytes) -> "AESGCM":
    """Raises ExtraMissing."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an extra, loaded where there is a key
    except ImportError as error:
        raise missing(error) from error
    return AESGCM(key)


def sealed(cipher: "AESGCM", data: bytes, mark: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, data, mark)


def opened(cipher: "AESGCM", data: bytes, mark: bytes) -> bytes:
    """Raises ContentError."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as above

    try:
        return cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], mark)
    except (InvalidTag, ValueError) as error:
        raise ContentError("what is encrypted is damaged, or was put in another's place") from error


def missing(error: ImportError) -> ExtraMissing:
    return ExtraMissing(f"[content] needs an extra ({error}): pip install 'gw[content]'")
