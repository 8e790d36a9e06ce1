"""The pure twin of tap_nodes.h: one document of a response, its known places gathered, the rest only checked."""

from typing import Final

from gw._fast.ref.json_scan import ARRAY, CAPTURE, COUNT, NULL, NUMERAL, OBJECT, SKIP, TEXT, JsonScan

ENTRIES_MAX: Final = 1024

# A place is named by its container and key. What stands there: the name of a container, or a kind of leaf and its slot.
_INT, _STRING, _ENTRY_INT, _ENTRY_STRING, _DELTA_TEXT, _BLOCK_TEXT = range(100, 106)  # apart from OBJECT and ARRAY
_MESSAGE: Final = {
    "model": (_STRING, "model"), "id": (_STRING, "id"), "stop_reason": (_STRING, "stop"),
    "usage": (OBJECT, "usage"), "content": (ARRAY, "content"),
}  # fmt: skip
_PLACES: Final[dict[str, dict[str, tuple[int, str]]]] = {
    "event": {
        "type": (_STRING, "type"), "delta": (OBJECT, "delta"), "message": (OBJECT, "message"), "usage": (OBJECT, "usage"),
        "content_block": (OBJECT, "block"), "error": (OBJECT, "error"),
    },
    "whole": {"type": (_STRING, "type"), "error": (OBJECT, "error"), **_MESSAGE},
    "message": _MESSAGE,
    "delta": {
        "type": (_STRING, "delta"), "stop_reason": (_STRING, "stop"),
        "text": (_DELTA_TEXT, ""), "thinking": (_DELTA_TEXT, ""), "partial_json": (_DELTA_TEXT, ""),
    },
    "block": {
        "type": (_STRING, "block"), "text": (_BLOCK_TEXT, ""), "thinking": (_BLOCK_TEXT, ""), "signature": (_BLOCK_TEXT, ""),
    },
    "error": {"type": (_STRING, "error")},
    "usage": {
        "input_tokens": (_INT, "input"), "output_tokens": (_INT, "output"), "cache_read_input_tokens": (_INT, "cache_read"),
        "cache_creation_input_tokens": (_INT, "cache_write"), "cache_creation": (OBJECT, "creation"),
        "output_tokens_details": (OBJECT, "details"), "server_tool_use": (OBJECT, "tools"), "service_tier": (_STRING, "tier"),
        "speed": (_STRING, "speed"), "inference_geo": (_STRING, "geo"), "iterations": (ARRAY, "entries"),
    },
    "creation": {"ephemeral_5m_input_tokens": (_INT, "write_5m"), "ephemeral_1h_input_tokens": (_INT, "write_1h")},
    "details": {"thinking_tokens": (_INT, "thinking")},
    "tools": {
        "web_search_requests": (_INT, "search"), "web_fetch_requests": (_INT, "fetch"), "code_execution_requests": (_INT, "code"),
    },
    "entry": {
        "type": (_ENTRY_STRING, "type"), "model": (_ENTRY_STRING, "model"), "input_tokens": (_ENTRY_INT, "input"),
        "output_tokens": (_ENTRY_INT, "output"), "cache_read_input_tokens": (_ENTRY_INT, "cache_read"),
        "cache_creation_input_tokens": (_ENTRY_INT, "cache_write"), "cache_creation": (OBJECT, "entry creation"),
    },
    "entry creation": {
        "ephemeral_5m_input_tokens": (_ENTRY_INT, "write_5m"), "ephemeral_1h_input_tokens": (_ENTRY_INT, "write_1h"),
    },
}  # fmt: skip
_ELEMENTS: Final = {"entries": (OBJECT, "entry"), "content": (OBJECT, "block")}
_KINDS: Final[dict[int, int]] = {
    OBJECT: OBJECT, ARRAY: ARRAY, _INT: NUMERAL, _ENTRY_INT: NUMERAL, _STRING: TEXT, _ENTRY_STRING: TEXT,
    _DELTA_TEXT: TEXT, _BLOCK_TEXT: TEXT,
}  # fmt: skip
_KNOWN: Final = (b"message_start", b"message_delta", b"content_block_start", b"content_block_delta")


class Entry:
    """One of usage.iterations, as far as it was given."""

    __slots__ = ("ints", "strings")

    def __init__(self) -> None:
        self.ints: dict[str, int] = {}
        self.strings: dict[str, bytes] = {}


