"""Every published or invoiced example, served by an upstream of its provider to a client of each dialect, whole and as a stream:
the row costs what the example says, to the pico-dollar. And every recorded stream, likewise: the row has its usage."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gw.config.load import load
from gw.demo.exchange import Chunk, Reply
from gw.domain.call import CallRecord
from gw.domain.key import mint
from gw.providers.usage_dialects import usage_from
from gw.startup import prepare_state
from gw.worker import Worker
from tests.support.fakes.frames import CONTENT_TYPE, event
from tests.support.one_worker import Client, OneWorker

HERE = Path(__file__).parents[1]
CASES = json.loads((HERE / "pricing" / "cost_cases.json").read_text())
STREAMS = json.loads((HERE / "golden" / "manifest.json").read_text())
CLIENTS = ("anthropic", "chat", "responses", "gemini", "converse")
OF_BATCHES = {"sonnet5_batch"}  # tests/flow/test_unmetered.py
UPSTREAM = """
[[upstream]]
name = "{provider}"
provider = "{kind}"
base_url = "http://127.0.0.1:{port}/{provider}"
api_key = "sk-{provider}"
{more}
"""
MORE = {
    "qwencloud": 'dialect = "anthropic"',
    "vertex": 'region = "us-east5"\nproject = "p"',
    "bedrock": 'region = "us-east-1"\napi = "converse"',
    "openai": 'api = "chat"',
    "xai": 'api = "chat"',
    "codex": 'api = "responses"',
}
DIALECTS = {"bedrock": "converse", "gemini": "gemini", "openai": "chat", "deepseek": "chat", "xai": "chat"}
HI = [{"role": "user", "content": "hi"}]
PARTS = {"role": "user", "parts": [{"text": "hi"}]}
Json = dict[str, Any]


class Asked(NamedTuple):
    path: str
    body: Json


def asked(client: str, model: str, stream: bool) -> Asked:
    match client:
        case "anthropic":
            return Asked("/v1/messages", {"model": model, "max_tokens": 64, "messages": HI, "stream": stream})
        case "chat":
            return Asked("/openai/v1/chat/completions", {"model": model, "messages": HI, "stream": stream})
        case "responses":
            return Asked("/openai/v1/responses", {"model": model, "input": "hi", "stream": stream})
        case "gemini":
            verb = "streamGenerateContent" if stream else "generateContent"
            return Asked(f"/genai/v1beta/models/{model}:{verb}", {"contents": [PARTS]})
        case _:
            message = {"role": "user", "content": [{"text": "hi"}]}
            return Asked(f"/bedrock/model/{model}/converse{'-stream' if stream else ''}", {"messages": [message]})


def answered(case: Json, *, stream: bool) -> Reply:
    """As the provider says it, with the usage of the example."""
    flags, usage = case["flags"], case["usage"]
    dialect = DIALECTS.get(case["provider"], "anthropic")
    if dialect == "converse":
        if stream:
            events = [event("messageStart", {"role": "assistant"}), event("messageStop", {"stopReason": "end_turn"})]
            return _reply([*events, event("metadata", {"usage": usage, "metrics": {"latencyMs": 1}})], CONTENT_TYPE)
        output = {"message": {"role": "assistant", "content": [{"text": "Hello."}]}}
        return _reply([_dumped({"output": output, "stopReason": "end_turn", "usage": usage})])
    if dialect == "gemini":
        candidate = {"content": {"role": "model", "parts": [{"text": "Hello."}]}, "finishReason": "STOP"}
        body = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": case["model"]}
        return _events([body]) if stream else _reply([_dumped(body)])
    if dialect == "chat":
        tier = {"service_tier": tier} if (tier := flags.get("response_service_tier")) else {}
        head = {"id": "c", "created": 1, "model": case["model"], **tier}
        said = {"role": "assistant", "content": "Hello."}
        if stream:
            choice = {"index": 0, "delta": said, "finish_reason": "stop"}
            return _events([{**head, "choices": [choice]}, {**head, "choices": [], "usage": usage}], b"[DONE]")
        return _reply([_dumped({**head, "choices": [{"index": 0, "message": said, "finish_reason": "stop"}], "usage": usage})])
    return _of_anthropic(case, stream=stream)


def _of_anthropic(case: Json, *, stream: bool) -> Reply:
    flags, usage = case["flags"], case["usage"]
    stop = flags.get("stop_reason", "end_turn")
    content = [] if flags.get("content_empty") else [{"type": "text", "text": "Hello."}]
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": flags.get("response_model", case["model"])}
    if not stream:
        return _reply([_dumped({**start, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage})])
    first, later = (usage["message_start"], usage["message_deltas"]) if "message_start" in usage else (usage, [usage])
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    said = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}}
    blocks = [block, said, {"type": "content_block_stop", "index": 0}] if content else []
    deltas = [{"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": one} for one in later]
    begun = {"type": "message_start", "message": {**start, "content": [], "stop_reason": None, "usage": first}}
    return _events([begun, *blocks, *deltas, {"type": "message_stop"}])


def _events(events: list[Json], last: bytes = b"") -> Reply:
    named = [b"event: %b\n" % one["type"].encode() if "type" in one else b"" for one in events]
    steps = [name + b"data: " + _dumped(one) + b"\n\n" for name, one in zip(named, events, strict=True)]
    return _reply([*steps, *([b"data: " + last + b"\n\n"] if last else [])], "text/event-stream")


def _reply(steps: list[bytes], kind: str = "application/json") -> Reply:
    return Reply(200, (("content-type", kind),), tuple(map(Chunk, steps)))


def _dumped(value: Json) -> bytes:
    return json.dumps(value).encode()


def ways() -> Iterator[tuple[Json, str, bool]]:
    for case in CASES:
        for client in CLIENTS:
            for stream in (False, True):
                if case["name"] not in OF_BATCHES and (stream or "message_start" not in case["usage"]):
                    yield case, client, stream


class House(OneWorker):
    """An upstream of each provider. `reply`: what the next request is answered with."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, lambda request: self.reply)
        self.folder = folder
        self.reply = Reply(500)
        self.key = mint().text

    async def start(self) -> None:
        port = await self.upstream.start()
        parts = ['[server]\nstate_dir = "state"\n[storage]\nurl = "sqlite:///state/gw.db"\n']
        parts.append('[[key]]\nname = "k"\nsecret = "env:GW_TEST_KEY"\n')
        for provider in dict.fromkeys([*(case["provider"] for case in CASES), "codex"]):
            kind = {"qwencloud": "custom", "codex": "openai"}.get(provider, provider)
            parts.append(UPSTREAM.format(provider=provider, kind=kind, port=port, more=MORE.get(provider, "")))
        for case in CASES:
            rates = case["flags"].get("rate_override", {})
            lines = "".join(f'{name} = "{rate}"\n' for name, rate in rates.items())
            parts.append(f'[[pricing.override]]\nname = "{case["name"]}"\nmodel = "{case["model"]}"\n{lines}' if rates else "")
        config = self.folder / "config.toml"
        config.write_text("\n".join(parts))
        self.state_dir.mkdir(mode=0o700)
        await asyncio.to_thread(prepare_state, load(config), config)
        self.app.worker = Worker(self.state_dir)

    async def ask(self, request: Asked) -> list[CallRecord]:
        sent = Client(_dumped(request.body))
        headers = [(b"x-gw-key", self.key.encode()), (b"content-length", b"%d" % sent.size)]
        scope = {"type": "http", "method": "POST", "path": request.path, "query_string": b"", "headers": headers}
        await self.app(scope, sent.receive, sent.send)
        return self.new_records()


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    one = House(tmp_path)
    monkeypatch.setenv("GW_TEST_KEY", one.key)
    await one.start()
    yield one
    await one.close()


