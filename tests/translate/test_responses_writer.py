"""Events as a Responses stream and as a whole response: what OpenAI's SDK makes of them, and its types say."""

from typing import Any

import openai
import orjson
import pytest
from hypothesis import given, settings
from openai.types.responses import Response

from gw.domain.usage import Usage
from gw.translate.form import (
    Answer,
    ArgumentsDelta,
    BlockStart,
    BlockStop,
    Citation,
    CitationDelta,
    End,
    Event,
    Failure,
    Foreign,
    Media,
    Request,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    Tool,
    ToolChoice,
    ToolUse,
)
from gw.translate.responses import RESPONSES
from gw.translate.responses_answer import read_answer
from gw.translate.responses_items import returned_call, thought_of
from gw.translate.responses_reader import EventReader
from gw.translate.responses_writer import EventWriter, write_answer
from tests.translate.responses_streams import ALL, client, events, parsed, stream, valid
from tests.translate.strategies import PNG, answers, event_sequences, said

USAGE = Usage(100, 30, 400, 7, 0, 10, service_tier="priority")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = (Tool("weather", "Says it.", SCHEMA, True), Tool("patch", custom=True))
CHOICE = ToolChoice("any", parallel=False)
ASKED = Request("responses", "my-model", tools=TOOLS, tool_choice=CHOICE, max_tokens=900, model_named="mine")


def written(*found: Event, asked: Request = ASKED) -> list[dict[str, Any]]:
    told = parsed(RESPONSES.event_writer(asked).write(list(found)))
    valid(told)
    return told


def answered(*found: Event, asked: Request = ASKED) -> dict[str, Any]:
    """The response of the last event."""
    last = written(Start("msg_01", "claude-opus-5-5", created_s=7), *found, asked=asked)[-1]["response"]
    assert isinstance(last, dict)
    Response.model_validate(last)
    return last


TURN: list[Event] = [
    Start("msg_01", "claude-opus-5-5", created_s=7),
    BlockStart(0, Thinking(sealed_by="anthropic")),
    ThinkingDelta(0, "Look "),
    ThinkingDelta(0, "it up."),
    SignatureDelta(0, "c2lnbmVk"),
    BlockStop(0),
    BlockStart(1, Text("")),
    TextDelta(1, "Let me "),
    TextDelta(1, 'see: "ü" \n'),
    BlockStop(1),
    BlockStart(2, ToolUse("toolu_1", "weather")),
    ArgumentsDelta(2, '{"city":'),
    BlockStart(3, ToolUse("toolu_2", "weather")),
    ArgumentsDelta(2, '"Paris"}'),
    BlockStop(2),
    BlockStop(3),
    End("tool_use", USAGE),
]


# --- the SDK reads it -------------------------------------------------------------------------------------------------


def test_the_sdk_accumulates_a_stream_without_complaint() -> None:
    data = EventWriter(ASKED).write(TURN)
    with client(200, "text/event-stream", data).responses.stream(model="mine", input="hi") as told:
        words = "".join(event.delta for event in told if event.type == "response.output_text.delta")
        found = told.get_final_response()
    assert words == found.output_text == 'Let me see: "ü" \n'
    assert [item.type for item in found.output] == ["reasoning", "message", "function_call", "function_call"]
    calls = [(item.call_id, item.arguments) for item in found.output if item.type == "function_call"]
    assert calls == [("toolu_1", '{"city":"Paris"}'), ("toolu_2", "{}")]
    assert (found.model, found.status, found.service_tier, found.max_output_tokens) == ("mine", "completed", "priority", 900)
    assert (found.id, found.created_at, found.parallel_tool_calls, found.tool_choice) == ("resp_msg_01", 7, False, "required")
    usage = found.usage
    assert usage is not None and usage.input_tokens_details.cached_tokens == 400
    assert (usage.input_tokens, usage.output_tokens, usage.output_tokens_details.reasoning_tokens) == (507, 30, 10)


def test_the_sdk_reads_the_plain_stream_with_pings_between() -> None:
    writer = EventWriter(ASKED)
    data = b"".join(writer.write([event]) + writer.ping() for event in TURN)
    assert writer.ping() == b""
    with client(200, "text/event-stream", data).responses.create(model="mine", input="hi", stream=True) as told:
        kinds = [event.type for event in told]
    assert kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed"


