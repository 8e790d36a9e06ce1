"""Sessions of browsers: sealed, ended by what they rest on, useless to other sites; and what a virtual key may ask."""

from pathlib import Path

import pytest

from gw.control import session as sessions
from gw.control.session import LIFE_US, Seal, Session
from gw.ledger.database import database_of
from gw.ops.state import Word
from gw.publish import Publisher
from tests.control.api import TOKEN, Api, serving

SEAL = Seal("gwa_some-admin-token-of-a-test", b"p" * 32)
SESSION = Session(1_000, 1_000 + LIFE_US, "nonce", b"digest")


def test_a_cookie_is_what_it_was_made_of_until_it_ends() -> None:
    cookie = SEAL.close(SESSION)
    assert SEAL.open(cookie, 1_000) == SESSION
    assert SEAL.open(cookie, 1_000 + LIFE_US - 1) == SESSION
    assert SEAL.open(cookie, 1_000 + LIFE_US) is None
    assert SEAL.open(cookie, 999) is None


def test_no_changed_cookie_is_taken() -> None:
    cookie = SEAL.close(SESSION)
    for at in range(len(cookie)):
        for letter in "A_9":
            changed = cookie[:at] + letter + cookie[at + 1 :]
            assert changed == cookie or SEAL.open(changed, 1_000) in (None, SESSION)  # the last letter has bits to spare
    for other in ("", "!", "A" * 2000, cookie + "AAAA", "é"):
        assert SEAL.open(other, 1_000) is None


def test_another_token_or_pepper_ends_all_sessions() -> None:
    for other in (Seal("gwa_another-admin-token-of-it", b"p" * 32), Seal("gwa_some-admin-token-of-a-test", b"q" * 32)):
        assert other.open(SEAL.close(SESSION), 1_000) is None


def in_force(api: Api) -> None:
    """What the database defines, in this worker; a keeper would see to it."""
    snapshot = api.worker.snapshot
    config = Path(snapshot.published.config_base) / "config.toml"
    publisher = Publisher(api.worker.state, api.worker.state_dir, config, database_of(snapshot.config.storage.address))
    publisher.adopt(snapshot.published, snapshot)
    assert publisher.check()
    api.worker._swap(api.worker.state.words[Word.SNAPSHOT_VERSION])


async def signed_in(api: Api, token: str) -> tuple[str, str]:
    """(cookie, csrf)"""
    answer = await api.ask("POST", "/api/session", {"token": token}, token=None)
    assert answer.status == 200, answer.body
    set_cookie = answer.headers["set-cookie"]
    assert set_cookie.startswith("gw_session=") and "; HttpOnly" in set_cookie and "; SameSite=Strict" in set_cookie
    assert token not in str(answer)
    return set_cookie.partition(";")[0], answer.json["csrf"]


async def test_the_admin_signs_in_looks_and_changes_with_the_pages_own_word(api: Api) -> None:
    cookie, csrf = await signed_in(api, TOKEN)
    assert (await api.ask("GET", "/api/session", token=None, cookie=cookie)).json["role"] == "admin"
    assert (await api.ask("GET", "/api/teams", token=None, cookie=cookie)).status == 200
    new = {"name": "design"}
    (await api.ask("POST", "/api/teams", new, token=None, cookie=cookie)).problem(403, "csrf_missing")
    (await api.ask("POST", "/api/teams", new, token=None, cookie=cookie, x_gw_csrf="wrong")).problem(403, "csrf_missing")
    elsewhere = await api.ask("POST", "/api/teams", new, token=None, cookie=cookie, x_gw_csrf=csrf, sec_fetch_site="cross-site")
    elsewhere.problem(403, "csrf_missing")
    assert (await api.ask("POST", "/api/teams", new, token=None, cookie=cookie, x_gw_csrf=csrf)).status == 201
    out = await api.ask("DELETE", "/api/session", token=None, cookie=cookie)
    assert out.status == 204 and "gw_session=; " in out.headers["set-cookie"] and "Max-Age=0" in out.headers["set-cookie"]


async def test_a_virtual_key_signs_in_until_it_is_revoked_and_sees_nothing_of_the_admins(api: Api) -> None:
    made = await api.made("keys", name="alice", team="platform")
    in_force(api)
    secret = made.json["key"]
    cookie, csrf = await signed_in(api, secret)
    me = await api.ask("GET", "/api/session", token=None, cookie=cookie)
    assert [me.json[name] for name in ("role", "key", "team", "customer")] == ["key", "alice", "platform", "acme"]
    assert (await api.ask("GET", "/api/session", token=None, x_gw_key=secret)).json["key"] == "alice"
    for path in ("/api/keys", "/api/audit", "/api/config", "/api/teams", "/api/status"):
        (await api.ask("GET", path, token=None, cookie=cookie)).problem(403, "virtual_key_refused")
    change = await api.ask("POST", "/api/teams", {"name": "x"}, token=None, cookie=cookie, x_gw_csrf=csrf)
    change.problem(403, "virtual_key_refused")
    await api.ask("POST", "/api/keys/alice/revoke")
    in_force(api)
    (await api.ask("GET", "/api/session", token=None, cookie=cookie)).problem(401, "signed_out")
    (await api.ask("POST", "/api/session", {"token": secret}, token=None)).problem(401, "virtual_key_wrong")


async def test_guessing_at_the_door_of_the_pages_is_locked_out_as_everywhere(api: Api) -> None:
    for number in range(10):
        answer = await api.ask("POST", "/api/session", {"token": f"gwa_guess-{number}-guess-guess"}, token=None)
        assert answer.slug == ("admin_token_wrong" if number < 5 else "locked_out")
    (await api.ask("POST", "/api/session", {"token": TOKEN}, token=None)).problem(429, "locked_out")
    (await api.ask("GET", "/api/session", token=None, client="192.0.2.99")).problem(401, "admin_token_missing")


NO_TOKENS = [b"{}", b'{"token": 1}', b'{"token": ""}', b'{"token": "a", "more": 1}', b"[]", b'{"token": "' + b"a" * 1025 + b'"}']


@pytest.mark.parametrize("body", NO_TOKENS)
async def test_what_is_no_token_is_said_to_be_none(api: Api, body: bytes) -> None:
    answer = await api.ask("POST", "/api/session", body, token=None)
    assert answer.slug in ("invalid", "invalid_json")


async def test_a_cookie_for_tls_never_travels_without(tmp_path: Path, token: str) -> None:
    async with serving(tmp_path) as api:
        plain = await api.ask("POST", "/api/session", {"token": token}, token=None)
        tls = await api.ask("POST", "/api/session", {"token": token}, token=None, x_forwarded_proto="https")
        assert "; Secure" not in plain.headers["set-cookie"]
        assert tls.headers["set-cookie"].endswith("; Secure")


COOKIES = ["gw_session", "gw_session=", "gw_session=x; gw_session=y", 'a="; gw_session=z', "\x01=;;", "gw session=1"]


@pytest.mark.parametrize("header", COOKIES)
def test_whatever_stands_in_the_cookie_header_is_a_text_or_none(header: str) -> None:
    assert SEAL.open(sessions.cookie_of({"cookie": header}), 1_000) is None
