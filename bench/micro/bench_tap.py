"""The tap: events of a stream in many forms, how they are cut, whole answers, and what was found."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.bodies import ANSWER
from bench.micro.measure import each
from gw._fast import OBSERVED_BYTES, Tap, found_in, observed_from, read_message
from gw.wire.anthropic import reading_from_tap

pytestmark = pytest.mark.benchmark(group="usage")

EVENTS = 10_000
CHUNK = 65_536
TEXTS = {
    "a token": " the",
    "words": " some words are here, as a model writes them",
    "a long text": "x" * 400,
    "code": '    return f\\"{name}\\"\\n\\n    def run(self):\\n',
    "chinese": "一段用中文写成的文字，每次十几个字。",
    "emoji": "déjà vu 😀 ",
    "unicode escapes": "\\u4e00\\u6bb5\\u7528\\u4e2d\\u6587",
}
KINDS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def delta(text: str, kind: str = "text_delta") -> bytes:
    """`text` is JSON already."""
    inner = f'{{"type":"{kind}","{KINDS[kind]}":"{text}"}}'
    return f'event: content_block_delta\ndata: {{"type":"content_block_delta","index":0,"delta":{inner}}}\n\n'.encode()


START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant",'
    b'"model":"claude-opus-5-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":210,'
    b'"cache_creation_input_tokens":2150,"cache_read_input_tokens":48210,"cache_creation":{"ephemeral_5m_input_tokens":0,'
    b'"ephemeral_1h_input_tokens":2150},"output_tokens":1,"service_tier":"standard"}}}\n\n'
)


def running(*more: bytes) -> Tap:
    tap = Tap(5)
    for chunk in (START, delta("a"), *more):
        tap.feed(chunk)
    return tap


def stream_in(benchmark: BenchmarkFixture, stream: bytes, size: int, *, calls: int, events: int) -> None:
    """Feeds one tap the stream in chunks of this size."""
    feed = running().feed
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]

    def feed_all() -> None:
        for chunk in chunks:
            feed(chunk)

    each(benchmark, feed_all, calls=calls, size=len(stream), events=events, part=lambda: feed(chunks[0]))


@pytest.mark.parametrize("text", TEXTS)
def test_a_stream_in_chunks_of_64_kib(benchmark: BenchmarkFixture, text: str) -> None:
    stream_in(benchmark, delta(TEXTS[text]) * EVENTS, CHUNK, calls=1, events=EVENTS)


@pytest.mark.parametrize("text", TEXTS)
def test_an_event_by_itself(benchmark: BenchmarkFixture, text: str) -> None:
    feed, event = running().feed, delta(TEXTS[text])
    each(benchmark, lambda: feed(event), size=len(event))


@pytest.mark.parametrize("kind", list(KINDS)[1:])
def test_an_event_by_itself_of_kind(benchmark: BenchmarkFixture, kind: str) -> None:
    feed, event = running().feed, delta(TEXTS["words"], kind)
    each(benchmark, lambda: feed(event), size=len(event))


@pytest.mark.parametrize("size", [7, 100, 1_400])
def test_a_stream_cut_anywhere(benchmark: BenchmarkFixture, size: int) -> None:
    stream_in(benchmark, delta(TEXTS["words"]) * 100, size, calls=10, events=100)


def test_a_message_start(benchmark: BenchmarkFixture) -> None:
    feed = running().feed
    each(benchmark, lambda: feed(START), size=len(START))


def test_a_new_tap(benchmark: BenchmarkFixture) -> None:
    memory = bytearray(OBSERVED_BYTES)
    each(benchmark, lambda: Tap(5, memory))


def test_what_a_stream_said(benchmark: BenchmarkFixture) -> None:
    tap = running()
    each(benchmark, tap.found)


def test_what_a_stream_said_as_nouns(benchmark: BenchmarkFixture) -> None:
    tap = running()
    each(benchmark, lambda: reading_from_tap(tap))


def test_a_whole_answer(benchmark: BenchmarkFixture) -> None:
    each(benchmark, lambda: found_in(ANSWER, 5), size=len(ANSWER))


def test_a_whole_answer_as_a_tuple(benchmark: BenchmarkFixture) -> None:
    each(benchmark, lambda: read_message(ANSWER, 5), size=len(ANSWER))


def test_what_a_dead_process_left(benchmark: BenchmarkFixture) -> None:
    memory = bytearray(OBSERVED_BYTES)
    Tap(5, memory).feed(START)
    each(benchmark, lambda: observed_from(memory))
