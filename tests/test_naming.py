"""An answer under the client's own name of the model: every other byte as it was, in any split."""

import json

import pytest

from gw.naming import Named, named
from gw.translate.form import Failure

START = (
    b'event: message_start\n'
    b'data: {"type":"message_start","message":{"id":"msg_1","model":"claude-opus-5-5-20261101","content":[]}}\n\n'
)
TEXT = (
    b'event: content_block_delta\n'
    b'data: {"type":"content_block_delta","delta":{"text":"\\"model\\":\\"claude-opus-5-5-20261101\\""}}\n\n'
)
USAGE = b'event: message_delta\ndata: {"type":"message_delta","usage":{"iterations":[{"model":"claude-opus-5-5-20261101"}]}}\n\n'
STREAM = START + TEXT + USAGE
SHOWN = STREAM.replace(b'"model":"claude-opus-5-5-20261101","content"', b'"model":"best","content"')


def told(chunks: list[bytes]) -> tuple[bytes, bytes]:
    one = Named(None, "best")
    heard = [one.hear(chunk) for chunk in chunks]
    heard.append(one.close())
    return b"".join(told for told, _ in heard), b"".join(story for _, story in heard)


@pytest.mark.parametrize("at", range(1, len(STREAM), 3))
def test_the_start_alone_is_renamed_in_any_split(at: int) -> None:
    assert told([STREAM[:at], STREAM[at:]]) == (SHOWN, STREAM)


def test_byte_by_byte() -> None:
    assert told([STREAM[at : at + 1] for at in range(len(STREAM))]) == (SHOWN, STREAM)


def test_a_stream_without_a_name_passes() -> None:
    assert told([b"data: {}\n\n", b"data: {"]) == (b"data: {}\n\ndata: {", b"data: {}\n\ndata: {")


def test_a_failure_loses_nothing_that_waits() -> None:
    one = Named(None, "best")
    one.hear(START[:40])
    assert one.ping() == b""
    assert one.fail(Failure("api_error", "broken")).startswith(START[:40] + b"\n\nevent: error\n")


def test_a_whole_answer_at_its_top_level() -> None:
    body = json.dumps({"content": [{"input": {"model": "x"}}], "model": "served", "usage": {"model": "served"}}).encode()
    assert named(body, "best") == body.replace(b'"model": "served", "usage"', b'"model": "best", "usage"')
    assert named(b"no json", "best") == b"no json"
