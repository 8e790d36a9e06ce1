"""From the model that is asked for to where the call goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.account import Account
from gw.errors import Refusal
from gw.routing.asked import Asked, Candidate, kind_of, with_credentials
from gw.routing.decision import Decision
from gw.routing.globs import catcher, filled, matcher
from gw.routing.plan import plan
from tests.routing.places import KEY, PLACES, router, sent

ROUTES = """
[[route]]
model = "claude-*"
candidates = [
  { upstream = "two", priority = 2 },
  { upstream = "one", weight = 3 },
  { upstream = "groq", model = "llama-of-*", weight = 1 },
]
[[route]]
model = "small"
candidates = [{ upstream = "groq", model = "llama-3.3-70b" }]
[[route]]
model = "claude-haiku-5-5"
candidates = [{ upstream = "two" }]
[[route]]
model = "*/*-x"
candidates = [{ upstream = "two", model = "b/*/*" }]
"""

SENT = [
    ("", "claude-opus-5-5", [("one", "claude-opus-5-5")]),
    ("", "gpt-9", [("two", "gpt-9")]),
    ("", "two/gpt-9", [("two", "gpt-9")]),
    ("", "groq/llama-3.3-70b-versatile", [("groq", "llama-3.3-70b-versatile")]),
    ("", "anthropic/claude-x", [("one", "claude-x"), ("two", "claude-x")]),
    ("", "two/meta/llama", [("two", "meta/llama")]),
    ("", "nobody/claude-x", [("two", "nobody/claude-x")]),
    ("", "two/", [("two", "two/")]),
    (ROUTES, "claude-opus-5-5", [("two", "claude-opus-5-5"), ("one", "claude-opus-5-5"), ("groq", "llama-of-opus-5-5")]),
    (
        ROUTES,
        "CLAUDE-Opus-5-5[1m]",
        [("two", "CLAUDE-Opus-5-5[1m]"), ("one", "CLAUDE-Opus-5-5[1m]"), ("groq", "llama-of-Opus-5-5")],
    ),
    (ROUTES, "small", [("groq", "llama-3.3-70b")]),
    (ROUTES, "Small[1m]", [("groq", "llama-3.3-70b")]),
    (ROUTES, "claude-haiku-5-5", [("two", "claude-haiku-5-5")]),  # the exact name before the pattern that stands earlier
    (ROUTES, "a/c-x", [("two", "b/a/c")]),
    (ROUTES, "two/claude-opus-5-5", [("two", "claude-opus-5-5")]),
]


@pytest.mark.parametrize(("text", "model", "places"), SENT)
def test_a_model_goes_where_routes_names_and_upstreams_say(text: str, model: str, places: list[tuple[str, str]]) -> None:
    assert sent(text, model) == places


def test_a_candidate_says_weight_priority_and_reason() -> None:
    candidates = router(ROUTES).candidates(KEY, Asked(model="claude-opus-5-5"))
    assert [(one.deployment, one.weight, one.priority) for one in candidates] == [("two", 1, 2), ("one", 3, 1), ("groq", 1, 1)]
    assert {one.reason for one in candidates} == {"route:claude-*"}


def test_a_decision_says_what_the_row_will_say() -> None:
    decision = router(ROUTES).decide(KEY, Asked(model="small"))
    assert (decision.reason, decision.rerouted_from) == ("route:small", "small")
    plain = router(ROUTES).decide(KEY, Asked(model="gpt-9"))
    assert (plain.reason, plain.rerouted_from) == ("", "")


def said(one: Decision) -> tuple[object, ...]:
    caps = one.max_tokens, one.effort, one.wait_s, one.larger_on_overflow
    return one.candidates, one.reason, one.rerouted_from, one.by, caps, one.tags, one.rules, one.shadowed


def test_a_decision_that_is_remembered_is_the_one_that_is_made_anew() -> None:
    """Of those who may do anything; a client's own login, and a key that may not do all, are decided each time."""
    again = router(ROUTES)
    for model in ("small", "gpt-9", "claude-opus-5-5") * 2:
        assert said(again.decide(KEY, Asked(model=model))) == said(router(ROUTES).decide(KEY, Asked(model=model)))
        assert again.settled(KEY, model, own_login=False) is again.decide(KEY, Asked(model=model))
        assert again.settled(KEY, model, own_login=True) is None
        assert again.settled(KEY.but(models=("gpt-*",)), model, own_login=False) is None
        assert again.settled(KEY.but(upstreams=("one",)), model, own_login=False) is None
    assert again.settled(KEY, "not asked yet", own_login=False) is None


