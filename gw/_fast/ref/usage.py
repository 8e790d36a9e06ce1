"""The pure twin of usage.pyx: usage from an Anthropic response. The rules stand at the top of tap.h and tap_lines.h."""

import re
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from gw._fast.fields import EntryFields, Fields
from gw._fast.ref import json_scan
from gw._fast.ref.json_scan import INT64_MAX
from gw._fast.ref.tap_doc import Entry, TapDoc

if TYPE_CHECKING:
    from typing_extensions import Buffer

FIRST_TOKEN, DONE, ERROR, USAGE = 1, 2, 4, 8
_WORD_COUNT: Final = 16
OBSERVED_BYTES: Final = _WORD_COUNT * 8
_MAGIC: Final = 0x67775F7461700001

# The observed words, as usage.pyx lays them out.
_FLAGS, _TEXT_BYTES, _REQUEST_TTL = 1, 12, 13
_INTS: Final = (
    "input", "output", "cache_read", "cache_write", "write_5m", "write_1h", "thinking", "search", "fetch", "code",
)  # fmt: skip
_FIRST_INT: Final = 2
_COUNTS: Final = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "thinking_tokens",
    "web_search_requests", "web_fetch_requests", "code_execution_requests",
)  # fmt: skip
_STARTED, _FINISHED, _FINAL_USAGE, _FAST, _GEO_US, _CONTENT, _GARBLED = 1, 2, 4, 8, 16, 32, 64

_EOL: Final = re.compile(rb"[\r\n]")
_BOM: Final = b"\xef\xbb\xbf"
_NAMES: Final = (b"data", b"event", b"id", b"retry")
_L_BOM, _L_START, _L_NAME, _L_COLON, _L_DATA, _L_SKIP = range(6)
_D_NONE, _D_OPEN, _D_CLOSED, _D_CLOSED_HERE, _D_IGNORE = range(5)


class _Words:
    """The observed words: in memory of our own, or in the caller's."""

    def __init__(self, request_ttl: int, memory: "Buffer | None") -> None:
        view = memoryview(bytearray(OBSERVED_BYTES) if memory is None else memory).cast("B")
        if view.readonly:
            raise BufferError("the tap's memory must be writable")
        if len(view) < OBSERVED_BYTES:
            raise ValueError(f"the tap's memory must have {OBSERVED_BYTES} bytes, not {len(view)}")
        self.view = view[:OBSERVED_BYTES].cast("q")
        for index in range(_WORD_COUNT):
            self.view[index] = 0
        for index in range(_FIRST_INT, _FIRST_INT + len(_INTS)):
            self.view[index] = -1
        self.view[_REQUEST_TTL] = request_ttl
        self.view[0] = _MAGIC

    def flag(self, bits: int) -> None:
        self.view[_FLAGS] |= bits


