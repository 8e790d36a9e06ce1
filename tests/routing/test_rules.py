"""Rules: which calls they are for, and what they do."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gw.domain.account import Account
from gw.errors import Refusal
from gw.routing.asked import Asked, Warm, Words
from gw.routing.decision import Decision
from gw.routing.rules import Action, merged
from tests.routing.places import KEY, router

WARM = Warm("one", "claude-opus-5-5", 50_000)
FRIDAY_22 = 1_795_213_200_000_000  # 2026-11-20 22:20 in Berlin
CALL = Asked(model="claude-opus-5-5", now_us=FRIDAY_22)


def decide(text: str, asked: Asked = CALL, account: Account = KEY) -> Decision:
    return router(text).decide(account, asked)


def applies(when: str, asked: Asked, account: Account = KEY) -> bool:
    return bool(decide(f'[[rule]]\nname = "r"\nwhen = {{ {when} }}\ndo.tag = ["t"]', asked, account).rules)


HOLDS: list[tuple[str, dict[str, Any], bool]] = [
    ("", {}, True),
    ('model = "claude-opus-*"', {"model": "Claude-Opus-5-5[1m]"}, True),
    ('model = ["gpt-*", "claude-haiku-*"]', {}, False),
    ('model = "!claude-haiku-*"', {}, True),
    ('key = "ci"', {}, True),
    ('key = "k1"', {}, True),
    ('key = ["!ci"]', {}, False),
    ('key = ["!k1"]', {}, False),
    ('team = "plat*", customer = "acme"', {}, True),
    ('team = "plat*", customer = "other"', {}, False),
    ('project = "alpha"', {"project": "alpha"}, True),
    ('project = "*"', {"project": ""}, False),
    ('header.x-app = "cli*"', {"headers": {"x-app": "cli-2"}}, True),
    ('header.x-app = "cli*"', {}, False),
    ('header = { X-App = "!cli*" }', {}, True),
    ('kind = ["subagent", "background"]', {"kind": "subagent"}, True),
    ('kind = "main"', {"kind": "subagent"}, False),
    ('agent = "a*"', {"agent": "a1"}, True),
    ('prompt_tokens = ">= 200k"', {"prompt_tokens": 200_000}, True),
    ('prompt_tokens = ["< 10", "100..200"]', {"prompt_tokens": 150}, True),
    ('prompt_tokens = ["< 10", "100..200"]', {"prompt_tokens": 50}, False),
    ('max_tokens = "> 0"', {"max_tokens": -1}, False),
    ('max_tokens = "<= 1024"', {"max_tokens": 1024}, True),
    ("tools = true, images = false", {"tools": 3}, True),
    ("tools = false", {"tools": 3}, False),
    ("stream = true", {"stream": True}, True),
    ("thinking = true", {"words": Words(thinking=True)}, True),
    ('effort = ["high", "max"]', {"words": Words(effort="max")}, True),
    ('effort = ["high", "max"]', {}, False),
    ('time = "Fri 22:00-06:00 Europe/Berlin"', {}, True),
    ('time = ["Sat,Sun", "08:00-09:00"]', {}, False),
    ('budget_used_percent = ">= 90"', {"budgets": {"": 93}}, True),
    ('budget_used_percent = ">= 0"', {}, False),
    ('budget = "b", budget_used_percent = "< 50"', {"budgets": {"": 93, "b": 10}}, True),
    ("cache_warm = true", {"warm": WARM}, True),
    ("cache_warm = false", {"warm": WARM}, False),
    ('cached_tokens = "< 1000"', {}, True),
    ('any = [{ kind = "subagent" }, { tools = true, images = true }]', {"tools": 1}, False),
    ('any = [{ kind = "subagent" }, { tools = true, images = true }]', {"tools": 1, "images": 1}, True),
    ('not = { team = "platform", kind = "main" }', {}, False),
    ('not = { team = "platform", kind = "main" }', {"kind": "subagent"}, True),
    ('model = "claude-*", any = [{ tools = true }], not = { images = true }', {"tools": 1}, True),
]
BUDGET = '[[budget]]\nname = "b"\nteam = "platform"\nlimit_usd = 1\n[[team]]\nname = "platform"\n'


@pytest.mark.parametrize(("when", "facts", "holds"), HOLDS)
def test_a_condition_holds_when_all_of_it_does(when: str, facts: dict[str, Any], holds: bool) -> None:
    text = BUDGET + f'[[rule]]\nname = "r"\nwhen = {{ {when} }}\ndo.tag = ["t"]'
    assert bool(decide(text, replace(CALL, **facts)).rules) is holds


@pytest.mark.parametrize(
    ("when", "wants"),
    [
        ('model = "x"', set()),
        ('header.x = "y"', {"headers"}),
        ('prompt_tokens = "> 5"', {"weight"}),
        ('not = { effort = "low" }', {"words"}),
        ("any = [{ cache_warm = true }, { tools = true }]", {"session", "weight"}),
        ('budget_used_percent = "> 5"', {"budgets"}),
    ],
)
def test_a_router_says_which_facts_it_waits_for(when: str, wants: set[str]) -> None:
    made = router(f'[[rule]]\nname = "r"\nwhen = {{ {when} }}\ndo.tag = ["t"]')
    assert made.wants == wants and not made.plain
    assert made.names == ({"x"} if "headers" in wants else set())


def test_the_first_rule_that_applies_is_the_last_one_unless_it_goes_on() -> None:
    text = """
    [[rule]]
    name = "a"
    then = "go on"
    do = { max_tokens = 8000, effort = "high", tag = ["x"] }
    [[rule]]
    name = "off"
    active = false
    do = { deny = "no" }
    [[rule]]
    name = "no"
    when = { kind = "background" }
    do = { deny = "no" }
    [[rule]]
    name = "b"
    do = { max_tokens = 9000, effort = "low", tag = ["y", "x"], model = "two/claude-sonnet-5-5" }
    [[rule]]
    name = "c"
    do = { max_tokens = 1 }
    """
    found = decide(text)
    assert (found.rules, found.max_tokens, found.effort, found.tags) == (("a", "b"), 8000, "low", ("x", "y"))
    assert [(one.deployment, one.model, one.reason) for one in found.candidates] == [("two", "claude-sonnet-5-5", "rule:b")]
    assert found.rerouted_from == "claude-opus-5-5"


def test_a_denial_is_a_refusal_with_the_rules_words_and_name() -> None:
    with pytest.raises(Refusal) as caught:
        decide('[[rule]]\nname = "quiet"\ndo.deny = "Not at night."')
    refusal = caught.value
    assert (refusal.slug, refusal.message, refusal.rule) == ("denied_by_rule", "Not at night.", "quiet")
    assert refusal.kind.type == "policy_blocked" and refusal.kind.status == 400


def test_a_rule_in_the_shadow_is_only_told_of_and_stops_nothing() -> None:
    text = """
    [[rule]]
    name = "ban"
    do = { deny = "no", shadow = true }
    [[rule]]
    name = "short"
    do = { max_tokens = 10, tag = ["t"] }
    [[rule]]
    name = "after"
    do = { max_tokens = 5, shadow = true }
    """
    found = decide(text)
    assert found.shadowed == ("ban: deny",)
    assert (found.rules, found.max_tokens) == (("short",), 10)


ROUTE = '[[route]]\nmodel = "big-*"\ncandidates = [{ upstream = "two", model = "huge-*" }, { upstream = "one" }]\n'
TARGETS = [
    ('route = "big-*"', [("two", "huge-claude-opus-5-5"), ("one", "claude-opus-5-5")]),
    ('model = "big-x"', [("two", "huge-x"), ("one", "big-x")]),
    ('model = "claude-haiku-5-5"', [("one", "claude-haiku-5-5")]),
    ('model = "groq/llama-x"', [("groq", "llama-x")]),
    (
        'candidates = [{ upstream = "groq", model = "l-*" }, { upstream = "two", priority = 2 }]',
        [("groq", "l-claude-opus-5-5"), ("two", "claude-opus-5-5")],
    ),
]


@pytest.mark.parametrize(("do", "places"), TARGETS)
def test_a_rule_says_where_to_by_route_model_or_candidates(do: str, places: list[tuple[str, str]]) -> None:
    found = decide(f'{ROUTE}[[rule]]\nname = "r"\ndo = {{ {do} }}')
    assert [(one.deployment, one.model) for one in found.candidates] == places
    assert found.reason == "rule:r"


def test_a_rules_target_stays_within_the_upstreams_of_the_key() -> None:
    with pytest.raises(Refusal) as caught:
        decide('[[rule]]\nname = "r"\ndo.model = "groq/llama-x"', account=KEY.but(upstreams=("one",)))
    assert caught.value.slug == "upstream_not_allowed"


def test_a_downgrade_is_not_undone_by_a_tier() -> None:
    text = '[tiers]\nsonnet = "two/other"\n[[rule]]\nname = "r"\ndo.model = "claude-sonnet-5-5"'
    assert [(one.deployment, one.model) for one in decide(text).candidates] == [("one", "claude-sonnet-5-5")]


ACTIONS = st.builds(
    lambda **said: Action(**said),
    model=st.sampled_from(["", "a", "b"]),
    max_tokens=st.integers(0, 5),
    effort=st.sampled_from(["", "low", "high"]),
    tags=st.lists(st.sampled_from("xyz"), max_size=2, unique=True).map(tuple),
)


@given(ACTIONS, ACTIONS, ACTIONS)
def test_rules_add_up_the_same_however_they_are_grouped(a: Action, b: Action, c: Action) -> None:
    assert merged(merged(a, b), c) == merged(a, merged(b, c))
    assert merged(Action(), a) == a == merged(a, Action())
