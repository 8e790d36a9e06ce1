"""Ways in which an answer could be had that is billed upstream and not here: each is priced, or refused."""

import asyncio
import json
import os
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gw.config.load import load
from gw.demo.exchange import Chunk, Hangup, Reply, Request, Script
from gw.domain.call import CallRecord
from gw.domain.key import mint
from gw.domain.price import Priced
from gw.reprice import pricer_of
from gw.startup import prepare_state
from gw.worker import Worker
from tests.support.one_worker import Client, OneWorker

CONFIG = """
[server]
state_dir = "state"
[storage]
url = "sqlite:///state/gw.db"
[[upstream]]
name = "open"
provider = "openai"
base_url = "http://127.0.0.1:{port}"
api_key = "sk-open"
models = ["gpt-*"]
[[upstream]]
name = "gem"
provider = "gemini"
base_url = "http://127.0.0.1:{port}"
api_key = "sk-gem"
models = ["gemini-*"]
[[upstream]]
name = "ant"
base_url = "http://127.0.0.1:{port}"
api_key = "sk-ant"
models = ["claude-*"]
[[route]]
model = "gpt-fast"
candidates = [{{ upstream = "open", model = "gpt-4o-mini" }}]
[[key]]
name = "any"
secret = "env:GW_TEST_ANY"
[[key]]
name = "small"
secret = "env:GW_TEST_SMALL"
models = ["gpt-4o-mini", "claude-haiku*", "gemini-2.5-flash-lite"]
"""
HI = [{"role": "user", "content": "hi"}]
IN, OUT = 1000, 500
GPT_5 = IN * 1_250_000 + OUT * 10_000_000
GEMINI = IN * 300_000 + OUT * 2_500_000
CHAT, MESSAGES, RESPONSES = "/openai/v1/chat/completions", "/v1/messages", "/openai/v1/responses"
GENERATE = "/genai/v1beta/models/gemini-2.5-flash:generateContent"
CHAT_USAGE = {"prompt_tokens": IN, "completion_tokens": OUT}
GEMINI_USAGE = {"promptTokenCount": IN, "candidatesTokenCount": OUT}
IMAGE_USAGE = {"input_tokens": 50, "output_tokens": 4000}
IMAGE = 50 * 5_000_000 + 4000 * 40_000_000


class House(OneWorker):
    def __init__(self, folder: Path, script: Script) -> None:
        super().__init__(folder, self._heard)
        self._script = script
        self.heard: list[Request] = []

    def _heard(self, request: Request) -> Reply:
        self.heard.append(request)
        return self._script(request)

    async def ask(
        self, path: str, body: Any = None, *headers: tuple[str, str], method: str = "", key: str = "any", query: bytes = b""
    ) -> list[CallRecord]:
        """The rows of one request; `status` and `said` are what the client got."""
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        client = Client(sent)
        secret = os.environ[f"GW_TEST_{key.upper()}"].encode()
        lines = [(b"x-gw-key", secret), (b"content-length", b"%d" % len(sent))]
        lines += [(name.encode(), value.encode()) for name, value in headers]
        scope = {"type": "http", "path": path, "query_string": query, "headers": lines}
        await self.app(scope | {"method": method or ("GET" if body is None else "POST")}, client.receive, client.send)
        self.status, self.said = client.messages[0]["status"], client.body.decode()
        return self.new_records()


@asynccontextmanager
async def house(folder: Path, script: Script, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    one = House(folder, script)
    for key in ("ANY", "SMALL"):
        monkeypatch.setenv(f"GW_TEST_{key}", mint().text)
    config = folder / "config.toml"
    config.write_text(CONFIG.format(port=await one.upstream.start()))
    one.state_dir.mkdir(mode=0o700)
    prepared = load(config)
    await asyncio.to_thread(prepare_state, prepared, config)
    one.app.worker = Worker(one.state_dir)
    try:
        yield one
    finally:
        await one.close()


def whole(value: Any, kind: str = "application/json") -> Reply:
    return Reply(200, (("content-type", kind),), (Chunk(value if isinstance(value, bytes) else json.dumps(value).encode()),))


def stream(*events: Any, end: Any = None) -> Reply:
    steps = [Chunk(b"data: %b\n\n" % (one if isinstance(one, bytes) else json.dumps(one).encode())) for one in events]
    return Reply(200, (("content-type", "text/event-stream"),), (*steps, *([end] if end else [])))


def completion(usage: Any, text: str = "word " * 60) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return whole({"id": "c", "model": "gpt-5", "choices": [choice], **({} if usage is None else {"usage": usage})})


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": 10**18}, {"x": [1]}])
async def test_an_answer_that_does_not_tell_its_usage_is_estimated_from_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usage: Any
) -> None:
    async with house(tmp_path, lambda request: completion(usage), monkeypatch) as one:
        (row,) = await one.ask(CHAT, {"model": "gpt-5", "messages": [{"role": "user", "content": "x" * 3000}]})
        assert row.usage_source == "estimated" and 1000 <= row.input_tokens < 1100
        assert 100 <= row.output_tokens < 300 and 0 < row.billed_pusd < 10**10


