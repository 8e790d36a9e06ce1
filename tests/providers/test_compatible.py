"""The table of providers that speak Chat Completions, and what two of them say that they charge."""

from decimal import Decimal
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.usage import Usage
from gw.providers.compatible import COMPATIBLE
from gw.providers.usage_dialects import usage_from
from gw.translate.chat import CHAT
from gw.translate.dialect import Entrance

NAMED = {"groq", "mistral", "deepseek", "xai", "together", "fireworks", "openrouter", "cerebras", "perplexity", "nebius"}
NAMED |= {"huggingface", "ollama", "vllm", "sglang", "parasail"}


def test_all_are_there() -> None:
    assert set(COMPATIBLE) == NAMED


@pytest.mark.parametrize("name", COMPATIBLE)
def test_addresses_are_origins_and_keys_have_a_place(name: str) -> None:
    one = COMPATIBLE[name]
    address = urlsplit(one.base_url)
    local = address.hostname == "127.0.0.1"
    assert address.path == "" and one.prefix.startswith("/") and not one.prefix.endswith("/")
    assert (address.scheme, bool(one.key_env)) == (("http", False) if local else ("https", True))


EVERYTHING = {
    "model": "m", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}], "stream": True,
    "seed": 1, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop": ["x"], "n": 1, "user": "u", "logprobs": True,
    "reasoning_effort": "medium",
    "frequency_penalty": 0.1, "presence_penalty": 0.1, "max_tokens": 99, "service_tier": "auto", "store": True,
    "verbosity": "low",
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}], "parallel_tool_calls": False,
}  # fmt: skip


@pytest.mark.parametrize("name", COMPATIBLE)
def test_no_field_that_it_does_not_know_is_sent_and_each_is_named(name: str) -> None:
    quirks = COMPATIBLE[name].quirks
    asked = CHAT.read_request(orjson.loads(orjson.dumps(EVERYTHING)), Entrance("messages"))
    body = CHAT.write_request(asked, quirks)
    assert not set(quirks.fields_dropped) & set(body)
    said = {"seed": quirks.seed_field, "max_tokens": quirks.max_tokens_field or "max_tokens", "user": quirks.user_field}
    for field in ("seed", "max_tokens", "user", "logprobs", "frequency_penalty", "verbosity", "top_k", "parallel_tool_calls"):
        assert said.get(field, field) in body or field in asked.lost, field
    level = body.get("reasoning_effort")
    assert level is None or not quirks.efforts or level in quirks.efforts


# --- charges ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**15 - 1), st.integers(0, 3))
def test_a_charge_of_at_most_15_digits_is_exact(digits: int, shift: int) -> None:
    literal = f"{Decimal(digits).scaleb(-12 - shift):f}"
    usage = orjson.loads(f'{{"cost": {literal}}}')
    exact = Decimal(literal) * 10**12
    assert usage_from("openrouter", "chat", usage)[1] == int(exact.to_integral_value())


@pytest.mark.parametrize(
    ("usage", "charge"),
    [
        (b'{"cost": 0.00014250000000000002}', 142_500_000),
        (b'{"cost": 1e-7}', 100_000),
        (b'{"cost": 0}', 0),
        (b'{"cost": 3}', 3 * 10**12),
        (b'{"cost": 0.95, "cost_details": {"upstream_inference_cost": 19}}', 19_950_000_000_000),
        (b'{"cost": 0.05, "is_byok": true, "cost_details": {"upstream_inference_cost": 1.0}}', 1_050_000_000_000),
        (b'{"cost": 0.05, "is_byok": false, "cost_details": {"upstream_inference_cost": 0.05}}', 50_000_000_000),
        (b'{"cost": 0.05, "cost_details": {"upstream_inference_cost": null}}', 50_000_000_000),
        (b'{"cost": -1}', None),
        (b'{"cost": true}', None),
        (b'{"cost": "0.1"}', None),
        (b'{"cost": 1e300}', None),
        (b"{}", None),
    ],
)
def test_charges_of_openrouter(usage: bytes, charge: int | None) -> None:
    assert usage_from("openrouter", "chat", orjson.loads(usage))[1] == charge
    assert usage_from("openai", "chat", orjson.loads(usage))[1] is None


def test_charges_of_perplexity() -> None:
    assert usage_from("perplexity", "chat", {"cost": {"total_cost": 0.00602, "request_cost": 0.005}})[1] == 6_020_000_000


def test_deepseeks_models_at_others_count_as_openai_does() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    assert usage_from("deepseek", "chat", usage)[0] == Usage(input_tokens=6, output_tokens=2, cache_read_tokens=4)
