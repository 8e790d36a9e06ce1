"""Items of a response while they are written, one after the other or several at once: a message, a thought, a call.

Each writes its own events through `put(name, fields, out)`, which numbers them, and gives its whole item at its end. `take` has
the head of the delta that the text is to be written with; b"" where it is kept back.
"""

from collections.abc import Callable
from typing import Final

import orjson

from gw.translate.form import Citation, Json, Thinking, ToolUse
from gw.translate.responses_items import FREE_TEXT, RESPONSES, annotation_of, full_name, kept_of
from gw.translate.seal import seal_id

Put = Callable[[bytes, bytes, list[bytes]], None]
_DELTA: Final = b'event: %b\ndata: {"type":"%b","item_id":%b,"output_index":%d,%b"delta":'
_PART: Final = b'"content_index":0,'
_SUMMARY: Final = b'"summary_index":0,'


def dumps(value: Json | str | list[Json]) -> bytes:
    """A lone surrogate, of which JSON's escapes can make one, is written as `?`."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(_mended(value))


def _mended(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_mended(name): _mended(inner) for name, inner in value.items()}
    return [_mended(inner) for inner in value] if isinstance(value, list) else value


class Open:
    """An item under way. `at`: its output index."""

    def __init__(self, at: int, id: str, delta: bytes, place: bytes) -> None:
        self.at = at
        self.id = dumps(id)
        self.done = False
        self.pieces: list[str] = []
        self.place = b'"item_id":%b,"output_index":%d' % (self.id, at)  # of its events
        self.head = _DELTA % (delta, delta, self.id, at, place)

    def begin(self, put: Put, out: list[bytes]) -> None:
        raise NotImplementedError

    def take(self, text: str, put: Put, out: list[bytes]) -> bytes:
        raise NotImplementedError

    def end(self, put: Put, out: list[bytes], *, whole: bool = True) -> bytes:
        raise NotImplementedError

    def added(self, item: bytes, put: Put, out: list[bytes]) -> None:
        put(b"response.output_item.added", b'"output_index":%d,"item":%b' % (self.at, item), out)

    def finished(self, item: bytes, put: Put, out: list[bytes]) -> bytes:
        self.done = True
        put(b"response.output_item.done", b'"output_index":%d,"item":%b' % (self.at, item), out)
        return item


class Message(Open):
    """One part of text, of as many blocks as follow each other."""

    def __init__(self, at: int, stem: str) -> None:
        super().__init__(at, f"msg_{stem}", b"response.output_text.delta", _PART + b'"logprobs":[],')
        self._size = 0  # characters so far
        self._begun = 0  # where the latest block begins
        self._cited: list[Citation] = []  # of the latest block
        self._annotations: list[Json] = []

    def begin(self, put: Put, out: list[bytes]) -> None:
        self.added(self._item(b"in_progress", b""), put, out)
        part = b'{"type":"output_text","annotations":[],"logprobs":[],"text":""}'
        put(b"response.content_part.added", b'%b,%b"part":%b' % (self.place, _PART, part), out)

    def next_block(self) -> None:
        self._begun = self._size

    def take(self, text: str, put: Put, out: list[bytes]) -> bytes:
        self.pieces.append(text)
        self._size += len(text)
        return self.head

    def cite(self, citation: Citation) -> None:
        self._cited.append(citation)

    def end_block(self, put: Put, out: list[bytes]) -> None:
        """Now it is known how far the text reaches that a citation backs."""
        for citation in self._cited:
            if found := annotation_of(citation, self._begun, self._size):
                where = b'"annotation_index":%d,"annotation":%b' % (len(self._annotations), dumps(found))
                put(b"response.output_text.annotation.added", b"%b,%b%b" % (self.place, _PART, where), out)
                self._annotations.append(found)
        self._cited = []

    def end(self, put: Put, out: list[bytes], *, whole: bool = True) -> bytes:
        self.end_block(put, out)
        text = dumps("".join(self.pieces))
        put(b"response.output_text.done", b'%b,%b"logprobs":[],"text":%b' % (self.place, _PART, text), out)
        part = b'{"type":"output_text","annotations":%b,"logprobs":[],"text":%b}' % (dumps(self._annotations), text)
        put(b"response.content_part.done", b'%b,%b"part":%b' % (self.place, _PART, part), out)
        return self.finished(self._item(b"completed" if whole else b"incomplete", part), put, out)

    def _item(self, status: bytes, content: bytes) -> bytes:
        return b'{"id":%b,"type":"message","status":"%b","role":"assistant","content":[%b]}' % (self.id, status, content)


class Thought(Open):
    """A reasoning item. Its words are a summary of one part; what seals them is `encrypted_content`, for every client: a model
    whose thoughts do not come back may refuse the next turn."""

    def __init__(self, at: int, block: Thinking, stem: str) -> None:
        own = block.id if block.sealed_by == RESPONSES else ""
        super().__init__(at, own or f"rs_{stem}", b"response.reasoning_summary_text.delta", _SUMMARY)
        self.signature = ""
        self._block = block

    def begin(self, put: Put, out: list[bytes]) -> None:
        self.added(self._item([]), put, out)

    def take(self, text: str, put: Put, out: list[bytes]) -> bytes:
        if not self.pieces:
            part = b'%b,%b"part":{"type":"summary_text","text":""}' % (self.place, _SUMMARY)
            put(b"response.reasoning_summary_part.added", part, out)
        self.pieces.append(text)
        return self.head

    def end(self, put: Put, out: list[bytes], *, whole: bool = True) -> bytes:
        words = "".join(self.pieces)
        parts: list[Json] = [{"type": "summary_text", "text": words}] if words else []
        if words:
            put(b"response.reasoning_summary_text.done", b'%b,%b"text":%b' % (self.place, _SUMMARY, dumps(words)), out)
            put(b"response.reasoning_summary_part.done", b'%b,%b"part":%b' % (self.place, _SUMMARY, dumps(parts[0])), out)
        return self.finished(self._item(parts), put, out)

    def _item(self, summary: list[Json]) -> bytes:
        kept = kept_of(self._block, self.signature)
        item = b'{"id":%b,"type":"reasoning","summary":%b' % (self.id, dumps(summary))
        return item + (b',"encrypted_content":%b}' % dumps(kept) if kept else b"}")


class Call(Open):
    """A call of a function or of a custom tool. Where the client's tool is a custom one and the upstream knew it as a function,
    its free text stands inside of arguments, and is given when they are whole."""

    def __init__(self, at: int, block: ToolUse, stem: str, namespace: str, *, custom: bool) -> None:
        self._kind = b"custom_tool_call" if custom else b"function_call"
        self._inside = custom and not block.custom
        self._named = b"input" if custom else b"arguments"
        event = b"response.custom_tool_call_input" if custom else b"response.function_call_arguments"
        super().__init__(at, f"{'ctc' if custom else 'fc'}_{stem}", event + b".delta", b"")
        self._event = event
        called: Json = {"call_id": seal_id(block.id or f"call_{stem}", block.signature)}
        called["name"] = block.name.removeprefix(full_name(namespace, "")) if namespace else block.name
        if namespace:
            called["namespace"] = namespace
        self._called = dumps(called)[1:-1]

    def begin(self, put: Put, out: list[bytes]) -> None:
        self.added(self._item(b"in_progress", b'""'), put, out)

    def take(self, text: str, put: Put, out: list[bytes]) -> bytes:
        self.pieces.append(text)
        return b"" if self._inside else self.head

    def end(self, put: Put, out: list[bytes], *, whole: bool = True) -> bytes:
        text = "".join(self.pieces)
        if self._inside:
            text = free_text(text)
        elif not text and self._kind == b"function_call":
            text = "{}"
        words = dumps(text)
        if text and (self._inside or not self.pieces):
            put(self._event + b".delta", b'%b,"delta":%b' % (self.place, words), out)
        put(self._event + b".done", b'%b,"%b":%b' % (self.place, self._named, words), out)
        return self.finished(self._item(b"completed", words), put, out)

    def _item(self, status: bytes, words: bytes) -> bytes:
        item = b'{"id":%b,"type":"%b","status":"%b",%b,"%b":%b}'
        return item % (self.id, self._kind, status, self._called, self._named, words)


def free_text(arguments: str) -> str:
    """Of a custom tool that was a function with one text; as it is, where the model has written something else."""
    try:
        found = orjson.loads(arguments)
    except ValueError:
        return arguments
    inner = found.get(FREE_TEXT) if isinstance(found, dict) else None
    return inner if isinstance(inner, str) else arguments
