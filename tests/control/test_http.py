"""The control API as an application: who is let in, what is read, how it says no, and that calls do not wait for it."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gw.control import http
from gw.control.http_answer import Answer as Answered
from gw.control.http_answer import json_answer
from gw.ledger.store import StoreError
from tests import house
from tests.control.api import TOKEN, Api

SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
CLOSED = [
    ("GET", "/api/customers"),
    ("POST", "/api/keys"),
    ("DELETE", "/api/budgets/x"),
    ("GET", "/api/audit"),
    ("GET", "/api/config"),
    ("GET", "/api/status"),
    ("GET", "/api/accounts/team/platform"),
    ("GET", "/api/nothing/here"),
    ("PUT", "/api/customers"),
]


@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_nothing_is_shown_or_done_without_the_token(api: Api, method: str, path: str) -> None:
    """Not even whether there is such a path."""
    answer = await api.ask(method, path, token=None)
    answer.problem(401, "admin_token_missing")
    assert answer.headers["www-authenticate"] == 'Bearer realm="gw"'
    (await api.ask(method, path, token="gwa_another")).problem(401, "admin_token_wrong")
    (await api.ask(method, path, token="gwk_abcdefghijkl_x")).problem(403, "virtual_key_refused")


async def test_a_wrong_token_locks_out_and_says_for_how_long(api: Api) -> None:
    for _ in range(5):
        await api.ask("GET", "/api/status", token="gwa_wrong")
    answer = await api.ask("GET", "/api/status")
    answer.problem(429, "locked_out")
    assert answer.headers["retry-after"] == "1"
    assert (await api.ask("GET", "/api/status", client="192.0.2.8")).status == 200


PATHS = [
    ("/api/customers", 200),
    ("/api/customers/", 200),
    ("/anthropic/api/customers", 200),
    ("//api//customers", 200),
    ("/api/Customers", 404),
    ("/api", 404),
    ("/api/customers/acme", 200),
    ("/api/customers/%61cme", 200),
    ("/api/customers/acme/more", 404),
    ("/api/customers/%ff", 404),
    ("/api/customers/..%2Fteams", 404),
    ("/api/docs", 200),
    ("/api/openapi.json", 200),
]


@pytest.mark.parametrize(("path", "status"), PATHS)
async def test_paths_are_read_as_they_were_sent(api: Api, path: str, status: int) -> None:
    answer = await api.ask("GET", path)
    assert answer.status == status
    assert {name: answer.headers[name] for name in SECURITY if name != "content-security-policy"}.items() <= SECURITY.items()


async def test_a_method_that_a_path_has_not_is_refused_with_those_it_has(api: Api) -> None:
    for path, allowed in (("/api/customers", "GET, HEAD, POST"), ("/api/keys/ci/rotate", "POST")):
        answer = await api.ask("PUT", path)
        answer.problem(405, "method_not_allowed")
        assert answer.headers["allow"] == allowed


async def test_head_answers_as_get_does_without_the_body(api: Api) -> None:
    head, get = await api.ask("HEAD", "/api/customers/acme"), await api.ask("GET", "/api/customers/acme")
    assert head.body == b"" and head.status == 200
    same = ("content-length", "content-type", "etag")
    assert [head.headers[name] for name in same] == [get.headers[name] for name in same]


BODIES: list[tuple[object, dict[str, str], int, str, str]] = [
    (b"{", {}, 400, "invalid_json", "cannot be read"),
    (b"[]", {}, 400, "invalid_json", "not a JSON object"),
    (b'{"name": "a", "name": "b"}', {}, 400, "invalid_json", '"name" is there twice'),
    (b'{"name": NaN}', {}, 400, "invalid_json", "cannot be read"),
    (b'{"name": "\\ud800"}', {}, 400, "invalid_json", "cannot be read"),
    (b'{"name": "\xff"}', {}, 400, "invalid_json", "cannot be read"),
    (b"[" * 100_000, {}, 400, "invalid_json", "cannot be read"),
    (b'{"name": ' + b"9" * 10_000 + b"}", {}, 400, "invalid_json", "out of range"),
    ({"name": 5}, {}, 422, "invalid", "name: must be text in quotes"),
    (b'{"name": "a"}', {"content_type": "text/plain"}, 415, "unsupported_media_type", "text/plain"),
    (b'{"name": "a"}', {"content_type": ""}, 415, "unsupported_media_type", "missing"),
    (b'{"name": "a"}', {"content_encoding": "gzip"}, 415, "unsupported_media_type", "Content-Encoding"),
    (b" " * (http.BODY_BYTES_MAX + 1), {}, 413, "body_too_large", "too large"),
    (b" " * (http.BODY_BYTES_MAX + 1), {"content_length": "10"}, 413, "body_too_large", "too large"),
    (b"{}", {"content_length": str(1 << 40)}, 413, "body_too_large", "too large"),
    (None, {}, 400, "invalid_json", "cannot be read"),
    ({}, {}, 422, "invalid", "name: is required"),
    ({"nmae": "a"}, {}, 422, "invalid", 'nmae: unknown field; did you mean "name"?'),
]


@pytest.mark.parametrize(("body", "headers", "status", "slug", "said"), BODIES, ids=range(len(BODIES)))
async def test_a_body_that_cannot_be_taken_is_refused_by_name(
    api: Api, body: object, headers: dict[str, str], status: int, slug: str, said: str
) -> None:
    answer = await api.ask("POST", "/api/customers", body, **headers)
    assert said in answer.problem(status, slug)["detail"]
    assert answer.headers["cache-control"] == "no-store"


async def test_json_says_its_type_in_more_than_one_way(api: Api) -> None:
    for at, kind in enumerate(("application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json")):
        assert (await api.ask("POST", "/api/customers", {"name": f"c{at}"}, content_type=kind)).status == 201


async def test_a_query_that_a_path_has_not_is_refused(api: Api) -> None:
    for path in ("/api/customers/acme?x=1", "/api/status?verbose=1", "/api/config?x", "/api/docs?x=1"):
        (await api.ask("GET", path)).problem(422, "invalid")
    for query, message in (("q=a&q=b", "is given twice"), ("sotr=name", 'unknown parameter; did you mean "sort"?')):
        problem = (await api.ask("GET", f"/api/customers?{query}")).problem(422, "invalid")
        assert problem["errors"] == [{"in": "query", "field": query.partition("=")[0], "message": message}]


async def test_nothing_answers_another_origin(api: Api) -> None:
    for method in ("GET", "OPTIONS"):
        answer = await api.ask(method, "/api/customers", origin="https://evil.example")
        assert not [name for name in answer.headers if name.startswith("access-control-")]


# --- beside the data plane ---------------------------------------------------------------------------------------------


def plant(api: Api, monkeypatch: pytest.MonkeyPatch, perform: Callable[[Any, Any], Answered]) -> None:
    """From now on GET /api/status does this."""
    for _, operations in api.app._api._routes:  # type: ignore[attr-defined]
        if "GET" in operations and operations["GET"].id == "get_status":
            monkeypatch.setitem(operations, "GET", msgspec.structs.replace(operations["GET"], perform=perform))


async def test_the_loop_goes_on_while_an_operation_takes_its_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.ask("GET", "/api/status")
    begun, go_on = threading.Event(), threading.Event()
    where: list[int] = []

    def slow(desk: object, ask: object) -> Answered:
        where.append(threading.get_ident())
        begun.set()
        assert go_on.wait(10)
        return json_answer({})

    plant(api, monkeypatch, slow)
    waiting = [asyncio.create_task(api.ask("GET", "/api/status")) for _ in range(3)]
    assert await asyncio.to_thread(begun.wait, 10), "this very loop is free meanwhile"
    assert not any(task.done() for task in waiting)
    go_on.set()
    assert [answer.status for answer in await asyncio.gather(*waiting)] == [200] * 3
    assert len(set(where)) == 1 and threading.get_ident() not in where, "one thread, and not the loop's"


async def test_more_requests_than_are_sensible_are_refused_at_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.ask("GET", "/api/status")
    go_on = threading.Event()

    def slow(desk: object, ask: object) -> Answered:
        assert go_on.wait(10)
        return json_answer({})

    plant(api, monkeypatch, slow)
    waiting = [asyncio.create_task(api.ask("GET", "/api/status")) for _ in range(http.OPEN_MAX)]
    while api.app._api._open < http.OPEN_MAX:  # type: ignore[attr-defined]
        await asyncio.sleep(0)
    answer = await api.ask("GET", "/api/status")
    answer.problem(503, "busy")
    assert answer.headers["retry-after"] == "1"
    go_on.set()
    assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}
    assert (await api.ask("GET", "/api/customers")).status == 200


async def test_a_bug_is_answered_as_such_and_reported_to_the_server(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.ask("GET", "/api/status")

    def broken(desk: object, ask: object) -> Answered:
        raise ZeroDivisionError("secret words of the bug")

    plant(api, monkeypatch, broken)
    answers: list[Any] = []
    monkeypatch.setattr("tests.control.api.Client.send", lambda self, message: _kept(answers, message))
    with pytest.raises(ZeroDivisionError):
        await api.ask("GET", "/api/status")
    assert answers[0]["status"] == 500 and b'"slug":"internal"' in answers[1]["body"]
    assert b"secret words" not in answers[1]["body"]


async def _kept(answers: list[Any], message: Any) -> None:
    answers.append(message)


async def test_an_unusable_database_is_said_to_be_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.ask("GET", "/api/status")

    def unusable(desk: object, ask: object) -> Answered:
        raise StoreError("gw.db: database is locked")

    plant(api, monkeypatch, unusable)
    answer = await api.ask("GET", "/api/status")
    assert "locked" in answer.problem(503, "database_unavailable")["detail"]
    assert answer.headers["retry-after"] == "2"


LOADED = """
import sys
from gw.control.app import control_app
control_app(None)
print([name for name in ("starlette", "sqlite3", "aiosqlite", "concurrent.futures.thread") if name in sys.modules])
"""


def test_a_worker_loads_nothing_of_it_before_it_is_asked() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED], cwd=house.ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


async def test_many_first_requests_load_it_once(api: Api) -> None:
    answers = await asyncio.gather(*(api.ask("GET", "/api/status", token=TOKEN) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
