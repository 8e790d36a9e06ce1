"""Tables about routing: what is taken, and each mistake with its table, key and line."""

from pathlib import Path

import pytest

from gw.config.effective import effective, toml_text
from gw.config.load import ConfigError, parse
from gw.config.routing_model import EXAMPLES

HEAD = '[[upstream]]\nname = "one"\n[[upstream]]\nname = "two"\n'
ROUTE = '[[route]]\nmodel = "m-*"\n[[route.candidates]]\nupstream = "one"\n'

BROKEN = [
    ('[[route]]\nmodel = "m"', 'config.toml:5: route: the route "m" has no candidates, so its calls could go nowhere'),
    (
        '[[route]]\nmodel = "m"\ncandidates = [{ upstream = "tow" }]',
        'config.toml:7: route.candidates.upstream: there is no upstream "tow"; did you mean "two"?',
    ),
    (
        '[[route]]\nmodel = "m"\n[[route.candidates]]\nupstream = "one"\nmodel = "x-*"',
        'config.toml:9: route.candidates.model: "x-*" carries over what a * stood for, but the route\'s name has none',
    ),
    (
        ROUTE + '[[route]]\nmodel = "M-*[1m]"',
        'config.toml:10: route.model: pattern "M-*[1m]": only * and ? are special, brackets are not supported',
    ),
    (
        ROUTE + ROUTE.replace("m-*", "M-*"),
        'config.toml:10: route.model: there are two routes for "M-*"',
    ),
    (
        ROUTE + 'tier = "opus"',
        'config.toml:9: route.candidates.tier: has a meaning only with by = "complexity"',
    ),
    (
        '[tiers]\nhaiku = "grok/llama"',
        'config.toml:6: tiers.haiku: "grok/llama" is neither the name of a route, nor upstream/model, nor served by an upstream',
    ),
    (
        '[[tiers.override]]\nhaiku = "one/x"',
        "config.toml:5: tiers.override: names neither a team nor a key; what is for everybody stands in [tiers] itself",
    ),
    (
        '[[rule]]\nname = "r"\ndo = { route = "m", model = "one/x" }',
        'config.toml:7: rule.do: "r" says where to go by route and model; keep one of them',
    ),
    ('[[rule]]\nname = "r"\ndo.route = "n"', 'config.toml:7: rule.do.route: there is no route "n"'),
    ('[[rule]]\nname = "r"\ndo.model = "m-*"', 'config.toml:7: rule.do.model: "m-*" must be the name of one model'),
    (
        '[[rule]]\nname = "r"\ndo = { deny = "no", max_tokens = 5 }',
        'config.toml:7: rule.do.deny: "r" refuses the call, so max_tokens has no meaning',
    ),
    (
        '[[rule]]\nname = "r"\nwhen.prompt_tokens = "lots"',
        'config.toml:7: rule.when.prompt_tokens: must be a comparison such as ">= 200k", "< 8000" or "100k..200k", not "lots"',
    ),
    (
        '[[rule]]\nname = "r"\n[rule.when]\nany = [{ time = "25:00-26:00" }]',
        'config.toml:8: rule.when.any.time: "25:00-26:00" is no time of a day',
    ),
    (
        '[[rule]]\nname = "r"\nwhen.time = "Mon-Fri Europe/Berln"',
        'config.toml:7: rule.when.time: there is no time zone "Europe/Berln"; did you mean "Europe/Berlin"?',
    ),
    (
        '[[rule]]\nname = "r"\nwhen = { kind = "sub" }',
        'config.toml:7: rule.when.kind: must be of main, subagent, background, not "sub"',
    ),
    ('[[rule]]\nname = "r"\nwhen.tools = "yes"', 'config.toml:7: rule.when.tools: must be true or false, not "yes"'),
    ('[[rule]]\nname = "r"\nwhen.header = { "a b" = "x" }', 'config.toml:7: rule.when.header: "a b" is not a header name'),
    (
        '[[rule]]\nname = "r"\nwhen.budget = "b"',
        "config.toml:7: rule.when.budget: says nothing by itself; write budget_used_percent beside it",
    ),
    ('[[rule]]\nname = "r"\nwhen.modle = "x"', 'config.toml:7: rule.when.modle: unknown key; did you mean "model"?'),
    (
        '[[budget]]\nname = "b"\nkey = "*"\nlimit_usd = 1\non_exceed_model = "claude-haiku-5-5"',
        'config.toml:9: budget.on_exceed_model: has a meaning only with mode = "soft"',
    ),
    (
        '[[budget]]\nname = "b"\nupstream = "one"\nmode = "soft"\nlimit_usd = 1\non_exceed_wait_s = 1',
        "config.toml:10: budget.on_exceed_wait_s: comes before it is known which upstream a call goes to",
    ),
    (
        '[[budget]]\nname = "b"\nkey = "*"\nmode = "soft"\nlimit_usd = 1\non_exceed_model = "nowhere/x"',
        'config.toml:10: budget.on_exceed_model: "nowhere/x" is neither the name of a route',
    ),
    (
        '[[budget]]\nname = "b"\nkey = "*"\nlimit_usd = 1\non_exceed_elsewhere = true',
        "config.toml:9: budget.on_exceed_elsewhere: has a meaning only for a budget of an upstream",
    ),
    ("[routing]\ncooldown_s = 100", "config.toml:6: routing.cooldown_s: is longer than cooldown_max_s"),
    (
        '[[rule]]\nname = "r"\n[[rule]]\nname = "r"',
        'config.toml:8: rule.name: duplicate name "r", also at config.toml:6',
    ),
]


@pytest.mark.parametrize(("text", "message"), BROKEN, ids=[message[13:70] for _, message in BROKEN])
def test_mistake_is_named_with_its_table_and_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(HEAD + text, "config.toml", Path("/base"), {})
    assert str(caught.value.problems[0]).startswith(message)


WARNED = [
    ('[[route]]\nmodel = "*"\ncandidates = [{ upstream = "one" }]\n' + ROUTE, 'is never asked: the route "*" before it'),
    ('[[rule]]\nname = "a"\n[[rule]]\nname = "b"', 'is never asked: the rule "a" before it stops at every call'),
    ('[[rule]]\nname = "a"\nthen = "go on"', '"a" does nothing'),
    ('[[rule]]\nname = "a"\ndo.tag = ["x"]\n[[rule.when.any]]\n', "says nothing, and so holds for every call"),
    (
        '[[budget]]\nname = "b"\nupstream = "one"\nlimit_usd = 1\n'
        '[[rule]]\nname = "a"\nwhen = { budget = "b", budget_used_percent = ">= 9" }\ndo.tag = ["x"]',
        "never holds: rules are asked before it is known where a call goes",
    ),
]


@pytest.mark.parametrize(("text", "message"), WARNED)
def test_what_is_probably_not_meant_is_a_warning(text: str, message: str) -> None:
    warnings = parse(HEAD + text, "config.toml", Path("/base"), {"ANTHROPIC_API_KEY": "x"}).source.warnings
    assert any(one.message.startswith(message) for one in warnings), warnings


@pytest.mark.parametrize("table", EXAMPLES)
def test_what_gw_check_prints_means_the_same(table: str) -> None:
    loaded = parse(EXAMPLES[table], "config.toml", Path("/base"), {})
    again = parse(toml_text(effective(loaded.config, loaded.source)), "config.toml", Path("/base"), {})
    assert (again.config.route, again.config.rule, again.config.tiers) == (
        loaded.config.route, loaded.config.rule, loaded.config.tiers,
    )  # fmt: skip
