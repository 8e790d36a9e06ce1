"""The ids that are sent upstream find their price card, with whatever each platform adds to a name."""

import pytest

from gw.domain.usage import Usage
from gw.providers.registry import REGISTRY

from .conftest import NOW, price

TYPICAL = [
    ("openai", "gpt-5.1-2025-11-13", "openai/gpt-5.1"),
    ("openai", "text-embedding-3-small", "openai/text-embedding-3-small"),
    ("openai", "ft:gpt-4o-mini-2024-07-18:org::abc", "openai/ft:gpt-4o-mini"),
    ("azure", "gpt-5.1", "openai/gpt-5.1"),
    ("azure", "grok-4", "x-ai/grok-4-0709"),
    ("foundry", "claude-opus-5-5", "anthropic/claude-opus-5-5"),
    ("anthropic_aws", "claude-opus-5-5", "anthropic/claude-opus-5-5"),
    ("bedrock", "us.anthropic.claude-opus-5-5", "anthropic/claude-opus-5-5@regional"),
    ("bedrock", "apac.amazon.nova-pro-v1:0", "aws/amazon.nova-pro-v1:0"),
    ("bedrock", "us.meta.llama4-maverick-17b-instruct-v1:0", "aws/meta.llama4-maverick-17b-instruct-v1:0"),
    ("bedrock", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "aws/amazon.nova-pro-v1:0"),
    ("bedrock", "openai.gpt-oss-120b", "aws/openai.gpt-oss-120b-1:0"),
    ("bedrock", "global.openai.gpt-6-sol", "aws/global.openai.gpt-6-sol"),
    ("bedrock", "us.openai.gpt-6-sol", "aws/regional.openai.gpt-6-sol"),
    ("vertex", "claude-sonnet-4-5@20250929", "anthropic/claude-sonnet-4-5"),
    ("vertex", "publishers/anthropic/models/claude-opus-5-5", "anthropic/claude-opus-5-5"),
    ("vertex", "google/gemini-2.5-pro", "google/gemini-2.5-pro"),
    ("vertex", "publishers/google/models/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("vertex", "gemini-2.5-flash@default", "google/gemini-2.5-flash"),
    ("gemini", "models/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("gemini", "gemini-embedding-001", "google/gemini-embedding-001"),
    ("cohere", "command-a-03-2025", "cohere/command-a"),
    ("groq", "openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
    ("mistral", "mistral-large-latest", "mistral/mistral-large"),
    ("deepseek", "deepseek-v4-pro", "deepseek/deepseek-v4-pro"),
    ("xai", "grok-4.3", "x-ai/grok-4.3"),
    ("together", "Qwen/Qwen3.8-Flash", "together/Qwen/Qwen3.8-Flash"),
    ("together", "deepseek-ai/DeepSeek-V3.1", "huggingface_together/deepseek-ai/DeepSeek-V3.1"),
    ("fireworks", "accounts/fireworks/models/kimi-k2p6", "fireworks/kimi-k2p6"),
    ("fireworks", "kimi-k2p6", "fireworks/kimi-k2p6"),
    ("openrouter", "anthropic/claude-opus-5.5", "openrouter/anthropic/claude-opus-5.5"),
    ("openrouter", "anthropic/claude-opus-5.5:nitro", "openrouter/anthropic/claude-opus-5.5"),
    ("openrouter", "anthropic/claude-opus-5.5:batch", "openrouter/anthropic/claude-opus-5.5:batch"),
    ("cerebras", "gpt-oss-120b", "cerebras/gpt-oss-120b"),
    ("perplexity", "sonar-pro", "perplexity/sonar-pro"),
    ("nebius", "openai/gpt-oss-120b", "huggingface_nebius/openai/gpt-oss-120b"),
    ("huggingface", "openai/gpt-oss-120b:groq", "huggingface_groq/openai/gpt-oss-120b"),
    ("ollama", "llama3.2", "ollama/self_hosted"),
    ("vllm", "meta-llama/Llama-3.1-8B", "vllm/self_hosted"),
    ("sglang", "anything", "sglang/self_hosted"),
]
PRICELESS = {"parasail", "openai_compatible", "custom"}  # no list has them: a [[pricing.override]] says it


@pytest.mark.parametrize(("provider", "model", "card"), TYPICAL)
def test_a_typical_id_has_a_card(book, provider, model, card):
    found = price(book, Usage(input_tokens=1000), provider=provider, model=model)
    assert found.price_version.endswith(f"#{card}")
    assert (found.billed_pusd > 0) == (not card.endswith("self_hosted"))


def test_every_provider_has_one():
    assert {provider for provider, _, _ in TYPICAL} | PRICELESS | {"anthropic"} == REGISTRY.keys()


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("huggingface", "openai/gpt-oss-120b"),  # the router chooses the host, and with it the price
        ("fireworks", "accounts/acme/models/own"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"),
        ("openrouter", "nobody/knows:nitro"),
        ("custom", "gpt-5.1"),
        ("parasail", "parasail-x"),
    ],
)
def test_what_has_no_price_is_not_given_anothers(book, provider, model):
    assert not book.knows(provider=provider, upstream="", region="", model=model, at_us=NOW)


@pytest.mark.parametrize("provider", ["openai", "groq", "mistral", "fireworks", "openrouter", "perplexity", "cerebras"])
def test_every_id_of_the_data_set_finds_its_own_row(book, catalog, provider):
    """No rule of ours leads an id that has a row to another one."""
    for entry in catalog.providers[provider].models:
        if entry.match.equals is not None and entry.match.equals == entry.match.equals.lower():
            hit = catalog.find(provider, entry.match.equals)
            if hit is not None and book.knows(provider=provider, upstream="", region="", model=entry.match.equals, at_us=NOW):
                found = price(book, Usage(input_tokens=1), provider=provider, model=entry.match.equals)
                assert found.price_version.endswith(f"#{hit[0]}/{hit[1].id}")
