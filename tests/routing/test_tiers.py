"""Claude Code's own model ids, of all versions that it has sent, and names that only resemble them."""

import pytest

from gw.routing.tiers import tier_of

KNOWN = [
    ("claude-opus-5-5", "opus"),
    ("claude-opus-4-8", "opus"),
    ("claude-opus-4-20250514", "opus"),
    ("claude-sonnet-5-5", "sonnet"),
    ("claude-sonnet-5", "sonnet"),
    ("claude-sonnet-4-6[1m]", "sonnet"),
    ("claude-haiku-4-5-20251001", "haiku"),
    ("claude-haiku-5-5", "haiku"),
    ("claude-fable-5", "fable"),
    ("claude-fable-5-2", "fable"),
    ("claude-3-5-haiku-20241022", "haiku"),
    ("claude-3-7-sonnet-latest", "sonnet"),
    ("claude-3-opus-20240229", "opus"),
    ("Claude-Opus-5-5", "opus"),
    ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "sonnet"),
    ("anthropic.claude-opus-5-5", "opus"),
    ("apac.anthropic.claude-3-5-sonnet-20241022-v2:0", "sonnet"),
    ("claude-sonnet-4-5@20250929", "sonnet"),
    ("anthropic/claude-sonnet-5-5", "sonnet"),
    ("my-team/claude-sonnet-4-5", "sonnet"),
    ("openrouter/anthropic/claude-opus-4.8", "opus"),
]
UNKNOWN = [
    "", "opus", "haiku", "claude", "claude-2.1", "claude-instant-1-2", "my-claude-haiku", "claude-haiku-mini",
    "claude-opus-5-5-pro", "gpt-5.2", "groq/llama-3.3-70b-versatile", "claude-via-groq/llama-3.3-70b",
    "claude-mythos-5", "claude-opus-", "claude-opus/x",
]  # fmt: skip


@pytest.mark.parametrize(("model", "tier"), KNOWN)
def test_every_id_of_a_tier_is_known(model: str, tier: str) -> None:
    assert tier_of(model) == tier


@pytest.mark.parametrize("model", UNKNOWN)
def test_a_name_that_only_resembles_one_is_none(model: str) -> None:
    assert tier_of(model) == ""
