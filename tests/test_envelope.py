"""Claude's events between its platforms: every one passes as it is, in the envelope of the client, in any split."""

import base64
import json
import struct
from collections.abc import Iterable

import pytest
from botocore.eventstream import EventStreamBuffer

from gw.envelope import Enveloped
from gw.translate.form import Failure
from tests.support.fakes import frames

EVENTS = [
    {"type": "message_start", "message": {"id": "msg_1", "model": "served", "content": [], "usage": {"input_tokens": 3}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "tomorrows_kind", "model": "served"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ünï\n\n🙂"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}, "tomorrows_field": {"x": 1}},
    {"type": "message_stop"},
]
SHOWN = [{**EVENTS[0], "message": {**EVENTS[0]["message"], "model": "best"}}, *EVENTS[1:]]  # type: ignore[dict-item]


def text_of(events: Iterable[object]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in events)  # type: ignore[index]


SERVER_SENT = text_of(EVENTS)
FRAMED = b"".join(frames.event("chunk", {"bytes": base64.b64encode(json.dumps(one).encode()).decode()}) for one in EVENTS)
SIDES = {"anthropic": SERVER_SENT, "vertex_anthropic": SERVER_SENT, "invoke": FRAMED}


def read(client: str, told: bytes) -> list[object]:
    if client != "invoke":
        return [json.loads(line[6:]) for line in told.decode().splitlines() if line.startswith("data: ")]
    buffer = EventStreamBuffer()
    buffer.add_data(told)
    found = [json.loads(base64.b64decode(json.loads(message.payload)["bytes"])) for message in buffer]
    for event in found:
        event.pop("amazon-bedrock-invocationMetrics", None)
    return found


def relayed(upstream: str, client: str, name: str, size: int) -> tuple[bytes, bytes]:
    one, data = Enveloped(upstream, client, b"", name), SIDES[upstream]
    heard = [one.hear(data[at : at + size]) for at in range(0, len(data), size)]
    heard.append(one.close())
    return b"".join(told for told, _ in heard), b"".join(story for _, story in heard)


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
@pytest.mark.parametrize("name", ["", "best"])
@pytest.mark.parametrize("client", ["anthropic", "invoke"])
@pytest.mark.parametrize("upstream", SIDES)
def test_events_pass_in_the_clients_envelope(upstream: str, client: str, name: str, size: int) -> None:
    told, story = relayed(upstream, client, name, size)
    assert read(client, told) == (SHOWN if name else EVENTS)
    assert read("anthropic", story) == EVENTS  # the tap hears what was served
    if upstream == client and not name:
        assert told == SIDES[upstream]


def test_an_event_is_not_held_back() -> None:
    one = Enveloped("invoke", "invoke", b"", "best")
    (length,) = struct.unpack(">I", FRAMED[:4])
    assert len(read("invoke", one.hear(FRAMED[:length])[0])) == 1


@pytest.mark.parametrize("name", ["", "best"])
def test_a_failure_ends_an_event_under_way(name: str) -> None:
    one = Enveloped("vertex_anthropic", "anthropic", b"", name)
    told = one.hear(SERVER_SENT[:60])[0]
    assert bool(one.ping()) == (told == b"")  # not within an event
    told += one.fail(Failure("overloaded_error", "gone"))
    assert told.startswith(SERVER_SENT[:60] + b"\n\nevent: error\ndata: ") and told.endswith(b"\n\n")


def test_a_failure_is_an_exception_for_a_client_of_bedrock() -> None:
    one = Enveloped("anthropic", "invoke", b"", "")
    buffer = EventStreamBuffer()
    buffer.add_data(one.hear(SERVER_SENT[:200])[0] + one.fail(Failure("overloaded_error", "gone")))
    last = list(buffer)[-1]
    assert last.headers[":message-type"] == "exception" and b"gone" in last.payload
