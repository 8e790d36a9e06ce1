"""Anthropic's dialect: what its responses say, as nouns. The bytes are read in gw._fast; here only names are given."""

import json
import re

from gw import _fast
from gw._fast.fields import Fields
from gw.domain.usage import Iteration, Reading, Usage

_WORD = re.compile(r"[A-Za-z0-9_]{1,48}")
COUNT_MAX = (1 << 27) - 1  # no response has 134 million tokens: beyond it a figure is garbage, which must not spoil every sum


def reading_of(found: _fast.Found) -> Reading:
    """The nouns of what was found."""
    return _reading(found.fields())


def _reading(fields: Fields) -> Reading:
    # All by name: to slice and splice the tuple costs three times as much, and every call pays it.
    (a, b, c, d, e, f, g, h, i, tier, speed, geo, entries, assumed) = fields[:14]
    (started, finished, final, model, message_id, stop_reason, empty, text_bytes, error_type, garbled) = fields[14:]
    if a | b | c | d | e | f | g | h | i > COUNT_MAX:
        a, b, c, d, e, f, g, h, i = (min(count, COUNT_MAX) for count in fields[:9])
        final, garbled = False, True
    iterations = tuple(Iteration(*entry) for entry in entries) if entries else ()
    usage = Usage(a, b, c, d, e, f, g, h, i, tier, speed, geo, iterations, assumed)
    return Reading(usage, started, finished, final, model, message_id, stop_reason, empty, text_bytes, error_type, garbled)


def reading_from_tap(tap: _fast.Tap) -> Reading:
    """What the tap knows now; at any time, also in the middle of the stream."""
    return _reading(tap.reading())


def reading_from_memory(memory: bytes | bytearray | memoryview) -> Reading:
    """What a tap with this memory last knew, also after its process was killed. Names the model nowhere, and no iterations.

    Raises ValueError if no tap wrote there.
    """
    return _reading(_fast.observed_from(memory))


def read_message(body: bytes, request_ttl: int = 0) -> Reading:
    """The reading of a whole message or error body; `garbled` if it is neither. `request_ttl` as for the tap."""
    return _reading(_fast.read_message(body, request_ttl))


def error_slug(kind: str, otherwise: str | int) -> str:
    """The row's word for an upstream's error of this type; `otherwise` stands for a type that is no plain word."""
    return f"upstream_{kind if _WORD.fullmatch(kind) else otherwise}"


def read_error(body: bytes) -> tuple[str, str]:
    """Type and message of an error body, each "" where it does not say; the whole text, if that is no JSON.

    Takes `{"error": {"type", "message"}}` and `{"error": "..."}`; bodies are small, so the plain parser will do.
    """
    text = body.decode("utf-8", "replace")
    try:
        error = json.loads(text)
    except (ValueError, RecursionError):
        return "", text.strip()
    if isinstance(error, dict):
        error = error.get("error", error)
    if isinstance(error, str):
        return "", error
    if not isinstance(error, dict):
        return "", ""
    kind, message = error.get("type"), error.get("message")
    return kind if isinstance(kind, str) else "", message if isinstance(message, str) else ""
