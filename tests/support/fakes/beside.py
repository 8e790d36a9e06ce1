"""What providers have beside conversations: embeddings, counts, files and batches, as far as SDKs ask for them in tests.

Results of batches are the same however often they are read; `RESULTS` of them stand in each.
"""

import base64
import re
import struct
from collections.abc import Callable

from gw.demo.exchange import Chunk, Reply, Request
from tests.support.fakes.anthropic import Anthropic
from tests.support.fakes.chat import Chat
from tests.support.fakes.scenes import MARK
from tests.support.fakes.speaker import RATES, WHOLE
from tests.support.fakes.words import Json, Tokens, compact, dumped, must
from tests.translate.bedrock import faults

COUNT = 4242
RESULTS = 3
BATCH_TOKENS = [Tokens(100 + at, 10 * at, 0, 50 + at) for at in range(RESULTS)]
VECTOR = [0.5, -0.25, 0.125]
TITLE = "batch.jsonl"


def beside(name: str, request: Request) -> Reply | None:
    """None for a conversation. Raises Wrong."""
    path = request.path.removeprefix(f"/{name}")
    for pattern, answer in PATHS.get(name, ()):
        if (found := re.fullmatch(pattern, f"{request.method} {path}")) is not None:
            return answer(request, *found.groups())
    return None


def _json(value: Json, usage: Json | None = None) -> Reply:
    return Reply(200, (("content-type", WHOLE),), (Chunk(dumped(value), 0 if usage else -1),), usage=usage)


# --- embeddings ---


def _charged(dialect: str, model: str, texts: list[str], words: Json) -> Json:
    """For the invoice: a token for each character."""
    tags = [found[2] for text in texts if (found := MARK.search(text)) is not None]
    cost = _tokens(texts) * RATES[model].fresh
    known = {"dialect": dialect, "tag": tags[0], "scene": "embeddings", "whole": True}
    return {"output_tokens": 0, "words": words, "cost_pusd": cost, **known}


def _tokens(texts: list[str]) -> int:
    return sum(map(len, texts))


def _openai_embeddings(request: Request) -> Reply:
    body = request.json
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    packed = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
    vector = packed if body.get("encoding_format") == "base64" else VECTOR
    words = {"prompt_tokens": _tokens(texts), "total_tokens": _tokens(texts)}
    data = [{"object": "embedding", "index": at, "embedding": vector} for at, _ in enumerate(texts)]
    answer = {"object": "list", "data": data, "model": body["model"], "usage": words}
    return _json(answer, _charged("chat", body["model"], texts, words))


def _gemini_embeddings(request: Request, model: str) -> Reply:
    requests = request.json["requests"]
    must(all(one["model"] == f"models/{model}" for one in requests), f"the models are {[one['model'] for one in requests]}")
    texts = [part["text"] for one in requests for part in one["content"]["parts"]]
    words = {"promptTokenCount": _tokens(texts)}
    answer = {"embeddings": [{"values": VECTOR} for _ in requests], "usageMetadata": words}
    return _json(answer, _charged("gemini", model, texts, words))


def _cohere_embeddings(request: Request) -> Reply:
    body = request.json
    must(body["embedding_types"] == ["float"] and body["input_type"], "embedding_types or input_type are missing")
    words = {"billed_units": {"input_tokens": _tokens(body["texts"])}}
    answer = {"id": "e", "embeddings": {"float": [VECTOR for _ in body["texts"]]}, "texts": body["texts"], "meta": words}
    return _json(answer, _charged("cohere", body["model"], body["texts"], words))


# --- counts ---


def _anthropic_count(request: Request) -> Reply:
    must(set(request.json) <= {"model", "messages", "system", "tools", "anthropic_version"}, f"fields are {sorted(request.json)}")
    return _json({"input_tokens": COUNT})


def _gemini_count(request: Request, model: str) -> Reply:
    must(request.json.get("contents") or request.json.get("generateContentRequest"), "contents are missing")
    return _json({"totalTokens": COUNT})


def _responses_count(request: Request) -> Reply:
    known = {"model", "input", "instructions", "tools", "tool_choice", "reasoning", "text", "parallel_tool_calls"}
    must(set(request.json) <= known, f"fields are {sorted(request.json)}")
    return _json({"object": "response.input_tokens", "input_tokens": COUNT})


def _bedrock_count(request: Request) -> Reply:
    found = faults(request.json, "CountTokensRequest")
    must(not found, "; ".join(found))
    must(re.search(r"/model/(anthropic|amazon)\.[^/]+/count-tokens$", request.target), f"no model's id: {request.target}")
    return _json({"inputTokens": COUNT})


