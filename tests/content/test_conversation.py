"""A conversation as people read it."""

import json
from pathlib import Path
from typing import Any

import pytest

from gw.content.conversation import DEEP, answered, conversation, shallow
from gw.content.store import CallRow
from tests.content.session import Talk, stream_of

ROW = CallRow(1, "c1", 1_000_000, "kid", "ci", "platform", "s1", 1, 2, "", 2, 3, "")
GOLDEN = Path(__file__).parents[1] / "golden"


def test_a_request_is_shown_by_its_parts() -> None:
    body = next(Talk().bodies(1))
    sent = json.loads(body)
    found = conversation(ROW, (body, b""))
    assert (found.messages, found.system, found.tools) == (sent["messages"], sent["system"], sent["tools"])
    assert found.parameters["model"] == "claude-opus-5-5" and "messages" not in found.parameters
    assert found.answer is None and found.unreadable == ()


def test_an_answer_is_the_message_that_its_events_make() -> None:
    found = answered(stream_of("a word", 2))
    assert found is not None
    assert found["stop_reason"] == "tool_use" and found["usage"] == {"output_tokens": 50} and found["id"] == "msg_01"
    assert found["content"] == [
        {"type": "thinking", "thinking": "I think of a word", "signature": "c2lnbmF0dXJl"},
        {"type": "text", "text": "a word"},
        {"type": "tool_use", "id": "toolu_01", "name": "Bash", "input": {"command": "echo a word"}},
    ]


def test_of_an_answer_that_was_cut_there_is_what_had_come() -> None:
    whole = stream_of("many words " * 20)
    found = answered(whole[: len(whole) // 2])
    assert found is not None and found["content"] and "stop_reason" not in found


@pytest.mark.parametrize("name", ["a02_tool_use.sse", "a18_mcp.sse", "a21_code_exec_cache.sse", "a08_refusal_full.sse"])
def test_real_answers_are_readable(name: str) -> None:
    found = answered((GOLDEN / name).read_bytes())
    assert found is not None and found["role"] == "assistant" and found["stop_reason"]


def test_a_whole_answer_and_an_error_are_shown_as_they_are() -> None:
    assert answered(b'{"content":[{"type":"text","text":"x"}]}') == {"content": [{"type": "text", "text": "x"}]}
    error = answered(b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n')
    assert error == {"error": {"type": "overloaded_error"}, "content": []}


@pytest.mark.parametrize(
    ("request_", "answer", "unreadable"),
    [(b"no JSON", b"<html>", ("request", "answer")), (b"[1]", b"5", ("request", "answer")), (b"", b"", ())],
)
def test_what_is_no_conversation_is_named(request_: bytes, answer: bytes, unreadable: tuple[str, ...]) -> None:
    found = conversation(ROW, (request_, answer))
    assert found.unreadable == unreadable and found.messages == []


@pytest.mark.parametrize(
    "event",
    [
        '{"type":"content_block_delta","index":0,"delta":{"type":"x","text":5}}',
        '{"type":"content_block_delta","index":"0","delta":[]}',
        '{"type":"message_delta","delta":null,"usage":[]}',
        '{"type":["message_start"],"message":{}}',
        '{"type":"content_block_start","index":1e400,"content_block":null}',
        "[]",
    ],
)
def test_odd_events_are_no_error(event: str) -> None:
    conversation(ROW, (b"{}", f"data: {event}\n\n{stream_of('x').decode()}".encode()))


def test_what_lies_too_deep_or_beyond_json_is_left_out() -> None:
    deep: Any = "core"
    for _ in range(DEEP + 5):
        deep = [deep]
    assert "core" not in json.dumps(shallow(deep)) and "core" in json.dumps(shallow([[["core"]]]))
    assert shallow({"a": "\ud800", "b": 1 << 80}) == {"a": "?", "b": str(1 << 80)}
