"""Anthropic's own types and its SDK's reading of streams, against what gw writes."""

from typing import Any

import anthropic
import httpx2
import orjson
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from hypothesis import given, settings
from pydantic import TypeAdapter

from gw.translate.anthropic_answer import write_answer
from gw.translate.anthropic_ask import write_request
from gw.translate.anthropic_events import EventWriter
from gw.translate.dialect import Quirks
from gw.translate.form import Answer, Event, Request, Text, Thinking, ToolUse
from tests.translate.strategies import answers, event_sequences, requests, said

PARAMS: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsNonStreaming)
EVENTS: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
ASK: dict[str, Any] = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


@settings(deadline=None)
@given(event_sequences("responses", overlapping=True))
def test_every_event_is_of_the_sdks_types(events: list[Event]) -> None:
    for event in EventWriter().write(events).split(b"\n\n")[:-1]:
        name, data = event.split(b"\n")
        if name != b"event: ping":
            EVENTS.validate_json(data.removeprefix(b"data: "))


@settings(deadline=None)
@given(answers("responses"))
def test_every_answer_is_of_the_sdks_types(answer: Answer) -> None:
    Message.model_validate(write_answer(answer))


def client(body: bytes, content_type: str) -> anthropic.Anthropic:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers={"content-type": content_type}, content=body))
    return anthropic.Anthropic(api_key="k", base_url="http://gw", http_client=httpx2.Client(transport=transport))


@settings(deadline=None, max_examples=40)
@given(event_sequences("responses", overlapping=True))
def test_the_sdk_makes_of_a_stream_what_was_said(events: list[Event]) -> None:
    sdk = client(EventWriter("claude-opus-5-5").write(events), "text/event-stream")
    with sdk, sdk.messages.stream(**ASK) as stream:
        message = stream.get_final_message()
    blocks, end = said(events)
    assert end is not None
    assert (message.stop_reason, message.model) == (end.stop, "claude-opus-5-5")
    assert message.usage.output_tokens == end.usage.output_tokens
    assert [_shown(block) for block in blocks] == [_read(block) for block in message.content]


def _shown(block: object) -> object:
    match block:
        case Text():
            return block.text
        case Thinking():
            return "thinking", block.text
        case ToolUse():
            return block.id, block.name, orjson.loads(block.arguments or "{}")


def _read(block: Any) -> object:
    match block.type:
        case "text":
            return block.text
        case "thinking":
            return "thinking", block.thinking
        case "tool_use":
            return block.id, block.name, block.input


@settings(deadline=None, max_examples=60)
@given(requests("chat", thinking=False))
def test_every_request_is_of_the_sdks_types(request: Request) -> None:
    body = write_request(request, Quirks())
    body.pop("stream", None)
    PARAMS.validate_python(body)
