"""What a call cost when the provider's last word on usage never came, and what models make of a prompt. Pure.

Text per token: Claude models from 4.7 on make about 30 % more tokens, so 3 bytes of UTF-8 per token there and 4 before;
an unknown model counts as new. (Claude Code plans with the same two figures.)
"""

import re
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from gw.domain.usage import Reading, Usage, UsageSource

_FAMILY_FIRST = re.compile(r"claude-(?:opus|sonnet|haiku|fable|mythos|instant)-(\d{1,2})(?:-(\d{1,2}))?(?!\d)")
COUNT_MOST = (1 << 27) - 1  # no answer has so many tokens: readers cut off there what is beyond any sense
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
_VERSION_FIRST = re.compile(r"claude-(?:instant-)?(\d)(?:[-.](\d))?(?!\d)")


@lru_cache(maxsize=1024)
def bytes_per_token(model: str) -> int:
    """3 for Claude 4.7 and later and for unknown models, 4 for earlier Claude models."""
    return 3 if _version(model) >= (4, 7) else 4


def _version(model: str) -> tuple[int, int]:
    """Of a Claude model; of any other, one above all."""
    match = _FAMILY_FIRST.search(model) or _VERSION_FIRST.search(model)
    return (int(match[1]), int(match[2] or 0)) if match is not None else (99, 0)


class Scale(NamedTuple):
    """What a model makes of a prompt, in tokens."""

    window: int  # prompt and output of one generation together: a longer prompt is refused, and free
    image_max: int  # of an image of any size
    page_max: int  # of a PDF's page, its text and its picture
    bytes_per_token: int


@lru_cache(maxsize=1024)
def scale_of(model: str) -> Scale:
    """Claude: 200,000 up to 4.5, a million from 4.6 on; images and pages are larger from 4.7 on. Of other models the window
    is not known: the largest that is sold."""
    version = _version(model)
    window = 200_000 if version < (4, 6) else 1_000_000 if version < (99, 0) else 2_000_000
    old = version < (4, 7)
    return Scale(window, 1_568 if old else 4_784, 4_570 if old else 7_784, 4 if old else 3)


def tokens_of(text_bytes: int, model: str) -> int:
    """Rounded up."""
    return -(-text_bytes // bytes_per_token(model))


def _prompt(usage: Usage) -> int:
    return usage.input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens


def _sane(usage: Usage) -> Usage:
    wild = {name: 0 for name in _TOKENS if getattr(usage, name) >= COUNT_MOST}
    return replace(usage, **wild) if wild else usage


def complete(reading: Reading, *, model: str, request_bytes: int) -> tuple[Reading, UsageSource]:
    """The reading to bill for a response that the provider charges for, and how well it is known.

    final usage read: exact, unless it is nothing but zeros: no answer is without a token. Started: the start's figures, output no
    less than the text that was seen. Nothing read, or a start without figures, as of providers that say them at their end only:
    the prompt from the size of the request, at the input rate (it lies between a warm cache read and a cold cache write). A count
    from COUNT_MOST on is taken for not told.
    """
    usage = _sane(reading.usage)
    if reading.final_usage and usage is reading.usage and (_prompt(usage) or usage.output_tokens or usage.iterations):
        return reading, "exact"
    output = tokens_of(reading.text_bytes, model)
    if reading.started:
        told = usage.output_tokens or _prompt(usage)
        usage = replace(usage, output_tokens=max(usage.output_tokens, output))
        if told:
            return replace(reading, usage=usage), "observed"
        return replace(reading, usage=replace(usage, input_tokens=tokens_of(request_bytes, model))), "estimated"
    guess = Usage(input_tokens=tokens_of(request_bytes, model), output_tokens=output)
    return replace(reading, usage=guess, content_empty=False), "estimated"
