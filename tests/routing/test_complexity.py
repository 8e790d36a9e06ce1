"""What a prompt looks like, and whether a session should change its model for it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.tariff import Rung
from gw.routing.asked import NO_WORDS, Asked, Warm, Words
from gw.routing.complexity import PARTS, WHOLE, Expected, level_of, rising, score, worth_switching
from gw.routing.features import words_of
from tests.routing.places import KEY, router

# --- features ---------------------------------------------------------------------------------------------------------

BODIES: list[tuple[dict[str, Any], Words]] = [
    ({"messages": [{"role": "user", "content": "hi"}]}, Words(turns=1, last_text_bytes=2, easy=1)),
    (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "<system-reminder>plan</system-reminder>"},
                        {"type": "text", "text": "refactor"},
                    ],
                }
            ]
        },
        Words(turns=1, last_text_bytes=8, hard=1),
    ),
    (
        {
            "messages": [
                {"role": "user", "content": "debug this race condition:\n```\nx\n```"},
                {"role": "system", "content": "env", "output_config": {"effort": "high"}},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "n", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "list"}]},
            ],
            "thinking": {"type": "adaptive"},
        },
        Words(thinking=True, effort="high", turns=4, last_text_bytes=36, code_blocks=1, hard=2),
    ),
    ({"messages": [], "thinking": {"type": "enabled", "budget_tokens": 31_999}}, Words(thinking=True, effort="high")),
    ({"messages": [], "thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, Words(effort="low")),
    ({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}, Words(turns=1, last_text_bytes=5, easy=1)),
    (
        {"input": "prove it", "reasoning": {"effort": "xhigh"}},
        Words(thinking=True, effort="xhigh", turns=1, last_text_bytes=8, hard=1),
    ),
    (
        {"messages": [{"role": "user", "content": "x"}], "reasoning_effort": "none"},
        Words(effort="none", turns=1, last_text_bytes=1),
    ),
    ({"messages": "what", "thinking": 5, "output_config": [1]}, NO_WORDS),
    ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}}, Words(thinking=True, effort="high")),
    ({"generation_config": {"thinking_config": {"thinking_budget": 9_000}}}, Words(thinking=True, effort="medium")),
    ({"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}}, Words(thinking=True)),
    ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}, Words(effort="none")),
    ({"generationConfig": {"thinkingConfig": {"includeThoughts": True}, "temperature": 1}}, NO_WORDS),
    ({"outputConfig": {"effort": "high"}}, Words(thinking=True, effort="high")),
    (
        {"additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}},
        Words(thinking=True, effort="max"),
    ),
    (
        {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 3000}}},
        Words(thinking=True, effort="low"),
    ),
    ({"additionalModelRequestFields": {"reasoning_effort": "high"}}, Words(thinking=True, effort="high")),
    ({"additionalModelRequestFields": {"reasoningConfig": {"maxReasoningEffort": "low"}}}, Words(thinking=True, effort="low")),
    ({"additionalModelRequestFields": 5, "generationConfig": [1], "outputConfig": "x"}, NO_WORDS),
]


def test_half_a_character_hides_nothing() -> None:
    body = b'{"messages":[{"role":"user","content":"prove it \\ud83d"}],"reasoning_effort":"high"}'
    assert words_of(body) == Words(thinking=True, effort="high", turns=1, last_text_bytes=10, hard=1)


@pytest.mark.parametrize(("body", "words"), BODIES)
def test_words_of_a_body_in_any_dialect(body: dict[str, Any], words: Words) -> None:
    assert words_of(json.dumps(body).encode()) == words


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["messages", "role", "content", "text", "type", "thinking", "output_config", "effort"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_makes_it_raise(body: bytes) -> None:
    words_of(body)


# --- the score --------------------------------------------------------------------------------------------------------

FACTS = st.builds(
    Asked,
    prompt_tokens=st.integers(0, 10**6),
    tools=st.integers(0, 30),
    words=st.builds(
        Words, effort=st.sampled_from(["", "none", "low", "high", "max"]), turns=st.integers(0, 500),
        last_text_bytes=st.integers(0, 10**5), code_blocks=st.integers(0, 9), hard=st.integers(0, 9), easy=st.integers(0, 9),
    ),
    model=st.none(), now_us=st.just(0), max_tokens=st.just(-1), warm=st.none(),
)  # fmt: skip


@given(FACTS)
def test_a_score_is_the_sum_of_its_parts_and_lies_within_the_whole(asked: Asked) -> None:
    found = score(asked)
    assert found.total == sum(part for _, part in found.parts) and 0 <= found.total <= WHOLE == sum(PARTS.values())
    assert all(0 <= part <= PARTS[name] for name, part in found.parts)
    assert score(asked) == found


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 1000), st.integers(2, 10**5))
def test_more_of_a_feature_never_scores_less(one: int, other: int, low: int, width: int) -> None:
    less, more = sorted((one, other))
    assert 0 <= rising(less, low, low * width, 100) <= rising(more, low, low * width, 100) <= 100


def test_levels_begin_at_their_thresholds() -> None:
    assert [level_of(total, 300, 600) for total in (0, 299, 300, 599, 600, 1000)] == [
        "haiku",
        "haiku",
        "sonnet",
        "sonnet",
        "opus",
        "opus",
    ]


EASY = Asked(
    prompt_tokens=16_000,
    tools=12,
    words=words_of(b'{"messages":[{"role":"user","content":"rename foo to bar, list the files"}]}'),
)
HARD = Asked(
    prompt_tokens=120_000, tools=12,
    words=Words(thinking=True, effort="high", turns=40, last_text_bytes=3000, code_blocks=2, hard=3),
)  # fmt: skip


def test_simple_words_are_for_haiku_and_hard_ones_for_opus() -> None:
    assert level_of(score(EASY).total, 300, 600) == "haiku"
    assert level_of(score(HARD).total, 300, 600) == "opus"


# --- the route --------------------------------------------------------------------------------------------------------

AUTO = """
[[route]]
model = "auto"
by = "complexity"
candidates = [
  { upstream = "one", model = "claude-haiku-5-5", tier = "haiku" },
  { upstream = "one", model = "claude-opus-5-5", tier = "opus" },
  { upstream = "two", model = "claude-opus-5-5", tier = "opus", priority = 2 },
]
"""
HAIKU, OPUS = Rung(-1, 100_000, 500_000, 10_000, 125_000, 200_000), Rung(-1, 4_000_000, 20_000_000, 200_000, 5_000_000, 8_000_000)
DEAR_HAIKU = HAIKU._replace(cache_write_5m=900_000)


def rates_of(haiku: Rung = HAIKU) -> Any:
    return lambda deployment, model, prompt_tokens: {"claude-haiku-5-5": haiku, "claude-opus-5-5": OPUS}.get(model)


def sent(asked: Asked, warm: Warm | None = None, haiku: Rung | None = HAIKU) -> tuple[list[tuple[str, str]], str]:
    made = router(AUTO) if haiku is None else router(AUTO, rates_of(haiku))
    found = made.decide(
        KEY, Asked(model="auto", prompt_tokens=asked.prompt_tokens, tools=asked.tools, words=asked.words, warm=warm)
    )
    return [(one.deployment, one.model) for one in found.candidates], found.reason


def test_the_prompt_chooses_the_level_and_the_row_says_why() -> None:
    assert sent(EASY)[0] == [("one", "claude-haiku-5-5")]
    assert sent(EASY)[1].startswith("complexity:0.") and sent(EASY)[1].endswith("->haiku")
    assert sent(HARD)[0] == [("one", "claude-opus-5-5"), ("two", "claude-opus-5-5")]
    middle = Asked(prompt_tokens=30_000, tools=5, words=Words(last_text_bytes=700))
    assert 300 <= score(middle).total < 600
    assert sent(middle)[1].endswith("->opus"), "without a candidate for sonnet, the next level up"


def test_a_warm_session_changes_its_model_only_for_a_saving_above_the_loss() -> None:
    warm = Warm("one", "claude-opus-5-5", 100_000)
    places, reason = sent(EASY, warm)
    assert places == [("one", "claude-haiku-5-5")], "reading Opus's cache costs more than writing Haiku's"
    places, reason = sent(EASY, warm, DEAR_HAIKU)
    assert places == [("one", "claude-opus-5-5"), ("two", "claude-opus-5-5")] and reason.endswith("->haiku kept:opus")
    assert sent(EASY, warm, None)[0][0] == ("one", "claude-opus-5-5"), "a saving that is not known is none"
    assert sent(HARD, Warm("one", "claude-haiku-5-5", 100_000))[0] == [("one", "claude-haiku-5-5")], "dearer is no saving"
    assert sent(HARD, warm)[0][0] == ("one", "claude-opus-5-5")


RATES = st.integers(0, 10**8)
RUNGS = st.builds(Rung, st.just(-1), RATES, RATES, RATES, RATES.map(lambda rate: rate + 1), RATES.map(lambda rate: rate + 1))


@given(
    st.integers(0, 10**6),
    RUNGS,
    RUNGS,
    st.integers(1, 20),
    st.integers(0, 10**5),
    st.integers(0, 10**5),
    st.sampled_from([5, 60]),
)
def test_saving_less_loss_is_what_all_calls_cost_here_less_what_they_cost_there(
    cached: int, stay: Rung, go: Rung, calls: int, inputs: int, outputs: int, ttl: int
) -> None:
    found = worth_switching(cached, stay, go, Expected(calls, inputs, outputs), ttl=ttl)

    def write(rung: Rung) -> int:
        return rung.cache_write_1h if ttl == 60 else rung.cache_write_5m

    here = calls * (cached * stay.cache_read + inputs * write(stay) + outputs * stay.output)
    there = calls * (inputs * write(go) + outputs * go.output) + cached * (write(go) + (calls - 1) * go.cache_read)
    assert found.saving_pusd - found.loss_pusd == here - there
    assert found.worth is (there < here)


def test_a_figure_by_hand() -> None:
    """100,000 tokens in Opus's cache; 2,000 more and 800 out: 20,000 + 10,000 + 16,000 micro-USD here, 1,000 + 250 + 400 there,
    once Haiku has written the 100,000, which costs 11,500 more than reading them."""
    found = worth_switching(100_000, OPUS, HAIKU, Expected())
    assert (found.worth, found.saving_pusd, found.loss_pusd) == (True, 44_350_000_000, 11_500_000_000)
