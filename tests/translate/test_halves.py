"""Characters that were cut in half, as JavaScript's texts are: whole again where both halves come, else one character is lost."""

import orjson
import pytest

from gw.translate.dialect import Entrance
from gw.translate.form import ArgumentsDelta, Failure, Request, TextDelta
from gw.translate.loose import Halves, read_json
from gw.translation import dialect_of, hear_whole, parsed
from gw.wire.eventstream import encode

HIGH, LOW = b"\\ud83d", b"\\uDE42"
SMILE = "\N{SLIGHTLY SMILING FACE}"
CHAT = b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n'
CALLED = b'{"index":0,"id":"call_1","function":{"name":"t","arguments":"%b"}}'
CHAT_CALL = b'data: {"choices":[{"index":0,"delta":{"tool_calls":[%b]}}]}\n\n' % CALLED
ANTHROPIC = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%b"}}\n\n'
BEGIN = (
    b'data: {"type":"message_start","message":{"id":"m","model":"x","usage":{"input_tokens":1}}}\n\n'
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
)
GEMINI = b'data: {"candidates":[{"content":{"parts":[{"text":"%b"}]}}]}\r\n\r\n'
ADDED = (
    b'data: {"type":"response.created","response":{"id":"r"}}\n\n'
    b'data: {"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message","content":[]}}\n\n'
)
RESPONSES = b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"m","delta":"%b"}\n\n'
COHERE_BEGIN = (
    b'data: {"type":"message-start","id":"a"}\n\n'
    b'data: {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}\n\n'
)
COHERE = b'data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"%b"}}}}\n\n'
DELTA = {":message-type": "event", ":event-type": "contentBlockDelta"}
CONVERSE = b'{"contentBlockIndex":0,"delta":{"text":"%b"}}'
STREAMS = {
    "chat": (b"", CHAT),
    "anthropic": (BEGIN, ANTHROPIC),
    "gemini": (b"", GEMINI),
    "responses": (ADDED, RESPONSES),
    "cohere": (COHERE_BEGIN, COHERE),
    "converse": (b"", CONVERSE),
}


def said(dialect: str, *texts: bytes) -> str:
    begin, event = STREAMS[dialect]
    reader = dialect_of(dialect).event_reader(dialect)
    events = reader.feed(begin) if begin else []
    for text in texts:
        data = event % text
        events += reader.feed(encode(DELTA, data) if dialect == "converse" else data)
    assert not [one for one in events if isinstance(one, Failure)]
    return "".join(one.text for one in events if isinstance(one, TextDelta))


@pytest.mark.parametrize("dialect", STREAMS)
def test_halves_of_two_events_are_one_character(dialect: str) -> None:
    assert said(dialect, b"a " + HIGH, LOW + b" b") == f"a {SMILE} b"


@pytest.mark.parametrize("dialect", STREAMS)
def test_a_half_without_the_other_ends_no_stream(dialect: str) -> None:
    assert said(dialect, b"a" + HIGH, b"b") == "ab"
    assert said(dialect, LOW + b"a", b"b") == "\N{REPLACEMENT CHARACTER}ab"
    assert said(dialect, b"a" + HIGH + b"b", LOW + b"c") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"


def test_halves_in_arguments_are_put_together_too() -> None:
    reader = dialect_of("chat").event_reader("chat")
    events = reader.feed(CHAT_CALL % (b'{\\"a\\":\\"' + HIGH)) + reader.feed(CHAT_CALL % (LOW + b'\\"}'))
    assert "".join(one.text for one in events if isinstance(one, ArgumentsDelta)) == f'{{"a":"{SMILE}"}}'


def test_a_half_waits_through_what_says_nothing() -> None:
    halves = Halves()
    assert halves.read(b'{"a":"x%b"}' % HIGH) == {"a": "x"}
    assert halves.read(b'{"usage":{"n":1}}') == {"usage": {"n": 1}}
    assert halves.read(b'{"a":"%by"}' % LOW) == {"a": f"{SMILE}y"}
    assert halves.read(b'{"a":"%by"}' % LOW) == {"a": "\N{REPLACEMENT CHARACTER}y"}  # each is used once


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (rb"\ud83d\ude42", SMILE),
        (rb"\ud83d", "\N{REPLACEMENT CHARACTER}"),
        (rb"\ud83d\ud83d\ude42", "\N{REPLACEMENT CHARACTER}" + SMILE),
        (rb"\\ud83d \ud83d", "\\ud83d \N{REPLACEMENT CHARACTER}"),  # an escaped backslash before plain letters
        (rb"\\\ud83d\n", "\\\N{REPLACEMENT CHARACTER}\n"),
        (rb"\\ud83d", "\\ud83d"),
    ],
)
def test_of_one_text_only_what_is_half_is_lost(text: bytes, wanted: str) -> None:
    assert read_json(b'{"a":"%b"}' % text) == {"a": wanted}
    assert read_json((b'{"a":"%b"}' % text).decode()) == {"a": wanted}


@pytest.mark.parametrize("broken", [b"", b'{"a":"' + HIGH, b'{"a":"' + HIGH + b'",}', b"[DONE]", b'{"a":1'])
def test_what_is_no_json_stays_none(broken: bytes) -> None:
    for read in (read_json, Halves().read):
        with pytest.raises(ValueError):
            read(broken)


def test_whole_answers_and_requests_lose_half_a_character_and_no_more() -> None:
    body = b'{"id":"a","choices":[{"index":0,"message":{"role":"assistant","content":"cut %b"},"finish_reason":"stop"}]}' % HIGH
    heard = hear_whole(body, "chat", "openai", "anthropic", Request("anthropic"))
    assert heard.failure is None
    assert orjson.loads(heard.client)["content"] == [{"type": "text", "text": "cut \N{REPLACEMENT CHARACTER}"}]
    asked = parsed(b'{"model":"m","messages":[{"role":"user","content":"cut %b"}]}' % HIGH)
    assert asked is not None
    (message,) = dialect_of("chat").read_request(asked, Entrance("messages")).messages
    assert "cut \N{REPLACEMENT CHARACTER}" in repr(message)
