"""What a client wants, of bodies as no client sends them."""

from pathlib import Path

import orjson
import pytest

from gw.demo import answers
from gw.demo.exchange import Chunk, Reply, Request
from tests.flow.landscape import landscape

CONFIG = """
[pricing]
unknown_model = "allow_unpriced"
[[upstream]]
name = "lab"
provider = "custom"
dialect = "chat"
base_url = "@lab@"
api_key = "sk-lab"
[[key]]
name = "ada"
team = "a"
secret = "#ada#"
[[team]]
name = "a"
"""
ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
SAID = [{"role": "user", "content": "hi"}]
DEEP = b'{"a":' * 300 + b"1" + b"}" * 300
TOOL = {"name": "t", "parameters": "@"}
BODIES: list[tuple[str, dict[str, object]]] = [
    ("/v1/messages", {"model": "m", "max_tokens": 9, "messages": SAID, "tools": [{"name": "t", "input_schema": "@"}]}),
    ("/v1/chat/completions", {"model": "m", "messages": SAID, "tools": [{"type": "function", "function": TOOL}]}),
    ("/v1/responses", {"model": "m", "input": "hi", "tools": [{"type": "function", **TOOL}]}),
    ("/genai/v1beta/models/m:generateContent", {"contents": [], "tools": [{"functionDeclarations": [TOOL]}]}),
    ("/bedrock/model/m/converse", {"messages": [{"role": "user", "content": [{"text": "hi"}]}], "requestMetadata": "@"}),
    ("/v1/embeddings", {"model": "m", "input": "@"}),
]


def answers_ok(request: Request) -> Reply:
    return Reply(200, answers.JSON_HEADERS, [Chunk(orjson.dumps(ANSWER))])


@pytest.mark.parametrize(("path", "body"), BODIES)
async def test_a_body_that_is_nested_deeper_than_it_could_be_written_is_refused(
    tmp_path: Path, path: str, body: dict[str, object]
) -> None:
    async with landscape(tmp_path, CONFIG, lab=answers_ok) as house:
        answered = await house.send(orjson.dumps(body).replace(b'"@"', DEEP), key="ada", path=path)
    assert answered.headers["x-gw-error"] == "invalid_json"
    assert b"nested" in answered.body


async def test_a_field_with_line_ends_in_its_name_makes_no_header(tmp_path: Path) -> None:
    """The server refuses to send such a header, and the call was answered with 500 after it had been billed."""
    async with landscape(tmp_path, CONFIG, lab=answers_ok) as house:
        body = {"model": "m", "max_tokens": 9, "messages": SAID, "a\r\nset-cookie: b=c": 1, "other": 2}
        answered = await house.send(body, key="ada")
    assert answered.headers["x-gw-left-out"] == "a??set-cookie: b=c, other"