class Tap:
    """See usage.pyi."""

    def __init__(self, request_ttl: int = 0, memory: "Buffer | None" = None, *, root: str = "event") -> None:
        if request_ttl not in (0, 5, 60):
            raise ValueError(f"request_ttl is 0, 5 or 60 minutes, not {request_ttl}")
        self.words = _Words(request_ttl, memory)
        self.doc = TapDoc(root)
        self.in_block = False
        self._texts: dict[str, bytes] = {}
        self._entries: list[Entry] = []
        self._first_token = self._garbled = False
        self._line, self._doc_state = _L_BOM, _D_NONE
        self._name = b""
        self._last_cr = self._line_empty = self._fed = False
        self._bom_size = 0

    @property
    def at_boundary(self) -> bool:
        return not self._fed or (self._line == _L_START and self._line_empty)

    @property
    def text_bytes(self) -> int:
        return self.words.view[_TEXT_BYTES]

    def found(self) -> "Found":
        return Found(_fields(self.words.view, self._entries, self._texts))

    def reading(self) -> Fields:
        return self.found().fields()

    def feed(self, chunk: bytes) -> int:
        if not isinstance(chunk, bytes):
            raise TypeError(f"a chunk is bytes, not {type(chunk).__name__}")
        news, at, end = 0, 0, len(chunk)
        self._fed |= end > 0
        while at < end:
            byte = chunk[at]
            if self._line == _L_BOM:
                at += self._bom_byte(byte)
            elif byte in b"\r\n":
                if byte == 0x0A and self._last_cr:
                    self._last_cr = False  # the second half of CRLF
                else:
                    self._end_line(byte)
                at += 1
            elif self._line == _L_START:
                self._last_cr = self._line_empty = False
                self._name = b""
                self._line = _L_SKIP if byte == 0x3A else _L_NAME
            elif self._line == _L_NAME:
                self._name_byte(byte)
                at += 1
            elif self._line == _L_COLON:
                self._line = _L_DATA
                at += byte == 0x20
            else:
                found = _EOL.search(chunk, at)
                eol = found.start() if found else end
                if self._line == _L_DATA:
                    news |= self._feed_data(chunk, at, eol)
                at = eol
        if self._garbled:
            self.words.flag(_GARBLED)
        return news

    def _bom_byte(self, byte: int) -> int:
        """Returns how many bytes it took."""
        if byte == _BOM[self._bom_size]:
            self._bom_size += 1
            if self._bom_size == len(_BOM):
                self._line = _L_START
            return 1
        if self._bom_size == 0:
            self._line = _L_START
        else:  # part of a name that no field has
            self._garbled = True
            self._line = _L_SKIP
        return 0

    def _name_byte(self, byte: int) -> None:
        if byte == 0x3A:
            self._garbled |= self._name not in _NAMES
            self._line = _L_COLON if self._name == b"data" else _L_SKIP
            return
        self._name += bytes((byte,))
        if not any(name.startswith(self._name) for name in _NAMES):
            self._garbled = True
            self._line = _L_SKIP

    def _end_line(self, eol: int) -> None:
        is_empty = self._line == _L_START
        if self._line == _L_NAME:
            self._garbled |= self._name not in _NAMES
        elif self._line in (_L_COLON, _L_DATA):
            self._feed_data(b"\n", 0, 1)
        if self._doc_state == _D_CLOSED_HERE:
            self._doc_state = _D_CLOSED
        if is_empty:
            self._garbled |= self._doc_state == _D_OPEN
            self._doc_state = _D_NONE
        self._line = _L_START
        self._line_empty = is_empty
        self._last_cr = eol == 0x0D

    def _feed_data(self, chunk: bytes, at: int, end: int) -> int:
        """Feeds a piece of a data line, without its end, to the document. Returns the news."""
        doc, news = self.doc, 0
        while at < end and self._doc_state != _D_IGNORE:
            byte = chunk[at]
            if self._doc_state == _D_OPEN:
                at = doc.feed_json(chunk, at, end)
                if doc.state == json_scan.FAILED:
                    self._fail()
                elif doc.state == json_scan.DONE:
                    self._doc_state = _D_CLOSED_HERE
                    news |= self._commit_event()
            elif byte in b" \t\r\n":
                at += 1
            elif self._doc_state == _D_NONE and byte == 0x5B:  # "[DONE]", from other dialects
                self._doc_state = _D_IGNORE
            elif self._doc_state == _D_CLOSED_HERE or byte != 0x7B:
                self._fail()
            else:
                self._garbled |= self._doc_state == _D_CLOSED
                doc.clear()
                self._doc_state = _D_OPEN
        return news

    def _fail(self) -> None:
        self._garbled = True
        self._doc_state = _D_IGNORE

    def _commit_event(self) -> int:
        doc = self.doc
        self._garbled |= doc.unread and doc.is_known()
        if doc.has_type(b"content_block_delta"):
            self.words.view[_TEXT_BYTES] += doc.delta_bytes
            return self._take_first(content=doc.delta_content())
        if doc.has_type(b"content_block_start"):
            self.in_block = True
            return self._take_first(content=True) if doc.content else 0
        if doc.has_type(b"content_block_stop"):
            self.in_block = False
        elif doc.has_type(b"message_start"):
            self._merge(_STARTED)
        elif doc.has_type(b"message_delta"):
            return USAGE if self._merge(0) else 0
        elif doc.has_type(b"message_stop"):
            self.words.flag(_FINISHED)
            return DONE
        elif doc.is_error():
            return self._take_error()
        return 0

    def _take_first(self, *, content: bool) -> int:
        news = 0 if self._first_token else FIRST_TOKEN
        self._first_token = True
        if content:
            self.words.flag(_CONTENT)
        return news

    def _take_error(self) -> int:
        if "error" in self.doc.strings:
            self._texts["error"] = self.doc.strings["error"]
        return ERROR

    def _merge(self, flags: int) -> bool:
        """Takes over what the document said of the message. Returns True if it had usage with output tokens, which is the
        final one unless `flags` say that the message has only started."""
        doc, view = self.doc, self.words.view
        for index, name in enumerate(_INTS, _FIRST_INT):
            if name in doc.ints:
                view[index] = doc.ints[name]
        for slot in ("model", "id", "stop", "tier", "speed", "geo"):
            if slot in doc.strings:
                self._texts[slot] = doc.strings[slot]
        if doc.entries is not None:
            self._entries = doc.entries
        is_final = doc.usage_seen and "output" in doc.ints and flags != _STARTED
        flags |= view[_FLAGS] & ~(_FAST | _GEO_US)
        flags |= (_FINAL_USAGE if is_final else 0) | (_CONTENT if doc.content else 0)
        flags |= _FAST if self._texts.get("speed") == b"fast" else 0
        flags |= _GEO_US if self._texts.get("geo") == b"us" else 0
        view[_FLAGS] = flags
        return is_final

    def read_whole(self, body: bytes) -> None:
        """A body that is not a stream: a message or an error. Anything else only sets the garbled flag."""
        doc = self.doc
        at = doc.feed_json(body, 3 if body.startswith(_BOM) else 0, len(body))
        while at < len(body) and body[at] in b" \t\r\n":
            at += 1
        self._garbled |= doc.state != json_scan.DONE or at < len(body)
        if doc.state == json_scan.DONE:
            self._garbled |= doc.unread
            if doc.is_error():
                self._take_error()
            elif doc.has_type(b"message") or ("type" not in doc.strings and doc.usage_seen):
                self._merge(_STARTED | _FINISHED)
            else:
                self._garbled = True
        if self._garbled:
            self.words.flag(_GARBLED)


