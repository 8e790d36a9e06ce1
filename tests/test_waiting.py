"""Who asks a gateway that waits for its database is told so."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gw.demo.gateway import free_port
from gw.waiting import Waiting, answer_of


@pytest.fixture
def port() -> Iterator[int]:
    found = free_port()
    with Waiting("127.0.0.1", found, "ops@example.com"):
        yield found


def ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        while True:
            try:
                connection.connect()
            except ConnectionRefusedError:
                continue  # its thread has just begun
            break
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("prefix", ["", "/anthropic"])
def test_it_lives_and_is_not_ready(port: int, prefix: str) -> None:
    assert ask(port, "GET", f"{prefix}/healthz")[::2] == (200, b"ok\n")
    status, _, body = ask(port, "GET", f"{prefix}/readyz?x=1")
    assert status == 503 and json.loads(body)["reasons"] == ["starting: waiting for the database"]
    assert ask(port, "GET", "/metrics")[2].endswith(b"\ngw_keeper_database_ok 0.0\n")


def test_calls_are_refused_in_a_way_that_claude_code_tries_again(port: int) -> None:
    status, headers, body = ask(port, "POST", "/v1/messages", b"x" * 3_000_000)
    assert (status, headers["x-gw-error"], headers["retry-after"]) == (503, "starting", "5")
    assert "x-should-retry" not in headers and json.loads(body)["error"]["type"] == "api_error"
    status, headers, body = ask(port, "HEAD", "/anthropic")
    assert (status, body) == (503, b"") and int(headers["content-length"]) > 0


@pytest.mark.parametrize(
    "sent", [b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n", b"y" * 100_000, b"GET"]
)
def test_what_is_no_request_harms_nobody(port: int, sent: bytes) -> None:
    ask(port, "GET", "/healthz")
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.sendall(sent)
        wire.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            assert wire.recv(100) == b""
    assert ask(port, "GET", "/healthz")[0] == 200


def test_the_address_is_free_again_afterwards() -> None:
    found = free_port()
    with Waiting("127.0.0.1", found, ""):
        ask(found, "GET", "/healthz")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", found))


def test_an_address_that_is_taken_is_said_and_waited_with(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with Waiting("127.0.0.1", other.getsockname()[1], ""):
            pass
    assert "nobody can be told" in caplog.text


def test_a_refusal_has_the_forms_of_all_others() -> None:
    status, headers, _ = answer_of("/v1/messages", "ops")
    assert status == 503 and {name for name, _ in headers} >= {b"request-id", b"x-gw-call-id", b"x-gw-error", b"retry-after"}