TIERS = """
[tiers]
haiku = "groq/llama-tiny"
opus = "small"
[[tiers.override]]
team = "plat*"
haiku = "two/team-haiku"
sonnet = "two/team-sonnet"
[[tiers.override]]
key = "ci"
haiku = "two/key-haiku"
[[route]]
model = "small"
candidates = [{ upstream = "groq", model = "llama-3.3-70b" }]
"""
OTHER = KEY.but(key_name="x", key_id="x", team="else")
TIERED = [
    (KEY, "claude-haiku-4-5-20251001", ("two", "key-haiku")),
    (KEY.but(key_name="x", key_id="x"), "claude-haiku-5-5", ("two", "team-haiku")),
    (KEY, "claude-sonnet-5-5", ("two", "team-sonnet")),
    (OTHER, "claude-3-5-haiku-20241022", ("groq", "llama-tiny")),
    (OTHER, "us.anthropic.claude-opus-4-8-v1:0", ("groq", "llama-3.3-70b")),  # a target may be a route's name
    (OTHER, "claude-sonnet-5-5", ("one", "claude-sonnet-5-5")),
    (OTHER, "claude-fable-5-2", ("one", "claude-fable-5-2")),
    (OTHER, "two/claude-haiku-5-5", ("two", "claude-haiku-5-5")),  # who names an upstream means it
    (OTHER, "gpt-haiku", ("two", "gpt-haiku")),
]


@pytest.mark.parametrize(("account", "model", "place"), TIERED)
def test_a_tier_is_of_the_key_then_of_the_team_then_of_all(account: Account, model: str, place: tuple[str, str]) -> None:
    assert sent(TIERS, model, account) == [place]


def test_keys_limits_are_about_what_is_asked_for_and_upstreams_about_where_it_goes() -> None:
    bounded = KEY.but(models=("small",), upstreams=("groq",))
    assert sent(ROUTES, "small", bounded) == [("groq", "llama-3.3-70b")]
    with pytest.raises(Refusal) as caught:
        sent(ROUTES, "groq/llama-3.3-70b", bounded)
    assert caught.value.slug == "model_not_allowed"
    with pytest.raises(Refusal) as caught:
        sent(ROUTES, "claude-haiku-5-5", KEY.but(upstreams=("one",)))
    assert caught.value.slug == "upstream_not_allowed" and "(two)" in caught.value.message
    kept = sent(ROUTES, "claude-opus-5-5", KEY.but(upstreams=("one", "gr*")))
    assert [name for name, _ in kept] == ["one", "groq"]


def test_an_endpoint_without_a_model_goes_to_the_first_upstream_that_the_key_may_use() -> None:
    assert sent(ROUTES, None, KEY.but(upstreams=("two",))) == [("two", "")]  # type: ignore[arg-type]


NAMES = st.text("abcdef-*?/.", min_size=1, max_size=12)


@given(NAMES, st.lists(NAMES, max_size=3), st.lists(st.sampled_from(["one", "two", "groq", "t*", "x"]), max_size=3))
def test_without_tables_it_answers_as_plan_does(model: str, models: list[str], upstreams: list[str]) -> None:
    if "/" in model:
        return
    account = Account(key_id="k", key_name="k", models=tuple(models) or ("*",), upstreams=tuple(upstreams) or ("*",))

    def planned() -> object:
        try:
            return plan(account, model, PLACES).name
        except Refusal as refusal:
            return refusal.slug, refusal.message

    def routed() -> object:
        try:
            (one,) = EMPTY.candidates(account, Asked(model=model))
        except Refusal as refusal:
            return refusal.slug, refusal.message
        assert one.model == model
        return one.deployment

    assert EMPTY.plain
    assert routed() == planned()