def _text(raw: bytes | None) -> str:
    """A lone surrogate becomes U+FFFD, so that the text can always be encoded again."""
    return (raw or b"").decode("utf-8", "replace")


def _entry_fields(entry: Entry) -> EntryFields:
    ints = entry.ints
    seen_5m, seen_1h = ints.get("write_5m", 0), ints.get("write_1h", 0)
    total = ints.get("cache_write", min(seen_5m + seen_1h, INT64_MAX))
    split = (0, 0)
    if "write_5m" in ints or "write_1h" in ints:
        split = (total - min(seen_1h, total), min(seen_1h, total))
    texts = _text(entry.strings.get("type")), _text(entry.strings.get("model"))
    return *texts, ints.get("input", 0), ints.get("output", 0), ints.get("cache_read", 0), total, *split


def _share(entries: Iterable[Entry], slot: str, counted: int, wanted: int) -> int:
    """Of `wanted` tokens without a TTL, those the entries of the top level give this one beyond `counted`."""
    top = (entry for entry in entries if entry.strings.get("type") in (b"message", b"fallback_message"))
    return min(max(min(sum(entry.ints.get(slot, 0) for entry in top), INT64_MAX) - counted, 0), wanted)


def _split_writes(words: memoryview, entries: Iterable[Entry]) -> tuple[int, int, bool]:
    """Cache writes of 5m and of 1h, and whether some were given a TTL the response did not name."""
    total, seen_5m, seen_1h = (words[_FIRST_INT + _INTS.index(name)] for name in ("cache_write", "write_5m", "write_1h"))
    left = total if total >= 0 else min(max(seen_5m, 0) + max(seen_1h, 0), INT64_MAX)
    write_1h = min(max(seen_1h, 0), left)
    left -= write_1h
    write_5m = min(max(seen_5m, 0), left)
    left -= write_5m
    long_share = _share(entries, "write_1h", write_1h, left)
    short_share = _share(entries, "write_5m", write_5m, left - long_share)
    left -= long_share + short_share
    is_long = words[_REQUEST_TTL] == 60
    return write_5m + short_share + (0 if is_long else left), write_1h + long_share + (left if is_long else 0), left > 0


