"""OpenAI's Responses."""

from typing import Any

from gw.demo.exchange import Request
from tests.support.fakes.chat import KINDS, data_of, id_of
from tests.support.fakes.speaker import SSE, WHOLE, Spoken, rates_of, sealed, sse, texts_of, times
from tests.support.fakes.words import Heard, Json, Result, Said, Tokens, Trouble, compact, dumped, must, split

KNOWN = {
    "model", "input", "instructions", "include", "max_output_tokens", "metadata", "parallel_tool_calls", "previous_response_id",
    "prompt_cache_key", "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "stream",
    "stream_options", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user", "background",
}  # fmt: skip
TEXTS = ("input_text", "output_text")


class Responses:
    name = "responses"

    def hear(self, request: Request) -> Heard:
        must(request.path.endswith("/v1/responses"), f"the path is {request.path}")
        body = request.json
        must(set(body) <= KNOWN, f"fields that are not known: {sorted(set(body) - KNOWN)}")
        system = body.get("instructions") or ""
        heard = Heard(body["model"], [], system, cap=body.get("max_output_tokens") or 0, stream=bool(body.get("stream")))
        given = body["input"]
        for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
            self._read(item, heard, body)
        for tool in body.get("tools") or []:
            must(tool["type"] == "function", f"a tool is {tool['type']}")
            heard.tools[tool["name"]] = tool["parameters"]
        heard.thinks = (body.get("reasoning") or {}).get("effort") not in (None, "none")
        heard.schema = ((body.get("text") or {}).get("format") or {}).get("schema")
        return heard

    def _read(self, item: Json, heard: Heard, body: Json) -> None:
        kind = item.get("type", "message")
        if kind == "reasoning":
            must("reasoning.encrypted_content" in (body.get("include") or []), "encrypted_content is not asked for")
            heard.seals.append(f"{item['id']}={item.get('encrypted_content')}")
        elif kind == "function_call":
            heard.calls.append(item["call_id"])
        elif kind == "function_call_output":
            heard.results.append(Result(item["call_id"], " ".join(texts_of(item["output"], TEXTS))))
        elif kind == "message":
            texts = texts_of(item["content"], TEXTS)
            if item["role"] == "user":
                heard.texts += texts
                parts = item["content"] if isinstance(item["content"], list) else []
                heard.images += [data_of(part["image_url"]) for part in parts if part["type"] == "input_image"]
            elif item["role"] == "assistant":
                heard.turns += 1
            else:
                heard.system += "\n".join(texts)
        else:
            must(False, f"an item is {kind}")

    def seal(self, said: Said, tag: str) -> str:
        return f"rs_{tag}={sealed(self.name, tag)}"

    def usage(self, tokens: Tokens) -> Json:
        prompt = tokens.fresh + tokens.read + tokens.written
        return {
            "input_tokens": prompt, "output_tokens": tokens.output, "total_tokens": prompt + tokens.output,
            "input_tokens_details": {"cached_tokens": tokens.read, "cache_write_tokens": tokens.written},
            "output_tokens_details": {"reasoning_tokens": tokens.thought},
        }  # fmt: skip

    def cost(self, model: str, usage: Json) -> int:
        details = usage["input_tokens_details"]
        read, written = details["cached_tokens"], details["cache_write_tokens"]
        return times(rates_of(model), usage["input_tokens"] - read - written, usage["output_tokens"], read, written)

    def say(self, heard: Heard, said: Said, tokens: Tokens, tag: str) -> Spoken:
        base = {
            "id": f"resp_{tag}", "object": "response", "created_at": 1_790_000_000, "model": f"{heard.model}-2026-09-01",
            "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True,
            "temperature": 1.0, "top_p": 1.0, "tool_choice": "auto", "tools": [], "service_tier": "default",
        }  # fmt: skip
        items = _items(said, tag, self.seal(said, tag))
        done = {**base, "status": "completed", "output": items, "usage": self.usage(tokens)}
        if not heard.stream:
            return Spoken(WHOLE, [dumped(done)])
        begun = {**base, "status": "in_progress", "output": [], "usage": None}
        events = [{"type": "response.created", "response": begun}, {"type": "response.in_progress", "response": begun}]
        for at, item in enumerate(items):
            events += _item_events(at, item)
        if said.fails_at >= 0:
            error = {"type": "server_error", "code": "server_error", "message": "The fake stumbled", "param": None}
            events = [*events[: said.fails_at + 4], {"type": "error", "error": error}]
        else:
            events.append({"type": "response.completed", "response": done})
        return Spoken(SSE, [sse({**event, "sequence_number": at}, str(event["type"])) for at, event in enumerate(events)])

    def trouble(self, trouble: Trouble, message: str) -> Spoken:
        kind, code = KINDS[trouble.status]
        error = {"message": message, "type": kind, "param": None, "code": code}
        return Spoken(WHOLE, [dumped({"error": error})], status=503 if trouble.status == 529 else 0)


def _items(said: Said, tag: str, seal: str) -> list[Json]:
    items: list[Json] = []
    if said.thought:
        name, _, encrypted = seal.partition("=")
        summary = [{"type": "summary_text", "text": said.thought}]
        items.append({"type": "reasoning", "id": name, "summary": summary, "encrypted_content": encrypted})
    if said.text:
        text = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        items.append({"type": "message", "id": f"msg_{tag}", "role": "assistant", "status": "completed", "content": [text]})
    for at, call in enumerate(said.calls):
        known = {"id": f"fc_{at}{tag}", "call_id": id_of(tag, at), "name": call.name, "arguments": compact(call.arguments)}
        items.append({"type": "function_call", **known, "status": "completed"})
    return items


def _item_events(at: int, item: Json) -> list[Json]:
    where: dict[str, Any] = {"output_index": at, "item_id": item["id"]}
    kind = item["type"]
    if kind == "message":
        empty: Json = {"content": [], "status": "in_progress"}
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        text, inner = item["content"][0]["text"], {**where, "content_index": 0}
        middle = [{"type": "response.content_part.added", **inner, "part": part}]
        middle += [{"type": "response.output_text.delta", **inner, "delta": piece, "logprobs": []} for piece in split(text)]
        middle += [
            {"type": "response.output_text.done", **inner, "text": text, "logprobs": []},
            {"type": "response.content_part.done", **inner, "part": {**part, "text": text}},
        ]
    elif kind == "reasoning":
        empty = {"summary": [], "encrypted_content": None}
        text, inner = item["summary"][0]["text"], {**where, "summary_index": 0}
        part = {"type": "summary_text", "text": ""}
        middle = [{"type": "response.reasoning_summary_part.added", **inner, "part": part}]
        middle += [{"type": "response.reasoning_summary_text.delta", **inner, "delta": piece} for piece in split(text)]
        middle += [
            {"type": "response.reasoning_summary_text.done", **inner, "text": text},
            {"type": "response.reasoning_summary_part.done", **inner, "part": {**part, "text": text}},
        ]
    else:
        empty = {"arguments": "", "status": "in_progress"}
        pieces = split(item["arguments"], 4)
        middle = [{"type": "response.function_call_arguments.delta", **where, "delta": piece} for piece in pieces]
        done = {"arguments": item["arguments"], "name": item["name"]}
        middle.append({"type": "response.function_call_arguments.done", **where, **done})
    added = {"type": "response.output_item.added", "output_index": at, "item": {**item, **empty}}
    return [added, *middle, {"type": "response.output_item.done", "output_index": at, "item": item}]
