"""Provider usage objects -> Usage. Pure; one small reader per dialect.

The classes never overlap in Usage: `input_tokens` is the uncached tail, `output_tokens` everything that is billed as
output. Dialects differ in what they count inside what; each reader says so. A count that is missing, null, no number or
negative is 0 (JavaScript's 12.0 and "12" are numbers): a reader never raises on what a provider sent.

Sources: Anthropic Messages, OpenAI Chat Completions and Responses, Gemini generateContent, Bedrock Converse, DeepSeek,
xAI, Groq, Mistral and OpenRouter API references, as read in November 2026.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from gw.domain.usage import MODES, Iteration, Usage

Json = Mapping[str, object]
PUSD_PER_TICK = 100  # xAI: 1e10 ticks are one USD
PUSD_PER_USD = 10**12
USD_MOST = 4_000  # of one call: what is above is no price of a call
DIGITS_MOST = 16  # of a count that is told as a text
NOTHING: Json = {}


def usage_from(provider: str, api: str, usage: Json) -> tuple[Usage, int | None]:
    """(usage, the exact charge in pico-USD if the provider reports one). `api`: the dialect that the answer is in, as
    gw.translate.dialects names it; "" the provider's own. Where neither says whose words they are, the words themselves do."""
    reader = _READERS.get((provider, api)) or _BY_API.get(api) or _by_words(usage)
    return reader(usage), _exact_charge(provider, usage)


def _by_words(usage: Json) -> "Reader":
    """Of a provider that is not listed, in a dialect that is not said."""
    return next((reader for word, reader in _WORDS if word in usage), _anthropic)


def merged(first: Json, later: list[Json]) -> dict[str, object]:
    """The usage of a stream: the start's, then each later one laid over it; the last value that is not null wins, also
    where it is smaller. Nothing is added."""
    out = {key: value for key, value in first.items() if value is not None}
    for delta in later:
        out.update({key: value for key, value in delta.items() if value is not None})
    return out


def _anthropic(usage: Json) -> Usage:
    """input excludes cache; the 1h part of the writes is capped by their total, the rest is 5m."""
    write_5m, write_1h, assumed = _ttl_split(usage)
    tools = _object(usage, "server_tool_use")
    return Usage(
        input_tokens=_count(usage, "input_tokens"),
        output_tokens=_count(usage, "output_tokens"),
        cache_read_tokens=_count(usage, "cache_read_input_tokens"),
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        thinking_tokens=_count(_object(usage, "output_tokens_details"), "thinking_tokens"),
        web_search_requests=_count(tools, "web_search_requests"),
        web_fetch_requests=_count(tools, "web_fetch_requests"),
        code_execution_requests=_count(tools, "code_execution_requests"),
        service_tier=_text(usage, "service_tier"),
        speed=_text(usage, "speed"),
        inference_geo=_text(usage, "inference_geo"),
        iterations=tuple(_iteration(entry) for entry in _objects(usage, "iterations")),
        ttl_assumed=assumed,
    )


def _iteration(entry: Json) -> Iteration:
    split = _object(entry, "cache_creation")
    return Iteration(
        _text(entry, "type"),
        _text(entry, "model"),
        _count(entry, "input_tokens"),
        _count(entry, "output_tokens"),
        _count(entry, "cache_read_input_tokens"),
        _count(entry, "cache_creation_input_tokens"),
        _count(split, "ephemeral_5m_input_tokens"),
        _count(split, "ephemeral_1h_input_tokens"),
    )


def _ttl_split(usage: Json) -> tuple[int, int, bool]:
    split = _object(usage, "cache_creation")
    total = _count(usage, "cache_creation_input_tokens")
    one_hour = min(_count(split, "ephemeral_1h_input_tokens"), total)
    return total - one_hour, one_hour, bool(total) and not split


def _openai_chat(usage: Json) -> Usage:
    """prompt includes cached and written tokens; completion includes reasoning."""
    details = _object(usage, "prompt_tokens_details")
    read, write = _count(details, "cached_tokens"), _count(details, "cache_write_tokens")
    long = _kept_long(details, write)
    return Usage(
        input_tokens=_less(_count(usage, "prompt_tokens"), read, write),
        output_tokens=_count(usage, "completion_tokens"),
        cache_read_tokens=read,
        cache_write_5m_tokens=write - long,
        cache_write_1h_tokens=long,
        thinking_tokens=_count(_object(usage, "completion_tokens_details"), "reasoning_tokens"),
        service_tier=_text(usage, "service_tier"),
        iterations=_modes(details, _object(usage, "completion_tokens_details")),
    )


def _modes(read: Json, written: Json) -> tuple[Iteration, ...]:
    """Of OpenAI's, what of a prompt and of an answer is no text."""
    cached = _object(read, "cached_tokens_details")
    found = []
    for mode in MODES:
        name = f"{mode}_tokens"
        kept = min(_count(cached, name), _count(read, name))
        found.append(Iteration(mode, "", _count(read, name) - kept, _count(written, name), kept))
    return tuple(one for one in found if one.input_tokens or one.output_tokens or one.cache_read_tokens)