def _fields(words: memoryview, entries: list[Entry], texts: dict[str, bytes]) -> Fields:
    known = {name: max(words[index], 0) for index, name in enumerate(_INTS, _FIRST_INT)}
    write_5m, write_1h, assumed = _split_writes(words, entries)
    flags = words[_FLAGS]
    return (
        known["input"], known["output"], known["cache_read"], write_5m, write_1h,
        known["thinking"], known["search"], known["fetch"], known["code"],
        _text(texts.get("tier")), _text(texts.get("speed")), _text(texts.get("geo")),
        tuple(_entry_fields(entry) for entry in entries), assumed,
        bool(flags & _STARTED), bool(flags & _FINISHED), bool(flags & _FINAL_USAGE),
        _text(texts.get("model")), _text(texts.get("id")), _text(texts.get("stop")), not flags & _CONTENT,
        words[_TEXT_BYTES], _text(texts.get("error")), bool(flags & _GARBLED),
    )  # fmt: skip


class Found:
    """See usage.pyi."""

    __slots__ = (
        *_COUNTS, "service_tier", "speed", "inference_geo", "iterations", "ttl_assumed", "started", "finished", "final_usage",
        "model", "message_id", "stop_reason", "content_empty", "text_bytes", "error_type", "garbled",
    )  # fmt: skip

    def __init__(self, fields: Fields) -> None:
        for name, value in zip(self.__slots__, fields, strict=True):
            setattr(self, name, value)

    def cap(self, most: int) -> bool:
        counts: list[int] = [getattr(self, name) for name in _COUNTS]
        if reduce(or_, counts) <= most:
            return False
        for name, count in zip(_COUNTS, counts, strict=True):
            setattr(self, name, min(count, most))
        self.final_usage, self.garbled = False, True
        return True

    def fields(self) -> Fields:
        return tuple(getattr(self, name) for name in self.__slots__)  # as many as it was made from


def found_in(body: bytes, request_ttl: int) -> Found:
    if not isinstance(body, bytes):
        raise TypeError(f"a body is bytes, not {type(body).__name__}")
    tap = Tap(request_ttl, root="whole")
    tap.read_whole(body)
    return tap.found()


def read_message(body: bytes, request_ttl: int = 0) -> Fields:
    return found_in(body, request_ttl).fields()


def observed_from(memory: "Buffer") -> Fields:
    view = memoryview(memory).cast("B")
    if len(view) < OBSERVED_BYTES:
        raise ValueError(f"the tap's memory must have {OBSERVED_BYTES} bytes, not {len(view)}")
    words = view[:OBSERVED_BYTES].cast("q")
    if words[0] != _MAGIC:
        raise ValueError("no tap has written here, or one of another version")
    flags = words[_FLAGS]
    texts = {"speed": b"fast" if flags & _FAST else b"", "geo": b"us" if flags & _GEO_US else b""}
    return _fields(words, [], texts)
