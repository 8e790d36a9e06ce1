"""The table of paths, and the life of the application around the calls."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gw.app import App, normal
from gw.demo.scripts import by_prompt
from tests.flow.stage import prompt
from tests.support.one_worker import Client, OneWorker, scope

PATHS = [
    ("/v1/messages", "/v1/messages"),
    ("/v1/messages/", "/v1/messages"),
    ("//v1//messages//", "/v1/messages"),
    ("/anthropic/v1/messages", "/v1/messages"),
    ("/anthropic//v1/messages", "/v1/messages"),
    ("/anthropic", "/"),
    ("/anthropic/", "/"),
    ("/", "/"),
    ("//", "/"),
    ("", "/"),
    ("/anthropic/anthropic/v1/messages", "/anthropic/v1/messages"),
    ("/anthropics/v1/messages", "/anthropics/v1/messages"),
    ("/V1/Messages", "/V1/Messages"),
    ("/v1/messages/../models", "/v1/messages/../models"),
    ("/v1/messages/batches", "/v1/messages/batches"),
]


@pytest.mark.parametrize(("path", "meant"), PATHS)
def test_a_path_is_read_below_the_prefix_or_the_root(path: str, meant: str) -> None:
    assert normal(path) == meant


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[OneWorker]:
    one = OneWorker(tmp_path, by_prompt)
    await one.open(tmp_path)
    yield one
    await one.close()


async def ask(house: OneWorker, method: str, path: str, body: bytes = b"", **more: Any) -> tuple[int, dict[bytes, bytes], bytes]:
    client = Client(body)
    await house.app(scope(method, path, **more), client.receive, client.send)
    assert client.ended and len([message for message in client.messages if "status" in message]) == 1
    return client.messages[0]["status"], dict(client.messages[0]["headers"]), client.body


SERVED = [
    # method, path, body, status, records
    ("POST", "/v1/messages", prompt(stream=False), 200, 1),
    ("POST", "/anthropic/v1/messages/count_tokens", prompt(), 200, 1),
    ("GET", "/anthropic/v1/models", b"", 200, 1),
    ("HEAD", "/anthropic/", b"", 200, 0),
    ("HEAD", "/anthropic/api/hello", b"", 200, 0),
    ("GET", "/api/hello", b"", 200, 0),
    ("GET", "/healthz", b"", 200, 0),
    ("HEAD", "/healthz", b"", 200, 0),
    ("GET", "/readyz", b"", 200, 0),
    ("GET", "/metrics", b"", 200, 0),
    ("POST", "/metrics", b"", 405, 0),
    ("POST", "/", b"", 405, 0),
    ("GET", "/v1/messages", b"", 405, 0),
    ("HEAD", "/v1/models", b"", 405, 0),
    ("PUT", "/v1/messages", prompt(), 405, 0),
    ("OPTIONS", "/v1/messages", b"", 405, 0),
    ("POST", "/v1/messages/unheard-of", prompt(), 404, 0),
    ("DELETE", "/v1/messages/batches/../messages", b"", 404, 1),
    ("GET", "/" + "x" * 5000, b"", 404, 0),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "records"), SERVED, ids=lambda value: str(value)[:40])
async def test_what_is_served_where(house: OneWorker, method: str, path: str, body: bytes, status: int, records: int) -> None:
    found, headers, answer = await ask(house, method, path, body)
    assert found == status
    assert answer == b"" if method == "HEAD" else int(headers[b"content-length"]) == len(answer)
    assert len(house.new_records()) == records
    if found >= 400 and method != "HEAD":
        error = json.loads(answer)
        assert error["request_id"].encode() == headers[b"request-id"] and len(error["error"]["message"]) < 400
    house.assert_nothing_is_left()


async def test_a_refusal_without_a_row_is_counted(house: OneWorker) -> None:
    for method, path in (("GET", "/nope"), ("PUT", "/v1/messages"), ("PUT", "/v1/messages")):
        await ask(house, method, path)
    page = (await ask(house, "GET", "/metrics"))[2]
    assert b'gw_errors_total{error="unknown_path"} 1.0' in page and b'gw_errors_total{error="method_not_allowed"} 2.0' in page


async def test_ids_are_unique_and_grow(house: OneWorker) -> None:
    ids = [house.worker.call_id() for _ in range(1000)]
    assert ids == sorted(set(ids)) and {len(one) for one in ids} == {31}


async def lifespan(app: App) -> tuple[list[str], BaseException | None]:
    """The kinds of messages that a start brings."""
    said: list[str] = []
    asked = asyncio.Event()

    async def receive() -> dict[str, str]:
        if asked.is_set():
            await asyncio.Event().wait()
        asked.set()
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        said.append(message["type"])

    try:
        async with asyncio.timeout(20):
            await app({"type": "lifespan"}, receive, send)
    except (ZeroDivisionError, TimeoutError) as error:
        return said, error
    return said, None


async def test_a_worker_that_cannot_start_says_so_instead_of_serving_without_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server would take silence, or an exception alone, for an application that needs no start."""
    monkeypatch.setenv("GW_STATE_DIR", str(tmp_path / "nothing here"))
    said, _ = await lifespan(App())
    assert said == ["lifespan.startup.failed"]

    def broken(*_: object) -> None:
        raise ZeroDivisionError("of the test")

    monkeypatch.setattr("gw.app.Worker", broken)
    said, error = await lifespan(App())
    assert said == ["lifespan.startup.failed"] and isinstance(error, ZeroDivisionError)
