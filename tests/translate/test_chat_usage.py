"""Bytes through between two who both speak Chat Completions: usage asked for by a splice, hidden again, and read beside."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import DONE, ERROR, FIRST_TOKEN, USAGE, Tap
from gw.translate.chat_usage import ChatMeter, UsageHidden, plain_text, with_usage
from gw.translate.form import Failure
from tests.translate.test_chat_reader import MADE, PLACES, TEXT, chunk, sse, tool

STREAM = (Path(__file__).parents[1] / "golden" / "o02_function_call.sse").read_bytes()
OWN = sse(*TEXT, chunk(usage={"prompt_tokens": 9, "completion_tokens": 2}, choices=[]))
KEYS = st.text(max_size=3) | st.just("stream_options")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6) | st.sampled_from(['"stream_options"', "}", "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


# --- the splice -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected", "hidden"),
    [
        (b'{"model":"m"}', b'{"model":"m","stream_options":{"include_usage":true}}', True),
        (b' {"model":"m" }\n', b' {"model":"m" ,"stream_options":{"include_usage":true}}\n', True),
        (b"{}", b'{"stream_options":{"include_usage":true}}', True),
        (b'{"stream_options": {"include_usage":true}}', b'{"stream_options": {"include_usage":true}}', False),
        (b'{"stream_options" : null,"a":1}', b'{"stream_options" : {"include_usage":true},"a":1}', True),
        (b'{"stream_options":{"include_usage":false}}', b'{"stream_options":{"include_usage":true}}', True),
        (b'{"stream_options":{"include_obfuscation":false},"n":1}',
         b'{"stream_options":{"include_obfuscation":false,"include_usage":true},"n":1}', True),
        (b'{"messages":["\\"stream_options\\": {"],"a":{"stream_options":{}}}',
         b'{"messages":["\\"stream_options\\": {"],"a":{"stream_options":{}},"stream_options":{"include_usage":true}}', True),
        (b"[]", b"[]", False),
        (b"", b"", False),
    ],
)  # fmt: skip
def test_the_splice(body: bytes, expected: bytes, hidden: bool) -> None:
    assert with_usage(body) == (expected, hidden)


@given(st.dictionaries(st.text(max_size=4) | st.sampled_from(["stream_options", "messages"]), JSON, max_size=5), st.booleans())
def test_the_splice_changes_nothing_else(value: dict[str, Any], indented: bool) -> None:
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indented else 0)
    sent, hidden = with_usage(body)
    given_options = value.get("stream_options")
    options = given_options if isinstance(given_options, dict) else {}
    assert orjson.loads(sent) == value | {"stream_options": options | {"include_usage": True}}
    assert hidden == (options.get("include_usage") is not True)


# --- the filter -------------------------------------------------------------------------------------------------------


def through(stream: bytes, cuts: list[int]) -> bytes:
    hidden = UsageHidden()
    pieces = pairwise([0, *sorted(cuts), len(stream)])
    return b"".join(hidden.feed(stream[first:last]) for first, last in pieces) + hidden.close()


EXTRA = sse(PLACES["a chunk of its own"][-1], done=False)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_extra_chunk_is_hidden_at_every_split_and_no_other_byte(end: bytes) -> None:
    stream = b": hello" + end + end + sse(*TEXT, PLACES["a chunk of its own"][-1], end=end)
    expected = stream.replace(EXTRA.replace(b"\n", end), b"")
    assert expected != stream
    for at in range(len(stream)):
        assert through(stream, [at]) == expected


def test_an_extra_chunk_without_its_blank_line_is_hidden() -> None:
    stream = sse(*TEXT, done=False)
    assert through(stream + EXTRA.rstrip(b"\n"), []) == stream


def test_other_chunks_with_usage_pass() -> None:
    for name in ("the last chunk", "groq's own", "every chunk, a running total"):
        stream = sse(*PLACES[name])
        assert through(stream, [40]) == stream
    assert through(STREAM, [7]) == STREAM


@given(st.lists(st.integers(0, len(STREAM)), max_size=5))
def test_a_recorded_stream_passes_byte_for_byte(cuts: list[int]) -> None:
    assert through(STREAM, cuts) == STREAM


def test_an_event_without_end_does_not_stay_here() -> None:
    hidden = UsageHidden()
    piece = b"data: " + b"x" * 70_000
    passed = hidden.feed(piece)
    assert len(passed) > 69_000
    assert passed + hidden.feed(b"y\n") + hidden.feed(b"\ndata: [DONE]\n\n") + hidden.close() == piece + b"y\n\ndata: [DONE]\n\n"
    assert hidden.feed(EXTRA) == b"", "after the long event the next one is judged again"


# --- the meter --------------------------------------------------------------------------------------------------------


def metered(stream: bytes, size: int, provider: str = "openai") -> tuple[Tap, int, ChatMeter]:
    meter, tap, flags = ChatMeter(provider), Tap(), 0
    for at in range(0, len(stream), size):
        flags |= tap.feed(meter.feed(stream[at : at + size]))
    return tap, flags | tap.feed(meter.close()), meter


@pytest.mark.parametrize("size", [1, 7, 300, 100_000])
def test_the_tap_learns_what_the_stream_says(size: int) -> None:
    tap, flags, _ = metered(STREAM, size)
    found = tap.found()
    assert flags & DONE and flags & FIRST_TOKEN and flags & USAGE and not flags & ERROR
    assert (found.input_tokens, found.cache_read_tokens, found.output_tokens, found.thinking_tokens) == (55, 2, 17, 1)
    assert (found.model, found.stop_reason, found.finished, found.garbled) == ("gpt-4.1-mini", "tool_use", True, False)
    assert found.message_id == "chatcmpl-94Fk7Y8fsXYf7Aq3T14P8wun2igvh"
    assert found.text_bytes == len('{"answer":"Boston"}')


@pytest.mark.parametrize("stream", MADE.values(), ids=MADE)
def test_the_meter_counts_text_whatever_the_lines_end_in(stream: bytes) -> None:
    for size in (1, 11, 1000):
        tap, flags, _ = metered(stream, size)
        assert flags & DONE and tap.found().text_bytes == len("Grüß Gott".encode())


LONG = [chunk({"content": text}) for text in ("a", "", 'say "x"', "b\\", "c\n", "ü\U0001f600", "}]", '"}', "d")]
LONG += [chunk({"content": "e", "reasoning": "f"}), chunk(tool(0, "call_aaaa", "f", "{}")), chunk({"content": "g"}), TEXT[-1]]


def test_chunks_that_are_not_parsed_tell_the_same() -> None:
    pieces = [sse(one, done=False) for one in LONG] + [b"data: [DONE]\n\n"]
    quick = [piece for piece in pieces if plain_text(piece)]
    assert len(quick) >= 5, "the shortcut is taken"
    fast, slow = ChatMeter("openai"), ChatMeter("openai")
    fast_tap, slow_tap = Tap(), Tap()
    for piece in pieces:
        fast_tap.feed(fast.feed(piece))
        for at in range(0, len(piece), 9):
            slow_tap.feed(slow.feed(piece[at : at + 9]))
    said = ("a", 'say "x"', "b\\", "c\n", "ü\U0001f600", "}]", '"}', "d", "e", "f", "{}", "g")
    assert fast_tap.found().text_bytes == slow_tap.found().text_bytes == sum(len(text.encode()) for text in said)
    assert fast_tap.found().fields() == slow_tap.found().fields() and fast_tap.found().finished


@given(st.text(max_size=8) | st.text('"\\}{]a', max_size=6), st.sampled_from([None, "stop"]), st.integers(0, 1))
def test_the_shortcut_reads_exactly_what_json_says(text: str, finish: str | None, index: int) -> None:
    body = chunk({"content": text}, finish)
    body["choices"][0]["index"] = index
    found = plain_text(sse(body, done=False))
    assert not found or (orjson.loads(found), finish, index) == (text, None, 0)


def test_calls_side_by_side_are_counted_while_they_stream() -> None:
    meter, tap = ChatMeter("openai"), Tap()
    for one in (tool(0, "call_aaaa", "f", '{"a"'), tool(1, "call_bbbb", "g", '{"b"'), tool(0, arguments=":1}")):
        tap.feed(meter.feed(sse(chunk(one), done=False)))
    assert tap.text_bytes == len('{"a"{"b":1}')


def test_a_filtered_answer_without_content_is_not_free() -> None:
    last = chunk(finish="content_filter", usage={"prompt_tokens": 9, "completion_tokens": 0})
    assert metered(sse(chunk({"role": "assistant"}), last), 50)[0].found().stop_reason != "refusal"


def test_a_charge_and_an_error_are_told() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "cost": 0.0001}
    assert metered(sse(*TEXT, chunk(usage=usage, choices=[])), 64, "openrouter")[2].charge_pusd == 100_000_000
    tap, flags, _ = metered(sse(TEXT[1], {"error": {"message": "no", "code": 429}}), 64)
    assert flags & ERROR and tap.found().error_type == "rate_limit_error" and Failure("x", "y").status == 0
