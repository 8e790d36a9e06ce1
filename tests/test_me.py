"""A caller asks where it stands: who it is, its budgets and limits as calls left them, and the cost of its session."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gw.demo.scripts import by_prompt
from gw.domain.key import mint
from gw.domain.money import nusd_from_usd, pusd_from_usd
from gw.keeper import flush_all
from gw.ledger.sqlite import SqliteStore
from gw.me import me_page, oauth_usage_page
from tests.flow.stage import MODEL, prompt
from tests.support import one_worker
from tests.support.one_worker import Client, OneWorker, scope

ANNA, BOB, GONE = (mint().text for _ in range(3))
MORE = f"""
[[customer]]
name = "acme"
[[team]]
name = "platform"
customer = "acme"
[[key]]
name = "anna"
team = "platform"
secret = "{ANNA}"
session_limit_usd = "5"
[[key]]
name = "bob"
secret = "{BOB}"
models = ["claude-*"]
[[key]]
name = "gone"
secret = "{GONE}"
active = false
[[budget]]
name = "platform"
team = "platform"
limit_usd = "100"
contact = "finops"
[[budget]]
name = "opus"
model = "claude-opus-*"
limit_usd = "50"
window = "day"
mode = "soft"
[[budget]]
name = "fake"
upstream = "fake"
limit_usd = "1000"
mode = "shadow"
[[budget]]
name = "alpha"
project = "alpha"
limit_usd = "7"
window = "lifetime"
[[limit]]
name = "bursts"
key = "*"
each = true
requests = 60
per = "1m"
burst = "2"
"""
SESSION = b"0c1f2e3d-0000-4000-8000-000000000001"


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OneWorker]:
    monkeypatch.setattr(one_worker, "CONFIG", one_worker.CONFIG + MORE)
    one = OneWorker(tmp_path, by_prompt)
    await one.open(tmp_path)
    yield one
    await one.close()


async def ask(
    house: OneWorker, key: str, *more: tuple[bytes, bytes], query: bytes = b"", page: Any = me_page, method: str = "GET"
):
    """(status, headers, body)."""
    client = Client()
    headers = [(b"x-api-key", key.encode())] if key else []
    await page(house.worker, scope(method, "/api/me", [*headers, *more]) | {"query_string": query}, client.send)
    assert client.ended
    return client.messages[0]["status"], dict(client.messages[0]["headers"]), client.body


async def told(house: OneWorker, key: str, *more: tuple[bytes, bytes], query: bytes = b"") -> dict[str, Any]:
    status, headers, body = await ask(house, key, *more, query=query)
    assert status == 200 and headers[b"cache-control"] == b"no-store" and int(headers[b"content-length"]) == len(body)
    document: dict[str, Any] = json.loads(body)
    return document


async def spend(house: OneWorker, key: str, session: bytes = SESSION, project: bytes = b"") -> int:
    """Makes a call; what it cost, in pico-USD."""
    client = Client(prompt(stream=False))
    headers = [(b"x-api-key", key.encode()), (b"x-claude-code-session-id", session), (b"x-gw-project", project)]
    await house.app(scope(headers=headers), client.receive, client.send)
    assert client.messages[0]["status"] == 200
    return pusd_from_usd(dict(client.messages[0]["headers"])[b"x-gw-cost-usd"].decode())


async def to_ledger(house: OneWorker) -> None:
    store = SqliteStore(house.state_dir / "gw.db")
    await asyncio.to_thread(lambda: asyncio.run(flush_all(house.state_dir, store)))


def names(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["id"], one["account"]) for one in document["budgets"]]


async def test_a_key_sees_itself_and_the_budgets_of_its_calls(house: OneWorker):
    said = await told(house, ANNA)
    key = said["key"]
    assert (key["name"], key["team"], key["customer"], key["models"], key["expires_at"]) == (
        "anna",
        "platform",
        "acme",
        ["*"],
        None,
    )
    assert key["id"] == ANNA[4:16]
    assert names(said) == [("platform", "platform"), ("fake", "fake")]
    assert said["budgets"][0]["contact"] == "finops" and said["session"] is None
    (limit,) = said["limits"]
    assert (limit["id"], limit["account"], limit["available"], limit["clears_in_s"]) == ("bursts", "anna", 2, 0)


async def test_what_is_asked_of_a_model_a_project_a_session_has_their_budgets(house: OneWorker):
    said = await told(house, ANNA, (b"x-gw-project", b"alpha"), query=b"model=Claude-Opus-5-5%5B1m%5D&session=" + SESSION)
    assert names(said) == [
        ("platform", "platform"),
        ("fake", "fake"),
        ("opus", "claude-opus-*"),
        ("alpha", "alpha"),
        ("anna#session", SESSION.decode()),
    ]
    by_header = await told(house, ANNA, (b"x-claude-code-session-id", SESSION))
    assert names(by_header)[-1] == ("anna#session", SESSION.decode())


async def test_spending_is_there_at_once_and_exactly(house: OneWorker):
    cost_pusd = await spend(house, ANNA) + await spend(house, ANNA, project=b"alpha")
    said = await told(house, ANNA, (b"x-gw-project", b"alpha"), query=b"model=" + MODEL.encode())
    spent = {one["id"]: nusd_from_usd(one["spent_usd"]) for one in said["budgets"]}
    assert 0 <= spent["platform"] * 1000 - cost_pusd < 2 * 1000  # each call is rounded up to a nano-USD
    assert spent["platform"] == spent["fake"] == spent["opus"] > spent["alpha"] > 0
    assert all(one["reserved_usd"] == "0" for one in said["budgets"])
    assert said["limits"][0]["available"] == 0
    bob = await told(house, BOB)
    assert bob["limits"][0]["available"] == 2 and names(bob) == [("fake", "fake")]


async def test_the_cost_of_a_session_is_its_callers_own(house: OneWorker):
    cost_pusd = await spend(house, ANNA)
    await spend(house, ANNA, session=b"another")
    await spend(house, BOB)
    await to_ledger(house)
    said = await told(house, ANNA, query=b"session=" + SESSION)
    assert said["session"] == {"id": SESSION.decode(), "calls": 1, "cost_usd": said["session"]["cost_usd"]}
    assert pusd_from_usd(said["session"]["cost_usd"]) == cost_pusd
    assert (await told(house, BOB, query=b"session=another"))["session"] == {"id": "another", "calls": 0, "cost_usd": "0"}


async def test_a_ledger_that_cannot_be_read_costs_the_session_alone(house: OneWorker):
    (house.state_dir / "gw.db-wal").unlink(missing_ok=True)
    (house.state_dir / "gw.db").write_bytes(b"no database" * 1000)
    said = await told(house, ANNA, query=b"session=s")
    assert said["session"] == {"id": "s", "calls": None, "cost_usd": None} and said["budgets"]


async def test_a_clients_own_credential_falls_under_what_is_nobodys(house: OneWorker):
    said = await told(house, "sk-ant-own")
    assert said["key"] is None and len(said["credential"]) == 16
    assert names(said) == [("fake", "fake")] and said["limits"] == []


REFUSED = [
    ("", b"", 401, "missing_credential"),
    ("gwk_damaged", b"", 401, "malformed_key"),
    (mint().text, b"", 401, "unknown_key"),
    (GONE, b"", 401, "revoked_key"),
    (BOB, b"model=gpt-5.2", 400, "model_not_allowed"),
]


@pytest.mark.parametrize(("key", "query", "status", "slug"), REFUSED)
@pytest.mark.parametrize("page", [me_page, oauth_usage_page])
async def test_who_may_not_call_may_not_ask(house: OneWorker, page: Any, key: str, query: bytes, status: int, slug: str):
    found, headers, body = await ask(house, key, query=query, page=page)
    assert (found, headers[b"x-gw-error"]) == (status, slug.encode()) and json.loads(body)["type"] == "error"
    assert house.new_records() == []


@pytest.mark.parametrize(
    "query", [b"session=%ff%fe&model=", b"\xff\xfe=%", b"session=%0d%0aSet-Cookie:x", b"session=" + b"x" * 5000]
)
async def test_odd_queries_are_read_as_far_as_they_go(house: OneWorker, query: bytes):
    said = await told(house, ANNA, query=query)
    session = said["session"]
    assert session is None or (session["id"].isprintable() and len(session["id"]) <= 128)


async def test_a_head_request_has_no_body(house: OneWorker):
    status, headers, body = await ask(house, ANNA, method="HEAD")
    assert (status, body) == (200, b"") and int(headers[b"content-length"]) > 100


async def test_usage_of_native_mode_is_of_the_fullest_budget(house: OneWorker):
    await spend(house, ANNA)
    status, _, body = await ask(house, ANNA, page=oauth_usage_page)
    said = json.loads(body)
    assert status == 200 and said["extra_usage"]["monthly_limit"] == 10_000
    assert [(row["kind"], row["group"], row["is_active"]) for row in said["limits"]] == [("spend", "monthly", True)]
    _, _, nothing = await ask(house, BOB, page=oauth_usage_page)
    assert json.loads(nothing) == {"limits": []}  # a shadow budget is not shown


async def test_asking_leaves_no_trace_in_the_shared_state(house: OneWorker):
    cells = house.worker.state.cells
    before = set(cells)
    await told(house, ANNA, (b"x-gw-project", b"alpha"), query=b"session=new&model=" + MODEL.encode())
    assert set(cells) == before
    house.assert_nothing_is_left()
