"""What a stream begins with: a failure is seen whatever stands before it and however its bytes are split."""

from base64 import b64encode

import orjson
import pytest

from gw.beginning import look
from gw.wire.eventstream import encode

OVERLOADED = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
RESPONSE_FAILED = b'{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"no"}}}'


def exception(name: str, *, kind: str = "exception", where: str = ":exception-type") -> bytes:
    return encode({where: name, ":content-type": "application/json", ":message-type": kind}, b'{"message":"of the test"}')


def event(name: str, payload: bytes) -> bytes:
    return encode({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload)


def chunk(data: bytes) -> bytes:
    return event("chunk", orjson.dumps({"bytes": b64encode(data).decode()}))


FAILURES = {
    "anthropic": b"event: error\ndata: " + OVERLOADED + b"\n\n",
    "without a name": b"data: " + OVERLOADED + b"\n\n",
    "behind a comment": b": OPENROUTER PROCESSING\n\n: still\n\ndata: " + OVERLOADED + b"\n\n",
    "behind pings": b': ping\n\nevent: ping\ndata: {"type": "ping"}\n\nevent: error\ndata: ' + OVERLOADED + b"\n\n",
    "behind a ping without data": b"event: ping\n\nretry: 3000\n\ndata: " + OVERLOADED + b"\n\n",
    "crlf": b":\r\n\r\nevent: error\r\ndata: " + OVERLOADED + b"\r\n\r\n",
    "cr": b"event: error\rdata: " + OVERLOADED + b"\r\r",
    "a mark before it": b"\xef\xbb\xbfevent: error\ndata: " + OVERLOADED + b"\n\n",
    "error is not its first field": b'data: {"id":"g","choices":[],"error":{"code":429,"message":"no"}}\n\n',
    "responses": b"event: response.failed\ndata: " + RESPONSE_FAILED + b"\n\n",
    "words": b"event: error\ndata: upstream went away\n\n",
    "nothing but its name": b"event: error\n\n",
    "several lines": b'event: error\ndata: {"type":"error",\ndata: "error":{"message":"no"}}\n\n',
    "converse": exception("throttlingException"),
    "an exception that is an event": event("modelStreamErrorException", b'{"message":"no"}'),
    "unmodelled": exception("InternalFailure", kind="error", where=":error-code"),
    "invoke": exception("serviceUnavailableException"),
    "invoke, behind a ping": chunk(b'{"type":"ping"}') + chunk(OVERLOADED),
}
FRAMED = {"converse", "an exception that is an event", "unmodelled", "invoke", "invoke, behind a ping"}
ANSWERS = {
    "anthropic": b'event: ping\ndata: {"type": "ping"}\n\nevent: message_start\ndata: {"type":"message_start"}\n\n',
    "chat": b'data: {"id":"c","choices":[{"delta":{"content":"error"}}],"error":null}\n\n',
    "gemini's array": b'[{\n  "candidates": [',
    "converse": event("messageStart", b'{"role":"assistant"}'),
    "invoke": chunk(b'{"type":"message_start"}'),
    "damaged frames": b"\0" * 40,
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_seen_at_its_last_byte_and_not_before(name: str) -> None:
    data, framed = FAILURES[name], name in FRAMED
    whole = look(data, framed=framed, ended=False)
    assert isinstance(whole, bytes) and isinstance(orjson.loads(whole), dict)
    for size in range(len(data) - 2):
        assert look(data[:size], framed=framed, ended=False) is False, data[:size]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_none(name: str) -> None:
    data, framed = ANSWERS[name], name in {"converse", "invoke", "damaged frames"}
    assert look(data, framed=framed, ended=False) is True
    assert not any(isinstance(look(data[:size], framed=framed, ended=False), bytes) for size in range(len(data)))


@pytest.mark.parametrize("text", [b'{"error": {"message": "no"}}', b'[{\n  "error": {\n    "code": 429\n  }\n}]', OVERLOADED])
def test_json_in_place_of_events_is_waited_for_whole(text: bytes) -> None:
    assert look(text, framed=False, ended=False) == text
    assert look(text[:-1], framed=False, ended=False) is False
    assert look(text[:-1], framed=False, ended=True) == text[:-1]


def test_pings_alone_say_nothing_and_an_error_without_a_blank_line_is_one_at_the_end() -> None:
    assert look(b": ping\n\n: ping\n\n", framed=False, ended=True) is False
    assert look(b"", framed=False, ended=True) is False
    assert look(b": ping\n\ndata: [DONE]\n\n", framed=False, ended=True) is False  # an end without an answer
    cut = b"event: error\ndata: " + OVERLOADED
    assert look(cut, framed=False, ended=False) is False and look(cut, framed=False, ended=True) == OVERLOADED


def test_the_failure_is_told_as_an_http_error_of_its_dialect_would_be() -> None:
    told = {name: look(data, framed=name in FRAMED, ended=False) for name, data in FAILURES.items()}
    assert told["behind pings"] == OVERLOADED
    assert told["converse"] == b'{"__type":"ThrottlingException","message":"of the test"}'
    assert told["unmodelled"] == b'{"__type":"InternalFailure","message":"of the test"}'
    assert told["invoke, behind a ping"] == b'{"__type":"ServiceUnavailableException","message":"Overloaded"}'
    assert told["responses"] == b'{"error":{"code":"rate_limit_exceeded","message":"no"}}'