def test_the_sdk_reads_a_whole_answer_that_says_what_the_stream_does() -> None:
    blocks, end = said(TURN)
    assert end is not None
    body = write_answer(Answer("msg_01", "claude-opus-5-5", tuple(blocks), end.stop, end.usage, created_s=7), ASKED)
    found = client(200, "application/json", orjson.dumps(body)).responses.create(model="mine", input="hi")
    Response.model_validate(body)
    assert found.output_text == 'Let me see: "ü" \n'
    assert body == parsed(EventWriter(ASKED).write(TURN))[-1]["response"]


@pytest.mark.parametrize("begun", [0, 1, 4, 8, 12])
def test_a_failure_anywhere_is_an_exception_of_the_sdk(begun: int) -> None:
    writer = EventWriter(ASKED)
    data = writer.write([*TURN[:begun], Failure("overloaded_error", "Too many.", code="overloaded")])
    asking = client(200, "text/event-stream", data).responses.stream(model="mine", input="hi")
    with pytest.raises(openai.APIError, match="Too many"), asking as told:
        told.get_final_response()
    last = parsed(data)[-1]
    assert last["type"] == "response.failed" and last["response"]["status"] == "failed"
    assert last["response"]["error"] == {"code": "server_error", "message": "Too many."}
    assert writer.write(TURN) == writer.fail(Failure("api_error", "again")) == b""
    valid(parsed(data))


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Failure("rate_limit_error", "m"), "rate_limit_exceeded"),
        (Failure("billing_error", "m"), "insufficient_quota"),
        (Failure("invalid_request_error", "m"), "invalid_prompt"),
        (Failure("invalid_request_error", "m", code="context_length_exceeded"), "context_length_exceeded"),
        (Failure("api_error", "m"), "server_error"),
    ],
)
def test_a_failed_response_says_it_in_the_words_that_codex_acts_upon(failure: Failure, code: str) -> None:
    assert parsed(EventWriter(ASKED).write([*TURN[:3], failure]))[-1]["response"]["error"]["code"] == code


@pytest.mark.parametrize(("kind", "kept"), [("billing_error", ["reasoning", "message"]), ("overloaded_error", ["reasoning"])])
def test_what_was_said_before_a_budget_ended_it_stays(kind: str, kept: list[str]) -> None:
    told = written(*TURN[:8], Failure(kind, "m"))
    output = told[-1]["response"]["output"]
    assert [item["type"] for item in output] == kept
    assert kind != "billing_error" or (output[1]["status"], output[1]["content"][0]["text"]) == ("incomplete", "Let me ")


@pytest.mark.parametrize(
    ("status", "failure", "raised"),
    [
        (401, Failure("authentication_error", "no key", 401), openai.AuthenticationError),
        (429, Failure("billing_error", "Budget exceeded", 429), openai.RateLimitError),
        (400, Failure("policy_blocked", "not here", 400), openai.BadRequestError),
    ],
)
def test_an_error_is_the_sdks(status: int, failure: Failure, raised: type[openai.APIStatusError]) -> None:
    body = orjson.dumps(RESPONSES.write_error(failure, "gw_1"))
    with pytest.raises(raised, match=failure.message) as found:
        client(status, "application/json", body).responses.create(model="mine", input="hi")
    assert found.value.status_code == status


# --- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [
        ("end_turn", "completed", None),
        ("stop_sequence", "completed", None),
        ("tool_use", "completed", None),
        ("pause_turn", "completed", None),
        ("max_tokens", "incomplete", "max_output_tokens"),
        ("context_full", "incomplete", "max_output_tokens"),
        ("refusal", "incomplete", "content_filter"),
    ],
)
def test_why_it_ended(stop: Any, status: str, reason: str | None) -> None:
    found = answered(BlockStart(0, Text("a")), BlockStop(0), End(stop, USAGE))
    assert (found["status"], (found["incomplete_details"] or {}).get("reason")) == (status, reason)
    assert found["output"][0]["status"] == status


