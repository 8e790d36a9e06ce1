"""Which credential identifies the caller, and which goes upstream: a table, without any I/O."""

import pytest

from gw.admit.auth import CACHE_MAX, Authenticator, Caller, EndedKey
from gw.domain.account import Account
from gw.domain.key import digest, mint
from gw.errors import Refusal

PEPPER = b"0123456789abcdef"
NOW_US = 1_000_000
ADA, BOB, GONE, LATE, SOON, STRANGER = (mint().text for _ in range(6))
ACCOUNTS = {
    ADA: Account(key_id="a", key_name="ada"),
    BOB: Account(key_id="b", key_name="bob"),
    GONE: Account(key_id="g", key_name="gone", active=False),
    LATE: Account(key_id="l", key_name="late", expires_us=NOW_US),
    SOON: Account(key_id="s", key_name="soon", expires_us=NOW_US + 1),
}
OWN, OAUTH = "sk-ant-own", "Bearer sk-ant-oat"


def authenticator(*, passthrough: bool = True) -> Authenticator:
    return Authenticator({digest(text, PEPPER): account for text, account in ACCOUNTS.items()}, PEPPER, passthrough=passthrough)


def ask(gw_key: str = "", api_key: str = "", authorization: str = "", *, passthrough: bool = True) -> Caller:
    sent = (gw_key.encode(), api_key.encode(), authorization.encode())
    return authenticator(passthrough=passthrough).authenticate(*sent, NOW_US)


TAKEN = [
    # x-gw-key, x-api-key, authorization -> key, own credential with passthrough
    (ADA, "", "", "ada", False),
    ("", ADA, "", "ada", False),
    ("", "", f"Bearer {ADA}", "ada", False),
    ("", "", f"bEARER   {ADA} ", "ada", False),
    (ADA, BOB, "", "ada", False),
    (ADA, "", f"Bearer {BOB}", "ada", False),
    ("", ADA, f"Bearer {BOB}", "ada", False),
    ("", OWN, f"Bearer {BOB}", "bob", False),
    ("", ADA, OAUTH, "ada", False),
    (ADA, OWN, "", "ada", True),
    (ADA, "", OAUTH, "ada", True),
    (ADA, BOB, OAUTH, "ada", True),
    (ADA, OWN, f"Bearer {BOB}", "ada", True),
    (SOON, "", "", "soon", False),
]


@pytest.mark.parametrize(("gw_key", "api_key", "authorization", "name", "own"), TAKEN)
def test_the_first_virtual_key_identifies_the_caller(gw_key: str, api_key: str, authorization: str, name: str, own: bool) -> None:
    caller = ask(gw_key, api_key, authorization)
    assert (caller.account.key_name, caller.own_credential) == (name, own)
    alone = ask(gw_key, api_key, authorization, passthrough=False)
    assert (alone.account, alone.own_credential) == (caller.account, False)


REFUSED = [
    ("", "", "", "missing_credential"),
    (ADA[:-1], "", "", "malformed_key"),
    ("", ADA.swapcase(), "", "missing_credential"),  # not gwk_: taken for a foreign credential where there is passthrough
    ("", ADA + "x", "", "malformed_key"),
    (OWN, OWN, "", "malformed_key"),
    (STRANGER, OWN, OAUTH, "unknown_key"),
    ("", "", f"Bearer {STRANGER}", "unknown_key"),
    ("gwk_\xe9", "", "", "malformed_key"),
]


@pytest.mark.parametrize(("gw_key", "api_key", "authorization", "slug"), REFUSED)
def test_a_bad_key_is_refused_whatever_else_was_sent(gw_key: str, api_key: str, authorization: str, slug: str) -> None:
    if slug == "missing_credential" and api_key:
        assert ask(gw_key, api_key, authorization).account.passthrough
        return
    with pytest.raises(Refusal) as caught:
        ask(gw_key, api_key, authorization)
    assert (caught.value.slug, caught.value.kind.status, caught.value.kind.retry) == (slug, 401, False)


@pytest.mark.parametrize(("key", "slug"), [(GONE, "revoked_key"), (LATE, "expired_key")])
def test_an_ended_key_still_says_whose_it_was(key: str, slug: str) -> None:
    with pytest.raises(EndedKey) as caught:
        ask(key)
    assert (caught.value.slug, caught.value.account) == (slug, ACCOUNTS[key])


@pytest.mark.parametrize(
    ("api_key", "authorization", "slug"),
    [(OWN, "", "virtual_key_required"), ("", OAUTH, "virtual_key_required"), ("", "", "missing_credential")],
)
def test_without_passthrough_an_own_credential_is_not_enough(api_key: str, authorization: str, slug: str) -> None:
    with pytest.raises(Refusal) as caught:
        ask("", api_key, authorization, passthrough=False)
    assert caught.value.slug == slug and "gwk_" in caught.value.message


def test_a_key_that_expires_while_it_is_cached_is_refused() -> None:
    one = authenticator()
    assert one.authenticate(SOON.encode(), b"", b"", NOW_US).account.key_name == "soon"
    with pytest.raises(EndedKey):
        one.authenticate(SOON.encode(), b"", b"", NOW_US + 1)


def test_own_credentials_are_told_apart_by_a_digest_that_never_repeats_them() -> None:
    one = authenticator()
    seen = [one.authenticate(b"", key.encode(), b"", NOW_US).account for key in (OWN, OWN, "sk-ant-other")]
    assert seen[0].credential == seen[1].credential != seen[2].credential
    assert all(account.passthrough and len(account.credential) == 16 and OWN not in repr(account) for account in seen)
    other = Authenticator({}, b"another pepper..", passthrough=True)
    assert other.authenticate(b"", OWN.encode(), b"", NOW_US).account.credential != seen[0].credential


def test_no_refusal_repeats_the_secret() -> None:
    for text in (STRANGER, ADA[:-1], GONE, LATE):
        with pytest.raises(Refusal) as caught:
            ask(text)
        assert text[20:] not in caught.value.message


def test_the_caches_do_not_grow_without_end() -> None:
    one = authenticator()
    for number in range(2 * CACHE_MAX):
        one.authenticate(b"", b"sk-%d" % number, b"", NOW_US)
    assert len(one._by_credential) <= CACHE_MAX
