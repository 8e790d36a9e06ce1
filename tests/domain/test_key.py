"""Virtual keys as text."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.key import ALPHABET, checksum, digest, mint, parse

PEPPER = bytes(32)


def test_minted_key_is_valid_and_names_itself() -> None:
    minted = mint()
    assert len(minted.text) == 55 and minted.text.startswith(f"gwk_{minted.public_id}_")
    assert parse(minted.text) == (minted.public_id, "") and parse(minted.text).valid


def test_minted_keys_differ() -> None:
    assert len({mint().text for _ in range(1000)}) == 1000


def test_rotated_key_keeps_its_public_id_and_has_another_secret() -> None:
    first = mint()
    second = mint(first.public_id)
    assert second.public_id == first.public_id and second.text != first.text
    assert parse(second.text) == (first.public_id, "")


def test_every_single_mistyped_character_is_found() -> None:
    text, _ = mint()
    for at, right in enumerate(text):
        for wrong in "aZ0_":
            if wrong != right:
                parsed = parse(text[:at] + wrong + text[at + 1 :])
                assert not parsed.valid
                assert parsed.fault == ("bad_checksum" if parsed.public_id else "malformed")


def test_every_truncation_is_malformed() -> None:
    text, _ = mint()
    for size in range(len(text)):
        assert parse(text[:size]) == ("", "malformed")
    assert not parse(text + "x").valid and not parse(text + "\n").valid and not parse(" " + text).valid


@given(st.text(max_size=80))
def test_parse_never_raises(text: str) -> None:
    assert not parse(text).valid
    assert not parse("gwk_" + text).valid


def test_characters_beyond_ascii_are_malformed() -> None:
    text, _ = mint()
    assert parse(text[:-1] + "\u0661").fault == "malformed"  # a digit, but not ours


@given(st.text(alphabet=ALPHABET, max_size=60))
def test_checksum_is_crc32_in_base62(body: str) -> None:
    value = 0
    for digit in checksum(body):
        value = value * 62 + ALPHABET.index(digit)
    assert value == crc32(body.encode()) and len(checksum(body)) == 6


def test_digest_depends_on_key_and_pepper() -> None:
    one, other = mint().text, mint().text
    assert len(digest(one, PEPPER)) == 32 and digest(one, PEPPER) == digest(one, PEPPER)
    assert len({digest(one, PEPPER), digest(other, PEPPER), digest(one, b"p" * 32)}) == 3
    with pytest.raises(AssertionError, match="pepper"):
        digest(one, b"")
