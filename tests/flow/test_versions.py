"""What newer SDKs say of themselves in headers: Anthropic gets it as it came, nobody else gets any of it."""

from pathlib import Path

import pytest

from gw.demo.exchange import Chunk, Reply, Request
from tests.flow.landscape import landscape, upstreams

PLACES = upstreams("claude", "gpt", "google", "aws", "vertex")
NEW = [("anthropic-version", "2026-10-21"), ("anthropic-beta", "yet-unknown-2026-10-01")]


def refuse(request: Request) -> Reply:
    return Reply(400, (("content-type", "application/json"),), (Chunk(b"{}"),))


@pytest.mark.parametrize(
    "model",
    [
        "gpt/gpt-5.6",
        "google/gemini-3-pro-preview",
        "aws/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "aws/us.amazon.nova-pro-v1:0",
        "vertex/claude-opus-5-5",
    ],
)
async def test_a_version_and_a_beta_that_are_not_known_stay_with_anthropic(tmp_path: Path, model: str) -> None:
    upstream = model.partition("/")[0]
    async with landscape(tmp_path, PLACES, **{upstream: refuse}) as house:
        body = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        answered = await house.send({"model": "claude/claude-opus-5-5", **body}, key="ada", headers=NEW)
        assert answered.status == 200
        assert {name: value for name, value in house.last("claude").headers if name.startswith("anthropic")} == dict(NEW)
        await house.send({"model": model, **body}, key="ada", headers=NEW)
        request = house.last(upstream)
        assert not [name for name, _ in request.headers if name.startswith("anthropic")]
        assert b"2026-10" not in request.body
