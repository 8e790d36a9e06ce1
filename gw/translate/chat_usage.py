"""Chat Completions where client and upstream both speak it: bytes pass, and usage is read beside them.

An upstream tells usage in a stream only when asked. So it is asked, by a splice into the client's body, and the extra chunk is
taken out again for a client that has not asked. No other byte changes, neither way.
"""

import re
from typing import Final

import orjson
from msgspec.structs import replace

from gw.translate.anthropic_blocks import usage_json
from gw.translate.anthropic_events import PING, EventWriter
from gw.translate.chat_reader import EventReader
from gw.translate.chat_writer import dumps
from gw.translate.form import (
    ArgumentsDelta,
    BlockStart,
    BlockStop,
    End,
    Event,
    Failure,
    Start,
    Text,
    TextDelta,
    ThinkingDelta,
)

OPTION: Final = b'"stream_options":{"include_usage":true}'
EXTRA_BYTES_MAX: Final = 65_536  # of the chunk that has usage alone; a longer event is none, and passes as it comes
_TOKENS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.S)
_COLON: Final = re.compile(rb"\s*:\s*")
_SCALAR: Final = re.compile(rb"[^,}\s]+")
_EVENT_END: Final = re.compile(rb"\n\n|\r\n\r\n|\r\r")
_BACKSLASH: Final = 0x5C
_CONTENT: Final = b'"delta":{"content":"'
_TOLD: Final = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%b}}\n\n'
)
_NO_CHOICES: Final = re.compile(rb'"choices"\s*:\s*\[\s*\]')


def with_usage(body: bytes) -> tuple[bytes, bool]:
    """A streaming request that asks for usage; True: the client itself did not, so what it did not ask for is to be hidden. A
    body that is no object comes back as it is."""
    if b'"stream_options"' not in body:
        at = body.rstrip().rfind(b"}")
        if at < 0:
            return body, False
        comma = b"" if body[:at].rstrip().endswith(b"{") else b","
        return body[:at] + comma + OPTION + body[at:], True
    found = _value_of(body, b'"stream_options"')
    if found is None:  # the words stand in a message
        at = body.rstrip().rfind(b"}")
        return (body[:at] + b"," + OPTION + body[at:], True) if at > 0 else (body, False)
    start, end = found
    try:
        given = orjson.loads(body[start:end])
    except ValueError:
        return body, False
    options = given if isinstance(given, dict) else {}
    if options.get("include_usage") is True:
        return body, False
    return body[:start] + orjson.dumps(options | {"include_usage": True}) + body[end:], True


def _value_of(body: bytes, key: bytes) -> tuple[int, int] | None:
    """Where the value of a key of the top level stands; of a doubled key the last, as parsers have it."""
    depth, found, start = 0, None, -1
    for token in _TOKENS.finditer(body):
        first = body[token.start()]
        if first == 0x22:
            if depth == 1 and token[0] == key and (colon := _COLON.match(body, token.end())):
                start = colon.end()
                if body[start] not in b'{["':
                    scalar = _SCALAR.match(body, start)
                    found, start = (start, scalar.end() if scalar else start), -1
            elif start == token.start():
                found, start = (start, token.end()), -1
        elif first in b"{[":
            depth += 1
        else:
            depth -= 1
            if depth == 1 and start >= 0:
                found, start = (start, token.end()), -1
    return found


class UsageHidden:
    """Takes the chunk that has usage and no choices out of a stream. Whole events pass at once; one that is cut waits."""

    def __init__(self) -> None:
        self._rest = b""
        self._long = False  # the event under way passes as it comes

    def feed(self, chunk: bytes) -> bytes:
        if not self._rest and not self._long and plain_text(chunk):
            return chunk
        text = self._rest + chunk if self._rest else chunk
        passed: list[bytes] = []
        start = 0
        for end in _EVENT_END.finditer(text):
            event = text[start : end.end()]
            if self._long or not _is_extra(event):
                passed.append(event)
            self._long = False
            start = end.end()
        self._rest = text[start:]
        if self._long or len(self._rest) > EXTRA_BYTES_MAX:
            # The last three bytes may be the half of an event's end.
            passed.append(self._rest[:-3])
            self._rest, self._long = self._rest[-3:], True
        return b"".join(passed)

    def close(self) -> bytes:
        """What was still waiting when the stream ended."""
        rest, self._rest = self._rest, b""
        return rest if self._long or not _is_extra(rest) else b""


