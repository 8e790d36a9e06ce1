"""Cohere's v2 chat."""

from gw.demo.exchange import Request
from tests.support.fakes.chat import data_of
from tests.support.fakes.speaker import SSE, WHOLE, Spoken, rates_of, sse, texts_of, times
from tests.support.fakes.words import Heard, Json, Result, Said, Tokens, Trouble, compact, dumped, must, split

KNOWN = {
    "model", "messages", "stream", "tools", "documents", "citation_options", "response_format", "safety_mode", "max_tokens",
    "stop_sequences", "temperature", "seed", "frequency_penalty", "presence_penalty", "k", "p", "logprobs", "tool_choice",
    "strict_tools", "thinking", "priority",
}  # fmt: skip


class Cohere:
    name = "cohere"

    def hear(self, request: Request) -> Heard:
        must(request.path.endswith("/v2/chat"), f"the path is {request.path}")
        body = request.json
        must(set(body) <= KNOWN, f"fields that are not known: {sorted(set(body) - KNOWN)}")
        heard = Heard(body["model"], [], cap=body.get("max_tokens") or 0, stream=bool(body.get("stream")))
        for message in body["messages"]:
            self._read(message, heard)
        for tool in body.get("tools") or []:
            heard.tools[tool["function"]["name"]] = tool["function"].get("parameters") or {}
        heard.thinks = (body.get("thinking") or {}).get("type") == "enabled"
        heard.schema = (body.get("response_format") or {}).get("schema") or (body.get("response_format") or {}).get("json_schema")
        return heard

    def _read(self, message: Json, heard: Heard) -> None:
        role, content = message["role"], message.get("content")
        if role == "system":
            heard.system += "\n".join(texts_of(content))
        elif role == "user":
            heard.texts += texts_of(content)
            parts = content if isinstance(content, list) else []
            heard.images += [data_of(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"]
        elif role == "tool":
            parts = content if isinstance(content, list) else []
            documents = [part["document"]["data"] for part in parts if part["type"] == "document"]
            texts = [*texts_of(content), *(compact(one) for one in documents)]
            heard.results.append(Result(message["tool_call_id"], " ".join(texts)))
        else:
            must(role == "assistant", f"a role is {role}")
            heard.turns += 1
            heard.calls += [call["id"] for call in message.get("tool_calls") or []]
            parts = content if isinstance(content, list) else []
            heard.seals += [part["thinking"] for part in parts if part["type"] == "thinking"]

    def seal(self, said: Said, tag: str) -> str:
        return said.thought

    def usage(self, tokens: Tokens) -> Json:
        prompt = tokens.fresh + tokens.read + tokens.written  # it has no cache
        return {
            "billed_units": {"input_tokens": prompt, "output_tokens": tokens.output},
            "tokens": {"input_tokens": prompt + 400, "output_tokens": tokens.output + 20},
        }

    def cost(self, model: str, usage: Json) -> int:
        billed = usage["billed_units"]
        return times(rates_of(model), billed["input_tokens"], billed["output_tokens"])

    def say(self, heard: Heard, said: Said, tokens: Tokens, tag: str) -> Spoken:
        usage, finish = self.usage(tokens), "TOOL_CALL" if said.calls else "COMPLETE"
        calls = [
            {"id": f"{one.name}_{at}", "type": "function", "function": {"name": one.name, "arguments": compact(one.arguments)}}
            for at, one in enumerate(said.calls)
        ]
        if heard.stream:
            return Spoken(SSE, [sse(event, event["type"]) for event in _events(said, calls, usage, finish, tag)])
        message: Json = {"role": "assistant"}
        if said.thought:
            message["content"] = [{"type": "thinking", "thinking": said.thought}]
        if calls:
            message |= {"tool_plan": said.text, "tool_calls": calls}
        else:
            message["content"] = [*message.get("content", []), {"type": "text", "text": said.text}]
        return Spoken(WHOLE, [dumped({"id": f"co-{tag}", "finish_reason": finish, "message": message, "usage": usage})])

    def trouble(self, trouble: Trouble, message: str) -> Spoken:
        return Spoken(WHOLE, [dumped({"id": "co", "message": message})], status=503 if trouble.status == 529 else 0)


def _events(said: Said, calls: list[Json], usage: Json, finish: str, tag: str) -> list[Json]:
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    events: list[Json] = [{"type": "message-start", "id": f"co-{tag}", "delta": {"message": start}}]
    index = 0
    if said.thought:
        events += _content(index, "thinking", said.thought)
        index += 1
    if calls:
        events += [{"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}} for piece in split(said.text)]
        for at, call in enumerate(calls):
            empty = {**call, "function": {**call["function"], "arguments": ""}}
            events.append({"type": "tool-call-start", "index": at, "delta": {"message": {"tool_calls": empty}}})
            for piece in split(call["function"]["arguments"], 4):
                delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
                events.append({"type": "tool-call-delta", "index": at, "delta": delta})
            events.append({"type": "tool-call-end", "index": at})
    else:
        events += _content(index, "text", said.text)
    if said.fails_at >= 0:
        ended = {"finish_reason": "ERROR", "error": "The fake stumbled", "usage": None}
        return [*events[: said.fails_at + 2], {"type": "message-end", "id": f"co-{tag}", "delta": ended}]
    return [*events, {"type": "message-end", "id": f"co-{tag}", "delta": {"finish_reason": finish, "usage": usage}}]


def _content(index: int, kind: str, text: str) -> list[Json]:
    begun = {"type": "content-start", "index": index, "delta": {"message": {"content": {"type": kind, kind: ""}}}}
    deltas = [{"message": {"content": {kind: piece}}} for piece in split(text)]
    middle = [{"type": "content-delta", "index": index, "delta": delta} for delta in deltas]
    return [begun, *middle, {"type": "content-end", "index": index}]
