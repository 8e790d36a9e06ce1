"""Which account a call is charged to, and the numbers that accounts have in the shared state."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.scope import KINDS, CallPath, Scope, crowd, shared_key

GOLDEN = 2176782231832137220  # another number would orphan every sum that a running gateway keeps
PATH = CallPath("acme", "platform", "ci", "0123456789ab", "anthropic", "Claude-Opus-5-5[1m]", "alpha", "s-1")


@pytest.mark.parametrize(
    ("scope", "account"),
    [
        (Scope("customer", "acme"), "acme"),
        (Scope("team", "platform"), "platform"),
        (Scope("team", "plat"), ""),
        (Scope("team", "plat*"), "plat*"),
        (Scope("team", "plat*", each=True), "platform"),
        (Scope("team", "Plat*"), ""),
        (Scope("key", "ci"), "ci"),
        (Scope("key", "0123456789ab"), "0123456789ab"),
        (Scope("key", "*", each=True), "ci"),  # by name: the key that follows it in a rotation goes on
        (Scope("key", "01*", each=True), "ci"),
        (Scope("upstream", "anthropic"), "anthropic"),
        (Scope("model", "claude-opus-*"), "claude-opus-*"),
        (Scope("model", "CLAUDE-opus-5-5"), "claude-opus-5-5"),
        (Scope("model", "claude-opus-5-5", each=True), "claude-opus-5-5"),
        (Scope("model", "claude-*", each=True), "claude-opus-5-5"),
        (Scope("model", "claude-sonnet-*"), ""),
        (Scope("project", "al?ha"), "al?ha"),
        (Scope("project", "al?ha", each=True), "alpha"),
        (Scope("session", "*"), "s-1"),
        (Scope("session", "*", each=True, key="ci"), "s-1"),
        (Scope("session", "*", key="0123456789ab"), "s-1"),
        (Scope("session", "*", key="other"), ""),
        (Scope("session", "s-1"), "s-1"),
    ],
)
def test_account_of_a_call(scope, account):
    assert scope.account(PATH) == account


@pytest.mark.parametrize("kind", KINDS)
def test_call_without_a_value_has_no_account(kind):
    assert Scope(kind, "*").account(CallPath()) == Scope(kind, "*", each=True).account(CallPath()) == ""
    assert Scope(kind, "").account(CallPath()) == ""


def test_key_without_a_name_has_the_account_of_its_id():
    assert Scope("key", "*", each=True).account(CallPath(key_id="0123456789ab")) == "0123456789ab"


def test_scope_in_words():
    assert Scope("project", "*", each=True).text("alpha") == 'project "alpha"'


# --- how many at most -----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "a*", "*"])
SCOPES = st.one_of(
    st.builds(Scope, st.sampled_from(KINDS), NAMES, st.booleans()),
    st.builds(Scope, st.just("session"), NAMES, key=st.sampled_from("ab")),
)
VALUES = st.sampled_from(["", "a", "b"])


@given(st.lists(SCOPES, max_size=12), st.builds(CallPath, *[VALUES] * 8))
def test_no_call_falls_under_more_than_the_crowd(scopes, path):
    assert sum(1 for scope in scopes if scope.account(path)) <= crowd(scopes) <= len(scopes)


def test_names_that_exclude_each_other_are_no_crowd():
    assert crowd([Scope("team", f"team {number}") for number in range(1000)]) == 1
    assert crowd([Scope("model", "A"), Scope("model", "a[1m]")]) == 2
    assert crowd([Scope("key", "name"), Scope("key", "id"), Scope("key", "other")]) == 2
    assert crowd([Scope("session", "*", key=f"key {number}") for number in range(1000)]) == 2
    assert crowd([Scope(kind, "*") for kind in KINDS]) == 7


# --- keys -------------------------------------------------------------------------------------------------------------------

PARTS = st.tuples(st.text(max_size=5), st.text(max_size=5), st.integers(0, 2**53), st.tuples(st.text(max_size=3), st.booleans()))


@given(PARTS, PARTS)
def test_key_is_positive_fits_63_bits_and_tells_its_parts_apart(one, other):
    key = shared_key("gw-test", *one)
    assert 0 < key < 2**63
    assert key == shared_key("gw-test", *one) != shared_key("gw-other", *one)
    assert (key == shared_key("gw-test", *other)) == (one == other)


def test_key_does_not_depend_on_where_one_part_ends():
    assert len({shared_key("gw-test", *parts) for parts in (("ab", "c"), ("a", "bc"), ("abc", ""), ("abc",), ("a\0b", "c"))}) == 5


def test_key_is_the_same_in_every_process_and_for_ever():
    code = "from gw.domain.scope import shared_key; print(shared_key('gw-test', 'a', ('b', True), 1))"
    printed = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout)
    assert printed == shared_key("gw-test", "a", ("b", True), 1) == GOLDEN
