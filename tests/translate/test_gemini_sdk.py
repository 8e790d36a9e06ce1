"""google-genai's own client against what gw writes for it."""

import asyncio
import base64
from typing import Any

import httpx
import orjson
import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from gw.translate.dialect import Entrance
from gw.translate.form import (
    Answer,
    ArgumentsDelta,
    BlockStart,
    BlockStop,
    Effort,
    End,
    Event,
    Failure,
    Media,
    Request,
    SignatureDelta,
    Start,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from gw.translate.gemini import GEMINI_DIALECT
from gw.translate.gemini_events import EventWriter
from tests.translate import strategies
from tests.translate.test_gemini_events import USAGE, asked


class Upstream:
    """Answers as gw would: reads the SDK's request and writes the events of a script, one for each request."""

    def __init__(self, *scripts: list[Event]) -> None:
        self.scripts = list(scripts)
        self.requests: list[Request] = []
        self.paths: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        stream = "stream" in request.url.path
        entrance = Entrance("generateContent", "gemini-mine", stream, request.url.params.get("alt", ""))
        read = GEMINI_DIALECT.read_request(orjson.loads(request.content), entrance)
        self.requests.append(read)
        events = self.scripts.pop(0)
        if isinstance(events[0], Failure):
            return httpx.Response(events[0].status, json=GEMINI_DIALECT.write_error(events[0], "gw_1"))
        writer = GEMINI_DIALECT.event_writer(read)
        if stream:
            pings = b"".join(writer.ping() + writer.write([event]) for event in events)
            return httpx.Response(200, content=pings, headers={"content-type": "text/event-stream"})
        blocks, end = strategies.said(events)
        assert end is not None
        answer = Answer("i", "claude", tuple(blocks), end.stop, end.usage)
        return httpx.Response(200, json=GEMINI_DIALECT.write_answer(answer, read))

    def client(self) -> genai.Client:
        options = types.HttpOptions(
            base_url="http://gw.invalid",
            httpx_client=httpx.Client(transport=httpx.MockTransport(self)),
            httpx_async_client=httpx.AsyncClient(transport=httpx.MockTransport(self)),
        )
        return genai.Client(api_key="k", http_options=options)


def saying(*blocks: Any, stop: Any = "end_turn") -> list[Event]:
    events: list[Event] = [Start("i", "claude")]
    for index, block in enumerate(blocks):
        if isinstance(block, Text):
            events += [BlockStart(index, Text("")), *[TextDelta(index, piece) for piece in block.text.split("|")]]
        elif isinstance(block, Thinking):
            events += [
                BlockStart(index, Thinking(sealed_by=block.sealed_by)),
                ThinkingDelta(index, block.text),
                SignatureDelta(index, block.signature),
            ]
        else:
            events += [BlockStart(index, ToolUse(block.id, block.name)), ArgumentsDelta(index, block.arguments)]
        events.append(BlockStop(index))
    return [*events, End(stop, USAGE)]


def test_the_sdk_streams_text_thoughts_and_usage_through_pings() -> None:
    upstream = Upstream(saying(Thinking("hm", "c2ln", sealed_by="anthropic"), Text("Hel|lo")))
    config = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=512),
        system_instruction="Be.",
        stop_sequences=["X"],
        safety_settings=[
            types.SafetySetting(
                category=types.HarmCategory.HARM_CATEGORY_HARASSMENT, threshold=types.HarmBlockThreshold.OFF
            )
        ],
    )
    found = list(upstream.client().models.generate_content_stream(model="gemini-mine", contents="hi", config=config))
    assert "".join(one.text or "" for one in found) == "Hello"
    thoughts = [part.text for one in found for part in one.parts or [] if part.thought and part.text]
    assert thoughts == ["hm"] and found[-1].model_version == "gemini-mine"
    usage = found[-1].usage_metadata
    assert usage is not None and (usage.prompt_token_count, usage.total_token_count, usage.thoughts_token_count) == (15, 22, 3)
    (request,) = upstream.requests
    assert request.effort == Effort("on", budget=512) and request.system == (Text("Be."),) and request.stop == ("X",)
    assert "safetySettings" in request.foreign and request.alt == "sse"


