"""OpenAI's old text completions over any upstream."""

import httpx2
import openai
import pytest
from openai.types import Completion

from gw._fast import Tap
from gw.domain.usage import Usage
from gw.errors import Refusal
from gw.translate.chat_reader import gathered
from gw.translate.chat_usage import ChatMeter
from gw.translate.completions import COMPLETIONS, CompletionReader, EventWriter, read_request, usage_of, write_answer
from gw.translate.dialect import Entrance, Quirks
from gw.translate.form import (
    Answer,
    BlockStart,
    BlockStop,
    End,
    Failure,
    Message,
    Request,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
)

HERE = Entrance("completions")
EVENTS = [
    Start("c1", "up", created_s=5), BlockStart(0, Thinking()), ThinkingDelta(0, "hm"), BlockStop(0), BlockStart(1, Text("")),
    TextDelta(1, "a "), TextDelta(1, "b"), BlockStop(1), End("max_tokens", Usage(3, 4)),
]  # fmt: skip


def streamed(stream: bytes) -> list[Completion]:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = openai.OpenAI(api_key="k", base_url="http://gw.test/v1", max_retries=0, http_client=http)
    return list(client.completions.create(model="m", prompt="x", stream=True))


def test_a_prompt_is_one_message_of_the_user() -> None:
    asked = read_request({"model": "m", "prompt": ["go on"], "max_tokens": 9, "stop": ["\n"], "best_of": 2, "stream": True}, HERE)
    assert asked.messages == (Message("user", (Text("go on"),)),)
    assert (asked.max_tokens, asked.stop, asked.stream, asked.usage_wanted, asked.lost) == (9, ("\n",), True, False, ["best_of"])


@pytest.mark.parametrize("body", [{"prompt": "x", "suffix": "y"}, {"prompt": "x", "echo": True}, {"prompt": ["a", "b"]}])
def test_what_no_conversation_can_answer_is_for_an_upstream_that_has_completions(body: dict[str, object]) -> None:
    assert read_request(body, HERE).held.startswith(tuple(body))
    assert not read_request({"prompt": "x"}, HERE).held


def test_a_whole_answer() -> None:
    answer = Answer("c1", "up", (Thinking("hm"), Text("a "), Text("b")), "tool_use", Usage(3, 4), created_s=5)
    found = Completion.model_validate(write_answer(answer, Request("chat", model_named="m")), strict=True)
    assert (found.model, found.choices[0].text, found.choices[0].finish_reason) == ("m", "a b", "stop")
    assert found.usage and found.usage.total_tokens == 7


def test_a_stream() -> None:
    chunks = streamed(EventWriter(Request("chat", model_named="m")).write(EVENTS))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == "a b"
    assert chunks[-2].choices[0].finish_reason == "length" and chunks[-1].usage and chunks[-1].usage.completion_tokens == 4
    with pytest.raises(openai.APIError, match="no room"):
        writer = EventWriter(Request("chat"))
        streamed(writer.write(EVENTS[:-1]) + writer.fail(Failure("overloaded_error", "no room")))


def test_an_upstreams_own_stream_and_answer_are_read() -> None:
    whole = write_answer(Answer("c1", "up", (Text("a b"),), "max_tokens", Usage(3, 4), created_s=5), Request("chat"))
    stream = EventWriter(Request("chat")).write(EVENTS)
    for size in (1, 50, 10_000):
        reader = COMPLETIONS.event_reader("openai")
        events = [event for at in range(0, len(stream), size) for event in reader.feed(stream[at : at + size])]
        assert gathered(events + reader.close()) == COMPLETIONS.read_answer(whole, "openai")
    tap, meter = Tap(), ChatMeter("openai", CompletionReader("openai"))
    tap.feed(meter.feed(stream))
    assert (tap.found().input_tokens, tap.found().output_tokens, tap.text_bytes) == (3, 4, 3)
    with pytest.raises(Refusal):
        COMPLETIONS.write_request(Request("chat", "m"), Quirks())


def test_usage_of_an_upstream_that_still_has_them() -> None:
    usage, charge = usage_of("openrouter", {"usage": {"prompt_tokens": 5, "completion_tokens": 6, "cost": 0.001}})
    assert (usage, charge) == (Usage(5, 6), 10**9)
