"""Sound, pictures and file searches in answers that pass and in answers that are translated: the row has their price."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from gw.demo.exchange import Chunk, Reply, Request
from tests.flow.landscape import landscape, upstreams

PLACES = upstreams("gpt", "google")
AUDIO = {
    "prompt_tokens": 1000, "completion_tokens": 300, "total_tokens": 1300,
    "prompt_tokens_details": {"audio_tokens": 600}, "completion_tokens_details": {"audio_tokens": 200},
}  # fmt: skip
AUDIO_PUSD = 400 * 2_500_000 + 600 * 32_000_000 + 100 * 10_000_000 + 200 * 64_000_000
HEARD = {
    "promptTokenCount": 1000, "candidatesTokenCount": 50, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 800}],
}  # fmt: skip
HEARD_PUSD = 200 * 300_000 + 800 * 1_000_000 + 50 * 2_500_000
MESSAGES = [{"role": "user", "content": "Say it."}]


def whole(value: Any) -> Reply:
    return Reply(200, (("content-type", "application/json"),), (Chunk(orjson.dumps(value)),))


def events(*values: Any) -> Reply:
    steps = tuple(Chunk(b"data: " + (one if isinstance(one, bytes) else orjson.dumps(one)) + b"\n\n") for one in values)
    return Reply(200, (("content-type", "text/event-stream"),), steps, "chunked")


def gpt(request: Request) -> Reply:
    base = {"id": "c", "created": 1, "model": "gpt-audio"}
    if request.path.endswith("/responses"):
        search = {"type": "file_search_call", "id": "f", "status": "completed", "queries": ["x"], "results": None}
        usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
        response = {
            "id": "r", "object": "response", "created_at": 1, "model": "gpt-5.6", "status": "completed", "output": [search],
            "usage": usage,
        }  # fmt: skip
        if request.json.get("stream"):
            done = {"type": "response.output_item.done", "output_index": 0, "item": search, "sequence_number": 1}
            created = {"type": "response.created", "response": response | {"status": "in_progress", "output": [], "usage": None}}
            return events(created, done, {"type": "response.completed", "response": response})
        return whole(response)
    if request.json.get("stream"):
        chunk = {**base, "object": "chat.completion.chunk"}
        said = {"index": 0, "delta": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
        return events({**chunk, "choices": [said]}, {**chunk, "choices": [], "usage": AUDIO}, b"[DONE]")
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    return whole({**base, "object": "chat.completion", "choices": [choice], "usage": AUDIO})


def google(request: Request) -> Reply:
    said = {"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP", "index": 0}
    answer = {"candidates": [said], "usageMetadata": HEARD, "modelVersion": "gemini-2.5-flash", "responseId": "g"}
    return events(answer) if "stream" in request.path else whole(answer)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "body", "pusd"),
    [
        ("/openai/v1/chat/completions", {"model": "gpt/gpt-audio", "messages": MESSAGES}, AUDIO_PUSD),
        ("/openai/v1/chat/completions", {"model": "google/gemini-2.5-flash", "messages": MESSAGES}, HEARD_PUSD),
        ("/openai/v1/responses", {"model": "google/gemini-2.5-flash", "input": "Say it."}, HEARD_PUSD),
        ("/openai/v1/responses", {"model": "gpt/gpt-5.6", "input": "Say it."}, 2_500_000_000 + 100 * 4_000_000 + 10 * 20_000_000),
    ],
)
async def test_each_class_reaches_the_row(tmp_path: Path, path: str, body: dict[str, Any], pusd: int, *, stream: bool) -> None:
    async with landscape(tmp_path, PLACES, gpt=gpt, google=google) as house:
        answered = await house.send({**body, "stream": stream}, key="ada", path=path)
        assert answered.status == 200, answered.body
        row = answered.row
        assert (row.billed_pusd, row.usage_source, row.usage_flags) == (pusd, "exact", ""), row


@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent?alt=sse"])
async def test_sound_that_passes_to_gemini_reaches_the_row(tmp_path: Path, verb: str) -> None:
    async with landscape(tmp_path, PLACES, google=google) as house:
        body = {"contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}]}]}
        answered = await house.send(body, key="ada", path=f"/genai/v1beta/models/google/gemini-2.5-flash:{verb}")
        assert answered.status == 200, answered.body
        assert (answered.row.billed_pusd, answered.row.usage_flags) == (HEARD_PUSD, "")
