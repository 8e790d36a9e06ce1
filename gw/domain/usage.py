"""Usage: tokens by price dimension, never pre-summed, and how well they are known.

`input_tokens` is the uncached tail only: prompt = input + cache_read + cache_write_5m + cache_write_1h.
`output_tokens` is inclusive; `thinking_tokens` is a subset of it and is never added.
"""

from typing import Literal

from msgspec import Struct

UsageSource = Literal["exact", "observed", "estimated", "none"]
# exact: the provider's final figures were read. observed: the stream ended early; the last figures seen, output completed
# from the text that was relayed. estimated: no figures were seen at all. none: nothing was billed (refusals, count_tokens).


MODES = ("audio", "image")
BESIDE = ("file_search", "container", "image_generation")


class Iteration(Struct, frozen=True, array_like=True):
    """One entry of `usage.iterations` (message, compaction, advisor_message, fallback_message or one yet unknown). gw's own are
    MODES, tokens of the top level that are no text, and BESIDE, whose `input_tokens` is how often it was used."""

    type: str
    model: str = ""  # empty: the request's model
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0  # total
    cache_write_5m_tokens: int = 0  # the split where the provider gave one, else 0 and 0
    cache_write_1h_tokens: int = 0


class Usage(Struct, frozen=True):
    """What one provider response reported, merged by reference rules: last non-null value wins, nothing is added."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    thinking_tokens: int = 0
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    code_execution_requests: int = 0
    service_tier: str = ""
    speed: str = ""
    inference_geo: str = ""
    iterations: tuple[Iteration, ...] = ()
    ttl_assumed: bool = False  # some cache writes had no TTL in the response: the request's own, or 5m, was taken


class Reading(Struct, frozen=True):
    """What the tap learned from one response, at any moment; the final one settles the call."""

    usage: Usage = Usage()
    started: bool = False  # message_start, or a whole message, was read
    finished: bool = False  # message_stop, or a whole non-stream message, was read
    final_usage: bool = False  # the last word on usage was read (message_delta with usage, or a whole message)
    model: str = ""  # the serving model named by the response
    message_id: str = ""
    stop_reason: str = ""
    content_empty: bool = True  # no content block carried anything: with stop_reason "refusal" the call is free
    text_bytes: int = 0  # UTF-8 bytes of text, thinking and tool-input deltas so far (unescaped, rather too many than too few)
    error_type: str = ""  # `error.type` of an `event: error` in the stream, or of an error body
    garbled: bool = False  # something could not be read; the relay was not affected
