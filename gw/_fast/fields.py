"""The tuples in which the hot loops hand over what they read: the tap (gw.wire.anthropic makes nouns of it) and the scale; and in
which they are told what to read: sums."""

from typing import NamedTuple, TypeAlias

EntryFields: TypeAlias = tuple[str, str, int, int, int, int, int, int]
"""As gw.domain.usage.Iteration: type, model, input, output, cache read, cache write, of that 5m, 1h."""

UsageFields: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, str, str, str, tuple[EntryFields, ...], bool]
"""As gw.domain.usage.Usage."""

Fields: TypeAlias = tuple[
    int, int, int, int, int, int, int, int, int, str, str, str, tuple[EntryFields, ...], bool,
    bool, bool, bool, str, str, str, bool, int, str, bool,
]  # fmt: skip
"""UsageFields, then gw.domain.usage.Reading after `usage`: started, finished, final_usage, model, message_id, stop_reason,
content_empty, text_bytes, error_type, garbled."""


class Weight(NamedTuple):
    """What a request body asks for, without its words. Counts are never too small; the rules are in weigh.h."""

    text_bytes: int  # UTF-8, unescaped: strings of messages and system; of tools and tool inputs also keys and punctuation
    bound_bytes: int  # the body without base64 media: no token of the prompt's text stands for less than one of these bytes
    images: int  # in base64
    documents: int  # PDFs in base64
    document_bytes: int  # of their base64
    blocks: int  # messages, and blocks of content in them and in the system prompt
    tools: int
    defined_tools: int  # of these, known to the provider by their type: their text is not in the body
    server_tools: int  # of these, run by the provider, who then prompts the model again; MCP servers too
    searches_cap: int  # web searches that the body allows
    advisor_uses: int  # calls of an advisor that it allows
    fallbacks: int  # other models that may answer in turn
    compaction: int  # 1: the provider may write summaries on the way
    references: int  # to what is not in the body but may enter the prompt
    output_cap: int  # the largest cap on output that stands anywhere; -1: none
    ttl: int  # of cache_control, the longest: 0 (none), 5 or 60 minutes
    fast: int  # 1: fast speed is asked for somewhere
    geo: int  # inference_geo is 0 unsaid, 1 "global", 2 anything else


class Rules(NamedTuple):
    """What sums are made of. gw.ledger.rollup_shape says it, and why."""

    dimensions: tuple[str, ...]  # columns of a path; behind their values stand its context and its kind
    account: tuple[str, ...]  # of these, those that say whose it is
    tokens: tuple[str, ...]  # nine columns side by side: input, output, cache read, written for 5m, for 1h, ..., and of tools
    amounts: tuple[str, ...]  # nine columns side by side: list, billed, ...; pico-USD
    errors: frozenset[str]  # outcomes that the upstream or gw is to blame for
    leaving: frozenset[str]  # outcomes of an attempt that another one may follow
    contexts: tuple[str, str]  # up to so many tokens of a prompt, and beyond
    long_context_tokens: int
    kinds: tuple[str, str, str, str]  # of a session's conversation, of an agent, beside the conversation, of no session
    side_prompt_tokens: int  # from so many on a prompt is not beside the conversation,
    small_model: str  # unless its model's name has this word
    count_max: int  # tokens or microseconds of one row that are believed
    half_bits: int  # of an amount, the lower ones
    hour_us: int