def test_texts_that_follow_each_other_are_one_part_with_their_citations_placed() -> None:
    found = answered(
        BlockStart(0, Text("")), TextDelta(0, "Sky "), BlockStop(0),
        BlockStart(1, Text("")), TextDelta(1, "is blue"),
        CitationDelta(1, Citation(url="https://example.com", title="Sky")), BlockStop(1),
        BlockStart(2, Text(".", (Citation(title="doc.txt", document=2, unit="char"),))), BlockStop(2),
        End("end_turn", USAGE),
    )  # fmt: skip
    (message,) = found["output"]
    (part,) = message["content"]
    assert part["text"] == "Sky is blue."
    web, file = part["annotations"]
    assert part["text"][web["start_index"] : web["end_index"]] == "is blue"
    assert file == {"type": "file_citation", "file_id": "", "filename": "doc.txt", "index": 2}


def test_text_that_goes_on_after_a_call_has_begun_is_a_message_of_its_own() -> None:
    found = answered(
        BlockStart(0, Text("")), TextDelta(0, "a"), BlockStart(1, ToolUse("c", "weather")), TextDelta(0, "b"),
        ArgumentsDelta(1, "{}"), BlockStop(0), BlockStop(1), End("tool_use", USAGE),
    )  # fmt: skip
    assert [(item["type"], item.get("content", [{}])[0].get("text")) for item in found["output"]] == [
        ("message", "a"), ("function_call", None), ("message", "b"),
    ]  # fmt: skip


def test_what_another_upstream_has_sealed_comes_back_from_a_client_as_it_was() -> None:
    for thought in (
        Thinking("why", "c2ln", sealed_by="anthropic"),
        Thinking("", "c2ln.x", sealed_by="anthropic"),
        Thinking("why", "gAAA", sealed_by="responses", id="rs_9"),
        Thinking("why", '{"a":1}', sealed_by="chat"),
        Thinking(redacted="RURBQ0Q=", sealed_by="anthropic"),
        Thinking("no seal"),
    ):
        item = answered(BlockStart(0, thought), BlockStop(0), BlockStart(1, Text("x")), End("end_turn", USAGE))["output"][0]
        assert item["type"] == "reasoning"
        back = thought_of(item)
        assert (back.text, back.signature, back.redacted) == (thought.text, thought.signature, thought.redacted)
        assert back.sealed_by == thought.sealed_by
        assert back.id == (thought.id or ("" if thought.sealed_by else item["id"]))
        bare = thought_of({name: value for name, value in item.items() if name != "id"})  # as Codex sends it
        assert (bare.text, bare.signature, bare.sealed_by) == (thought.text, thought.signature, thought.sealed_by)


def test_a_custom_tool_that_the_upstream_knew_as_a_function_gets_its_free_text() -> None:
    found = answered(
        BlockStart(0, ToolUse("c1", "patch")), ArgumentsDelta(0, '{"inp'), ArgumentsDelta(0, 'ut":"a\\nb"}'), BlockStop(0),
        BlockStart(1, ToolUse("c2", "patch", custom=True)), ArgumentsDelta(1, "free"), BlockStop(1),
        BlockStart(2, ToolUse("c3", "patch")), ArgumentsDelta(2, "not json"), BlockStop(2),
        End("tool_use", USAGE),
    )  # fmt: skip
    assert [(item["type"], item["input"]) for item in found["output"]] == [
        ("custom_tool_call", "a\nb"), ("custom_tool_call", "free"), ("custom_tool_call", "not json"),
    ]  # fmt: skip


def test_a_tool_of_a_namespace_is_called_by_both_its_names() -> None:
    asked = Request("responses", tools=(Tool("mail__send", namespace="mail"),))
    (item,) = answered(BlockStart(0, ToolUse("c", "mail__send")), BlockStop(0), End("tool_use", USAGE), asked=asked)["output"]
    assert (item["namespace"], item["name"]) == ("mail", "send")


def test_a_tools_signature_travels_in_its_id() -> None:
    (item,) = answered(BlockStart(0, ToolUse("c", "weather", signature="c2ln")), BlockStop(0), End("tool_use", USAGE))["output"]
    back = returned_call(item)
    assert (back.id, back.signature) == ("c", "c2ln")


