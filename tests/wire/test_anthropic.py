"""The tap's figures become the nouns of the domain, field by field."""

import mmap

import pytest

from gw._fast import OBSERVED_BYTES, Tap
from gw.domain.usage import Iteration, Reading, Usage
from gw.wire import anthropic

USAGE = (
    '{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":3,"cache_creation_input_tokens":9,'
    '"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":5},"output_tokens_details":{"thinking_tokens":1},'
    '"server_tool_use":{"web_search_requests":6,"web_fetch_requests":7,"code_execution_requests":8},'
    '"service_tier":"priority","speed":"fast","inference_geo":"us",'
    '"iterations":[{"type":"message","model":"m","input_tokens":1,"output_tokens":2,"cache_read_input_tokens":3,'
    '"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":5}}]}'
)
NOUN = Usage(
    input_tokens=1,
    output_tokens=2,
    cache_read_tokens=3,
    cache_write_5m_tokens=4,
    cache_write_1h_tokens=5,
    thinking_tokens=1,
    web_search_requests=6,
    web_fetch_requests=7,
    code_execution_requests=8,
    service_tier="priority",
    speed="fast",
    inference_geo="us",
    iterations=(Iteration("message", "m", 1, 2, 3, 9, 4, 5),),
)


def test_a_stream_becomes_a_reading() -> None:
    tap = Tap()
    assert anthropic.reading_from_tap(tap) == Reading()
    tap.feed(b'data: {"type":"message_start","message":{"id":"i","model":"m","usage":%s}}\n\n' % USAGE.encode())
    tap.feed(b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"abc"}}\n\n')
    partial = Reading(usage=NOUN, started=True, model="m", message_id="i", content_empty=False, text_bytes=3)
    assert anthropic.reading_from_tap(tap) == partial
    tap.feed(b'data: {"type":"error","error":{"type":"api_error"}}\n\ndata: x\n\n')
    assert anthropic.reading_from_tap(tap) == Reading(
        usage=NOUN,
        started=True,
        model="m",
        message_id="i",
        content_empty=False,
        text_bytes=3,
        error_type="api_error",
        garbled=True,
    )


def test_a_whole_message_becomes_a_reading() -> None:
    body = b'{"type":"message","id":"i","model":"m","stop_reason":"end_turn","content":[],"usage":%s}' % USAGE.encode()
    assert anthropic.read_message(body) == Reading(
        usage=NOUN, started=True, finished=True, final_usage=True, model="m", message_id="i", stop_reason="end_turn"
    )


def test_memory_of_a_tap_becomes_a_reading() -> None:
    with mmap.mmap(-1, 4096) as memory:
        view = memoryview(memory)[64 : 64 + OBSERVED_BYTES]
        tap = Tap(60, view)
        tap.feed(b'data: {"type":"message_delta","usage":{"output_tokens":2,"cache_creation_input_tokens":5}}\n\n')
        usage = Usage(output_tokens=2, cache_write_1h_tokens=5, ttl_assumed=True)
        assert anthropic.reading_from_memory(view) == Reading(usage=usage, final_usage=True)
        del tap
        view.release()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}', ("overloaded_error", "busy")),
        (b'{"error":"plain"}', ("", "plain")),
        (b'{"error":{"message":5,"type":null}}', ("", "")),
        (b'{"type":"t","message":"m"}', ("t", "m")),
        (b" upstream is down \n", ("", "upstream is down")),
        (b"\xff", ("", "\ufffd")),
        (b"", ("", "")),
        (b"[1]", ("", "")),
        (b"[" * 100_000, ("", "[" * 100_000)),
    ],
)
def test_an_error_body_says_its_type_and_message(body: bytes, expected: tuple[str, str]) -> None:
    assert anthropic.read_error(body) == expected
