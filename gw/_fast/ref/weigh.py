"""The pure twin of weigh.pyx: what a request body can make the provider do. The rules stand at the top of weigh.h."""

from typing import Final

from gw._fast.fields import Weight
from gw._fast.ref.json_scan import ARRAY, CAPTURE, COUNT, DONE, NULL, NUMERAL, OBJECT, SKIP, TEXT, TEXT_MAX, JsonScan

INT64_MAX: Final = 2**63 - 1
SEARCHES_UNSAID: Final = 100
ADVICE_UNSAID: Final = 10
FALLBACKS_UNSAID: Final = 3
USES_MAX: Final = 1_000_000
KEY_EXTRA: Final = 3
VALUE_EXTRA: Final = 3
SCALAR_EXTRA: Final = 4

# Sections by top-level key; the first two are the prompt's text.
_TEXT_SECTIONS: Final = ("prompt", "tools")
_SECTIONS: Final = {
    b"messages": "prompt",
    b"system": "prompt",
    b"tools": "tools",
    b"mcp_servers": "servers",
    b"context_management": "context",
    b"fallbacks": "others",
}
_TOP_WORDS: Final = {
    b"tools": "tool_list",
    b"metadata": "free",
    b"safeguards": "free",
    b"cache_control": "cache",
    b"speed": "speed",
    b"inference_geo": "geo",
    b"fallbacks": "fallback",
    b"compaction": "compact",
}
_TOP_KNOWN: Final = frozenset(
    b"model messages system thinking stream context_management output_config output_format tool_choice service_tier "
    b"stop_sequences temperature top_k top_p mcp_servers fallback_credit_token diagnostics billing_policy betas anthropic_beta "
    b"anthropic_version user_profile_id workspace_id".split()
)
_INNER_WORDS: Final = {
    b"cache_control": "cache",
    b"input": "free",
    b"input_schema": "free",
    b"input_examples": "free",
    b"schema": "free",
    b"source": "source",
    b"file_id": "file",
    b"tools": "tool_list",
    b"definition": "tool",
    b"speed": "speed",
}
_CAPS: Final = (b"max_tokens", b"output_tokens", b"completion_tokens", b"budget_tokens")
_CAPTURED: Final = frozenset(("ttl", "tool_type", "source_type", "media", "speed", "geo", "edit"))
_CLIENT_TOOLS: Final = (b"bash_2", b"text_editor_2", b"memory_2", b"computer_", b"browser_toolset_")


def _tool_kinds(kind: bytes) -> set[str]:
    if kind in (b"custom", b"function"):
        return set()
    if kind.startswith(_CLIENT_TOOLS):
        return {"client"}
    if kind.startswith(b"web_search"):
        return {"server", "search"}
    return {"server", "advisor"} if kind.startswith(b"advisor") else {"server"}


def _source_kind(kind: bytes) -> str:
    if kind == b"base64":
        return "base64"
    return "inline" if kind in (b"text", b"content", b"file") else "elsewhere"


def _media_kind(media: bytes) -> str:
    return "image" if media.startswith(b"image/") else "pdf" if media == b"application/pdf" else "other"