@pytest.mark.parametrize(
    "usage", [{"prompt_tokens": 1e3, "completion_tokens": 5e2}, {"prompt_tokens": "1000", "completion_tokens": "500"}]
)
async def test_counts_may_be_told_as_javascript_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usage: Any) -> None:
    async with house(tmp_path, lambda request: completion(usage), monkeypatch) as one:
        (row,) = await one.ask(CHAT, {"model": "gpt-5", "messages": HI})
        assert (row.usage_source, row.billed_pusd) == ("exact", GPT_5)


async def test_vectors_without_usage_are_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path, lambda request: whole({"embeddings": [{"values": [1.0]}]}), monkeypatch) as one:
        body = {"content": {"parts": [{"text": "x" * 3000}]}}
        (row,) = await one.ask("/genai/v1beta/models/gemini-embedding-001:embedContent", body)
        assert row.usage_source == "estimated" and 1000 <= row.input_tokens < 1100 and row.billed_pusd > 0


async def test_an_answer_that_came_to_nothing_costs_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Google bills the tokens of a call that it could not read; streams say more at their end than at their start."""
    bad = {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}], "usageMetadata": GEMINI_USAGE, "modelVersion": "m"}
    begun = {"candidates": [{"content": {"parts": [{"text": "a"}]}}], "usageMetadata": {"promptTokenCount": IN}}

    def script(request: Request) -> Reply:
        return stream(begun, bad) if "stream" in request.path else whole(bad)

    async with house(tmp_path, script, monkeypatch) as one:
        contents = {"contents": [{"parts": [{"text": "hi"}]}]}
        asked = {"model": "gemini-2.5-flash", "max_tokens": 9, "messages": HI}
        rows = await one.ask(GENERATE, contents)
        rows += await one.ask(MESSAGES, asked)
        rows += await one.ask(MESSAGES, asked | {"stream": True})
        assert "message_delta" in one.said and one.said.rstrip().endswith("}}") and "event: error" in one.said
        assert [(row.outcome, row.usage_source, row.billed_pusd) for row in rows] == [("upstream_error", "exact", GEMINI)] * 3


async def test_a_failure_that_is_the_whole_stream_costs_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"status": "failed", "error": {"message": "x"}, "usage": {"input_tokens": IN, "output_tokens": OUT}}
    async with house(tmp_path, lambda request: stream({"type": "response.failed", "response": failed}), monkeypatch) as one:
        rows = await one.ask(RESPONSES, {"model": "gpt-5", "input": "hi", "stream": True})
        rows += await one.ask(MESSAGES, {"model": "gpt-5", "max_tokens": 9, "messages": HI, "stream": True})
        assert [(row.outcome, row.billed_pusd) for row in rows] == [("upstream_error", GPT_5)] * 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"model": "gpt-4o", "messages": HI, "stream": True}),
        (RESPONSES, {"model": "gpt-4o", "input": "hi", "stream": True}),
        (MESSAGES, {"model": "gpt-4o", "max_tokens": 9, "messages": HI, "stream": True}),
        (GENERATE.replace("generate", "streamGenerate"), {"contents": [{"parts": [{"text": "hi"}]}]}),
    ],
)
@pytest.mark.parametrize("encoding", ["", "br"])
async def test_a_stream_that_nobody_understands_is_estimated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, body: Any, encoding: str
) -> None:
    """It is the provider's errors that are free, not what gw cannot read."""
    kind = ("content-type", "text/event-stream")
    reply = Reply(200, (kind, ("content-encoding", encoding)) if encoding else (kind,), (Chunk(b"data: {nonsense\n\n" * 50),))
    async with house(tmp_path, lambda request: reply, monkeypatch) as one:
        (row,) = await one.ask(path, body, query=b"alt=sse")
        assert (row.error, row.usage_source, row.usage_flags) == ("upstream_garbled", "estimated", "garbled")
        assert row.billed_pusd > 0


async def test_all_choices_of_a_stream_that_breaks_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(at: int) -> dict[str, Any]:
        choice = {"index": at % 8, "delta": {"content": "abc" * 10}, "finish_reason": None}
        return {"id": "c", "model": "gpt-5", "choices": [choice]}

    async with house(tmp_path, lambda request: stream(*map(said, range(80)), end=Hangup()), monkeypatch) as one:
        (row,) = await one.ask(CHAT, {"model": "gpt-5", "messages": HI, "stream": True, "n": 8})
        assert (row.usage_source, row.output_tokens) == ("estimated", 800)


