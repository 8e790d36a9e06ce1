"""Provider usage objects -> Usage. Pure; one small reader per dialect.

The classes never overlap in Usage: `input_tokens` is the uncached tail, `output_tokens` everything that is billed as
output. Dialects differ in what they count inside what; each reader says so. A count that is missing, null, of another
type or negative is 0: a reader never raises on what a provider sent.

Sources: Anthropic Messages, OpenAI Chat Completions and Responses, Gemini generateContent, Bedrock Converse, DeepSeek,
xAI, Groq, Mistral and OpenRouter API references, as read in November 2026.
"""

from collections.abc import Callable, Mapping

from gw.domain.usage import Iteration, Usage

Json = Mapping[str, object]
PUSD_PER_TICK = 100  # xAI: 1e10 ticks are one USD
NOTHING: Json = {}


def usage_from(provider: str, api: str, usage: Json) -> tuple[Usage, int | None]:
    """(usage, the exact charge in pico-USD if the provider reports one). `api`: "chat", "responses", "converse" or "";
    a provider that is not listed is read as `api` says: "chat" or "responses" as OpenAI's, else as Anthropic's."""
    reader = _READERS.get((provider, api)) or _READERS.get((provider, ""))
    if reader is None:
        reader = {"chat": _openai_chat, "responses": _openai_responses}.get(api, _anthropic)
    return reader(usage), _exact_charge(provider, usage)


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
    return Usage(
        input_tokens=_less(_count(usage, "prompt_tokens"), read, write),
        output_tokens=_count(usage, "completion_tokens"),
        cache_read_tokens=read,
        cache_write_5m_tokens=write,
        thinking_tokens=_count(_object(usage, "completion_tokens_details"), "reasoning_tokens"),
        service_tier=_text(usage, "service_tier"),
    )


def _openai_responses(usage: Json) -> Usage:
    """As chat, under other names."""
    details = _object(usage, "input_tokens_details")
    read, write = _count(details, "cached_tokens"), _count(details, "cache_write_tokens")
    return Usage(
        input_tokens=_less(_count(usage, "input_tokens"), read, write),
        output_tokens=_count(usage, "output_tokens"),
        cache_read_tokens=read,
        cache_write_5m_tokens=write,
        thinking_tokens=_count(_object(usage, "output_tokens_details"), "reasoning_tokens"),
        service_tier=_text(usage, "service_tier"),
    )


def _gemini(usage: Json) -> Usage:
    """The prompt includes cached content; tool-use prompt and thoughts stand outside and are added."""
    read, thoughts = _count(usage, "cachedContentTokenCount"), _count(usage, "thoughtsTokenCount")
    prompt = _count(usage, "promptTokenCount") + _count(usage, "toolUsePromptTokenCount")
    return Usage(
        input_tokens=_less(prompt, read),
        output_tokens=_count(usage, "candidatesTokenCount") + thoughts,
        cache_read_tokens=read,
        thinking_tokens=thoughts,
        service_tier=_text(usage, "trafficType"),
    )


def _deepseek(usage: Json) -> Usage:
    """Hits and misses stand beside each other; completion includes reasoning."""
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


def _exact_charge(provider: str, usage: Json) -> int | None:
    ticks = usage.get("cost_in_usd_ticks") if provider == "xai" else None
    return ticks * PUSD_PER_TICK if isinstance(ticks, int) and not isinstance(ticks, bool) and ticks >= 0 else None


def _count(usage: Json, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


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


_READERS: dict[tuple[str, str], Callable[[Json], Usage]] = {
    ("anthropic", ""): _anthropic,
    ("vertex", ""): _anthropic,
    ("bedrock", ""): _anthropic,
    ("bedrock", "converse"): _converse,
    ("openai", ""): _openai_chat,
    ("openai", "responses"): _openai_responses,
    ("openrouter", ""): _openai_chat,
    ("groq", ""): _openai_chat,
    ("mistral", ""): _openai_chat,
    ("gemini", ""): _gemini,
    ("deepseek", ""): _deepseek,
    ("xai", ""): _xai_chat,
    ("xai", "responses"): _openai_responses,
}
