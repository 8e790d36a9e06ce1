"""Anthropic's Messages API, and the same behind Vertex AI and Bedrock's InvokeModel."""

import base64
from urllib.parse import unquote

from gw.demo.exchange import Request
from tests.support.fakes import frames
from tests.support.fakes.speaker import SSE, WHOLE, Spoken, rates_of, sealed, sse, texts_of, times
from tests.support.fakes.words import Heard, Json, Result, Said, Tokens, Trouble, compact, dumped, must, split

KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error",
    500: "api_error", 529: "overloaded_error",
}  # fmt: skip
VERSIONS = ("2023-06-01", "2026-10-21")  # Claude Code's and gw's own; the SDK's


class Anthropic:
    name = "anthropic"

    def hear(self, request: Request) -> Heard:
        must(request.path.endswith("/v1/messages"), f"the path is {request.path}")
        must(request.header("anthropic-version") in VERSIONS, "anthropic-version is missing")
        body = request.json
        return _heard(body, body.get("model", ""), bool(body.get("stream")))

    def seal(self, said: Said, tag: str) -> str:
        return sealed("anthropic", tag)

    def usage(self, tokens: Tokens) -> Json:
        return {
            "input_tokens": tokens.fresh,
            "cache_read_input_tokens": tokens.read,
            "cache_creation_input_tokens": tokens.written,
            "cache_creation": {"ephemeral_5m_input_tokens": tokens.written, "ephemeral_1h_input_tokens": 0},
            "output_tokens": tokens.output,
            "service_tier": "standard",
            **({"output_tokens_details": {"thinking_tokens": tokens.thought}} if tokens.thought else {}),
        }

    def cost(self, model: str, usage: Json) -> int:
        read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
        return times(rates_of(model), usage["input_tokens"], usage["output_tokens"], read, written)

    def say(self, heard: Heard, said: Said, tokens: Tokens, tag: str) -> Spoken:
        message = _message(heard, said, self.usage(tokens), self.seal(said, tag), tag)
        if not heard.stream:
            return Spoken(WHOLE, [dumped(message)])
        return Spoken(SSE, [sse(event, event["type"]) for event in _events(message, said)])

    def trouble(self, trouble: Trouble, message: str) -> Spoken:
        return Spoken(WHOLE, [dumped({"type": "error", "error": {"type": KINDS[trouble.status], "message": message}})])


class Vertex(Anthropic):
    """Claude by rawPredict: the model stands in the path."""

    name = "vertex"

    def hear(self, request: Request) -> Heard:
        home, _, rest = request.path.partition("/publishers/anthropic/models/")
        must(home.endswith("/v1/projects/p/locations/europe-west1"), f"the path is {request.path}")
        model, _, verb = rest.partition(":")
        body = request.json
        must("model" not in body, "the model stands in the body")
        must(body.get("anthropic_version") == "vertex-2023-10-16", "anthropic_version is missing")
        stream = verb == "streamRawPredict"
        must(bool(body.get("stream")) == stream, f"stream is {body.get('stream')} for {verb}")
        return _heard(body, model, stream)

    def cost(self, model: str, usage: Json) -> int:
        return super().cost(model, usage) * 11 // 10  # regional


class Invoke(Anthropic):
    """Claude by InvokeModel: the model in the path, the stream in frames."""

    name = "invoke"

    def hear(self, request: Request) -> Heard:
        _, _, rest = request.target.partition("/model/")
        quoted, _, verb = rest.partition("/")
        must(verb in {"invoke", "invoke-with-response-stream"}, f"the path is {request.path}")
        body = request.json
        must(not {"model", "stream"} & set(body), "model or stream stand in the body")
        must(body.get("anthropic_version") == "bedrock-2023-05-31", "anthropic_version is missing")
        return _heard(body, unquote(quoted), verb != "invoke")

    def say(self, heard: Heard, said: Said, tokens: Tokens, tag: str) -> Spoken:
        message = _message(heard, said, self.usage(tokens), self.seal(said, tag), tag)
        if not heard.stream:
            return Spoken(WHOLE, [dumped(message)])
        pieces = []
        for event in _events(message, said):
            if event["type"] == "error":
                pieces.append(frames.exception("modelStreamErrorException", {"message": event["error"]["message"]}))
                break
            if event["type"] == "message_stop":
                event["amazon-bedrock-invocationMetrics"] = {"inputTokenCount": tokens.fresh, "outputTokenCount": tokens.output}
            pieces.append(frames.event("chunk", {"bytes": base64.b64encode(dumped(event)).decode(), "p": "abc"}))
        return Spoken(frames.CONTENT_TYPE, pieces)

    def trouble(self, trouble: Trouble, message: str) -> Spoken:
        return frames.trouble(trouble, message)


def _heard(body: Json, model: str, stream: bool) -> Heard:
    messages = body["messages"]
    heard = Heard(model, [], system="\n".join(texts_of(body.get("system"))), cap=body["max_tokens"], stream=stream)
    for message in messages:
        content = message["content"]
        if message["role"] != "assistant":
            heard.texts += texts_of(content)
        blocks = content if isinstance(content, list) else []
        heard.turns += message["role"] == "assistant"
        heard.calls += [block["id"] for block in blocks if block["type"] == "tool_use"]
        heard.seals += [block["signature"] for block in blocks if block["type"] == "thinking"]
        heard.images += [block["source"]["data"] for block in blocks if block["type"] == "image"]
        results = [block for block in blocks if block["type"] == "tool_result"]
        heard.results += [Result(one["tool_use_id"], " ".join(texts_of(one.get("content")))) for one in results]
    heard.tools = {tool["name"]: tool.get("input_schema", {}) for tool in body.get("tools") or []}
    heard.thinks = (body.get("thinking") or {}).get("type") in {"enabled", "adaptive"}
    format_of = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    heard.schema = format_of.get("schema")
    return heard


def _message(heard: Heard, said: Said, usage: Json, seal: str, tag: str) -> Json:
    content: list[Json] = []
    if said.thought:
        content.append({"type": "thinking", "thinking": said.thought, "signature": seal})
    if said.text:
        content.append({"type": "text", "text": said.text, "citations": None})
    for at, call in enumerate(said.calls):
        content.append({"type": "tool_use", "id": f"toolu_01{at}", "name": call.name, "input": call.arguments})
    return {
        "id": f"msg_{tag}", "type": "message", "role": "assistant", "model": heard.model, "content": content,
        "stop_reason": "tool_use" if said.calls else "end_turn", "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _events(message: Json, said: Said) -> list[Json]:
    usage = message["usage"]
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events: list[Json] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    pieces = 0
    for index, block in enumerate(message["content"]):
        empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}[block["type"]]
        events.append({"type": "content_block_start", "index": index, "content_block": {**block, **empty}})
        for delta in _deltas(block):
            if pieces == said.fails_at:
                return [*events, {"type": "error", "error": {"type": "overloaded_error", "message": "The fake stumbled"}}]
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
            pieces += 1
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    last = {name: value for name, value in usage.items() if name not in ("cache_creation", "service_tier")}
    return [*events, {"type": "message_delta", "delta": delta, "usage": last}, {"type": "message_stop"}]


def _deltas(block: Json) -> list[Json]:
    if block["type"] == "text":
        return [{"type": "text_delta", "text": piece} for piece in split(block["text"])]
    if block["type"] == "thinking":
        thoughts: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in split(block["thinking"])]
        return [*thoughts, {"type": "signature_delta", "signature": block["signature"]}]
    return [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *split(compact(block["input"]), 4))]
