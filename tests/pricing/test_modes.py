"""Tokens that are no text, and what is used beside tokens: each at its own price, or marked that it has none."""

from datetime import UTC, datetime

import pytest

from gw.domain.usage import Reading
from gw.pricing.book import PriceBook
from gw.providers.usage_dialects import usage_from
from gw.translate.responses_answer import usage_of

AT_US = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 1_000_000
BOOK = PriceBook.load(overrides=[])


def priced(provider, model, usage, batch=False):
    reading = Reading(usage=usage, started=True, finished=True, final_usage=True, model=model, content_empty=False)
    return BOOK.price(
        provider=provider, upstream=provider, region="", model=model, reading=reading, at_us=AT_US, batch=batch, exact_pusd=None
    )


AUDIO_CHAT = {
    "prompt_tokens": 1000,
    "completion_tokens": 300,
    "prompt_tokens_details": {"audio_tokens": 600},
    "completion_tokens_details": {"audio_tokens": 200},
}
HEARD = {
    "promptTokenCount": 1000, "cachedContentTokenCount": 300, "candidatesTokenCount": 50,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 200}, {"modality": "AUDIO", "tokenCount": 800}],
    "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 300}],
}  # fmt: skip
PAINTED = {
    "promptTokenCount": 100, "candidatesTokenCount": 1300, "thoughtsTokenCount": 7,
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
}  # fmt: skip
EDITED = {
    "input_tokens": 60, "output_tokens": 4160, "input_tokens_details": {"text_tokens": 20, "image_tokens": 40},
    "output_tokens_details": {"image_tokens": 4160, "text_tokens": 0},
}  # fmt: skip
TRANSCRIBED = {"type": "tokens", "input_tokens": 120, "input_token_details": {"audio_tokens": 100}, "output_tokens": 45}


@pytest.mark.parametrize(
    ("provider", "api", "model", "usage", "pusd"),
    [
        ("openai", "chat", "gpt-audio", AUDIO_CHAT, 400 * 2_500_000 + 600 * 32_000_000 + 100 * 10_000_000 + 200 * 64_000_000),
        ("gemini", "gemini", "gemini-2.5-flash", HEARD, 200 * 300_000 + 500 * 1_000_000 + 300 * 100_000 + 50 * 2_500_000),
        ("gemini", "gemini", "gemini-2.5-flash-image", PAINTED, 100 * 300_000 + 17 * 2_500_000 + 1290 * 30_000_000),
        ("openai", "responses", "gpt-image-1", EDITED, 20 * 5_000_000 + 40 * 10_000_000 + 4160 * 40_000_000),
        ("openai", "responses", "gpt-image-1.5", EDITED, 20 * 5_000_000 + 40 * 8_000_000 + 4160 * 32_000_000),
        ("openai", "responses", "gpt-4o-transcribe", TRANSCRIBED, 20 * 2_500_000 + 100 * 6_000_000 + 45 * 10_000_000),
    ],
)
def test_what_is_no_text_has_its_own_price(provider, api, model, usage, pusd):
    cost = priced(provider, model, usage_from(provider, api, usage)[0])
    assert cost.billed_pusd == cost.list_pusd == pusd and not cost.flags


def test_a_model_without_such_a_price_has_the_price_of_text_and_says_so():
    cost = priced("openai", "gpt-4o", usage_from("openai", "chat", AUDIO_CHAT)[0])
    assert cost.billed_pusd == 1000 * 2_500_000 + 300 * 10_000_000 and cost.flags == ("audio_at_text_rates",)


def test_at_other_tiers_the_standard_price_is_a_bound_and_says_so():
    cost = priced("gemini", "gemini-2.5-flash", usage_from("gemini", "gemini", HEARD | {"serviceTier": "flex"})[0])
    assert "upper_bound" in cost.flags


def test_tokens_that_do_not_add_up_are_charged_once():
    usage = {"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": {"audio_tokens": 600}}
    assert priced("openai", "gpt-audio", usage_from("openai", "chat", usage)[0]).billed_pusd == 10 * 32_000_000


@pytest.mark.parametrize(
    ("items", "tools_pusd", "flags"),
    [
        (["file_search_call"] * 3, 3 * 2_500_000_000, ()),
        (["web_search_call", "file_search_call"], 12_500_000_000, ()),
        (["code_interpreter_call"], 0, ("container_unpriced",)),
        (["image_generation_call", "message"], 0, ("image_generation_unpriced",)),
    ],
)
def test_tools_of_responses_are_priced_or_marked(items, tools_pusd, flags):
    output = [{"type": kind, "status": "completed"} for kind in items]
    response = {"output": output, "usage": {"input_tokens": 100, "output_tokens": 10}}
    usage, _ = usage_of(response, "openai", items.count("web_search_call"))
    cost = priced("openai", "gpt-5.6", usage)
    assert cost.tools_pusd == tools_pusd and cost.flags == flags
    assert cost.billed_pusd == tools_pusd + 100 * 4_000_000 + 10 * 20_000_000