async def test_a_body_costs_no_less_for_being_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path, lambda request: stream(end=Hangup()), monkeypatch) as one:
        body = json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": "x" * 30_000}], "stream": True}).encode()
        rows = await one.ask(CHAT, body)
        rows += await one.ask(CHAT, zlib.compress(body), ("content-encoding", "deflate"))
        assert rows[0].billed_pusd == rows[1].billed_pusd > 0 and rows[1].input_tokens >= 10_000


async def test_a_response_that_is_made_later_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path, lambda request: whole({"id": "r", "status": "queued", "output": []}), monkeypatch) as one:
        (row,) = await one.ask(RESPONSES, {"model": "gpt-5", "input": "hi", "background": True})
        assert (one.status, row.error, one.heard) == (400, "cannot_carry", [])


@pytest.mark.parametrize(
    "body",
    [
        b'{"max_tokens":null,"model":"gpt-5","messages":%b,"\\u006dodel":"gpt-4o-mini"}',
        b'{"model":"gpt-4o-mini","messages":%b,"n":100,"n":1}',
        b'{"model":"gpt-4o-mini","messages":%b,"stream":"true"}',
        b'{"model":"gpt-4o-mini","messages":%b,"stream":1}',
    ],
)
async def test_what_two_readers_would_read_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    async with house(tmp_path, lambda request: completion(CHAT_USAGE), monkeypatch) as one:
        (row,) = await one.ask(CHAT, body % json.dumps(HI).encode(), key="small")
        assert (one.status, row.billed_pusd, one.heard) == (400, 0, [])


async def test_a_route_renames_also_what_the_scanner_does_not_understand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path, lambda request: completion(CHAT_USAGE), monkeypatch) as one:
        (row,) = await one.ask(CHAT, {"model": "gpt-fast", "messages": HI, "max_tokens": None})
        assert one.heard[0].json == {"model": "gpt-4o-mini", "messages": HI, "max_tokens": None}
        assert row.sent_model == "gpt-4o-mini"


async def test_nobody_masks_usage_out_of_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path, lambda request: whole({"candidates": []}), monkeypatch) as one:
        cunning = [("x-goog-fieldmask", "candidates"), ("range", "bytes=0-9"), ("x-http-method-override", "GET")]
        query = b"%66ields=candidates&$fields=candidates&x=1"
        await one.ask(GENERATE, {"contents": [{"parts": [{"text": "hi"}]}]}, *cunning, query=query)
        await one.ask("/openai/v1/files/f/content", None, *cunning)
        assert one.heard[0].target.endswith(":generateContent?x=1")
        assert not any(request.header(name) for request in one.heard for name, _ in cunning)


# --- what passes as it is ---


@pytest.mark.parametrize("streams", [False, True])
async def test_images_are_priced_by_the_model_that_the_request_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streams: bool
) -> None:
    def script(request: Request) -> Reply:
        if streams:
            kind = "image_generation.completed"
            return stream({"type": "image_generation.partial_image"}, {"type": kind, "usage": IMAGE_USAGE})
        return whole({"created": 1, "data": [], "usage": IMAGE_USAGE})

    async with house(tmp_path, script, monkeypatch) as one:
        rows = await one.ask("/openai/v1/images/generations", {"model": "gpt-image-1", "prompt": "x", "stream": streams})
        form = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-image-1\r\n--b--\r\n'
        rows += await one.ask("/openai/v1/images/edits", form, ("content-type", "multipart/form-data; boundary=b"))
        assert [row.billed_pusd for row in rows if row.endpoint == "messages"] == [IMAGE, IMAGE]


def result(at: int) -> dict[str, Any]:
    return {"custom_id": f"c{at}", "response": {"body": {"model": "gpt-5", "usage": CHAT_USAGE}}}


