"""The official SDK against gw's refusals: what cannot be mended by trying again is asked for once, the rest as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import pytest

from gw.domain.limit import Limit
from gw.domain.scope import Scope
from gw.errors import Refusal
from gw.wire import budgets as say
from gw.wire.refusals import refusal_answer
from tests.wire.test_budgets import CALL, NOW_US, standing

RETRIES = 2
REQUESTS = Limit("bursts", Scope("key", "ci"), "requests", 60, 60 * 10**9, 60)


@contextmanager
def refusing(refusal: Refusal) -> Iterator[tuple[str, list[str]]]:
    """(address, requests so far) of a server that answers everything with it."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            seen.append(self.path)
            status, headers, body = refusal_answer(refusal, CALL)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name.decode(), value.decode())
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asked(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> tuple[int, list[float], anthropic.APIStatusError]:
    """(requests, waits between them in seconds, what the caller is given)."""
    waits: list[float] = []
    monkeypatch.setattr("anthropic._base_client.time.sleep", waits.append)
    with refusing(refusal) as (url, seen), anthropic.Anthropic(base_url=url, api_key="gwk_x", max_retries=RETRIES) as client:
        with pytest.raises(anthropic.APIStatusError) as caught:
            client.messages.create(
                model="claude-opus-5-5", max_tokens=8, messages=[{"role": "user", "content": "hi"}], stream=stream
            )
        return len(seen), waits, caught.value


ONCE = [
    say.budget_refusal(standing("10.02"), CALL, NOW_US),
    say.budget_refusal(standing("1", reserve="worst"), CALL, NOW_US, 10**12),
    say.unreadable_refusal(CALL),
    say.too_costly_refusal("ci", 2, 1, CALL),
    say.max_tokens_refusal("ci", 2, 1, CALL),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("refusal", ONCE, ids=lambda one: one.slug)
def test_a_refusal_for_good_costs_one_request(refusal: Refusal, stream: bool, monkeypatch: pytest.MonkeyPatch):
    requests, waits, error = asked(refusal, monkeypatch, stream=stream)
    assert (requests, waits, error.status_code) == (1, [], refusal.kind.status)
    assert refusal.message in str(error) and error.request_id == CALL


AGAIN = [
    (say.rate_refusal(REQUESTS, "ci", 3 * 10**9, CALL), 3.0),
    (say.reserved_refusal(standing("7", "10"), CALL), 2.0),
    (say.parallel_refusal(Limit("p", Scope("key", "ci"), "parallel", 4), "ci", CALL), 1.0),
    (say.busy_refusal(CALL), 2.0),
]


@pytest.mark.parametrize(("refusal", "wait_s"), AGAIN, ids=lambda one: getattr(one, "slug", ""))
def test_what_will_clear_is_tried_again_when_it_is_told(refusal: Refusal, wait_s: float, monkeypatch: pytest.MonkeyPatch):
    requests, waits, error = asked(refusal, monkeypatch, stream=False)
    assert (requests, waits) == (1 + RETRIES, [wait_s] * RETRIES)
    assert error.status_code == refusal.kind.status
