"""docs/providers.md shows how a provider is added by one block of the configuration, and by one file: its own blocks are run
here, in front of an upstream that has quirks, for a client of Anthropic's dialect and one of OpenAI's."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from gw.demo.exchange import Chunk, Reply, Request
from gw.demo.upstream import UpstreamThread
from gw.domain.key import mint
from tests.flow.client import Answer, call
from tests.flow.landscape import Landscape, landscape
from tests.support.gateway import GatewayUnderTest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "providers.md").read_text()
KEY = '[[key]]\nname = "ada"\nsecret = "#ada#"\n'
TOOL = {"name": "look", "description": "Looks.", "schema": {"type": "object", "properties": {"at": {"type": "string"}}}}
ANTHROPIC: dict[str, Any] = {
    "max_tokens": 50,
    "stream": True,
    "thinking": {"type": "adaptive"},
    "tools": [{"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["schema"]}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "messages": [{"role": "user", "content": "hi"}],
}
OPENAI: dict[str, Any] = {"max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
IN, OUT, CACHED = 70, 9, 30
INPUT_PUSD, OUTPUT_PUSD = 200_000, 600_000  # a token, as the guide's price has it
USAGE = {"prompt_tokens": IN, "completion_tokens": OUT, "total_tokens": IN + OUT}
OTHER_USAGE = {**USAGE, "prompt_cache_hit_tokens": CACHED, "prompt_cache_miss_tokens": IN - CACHED}


def block(heading: str, language: str) -> str:
    """The first block of code below a heading of the guide."""
    below = GUIDE.split(f"## {heading}\n", 1)[1]
    found = re.search(rf"```{language}\n(.*?)```", below, re.S)
    assert found is not None, heading
    return found[1]


KNOWN = {"model", "messages", "max_tokens", "stream", "stream_options", "tools", "tool_choice"}


class Lab:
    """Chat Completions that knows little: it refuses what it does not know, thinks in `reasoning`, and keeps what it heard."""

    def __init__(self, path: str, usage: Mapping[str, Any]) -> None:
        self.path = path
        self.usage = usage
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        unknown = set(request.json) - KNOWN
        if unknown or request.path != self.path:
            error = {"message": f"not known: {request.path} {sorted(unknown)}", "type": "invalid_request_error"}
            return Reply(400, (("content-type", "application/json"),), (Chunk(orjson.dumps({"error": error})),))
        base = {"id": "1", "created": 1, "model": request.head.model + "-build-7"}
        if not request.head.stream:
            choice = {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}
            whole = {**base, "object": "chat.completion", "choices": [choice], "usage": self.usage}
            return Reply(200, (("content-type", "application/json"),), (Chunk(orjson.dumps(whole)),))
        deltas: list[dict[str, Any]] = [{"role": "assistant", "reasoning": "Hm."}, {"content": "Hel"}, {"content": "lo."}]
        base["object"] = "chat.completion.chunk"
        choices = [{"index": 0, "delta": one, "finish_reason": None} for one in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
        chunks: list[dict[str, Any]] = [{**base, "choices": [one]} for one in choices]
        if (request.json.get("stream_options") or {}).get("include_usage"):
            chunks.append({**base, "choices": [], "usage": self.usage})
        steps = [Chunk(b"data: %b\n\n" % orjson.dumps(one)) for one in chunks]
        return Reply(200, (("content-type", "text/event-stream"),), (*steps, Chunk(b"data: [DONE]\n\n")), framing="chunked")


def events(body: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: {")]


def must_be_told(stream: bytes, whole: dict[str, Any], model: str) -> None:
    """To the client of Anthropic's, who has asked for a stream, and to that of OpenAI's, each in its own words."""
    told = events(stream)
    assert told[0]["type"] == "message_start" and told[0]["message"]["model"] == model
    deltas = [one["delta"] for one in told if one["type"] == "content_block_delta"]
    assert "".join(one.get("thinking", "") for one in deltas) == "Hm."
    assert "".join(one.get("text", "") for one in deltas) == "Hello." and told[-1]["type"] == "message_stop"
    assert (whole["model"], whole["choices"][0]["message"]["content"]) == (model, "Hello.")
    assert whole["usage"]["prompt_tokens"] == IN and whole["usage"]["completion_tokens"] == OUT


async def both(house: Landscape, model: str) -> None:
    """One call of each client."""
    first = await house.send({"model": model, **ANTHROPIC}, key="ada")
    second = await house.send({"model": model, **OPENAI}, path="/v1/chat/completions", headers=bearer(house.keys["ada"]))
    assert (first.status, second.status) == (200, 200), (first.body, second.body)
    must_be_told(first.body, second.json, model)
    for answered in (first, second):
        row = answered.row
        assert (row.upstream, row.sent_model, row.usage_source) == ("lab", "small-1", "exact")
        assert row.input_tokens + row.cache_read_tokens == IN and row.output_tokens == OUT
        assert row.billed_pusd == IN * INPUT_PUSD + OUT * OUTPUT_PUSD


def bearer(key: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {key}"), ("content-type", "application/json")]


def its_own(config: str, usage_of: str = "") -> str:
    """The guide's block, at the address of the test's upstream."""
    found = config.replace("https://llm.lab.example/v1", "@lab@/v1")
    assert found != config
    return found.replace("quirks = { ", f'quirks = {{ usage_of = "{usage_of}", ') if usage_of else found


async def test_a_provider_is_one_block_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-lab")
    lab = Lab("/v1/chat/completions", USAGE)
    async with landscape(tmp_path, its_own(block("Adding one in the configuration", "toml")) + KEY, lab=lab) as house:
        await both(house, "lab/small-1")
    asked = [one.json for one in lab.asked]
    assert [one["model"] for one in asked] == ["small-1", "small-1"]
    assert asked[0]["max_tokens"] == 50 and "parallel_tool_calls" not in asked[0] and asked[0]["tools"]
    assert {one.header("authorization") for one in lab.asked} == {"Bearer sk-lab"}


async def test_its_usage_may_stand_in_other_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-lab")
    lab = Lab("/v1/chat/completions", OTHER_USAGE)
    config = its_own(block("Adding one in the configuration", "toml"), "deepseek") + 'cache_read = "0.02"\n' + KEY
    async with landscape(tmp_path, config, lab=lab) as house:
        answered = await house.send({"model": "lab/small-1", **ANTHROPIC}, key="ada")
        assert answered.status == 200, answered.body
        row = answered.row
        assert (row.input_tokens, row.cache_read_tokens, row.output_tokens) == (IN - CACHED, CACHED, OUT)
        assert row.billed_pusd == (IN - CACHED) * INPUT_PUSD + CACHED * 20_000 + OUT * OUTPUT_PUSD


def extended(folder: Path) -> Path:
    """gw as it is, and the guide's file in it: a line in the registry, and the name where the configuration's are."""
    package = folder / "gw"
    for source, names in ((ROOT / "gw", ("providers", "config")), (ROOT / "gw" / "providers", ()), (ROOT / "gw" / "config", ())):
        target = package / source.relative_to(ROOT / "gw")
        target.mkdir(parents=True)
        for entry in source.iterdir():
            if entry.name not in (*names, "__pycache__"):
                (target / entry.name).symlink_to(entry)
    (package / "providers" / "acme.py").write_text(block("Adding one in a file", "python"))
    registry, first = package / "providers" / "registry.py", "from gw.providers.anthropic"
    _changed(registry, first, f"from gw.providers.acme import Acme\n{first}")
    _changed(registry, '    "custom": Custom(),\n', '    "custom": Custom(),\n    "acme": Acme(),\n')
    _changed(package / "config" / "upstream_model.py", '"custom",\n]', '"custom", "acme",\n]')
    return folder


def _changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name}: {old}"
    path.unlink()  # it was a link
    path.write_text(text.replace(old, new))


ACME = """
[[upstream]]
name = "lab"
provider = "acme"
base_url = "{url}"
api_key = "sk-acme"
model_map = {{ "acme-*" = "*" }}
models = ["acme-*"]
quirks = {{ max_tokens_field = "max_tokens", parallel_tools = false, reasoning_field = "reasoning" }}
[[pricing.override]]
name = "acme"
upstream = "lab"
input = "0.20"
output = "0.60"
[[route]]
model = "acme-*"
candidates = [{{ upstream = "lab" }}]
[[key]]
name = "ada"
secret = "env:GW_TEST_ADA"
"""


def test_a_provider_is_one_file(tmp_path: Path) -> None:
    lab, key = Lab("/llm/v2/chat/completions", USAGE), mint().text
    environ = {"PYTHONPATH": str(extended(tmp_path / "tree")), "PYTHONSAFEPATH": "1", "GW_TEST_ADA": key}
    with UpstreamThread(lab) as upstream:
        more = ACME.format(url=upstream.base_url)
        with GatewayUnderTest(tmp_path / "run", upstream.base_url, more=more, environ=environ) as gateway:
            first, second = asyncio.run(_both(gateway.process.port, key, "acme-small-1"))
            rows = gateway.settled(lambda rows: len(rows) == 2)
    assert (first.status, second.status) == (200, 200), (first.body, second.body)
    must_be_told(first.body, second.json, "acme-small-1")
    assert {one.header("authorization") for one in lab.asked} == {"Bearer sk-acme"}
    for row in rows:
        assert (row["upstream"], row["sent_model"], row["usage_source"]) == ("lab", "small-1", "exact")
        assert row["billed_pusd"] == IN * INPUT_PUSD + OUT * OUTPUT_PUSD


async def _both(port: int, key: str, model: str) -> tuple[Answer, Answer]:
    first = await call(port, headers=bearer(key), body=orjson.dumps({"model": model, **ANTHROPIC}))
    path = "/openai/v1/chat/completions"
    return first, await call(port, path, headers=bearer(key), body=orjson.dumps({"model": model, **OPENAI}))
