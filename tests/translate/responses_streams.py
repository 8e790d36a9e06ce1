"""Streams as the Responses API tells them, made event by event of what an answer holds; and the official SDK."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import openai
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

Json = dict[str, Any]
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

USAGE = {
    "input_tokens": 1000,
    "input_tokens_details": {
        "cached_tokens": 600,
        "cache_write_tokens": 100,
        "cache_write_tokens_details": {"ttl_30m_tokens": 70, "ttl_12h_tokens": 30},
    },
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 1050,
}
CITED = {"type": "url_citation", "url": "https://example.com/a", "title": "A", "start_index": 4, "end_index": 9}
SEARCH = {
    "id": "ws_1", "type": "web_search_call", "status": "completed",
    "action": {"type": "search", "query": "weather", "queries": ["weather"]},
}  # fmt: skip
THOUGHT = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "**First**\n\nlook"}, {"type": "summary_text", "text": "**Then** act"}],
    "encrypted_content": "gAAAAAB+/=",
}
MESSAGE = {
    "id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
    "content": [{"type": "output_text", "text": "It \"is\" süß \\ 🌦", "annotations": [CITED], "logprobs": []}],
}  # fmt: skip
CALL = {
    "id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "weather",
    "arguments": '{"city":"Paris \\"x\\""}',
}  # fmt: skip
CUSTOM = {
    "id": "ctc_1", "type": "custom_tool_call", "status": "completed", "call_id": "call_2", "name": "patch", "input": "*** Begin",
}  # fmt: skip
REFUSED = {
    "id": "msg_2", "type": "message", "status": "completed", "role": "assistant",
    "content": [{"type": "refusal", "refusal": "I cannot."}],
}  # fmt: skip
ALL = [THOUGHT, SEARCH, MESSAGE, CALL, CUSTOM]


def response(output: list[Json], **more: Any) -> Json:
    """A whole response; `more` takes the place of what it would have."""
    found = {
        "id": "resp_1", "object": "response", "created_at": 1_790_000_000, "status": "completed", "error": None,
        "incomplete_details": None, "instructions": None, "metadata": {}, "model": "gpt-5.2-2026-01-01", "output": output,
        "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "service_tier": "priority", "usage": USAGE,
    }  # fmt: skip
    return found | more


def events(output: list[Json], *, last: str = "response.completed", size: int = 3, **more: Any) -> list[Json]:
    """Every event of a response with these items; texts in pieces of `size`."""
    begun = response([], status="in_progress", usage=None)
    found: list[Json] = [{"type": "response.created", "response": begun}, {"type": "response.in_progress", "response": begun}]
    for at, item in enumerate(output):
        found += _item(at, item, size)
    found.append({"type": last, "response": response(output, **more)})
    return [event | {"sequence_number": number} for number, event in enumerate(found)]


def _item(at: int, item: Json, size: int) -> list[Json]:
    place = {"output_index": at, "item_id": item["id"]}
    match item["type"]:
        case "message":
            inner = _each(_part, place, "content_index", item["content"], size)
            empty = item | {"content": [], "status": "in_progress"}
        case "reasoning":
            inner = _each(_summary, place, "summary_index", item["summary"], size)
            empty = item | {"summary": [], "encrypted_content": "not yet"}
        case "function_call" | "custom_tool_call" as kind:
            name = "arguments" if kind == "function_call" else "input"
            word = f"{kind}_{name}"
            inner = _pieces(place, f"response.{word}.delta", item[name], size)
            inner.append({"type": f"response.{word}.done", name: item[name], **place})
            empty = item | {name: "", "status": "in_progress"}
        case kind:
            inner = [{"type": f"response.{kind}.{step}", **place} for step in ("in_progress", "searching", "completed")]
            empty = item | {"status": "in_progress"}
    head = {"type": "response.output_item.added", "output_index": at, "item": empty}
    return [head, *inner, {"type": "response.output_item.done", "output_index": at, "item": item}]


def _each(told: Callable[[Json, Json, int], list[Json]], place: Json, name: str, parts: list[Json], size: int) -> list[Json]:
    return [event for at, part in enumerate(parts) for event in told({**place, name: at}, part, size)]


def _part(place: Json, part: Json, size: int) -> list[Json]:
    word = "output_text" if part["type"] == "output_text" else "refusal"
    name = "text" if word == "output_text" else "refusal"
    more: Json = {"logprobs": []} if word == "output_text" else {}
    found: list[Json] = [{"type": "response.content_part.added", "part": part | {name: "", "annotations": []}, **place}]
    found += _pieces(place | more, f"response.{word}.delta", part[name], size)
    for number, one in enumerate(part.get("annotations", [])):
        found.append({"type": "response.output_text.annotation.added", "annotation": one, "annotation_index": number, **place})
    found.append({"type": f"response.{word}.done", name: part[name], **place, **more})
    return [*found, {"type": "response.content_part.done", "part": part, **place}]


def _summary(place: Json, part: Json, size: int) -> list[Json]:
    found: list[Json] = [{"type": "response.reasoning_summary_part.added", "part": part | {"text": ""}, **place}]
    found += _pieces(place, "response.reasoning_summary_text.delta", part["text"], size)
    found.append({"type": "response.reasoning_summary_text.done", "text": part["text"], **place})
    return [*found, {"type": "response.reasoning_summary_part.done", "part": part, **place}]


def _pieces(place: Json, kind: str, text: str, size: int) -> list[Json]:
    return [{"type": kind, "delta": text[at : at + size], **place} for at in range(0, len(text), size)]


def stream(found: list[Json], end: str = "\n") -> bytes:
    """As bytes, a line of type and one of data each."""
    text = "".join(f"event: {event['type']}{end}data: {json.dumps(event)}{end}{end}" for event in found)
    return text.encode()


def parsed(data: bytes) -> list[Json]:
    """The events of a stream that gw has written: each has an `event:` line that says its type."""
    found = []
    for block in data.decode().split("\n\n"):
        if block and not block.startswith(":"):
            head, line = block.split("\n")
            event = json.loads(line.removeprefix("data: "))
            assert head == f"event: {event['type']}"
            found.append(event)
    return found


def valid(found: list[Json]) -> None:
    """Each is what the SDK's types say, and they are numbered without gaps. The code of a failure may be Codex's own word."""
    for number, event in enumerate(found):
        assert event["sequence_number"] == number
        if event["type"] == "response.failed":
            event = event | {"response": event["response"] | {"error": None}}
        EVENT.validate_python(event)


def client(status: int, content_type: str, body: bytes) -> openai.OpenAI:
    """The SDK, in front of one answer."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == "/v1/responses"
        return httpx2.Response(status, headers={"content-type": content_type}, content=body)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(api_key="k", base_url="http://gw.test/v1", http_client=http, max_retries=0)
