"""Every kind of answer the fake upstream knows, through gw: the client's bytes are the upstream's, the row is the bill."""

import hashlib
import http.client
import json
import uuid

import pytest

from tests.e2e.conftest import House
from tests.support.bill import assert_equal_bills

WHOLE = ["plain", "events 300", "thinking", "tools", "agent", "gzip", "pieces", "pieces 7", "crlf", "refusal", "refusal late"]
WHOLE += ["geo-fast-search", "iterations", "mixed-ttl", "silent-after 0.2", "silent-before 0.2"]
MODELS = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-4-8", "claude-fable-5-2"]


def ask(house: House, play: str, *, stream: bool, model: str) -> tuple[str, http.client.HTTPResponse, bytes]:
    """(session id of this one call, response, body)."""
    session = str(uuid.uuid4())
    messages = [{"role": "user", "content": [{"type": "text", "text": f"go [play:{play}]"}]}]
    body = json.dumps({"model": model, "max_tokens": 100, "stream": stream, "messages": messages}).encode()
    headers = {"x-api-key": house.keys["ada"], "x-claude-code-session-id": session, "user-agent": "claude-cli/0.0.1 (test)"}
    connection = http.client.HTTPConnection("127.0.0.1", house.gateway.process.port, timeout=20)
    try:
        connection.request("POST", "/anthropic/v1/messages?beta=true", body, headers)
        response = connection.getresponse()
        return session, response, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("play", WHOLE)
def test_whole_answer_keeps_its_bytes_and_its_exact_cost(house: House, play: str, stream: bool) -> None:
    model = "claude-opus-5-5" if play == "geo-fast-search" else MODELS[len(play) % len(MODELS)]
    session, response, received = ask(house, play, stream=stream, model=model)
    (row,), (line,) = house.bills(session)
    assert (response.status, len(received)) == (200, line.response_bytes)
    assert hashlib.sha256(received).hexdigest() == line.response_sha256
    assert_equal_bills([row], [line])
    assert (row["outcome"], row["usage_source"]) == ("completed", "exact")
    # The row is written at message_stop: the blank line after it, and gzip's own end, may come later.
    late = {"gzip": 10, "pieces": 2}.get(play.split(" ")[0], 0) if stream else 0
    assert len(received) - late <= row["response_bytes"] <= len(received)
    assert row["call_id"] == response.headers["request-id"] == response.headers["x-gw-call-id"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 529])
def test_error_of_the_upstream_costs_nothing(house: House, status: int) -> None:
    session, response, _ = ask(house, f"status {status}", stream=True, model="claude-opus-5-5")
    (row,), (line,) = house.bills(session)
    assert (row["upstream_status"], row["outcome"], row["list_pusd"]) == (status, "upstream_error", 0)
    assert not line.billed and response.status >= 400


@pytest.mark.parametrize("play", ["reset 10", "hangup 10", "reset 2"])
def test_answer_that_breaks_off_is_billed_as_observed(house: House, play: str) -> None:
    session, _, received = ask(house, play, stream=True, model="claude-opus-5-5")
    (row,), (line,) = house.bills(session)
    assert (row["outcome"], row["usage_source"]) == ("upstream_error", "observed")
    assert row["input_tokens"] == line.usage["input_tokens"] and row["list_pusd"] > 0
    assert b"event: message_start" in received and b"event: error" in received