def _kept_long(details: Json, write: int) -> int:
    """OpenAI keeps what it caches for 30 minutes or 12 hours, at two prices: the shorter and the longer of Usage's classes."""
    return min(_count(_object(details, "cache_write_tokens_details"), "ttl_12h_tokens"), write)


def _openai_responses(usage: Json) -> Usage:
    """As chat, under other names; transcriptions spell one of them otherwise."""
    details = _object(usage, "input_tokens_details") or _object(usage, "input_token_details")
    read, write = _count(details, "cached_tokens"), _count(details, "cache_write_tokens")
    long = _kept_long(details, write)
    return Usage(
        input_tokens=_less(_count(usage, "input_tokens"), read, write),
        output_tokens=_count(usage, "output_tokens"),
        cache_read_tokens=read,
        cache_write_5m_tokens=write - long,
        cache_write_1h_tokens=long,
        thinking_tokens=_count(_object(usage, "output_tokens_details"), "reasoning_tokens"),
        service_tier=_text(usage, "service_tier"),
        iterations=_modes(details, _object(usage, "output_tokens_details") or _object(usage, "output_token_details")),
    )


def _openai(usage: Json) -> Usage:
    """Of either, where it is not said: a line of a batch's results."""
    return _openai_responses(usage) if "input_tokens" in usage and "prompt_tokens" not in usage else _openai_chat(usage)


def _gemini(usage: Json) -> Usage:
    """The prompt includes cached content; tool-use prompt and thoughts stand outside and are added."""
    read, thoughts = _count(usage, "cachedContentTokenCount"), _count(usage, "thoughtsTokenCount")
    prompt = _count(usage, "promptTokenCount") + _count(usage, "toolUsePromptTokenCount")
    return Usage(
        input_tokens=_less(prompt, read),
        output_tokens=_count(usage, "candidatesTokenCount") + thoughts,
        cache_read_tokens=read,
        thinking_tokens=thoughts,
        service_tier=_gemini_tier(usage),
        iterations=_gemini_modes(usage),
    )


def _gemini_modes(usage: Json) -> tuple[Iteration, ...]:
    """Heard and said sound, and painted pictures; those that were seen cost as text does."""
    heard = _modality(usage, "promptTokensDetails", "AUDIO") + _modality(usage, "toolUsePromptTokensDetails", "AUDIO")
    kept = min(_modality(usage, "cacheTokensDetails", "AUDIO"), heard)
    audio = Iteration("audio", "", heard - kept, _modality(usage, "candidatesTokensDetails", "AUDIO"), kept)
    image = Iteration("image", "", 0, _modality(usage, "candidatesTokensDetails", "IMAGE"))
    return tuple(one for one in (audio, image) if one.input_tokens or one.output_tokens or one.cache_read_tokens)


def _modality(usage: Json, name: str, modality: str) -> int:
    return sum(_count(one, "tokenCount") for one in _objects(usage, name) if one.get("modality") == modality)


def _gemini_tier(usage: Json) -> str:
    """The Gemini API says `serviceTier`, Vertex AI `trafficType`; as price cards call them. On demand is the plain one."""
    tier = _text(usage, "serviceTier").lower().removeprefix("service_tier_")
    if tier and not tier.endswith("unspecified"):
        return tier
    traffic = _text(usage, "trafficType")
    return _TRAFFIC.get(traffic, traffic)


_TRAFFIC = {
    "ON_DEMAND_PRIORITY": "priority",
    "ON_DEMAND_FLEX": "flex",
    "TRAFFIC_TYPE_UNSPECIFIED": "",
}