@pytest.mark.parametrize("path", ["content", "%63ontent", "%2563ontent", "Content"])
async def test_a_batchs_results_are_priced_however_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    lines = b"".join(json.dumps(result(at)).encode() + b"\n" for at in range(3))
    async with house(tmp_path, lambda request: whole(lines, "application/octet-stream"), monkeypatch) as one:
        rows = [row for row in await one.ask(f"/openai/v1/files/f/{path}") if row.endpoint == "messages"]
        assert [(row.billed_pusd, row.service_tier) for row in rows] == [(GPT_5 // 2, "batch")] * 3
        priced = pricer_of(load(tmp_path / "config.toml")).price(rows[0])  # whoever prices it again knows that it was a batch's
        assert isinstance(priced, Priced) and priced.billed_pusd == rows[0].billed_pusd


async def test_a_file_of_results_may_be_larger_than_what_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gw.answer.WHOLE_MAX", 2000)
    monkeypatch.setattr("gw.passing_usage.METERED_MAX", 4000)
    lines = b"".join(json.dumps(result(at)).encode() + b"\n" for at in range(99))
    steps = tuple(Chunk(lines[at : at + 700]) for at in range(0, len(lines), 700))
    async with house(tmp_path, lambda request: Reply(200, (("content-type", "text/plain"),), steps), monkeypatch) as one:
        rows = await one.ask("/openai/v1/files/f/content")
        assert sum(row.billed_pusd for row in rows) == 99 * (GPT_5 // 2) and one.said.encode() == lines


async def test_a_batch_of_googles_is_priced_once_wherever_its_results_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"modelVersion": "gemini-2.5-flash", "usageMetadata": GEMINI_USAGE}
    results = [{"response": answer | {"responseId": f"{at}"}} for at in (1, 2)]
    inlined = {"inlinedResponses": {"inlinedResponses": results}}
    batch = {"name": "batches/b", "done": True, "metadata": {"output": inlined}, "response": inlined}
    lines = b"\n".join(json.dumps({"key": f"{at}", **one}).encode() for at, one in enumerate(results))

    def script(request: Request) -> Reply:
        return whole(lines) if "download" in request.path else whole(batch)

    async with house(tmp_path, script, monkeypatch) as one:
        first = [row for row in await one.ask("/genai/v1beta/batches/b") if row.endpoint == "messages"]
        again = [row for row in await one.ask("/genai/v1beta/batches/b") if row.endpoint == "messages"]
        files = [row for row in await one.ask("/genai/download/v1beta/files/f:download") if row.endpoint == "messages"]
        assert [row.billed_pusd for row in (*first, *files)] == [GEMINI // 2] * 4
        assert {row.call_id for row in first} == {row.call_id for row in again}


FORM = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-4o-transcribe\r\n--b--\r\n'
LINE = b'{"custom_id":"1","body":{"model":"gpt-5"}}'
BATCH = FORM.replace(b'"model"', b'"file"; filename="x"').replace(b"gpt-4o-transcribe", LINE)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/openai/v1/images/generations", {"model": "gpt-image-1", "prompt": "x"}),
        ("/openai/v1/images/generations", {"prompt": "x"}),
        ("/openai/v1/images/generations", b'{"model":"gpt-4o-mini","\\u006dodel":"gpt-image-1"}'),
        ("/openai/v1/audio/transcriptions", FORM),
        ("/openai/v1/files", BATCH),
        ("/openai/v1/uploads", {"purpose": "batch", "filename": "x", "bytes": 1}),
        ("/v1/messages/batches", {"requests": [{"custom_id": "c", "params": {"model": "claude-opus-5-5"}}]}),
        ("/genai/v1beta/models/gemini-2.5-pro:batchGenerateContent", {"batch": {}}),
        ("/genai/v1beta/models/imagen-4:predict", {"instances": []}),
    ],
)
async def test_a_key_reaches_no_other_model_through_what_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, body: Any
) -> None:
    async with house(tmp_path, lambda request: whole({}), monkeypatch) as one:
        kind = "multipart/form-data; boundary=b" if isinstance(body, bytes) and body[:1] == b"-" else "application/json"
        (row,) = await one.ask(path, body, ("content-type", kind), key="small")
        assert (one.status, one.heard) == (400, []) and row.outcome == "refused"
        await one.ask(path, body, ("content-type", kind))
        assert len(one.heard) == 1 or "twice" in one.said


ADVISOR = {"type": "advisor_20260301", "name": "a", "model": "claude-opus-5-5"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (MESSAGES, {"model": "claude-haiku-5-5", "fallbacks": [{"model": "claude-opus-5-5"}]}),
        (MESSAGES, {"model": "claude-haiku-5-5", "fallbacks": "default"}),
        (MESSAGES, {"model": "claude-haiku-5-5", "tools": [ADVISOR]}),
        (CHAT, {"model": "gpt-4o-mini", "models": ["gpt-4o-mini", "gpt-5"]}),
        (CHAT, b'{"model":"gpt-4o-mini","m\\u006fdels":["gpt-5"],"messages":[{"role":"user","content":"hi"}]}'),
        (RESPONSES, {"model": "gpt-4o-mini", "input": "x", "tools": [{"type": "image_generation", "model": "gpt-image-1"}]}),
    ],
)
async def test_a_key_reaches_no_other_model_beside_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, body: Any
) -> None:
    async with house(tmp_path, lambda request: whole({}), monkeypatch) as one:
        asked = body if isinstance(body, bytes) else {"max_tokens": 9, "messages": HI} | body
        (row,) = await one.ask(path, asked, key="small")
        assert (one.status, row.error, one.heard) == (400, "model_not_allowed", [])
        await one.ask(path, asked)
        assert len(one.heard) == 1