EMPTY = router()


@given(st.text("ab*?-", max_size=8), st.text("ab-", max_size=10))
def test_what_the_stars_caught_fills_the_same_pattern_again(pattern: str, name: str) -> None:
    found = catcher(pattern).fullmatch(name)
    assert (found is not None) == (bool(matcher((pattern,))(name)) or name == "") or not pattern or name == ""
    if found is not None and "?" not in pattern:
        assert filled(pattern, found.groups()) == name


@given(
    st.lists(st.text("ab*!", min_size=1, max_size=4).filter(lambda text: text != "!"), max_size=4),
    st.text("ab", min_size=1, max_size=4),
)
def test_a_list_of_patterns_is_any_of_them_and_none_of_those_turned_round(patterns: list[str], name: str) -> None:
    wanted = [one for one in patterns if not one.startswith("!")]
    refused = [one[1:] for one in patterns if one.startswith("!")]
    expected = (not wanted or any(catcher(one).fullmatch(name) for one in wanted)) and not any(
        catcher(one).fullmatch(name) for one in refused
    )
    assert bool(matcher(tuple(patterns))(name)) == bool(expected) or not patterns


KINDS = [
    ("a1", "main", 5, 100, "subagent"),
    ("", "main", 0, 100, "main"),
    ("", "title", 9, 64_000, "background"),
    ("", "", 0, 512, "background"),
    ("", "", 0, -1, "main"),
    ("", "", 12, 512, "main"),
]


@pytest.mark.parametrize(("agent", "said", "tools", "cap", "kind"), KINDS)
def test_who_of_claude_code_asks(agent: str, said: str, tools: int, cap: int, kind: str) -> None:
    assert kind_of(agent, said, tools=tools, max_tokens=cap) == kind


def test_credentials_divide_the_weight_of_their_candidate() -> None:
    candidates = (Candidate("a", "m", weight=3), Candidate("b", "m", weight=1))
    assert with_credentials(candidates, {}) is candidates
    found = with_credentials(candidates, {"a": (("x", 2), ("y", 1), ("spare", 0))})
    assert [(one.deployment, one.credential, one.weight) for one in found] == [
        ("a", "x", 2000), ("a", "y", 1000), ("a", "spare", 0), ("b", "", 1000),
    ]  # fmt: skip


LOGIN = """
[tiers]
haiku = "groq/llama-tiny"
[[route]]
model = "auto"
candidates = [{ upstream = "groq", model = "llama-x" }, { upstream = "two", model = "claude-x" }]
[[route]]
model = "llama"
candidates = [{ upstream = "groq", model = "llama-x" }]
[[rule]]
name = "r"
when = { kind = "subagent" }
do = { model = "groq/llama-tiny", max_tokens = 5 }
"""


def test_a_clients_own_login_is_never_shown_to_another_provider() -> None:
    """Tiers and rules that would are passed over, candidates elsewhere left out, and names that mean nothing else refused."""
    for account, own in ((Account(credential="x"), False), (KEY, True)):
        assert sent(LOGIN, "claude-haiku-5-5", account, own_login=own) == [("one", "claude-haiku-5-5")]
        assert sent(LOGIN, "claude-x", account, own_login=own, kind="subagent") == [("one", "claude-x")]
        assert sent(LOGIN, "auto", account, own_login=own) == [("two", "claude-x")]
        for model in ("llama", "groq/llama-tiny"):
            for text in (LOGIN, ""):
                if text or "/" in model:
                    with pytest.raises(Refusal) as caught:
                        sent(text, model, account, own_login=own)
                    assert caught.value.slug == "upstream_not_allowed" and "your own login" in caught.value.message
        decision = router(LOGIN).decide(account, Asked(model="claude-x", kind="subagent", own_login=own))
        assert (decision.max_tokens, decision.reason, decision.rules) == (5, "", ("r",))
    assert sent(LOGIN, "claude-haiku-5-5") == [("groq", "llama-tiny")]


def test_rules_are_about_calls_that_ask_for_a_model() -> None:
    assert sent('[[rule]]\nname = "r"\ndo.deny = "no"', None) == [("one", "")]  # type: ignore[arg-type]
