"""OpenAI's Chat Completions; DeepSeek's kind of it, which tells its thoughts and wants them back."""

from gw.demo.exchange import Request
from tests.support.fakes.speaker import SSE, WHOLE, Spoken, rates_of, sse, texts_of, times
from tests.support.fakes.words import Heard, Json, Result, Said, Tokens, Trouble, compact, dumped, must, split

KINDS = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"), 500: ("server_error", None), 529: ("service_unavailable_error", None),
}  # fmt: skip
KNOWN = {  # what OpenAI refuses is what it does not know
    "messages", "model", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "metadata", "n",
    "parallel_tool_calls", "presence_penalty", "prompt_cache_key", "reasoning_effort", "response_format", "seed", "service_tier",
    "stop", "store", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_p", "user", "verbosity",
    "safety_identifier",
}  # fmt: skip


class Chat:
    name = "chat"
    path = "/v1/chat/completions"
    tells = False  # its thoughts

    def hear(self, request: Request) -> Heard:
        must(request.path.endswith(self.path), f"the path is {request.path}")
        body = request.json
        must(set(body) <= KNOWN | self.more(), f"fields that are not known: {sorted(set(body) - KNOWN - self.more())}")
        stream = bool(body.get("stream"))
        must(not stream or (body.get("stream_options") or {}).get("include_usage"), "include_usage is missing")
        heard = Heard(body["model"], [], cap=body.get("max_completion_tokens") or body.get("max_tokens") or 0, stream=stream)
        for message in body["messages"]:
            self._read(message, heard)
        for tool in body.get("tools") or []:
            must(tool["type"] == "function", f"a tool is {tool['type']}")
            heard.tools[tool["function"]["name"]] = tool["function"].get("parameters") or {}
        heard.thinks = self.asks_thoughts(body)
        heard.schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
        return heard

    def more(self) -> set[str]:
        return set()

    def asks_thoughts(self, body: Json) -> bool:
        return body.get("reasoning_effort") not in (None, "none")

    def _read(self, message: Json, heard: Heard) -> None:
        role, content = message["role"], message.get("content")
        if role in ("system", "developer"):
            heard.system += "\n".join(texts_of(content))
        elif role == "user":
            heard.texts += texts_of(content)
            parts = content if isinstance(content, list) else []
            heard.images += [data_of(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"]
        elif role == "tool":
            heard.results.append(Result(message["tool_call_id"], " ".join(texts_of(content))))
        else:
            must(role == "assistant", f"a role is {role}")
            heard.turns += 1
            heard.calls += [call["id"] for call in message.get("tool_calls") or []]
            heard.seals += [message["reasoning_content"]] if message.get("reasoning_content") else []

    def seal(self, said: Said, tag: str) -> str:
        return ""

    def usage(self, tokens: Tokens) -> Json:
        prompt = tokens.fresh + tokens.read + tokens.written
        return {
            "prompt_tokens": prompt, "completion_tokens": tokens.output, "total_tokens": prompt + tokens.output,
            "prompt_tokens_details": {"cached_tokens": tokens.read, "cache_write_tokens": tokens.written, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": tokens.thought, "audio_tokens": 0},
        }  # fmt: skip

    def cost(self, model: str, usage: Json) -> int:
        details = usage["prompt_tokens_details"]
        read, written = details["cached_tokens"], details["cache_write_tokens"]
        return times(rates_of(model), usage["prompt_tokens"] - read - written, usage["completion_tokens"], read, written)

    def say(self, heard: Heard, said: Said, tokens: Tokens, tag: str) -> Spoken:
        usage = self.usage(tokens)
        model = f"{heard.model}-2026-09-01"
        base = {"id": f"chatcmpl-{tag}", "created": 1_790_000_000, "model": model, "service_tier": "default"}
        finish = "tool_calls" if said.calls else "stop"
        if heard.stream:
            return Spoken(SSE, [*(sse(one) for one in self._chunks(base, said, tag, finish, usage)), b"data: [DONE]\n\n"])
        message: Json = {"role": "assistant", "content": said.text, "refusal": None, "annotations": []}
        if said.thought and self.tells:
            message["reasoning_content"] = said.thought
        if said.calls:
            message["tool_calls"] = [
                {"id": id_of(tag, at), "type": "function", "function": {"name": call.name, "arguments": compact(call.arguments)}}
                for at, call in enumerate(said.calls)
            ]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return Spoken(WHOLE, [dumped({**base, "object": "chat.completion", "choices": [choice], "usage": usage})])

    def _chunks(self, base: Json, said: Said, tag: str, finish: str, usage: Json) -> list[Json]:
        deltas: list[Json] = [{"role": "assistant", "content": "", "refusal": None}]
        deltas += [{"reasoning_content": piece} for piece in split(said.thought)] if said.thought and self.tells else []
        deltas += [{"content": piece} for piece in split(said.text)]
        for at, call in enumerate(said.calls):
            begun = {"index": at, "id": id_of(tag, at), "type": "function", "function": {"name": call.name, "arguments": ""}}
            deltas.append({"tool_calls": [begun]})
            pieces = split(compact(call.arguments), 4)
            deltas += [{"tool_calls": [{"index": at, "function": {"arguments": piece}}]} for piece in pieces]
        whole = {**base, "object": "chat.completion.chunk"}
        chunks = [{**whole, "choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": None} for delta in deltas]
        if said.fails_at >= 0:
            error = {"message": "The fake stumbled", "type": "server_error", "param": None, "code": "overloaded"}
            return [*chunks[: said.fails_at + 1], {"error": error}]
        chunks.append({**whole, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": None})
        return [*chunks, {**whole, "choices": [], "usage": usage}]

    def trouble(self, trouble: Trouble, message: str) -> Spoken:
        kind, code = KINDS[trouble.status]
        error = {"message": message, "type": kind, "param": None, "code": code}
        return Spoken(WHOLE, [dumped({"error": error})], status=503 if trouble.status == 529 else 0)


class DeepSeek(Chat):
    """Hits and misses of its cache stand beside each other."""

    name = "deepseek"
    tells = True
    path = "/chat/completions"

    def more(self) -> set[str]:
        return {"thinking"}

    def asks_thoughts(self, body: Json) -> bool:
        return (body.get("thinking") or {}).get("type") == "enabled" or super().asks_thoughts(body)

    def seal(self, said: Said, tag: str) -> str:
        return said.thought

    def usage(self, tokens: Tokens) -> Json:
        misses = tokens.fresh + tokens.written
        return {
            "prompt_tokens": misses + tokens.read, "prompt_cache_hit_tokens": tokens.read, "prompt_cache_miss_tokens": misses,
            "completion_tokens": tokens.output, "total_tokens": misses + tokens.read + tokens.output,
            "completion_tokens_details": {"reasoning_tokens": tokens.thought},
        }  # fmt: skip

    def cost(self, model: str, usage: Json) -> int:
        misses, hits = usage["prompt_cache_miss_tokens"], usage["prompt_cache_hit_tokens"]
        return times(rates_of(model), misses, usage["completion_tokens"], hits)


def data_of(url: str) -> str:
    must(url.startswith("data:image/png;base64,"), f"the image is at {url[:40]}")
    return url.partition(",")[2]


def id_of(tag: str, at: int) -> str:
    return f"call_{at}{tag}".replace("/", "_").replace(".", "_")[:40]
