"""A stream that ends before its answer does, without a word: a client of another dialect would take it for whole, and is told."""

import pytest

from gw._fast import Tap
from gw.translate.form import End, Failure, Request, TextDelta
from gw.translation import BROKEN_OFF, dialect_of, interpreter
from gw.wire.eventstream import encode
from tests.translate.test_halves import DELTA, STREAMS

CLIENTS = ("anthropic", "chat", "responses", "gemini", "converse", "invoke")
PAIRS = [(upstream, client) for upstream in STREAMS for client in CLIENTS if upstream != client]


@pytest.mark.parametrize(("upstream", "client"), [pair for pair in PAIRS if pair != ("anthropic", "invoke")])
@pytest.mark.parametrize("said", [True, False], ids=["in its middle", "before it began"])
def test_the_client_is_told_and_the_tap_is_not(upstream: str, client: str, said: bool) -> None:
    between = interpreter(upstream, upstream, client, Request(client, stream=True), b"")
    begin, event = STREAMS[upstream]
    data = begin + (encode(DELTA, event % b"Hi") if upstream == "converse" else event % b"Hi")
    told, story = between.hear(data) if said else (b"", b"")
    last, rest = between.close()
    reader = dialect_of(client).event_reader("")
    events = reader.feed(told + last) + reader.close()
    assert [one.text for one in events if isinstance(one, TextDelta)] == ["Hi"] * said
    assert isinstance(events[-1], Failure) and events[-1].message == BROKEN_OFF.message
    tap = Tap()
    tap.feed(story + rest)
    found = tap.found()
    assert not (found.finished or found.error_type)


@pytest.mark.parametrize("client", [one for one in CLIENTS if one != "chat"])
def test_an_answer_that_has_its_end_is_told_whole(client: str) -> None:
    between = interpreter("chat", "openai", client, Request(client, stream=True), b"")
    told = between.hear(b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n')[0]
    reader = dialect_of(client).event_reader("")
    events = reader.feed(told + between.close()[0]) + reader.close()  # some servers leave [DONE] out
    assert isinstance(events[-1], End)
