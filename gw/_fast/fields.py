"""The tuples in which the tap hands over what it read; gw.wire.anthropic makes the nouns of gw.domain.usage of them."""

from typing import TypeAlias

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
