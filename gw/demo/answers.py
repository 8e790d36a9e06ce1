"""Building replies: Anthropic messages as streams and as whole answers, errors, and ways to mangle their bytes. Pure.

Content and usage are functions of the request, so the same request always gets the same answer, and a client can say
which bytes it must receive.
"""

import hashlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from gw.demo.exchange import Chunk, Pause, Reply, Request, Step

Block = dict[str, Any]
_SENTENCE = (
    "the route reads one byte at a time and keeps what it learned while every budget waits for its turn so a stream may "
    "end early but never twice and each ledger row tells who asked which model for how many tokens at what price"
)
_WORDS = _SENTENCE.split()
SSE_HEADERS = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
JSON_HEADERS = (("content-type", "application/json"),)


def words(seed: str, count: int) -> str:
    """`count` words drawn from the seed; different seeds give different texts."""
    picked = [f"<{seed[:12]}>"] if seed else []
    digest = b""
    for index in range(count):
        if index % 32 == 0:
            digest = hashlib.sha256(f"{seed}:{index}".encode()).digest()
        picked.append(_WORDS[digest[index % 32] % len(_WORDS)])
    return " ".join(picked)


def seed_of(request: Request) -> str:
    """What the content of the answer depends on: the header `x-demo-seed`, else the body."""
    return request.header("x-demo-seed") or hashlib.sha256(request.body).hexdigest()


# content blocks
def text(content: str) -> Block:
    return {"type": "text", "text": content}


def thinking(content: str) -> Block:
    signature = hashlib.sha256(content.encode()).hexdigest()
    return {"type": "thinking", "thinking": content, "signature": signature}


def tool_use(request: Request, name: str, arguments: Mapping[str, Any]) -> Block:
    """A tool call whose id depends on the request, so that repeating the request repeats the id."""
    digest = hashlib.sha256(request.body + name.encode()).hexdigest()
    return {"type": "tool_use", "id": f"toolu_{digest[:24]}", "name": name, "input": dict(arguments)}


def _pieces(content: str, size: int) -> Iterator[str]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def _deltas(block: Block, size: int) -> Iterator[dict[str, Any]]:
    kind = block["type"]
    if kind == "text":
        yield from ({"type": "text_delta", "text": piece} for piece in _pieces(block["text"], size))
    elif kind == "thinking":
        yield from ({"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"], size))
        yield {"type": "signature_delta", "signature": block["signature"]}
    elif kind == "tool_use":
        arguments = msgspec.json.encode(block["input"]).decode()
        yield from ({"type": "input_json_delta", "partial_json": piece} for piece in _pieces(arguments, size))


_EMPTY: dict[str, Block] = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}


