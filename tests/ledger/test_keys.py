"""The key table."""

from pathlib import Path

import pytest

from gw.domain.key import digest
from gw.ledger.keys import KeyRefused, create_key, keys_version, list_active, list_keys, revoke_key
from gw.ledger.store import StoreError

PEPPER = bytes(range(32))


def test_created_key_is_stored_by_its_digest_alone(tmp_path: Path) -> None:
    path = tmp_path / "gw.db"
    created = create_key(path, PEPPER, name="ci", team="t", models=("claude-*", "x,y"), upstreams=("a",), expires_us=5)
    assert list_keys(path) == [created.row]
    row = created.row
    assert (row.name, row.team, row.models, row.upstreams, row.expires_us) == ("ci", "t", ("claude-*", "x,y"), ("a",), 5)
    assert row.digest == digest(created.text, PEPPER).hex() and row.created_us > 0 and row.revoked_us == 0
    secret = created.text.rsplit("_", 1)[1]
    for file in tmp_path.glob("gw.db*"):
        assert secret.encode() not in file.read_bytes()


def test_version_moves_with_every_change_and_with_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "gw.db"
    assert keys_version(path) == 0 and list_keys(path) == []
    seen = [keys_version(path)]
    create_key(path, PEPPER, name="a")
    seen.append(keys_version(path))
    with pytest.raises(KeyRefused, match='already a key named "a"'):
        create_key(path, PEPPER, name="a")
    with pytest.raises(KeyRefused, match='no active key named "b"'):
        revoke_key(path, "b")
    assert keys_version(path) == seen[-1]
    revoke_key(path, "a")
    seen.append(keys_version(path))
    assert seen == sorted(set(seen))


def test_revoked_name_is_free_again_and_the_old_key_stays_listed(tmp_path: Path) -> None:
    path = tmp_path / "gw.db"
    first = create_key(path, PEPPER, name="a").row
    assert revoke_key(path, first.public_id).revoked_us > 0
    second = create_key(path, PEPPER, name="a").row
    assert [row.public_id for row in list_active(path)] == [second.public_id]
    assert {row.public_id for row in list_keys(path)} == {first.public_id, second.public_id}
    with pytest.raises(KeyRefused):
        revoke_key(path, first.public_id)


def test_revocation_by_an_ambiguous_word_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gw.db"
    first = create_key(path, PEPPER, name="a").row
    create_key(path, PEPPER, name=first.public_id)
    with pytest.raises(KeyRefused, match="public id of another"):
        revoke_key(path, first.public_id)
    assert len(list_active(path)) == 2


def test_broken_ledger_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "gw.db").write_bytes(b"no database" * 500)
    with pytest.raises(StoreError):
        create_key(tmp_path / "gw.db", PEPPER, name="a")
    with pytest.raises(StoreError):
        list_keys(tmp_path / "gw.db")
