"""Who may use the control API, and who is not listened to."""

import logging
from pathlib import Path
from typing import Any

import pytest

from gw.control import auth
from gw.control.auth import FREE_TRIES, Guard, actor
from gw.control.problem import Problem

TOKEN = "gwa_the-token-of-the-tests"
SECOND = 1_000_000_000


def bearer(token: str, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", **more}

HOST: Any = None  # is asked only for keys and sessions


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard(tmp_path, {"GW_ADMIN_TOKEN": TOKEN})


def refused(guard: Guard, headers: dict[str, str], address: str = "192.0.2.1", now_ns: int = 0) -> Problem:
    with pytest.raises(Problem) as raised:
        guard.admit(headers, address, now_ns, HOST)
    return raised.value


WHO = [
    ({}, "admin_token_missing"),
    ({"authorization": "Basic eDp5"}, "admin_token_missing"),
    ({"authorization": "Bearer "}, "admin_token_missing"),
    ({"authorization": TOKEN}, "admin_token_missing"),
    (bearer("gwa_another"), "admin_token_wrong"),
    (bearer(TOKEN + "x"), "admin_token_wrong"),
    (bearer(TOKEN[:-1]), "admin_token_wrong"),
    (bearer("\udce4"), "admin_token_wrong"),
    (bearer("gwk_abcdefghijkl_secret"), "virtual_key_refused"),
    ({"x-api-key": "gwk_abcdefghijkl_secret"}, "virtual_key_refused"),
    ({"x-gw-key": "gwk_abcdefghijkl_secret"}, "virtual_key_refused"),
    ({"x-api-key": TOKEN}, "admin_token_missing"),
]


@pytest.mark.parametrize(("headers", "slug"), WHO, ids=range(len(WHO)))
def test_nobody_is_let_in_but_who_shows_the_token(guard: Guard, headers: dict[str, str], slug: str) -> None:
    problem = refused(guard, headers)
    assert problem.slug == slug
    assert ("www-authenticate" in problem.headers) == (problem.kind.status == 401)


def test_the_token_lets_in_and_the_scheme_may_be_written_in_any_case(guard: Guard) -> None:
    assert guard.admit(bearer(TOKEN), "192.0.2.1", 0, HOST).actor == "admin token (192.0.2.1)"
    assert guard.admit({"authorization": f"bearer  {TOKEN} "}, "", 0, HOST).actor == "admin token (unknown address)"


ACTORS = [
    ("alice", "admin token (alice)"),
    ("  alice@example.com ", "admin token (alice@example.com)"),
    ("a\x1b[31mb\r\nc", "admin token (a?[31mb??c)"),
    ("x" * 200, f"admin token ({'x' * 80})"),
    ("", "admin token (192.0.2.1)"),
]


@pytest.mark.parametrize(("named", "said"), ACTORS, ids=range(len(ACTORS)))
def test_the_actor_is_who_was_named_made_printable_else_the_address(named: str, said: str) -> None:
    assert actor(named, "192.0.2.1") == said


def test_after_some_wrong_tokens_an_address_is_not_listened_to_for_ever_longer(guard: Guard) -> None:
    now_ns = 0
    for _ in range(FREE_TRIES):
        assert refused(guard, bearer("gwa_wrong"), now_ns=now_ns).slug == "admin_token_wrong"
    waits = []
    for _ in range(10):
        problem = refused(guard, bearer(TOKEN), now_ns=now_ns)
        assert problem.slug == "locked_out", "the right token is not looked at either, or guessing would go on"
        waits.append(int(problem.headers["retry-after"]))
        now_ns += waits[-1] * SECOND
        assert refused(guard, bearer("gwa_wrong"), now_ns=now_ns).slug == "admin_token_wrong"
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 256]
    assert guard.admit(bearer(TOKEN), "192.0.2.2", now_ns, HOST), "another address is not meant"
    now_ns += 256 * SECOND
    assert guard.admit(bearer(TOKEN), "192.0.2.1", now_ns, HOST)
    assert refused(guard, bearer("gwa_wrong"), now_ns=now_ns).slug == "admin_token_wrong", "the right token clears the count"


def test_requests_without_a_token_or_with_a_key_lock_nobody_out(guard: Guard) -> None:
    for _ in range(100):
        refused(guard, {})
        refused(guard, bearer("gwk_abcdefghijkl_secret"))
    assert guard.admit(bearer(TOKEN), "192.0.2.1", 0, HOST)


def test_one_who_moves_within_a_network_of_ipv6_is_still_the_same(guard: Guard) -> None:
    for at in range(FREE_TRIES):
        refused(guard, bearer("gwa_wrong"), f"2001:db8::{at:x}")
    assert refused(guard, bearer(TOKEN), "2001:db8::ffff:1").slug == "locked_out"
    assert guard.admit(bearer(TOKEN), "2001:db8:0:1::1", 0, HOST)


def test_what_is_remembered_of_addresses_is_bounded(guard: Guard) -> None:
    for at in range(3 * auth.ADDRESSES_MAX):
        refused(guard, bearer("gwa_wrong"), f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}")
    assert len(guard._failures) == auth.ADDRESSES_MAX


def test_no_token_is_ever_logged_or_answered(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for _ in range(20):
        problem = refused(guard, bearer("gwa_a-wrong-one"))
        assert "a-wrong-one" not in str(problem.body("id"))
    assert "192.0.2.1" in caplog.text and "a-wrong-one" not in caplog.text and TOKEN not in caplog.text


def test_without_a_usable_token_nobody_is_let_in(tmp_path: Path) -> None:
    guard = Guard(tmp_path, {"GW_ADMIN_TOKEN": "short"})
    assert refused(guard, bearer("short")).slug == "admin_token_unusable"
