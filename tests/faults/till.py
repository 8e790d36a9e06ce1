"""An upstream whose answers cost exactly what their requests ask for, so that a test decides every bill.

A request names its usage in its prompt; the answer reports it, and its text has three bytes for each output token, as gw
assumes where it must count by itself. The invoice is that of `gw.demo`: an answer that ends early is charged for its prompt
and for what had been handed to the socket.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from gw.demo.answers import JSON_HEADERS, SSE_HEADERS, error, event
from gw.demo.exchange import Chunk, Pause, Reply, Request, Step

CARD = "claude-sonnet-5-5"  # by whose rates every answer is charged; the configuration gives the same to other names
TOKEN = "abc"
_MARK = re.compile(rb"\[bill (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)\]")


class Bill(NamedTuple):
    """Tokens by class; how many deltas carry the output of a stream; milliseconds of silence before the answer's first byte, and
    before each delta."""

    input: int
    output: int
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    deltas: int = 1
    first_ms: int = 0
    pace_ms: int = 0

    @property
    def mark(self) -> str:
        """Stands in the prompt."""
        return f"[bill {' '.join(map(str, self))}]"

    @property
    def usage(self) -> dict[str, Any]:
        return {
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.write_5m + self.write_1h,
            "cache_read_input_tokens": self.read,
            "cache_creation": {"ephemeral_5m_input_tokens": self.write_5m, "ephemeral_1h_input_tokens": self.write_1h},
            "output_tokens": self.output,
            "service_tier": "standard",
            "inference_geo": "global",
        }


def body(bill: Bill, *, model: str, max_tokens: int, stream: bool, text: str = "", ttl: str = "") -> bytes:
    """A request with this bill. `ttl`: "5m" or "1h" marks the prompt for the cache."""
    block: dict[str, Any] = {"type": "text", "text": f"{text} {bill.mark}"}
    if ttl:
        block["cache_control"] = {"type": "ephemeral", "ttl": ttl}
    messages = [{"role": "user", "content": [block]}]
    return json.dumps({"model": model, "max_tokens": max_tokens, "stream": stream, "messages": messages}).encode()


def script(request: Request) -> Reply:
    found = list(_MARK.finditer(request.body))
    if not found:
        return error(400, "invalid_request_error", "the prompt names no bill")
    bill = Bill(*map(int, found[-1].groups()))
    made: dict[str, Any] = {
        "id": "msg_till",
        "type": "message",
        "role": "assistant",
        "model": CARD,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": bill.usage | {"output_tokens": 1},
    }
    after = bill.first_ms / 1000
    if request.head.stream:
        steps = tuple(_stream(bill, made))
        return Reply(headers=SSE_HEADERS, steps=steps, framing="chunked", headers_after=after, usage=bill.usage, model=CARD)
    made |= {"content": [{"type": "text", "text": TOKEN * bill.output}], "stop_reason": "end_turn", "usage": bill.usage}
    whole = Chunk(json.dumps(made).encode(), bill.output)
    return Reply(headers=JSON_HEADERS, steps=(whole,), headers_after=after, usage=bill.usage, model=CARD)


def _stream(bill: Bill, made: dict[str, Any]) -> Iterator[Step]:
    yield Chunk(event("message_start", {"type": "message_start", "message": made}), 1)
    yield Chunk(_BLOCK)
    sent = 0
    for number in range(1, bill.deltas + 1):
        if bill.pace_ms:
            yield Pause(bill.pace_ms / 1000)
        upto = bill.output * number // bill.deltas
        yield Chunk(_DELTA % (TOKEN * (upto - sent)).encode(), max(upto, 1))
        sent = upto
    yield Chunk(_BLOCK_END)
    last = {name: count for name, count in bill.usage.items() if name.endswith("_tokens")}
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    yield Chunk(event("message_delta", {"type": "message_delta", "delta": delta, "usage": last}), bill.output)
    yield Chunk(event("message_stop", {"type": "message_stop"}))


_BLOCK = event("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
_DELTA = event(
    "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "%s"}}
).replace(b'"%s"', b'"%b"')
_BLOCK_END = event("content_block_stop", {"type": "content_block_stop", "index": 0})
