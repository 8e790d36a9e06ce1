"""The service: keys and their secrets, versions, and the audit."""

import threading
from itertools import pairwise
from pathlib import Path

import pytest

from gw.control.service import Actor, Invalid, NotFound, Service, Stale
from gw.domain.key import digest
from gw.domain.key import parse as parse_key
from gw.ledger.control import control_version, read_stored
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database
from tests.control.defining import ANN, PEPPER, config_of


@pytest.fixture
def service(database: Database) -> Service:
    return Service(config_of(), database, PEPPER)


# --- keys -------------------------------------------------------------------------------------------------------------------


def test_key_is_made_with_all_its_bounds_and_its_text_is_told_once(service: Service, database: Database) -> None:
    fields = {"team": "platform", "models": ["claude-*"], "expires": "2030-01-31", "max_cost_usd": "2.5", "max_tokens": 9}
    item, text = service.create_key("anna", {**fields, "session_limit_usd": "7", "owner": "anna@example.com"}, actor=ANN)
    assert parse_key(text) == (item.public_id, "")
    assert item.fields == {
        "team": "platform",
        "models": ["claude-*"],
        "upstreams": ["*"],
        "expires": "2030-01-31T00:00:00Z",
        "active": True,
        "max_cost_usd": "2.5",
        "max_tokens": 9,
        "session_limit_usd": "7",
        "owner": "anna@example.com",
        "store_content": "",
    }
    (row,) = read_stored(database).keys
    assert row.digest == digest(text, PEPPER).hex() and row.version == item.version == 1
    assert service.get("key", "anna") == service.get("key", item.public_id) == item


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"team": "nobody"}, "team"),
        ({"upstreams": ["gone"]}, "upstreams"),
        ({"models": []}, "models"),
        ({"secret": "gwk_x"}, "secret"),
        ({"secret_hash": "ab" * 32}, "secret_hash"),
        ({"max_cost_usd": "-1"}, "max_cost_usd"),
        ({"expires": "soon"}, "expires"),
    ],
)
def test_key_with_a_mistake_is_not_made(service: Service, database: Database, fields: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        service.create_key("anna", fields, actor=ANN)
    assert [one for one, _ in caught.value.errors] == [field]
    assert read_stored(database).keys == ()


def test_key_moves_between_teams_and_is_paused_and_resumed(service: Service) -> None:
    made, _ = service.create_key("anna", {"max_tokens": 5, "expires": "2030-01-31"}, actor=ANN)
    moved = service.update("key", "anna", {"team": "platform"}, actor=ANN, version=made.version)
    assert moved.fields["team"] == "platform" and moved.fields["max_tokens"] == 5 and moved.public_id == made.public_id
    assert service.update("key", made.public_id, {"active": False}, actor=ANN).fields["active"] is False
    resumed = service.update("key", "anna", {"active": None, "expires": None, "max_tokens": None}, actor=ANN)
    assert (resumed.fields["active"], resumed.fields["expires"], resumed.fields["max_tokens"]) == (True, None, 0)


def test_rotation_keeps_name_and_id_and_ends_earlier_secrets(
    service: Service, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gw.clock.wall_us", lambda: 1_000_000_000)
    made, first = service.create_key("anna", {"team": "platform"}, actor=ANN)
    rotated, second = service.rotate_key("anna", overlap_s=3600, actor=ANN, version=made.version)
    assert (rotated.name, rotated.public_id, rotated.fields) == ("anna", made.public_id, made.fields)
    assert rotated.overlap_until_us == 4_600_000_000 and rotated.version > made.version
    (row,) = read_stored(database).keys
    assert row.digest == digest(second, PEPPER).hex()
    assert row.former == ((digest(first, PEPPER).hex(), 4_600_000_000),)
    service.rotate_key("anna", overlap_s=0, actor=ANN)
    (row,) = read_stored(database).keys
    assert {one.until_us for one in row.former} == {1_000_000_000}, "none is good for longer than the last rotation said"
    with pytest.raises(Invalid, match="overlap_s: must be 0 to"):
        service.rotate_key("anna", overlap_s=-1, actor=ANN)


def test_revoked_key_stays_listed_and_its_name_is_free(service: Service) -> None:
    made, _ = service.create_key("anna", {}, actor=ANN)
    service.create("budget", "b", {"key": "anna", "limit_usd": "1"}, actor=ANN)
    revoked = service.revoke_key("anna", actor=ANN, version=made.version)
    assert revoked.revoked_us > 0 and revoked.problem == "it is revoked" and not revoked.fields["active"]
    assert service.list("key")[1:] == [] and service.list("key", revoked=True)[1:] == [revoked]
    assert service.get("budget", "b").problem == "", "its budget waits for the next of that name"
    for again in (lambda: service.revoke_key("anna", actor=ANN), lambda: service.update("key", "anna", {}, actor=ANN)):
        with pytest.raises(NotFound):
            again()
    with pytest.raises(NotFound, match="is revoked"):
        service.rotate_key(made.public_id, overlap_s=0, actor=ANN)
    second, _ = service.create_key("anna", {}, actor=ANN)
    service.delete("key", "anna", actor=ANN, version=second.version)
    assert len(service.list("key", revoked=True)) == 3


# --- versions and the audit -------------------------------------------------------------------------------------------------


def test_version_that_is_not_the_present_one_is_stale(service: Service) -> None:
    made = service.create("budget", "b", {"team": "platform", "limit_usd": "5"}, actor=ANN)
    service.update("budget", "b", {"limit_usd": "6"}, actor=ANN, version=made.version)
    with pytest.raises(Stale, match="has changed since you looked: its version is 2 now, not 1"):
        service.update("budget", "b", {"limit_usd": "7"}, actor=ANN, version=made.version)
    with pytest.raises(Stale):
        service.delete("budget", "b", actor=ANN, version=made.version)
    service.delete("budget", "b", actor=ANN)
    anew = service.create("budget", "b", {"team": "platform", "limit_usd": "5"}, actor=ANN)
    assert anew.version > 2, "no version stands for two states of one name"


def test_of_two_writers_with_one_version_one_is_told(service: Service, database: Database) -> None:
    made = service.create("budget", "b", {"team": "platform", "limit_usd": "5"}, actor=ANN)
    gate, stale = threading.Barrier(2), []

    def write(usd: str) -> None:
        other = Service(config_of(), database, PEPPER)
        gate.wait()
        try:
            other.update("budget", "b", {"limit_usd": usd}, actor=Actor(usd, "cli"), version=made.version)
        except Stale:
            stale.append(usd)

    for round_ in range(5):
        threads = [threading.Thread(target=write, args=(f"{round_}{at}",)) for at in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(stale) == round_ + 1
        entry = service.audit(1)[0]
        assert entry.after is not None and service.get("budget", "b").fields["limit_usd"] == entry.after["limit_usd"]
        made = service.get("budget", "b")
        gate.reset()


def test_writers_of_different_things_lose_nothing(service: Service, database: Database) -> None:
    def write(at: int) -> None:
        other = Service(config_of(), database, PEPPER)
        for round_ in range(5):
            other.create("team", f"t{at}-{round_}", {}, actor=ANN)

    threads = [threading.Thread(target=write, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(service.list("team")) == 21 and control_version(database) == 20
    assert sorted(item.version for item in service.list("team")) == list(range(21))


def test_every_change_is_audited_with_who_before_and_after(service: Service) -> None:
    service.create("team", "red", {}, actor=ANN)
    service.update("team", "red", {"customer": "acme"}, actor=Actor("bob", "cli"))
    item, _ = service.create_key("anna", {"team": "red"}, actor=ANN)
    service.rotate_key("anna", overlap_s=5, actor=ANN)
    service.revoke_key("anna", actor=ANN)
    service.delete("team", "red", actor=ANN)
    entries = list(reversed(service.audit()))
    assert [(one.action, one.kind, one.name) for one in entries] == [
        ("create", "team", "red"),
        ("update", "team", "red"),
        ("create", "key", "anna"),
        ("rotate", "key", "anna"),
        ("revoke", "key", "anna"),
        ("delete", "team", "red"),
    ]
    assert [(one.before, one.after) for one in entries[:2]] == [
        (None, {"customer": "", "store_content": ""}),
        ({"customer": "", "store_content": ""}, {"customer": "acme", "store_content": ""}),
    ]
    assert (entries[1].actor, entries[1].via) == ("bob", "cli") and entries[5].before == entries[1].after
    assert entries[2].after is not None and entries[2].after["public_id"] == item.public_id
    assert entries[4].after is None and entries[5].after is None
    assert [one.id for one in service.audit(2, before_id=entries[3].id)] == [entries[2].id, entries[1].id]
    assert all(earlier.at_us <= later.at_us for earlier, later in pairwise(entries))


def test_no_secret_is_in_any_byte_of_the_database(tmp_path: Path) -> None:
    service = Service(config_of(), SqliteDatabase(tmp_path / "gw.db"), PEPPER)
    texts = [service.create_key("anna", {"owner": "a"}, actor=ANN)[1]]
    texts += [service.rotate_key("anna", overlap_s=60, actor=ANN)[1] for _ in range(2)]
    service.update("key", "anna", {"owner": "b"}, actor=ANN)
    service.revoke_key("anna", actor=ANN)
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("gw.db*"))
    assert b"anna" in kept
    for text in texts:
        assert text.rsplit("_", 1)[1].encode() not in kept and text.rsplit("_", 1)[1][:16].encode() not in kept
    shown = repr([service.list("key", revoked=True), service.audit()])
    assert all(text.rsplit("_", 1)[1] not in shown for text in texts) and digest(texts[0], PEPPER).hex() not in shown
