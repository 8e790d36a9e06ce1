"""Where a stream that its budget no longer pays for is cut."""

from typing import Any, cast

import pytest

from gw._fast import Tap
from gw.admit.gate import Blocked
from gw.ending import GRACE_BYTES, HELD_BACK_MAX, Ending

START = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
OPEN = b'event: content_block_start\ndata: {"type":"content_block_start","index":2,"content_block":{"type":"%s"}}\n\n'
STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":2}\n\n'
NOBODY = cast(Any, Blocked("reserved"))


def delta(kind: str, text: str = "hi") -> bytes:
    field = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}[kind]
    return b'event: content_block_delta\ndata: {"type":"content_block_delta","index":2,"delta":{"type":"%s","%s":"%s"}}\n\n' % (
        kind.encode(),
        field.encode(),
        text.encode(),
    )


def fed(*chunks: bytes) -> Tap:
    tap = Tap()
    for chunk in chunks:
        tap.feed(chunk)
    return tap


def ending(tap: Tap) -> Ending:
    return Ending(NOBODY, tap.text_bytes)


def test_between_blocks_it_ends_at_once() -> None:
    tap = fed(START, OPEN % b"text", delta("text_delta"), STOP)
    one = ending(tap)
    assert one.now(tap, STOP, opaque=False)
    assert one.closing == b""


def test_a_block_of_text_is_closed() -> None:
    tap = fed(START, OPEN % b"text", delta("text_delta"))
    one = ending(tap)
    assert one.now(tap, delta("text_delta"), opaque=False)
    assert one.closing == STOP.replace(b'"type":"content_block_stop","index"', b'"type":"content_block_stop","index"')


@pytest.mark.parametrize("kind", ["thinking_delta", "input_json_delta"])
def test_other_blocks_may_end_by_themselves_but_not_for_ever(kind: str) -> None:
    tap = fed(START, OPEN % b"thinking", delta(kind))
    one = ending(tap)
    assert not one.now(tap, delta(kind), opaque=False)
    tap.feed(delta(kind, "x" * GRACE_BYTES + "x"))
    assert one.now(tap, delta(kind, "x"), opaque=False)
    assert one.closing == b"", "behind a finished block it is left open, and dropped by the client"


@pytest.mark.parametrize("kind", ["thinking_delta", "input_json_delta"])
def test_a_first_block_is_closed_whatever_it_is(kind: str) -> None:
    """Else the client would have nothing, and send all of it again."""
    first = delta(kind, "x" * GRACE_BYTES + "x").replace(b'"index":2', b'"index":0')
    tap = fed(START, (OPEN % b"thinking").replace(b'"index":2', b'"index":0'))
    one = ending(tap)
    tap.feed(first)
    assert one.now(tap, first, opaque=False)
    assert one.closing == STOP.replace(b'"index":2', b'"index":0')


def test_never_within_an_event() -> None:
    text = delta("text_delta")
    tap = fed(START, OPEN % b"text", text[:-1])
    one = ending(tap)
    assert not one.now(tap, text[:-1], opaque=False)


@pytest.mark.parametrize(
    "chunk", [b"\n\n", b"data: nonsense\n\n", b'data: {"type":"ping"}\n\n', b"data: []\n\n", b": comment\n\n"]
)
def test_a_chunk_that_does_not_name_its_block_closes_none(chunk: bytes) -> None:
    tap = fed(START, OPEN % b"text", delta("text_delta"), chunk)
    assert not ending(tap).now(tap, chunk, opaque=False)


def test_text_cannot_pass_for_the_name_of_a_block() -> None:
    said = delta("text_delta", r"data: {\"type\":\"content_block_delta\",\"index\":9,\"delta\":{\"type\":\"text_delta\"}}")
    tap = fed(START, OPEN % b"text", said)
    one = ending(tap)
    assert one.now(tap, said, opaque=False)
    assert one.closing == STOP


def test_before_the_first_block_it_does_not_end() -> None:
    """There an error is taken for a failure, and the client sends all of it again."""
    tap = fed(START)
    assert not ending(tap).now(tap, START, opaque=False)
    tap = fed(START, OPEN % b"text", STOP)
    assert not ending(tap).now(tap, STOP, opaque=False), "nor behind an empty one"


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("size", [1, 2, 7, 40, 1000])
def test_from_then_on_only_whole_events_pass_and_nothing_is_lost(size: int, end: bytes) -> None:
    data = b"".join(b"event: x" + end[: len(end) // 2] + b"data: {%d}" % at + end for at in range(40))
    one, passed = ending(fed(START)), []
    for at in range(0, len(data), size):
        whole = one.whole(data[at : at + size])
        assert whole.endswith(end) or not whole
        passed.append(whole)
    assert b"".join(passed) == data and one.rest == b""


def test_an_event_without_end_is_not_kept_for_ever() -> None:
    one = ending(fed(START))
    assert one.whole(b"x" * HELD_BACK_MAX) == b""
    assert one.whole(b"x") == b"x" * (HELD_BACK_MAX + 1)