# --- files and batches ---


def _openai_file(request: Request) -> Reply:
    must(b"filename=" in request.body and b'"custom_id"' in request.body, "the file did not come")
    file = {"id": "file-in", "object": "file", "bytes": len(request.body), "created_at": 1, "filename": TITLE}
    return _json({**file, "purpose": "batch", "status": "processed"})


def _openai_batch(request: Request, *_: str) -> Reply:
    counts = {"completed": RESULTS, "failed": 0, "total": RESULTS}
    batch = {
        "id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "file-in", "status": "completed",
        "completion_window": "24h", "output_file_id": "file-out", "created_at": 1, "request_counts": counts,
    }  # fmt: skip
    return _json(batch)


def _openai_results(request: Request) -> Reply:
    lines = []
    for at, tokens in enumerate(BATCH_TOKENS):
        choice = {"index": 0, "message": {"role": "assistant", "content": f"Result {at}"}, "finish_reason": "stop"}
        body = {
            "id": f"chatcmpl-b{at}", "object": "chat.completion", "created": 1, "model": "gpt-5.6", "choices": [choice],
            "usage": Chat().usage(tokens),
        }  # fmt: skip
        response = {"status_code": 200, "request_id": f"r{at}", "body": body}
        lines.append(compact({"id": f"batch_req_{at}", "custom_id": f"c{at}", "response": response, "error": None}))
    content = "".join(line + "\n" for line in lines).encode()
    return Reply(200, (("content-type", "application/octet-stream"),), (Chunk(content),))


def _anthropic_batch(request: Request, *_: str) -> Reply:
    counts = {"processing": 0, "succeeded": RESULTS, "errored": 1, "canceled": 0, "expired": 0}
    batch = {
        "id": "msgbatch_1", "type": "message_batch", "processing_status": "ended", "request_counts": counts,
        "ended_at": "2026-11-20T00:00:00Z", "created_at": "2026-11-20T00:00:00Z", "expires_at": "2026-11-21T00:00:00Z",
        "archived_at": None, "cancel_initiated_at": None,
        "results_url": "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results",
    }  # fmt: skip
    return _json(batch)


def _anthropic_results(request: Request) -> Reply:
    error = {"type": "error", "error": {"type": "api_error", "message": "x"}}
    lines: list[Json] = [{"custom_id": "bad", "result": {"type": "errored", "error": error}}]
    for at, tokens in enumerate(BATCH_TOKENS):
        message = {
            "id": f"msg_b{at}", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "stop_reason": "end_turn",
            "stop_sequence": None, "content": [{"type": "text", "text": f"Result {at}"}], "usage": Anthropic().usage(tokens),
        }  # fmt: skip
        lines.append({"custom_id": f"c{at}", "result": {"type": "succeeded", "message": message}})
    content = "".join(compact(line) + "\n" for line in lines).encode()
    return Reply(200, (("content-type", "application/x-jsonl"),), (Chunk(content),))


Answer = Callable[..., Reply]
PATHS: dict[str, tuple[tuple[str, Answer], ...]] = {
    "chat": (
        (r"POST /v1/embeddings", _openai_embeddings),
        (r"POST /v1/files", _openai_file),
        (r"GET /v1/files/file-out/content", _openai_results),
        (r"POST /v1/batches", _openai_batch),
        (r"GET /v1/batches/(batch_1)", _openai_batch),
    ),
    "gemini": (
        (r"POST /v1beta/models/([\w.-]+):batchEmbedContents", _gemini_embeddings),
        (r"POST /v1beta/models/([\w.-]+):countTokens", _gemini_count),
    ),
    "cohere": ((r"POST /v2/embed", _cohere_embeddings),),
    "responses": ((r"POST /v1/responses/input_tokens", _responses_count),),
    "converse": ((r"POST /model/[^/]+/count-tokens", _bedrock_count),),
    "invoke": ((r"POST /model/[^/]+/count-tokens", _bedrock_count),),
    "anthropic": (
        (r"POST /v1/messages/count_tokens", _anthropic_count),
        (r"POST /v1/messages/batches", _anthropic_batch),
        (r"GET /v1/messages/batches/(msgbatch_1)", _anthropic_batch),
        (r"GET /v1/messages/batches/msgbatch_1/results", _anthropic_results),
    ),
    "vertex": ((r"POST /v1/projects/p/.*/publishers/anthropic/models/count-tokens:rawPredict", _anthropic_count),),
}
