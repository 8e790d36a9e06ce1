"""Usage objects of other dialects, and what a reader makes of broken ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.usage import Iteration, Usage
from gw.providers.usage_dialects import merged, usage_from


def test_anthropic_ttl_split_caps_1h_at_the_total_and_leaves_the_rest_at_5m():
    split = {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 70}
    usage, _ = usage_from("anthropic", "", {"cache_creation_input_tokens": 50, "cache_creation": split})
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens, usage.ttl_assumed) == (0, 50, False)
    usage, _ = usage_from("anthropic", "", {"cache_creation_input_tokens": 50})
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens, usage.ttl_assumed) == (50, 0, True)


def test_anthropic_usage_is_read_whole():
    usage, exact = usage_from(
        "anthropic",
        "",
        {
            "input_tokens": 1,
            "output_tokens": 2,
            "cache_read_input_tokens": 3,
            "output_tokens_details": {"thinking_tokens": 1},
            "server_tool_use": {"web_search_requests": 4, "web_fetch_requests": 5, "code_execution_requests": 6},
            "service_tier": "standard",
            "speed": "fast",
            "inference_geo": "us",
            "iterations": [
                {"type": "advisor_message", "model": "m", "input_tokens": 7, "cache_creation_input_tokens": 8},
                "junk",
            ],
        },
    )
    assert usage == Usage(1, 2, 3, 0, 0, 1, 4, 5, 6, "standard", "fast", "us", (Iteration("advisor_message", "m", 7, 0, 0, 8),))
    assert exact is None


@pytest.mark.parametrize(
    ("provider", "api", "raw", "expected"),
    [
        (
            "openai",
            "responses",
            {
                "input_tokens": 10,
                "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
                "output_tokens": 3,
                "output_tokens_details": {"reasoning_tokens": 2},
            },
            Usage(5, 3, 4, 1, 0, 2),
        ),
        (
            "openai",
            "responses",
            {
                "input_tokens": 100,
                "input_tokens_details": {
                    "cached_tokens": 40,
                    "cache_write_tokens": 30,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 20, "ttl_12h_tokens": 10},
                },
                "output_tokens": 3,
            },
            Usage(30, 3, 40, 20, 10),
        ),
        (
            "openai",
            "chat",
            {
                "prompt_tokens": 100,
                "prompt_tokens_details": {"cache_write_tokens": 30, "cache_write_tokens_details": {"ttl_12h_tokens": 99}},
                "completion_tokens": 3,
            },
            Usage(70, 3, 0, 0, 30),
        ),
        (
            "groq",
            "",
            {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}},
            Usage(6, 3, 4),
        ),
        (
            "gemini",
            "",
            {
                "promptTokenCount": 10,
                "toolUsePromptTokenCount": 5,
                "cachedContentTokenCount": 4,
                "candidatesTokenCount": 2,
                "thoughtsTokenCount": 7,
            },
            Usage(11, 9, 4, thinking_tokens=7),
        ),
        (
            "xai",
            "chat",
            {
                "prompt_tokens": 10,
                "completion_tokens": 3,
                "total_tokens": 18,
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(10, 8, thinking_tokens=5),
        ),
        (
            "xai",
            "chat",
            {
                "prompt_tokens": 10,
                "completion_tokens": 8,
                "total_tokens": 18,
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(10, 8, thinking_tokens=5),
        ),
        (
            "bedrock",
            "converse",
            {
                "inputTokens": 1,
                "outputTokens": 2,
                "cacheReadInputTokens": 3,
                "cacheWriteInputTokens": 10,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 6}],
            },
            Usage(1, 2, 3, 6, 4),
        ),
        ("bedrock", "converse", {"cacheWriteInputTokens": 10}, Usage(cache_write_5m_tokens=10, ttl_assumed=True)),
        ("vertex", "gemini", {"promptTokenCount": 3, "trafficType": "ON_DEMAND"}, Usage(3, service_tier="ON_DEMAND")),
        ("vertex", "gemini", {"trafficType": "ON_DEMAND_FLEX"}, Usage(service_tier="flex")),
        ("gemini", "", {"trafficType": "TRAFFIC_TYPE_UNSPECIFIED"}, Usage()),
        ("gemini", "", {"serviceTier": "PRIORITY", "trafficType": "ON_DEMAND"}, Usage(service_tier="priority")),
        ("newcomer", "gemini", {"promptTokenCount": 3, "thoughtsTokenCount": 2}, Usage(3, 2, thinking_tokens=2)),
        ("newcomer", "chat", {"prompt_tokens": 1, "completion_tokens": 2}, Usage(1, 2)),
        ("newcomer", "", {"input_tokens": 1, "output_tokens": 2}, Usage(1, 2)),
    ],
)
def test_dialect(provider, api, raw, expected):
    assert usage_from(provider, api, raw)[0] == expected


@pytest.mark.parametrize(
    ("ticks", "expected"), [(37756000, 3775600000), (0, 0), (-1, None), (True, None), ("1", None), (None, None)]
)
def test_xai_ticks_are_a_hundred_pico_each(ticks, expected):
    assert usage_from("xai", "chat", {"cost_in_usd_ticks": ticks})[1] == expected
    assert usage_from("openai", "chat", {"cost_in_usd_ticks": ticks})[1] is None


def test_the_last_value_that_is_not_null_wins_also_when_smaller():
    assert merged({"a": 9, "b": 1, "c": None}, [{"a": 3, "b": None}, {"d": 0}]) == {"a": 3, "b": 1, "d": 0}


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(
    [
        "input_tokens",
        "prompt_tokens",
        "cache_creation",
        "cache_creation_input_tokens",
        "prompt_tokens_details",
        "iterations",
        "server_tool_use",
        "cacheDetails",
        "cacheWriteInputTokens",
        "promptTokenCount",
        "completion_tokens_details",
        "total_tokens",
        "service_tier",
    ]
)


@given(
    st.sampled_from(["anthropic", "openai", "gemini", "bedrock", "deepseek", "xai", "?"]),
    st.sampled_from(["", "chat", "responses", "converse"]),
    st.dictionaries(names, junk),
)
def test_a_reader_never_raises_and_never_counts_below_zero(provider, api, raw):
    usage, _ = usage_from(provider, api, raw)
    values = [getattr(usage, name) for name in usage.__struct_fields__]
    assert all(value >= 0 for value in values if isinstance(value, int))


@pytest.mark.parametrize(
    ("provider", "api", "raw", "expected"),
    [
        ("cohere", "cohere", {"billed_units": {"input_tokens": 5, "output_tokens": 7.0}, "tokens": {"x": 9}}, Usage(5, 7)),
        ("cohere", "cohere", {"tokens": {"input_tokens": 9, "output_tokens": 2}}, Usage(9, 2)),
        ("cohere", "cohere_embeddings", {"billed_units": {"input_tokens": 5}}, Usage(5)),
        ("cohere", "", {"billed_units": {"input_tokens": -1, "output_tokens": float("inf")}}, Usage()),
        ("vertex", "vertex_anthropic", {"input_tokens": 1, "output_tokens": 2}, Usage(1, 2)),
        ("vertex", "", {"input_tokens": 1, "output_tokens": 2}, Usage(1, 2)),
        ("vertex", "chat", {"prompt_tokens": 1, "completion_tokens": 2}, Usage(1, 2)),
        ("bedrock", "invoke", {"input_tokens": 1, "output_tokens": 2}, Usage(1, 2)),
        ("newcomer", "", {"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, 2)),
        ("newcomer", "", {"promptTokenCount": 3, "candidatesTokenCount": 2}, Usage(3, 2)),
        ("newcomer", "", {"inputTokens": 3, "outputTokens": 2}, Usage(3, 2)),
        ("newcomer", "", {"input_tokens": 3, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 1}}, Usage(2, 2, 1)),
        ("newcomer", "", {"billed_units": {"input_tokens": 3}}, Usage(3)),
        ("custom", "chat", {"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, 2)),
        ("openai", "", {"input_tokens": 3, "output_tokens": 2}, Usage(3, 2)),  # a batch of Responses
        ("azure", "", {"input_tokens": 3, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 1}}, Usage(2, 2, 1)),
        ("openai", "", {"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, 2)),
    ],
)
def test_whose_words_they_are_is_known_or_seen(provider, api, raw, expected):
    assert usage_from(provider, api, raw)[0] == expected
