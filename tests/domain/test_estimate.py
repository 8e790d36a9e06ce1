"""What a call cost when the provider's last word never came: never less than what was seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gw.domain.estimate import Scale, bytes_per_token, complete, scale_of, tokens_of
from gw.domain.usage import Reading, Usage

FAMILIES = [
    ("claude-opus-5-5", 3),
    ("claude-opus-4-7", 3),
    ("claude-opus-4-6", 4),
    ("claude-opus-4-1-20250805", 4),
    ("claude-sonnet-4-20250514", 4),  # the date is no minor version
    ("claude-sonnet-5", 3),
    ("claude-haiku-4-5-20251001", 4),
    ("claude-fable-5-2", 3),
    ("claude-3-5-sonnet-20241022", 4),
    ("claude-3.5-haiku", 4),
    ("claude-2.1", 4),
    ("claude-instant-1.2", 4),
    ("anthropic/claude-sonnet-5-5", 3),
    ("my-team/claude-sonnet-4-5", 4),
    ("us.anthropic.claude-opus-4-6-v1:0", 4),
    ("groq/llama-3.3-70b-versatile", 3),
    ("gpt-9", 3),
    ("", 3),
]


@pytest.mark.parametrize(("model", "size"), FAMILIES)
def test_newer_and_unknown_models_make_more_tokens_of_a_text(model: str, size: int) -> None:
    assert bytes_per_token(model) == size


SCALES = [
    ("claude-opus-5-5", Scale(1_000_000, 4_784, 7_784, 3)),
    ("claude-haiku-5-5", Scale(1_000_000, 4_784, 7_784, 3)),
    ("claude-opus-4-7", Scale(1_000_000, 4_784, 7_784, 3)),
    ("claude-opus-4-6", Scale(1_000_000, 1_568, 4_570, 4)),
    ("claude-haiku-4-5-20251001", Scale(200_000, 1_568, 4_570, 4)),
    ("claude-3-5-sonnet-20241022", Scale(200_000, 1_568, 4_570, 4)),
    ("gpt-9", Scale(2_000_000, 4_784, 7_784, 3)),
]


@pytest.mark.parametrize(("model", "scale"), SCALES)
def test_what_a_prompt_can_come_to_depends_on_the_model(model: str, scale: Scale) -> None:
    assert scale_of(model) == scale
    assert scale_of(model).bytes_per_token == bytes_per_token(model)


@given(size=st.integers(0, 10**9), model=st.sampled_from([name for name, _ in FAMILIES]))
def test_tokens_are_rounded_up(size: int, model: str) -> None:
    tokens, each = tokens_of(size, model), bytes_per_token(model)
    assert (tokens - 1) * each < size <= tokens * each or size == tokens == 0


counts = st.integers(0, 10**6)
usages = st.builds(Usage, input_tokens=counts, output_tokens=counts, cache_read_tokens=counts, cache_write_5m_tokens=counts)
readings = st.builds(
    Reading, usage=usages, started=st.booleans(), final_usage=st.booleans(), text_bytes=counts, finished=st.booleans()
)


@given(reading=readings, request_bytes=counts, model=st.sampled_from(["claude-opus-5-5", "claude-opus-4-6"]))
def test_a_reading_is_completed_upwards_and_only_where_it_must(reading: Reading, request_bytes: int, model: str) -> None:
    whole, source = complete(reading, model=model, request_bytes=request_bytes)
    seen, text = whole.usage, tokens_of(reading.text_bytes, model)
    if reading.final_usage:
        assert (whole, source) == (reading, "exact")
    elif reading.started:
        usage = reading.usage
        told = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.output_tokens
        guess = 0 if told else tokens_of(request_bytes, model)  # a provider that says it at the end only
        assert source == ("observed" if told else "estimated")
        assert seen == replace(usage, input_tokens=usage.input_tokens + guess, output_tokens=max(usage.output_tokens, text))
    else:
        assert source == "estimated"
        assert (seen.input_tokens, seen.output_tokens) == (tokens_of(request_bytes, model), text)
        assert not whole.content_empty, "or a refusal without content would be free"
