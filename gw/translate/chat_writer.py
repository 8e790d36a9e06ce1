"""Events -> a Chat Completions stream for a client, and an Answer -> a chat completion.

Chunks are as the official SDK's accumulator joins them: entries of lists have an index, a tool call's id and name come once.
Thoughts go as `reasoning_content`; what an upstream has sealed also as `reasoning_details`, whole, for clients that send messages
back as they got them. Blocks of other providers' server tools have no words here and are left out.
"""

from typing import Final

import orjson

from gw import clock
from gw.translate.chat_errors import error_json
from gw.translate.chat_parts import media_part
from gw.translate.chat_request import FUNCTIONS
from gw.translate.chat_words import CHAT, FINISHES, FREE_TEXT, sealed_entry, tier_of, usage_json
from gw.translate.form import (
    Answer,
    ArgumentsDelta,
    Block,
    BlockStart,
    BlockStop,
    Citation,
    CitationDelta,
    End,
    Event,
    Failure,
    Json,
    Media,
    Request,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.loose import loaded

PING: Final = b": ping\n\n"
DONE: Final = b"data: [DONE]\n\n"
_TAIL: Final = b'},"logprobs":null,"finish_reason":null}]}\n\n'
_CALL_TAIL: Final = b'}}]},"logprobs":null,"finish_reason":null}]}\n\n'


def dumps(value: object) -> bytes:
    """As JSON; a lone surrogate, which no UTF-8 can say, becomes a question mark."""
    try:
        return orjson.dumps(value)
    except TypeError:
        if isinstance(value, str):
            return orjson.dumps(value.encode("utf-8", "replace").decode())
        return _cleaned(value)


def _cleaned(value: object) -> bytes:
    match value:
        case dict():
            return b"{%b}" % b",".join(dumps(str(name)) + b":" + dumps(one) for name, one in value.items())
        case list():
            return b"[%b]" % b",".join(map(dumps, value))
    return b"null"


def custom_names(asked: Request) -> frozenset[str]:
    return frozenset(tool.name for tool in asked.tools if tool.custom)


def free_text(arguments: str) -> str:
    """Of a custom tool that was called as a function."""
    found = loaded(arguments)
    text = found.get(FREE_TEXT) if isinstance(found, dict) else None
    return text if isinstance(text, str) else arguments


def annotation(citation: Citation, start: int, size: int) -> Json | None:
    """`start`, `size`: of the block's text, in the whole of the message's. None for what has no address."""
    if not citation.url:
        return None
    part = citation.text_start >= 0 and citation.text_end >= citation.text_start
    first, last = (citation.text_start, citation.text_end) if part else (0, size)
    inner = {"start_index": start + first, "end_index": start + last, "title": citation.title, "url": citation.url}
    return {"type": "url_citation", "url_citation": inner}


class _Open:
    """A block that is being written."""

    __slots__ = ("block", "citations", "head", "number", "pieces", "size", "start", "whole")

    def __init__(self, block: Block, number: int, start: int) -> None:
        self.block = block
        self.number = number  # of a tool call, or a thought
        self.head = b""  # of a delta of a call's arguments
        self.start = start  # of a text
        self.size = 0  # characters of text, or of arguments, so far
        self.citations: list[Citation] = []
        self.pieces: list[str] = []  # of what can only be written whole
        self.whole = False


class EventWriter:
    """See gw.translate.dialect.EventWriter. `asked`: the client's own request; the answer has its name of the model."""

    def __init__(self, asked: Request) -> None:
        self._asked = asked
        self._old = asked.dialect == CHAT and FUNCTIONS in asked.foreign
        self._customs = custom_names(asked)
        self._shown = asked.effort.shown
        self._head = b""  # of every chunk, up to the delta's content
        self._text_head = b""
        self._thought_head = b""
        self._open: dict[int, _Open] = {}
        self._calls = 0
        self._details = 0
        self._images = 0
        self._chars = 0  # of all text
        self._annotations: list[Json] = []
        self._over = False

    def write(self, events: list[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if self._over:
                break
            kind = type(event)
            if kind is TextDelta:
                self._text(event, out)  # type: ignore[arg-type]
            elif kind is ThinkingDelta:
                self._thought(event, out)  # type: ignore[arg-type]
            elif kind is ArgumentsDelta:
                self._arguments(event.index, event.text, out)  # type: ignore[union-attr]
            else:
                self._rare(event, out)
        return b"".join(out)

    def ping(self) -> bytes:
        return b"" if self._over else PING

    def fail(self, failure: Failure) -> bytes:
        if self._over:
            return b""
        self._over = True
        return b"data: " + dumps({"error": error_json(failure)}) + b"\n\n" + DONE

    # --- deltas ---------------------------------------------------------------------------------------------------

    def _text(self, event: TextDelta, out: list[bytes]) -> None:
        opened = self._open.get(event.index)
        if opened is None or not event.text:
            return
        opened.size += len(event.text)
        self._chars += len(event.text)
        out.append(self._text_head + dumps(event.text) + _TAIL)

    def _thought(self, event: ThinkingDelta, out: list[bytes]) -> None:
        opened = self._open.get(event.index)
        if opened is None or not event.text:
            return
        opened.pieces.append(event.text)
        if self._shown:
            out.append(self._thought_head + dumps(event.text) + _TAIL)

    def _arguments(self, index: int, text: str, out: list[bytes]) -> None:
        opened = self._open.get(index)
        if opened is None or not text:
            return
        if opened.whole:
            opened.pieces.append(text)
            return
        opened.size += len(text)
        if opened.head:
            out.append(opened.head + dumps(text) + (b"}" + _TAIL if self._old else _CALL_TAIL))

    def _delta(self, delta: Json, out: list[bytes], finish: str | None = None) -> None:
        out.append(self._head + dumps(delta) + b',"logprobs":null,"finish_reason":' + dumps(finish) + b"}]}\n\n")

    # --- all other events -----------------------------------------------------------------------------------------

    def _rare(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Start():
                self._begin(event, out)
            case BlockStart():
                self._block(event.index, event.block, out)
            case SignatureDelta():
                self._signed(event, out)
            case CitationDelta():
                if event.index in self._open:
                    self._open[event.index].citations.append(event.citation)
            case BlockStop():
                self._stop(event.index, out)
            case End():
                self._end(event, out)
            case Failure():
                out.append(self.fail(event))
            case _:
                pass

    def _begin(self, start: Start, out: list[bytes]) -> None:
        created = start.created_s or clock.wall_ns() // 10**9
        model = self._asked.model_named or start.model
        head: Json = {"id": start.id or "chatcmpl-gw", "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b"data: " + dumps(head)[:-1] + b',"choices":[{"index":0,"delta":'
        self._text_head = self._head + b'{"content":'
        self._thought_head = self._head + b'{"reasoning_content":'
        self._delta({"role": "assistant", "content": ""}, out)

    def _block(self, index: int, block: Block, out: list[bytes]) -> None:
        match block:
            case Text():
                opened = self._open[index] = _Open(block, 0, self._chars)
                opened.citations += block.citations
                self._text(TextDelta(index, block.text), out)
            case Thinking():
                self._open[index] = _Open(block, 0, 0)
                self._thought(ThinkingDelta(index, block.text), out)
            case ToolUse():
                self._call(index, block, out)
            case Media():
                if part := media_part(block):
                    self._delta({"images": [part | {"index": self._images}]}, out)
                    self._images += 1
            case _:
                pass

    def _call(self, index: int, use: ToolUse, out: list[bytes]) -> None:
        number = self._calls
        self._calls += 1
        opened = self._open[index] = _Open(use, number, 0)
        if self._old:
            if number == 0:  # there is but one function call in an answer
                self._delta({"function_call": {"name": use.name, "arguments": ""}}, out)
                opened.head = self._head + b'{"function_call":{"arguments":'
        elif use.custom or use.name in self._customs:
            opened.whole = not use.custom
            call = {"index": number, "id": use.id, "type": "custom", "custom": {"name": use.name, "input": ""}}
            self._delta({"tool_calls": [call]}, out)
            opened.head = self._head + b'{"tool_calls":[{"index":%d,"custom":{"input":' % number
        else:
            call = {"index": number, "id": use.id, "type": "function", "function": {"name": use.name, "arguments": ""}}
            self._delta({"tool_calls": [call]}, out)
            opened.head = self._head + b'{"tool_calls":[{"index":%d,"function":{"arguments":' % number
        self._arguments(index, use.arguments, out)
        if use.signature:
            self._signed(SignatureDelta(index, use.signature), out)

    def _signed(self, event: SignatureDelta, out: list[bytes]) -> None:
        opened = self._open.get(event.index)
        if opened is None:
            return
        block = opened.block
        if isinstance(block, Thinking):
            self._entry(Thinking("".join(opened.pieces), event.signature, "", block.sealed_by, block.id), out)
        elif isinstance(block, ToolUse) and not self._old:
            seal = {"google": {"thought_signature": event.signature}}
            # The SDK wants a function in each piece.
            self._delta({"tool_calls": [{"index": opened.number, "function": {"arguments": ""}, "extra_content": seal}]}, out)

    def _entry(self, thought: Thinking, out: list[bytes]) -> None:
        self._delta({"reasoning_details": [sealed_entry(thought, self._details)]}, out)
        self._details += 1

    def _stop(self, index: int, out: list[bytes]) -> None:
        opened = self._open.get(index)
        if opened is None:
            return
        match opened.block:
            case ToolUse() as use:
                if opened.whole:
                    opened.whole = False
                    self._arguments(index, free_text("".join(opened.pieces)), out)
                elif not opened.size and not use.custom:
                    self._arguments(index, "{}", out)
            case Thinking() as thought if thought.redacted or thought.signature:
                self._entry(thought if thought.redacted else _with_text(thought, "".join(opened.pieces)), out)
            case Text():
                found = (annotation(one, opened.start, opened.size) for one in opened.citations)
                self._annotations += [one for one in found if one]
            case _:
                pass
        del self._open[index]

    def _end(self, end: End, out: list[bytes]) -> None:
        if self._annotations:
            self._delta({"annotations": [one | {"index": index} for index, one in enumerate(self._annotations)]}, out)
        finish = "function_call" if self._old and end.stop == "tool_use" else FINISHES[end.stop]
        self._delta({}, out, finish)
        if self._asked.usage_wanted:
            tier = tier_of(end.usage)
            tail = b'"choices":[],"usage":' + dumps(usage_json(end.usage)) + (b',"service_tier":' + dumps(tier) if tier else b"")
            out.append(self._head[: self._head.rindex(b'"choices":[')] + tail + b"}\n\n")
        out.append(DONE)
        self._over = True


def _with_text(thought: Thinking, text: str) -> Thinking:
    return Thinking(text, thought.signature, "", thought.sealed_by, thought.id)


# --- a whole answer ---------------------------------------------------------------------------------------------------


def write_answer(answer: Answer, asked: Request) -> Json:
    old = asked.dialect == CHAT and FUNCTIONS in asked.foreign
    message = _message(answer.content, asked, old)
    finish = "function_call" if old and answer.stop == "tool_use" else FINISHES[answer.stop]
    body: Json = {
        "id": answer.id or "chatcmpl-gw",
        "object": "chat.completion",
        "created": answer.created_s or clock.wall_ns() // 10**9,
        "model": asked.model_named or answer.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": usage_json(answer.usage),
    }
    if tier := tier_of(answer.usage):
        body["service_tier"] = tier
    return body


def _message(content: tuple[Block, ...], asked: Request, old: bool) -> Json:
    text = ""
    thoughts: list[str] = []
    details: list[Json] = []
    notes: list[Json] = []
    images: list[Json] = []
    calls: list[ToolUse] = []
    for block in content:
        match block:
            case Text():
                found = (annotation(one, len(text), len(block.text)) for one in block.citations)
                notes += [one for one in found if one]
                text += block.text
            case Thinking():
                thoughts.append(block.text)
                if block.signature or block.redacted:
                    details.append(sealed_entry(block, len(details)))
            case ToolUse():
                calls.append(block)
            case Media():
                if part := media_part(block):
                    images.append(part)
            case _:
                pass
    message: Json = {"role": "assistant", "content": text if text or not calls else None, "refusal": None}
    if asked.effort.shown and any(thoughts):
        message["reasoning_content"] = "".join(thoughts)
    for name, found in (("reasoning_details", details), ("annotations", notes), ("images", images)):  # type: ignore[assignment]
        if found:
            message[name] = found
    if calls and old:
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].arguments or "{}"}
    elif calls:
        customs = custom_names(asked)
        message["tool_calls"] = [_whole_call(use, use.custom or use.name in customs) for use in calls]
    return message


def _whole_call(use: ToolUse, custom: bool) -> Json:
    call: Json = {"id": use.id, "type": "custom" if custom else "function"}
    if custom:
        call["custom"] = {"name": use.name, "input": use.arguments if use.custom else free_text(use.arguments)}
    else:
        call["function"] = {"name": use.name, "arguments": use.arguments or "{}"}
    if use.signature:
        call["extra_content"] = {"google": {"thought_signature": use.signature}}
    return call
