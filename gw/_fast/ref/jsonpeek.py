"""The pure twin of jsonpeek.pyx: what a gateway must know of a request body, found without building a tree.

The rules stand at the top of peek.h: a structural error outranks an error of meaning, the first of those counts.
"""

import json
from typing import Final

from gw._fast.fields import Weight
from gw._fast.ref.json_scan import ARRAY, CAPTURE, DONE, NULL, NUMERAL, OBJECT, SKIP, TEXT, TRUE, JsonScan

_TOP_KEYS: Final = frozenset((b"model", b"stream", b"max_tokens", b"metadata", b"speed", b"service_tier", b"cache_control"))
_UNIQUE: Final = frozenset(("model", "stream", "max_tokens"))
_TTLS: Final = {b"5m": 5, b"1h": 60}


class Peek:
    """What a request body says at its top level; jsonpeek.pyi has the meaning of each field."""

    __slots__ = (
        "error", "error_offset", "has_cache_control", "key_count", "max_tokens", "model", "model_end", "model_start",
        "service_tier", "speed", "stream", "ttl", "user_id", "weight",
    )  # fmt: skip

    def __init__(self) -> None:
        self.error = ""
        self.error_offset = 0
        self.model: str | None = None
        self.model_start = self.model_end = -1
        self.stream = False
        self.max_tokens = -1
        self.ttl = 0
        self.has_cache_control = False
        self.user_id: str | None = None
        self.speed = ""
        self.service_tier = ""
        self.key_count = 0
        self.weight: Weight | None = None


class _Scan(JsonScan):
    def __init__(self) -> None:
        super().__init__()
        self.error = ""
        self.error_offset = 0
        self.key_count = 0
        self.spans: dict[str, tuple[int, int]] = {}  # of JSON strings, quotes included: model, user_id, speed, service_tier
        self.stream = False
        self.max_tokens = -1
        self.ttls: set[int] = set()  # of the cache_control marks, minutes; 0: unknown
        self._key = ""  # that of the value to come, "" if it means nothing here
        self._seen: set[str] = set()
        self._value_at = 0
        self._metadata_depth = self._free_depth = self._cache_depth = 0
        self._ttl = 0

    def refuse(self, error: str, offset: int) -> None:
        if not self.error:
            self.error, self.error_offset = error, offset

    def on_key(self, at: int) -> None:
        text = b"" if self.text is None else bytes(self.text)
        if self.depth > 1:
            self._key = self._inner_key(text)
            return
        key = text.decode() if text in _TOP_KEYS else ""
        if key in _UNIQUE and key in self._seen:
            self.refuse(f"duplicate_{key}", at)
        self._seen.add(key)
        self._key = key
        self.key_count += 1
        if key in ("speed", "service_tier"):
            self.spans.pop(key, None)
        elif key == "metadata":
            self.spans.pop("user_id", None)

    def _inner_key(self, text: bytes) -> str:
        if self.depth == self._metadata_depth:
            return "user_id" if text == b"user_id" else ""
        if self.depth == self._cache_depth:
            return "ttl" if text == b"ttl" else ""
        if self._free_depth or self._cache_depth:
            return ""
        if text == b"cache_control":
            return "cache_control"
        return "free" if text in (b"input", b"input_schema") else ""

    def on_value(self, at: int, kind: int) -> int:
        key, depth = self._key, self.depth + 1
        self._value_at = at
        if kind not in (TEXT, NUMERAL):
            self._key = ""
        if key == "model" and kind != TEXT:
            self.refuse("bad_model", at)
        elif key == "stream":
            if kind < TRUE:
                self.refuse("bad_stream", at)
            else:
                self.stream = kind == TRUE
        elif key == "max_tokens" and kind != NUMERAL:
            self.refuse("bad_max_tokens", at)
        elif key == "user_id":
            self.spans.pop(key, None)
        elif key in ("free", "metadata") and kind in (OBJECT, ARRAY):
            self._free_depth = depth
            if key == "metadata" and kind == OBJECT:
                self._metadata_depth = depth
        elif key == "ttl":
            self._ttl = 5 if kind == NULL else 0
        elif key == "cache_control" and kind == OBJECT:
            self._cache_depth = depth
            self._ttl = 5
        return CAPTURE if key == "ttl" else SKIP

    def on_string(self, at: int) -> None:
        key, self._key = self._key, ""
        if key == "ttl":
            self._ttl = _TTLS.get(bytes(self.text or b""), 0)
        elif key in ("model", "user_id", "speed", "service_tier"):
            self.spans[key] = (self._value_at, at)
            if key == "model" and at - self._value_at == 2:
                self.refuse("bad_model", self._value_at)

    def on_number(self) -> None:
        if self._key == "max_tokens":
            if self.plain:
                self.max_tokens = self.number
            else:
                self.refuse("bad_max_tokens", self._value_at)
        self._key = ""

    def on_close(self) -> None:
        if self.depth == self._metadata_depth:
            self._metadata_depth = 0
        if self.depth == self._free_depth:
            self._free_depth = 0
        if self.depth == self._cache_depth:
            self._cache_depth = 0
            self.ttls.add(self._ttl)


def _structural_error(scan: _Scan, body: bytes, at: int) -> str:
    if scan.state == DONE:
        return "trailing_data" if at < len(body) else ""
    if scan.depth == 0 and at < len(body) and body[at] in b'["-0123456789tfn':
        return "not_object"
    return "invalid_json"


def _span_text(body: bytes, span: tuple[int, int] | None) -> str | None:
    """The string of a span, a lone surrogate as U+FFFD."""
    if span is None:
        return None
    text: str = json.loads(body[span[0] : span[1]].decode())
    return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)


def peek(body: bytes) -> Peek:
    if not isinstance(body, bytes):
        raise TypeError(f"a body is bytes, not {type(body).__name__}")
    scan, found = _Scan(), Peek()
    at = scan.feed_json(body, 0, len(body))
    while scan.state == DONE and at < len(body) and body[at] in b" \n\t\r":
        at += 1
    structural = _structural_error(scan, body, at)
    found.error, found.error_offset = (structural, at) if structural else (scan.error, scan.error_offset)
    found.key_count = scan.key_count
    if found.error:
        return found
    found.model = _span_text(body, scan.spans.get("model"))
    found.model_start, found.model_end = scan.spans.get("model", (-1, -1))
    found.stream, found.max_tokens = scan.stream, scan.max_tokens
    found.ttl = scan.ttls.copy().pop() if len(scan.ttls) == 1 else 0
    found.has_cache_control = bool(scan.ttls)
    found.user_id = _span_text(body, scan.spans.get("user_id"))
    found.speed = _span_text(body, scan.spans.get("speed")) or ""
    found.service_tier = _span_text(body, scan.spans.get("service_tier")) or ""
    return found