def test_blocks_without_words_here_are_left_out_and_pictures_are_items() -> None:
    found = answered(
        BlockStart(0, Foreign("anthropic", "server_tool_use", {"type": "server_tool_use"})), BlockStop(0),
        BlockStart(1, Media("image", "image/png", PNG)), BlockStop(1),
        BlockStart(2, Foreign("responses", "local_shell_call", ALL[1])), BlockStop(2),
        End("end_turn", USAGE),
    )  # fmt: skip
    assert [item["type"] for item in found["output"]] == ["image_generation_call", "web_search_call"]


def test_an_answer_without_bound_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gw.translate.responses_writer.ANSWER_CHARS_MAX", 100)
    told = written(*TURN[:8], *[TextDelta(1, "x" * 40)] * 5, *TURN[8:])
    assert told[-1]["type"] == "response.failed"


def test_a_lone_surrogate_does_not_break_the_stream() -> None:
    found = answered(BlockStart(0, Text("")), TextDelta(0, "a\ud83d"), BlockStop(0), End("end_turn", USAGE))
    assert found["output"][0]["content"][0]["text"] == "a?"


@pytest.mark.parametrize("id", ["", "chatcmpl-0", "resp_abc", "ünï cøde/" * 20, "a" * 300])
def test_ids_are_words_of_the_dialect_whatever_the_upstreams_is(id: str) -> None:
    found = parsed(EventWriter(ASKED).write([Start(id, "m"), BlockStart(0, Text("x")), End("end_turn", USAGE)]))[-1]["response"]
    for word, prefix in ((found["id"], "resp_"), (found["output"][0]["id"], "msg_")):
        assert word.startswith(prefix) and len(word) <= 64 and word.isascii() and " " not in word


@pytest.mark.parametrize(
    ("more", "named"),
    [({"id": "own_1"}, "own_1"), ({}, "item_msg_01_0")],
)
def test_items_of_the_dialect_itself_have_an_id(more: dict[str, str], named: str) -> None:
    value = {"type": "mcp_call", "arguments": "{}", "name": "n", "server_label": "s"} | more
    found = answered(BlockStart(0, Foreign("responses", "mcp_call", value)), BlockStop(0), End("end_turn", USAGE))
    assert found["output"][0]["id"] == named


# --- there and back ---------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(event_sequences("responses", overlapping=True))
def test_what_is_written_says_the_same_when_it_is_read(found: list[Event]) -> None:
    told = EventWriter(ASKED).write(found)
    valid(parsed(told))
    reader = EventReader("openai")
    blocks, end = said(reader.feed(told))
    before, last = said(found)
    assert _joined(blocks) == _joined(before)
    assert end is not None and last is not None
    assert end.usage.output_tokens == last.usage.output_tokens
    assert end.usage.cache_write_1h_tokens == last.usage.cache_write_1h_tokens


@settings(max_examples=80, deadline=None)
@given(answers("responses"))
def test_a_whole_answer_written_is_read_again(answer: Answer) -> None:
    body = write_answer(answer, ASKED)
    Response.model_validate(body)
    back = read_answer(body, "openai")
    assert isinstance(back, Answer)
    assert _joined(list(back.content)) == _joined(list(answer.content))
    assert back.usage.input_tokens == answer.usage.input_tokens


def _joined(blocks: list[Any]) -> list[Any]:
    """Texts that follow each other are one; a call without arguments has {}. Ids of thoughts are made."""
    found: list[Any] = []
    for block in blocks:
        if isinstance(block, Text) and found and isinstance(found[-1], Text):
            found[-1] = Text(found[-1].text + block.text)
        elif isinstance(block, Thinking):
            found.append(Thinking(block.text, block.signature, sealed_by="responses"))
        elif isinstance(block, ToolUse):
            found.append(ToolUse(block.id, block.name, block.arguments or "{}"))
        else:
            found.append(Text(block.text))
    return found


def test_an_openai_stream_read_and_written_again_is_one() -> None:
    found = EventReader("openai").feed(stream(events(ALL)))
    told = written(*found)
    assert [item["type"] for item in told[-1]["response"]["output"]] == [item["type"] for item in ALL]
    assert told[-1]["response"]["output"][0]["encrypted_content"] == ALL[0]["encrypted_content"]
