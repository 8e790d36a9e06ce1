"""An upstream says 200 and fails in the stream's first event: the next place answers, and nothing is charged for the first."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from gw.demo import answers
from gw.demo.exchange import Chunk, Pause, Reply, Request, Reset, Step
from gw.demo.scripts import by_prompt
from gw.wire.eventstream import CONTENT_TYPE
from tests.flow.landscape import Answered, landscape
from tests.test_beginning import FAILURES, event, exception

MODEL = "claude-opus-5-5"
OVERLOADED = b'{"type":"error","error":{"type":"overloaded_error","message":"of the test"}}'
FREE = '[[pricing.override]]\nname = "any"\nmodel = "*"\nupstream = "first"\ninput = "1"\noutput = "1"\n'
API_ERROR = b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"of the test"}}\n\n'
FRAMES = (("content-type", CONTENT_TYPE.decode()),)
CONFIG = """
[[upstream]]
name = "first"
base_url = "@first@"
idle_timeout_s = 5
{first}
[[upstream]]
name = "second"
base_url = "@second@"
api_key = "sk-second"
[[route]]
model = "claude-*"
candidates = [{{ upstream = "first", model = "{model}" }}, {{ upstream = "second", priority = 2 }}]
[[key]]
name = "ada"
secret = "#ada#"
"""
ANTHROPIC = 'api_key = "sk-first"'
BEDROCK = 'provider = "bedrock"\nregion = "us-east-1"\napi_key = "sk-first"\napi = "%s"'


def config(first: str = ANTHROPIC) -> str:
    model = "us.anthropic.claude-opus-4-5-20251101-v1:0" if "bedrock" in first else ""
    return CONFIG.format(first=first, model=model)


def in_bits(data: bytes, size: int) -> list[Step]:
    """Each in a packet of its own."""
    steps: list[Step] = []
    for at in range(0, len(data), size):
        steps += [Chunk(data[at : at + size]), Pause(0.005)]
    return steps


def stream(data: bytes, headers: Any = answers.SSE_HEADERS, size: int = 25, last: Step | None = None) -> Reply:
    return Reply(200, headers, [*in_bits(data, size), *([last] if last is not None else [])], framing="chunked")


async def ask(text: str, folder: Path, reply: Reply) -> Answered:
    def first(request: Request) -> Reply:
        return reply

    body = {"model": MODEL, "max_tokens": 64, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    async with landscape(folder, text, first=first, second=by_prompt) as house:
        return await house.send(body, key="ada")


CASES = {
    "converse, throttled": (BEDROCK % "converse", stream(exception("throttlingException"), FRAMES), "rate_limit_error"),
    "converse, overloaded": (BEDROCK % "converse", stream(exception("serviceUnavailableException"), FRAMES), "overloaded_error"),
    "converse, broken": (BEDROCK % "converse", stream(exception("modelStreamErrorException"), FRAMES), "api_error"),
    "invoke, throttled": (BEDROCK % "invoke", stream(exception("throttlingException"), FRAMES), "rate_limit_error"),
    "invoke, an event": (BEDROCK % "invoke", stream(FAILURES["invoke, behind a ping"], FRAMES), "overloaded_error"),
    "behind pings": (ANTHROPIC, stream(FAILURES["behind pings"]), "overloaded_error"),
    "behind a comment": (ANTHROPIC, stream(FAILURES["behind a comment"]), "overloaded_error"),
    "crlf": (ANTHROPIC, stream(FAILURES["crlf"], size=1), "overloaded_error"),
}


@pytest.mark.parametrize("name", CASES)
async def test_the_second_place_answers(tmp_path: Path, name: str) -> None:
    first, reply, kind = CASES[name]
    answered = await ask(config(first), tmp_path, reply)
    row = answered.row
    assert answered.status == 200 and b"message_stop" in answered.body and b"error" not in answered.body
    assert (row.upstream, row.outcome) == ("second", "completed") and row.billed_pusd > 0
    ((upstream, status, slug, _),) = json.loads(row.attempts)
    assert (upstream, status, slug) == ("first", 200, f"upstream_{kind}")


async def test_what_no_other_place_does_better_is_the_clients_as_an_error(tmp_path: Path) -> None:
    answered = await ask(config(BEDROCK % "converse"), tmp_path, stream(exception("validationException"), FRAMES))
    assert (answered.status, answered.json["error"]["type"]) == (400, "invalid_request_error")
    assert answered.headers["content-type"] == "application/json" and answered.json["error"]["message"] == "of the test"
    assert (answered.row.upstream, answered.row.billed_pusd, answered.row.attempts) == ("first", 0, "")


async def test_a_break_behind_pings_is_one_before_the_stream(tmp_path: Path) -> None:
    answered = await ask(config(), tmp_path, stream(b": ping\n\n", last=Reset()))
    assert answered.status == 200 and b"message_stop" in answered.body
    assert [row.upstream for row in answered.rows] == ["first", "second"]


async def test_an_answer_behind_pings_passes_byte_by_byte(tmp_path: Path) -> None:
    head = b': ping\r\n\r\nevent: ping\r\ndata: {"type":"ping"}\r\n\r\n'
    start = b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"claude-opus-5-5","usage":{}}}\n\n'
    end = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    answered = await ask(config(), tmp_path, stream(head + start + end))
    assert answered.body == head + start + end and answered.row.upstream == "first"


async def test_frames_of_an_answer_pass(tmp_path: Path) -> None:
    data = b"".join(
        [
            event("messageStart", b'{"role":"assistant"}'),
            event("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"hello"}}'),
            event("messageStop", b'{"stopReason":"end_turn"}'),
            event("metadata", b'{"usage":{"inputTokens":3,"outputTokens":1}}'),
        ]
    )
    answered = await ask(config(BEDROCK % "converse"), tmp_path, stream(data, FRAMES))
    assert b"hello" in answered.body and (answered.row.upstream, answered.row.input_tokens) == ("first", 3)


async def test_a_compressed_failure_is_read_and_what_cannot_be_read_is_not_waited_for(tmp_path: Path) -> None:
    zipped = (*answers.SSE_HEADERS, ("content-encoding", "gzip"))
    failed = await ask(config(), tmp_path, stream(gzip.compress(FAILURES["behind pings"]), zipped))
    assert (failed.status, failed.row.upstream) == (200, "second")
    other = tmp_path / "br"
    other.mkdir()
    foreign = (*answers.SSE_HEADERS, ("content-encoding", "br"))
    reply = Reply(200, foreign, [Chunk(b"\x01\x02"), Pause(1), Chunk(b"\x03")], framing="chunked")
    passed = await ask(config(), other, reply)
    assert passed.body == b"\x01\x02\x03" and passed.row.upstream == "first"
    assert passed.row.error == "upstream_garbled"


async def test_a_client_that_wants_a_ping_is_kept_waiting_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GW_SERVER_PING_INTERVAL_S", "1")
    late = Reply(200, answers.SSE_HEADERS, [Chunk(b": ping\n\n"), Pause(1.5), Chunk(FAILURES["anthropic"])], framing="chunked")
    answered = await ask(config(), tmp_path, late)
    assert answered.body.startswith(b": ping\n\n") and b"event: error" in answered.body
    assert (answered.row.upstream, answered.row.error) == ("first", "upstream_overloaded_error")


async def test_one_place_that_may_be_asked_again_is(tmp_path: Path) -> None:
    text = config('api_key = "sk-first"\nmax_retries = 1').replace(', { upstream = "second", priority = 2 }', "")
    tries: list[int] = []

    def first(request: Request) -> Reply:
        tries.append(1)
        return stream(API_ERROR) if len(tries) == 1 else by_prompt(request)

    body = {"model": MODEL, "max_tokens": 64, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    async with landscape(tmp_path, text, first=first) as house:
        answered = await house.send(body, key="ada")
        assert (answered.status, answered.row.upstream, answered.row.retries, len(tries)) == (200, "first", 1, 2)
        assert b"message_stop" in answered.body and answered.row.billed_pusd > 0


WHOLE = {
    "openrouter": (
        b'\n {"error": {"code": 502, "message": "of the test"}}',
        'provider = "openrouter"\napi_key = "sk-first"',
        "api_error",
    ),
    "anthropic": (OVERLOADED, ANTHROPIC, "overloaded_error"),
    "gemini": (
        b'[{\n  "error": {"code": 429, "message": "of the test", "status": "RESOURCE_EXHAUSTED"}\n}]',
        'provider = "gemini"\napi_key = "sk-first"',
        "rate_limit_error",
    ),
}


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("name", WHOLE)
async def test_an_error_in_place_of_an_answer_is_one_whatever_its_status(tmp_path: Path, name: str, streams: bool) -> None:
    data, upstream, kind = WHOLE[name]
    reply = Reply(200, answers.JSON_HEADERS, in_bits(data, 9), framing="chunked")
    body = {"model": MODEL, "max_tokens": 64, "stream": streams, "messages": [{"role": "user", "content": "hi"}]}
    async with landscape(tmp_path, config(upstream) + FREE, first=lambda request: reply, second=by_prompt) as house:
        answered = await house.send(body, key="ada")
    assert answered.status == 200 and (answered.row.upstream, answered.row.outcome) == ("second", "completed")
    assert json.loads(answered.row.attempts)[0][:3] == ["first", 200, f"upstream_{kind}"]


async def test_a_whole_answer_passes_byte_by_byte_and_one_that_breaks_is_charged_as_before(tmp_path: Path) -> None:
    def ask_for(reply: Reply, folder: str) -> Any:
        (tmp_path / folder).mkdir()
        return landscape(tmp_path / folder, config(), first=lambda request: reply, second=by_prompt)

    body = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}
    said = b'{"type":"message","id":"m","model":"claude-opus-5-5","content":[],"usage":{"input_tokens":3,"output_tokens":1}}'
    async with ask_for(Reply(200, answers.JSON_HEADERS, in_bits(said, 20), framing="chunked"), "whole") as house:
        answered = await house.send(body, key="ada")
        assert answered.body == said and (answered.row.upstream, answered.row.input_tokens) == ("first", 3)
    cut = Reply(200, answers.JSON_HEADERS, [Chunk(said[:50]), Pause(0.02), Reset()], framing="chunked")
    async with ask_for(cut, "cut") as house:
        answered = await house.send(body, key="ada")
        assert [row.upstream for row in answered.rows] == ["first", "second"] and answered.rows[0].billed_pusd > 0
