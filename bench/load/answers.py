"""The answers of the fake upstream, made once: usages and their prices, whole messages, streams of events. Pure.

A usage comes from a table of 64, in turn, so that sums tell which answers were counted. An event that carries text carries the
moment of its sending in that text.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from gw.demo.invoice import cost_pusd
from gw.loadgen.events import stamp

USAGES = 64
TURN_EVENTS = 60
BLANK = stamp(0)
WORDS = ("the", "route", "reads", "one", "event", "at", "a", "time", "and", "keeps", "what", "it", "learned", "so", "far")
HEAD_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_%012d\r\ncontent-length: %d\r\n\r\n"
HEAD_EVENTS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"request-id: req_%012d\r\ntransfer-encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True)
class Bill:
    """What one answer says it used; `cost_pusd` by the provider's list, 0 for a model without a price."""

    usage: dict[str, int]
    cost_pusd: int


@dataclass(frozen=True)
class Event:
    """One event as an HTTP chunk; `lead` + stamp + `rest`, or `lead` alone."""

    lead: bytes
    rest: bytes

    def bytes_at(self, now_ns: int) -> bytes:
        return b"%b%b%b" % (self.lead, stamp(now_ns), self.rest) if self.rest else self.lead


def bills(model: str) -> list[Bill]:
    """Long cached prompts, some of them written to the cache, short answers; far below the length that costs more."""
    dice = random.Random(4)
    made = []
    for _ in range(USAGES):
        usage = {
            "input_tokens": dice.randrange(1, 900),
            "cache_creation_input_tokens": dice.choice((0, 0, dice.randrange(1, 9_000))),
            "cache_read_input_tokens": dice.randrange(0, 60_000),
            "output_tokens": dice.randrange(2, 900),
        }
        made.append(Bill(usage, price(model, usage)))
    return made


def price(model: str, usage: dict[str, int]) -> int:
    try:
        return cost_pusd(model, usage)
    except KeyError:
        return 0


def whole(model: str, usage: dict[str, int], *, text: str = "y" * 600) -> bytes:
    """A message that is not streamed: the body alone."""
    return _json(_message(model, [{"type": "text", "text": text}], "end_turn", usage))


def turn(model: str, usage: dict[str, int]) -> list[Event]:
    """The 60 events of a turn: a thought, a text, a tool call."""
    thought = [_delta(0, "thinking_delta", "thinking", index) for index in range(13)]
    signature = {"type": "signature_delta", "signature": "c2ln" * 60}
    thought.append(_event({"type": "content_block_delta", "index": 0, "delta": signature}))
    text = [_delta(1, "text_delta", "text", index) for index in range(20)]
    tool = [_delta(2, "input_json_delta", "partial_json", index) for index in range(16)]
    call: dict[str, object] = {"type": "tool_use", "id": "toolu_01", "name": "Bash", "input": {}}
    blocks = [
        *_block(0, {"type": "thinking", "thinking": "", "signature": ""}, thought),
        *_block(1, {"type": "text", "text": ""}, text),
        *_block(2, call, tool),
    ]
    made = [_start(model, usage), _event({"type": "ping"}), *blocks, *_end("tool_use", usage)]
    assert len(made) == TURN_EVENTS
    return made


def talk(model: str, usage: dict[str, int], events: int) -> list[Event]:
    """A stream of text of so many events, 6 or more."""
    deltas = [_delta(0, "text_delta", "text", index % len(WORDS)) for index in range(events - 5)]
    return [_start(model, usage), *_block(0, {"type": "text", "text": ""}, deltas), *_end("end_turn", usage)]


def chat_talk(model: str, usage: dict[str, int], events: int) -> list[Event]:
    """As `talk`, as OpenAI's Chat Completions have it: 6 or more."""
    kind = {"id": "chatcmpl-01", "object": "chat.completion.chunk", "created": 1, "model": model}

    def choice(delta: dict[str, str], reason: str | None = None) -> Event:
        return _chunk(_json({**kind, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": None}))

    read, written = usage["cache_read_input_tokens"], usage["output_tokens"]
    asked = usage["input_tokens"] + usage["cache_creation_input_tokens"] + read
    counts = {
        "prompt_tokens": asked,
        "completion_tokens": written,
        "total_tokens": asked + written,
        "prompt_tokens_details": {"cached_tokens": read},
    }
    texts = [choice({"content": _text(index % len(WORDS))}) for index in range(events - 4)]
    end = [choice({}, "stop"), _chunk(_json({**kind, "choices": [], "usage": counts})), _chunk(b"[DONE]")]
    return [choice({"role": "assistant", "content": ""}), *texts, *end]


def _block(index: int, block: dict[str, object], deltas: Sequence[Event]) -> list[Event]:
    begin = _event({"type": "content_block_start", "index": index, "content_block": block})
    return [begin, *deltas, _event({"type": "content_block_stop", "index": index})]


def _start(model: str, usage: dict[str, int]) -> Event:
    message = _message(model, [], None, {**usage, "output_tokens": 1})
    return _event({"type": "message_start", "message": message})


def _end(reason: str, usage: dict[str, int]) -> list[Event]:
    stop: dict[str, object] = {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}
    return [_event(stop), _event({"type": "message_stop"})]


def _message(model: str, content: list[dict[str, str]], stop: str | None, usage: dict[str, int]) -> dict[str, object]:
    kind = {"id": "msg_01", "type": "message", "role": "assistant", "model": model}
    return {**kind, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}


def _delta(index: int, kind: str, name: str, number: int) -> Event:
    return _event({"type": "content_block_delta", "index": index, "delta": {"type": kind, name: _text(number)}})


def _text(number: int) -> str:
    return f"{BLANK.decode()} {WORDS[number % len(WORDS)]} {WORDS[(number + 3) % len(WORDS)]} "


def event_bytes(payload: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(payload["type"]).encode(), _json(payload))


def _event(payload: dict[str, object]) -> Event:
    return _framed(event_bytes(payload))


def _chunk(data: bytes) -> Event:
    return _framed(b"data: %b\n\n" % data)


def _framed(data: bytes) -> Event:
    chunk = b"%x\r\n%b\r\n" % (len(data), data)
    lead, mark, rest = chunk.partition(BLANK)
    return Event(lead, rest) if mark else Event(chunk, b"")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


SMALL_USAGE = {"input_tokens": 210, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 150}
ANSWER = whole("claude-opus-5-5", SMALL_USAGE).decode()  # of the upstream that answers at once
