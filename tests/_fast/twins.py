"""Both implementations side by side, and the feeding they are put through."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from types import ModuleType

import pytest

from gw._fast import jsonpeek as compiled_peek
from gw._fast import peekweigh as compiled_both
from gw._fast import usage as compiled_usage
from gw._fast.fields import Fields
from gw._fast.ref import jsonpeek as pure_peek
from gw._fast.ref import peekweigh as pure_both
from gw._fast.ref import usage as pure_usage
from gw._fast.weigh import weigh as compiled_weigh

USAGE = [pytest.param(compiled_usage, id="compiled"), pytest.param(pure_usage, id="pure")]
PEEK = [pytest.param(compiled_peek, id="compiled"), pytest.param(pure_peek, id="pure")]
BOTH = [pytest.param(compiled_both, id="compiled"), pytest.param(pure_both, id="pure")]

FIELDS = (
    "input", "output", "cache_read", "write_5m", "write_1h", "thinking", "search", "fetch", "code", "tier", "speed", "geo",
    "iterations", "ttl_assumed", "started", "finished", "final_usage", "model", "message_id", "stop_reason", "content_empty",
    "text_bytes", "error_type", "garbled",
)  # fmt: skip


def named(fields: Fields) -> dict[str, object]:
    """The tap's tuple by name, for failures that can be read."""
    assert len(fields) == len(FIELDS)
    return dict(zip(FIELDS, fields, strict=True))


def pieces(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """`data` cut at these places, in order; places outside count modulo the size."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        yield data[start:end]


def read(module: ModuleType, chunks: Iterable[bytes], request_ttl: int = 0) -> tuple[Fields, int]:
    """Feeds one new tap; the reading and all news together."""
    tap = module.Tap(request_ttl)
    news = 0
    for chunk in chunks:
        news |= tap.feed(chunk)
    return tap.reading(), news


def agree(chunks: Iterable[bytes], request_ttl: int = 0) -> Fields:
    """Feeds both taps the same chunks and compares all they show after each; the reading."""
    compiled, pure = compiled_usage.Tap(request_ttl), pure_usage.Tap(request_ttl)
    for chunk in chunks:
        assert compiled.feed(chunk) == pure.feed(chunk), chunk
        for name in ("at_boundary", "in_block", "text_bytes"):
            assert getattr(compiled, name) == getattr(pure, name), (name, chunk)
    assert named(compiled.reading()) == named(pure.reading())
    return compiled.reading()


def agree_on_body(body: bytes, request_ttl: int = 0) -> Fields:
    fields = compiled_usage.read_message(body, request_ttl)
    assert named(fields) == named(pure_usage.read_message(body, request_ttl))
    return fields


PEEK_FIELDS = (
    "error", "error_offset", "model", "model_start", "model_end", "stream", "max_tokens", "ttl", "has_cache_control", "user_id",
    "speed", "service_tier", "key_count",
)  # fmt: skip


def seen(peek: object) -> dict[str, object]:
    return {name: getattr(peek, name) for name in PEEK_FIELDS}


def agree_on_peek(body: bytes) -> dict[str, object]:
    """What all say of it: the peek, its twin, and the pass that weighs the body, too."""
    found = seen(compiled_peek.peek(body))
    assert found == seen(pure_peek.peek(body))
    both = compiled_both.peek_and_weigh(body)
    assert seen(both) == found
    assert both.weight == (None if found["error"] else compiled_weigh(body)), body
    return found