async def test_each_example_costs_the_same_by_every_way(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = []
    for case, client, stream in ways():
        at_us = int(datetime.fromisoformat(case["flags"]["at"]).timestamp()) * 1_000_000
        house.reply = answered(case, stream=stream)
        with monkeypatch.context() as patched:
            patched.setattr("gw.clock.wall_ns", lambda now=at_us * 1000: now)
            rows = await house.ask(asked(client, f"{case['provider']}/{case['model']}", stream))
        if [(row.billed_pusd, row.usage_source) for row in rows] != [(int(case["expected_pico_usd"]), "exact")]:
            said = [(row.billed_pusd, row.usage_source, row.outcome, row.error, row.usage_flags) for row in rows]
            wrong.append((case["name"], client, stream, case["expected_pico_usd"], said))
    assert not wrong, "\n".join(map(str, wrong))


async def test_each_recorded_stream_has_the_same_usage_by_every_way(house: House) -> None:
    wrong = []
    for one in STREAMS:
        provider, _, api = one["provider"].partition(".")
        upstream = "codex" if api == "responses" else provider
        content = (HERE / "golden" / one["file"]).read_bytes()
        model = one["model"] or "us.anthropic.claude-opus-5-5"
        usage, _ = usage_from(provider, api, one["expected_usage"])
        for client in CLIENTS:
            house.reply = _reply([content[at : at + 61] for at in range(0, len(content), 61)], one["content_type"])
            rows = await house.ask(asked(client, f"{upstream}/{model}", stream=True))
            written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
            expected = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, written, "exact")
            said = [
                (row.input_tokens, row.output_tokens, row.cache_read_tokens, row.cache_write_5m_tokens, row.usage_source)
                for row in rows
            ]
            if said != [expected]:
                wrong.append((one["file"], client, expected, said, [(row.outcome, row.error) for row in rows]))
    assert not wrong, "\n".join(map(str, wrong))
