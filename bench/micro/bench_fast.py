"""Throughput of the tap and the peek; extra_info has GB/s of the fastest round, or ns a call.

python -m pytest -o addopts= --benchmark-only bench/micro/bench_fast.py
"""

import json
import random
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gw._fast import Tap, peek
from gw.wire.anthropic import reading_from_tap

EVENTS = 10_000
TEXTS = {
    "token": b" the",
    "words": b" some words are here",
    "long": b"x" * 400,
    "escapes": b'a\\nb\\"c',
    "utf8": "é—字".encode() * 4,
    "unicode escapes": b"\\u00e9abc",
}
RANDOM = random.Random(1)
WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "def", "return", "import", "self", "value"]


def delta(text: bytes) -> bytes:
    payload = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}' % text
    return b"event: content_block_delta\ndata: " + payload + b"\n\n"


def prose(size: int) -> str:
    return " ".join(RANDOM.choice(WORDS) for _ in range(size // 5))


def request(turns: int) -> bytes:
    """Shaped as Claude Code's: tools with schemas, a system prompt, long texts."""
    schema = {
        "type": "object",
        "properties": {f"p{i}": {"type": "string", "description": prose(60)} for i in range(6)},
        "required": ["p0"],
    }
    tools = [{"name": f"tool{i}", "description": prose(2500), "input_schema": schema} for i in range(20)]
    mark = {"type": "ephemeral"}
    texts = ["\n".join(prose(70) for _ in range(60)) for _ in range(turns)]
    messages: list[dict[str, Any]] = [
        {"role": "assistant" if index % 2 else "user", "content": [{"type": "text", "text": text}]}
        for index, text in enumerate(texts)
    ]
    messages[-1]["content"][0]["cache_control"] = mark
    body = {
        "model": "claude-opus-5-5",
        "messages": messages,
        "system": [{"type": "text", "text": prose(8000), "cache_control": mark}],
        "tools": tools,
        "metadata": {"user_id": json.dumps({"device_id": "a" * 64, "account_uuid": "", "session_id": "b" * 36})},
        "max_tokens": 128000,
        "stream": True,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def note_rate(benchmark: BenchmarkFixture, size: int) -> None:
    if benchmark.stats is not None:
        benchmark.extra_info["GB/s"] = round(size / benchmark.stats.stats.min / 1e9, 2)


@pytest.mark.parametrize("text", TEXTS)
def test_tap_in_chunks_of_64_kib(benchmark: BenchmarkFixture, text: str) -> None:
    stream = delta(TEXTS[text]) * EVENTS
    chunks = [stream[at : at + 65536] for at in range(0, len(stream), 65536)]

    def feed_all() -> None:
        feed = Tap().feed
        for chunk in chunks:
            feed(chunk)

    benchmark(feed_all)
    note_rate(benchmark, len(stream))


def test_tap_event_by_event(benchmark: BenchmarkFixture) -> None:
    chunks = [delta(TEXTS["words"])] * EVENTS

    def feed_all() -> None:
        feed = Tap().feed
        for chunk in chunks:
            feed(chunk)

    benchmark(feed_all)
    if benchmark.stats is not None:
        benchmark.extra_info["ns a call"] = round(benchmark.stats.stats.min / EVENTS * 1e9, 1)


def test_tap_reading(benchmark: BenchmarkFixture) -> None:
    tap = Tap()
    tap.feed(b'data: {"type":"message_start","message":{"id":"i","model":"m","usage":{"input_tokens":4}}}\n\n')
    benchmark(reading_from_tap, tap)


@pytest.mark.parametrize("turns", [2, 50])
def test_peek(benchmark: BenchmarkFixture, turns: int) -> None:
    body = request(turns)
    found = benchmark(peek, body)
    assert found.error == "" and found.ttl == 5
    benchmark.extra_info["body bytes"] = len(body)
    note_rate(benchmark, len(body))


def test_peek_of_a_small_body(benchmark: BenchmarkFixture) -> None:
    body = json.dumps(
        {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi " * 300}]}
    ).encode()
    assert benchmark(peek, body).error == ""