def _deepseek(usage: Json) -> Usage:
    """Hits and misses stand beside each other; completion includes reasoning. Whoever serves its models and does not tell both
    counts as OpenAI does."""
    if _absent(usage, "prompt_cache_miss_tokens"):
        hits = _count(usage, "prompt_cache_hit_tokens")
        return _openai_chat({**usage, "prompt_tokens_details": {"cached_tokens": hits}} if hits else usage)
    return Usage(
        input_tokens=_count(usage, "prompt_cache_miss_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
        cache_read_tokens=_count(usage, "prompt_cache_hit_tokens"),
        thinking_tokens=_count(_object(usage, "completion_tokens_details"), "reasoning_tokens"),
    )


def _xai_chat(usage: Json) -> Usage:
    """Reasoning stands outside completion when total = prompt + completion + reasoning."""
    base = _openai_chat(usage)
    output = base.output_tokens
    if _count(usage, "total_tokens") == _count(usage, "prompt_tokens") + output + base.thinking_tokens:
        output += base.thinking_tokens
    return Usage(
        input_tokens=base.input_tokens,
        output_tokens=output,
        cache_read_tokens=base.cache_read_tokens,
        thinking_tokens=base.thinking_tokens,
    )


def _converse(usage: Json) -> Usage:
    """Bedrock Converse: inputTokens excludes cache; cacheDetails splits the writes by TTL."""
    total = _count(usage, "cacheWriteInputTokens")
    details = _objects(usage, "cacheDetails")
    one_hour = min(sum(_count(one, "inputTokens") for one in details if one.get("ttl") == "1h"), total)
    return Usage(
        input_tokens=_count(usage, "inputTokens"),
        output_tokens=_count(usage, "outputTokens"),
        cache_read_tokens=_count(usage, "cacheReadInputTokens"),
        cache_write_5m_tokens=total - one_hour,
        cache_write_1h_tokens=one_hour,
        ttl_assumed=bool(total) and not details,
    )


def _cohere(usage: Json) -> Usage:
    """What is billed stands apart from what was counted; nothing is charged less for being cached. Numbers may have a point."""
    units = _object(usage, "billed_units") or _object(usage, "tokens") or usage
    return Usage(input_tokens=_whole(units.get("input_tokens")), output_tokens=_whole(units.get("output_tokens")))


def _exact_charge(provider: str, usage: Json) -> int | None:
    if provider == "xai":
        ticks = usage.get("cost_in_usd_ticks")
        return ticks * PUSD_PER_TICK if isinstance(ticks, int) and not isinstance(ticks, bool) and ticks >= 0 else None
    if provider == "openrouter":
        return _openrouter_charge(usage)
    if provider == "perplexity":
        return _pusd(_object(usage, "cost").get("total_cost"))
    return None


def _openrouter_charge(usage: Json) -> int | None:
    """What OpenRouter takes; with a key of one's own (BYOK) also what the provider behind it takes. Older answers do not say
    whose key it was, and tell the second figure only then."""
    charge = _pusd(usage.get("cost"))
    behind = _pusd(_object(usage, "cost_details").get("upstream_inference_cost"))
    if charge is None or behind is None or usage.get("is_byok") is False:
        return charge
    return charge + behind


def _pusd(usd: object) -> int | None:
    """A JSON number of USD in pico-USD, to the nearest. orjson has made a float of it, whose repr is the shortest text that
    means the same float: the very digits that were sent, if they were at most 15 (each text of 15 digits has a float of its
    own, and comes back from it). Of longer ones, which are rests of the sender's own float arithmetic (0.00014250000000000002),
    it is off by less than a pico-USD up to 4,000 USD. Nothing is calculated in floats."""
    if isinstance(usd, bool) or not isinstance(usd, int | float):
        return None
    exact = Decimal(repr(usd))
    return int((exact * PUSD_PER_USD).to_integral_value()) if exact.is_finite() and 0 <= exact < USD_MOST else None


def _count(usage: Json, name: str) -> int:
    value = usage.get(name)
    if isinstance(value, float) or (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < DIGITS_MOST):
        value = _whole(float(value))
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _absent(usage: Json, name: str) -> bool:
    return usage.get(name) is None


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2**53 else 0


def _text(usage: Json, name: str) -> str:
    value = usage.get(name)
    return value if isinstance(value, str) else ""


def _object(usage: Json, name: str) -> Json:
    value = usage.get(name)
    return value if isinstance(value, Mapping) else NOTHING


def _objects(usage: Json, name: str) -> list[Json]:
    value = usage.get(name)
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _less(total: int, *parts: int) -> int:
    return max(0, total - sum(parts))


Reader = Callable[[Json], Usage]

# (provider, dialect): what a provider speaks by itself, and what it counts otherwise than others of the dialect.
_READERS: dict[tuple[str, str], Reader] = {
    ("anthropic", ""): _anthropic,
    ("vertex", ""): _anthropic,
    ("bedrock", ""): _anthropic,
    ("bedrock", "converse"): _converse,
    ("openai", ""): _openai,
    ("openai", "responses"): _openai_responses,
    ("openrouter", ""): _openai,
    ("groq", ""): _openai,
    ("mistral", ""): _openai,
    ("gemini", ""): _gemini,
    ("vertex", "gemini"): _gemini,
    ("deepseek", ""): _deepseek,
    ("deepseek", "chat"): _deepseek,
    ("xai", ""): _xai_chat,
    ("xai", "chat"): _xai_chat,
    ("anthropic_aws", ""): _anthropic,
    ("cohere", ""): _cohere,
    **{(name, ""): _openai for name in ("azure", "foundry", "together", "fireworks", "cerebras", "perplexity", "nebius")},
    **{(name, ""): _openai for name in ("huggingface", "ollama", "vllm", "sglang", "parasail", "openai_compatible")},
}
_BY_API: dict[str, Reader] = {
    "anthropic": _anthropic,
    "vertex_anthropic": _anthropic,
    "invoke": _anthropic,
    "chat": _openai_chat,
    "embeddings": _openai_chat,
    "completions": _openai_chat,
    "responses": _openai_responses,
    "gemini": _gemini,
    "gemini_embeddings": _gemini,
    "converse": _converse,
    "cohere": _cohere,
    "cohere_embeddings": _cohere,
}
# Words that only one of them has.
_WORDS: tuple[tuple[str, Reader], ...] = (
    ("prompt_tokens", _openai_chat),
    ("input_tokens_details", _openai_responses),
    ("promptTokenCount", _gemini),
    ("inputTokens", _converse),
    ("billed_units", _cohere),
)