class _Scan(JsonScan):
    def __init__(self) -> None:
        super().__init__()
        self.text_bytes = self.media_bytes = self.images = self.documents = self.document_bytes = 0
        self.blocks = self.tools = self.defined_tools = self.server_tools = 0
        self.searches_cap = self.advisor_uses = self.fallbacks = self.references = 0
        self.output_cap = -1
        self.compaction = self.ttl = self.fast = self.geo = 0
        self._section = self._word = ""
        self._value_at = 0
        self._free_depth = self._cache_depth = self._tool_list_depth = self._tool_depth = self._source_depth = 0
        self._ttl = 0
        self._tool_kinds: set[str] = set()
        self._tool_uses = -1
        self._source_kinds: set[str] = set()
        self._source_raw = self._source_text = 0

    def _is_json_text(self) -> bool:
        return self._section in _TEXT_SECTIONS and bool(self._free_depth or self._tool_depth or self._tool_list_depth)

    def _captured(self) -> bytes:
        """What was captured; a text that was too long is none that means anything."""
        return b"" if self.text is None else bytes(self.text)

    def _captured_size(self) -> int:
        return TEXT_MAX + 1 if self.text is None else len(self.text)

    def on_key(self, at: int) -> None:
        key = b"\xff" if self.text is None else bytes(self.text)  # too long: no word of ours
        if self.depth == 1:
            self._section = _SECTIONS.get(key, "")
            self._word = _TOP_WORDS.get(key, "" if key in _TOP_KNOWN else "cap" if key.endswith(_CAPS) else "reference")
            return
        if self._is_json_text():
            self.text_bytes += self._captured_size() + KEY_EXTRA
        self._word = self._inner_word(key)

    def _inner_word(self, key: bytes) -> str:
        depth = self.depth
        if depth == self._cache_depth:
            return "ttl" if key == b"ttl" else ""
        if self._free_depth or self._cache_depth:
            return ""
        if key == b"type":
            if depth == self._tool_depth:
                return "tool_type"
            if depth == self._source_depth:
                return "source_type"
            return "edit" if self._section == "context" and not self._objects[-2] else ""
        if depth == self._tool_depth and key == b"max_uses":
            return "uses"
        if depth == self._source_depth and key in (b"media_type", b"data"):
            return "media" if key == b"media_type" else "data"
        return _INNER_WORDS.get(key, "cap" if key.endswith(_CAPS) else "")

    def on_value(self, at: int, kind: int) -> int:
        word = self._word
        self._value_at = at
        if self._is_json_text():
            self.text_bytes += VALUE_EXTRA if kind <= TEXT else SCALAR_EXTRA
        if kind not in (TEXT, NUMERAL):
            self._word = ""
        if kind in (OBJECT, ARRAY):
            if self.depth:
                self._open(word, kind)
            return SKIP
        if kind != TEXT:
            if word == "ttl" and kind not in (NULL, NUMERAL):
                self._ttl = 60
            return SKIP
        if word in ("reference", "file"):
            self.references += 1
        elif word == "fallback":
            self.fallbacks += FALLBACKS_UNSAID
        elif word in _CAPTURED:
            return CAPTURE
        return COUNT if self._section in _TEXT_SECTIONS else SKIP

    def _open(self, word: str, kind: int) -> None:
        depth, is_object = self.depth + 1, kind == OBJECT
        if is_object and not self._objects[-1] and not self._free_depth:
            self._open_element(depth)
        if word == "free":
            self._free_depth = depth
        elif word == "reference":
            self.references += 1
        elif word == "compact":
            self.compaction = 1
        elif word == "ttl":
            self._ttl = 60
        elif word == "source" and is_object:
            if self._source_depth:
                self._data_is_text()
            self._source_depth, self._source_kinds = depth, set()
            self._source_raw = self._source_text = 0
        elif word == "cache" and is_object:
            self._cache_depth, self._ttl = depth, 5
        elif word == "tool_list" and not is_object and not self._tool_list_depth and not self._tool_depth:
            self._tool_list_depth = depth
        elif word == "tool" and is_object and not self._tool_list_depth and not self._tool_depth:
            self._begin_tool(depth)

    def _open_element(self, depth: int) -> None:
        if self._section == "prompt":
            self.blocks += 1
        if self.depth == self._tool_list_depth:
            self._begin_tool(depth)
        if self._section == "servers" and self.depth == 2:
            self.references += 1
            self.server_tools += 1
        if self._section == "others" and self.depth == 2:
            self.fallbacks += 1

    def _begin_tool(self, depth: int) -> None:
        self._tool_depth, self._tool_kinds, self._tool_uses = depth, set(), -1

    def _end_tool(self) -> None:
        self._tool_depth = 0
        self.tools += 1
        self.defined_tools += bool(self._tool_kinds)
        self.server_tools += "server" in self._tool_kinds
        if "search" in self._tool_kinds:
            self.searches_cap += SEARCHES_UNSAID if self._tool_uses < 0 else self._tool_uses
        if "advisor" in self._tool_kinds:
            self.advisor_uses += ADVICE_UNSAID if self._tool_uses < 0 else self._tool_uses

    def _data_is_text(self) -> None:
        self.text_bytes += self._source_text
        self._source_raw = self._source_text = 0

    def _end_source(self) -> None:
        self._source_depth = 0
        if self._source_kinds == {"base64", "image"}:
            self.images += 1
            self.media_bytes += self._source_raw
        elif self._source_kinds == {"base64", "pdf"}:
            self.documents += 1
            self.document_bytes += self._source_raw
            self.media_bytes += self._source_raw
        else:
            self._data_is_text()
            self.references += "elsewhere" in self._source_kinds

    def on_string(self, at: int) -> None:
        word, self._word = self._word, ""
        if word not in _CAPTURED:
            if word == "data" and self._section in _TEXT_SECTIONS:
                self._source_text += self.counted
                self._source_raw += at - self._value_at - 2
            elif self._section in _TEXT_SECTIONS:
                self.text_bytes += self.counted
            return
        text = self._captured()
        if self._section in _TEXT_SECTIONS:
            self.text_bytes += self._captured_size()
        if word == "ttl" and text != b"5m":
            self._ttl = 60
        elif word == "tool_type":
            self._tool_kinds |= _tool_kinds(text)
        elif word == "source_type":
            self._source_kinds.add(_source_kind(text))
        elif word == "media":
            self._source_kinds.add(_media_kind(text))
        elif word == "speed" and text != b"standard":
            self.fast = 1
        elif word == "geo":
            self.geo = 1 if text == b"global" and self.geo != 2 else 2
        elif word == "edit" and not text.startswith(b"clear_"):
            self.compaction = 1

    def on_number(self) -> None:
        number = self.number if self.plain else INT64_MAX
        if self._word == "cap":
            self.output_cap = max(self.output_cap, number)
        elif self._word == "uses":
            self._tool_uses = max(self._tool_uses, min(number, USES_MAX))
        elif self._word == "ttl":
            self._ttl = 60
        self._word = ""

    def on_close(self) -> None:
        depth = self.depth
        if depth == self._free_depth:
            self._free_depth = 0
        if depth == self._tool_list_depth:
            self._tool_list_depth = 0
        if depth == self._tool_depth:
            self._end_tool()
        if depth == self._source_depth:
            self._end_source()
        if depth == self._cache_depth:
            self._cache_depth = 0
            self.ttl = max(self.ttl, self._ttl)


def weigh(body: bytes) -> Weight:
    if not isinstance(body, bytes):
        raise TypeError(f"a body is bytes, not {type(body).__name__}")
    scan = _Scan()
    at = scan.feed_json(body, 0, len(body))
    while scan.state == DONE and at < len(body) and body[at] in b" \n\t\r":
        at += 1
    if scan.state != DONE or at < len(body):
        raise ValueError("the body is not one JSON object")
    return Weight(
        text_bytes=scan.text_bytes,
        bound_bytes=len(body) - scan.media_bytes,
        images=scan.images,
        documents=scan.documents,
        document_bytes=scan.document_bytes,
        blocks=scan.blocks,
        tools=scan.tools,
        defined_tools=scan.defined_tools,
        server_tools=scan.server_tools,
        searches_cap=scan.searches_cap,
        advisor_uses=scan.advisor_uses,
        fallbacks=scan.fallbacks,
        compaction=scan.compaction,
        references=scan.references,
        output_cap=scan.output_cap,
        ttl=scan.ttl,
        fast=scan.fast,
        geo=scan.geo,
    )
