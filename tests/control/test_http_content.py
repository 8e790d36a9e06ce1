"""GET /api/logs/{call_id}/conversation: readable, byte by byte, and never unnoticed."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gw.config.model import Config
from gw.content import found
from gw.control import http_content
from gw.ledger.content import content_database
from gw.ledger.database import database_of
from gw.ledger.store import StoreError
from tests.content.keeping import Store, content, key
from tests.content.session import Talk, stream_of
from tests.control.api import CONFIG, TOKEN, Api, serving
from tests.control.test_session import in_force
from tests.ledger.log_rows import fill
from tests.ledger.records import NOON_US, record

KEEPING = CONFIG + '\n[content]\nstore = "all"\n'
BODY = next(Talk().bodies(1))
ANSWER = stream_of("the answer is zanzibar " * 9)
PATH = "/api/logs/{}/conversation"


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setenv("GW_ADMIN_TOKEN", TOKEN)
    async with serving(tmp_path, KEEPING) as one:
        yield one


def store_of(api: Api, **settings: Any) -> Store:
    return Store(api.worker.snapshot.config.storage.address, content(**settings))


async def audit(api: Api) -> list[dict[str, Any]]:
    """Of conversations, the newest first."""
    items: list[dict[str, Any]] = (await api.ask("GET", "/api/audit")).json["items"]
    return [item for item in items if item["kind"] == "call"]


async def test_a_conversation_is_shown_and_that_it_was_is_noted(api: Api) -> None:
    store = store_of(api)
    store.request("gw_1", BODY)
    store.answer("gw_1", ANSWER)
    found = await api.ask("GET", PATH.format("gw_1"), x_gw_actor="alice")
    assert found.status == 200 and found.headers["cache-control"] == "no-store"
    shown = found.json
    assert shown["messages"] == json.loads(BODY)["messages"] and shown["parameters"]["model"] == "claude-opus-5-5"
    assert shown["answer"]["content"][1]["text"] == "the answer is zanzibar " * 9
    assert (shown["key"], shown["team"], shown["session_id"], shown["request_bytes"]) == ("ci", "platform", "s1", len(BODY))
    (entry, *_) = await audit(api)
    assert (entry["action"], entry["kind"], entry["name"], entry["actor"]) == (
        "read_conversation", "call", "gw_1", "admin token (alice)",
    )  # fmt: skip


@pytest.mark.parametrize(("part", "wanted"), [("", BODY), ("&part=request", BODY), ("&part=answer", ANSWER)])
async def test_raw_is_byte_by_byte(api: Api, part: str, wanted: bytes) -> None:
    store = store_of(api)
    store.request("gw_1", BODY)
    store.answer("gw_1", ANSWER)
    found = await api.ask("GET", PATH.format("gw_1") + f"?raw=true{part}")
    assert (found.status, found.body, found.headers["content-type"]) == (200, wanted, "application/octet-stream")
    assert (await audit(api))[0]["after"] == {"raw": "answer" if "answer" in part else "request"}


async def test_of_a_call_without_content_nothing_is_shown_or_noted(api: Api) -> None:
    (await api.ask("GET", PATH.format("gw_none"))).problem(404, "not_found")
    store_of(api).request("gw_1", BODY)
    (await api.ask("GET", PATH.format("gw_none"))).problem(404, "not_found")
    assert await audit(api) == []


async def test_why_something_is_missing_is_said(api: Api) -> None:
    store_of(api).dropped("gw_1", "request", "too_large")
    shown = (await api.ask("GET", PATH.format("gw_1"))).json
    assert (shown["request_problem"], shown["messages"], shown["answer"]) == ("too_large", [], None)


async def test_without_the_key_it_is_said_what_to_do(api: Api) -> None:
    store_of(api, encryption_key=key(1)).request("gw_1", BODY)
    problem = (await api.ask("GET", PATH.format("gw_1"))).problem(503, "content_unreadable")
    assert "encryption_key" in problem["detail"]
    assert await audit(api) == []


@pytest.mark.parametrize("query", ["raw=yes", "raw=true&part=both", "part=answer", "deep=1"])
async def test_other_questions_are_refused(api: Api, query: str) -> None:
    store_of(api).request("gw_1", BODY)
    (await api.ask("GET", PATH.format("gw_1") + f"?{query}")).problem(422, "invalid")


async def test_only_an_admin_may_read(api: Api) -> None:
    (await api.ask("GET", PATH.format("gw_1"), token=None)).problem(401, "admin_token_missing")


async def test_nothing_is_shown_that_cannot_be_noted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    store_of(api).request("gw_1", BODY)
    monkeypatch.setattr(http_content, "note", full)
    (await api.ask("GET", PATH.format("gw_1"))).problem(503, "database_unavailable")


async def test_the_log_finds_calls_by_what_was_said_and_that_it_was_searched_is_noted(api: Api) -> None:
    store = store_of(api)
    records = [record(f"gw_{at}", key_name="ci", key_id="kid", ended_us=NOON_US + at) for at in range(5)]
    await fill(database_of(store.address), records)
    for at in range(4):
        store.answer(f"gw_{at}", ANSWER)
    path = "/api/logs?content=zanz*&outcome=completed&limit=3&fields=call_id"
    first = (await api.ask("GET", path, x_gw_actor="alice")).json
    assert ([one["call_id"] for one in first["items"]], first["count"]) == (["gw_3", "gw_2", "gw_1"], 4)
    second = (await api.ask("GET", f"{path}&cursor={first['next_cursor']}")).json
    assert ([one["call_id"] for one in second["items"]], second["next_cursor"]) == (["gw_0"], None)
    (await api.ask("GET", f"{path.replace('zanz*', 'other')}&cursor={first['next_cursor']}")).problem(422, "invalid")
    csv = await api.ask("GET", "/api/logs.csv?content=zanzibar&fields=call_id")
    assert csv.body.decode().split() == ["call_id", "gw_3", "gw_2", "gw_1", "gw_0"]
    assert (await api.ask("GET", "/api/logs?content=absent")).json["items"] == []
    notes = (await api.ask("GET", "/api/audit?kind=content")).json["items"]
    assert [(one["action"], one["name"], one["after"]) for one in notes] == [
        ("search_conversations", "absent", {"calls": 0}),
        ("search_conversations", "zanzibar", {"calls": 4}),
        ("search_conversations", "zanz*", {"calls": 4}),
    ]
    assert notes[-1]["actor"] == "admin token (alice)"


@pytest.mark.parametrize("query", ["content=...", "content=%00", f"content={'a' * 501}", f"content={'a+' * 33}"])
async def test_a_search_that_cannot_be_is_refused_by_its_name(api: Api, query: str) -> None:
    store_of(api).request("gw_1", BODY)
    (error,) = (await api.ask("GET", f"/api/logs?{query}")).problem(422, "invalid")["errors"]
    assert error["field"] == "content"
    (await api.ask("GET", "/api/live?content=word")).problem(422, "invalid")


async def test_too_many_calls_say_how_to_find_fewer(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(api)
    for at in range(2):
        store.answer(f"gw_{at}", ANSWER)
    monkeypatch.setattr(found, "FOUND_MAX", 1)
    problem = (await api.ask("GET", "/api/logs?content=zanzibar")).problem(422, "too_broad")
    assert "more than 1" in problem["detail"] and "since" in problem["hint"]


async def test_a_virtual_key_finds_what_was_said_to_itself_alone(api: Api) -> None:
    made = (await api.made("keys", name="anna", team="platform")).json
    own = {"key_name": "anna", "key_id": made["public_id"], "team": "platform"}
    store = store_of(api)
    await fill(database_of(store.address), [record("mine", **own), record("other", key_name="ci", key_id="kid")])
    store.answer("mine", ANSWER, **own)
    store.answer("other", ANSWER)
    in_force(api)
    shown = (await api.ask("GET", "/api/logs?content=zanzibar", token=made["key"])).json
    assert ([one["call_id"] for one in shown["items"]], shown["count"]) == (["mine"], 1)
    for query in ("content=zanzibar&key=ci", "content=zanzibar&team=*&key_id=kid"):
        assert (await api.ask("GET", f"/api/logs?{query}", token=made["key"])).json["items"] == []
    notes = (await api.ask("GET", "/api/audit?kind=content")).json["items"]
    assert {(one["after"]["calls"], one["actor"]) for one in notes} == {(1, "virtual key (anna)"), (0, "virtual key (anna)")}


async def test_odd_conversations_are_json_all_the_same(api: Api) -> None:
    store = store_of(api)
    odd = [b"\xff\x00", b"[" * 5000, b'{"messages":{"a":"\\ud800","b":1e999}}', b'{"system":"text","tools":null}']
    for number, body in enumerate(odd):
        store.request(f"gw_{number}", body)
        store.answer(f"gw_{number}", body)
        assert (await api.ask("GET", PATH.format(f"gw_{number}"))).status == 200


def test_the_store_lies_beside_a_ledger_in_sqlite() -> None:
    config = Config()
    assert content_database(config.storage.address).name.endswith("content.db")
