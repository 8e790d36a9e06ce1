"""Whole answers and errors of Anthropic's dialect."""

import orjson
import pytest
from hypothesis import given
from msgspec.structs import replace

from gw._fast import found_in
from gw.domain.usage import Iteration, Usage
from gw.translate.anthropic_answer import read_answer, read_error, write_answer, write_error
from gw.translate.dialects import DIALECTS
from gw.translate.form import (
    Answer,
    BlockStart,
    BlockStop,
    Effort,
    Event,
    Failure,
    Foreign,
    Json,
    Media,
    Request,
    Start,
    Text,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.seal import unseal, unseal_id
from tests.translate.strategies import answers, json_values

ANSWER = Answer("msg_1", "gpt-5.2", (Text("hi"),), "end_turn", Usage(input_tokens=3, output_tokens=5))


def test_a_whole_answer_as_clients_expect_it() -> None:
    body = DIALECTS["anthropic"].write_answer(ANSWER, Request("anthropic", model="gpt-5.2", model_named="claude-opus-5-5"))
    usage = body.pop("usage")
    assert body == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
    }
    assert (usage["input_tokens"], usage["output_tokens"], usage["cache_read_input_tokens"]) == (3, 5, 0)


def test_only_its_own_fields_stand_in_an_answer() -> None:
    answer = replace(ANSWER, foreign={"stop_details": {"type": "refusal"}, "system_fingerprint": "fp"})
    body = write_answer(answer)
    assert body["stop_details"] == {"type": "refusal"} and "system_fingerprint" not in body


def test_thoughts_come_to_those_who_asked_for_them() -> None:
    dialect, answer = DIALECTS["anthropic"], Answer("x", "m", (Thinking("t"), Text("a")), "end_turn", Usage())
    events: list[Event] = [Start("x", "m"), BlockStart(0, Thinking()), ThinkingDelta(0, "t"), BlockStop(0)]
    for asked, count in (
        (Request("anthropic"), 1),
        (Request("anthropic", effort=Effort("off")), 1),
        (Request("anthropic", effort=Effort("adaptive")), 2),
        (Request("chat"), 2),
    ):
        assert len(dialect.write_answer(answer, asked)["content"]) == count
        assert (b"thinking" in dialect.event_writer(asked).write(events)) is (count == 2)


def test_blocks_of_other_dialects() -> None:
    content = (
        Thinking("t", "c2ln", sealed_by="responses", id="rs_1"),
        Foreign("responses", "web_search_call", {}),
        Foreign("anthropic", "mcp_tool_use", {"type": "mcp_tool_use"}),
        Media("image", "image/png", data="aGk="),
        ToolUse("functions.a:0", "a", "broken", signature="Es=="),
    )
    thought, own, image, use = write_answer(Answer("x", "m", content, "tool_use", Usage()))["content"]
    assert unseal(thought["signature"]) == ("responses", "c2ln", "rs_1")
    assert own == {"type": "mcp_tool_use"}
    assert image["text"] == "[image, image/png: cannot be shown in this answer]"
    assert unseal_id(use["id"]) == ("functions.a:0", "Es==")
    assert use["input"] == {"unreadable_arguments": "broken"}


@given(answers())
def test_an_answer_comes_back_from_its_body(answer: Answer) -> None:
    assert read_answer(orjson.loads(orjson.dumps(write_answer(answer)))) == answer


@given(answers())
def test_the_tap_reads_the_same_usage_of_an_answer(answer: Answer) -> None:
    fields = found_in(orjson.dumps(write_answer(answer)), 0).fields()
    assert Usage(*fields[:12], tuple(Iteration(*entry) for entry in fields[12]), fields[13]) == answer.usage


@given(json_values)
def test_a_body_of_any_shape_never_raises(value: object) -> None:
    for body in ({"content": value}, {"content": [value], "usage": value}, {"error": value}):
        read_answer(body | {"stop_reason": value})
    read_error(500, orjson.dumps(value))


def test_a_stop_yet_unknown_ends_the_turn() -> None:
    answer = read_answer({"content": [], "stop_reason": "tomorrow"})
    assert isinstance(answer, Answer) and answer.stop == "end_turn"
    full = read_answer({"content": [], "stop_reason": "model_context_window_exceeded"})
    assert isinstance(full, Answer) and full.stop == "context_full"


ERRORS: list[tuple[int, bytes, Failure]] = [
    (
        529,
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}',
        Failure("overloaded_error", "Overloaded", 529, "overloaded_error"),
    ),
    (404, b'{"error":{"message":"no model"}}', Failure("not_found_error", "no model", 404)),
    (400, b'{"error":"bad"}', Failure("invalid_request_error", "bad", 400)),
    (418, b"<html>teapot</html>", Failure("invalid_request_error", "<html>teapot</html>", 418)),
    (502, b"", Failure("api_error", "The upstream answered with status 502 and no words.", 502)),
    (429, b'{"error":{"type":"new"}}', Failure("rate_limit_error", "The upstream says new, and no more.", 429, "new")),
]


@pytest.mark.parametrize(("status", "body", "failure"), ERRORS)
def test_errors_are_read_in_any_shape(status: int, body: bytes, failure: Failure) -> None:
    assert read_error(status, body) == failure


def test_an_error_is_written_in_its_envelope() -> None:
    body: Json = write_error(Failure("rate_limit_error", "Slower.", 429), "gw_1")
    assert body == {"type": "error", "error": {"type": "rate_limit_error", "message": "Slower."}, "request_id": "gw_1"}


def test_an_error_in_place_of_an_answer_is_a_failure() -> None:
    found = read_answer({"type": "error", "error": {"type": "api_error", "message": "no"}})
    assert found == Failure("api_error", "no", 0, "api_error")
    assert isinstance(read_answer({"hello": 1}), Failure)
