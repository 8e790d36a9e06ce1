"""How blocks are kept: what goes in comes out, by the right key alone; what is missing is said with what to do."""

import sys
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.config.content_model import encryption_key_of
from gw.config.secret import Secret
from gw.content.vault import PLAIN, ZSTD, ContentError, ExtraMissing, Kept, Vault, number_of, vault_of
from tests.content.keeping import content, key

ONE, TWO = bytes(range(32)), bytes(range(1, 33))
MARK = b"m" * 16


@given(st.binary(max_size=3000), st.booleans())
def test_what_goes_in_comes_out(data: bytes, encrypted: bool) -> None:
    vault = Vault(ONE if encrypted else b"")
    kept = vault.close(data, MARK)
    assert vault.open(kept, MARK) == data
    assert kept.key == (number_of(ONE) if encrypted else 0)


def test_text_is_compressed_and_noise_is_not() -> None:
    vault = Vault()
    assert vault.close(b"word " * 200, MARK).form == ZSTD
    assert vault.close(bytes(range(256)), MARK).form == PLAIN


def test_the_same_text_is_never_encrypted_alike() -> None:
    vault = Vault(ONE)
    assert vault.close(b"word", MARK).data != vault.close(b"word", MARK).data


@pytest.mark.parametrize("damage", ["data", "mark", "key", "short"])
def test_what_was_tampered_with_is_not_read(damage: str) -> None:
    kept = Vault(ONE).close(b"text", MARK)
    mark, vault = MARK, Vault(ONE)
    if damage == "data":
        kept = kept._replace(data=kept.data[:-1] + bytes([kept.data[-1] ^ 1]))
    elif damage == "mark":
        mark = b"n" * 16
    elif damage == "key":
        vault = Vault(TWO)
    else:
        kept = kept._replace(data=kept.data[:5])
    with pytest.raises(ContentError):
        vault.open(kept, mark)


def test_compressed_bytes_that_are_damaged_are_an_error() -> None:
    with pytest.raises(ContentError, match="damaged"):
        Vault().open(Kept(ZSTD, 0, b"not zstd"), MARK)


def test_lists_are_never_encrypted() -> None:
    assert Vault(ONE).close(b"\x01\x02", MARK, secret=False).key == 0


@pytest.mark.parametrize("text", [b64encode(ONE).decode(), ONE.hex(), ONE.hex().upper()])
def test_a_key_is_32_bytes_in_base64_or_hex(text: str) -> None:
    assert encryption_key_of(text) == ONE


@pytest.mark.parametrize("text", ["", "short", ONE.hex()[:-1], b64encode(ONE[:-1]).decode(), "z" * 64, "password with words"])
def test_anything_else_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="32 random bytes") as caught:
        encryption_key_of(text)
    assert not text or text not in str(caught.value)


def test_a_key_that_is_not_there_is_named() -> None:
    missing = Secret("env:GW_LOST", reason="environment variable GW_LOST is not set or empty")
    with pytest.raises(ContentError, match="GW_LOST"):
        vault_of(content(encryption_key=missing))


@pytest.mark.parametrize("module", ["zstandard", "cryptography.hazmat.primitives.ciphers.aead"])
def test_without_the_extra_it_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissing, match=r"pip install 'gw\[content\]'"):
        vault_of(content(encryption_key=key(1)))