class TapDoc(JsonScan):
    """`root` is "event" for the documents of a stream, "whole" for a body that is not one."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root
        self.clear()

    def clear(self) -> None:
        self.reset()
        self.ints: dict[str, int] = {}
        self.strings: dict[str, bytes] = {}
        self.entries: list[Entry] | None = None  # None: no list was seen
        self.usage_seen = self.error_seen = self.content = False
        self.unread = False  # something at a known place could not be taken
        self.delta_bytes = self._block_bytes = 0
        self._path: list[str] = []  # the known containers that are open
        self._place: tuple[int, str] | None = None  # of the key last read
        self._leaf: tuple[int, str] | None = None  # of the string or number being read

    def has_type(self, word: bytes) -> bool:
        return self.strings.get("type") == word

    def is_error(self) -> bool:
        return self.has_type(b"error") or ("type" not in self.strings and self.error_seen)

    def is_known(self) -> bool:
        """An event of the dialect as far as it matters here; of all others, what they hold is not judged."""
        return self.strings.get("type") in _KNOWN or self.is_error()

    def delta_content(self) -> bool:
        """A delta without text still carries something unless it is of a text-bearing kind: a signature, a citation."""
        kind = self.strings.get("delta", b"")
        return self.delta_bytes > 0 or kind not in (b"", b"text_delta", b"thinking_delta", b"input_json_delta")

    def on_key(self, at: int) -> None:
        known = len(self._path) == self.depth and self.text is not None
        # Keys are compared as ASCII: no known one has other letters.
        self._place = _PLACES[self._path[-1]].get(self.text.decode("latin-1")) if known and self.text is not None else None

    def _place_here(self) -> tuple[int, str] | None:
        if self.depth == 0:
            return OBJECT, self._root
        if len(self._path) != self.depth:
            return None
        return _ELEMENTS.get(self._path[-1], self._place)

    def on_value(self, at: int, kind: int) -> int:
        place, self._leaf = self._place_here(), None
        if place is None or kind == NULL:
            return SKIP
        if kind != _KINDS[place[0]]:
            # New kinds of blocks may put other things where text was.
            self.unread |= place[0] not in (_DELTA_TEXT, _BLOCK_TEXT)
            return SKIP
        if kind in (OBJECT, ARRAY):
            if self._enter(place[1]):
                self._path.append(place[1])
            else:
                self.unread = True
            return SKIP
        self._leaf = place
        return COUNT if place[0] in (_DELTA_TEXT, _BLOCK_TEXT) else CAPTURE

    def _enter(self, name: str) -> bool:
        """False if the content of this container cannot be taken."""
        if name == "usage":
            self.usage_seen = True
        elif name == "error":
            self.error_seen = True
        elif name == "entries":
            self.entries = []
        elif name == "block":
            self._block_bytes = 0
            self.strings.pop("block", None)
        elif name == "entry" and self.entries is not None:
            if len(self.entries) == ENTRIES_MAX:
                return False
            self.entries.append(Entry())
        return True

    def on_string(self, at: int) -> None:
        if self._leaf is None:
            return
        kind, slot = self._leaf
        if kind == _DELTA_TEXT:
            self.delta_bytes += self.counted
        elif kind == _BLOCK_TEXT:
            self._block_bytes += self.counted
        elif self.text is None:
            self.unread = True
        elif kind == _ENTRY_STRING and self.entries:
            self.entries[-1].strings[slot] = bytes(self.text)
        else:
            self.strings[slot] = bytes(self.text)

    def on_number(self) -> None:
        if self._leaf is None:
            return
        kind, slot = self._leaf
        if not self.plain:
            self.unread = True
        elif kind == _ENTRY_INT and self.entries:
            self.entries[-1].ints[slot] = self.number
        else:
            self.ints[slot] = self.number

    def on_close(self) -> None:
        if len(self._path) == self.depth and self._path.pop() == "block":
            self.content |= self._block_content()

    def _block_content(self) -> bool:
        """Text and thinking count if there is any, `fallback` never, tools and all other kinds always."""
        kind = self.strings.get("block", b"")
        if kind in (b"", b"text", b"thinking"):
            return self._block_bytes > 0
        return kind != b"fallback"
