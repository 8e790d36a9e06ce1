"""What stands in place of an answer, under a status that says success: to clients of another dialect it is an HTTP error."""

import json
from pathlib import Path
from typing import Any

import pytest

from gw.demo.exchange import Chunk, Reply, Request
from gw.demo.scripts import by_prompt
from tests.flow.landscape import landscape

CONFIG = """
[[upstream]]
name = "first"
provider = "openai"
api = "chat"
base_url = "@first@"
api_key = "sk-first"
[[upstream]]
name = "second"
base_url = "@second@"
api_key = "sk-second"
[[pricing.override]]
name = "any"
model = "*"
upstream = "first"
input = "1"
output = "1"
[[key]]
name = "ada"
secret = "#ada#"
"""
HTML = (("content-type", "text/html"),)
JSON = (("content-type", "application/json"),)
PAGE = b"<html>Sign in</html>"
CASES: dict[str, tuple[Any, bytes, int, str, str]] = {
    # headers, body, status, type and error of the row
    "a page": (HTML, PAGE, 502, "api_error", "upstream_garbled"),
    "a page called JSON": (JSON, PAGE, 502, "api_error", "upstream_garbled"),
    "an encoding that nobody knows": ((*JSON, ("content-encoding", "br")), b"\x8b", 502, "api_error", "upstream_garbled"),
    "an error": (JSON, b'{"error":{"message":"wait","code":429}}', 429, "rate_limit_error", "upstream_rate_limit_error"),
    "an error of its own": (JSON, b'{"error":{"message":"oh","type":"server_error"}}', 500, "api_error", "upstream_api_error"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", CASES)
async def test_it_has_a_status_of_its_own(tmp_path: Path, name: str, stream: bool) -> None:
    headers, body, status, kind, slug = CASES[name]

    def first(request: Request) -> Reply:
        return Reply(200, headers, [Chunk(body)], framing="length")

    asked = {"model": "first/gpt-5.6", "max_tokens": 64, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    async with landscape(tmp_path, CONFIG, first=first, second=by_prompt) as house:
        got = await house.send(asked, key="ada")
    said = json.loads(got.body)
    assert (got.status, said["type"], said["error"]["type"]) == (status, "error", kind)
    assert said["request_id"].startswith("gw_")
    (row,) = got.rows
    assert (row.outcome, row.status, row.error) == ("upstream_error", status, slug)