def _is_extra(event: bytes) -> bool:
    if b'"usage"' not in event or not _NO_CHOICES.search(event):
        return False
    at = event.find(b"data:")
    try:
        body = orjson.loads(event[at + 5 :])
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("choices") == [] and isinstance(body.get("usage"), dict)


class ChatMeter:
    """Reads a stream beside its relay and tells it in Anthropic's words, for the tap: all that was said as one block of text, as
    soon as it was said. The tap counts its bytes, and nobody reads it; so calls that stream side by side wait for none."""

    def __init__(self, provider: str, reader: EventReader | None = None) -> None:
        """`reader`: of completions, instead of the chat's own."""
        self._reader = reader or EventReader(provider)
        self._others = self._reader.others = []  # they are billed, too
        self._writer = EventWriter()
        self._between = False  # the reader has no event under way
        self._open = False
        self.served_model = ""  # as the upstream names it
        self.charge_pusd: int | None = None  # what the provider says that it charges; known at the end

    @property
    def garbled(self) -> bool:
        return self._writer.garbled

    def feed(self, chunk: bytes) -> bytes:
        if self._between and self._reader.text_index >= 0 and (text := plain_text(chunk)):
            return _TOLD % text
        self._between = chunk.endswith(b"\n\n")
        return self._told(self._reader.feed(chunk))

    def close(self) -> bytes:
        """The stream is over: the end of an answer that did not say so."""
        return self._told(self._reader.close())

    def _told(self, events: list[Event]) -> bytes:
        told: list[Event] = []
        pieces, head = [*self._others], b""
        self._others.clear()
        for event in events:
            if isinstance(event, TextDelta | ThinkingDelta | ArgumentsDelta):
                pieces.append(event.text)
            elif isinstance(event, BlockStart):
                if not self._open:
                    self._open = True
                    told.append(BlockStart(0, Text("")))
            elif isinstance(event, End | Failure):
                if pieces:
                    told.append(TextDelta(0, "".join(pieces)))
                    pieces = []
                told += self._end(event)
            elif isinstance(event, Start):
                told.append(event)
                head = _started(event)
                self.served_model = event.model
        if pieces:
            if not self._open:
                self._open = True
                told.append(BlockStart(0, Text("")))
            told.append(TextDelta(0, "".join(pieces)))
        written = self._writer.write(told) if told else b""
        return head + written[written.index(PING) + len(PING) :] if head else written

    def _end(self, event: End | Failure) -> list[Event]:
        if isinstance(event, Failure):
            return [event]
        self.charge_pusd = event.charge_pusd
        if event.stop == "refusal":  # without content it would be free, by Anthropic's rule; here it is billed
            event = replace(event, stop="end_turn")
        return [BlockStop(0), event] if self._open else [event]


def _started(start: Start) -> bytes:
    """message_start with the upstream's own id, which the row of the call is to have."""
    message = {"id": start.id, "type": "message", "role": "assistant", "model": start.model, "content": []}
    event = {"type": "message_start", "message": message | {"usage": usage_json(start.usage)}}
    return b"event: message_start\ndata: " + dumps(event) + b"\n\n"


def plain_text(chunk: bytes) -> bytes:
    """The text, as the JSON string that it is, of a chunk that is exactly one event with a piece of text and nothing else to
    read; b"" for any other, which is to be read in full. Nearly all chunks are such, and this costs a tenth."""
    start = chunk.find(_CONTENT)
    end = chunk.find(b'"}', start + len(_CONTENT))
    if start < 0 or end < 0 or chunk.find(b"\n\n") != len(chunk) - 2 or not chunk.startswith(b"data: {"):
        return b""
    text = chunk[start + len(_CONTENT) - 1 : end + 1]
    if text.count(b'"') != 2 or len(text) == 2 or text[-2] == _BACKSLASH or chunk.find(b'"index":0,', 0, start) < 0:
        return b""
    if chunk.find(b'"finish_reason":null', end) < 0 or chunk.find(b'usage":{', 0) >= 0 or chunk.find(b'"error":') >= 0:
        return b""
    return text