def event(name: str, payload: Mapping[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(payload))


def usage_of(request: Request, blocks: Sequence[Block]) -> dict[str, Any]:
    """A believable usage: everything up to the last assistant turn is read from the cache, the rest written to it."""
    body = request.json
    tokens = max(4, len(request.body) // 4)
    messages = body.get("messages") or []
    answered = max((i for i, message in enumerate(messages) if message.get("role") == "assistant"), default=-1)
    cached = b'"cache_control"' in request.body
    tail = len(msgspec.json.encode(messages[answered + 1 :])) // 4
    read = max(0, tokens - tail - 3) if cached and answered >= 0 else 0
    written = max(0, tokens - read - 3) if cached else 0
    hour = written if b'"ttl":"1h"' in request.body else 0
    produced = sum(len(msgspec.json.encode(block)) // 4 + 1 for block in blocks)
    thought = sum(len(block["thinking"]) // 4 for block in blocks if block["type"] == "thinking")
    usage: dict[str, Any] = {
        "input_tokens": tokens - read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": written - hour, "ephemeral_1h_input_tokens": hour},
        "output_tokens": produced,
        "service_tier": "standard",
        "inference_geo": "global",
    }
    if thought:
        usage["output_tokens_details"] = {"thinking_tokens": thought}
    if body.get("speed") == "fast":
        usage["speed"] = "fast"
    return usage


_START_ONLY = ("cache_creation", "service_tier", "inference_geo", "speed")
_END_ONLY = ("server_tool_use", "iterations", "output_tokens_details")


def stream_steps(message: dict[str, Any], *, delta_chars: int, pace_s: float) -> Iterator[Step]:
    """The event sequence of one message; usage split between its start and its end as the real one does."""
    usage, blocks = message["usage"], message["content"]
    first = {name: value for name, value in usage.items() if name not in _END_ONLY} | {"output_tokens": 1}
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": first}
    yield Chunk(event("message_start", {"type": "message_start", "message": start}), 1)
    yield Chunk(event("ping", {"type": "ping"}))
    total = sum(1 for block in blocks for _ in _deltas(block, delta_chars)) or 1
    sent = 0
    for index, block in enumerate(blocks):
        opened = {**block, **_EMPTY.get(block["type"], {})}
        payload = {"type": "content_block_start", "index": index, "content_block": opened}
        yield Chunk(event("content_block_start", payload))
        for delta in _deltas(block, delta_chars):
            if pace_s:
                yield Pause(pace_s)
            sent += 1
            made = event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta})
            yield Chunk(made, max(1, usage["output_tokens"] * sent // total))
        yield Chunk(event("content_block_stop", {"type": "content_block_stop", "index": index}))
    last = {name: value for name, value in usage.items() if name not in _START_ONLY}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield Chunk(event("message_delta", {"type": "message_delta", "delta": delta, "usage": last}), usage["output_tokens"])
    yield Chunk(event("message_stop", {"type": "message_stop"}))


def message(
    request: Request,
    blocks: Sequence[Block],
    *,
    usage: dict[str, Any] | None = None,
    stop_reason: str = "",
    model: str = "",
    delta_chars: int = 24,
    pace_s: float = 0.0,
) -> Reply:
    """One model answer, streamed if the request asks for it. `usage` replaces fields of the believable one."""
    figures = usage_of(request, blocks) | (usage or {})
    served = model or request.head.model
    tools = any(block["type"] == "tool_use" for block in blocks)
    made = {
        "id": f"msg_{hashlib.sha256(request.body).hexdigest()[:24]}",
        "type": "message",
        "role": "assistant",
        "model": served,
        "content": list(blocks),
        "stop_reason": stop_reason or ("tool_use" if tools else "end_turn"),
        "stop_sequence": None,
        "usage": figures,
    }
    free = stop_reason == "refusal" and not blocks
    if request.head.stream:
        steps = tuple(stream_steps(made, delta_chars=delta_chars, pace_s=pace_s))
        return Reply(headers=SSE_HEADERS, steps=steps, framing="chunked", usage=figures, model=served, refused_free=free)
    whole = Chunk(msgspec.json.encode(made), figures["output_tokens"])
    return Reply(headers=JSON_HEADERS, steps=(whole,), usage=figures, model=served, refused_free=free)


def whole(content: bytes, headers: tuple[tuple[str, str], ...] = JSON_HEADERS, status: int = 200) -> Reply:
    """An answer that is never billed: lists, token counts, HTML, errors."""
    return Reply(status=status, headers=headers, steps=(Chunk(content),))


def error(status: int, kind: str, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """Anthropic's error envelope."""
    envelope = {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_demo"}
    return whole(msgspec.json.encode(envelope), (*JSON_HEADERS, *headers), status)


# ways to mangle a reply
def with_steps(reply: Reply, steps: Sequence[Step]) -> Reply:
    return msgspec.structs.replace(reply, steps=tuple(steps))


def until(reply: Reply, chunks: int, then: Step) -> Reply:
    """The first `chunks` chunks, then something else."""
    kept: list[Step] = []
    seen = 0
    for step in reply.steps:
        if isinstance(step, Chunk):
            if seen == chunks:
                break
            seen += 1
        kept.append(step)
    return with_steps(reply, [*kept, then])


def split(reply: Reply, size: int) -> Reply:
    """Every chunk in pieces of `size` bytes, each its own write; tokens count with the last piece."""
    steps: list[Step] = []
    for step in reply.steps:
        if not isinstance(step, Chunk):
            steps.append(step)
            continue
        pieces = [step.data[i : i + size] for i in range(0, len(step.data), size)]
        steps += [Chunk(piece) for piece in pieces[:-1]]
        steps.append(Chunk(pieces[-1], step.output_tokens))
    return with_steps(reply, steps)


def crlf(reply: Reply) -> Reply:
    """Line ends as CRLF; only for streams, whose JSON holds no bare line feed."""
    return with_steps(
        reply,
        [Chunk(s.data.replace(b"\n", b"\r\n"), s.output_tokens) if isinstance(s, Chunk) else s for s in reply.steps],
    )


def gzipped(reply: Reply) -> Reply:
    """Content-encoding gzip, flushed after each chunk so that a stream still flows."""
    packer = zlib.compressobj(wbits=31)
    steps: list[Step] = []
    for step in reply.steps:
        if isinstance(step, Chunk):
            steps.append(Chunk(packer.compress(step.data) + packer.flush(zlib.Z_SYNC_FLUSH), step.output_tokens))
        else:
            steps.append(step)
    steps.append(Chunk(packer.flush(zlib.Z_FINISH)))
    return msgspec.structs.replace(reply, steps=tuple(steps), headers=(*reply.headers, ("content-encoding", "gzip")))
