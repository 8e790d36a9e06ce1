"""Builds event streams of Anthropic's dialect, and shows what the taps say of them."""

import json
from typing import Any

from tests._fast.twins import agree, named, pieces


def event(payload: dict[str, Any], *, name: bool = True) -> bytes:
    head = f"event: {payload['type']}\n" if name else ""
    return f"{head}data: {json.dumps(payload, separators=(',', ':'))}\n\n".encode()


def start(**usage: Any) -> bytes:
    return event({"type": "message_start", "message": {"id": "msg_1", "model": "claude-opus-5-5", "usage": usage}})


def delta(stop_reason: str | None = "end_turn", **usage: Any) -> bytes:
    return event({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": usage})


def text(words: str) -> bytes:
    return event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}})


def block(**content: Any) -> bytes:
    return event({"type": "content_block_start", "index": 0, "content_block": content})


def other_delta(kind: str, **content: Any) -> bytes:
    return event({"type": "content_block_delta", "index": 0, "delta": {"type": kind, **content}})


STOP = event({"type": "message_stop"})


def shown(stream: bytes, request_ttl: int = 0) -> dict[str, Any]:
    """What both taps say of the stream fed whole, byte by byte and in sevens."""
    whole = agree([stream], request_ttl)
    assert named(agree(pieces(stream, range(len(stream))), request_ttl)) == named(whole)
    assert agree(pieces(stream, range(0, len(stream), 7)), request_ttl) == whole
    return named(whole)
