"""What a call cost when the provider's last word on usage never came. Pure.

Text per token: Claude models from 4.7 on make about 30 % more tokens, so 3 bytes of UTF-8 per token there and 4 before;
an unknown model counts as new. (Claude Code plans with the same two figures.)
"""

import re
from functools import lru_cache

from msgspec.structs import replace

from gw.domain.usage import Reading, Usage, UsageSource

_FAMILY_FIRST = re.compile(r"claude-(?:opus|sonnet|haiku|fable|mythos|instant)-(\d{1,2})(?:-(\d{1,2}))?(?!\d)")
_VERSION_FIRST = re.compile(r"claude-(?:instant-)?(\d)(?:[-.](\d))?(?!\d)")


@lru_cache(maxsize=1024)
def bytes_per_token(model: str) -> int:
    """3 for Claude 4.7 and later and for unknown models, 4 for earlier Claude models."""
    match = _FAMILY_FIRST.search(model) or _VERSION_FIRST.search(model)
    if match is None:
        return 3
    return 3 if (int(match[1]), int(match[2] or 0)) >= (4, 7) else 4


def tokens_of(text_bytes: int, model: str) -> int:
    """Rounded up."""
    return -(-text_bytes // bytes_per_token(model))


def complete(reading: Reading, *, model: str, request_bytes: int) -> tuple[Reading, UsageSource]:
    """The reading to bill for a response that the provider charges for, and how well it is known.

    final usage read: exact. Started: the start's figures, output no less than the text that was seen. Nothing read: the
    prompt from the size of the request, at the input rate (it lies between a warm cache read and a cold cache write).
    """
    usage = reading.usage
    if reading.final_usage:
        return reading, "exact"
    if reading.started:
        output = max(usage.output_tokens, tokens_of(reading.text_bytes, model))
        return replace(reading, usage=replace(usage, output_tokens=output)), "observed"
    guess = Usage(input_tokens=tokens_of(request_bytes, model), output_tokens=tokens_of(reading.text_bytes, model))
    return replace(reading, usage=guess, content_empty=False), "estimated"
