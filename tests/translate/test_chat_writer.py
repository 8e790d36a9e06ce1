"""What gw writes to OpenAI's clients, judged by the official SDK's own types and by its accumulator."""

from typing import Any

import httpx2
import openai
import orjson
import pytest
from hypothesis import given, settings
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gw.domain.usage import Usage
from gw.translate.chat import CHAT
from gw.translate.chat_reader import EventReader, gathered
from gw.translate.chat_writer import DONE, PING, EventWriter
from gw.translate.dialect import Entrance
from gw.translate.form import (
    Answer,
    ArgumentsDelta,
    BlockStart,
    BlockStop,
    Citation,
    CitationDelta,
    Effort,
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
    ToolUse,
)
from tests.translate.strategies import answers, event_sequences, said

USAGE = Usage(5, 7, cache_read_tokens=3, cache_write_5m_tokens=2, cache_write_1h_tokens=1, thinking_tokens=4)
PLAIN: list[Event] = [
    Start("id1", "upstream-model", created_s=17), BlockStart(0, Text("")), TextDelta(0, 'a"b\n'), TextDelta(0, "ü€"),
    BlockStop(0), End("end_turn", USAGE),
]  # fmt: skip


def asking(**more: Any) -> Request:
    return Request("chat", model="upstream-model", model_named="my-model", stream=True, **more)


def chunks_of(stream: bytes) -> list[dict[str, Any]]:
    events = stream.split(b"\n\n")
    assert events.pop() == b"" and events.pop() == b"data: [DONE]"
    found = []
    for event in events:
        assert event.startswith(b"data: ")
        body = orjson.loads(event[6:])
        if "error" not in body:
            ChatCompletionChunk.model_validate(body, strict=True)
        found.append(body)
    return found


