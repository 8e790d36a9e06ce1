"""The fake upstream over sockets: what is sent, what is billed, and when."""

import asyncio
import gzip
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gw.clock import wall_us
from gw.demo.invoice import read_lines
from gw.demo.scripts import PLAYS, by_prompt
from gw.demo.upstream import UpstreamThread
from tests.support.claims import allowed


@pytest.fixture(scope="module")
def upstream() -> Iterator[UpstreamThread]:
    with UpstreamThread(by_prompt) as running:
        yield running


def body_of(play: str, *, stream: bool = True, model: str = "claude-opus-5-5") -> bytes:
    messages = [{"role": "user", "content": [{"type": "text", "text": f"go [play:{play}]"}]}]
    return json.dumps({"model": model, "max_tokens": 100, "stream": stream, "messages": messages}).encode()


def post(upstream: UpstreamThread, body: bytes, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=10)
    try:
        sent = {"x-api-key": "k", **headers}
        connection.request("POST", "/v1/messages?beta=true", body, sent)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


FLOWING = ["plain", "events 5", "thinking", "tools", "agent", "error-event", "no-events", "html", "status 429 7", "gzip"]
FLOWING += ["pieces", "crlf", "refusal", "refusal late", "geo-fast-search", "iterations", "mixed-ttl"]
FLOWING += ["silent-after 0.01", "silent-before 0.01"]


@pytest.mark.parametrize("play", FLOWING)
@pytest.mark.parametrize("stream", [True, False])
def test_invoice_names_the_bytes_that_arrived(upstream: UpstreamThread, play: str, stream: bool) -> None:
    body = body_of(play, stream=stream)
    response, received = post(upstream, body)
    line = upstream.invoice.lines()[-1]
    assert line.request_id == response.headers["request-id"]
    assert line.request_sha256 == hashlib.sha256(body).hexdigest()
    assert (line.response_sha256, line.response_bytes) == (hashlib.sha256(received).hexdigest(), len(received))
    assert (line.end, line.status, line.model, line.stream) == ("complete", response.status, "claude-opus-5-5", stream)
    assert line.billed == (line.cost_pusd > 0)


def test_every_play_is_a_script_of_its_own() -> None:
    assert set(PLAYS) >= {play.split()[0] for play in FLOWING}


def test_same_request_gets_the_same_bytes_and_another_seed_gets_others(upstream: UpstreamThread) -> None:
    body = body_of("events 30")
    first, again, other = (post(upstream, body, **{"x-demo-seed": seed})[1] for seed in ("a", "a", "b"))
    assert first == again != other


def test_gzip_answer_unpacks_to_the_plain_one(upstream: UpstreamThread) -> None:
    seed = {"x-demo-seed": "same"}
    response, packed = post(upstream, body_of("gzip"), **seed)
    assert response.headers["content-encoding"] == "gzip"
    plain = post(upstream, body_of("thinking"), **seed)[1]
    deltas = [[row for row in raw.split(b"\n") if b"block_delta" in row] for raw in (gzip.decompress(packed), plain)]
    assert deltas[0] == deltas[1] and len(deltas[0]) > 10


@pytest.mark.parametrize(("play", "billed"), [("reset 6", True), ("reset 0", False), ("hangup 6", True), ("no-answer", False)])
def test_upstream_that_breaks_off_bills_what_it_produced(upstream: UpstreamThread, play: str, billed: bool) -> None:
    with pytest.raises((OSError, http.client.HTTPException)):
        post(upstream, body_of(play))
    line = upstream.invoice.lines()[-1]
    assert (line.end, line.billed) == ("cut_by_upstream", billed)


def test_client_that_leaves_is_noticed_at_once(upstream: UpstreamThread) -> None:
    seen = len(upstream.invoice.lines())
    body = body_of("events 1000 20")
    with socket.create_connection(("127.0.0.1", upstream.port)) as sock:
        sock.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: a\r\nx-api-key: k\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        received = b""
        while received.count(b"content_block_delta") < 6:
            received += sock.recv(65536)
        left_us = wall_us()
    line = None
    while line is None:
        line = next(iter(upstream.invoice.lines()[seen:]), None)
        assert wall_us() < left_us + 20_000_000
    assert line.end == "cut_by_client" and line.billed
    assert 0 <= line.cut_us - left_us < allowed(500_000)


def test_call_without_credential_or_body_is_refused_for_free(upstream: UpstreamThread) -> None:
    assert post(upstream, b"{}", **{"x-api-key": ""})[0].status == 401
    assert post(upstream, b"not json")[0].status == 400
    assert not any(line.billed for line in upstream.invoice.lines()[-2:])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/models?limit=1000", 200), ("HEAD", "/", 200), ("HEAD", "/api/hello", 200), ("GET", "/nowhere", 404)],
)
def test_other_paths_answer(upstream: UpstreamThread, method: str, path: str, status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=10)
    connection.request(method, path)
    assert connection.getresponse().status == status
    connection.close()


def test_invoice_is_served_over_http(upstream: UpstreamThread) -> None:
    post(upstream, body_of("plain"), **{"x-claude-code-session-id": "over-http"})
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=10)
    connection.request("GET", "/__invoice")
    lines = json.loads(connection.getresponse().read())
    connection.close()
    assert lines[-1]["headers"]["x-claude-code-session-id"] == "over-http"


def test_invoice_file_is_complete_when_the_client_has_the_last_byte(tmp_path: Path) -> None:
    options = ["--port", "0", "--script", "thinking", "--invoice", str(tmp_path / "lines")]
    command = [sys.executable, "-m", "gw.demo.upstream", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for count in range(1, 4):
            connection.request("POST", "/v1/messages", body_of("plain"), {"x-api-key": "k"})
            connection.getresponse().read()
            assert len(read_lines(tmp_path / "lines")) == count
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


async def test_many_streams_at_once_keep_to_their_own_clients(upstream: UpstreamThread) -> None:
    async def one(number: int) -> tuple[str, bytes]:
        body = body_of("events 100")
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        head = f"POST /v1/messages HTTP/1.1\r\nhost: a\r\nx-api-key: k\r\nx-demo-seed: seed-{number:04d}\r\nconnection: close\r\n"
        writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
        received = await reader.read(-1)
        writer.close()
        await writer.wait_closed()
        return f"<seed-{number:04d}>", received

    answers = await asyncio.gather(*(one(number) for number in range(100)))
    for mark, received in answers:
        assert received.count(b"event: content_block_delta") == 100
        assert mark.encode() in received and received.endswith(b"0\r\n\r\n")
