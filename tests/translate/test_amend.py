"""Caps of routing rules in bodies that go on in their own dialect: what is said is lowered, what is not said stays unsaid."""

import json
from typing import Any

import pytest

from gw.translate.amend import amended

Json = dict[str, Any]


def lowered(dialect: str, body: Json, max_tokens: int = 0, effort: str = "") -> Json:
    found: Json = json.loads(amended(json.dumps(body).encode(), dialect, max_tokens, effort))
    return found


ADAPTIVE = {"thinking": {"type": "adaptive"}}
LOW = {"output_config": {"effort": "low"}}


@pytest.mark.parametrize(
    ("dialect", "body", "effort", "wanted"),
    [
        ("anthropic", ADAPTIVE, "low", ADAPTIVE | LOW),
        ("anthropic", {"output_config": {"effort": "high", "a": 1}}, "low", {"output_config": {"effort": "low", "a": 1}}),
        ("anthropic", ADAPTIVE | LOW, "high", ADAPTIVE | LOW),
        ("anthropic", ADAPTIVE, "none", {"thinking": {"type": "disabled"}}),
        ("anthropic", {"output_config": {"format": 1}}, "low", {"output_config": {"format": 1}}),
        (  # a model that is given a budget knows no effort
            "anthropic",
            {"max_tokens": 32000, "thinking": {"type": "enabled", "budget_tokens": 31999}},
            "low",
            {"max_tokens": 32000, "thinking": {"type": "enabled", "budget_tokens": 4000}},
        ),
        ("anthropic", {"max_tokens": 9}, "low", {"max_tokens": 9}),
        ("chat", {"reasoning_effort": "xhigh"}, "medium", {"reasoning_effort": "medium"}),
        ("responses", {"reasoning": {"effort": "high", "a": 1}}, "low", {"reasoning": {"effort": "low", "a": 1}}),
    ],
)
def test_an_effort_is_lowered(dialect: str, body: Json, effort: str, wanted: Json) -> None:
    assert lowered(dialect, body, effort=effort) == wanted


@pytest.mark.parametrize(
    ("thinking", "effort", "wanted"),
    [
        ({"thinkingLevel": "HIGH", "includeThoughts": True}, "low", {"thinkingLevel": "LOW", "includeThoughts": True}),
        ({"thinking_level": "high"}, "none", {"thinking_level": "LOW"}),
        ({"thinkingLevel": "MINIMAL"}, "high", {"thinkingLevel": "MINIMAL"}),
        ({"thinkingLevel": "HIGH"}, "max", {"thinkingLevel": "HIGH"}),
        ({"thinkingBudget": -1}, "low", {"thinkingBudget": 1024}),
        ({"thinkingBudget": 20000}, "medium", {"thinkingBudget": 8192}),
        ({"thinkingBudget": 500}, "medium", {"thinkingBudget": 500}),
        ({"thinking_budget": 20000}, "none", {"thinking_budget": 0}),
        ({"thinkingBudget": 20000}, "max", {"thinkingBudget": 20000}),
        ({"includeThoughts": True}, "low", {"includeThoughts": True}),
    ],
)
def test_so_is_gemini_s(thinking: Json, effort: str, wanted: Json) -> None:
    for outer, inner in (("generationConfig", "thinkingConfig"), ("generation_config", "thinking_config")):
        found = lowered("gemini", {outer: {inner: thinking}}, effort=effort)[outer]
        assert found[inner] == wanted and "maxOutputTokens" not in found


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"outputConfig": {"effort": "high"}}, {"outputConfig": {"effort": "low"}}),
        ({"more": ADAPTIVE | {"output_config": {"effort": "max"}}}, {"more": ADAPTIVE | LOW}),
        ({"more": ADAPTIVE}, {"more": ADAPTIVE | LOW}),
        ({"outputConfig": {"effort": "max"}, "more": ADAPTIVE}, {"outputConfig": {"effort": "low"}, "more": ADAPTIVE}),
        (
            {"more": {"thinking": {"type": "enabled", "budget_tokens": 9000}}},
            {"more": {"thinking": {"type": "enabled", "budget_tokens": 4000}}},
        ),
        ({"more": {"reasoning_effort": "high"}}, {"more": {"reasoning_effort": "low"}}),
        (
            {"more": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}},
            {"more": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}},
        ),
        ({"more": {"top_k": 5}}, {"more": {"top_k": 5}}),
    ],
)
def test_so_is_what_bedrock_s_models_are_asked_for(body: Json, wanted: Json) -> None:
    def named(source: Json) -> Json:
        more = {"additionalModelRequestFields": source["more"]} if "more" in source else {}
        return {name: value for name, value in source.items() if name != "more"} | more | {"inferenceConfig": {"temperature": 1}}

    assert lowered("converse", named(body), effort="low") == named(wanted)


def test_half_a_character_does_not_hide_a_body_from_its_cap() -> None:
    body = b'{"max_tokens":5000,"messages":[{"role":"user","content":"cut \\ud83d"}]}'
    for dialect, name in (("anthropic", "max_tokens"), ("chat", "max_tokens")):
        assert json.loads(amended(body, dialect, 100, ""))[name] == 100