def test_a_chat_of_the_sdk_keeps_tools_ids_and_seals_over_its_turns() -> None:
    call = ToolUse("toolu_1", "add", '{"a":2,"b":3}')
    first = saying(Thinking("hm", "c2ln", sealed_by="anthropic"), Text("Let me| see."), call, stop="tool_use")
    upstream = Upstream(first, saying(Text("5")), saying(Text("bye")))

    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    chat = upstream.client().chats.create(model="gemini-mine", config=types.GenerateContentConfig(tools=[add]))
    said = "".join(one.text or "" for one in chat.send_message_stream("2+3?"))
    assert said.endswith("5") and len(upstream.requests) == 2
    messages = upstream.requests[1].messages
    assert [message.role for message in messages] == ["user", "assistant", "user"]
    thought, text, use = messages[1].content
    assert isinstance(thought, Thinking) and (thought.signature, thought.sealed_by) == ("c2ln", "anthropic")
    assert isinstance(text, Text) and text.text == "Let me see."
    assert isinstance(use, ToolUse) and (use.id, orjson.loads(use.arguments)) == ("toolu_1", {"a": 2, "b": 3})
    (result,) = messages[2].content
    assert result.tool_use_id == "toolu_1" and result.content == (Text("5"),)  # type: ignore[union-attr]
    schema = upstream.requests[0].tools[0].schema
    assert schema["type"] == "object" and schema["properties"]["a"] == {"type": "integer"}
    chat.send_message("ok")
    assert [message.role for message in upstream.requests[2].messages][-2:] == ["assistant", "user"]


class Recipe(BaseModel):
    name: str
    steps: list[str]


def test_structured_output_of_the_sdk_is_asked_for_and_parsed() -> None:
    upstream = Upstream(saying(Text('{"name":"tea","steps":["boil"]}')))
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Recipe)
    found = upstream.client().models.generate_content(model="gemini-mine", contents="hi", config=config)
    assert found.parsed == Recipe(name="tea", steps=["boil"])
    (request,) = upstream.requests
    assert request.format is not None
    steps = request.format.schema["properties"]["steps"]
    assert steps["type"] == "array" and steps["items"] == {"type": "string"}


def test_images_of_the_sdk_are_read() -> None:
    upstream = Upstream(saying(Text("a cat")))
    image = types.Part.from_bytes(data=base64.b64decode(strategies.PNG), mime_type="image/png")
    upstream.client().models.generate_content(model="gemini-mine", contents=[image, "what?"])
    assert upstream.requests[0].messages[0].content == (Media("image", "image/png", strategies.PNG), Text("what?"))


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        (Failure("invalid_request_error", "no", 400), errors.ClientError, 400),
        (Failure("api_error", "no", 500), errors.ServerError, 500),
    ],
)
def test_the_sdk_raises_its_own_errors(failure: Failure, kind: type[errors.APIError], code: int) -> None:
    for script in ([failure], [*saying(Text("a"))[:3], failure]):
        upstream = Upstream(script)
        options = types.HttpOptions(retry_options=types.HttpRetryOptions(attempts=1))
        with pytest.raises(kind) as raised:
            list(
                upstream.client().models.generate_content_stream(
                    model="gemini-mine", contents="hi", config=types.GenerateContentConfig(http_options=options)
                )
            )
        assert raised.value.code == code and raised.value.message == "no"


def test_the_asynchronous_client_reads_the_same() -> None:
    upstream = Upstream(saying(Text("Hel|lo")))

    async def said() -> str:
        stream = await upstream.client().aio.models.generate_content_stream(model="gemini-mine", contents="hi")
        return "".join([one.text or "" async for one in stream])

    assert asyncio.run(said()) == "Hello"


@pytest.mark.parametrize("filler", [b": ping\n\n", b"\r\n"])
def test_why_a_ping_is_an_empty_text(filler: bytes) -> None:
    """A comment breaks google-genai; a blank line does not, but other clients."""
    stream = EventWriter(asked()).write(saying(Text("a")))
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=filler + stream))) as inner:
        client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url="http://gw.invalid", httpx_client=inner))
        answers = client.models.generate_content_stream(model="m", contents="hi")
        if filler.startswith(b":"):
            with pytest.raises(errors.UnknownApiResponseError):
                list(answers)
        else:
            assert "".join(one.text or "" for one in answers) == "a"