def accumulated(stream: bytes) -> ChatCompletion:
    """As the SDK's own accumulator puts it together."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = openai.OpenAI(api_key="k", base_url="http://gw.test/v1", max_retries=0, http_client=http)
    with client.chat.completions.stream(model="my-model", messages=[{"role": "user", "content": "hi"}]) as events:
        for _ in events:
            pass
        return events.get_final_completion()


def written(events: list[Event], asked: Request | None = None) -> bytes:
    return EventWriter(asked or asking()).write(events)


def test_a_text_as_the_sdk_reads_it() -> None:
    found = accumulated(written(PLAIN))
    assert (found.id, found.model, found.created) == ("id1", "my-model", 17)
    assert found.choices[0].message.content == 'a"b\nü€' and found.choices[0].finish_reason == "stop"
    usage = found.usage
    assert usage and (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (11, 7, 18)
    assert usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens == 3
    assert usage.prompt_tokens_details.cache_write_tokens == 3
    assert usage.completion_tokens_details and usage.completion_tokens_details.reasoning_tokens == 4


def test_role_comes_first_and_usage_only_where_it_was_asked_for() -> None:
    chunks = chunks_of(written(PLAIN, asking(usage_wanted=False)))
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert not any("usage" in chunk for chunk in chunks)
    last = chunks_of(written(PLAIN))[-1]
    assert last["choices"] == [] and last["usage"]["total_tokens"] == 18


def test_parallel_calls_are_numbered_and_joined() -> None:
    events: list[Event] = [
        Start("i", "m"), BlockStart(0, ToolUse("call_a", "f")), BlockStart(1, ToolUse("call_b", "g")), ArgumentsDelta(0, '{"a"'),
        ArgumentsDelta(1, "{}"), ArgumentsDelta(0, ":1}"), BlockStop(0), BlockStop(1), BlockStart(2, ToolUse("call_c", "h")),
        BlockStop(2), End("tool_use", USAGE),
    ]  # fmt: skip
    found = accumulated(written(events)).choices[0]
    calls = found.message.tool_calls or []
    assert [(call.id, call.function.name, call.function.arguments) for call in calls if call.type == "function"] == [
        ("call_a", "f", '{"a":1}'), ("call_b", "g", "{}"), ("call_c", "h", "{}"),
    ]  # fmt: skip
    assert found.finish_reason == "tool_calls"


def test_thoughts_are_reasoning_content_and_a_seal_comes_back_whole() -> None:
    events: list[Event] = [
        Start("i", "m"), BlockStart(0, Thinking(sealed_by="anthropic")), ThinkingDelta(0, "why "), ThinkingDelta(0, "not"),
        SignatureDelta(0, "c2ln"), BlockStop(0), BlockStart(1, Thinking(redacted="blob", sealed_by="anthropic")), BlockStop(1),
        BlockStart(2, Text("")), TextDelta(2, "a"), BlockStop(2), End("end_turn", USAGE),
    ]  # fmt: skip
    message = accumulated(written(events)).choices[0].message.model_dump(exclude_none=True)
    assert message["reasoning_content"] == "why not"
    asked = CHAT.read_request({"messages": [{"role": "user", "content": "x"}, message]}, Entrance("messages"))
    assert asked.messages[1].content == (
        Thinking("why not", "c2ln", sealed_by="anthropic"), Thinking(redacted="blob", sealed_by="anthropic"), Text("a"),
    )  # fmt: skip


def test_thoughts_are_kept_from_who_does_not_want_them() -> None:
    events: list[Event] = [Start("i", "m"), BlockStart(0, Thinking()), ThinkingDelta(0, "hm"), BlockStop(0)]
    assert b"hm" not in written(events, asking(effort=Effort(shown=False)))


def test_a_signed_call_comes_back_signed() -> None:
    use = ToolUse("call_a", "f", signature="Z2Vt")
    events: list[Event] = [Start("i", "m"), BlockStart(0, use), ArgumentsDelta(0, "{}"), BlockStop(0), End("tool_use", USAGE)]
    message = accumulated(written(events)).choices[0].message.model_dump(exclude_none=True)
    asked = CHAT.read_request({"messages": [{"role": "user", "content": "x"}, message]}, Entrance("messages"))
    assert asked.messages[1].content == (ToolUse("call_a", "f", "{}", "Z2Vt"),)


def test_citations_are_annotations_of_the_whole_text() -> None:
    events: list[Event] = [
        Start("i", "m"), BlockStart(0, Text("")), TextDelta(0, "one "), BlockStop(0), BlockStart(1, Text("")),
        CitationDelta(1, Citation(url="https://a", title="A")), TextDelta(1, "two"),
        CitationDelta(1, Citation(cited="no address")), BlockStop(1), End("end_turn", USAGE),
    ]  # fmt: skip
    notes = accumulated(written(events)).choices[0].message.annotations
    assert notes and [(one.url_citation.start_index, one.url_citation.end_index, one.url_citation.url) for one in notes] == [
        (4, 7, "https://a")
    ]


def test_a_custom_tool_that_was_called_as_a_function_is_custom_again() -> None:
    asked = asking(tools=(Tool("sh", custom=True),))
    events: list[Event] = [
        Start("i", "m"), BlockStart(0, ToolUse("call_a", "sh")), ArgumentsDelta(0, '{"inp'), ArgumentsDelta(0, 'ut":"ls"}'),
        BlockStop(0), End("tool_use", USAGE),
    ]  # fmt: skip
    deltas = [part for part in written(events, asked).split(b"\n\n") if b"tool_calls" in part and b"custom" in part]
    inputs = [orjson.loads(part[6:])["choices"][0]["delta"]["tool_calls"][0]["custom"]["input"] for part in deltas]
    assert "".join(inputs) == "ls"
    whole = CHAT.write_answer(Answer("i", "m", (ToolUse("call_a", "sh", '{"input":"ls"}'),), "tool_use", USAGE), asked)
    assert whole["choices"][0]["message"]["tool_calls"][0] == {
        "id": "call_a", "type": "custom", "custom": {"name": "sh", "input": "ls"},
    }  # fmt: skip
    ChatCompletion.model_validate(whole, strict=True)


def test_a_client_of_functions_is_answered_with_a_function() -> None:
    asked = asking(foreign={"functions": [{"name": "f"}]})
    events: list[Event] = [
        Start("i", "m"), BlockStart(0, ToolUse("a", "f")), ArgumentsDelta(0, '{"a":1}'), BlockStop(0),
        BlockStart(1, ToolUse("b", "g")), ArgumentsDelta(1, "{}"), BlockStop(1), End("tool_use", USAGE),
    ]  # fmt: skip
    chunks = chunks_of(written(events, asked))
    pieces = [one["choices"][0]["delta"]["function_call"] for one in chunks if one["choices"] and one["choices"][0]["delta"].get(
        "function_call")]  # fmt: skip
    assert pieces[0]["name"] == "f" and "".join(piece.get("arguments", "") for piece in pieces) == '{"a":1}'
    assert chunks[-2]["choices"][0]["finish_reason"] == "function_call"


def test_what_has_no_words_is_left_out_and_images_are_told() -> None:
    events: list[Event] = [
        Start("i", "m"), BlockStart(0, Foreign("anthropic", "server_tool_use", {"type": "server_tool_use"})), BlockStop(0),
        BlockStart(1, Media("image", "image/png", data="AA==")), BlockStop(1), BlockStart(2, Text("")), TextDelta(2, "x"),
        BlockStop(2), End("end_turn", USAGE),
    ]  # fmt: skip
    message = accumulated(written(events)).choices[0].message
    assert message.content == "x" and b"server_tool_use" not in written(events)
    assert (message.model_extra or {})["images"][0]["image_url"]["url"] == "data:image/png;base64,AA=="


@pytest.mark.parametrize("at", range(len(PLAIN)))
def test_a_failure_is_raised_by_the_sdk_wherever_it_stands(at: int) -> None:
    writer = EventWriter(asking())
    stream = writer.write(PLAIN[:at]) + writer.ping() + writer.fail(Failure("overloaded_error", "no room"))
    assert stream.endswith(DONE) and PING in stream
    assert writer.ping() == writer.fail(Failure("x", "y")) == writer.write(PLAIN) == b""
    with pytest.raises(openai.APIError, match="no room"):
        accumulated(stream)


def test_a_lone_surrogate_is_a_question_mark() -> None:
    events = [*PLAIN[:2], TextDelta(0, "a\ud800b"), *PLAIN[-2:]]
    assert accumulated(written(events)).choices[0].message.content == "a?b"


# --- whole answers ----------------------------------------------------------------------------------------------------


def test_a_whole_answer_with_everything() -> None:
    answer = Answer("id1", "upstream", (
        Thinking("why", "c2ln", sealed_by="anthropic"), Text("one "), Text("two", (Citation(url="https://a", title="A"),)),
        ToolUse("call_a", "f", '{"a":1}')), "tool_use", Usage(1, 2, service_tier="standard"), created_s=9)  # fmt: skip
    body = CHAT.write_answer(answer, asking())
    found = ChatCompletion.model_validate(body, strict=True)
    assert (found.model, found.created, found.service_tier) == ("my-model", 9, "default")
    message = found.choices[0].message
    assert message.content == "one two" and message.annotations and message.annotations[0].url_citation.start_index == 4
    assert found.choices[0].finish_reason == "tool_calls"


@settings(max_examples=80)
@given(answers("chat"))
def test_whole_answers_are_what_the_sdk_knows_and_come_back(answer: Answer) -> None:
    body = CHAT.write_answer(answer, asking())
    ChatCompletion.model_validate(body, strict=True)
    again = CHAT.read_answer(body, "openai")
    assert isinstance(again, Answer)
    assert again.usage.output_tokens == answer.usage.output_tokens
    assert [block for block in again.content if isinstance(block, ToolUse)] == [
        ToolUse(block.id, block.name, block.arguments or "{}") for block in answer.content if isinstance(block, ToolUse)
    ]
    text = "".join(block.text for block in answer.content if isinstance(block, Text))
    assert "".join(block.text for block in again.content if isinstance(block, Text)) == text


@settings(max_examples=80)
@given(event_sequences("chat", overlapping=True))
def test_streams_are_what_the_sdk_knows_and_come_back(events: list[Event]) -> None:
    stream = written(events)
    chunks_of(stream)
    reader = EventReader("openai")
    again = gathered(reader.feed(stream))
    blocks, end = said(events)
    assert isinstance(again, Answer) and end is not None
    assert again.stop == ("refusal" if end.stop == "refusal" else again.stop)
    assert [(use.id, use.name, use.arguments) for use in again.content if isinstance(use, ToolUse)] == [
        (use.id, use.name, use.arguments or "{}") for use in blocks if isinstance(use, ToolUse)
    ]
    for kind in (Text, Thinking):
        told = "".join(block.text for block in blocks if isinstance(block, kind))
        assert "".join(block.text for block in again.content if isinstance(block, kind)) == told
