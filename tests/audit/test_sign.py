"""Anchors are signed by whoever has the key, and by nobody else."""

import stat
from pathlib import Path

import pytest

from gw.audit import sign
from gw.audit.anchor import unsigned
from gw.audit.sign import Ed25519Key, HmacKey, PublicKey, SignError, is_signed_by, signed, signer_of
from gw.ledger.audit import GENESIS, AuditRow

ANCHOR = unsigned(None, [AuditRow(1, 2, "ann", "cli", "create", "team", "red", "", "{}").after(GENESIS)], [], 5)
SEED = "0f" * 32


def test_a_signature_is_known_by_its_key_alone() -> None:
    for key, other in ((HmacKey(b"a" * 32), HmacKey(b"b" * 32)), (Ed25519Key(b"a" * 32), Ed25519Key(b"b" * 32))):
        made = signed(ANCHOR, key)
        assert is_signed_by(made, key) and not is_signed_by(made, other)
        assert key.key_id in repr(made) and not is_signed_by(ANCHOR, key)


def test_the_public_key_is_enough_to_verify() -> None:
    key = Ed25519Key(bytes.fromhex(SEED))
    made, public = signed(ANCHOR, key), PublicKey(key.public)
    assert is_signed_by(made, public)
    assert not is_signed_by(signed(ANCHOR, HmacKey(b"a" * 32)), public)


def test_a_key_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    first, second = (signer_of("", tmp_path, b"p" * 32) for _ in range(2))
    assert first.key_id == second.key_id and first.algorithm == "ed25519"
    assert stat.S_IMODE((tmp_path / "audit.key").stat().st_mode) == 0o600
    assert PublicKey(bytes.fromhex((tmp_path / "audit.pub").read_text())).key_id == first.key_id
    assert signer_of(SEED, tmp_path, b"p" * 32).key_id == Ed25519Key(bytes.fromhex(SEED)).key_id


def test_without_the_extra_the_pepper_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign, "find_spec", lambda _: None)
    assert signer_of("", tmp_path, b"p" * 32).algorithm == "hmac-sha256"
    assert not (tmp_path / "audit.key").exists()


@pytest.mark.parametrize("text", ["no hex", "ab", SEED + "00"])
def test_a_wrong_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(SignError, match="64 hexadecimal digits") as caught:
        signer_of(text, tmp_path, b"p" * 32)
    assert text not in str(caught.value)
