"""The log over HTTP: pages, CSV, one call, sessions; who may see what; what is refused, and how."""

import csv
import io
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gw.control.http_operations import openapi_document
from gw.ledger import logs
from gw.ledger.bounded import TooSlow
from gw.ledger.log_columns import BY_NAME
from gw.ledger.sqlite import SqliteDatabase
from tests.control.api import Api, serving
from tests.control.test_session import in_force
from tests.ledger.log_rows import calls, fill
from tests.ledger.records import NOON_US, record

RECORDS = calls(60)
DRAFT = "https://json-schema.org/draft/2020-12/schema"


@pytest.fixture
async def filled(api: Api) -> Api:
    await fill(ledger(api), RECORDS)
    return api


def ledger(api: Api) -> SqliteDatabase:
    return SqliteDatabase(Path(api.worker.snapshot.config.storage.address.removeprefix("sqlite:///")))


def fits(name: str, value: Any) -> None:
    components = openapi_document()["components"]
    schema = {"$ref": f"#/components/schemas/{name}", "components": components, "$schema": DRAFT}
    jsonschema_rs.validator_for(schema).validate(value)


async def test_pages_follow_each_other_and_say_how_many_there_are(filled: Api) -> None:
    seen: list[str] = []
    path = "/api/logs?limit=25&sort=-cost&outcome=completed"
    answer = await filled.ask("GET", path)
    assert answer.headers["cache-control"] == "no-store"
    while True:
        fits("CallPage", answer.json)
        seen += [one["call_id"] for one in answer.json["items"]]
        count = sum(one.outcome == "completed" for one in RECORDS)
        assert (answer.json["count"], answer.json["count_is"]) == (count, "exact")
        if not answer.json["next_cursor"]:
            break
        answer = await filled.ask("GET", f"{path}&cursor={answer.json['next_cursor']}")
    assert len(seen) == len(set(seen)) == count
    uncounted = (await filled.ask("GET", f"{path}&count=false")).json
    assert (uncounted["count"], uncounted["count_is"]) == (None, "unknown")


async def test_columns_are_chosen(filled: Api) -> None:
    found = (await filled.ask("GET", "/api/logs?limit=1&fields=cost_usd,ended_at,stream,seq_")).problem(422, "invalid")
    assert "there is no column" in found["detail"]
    (one,) = (await filled.ask("GET", "/api/logs?limit=1&fields=cost_usd,ended_at,stream")).json["items"]
    assert one.keys() == {"seq", "billed_usd", "ended_at", "stream"} and one["ended_at"].endswith("Z")
    (whole,) = (await filled.ask("GET", "/api/logs?limit=1&fields=*")).json["items"]
    assert whole.keys() == {"seq", *BY_NAME}
    fits("Call", whole)


REFUSED = [
    ("teem=x", "teem"),
    ("team.gte=x", "team.gte"),
    ("status.gte=x", "status.gte"),
    ("sort=team", "sort"),
    ("limit=0", "limit"),
    ("limit=501", "limit"),
    ("count=maybe", "count"),
    ("cursor=x", "cursor"),
    ("cursor=gKE%3D", "cursor"),
    ("since=never", "since"),
    ("team=%00", "team"),
    ("team=a&team=b", "team"),
]


@pytest.mark.parametrize(("query", "field"), REFUSED, ids=[query for query, _ in REFUSED])
async def test_what_is_wrong_is_named(api: Api, query: str, field: str) -> None:
    of_lists = field in ("sort", "limit", "count", "cursor")
    for path in ("/api/logs", *(() if of_lists else ("/api/logs.csv", "/api/live"))):
        errors = (await api.ask("GET", f"{path}?{query}")).problem(422, "invalid")["errors"]
        assert [one["field"] for one in errors] == [field]


async def test_a_cursor_is_for_the_list_that_gave_it(filled: Api) -> None:
    cursor = (await filled.ask("GET", "/api/logs?limit=2&team=a")).json["next_cursor"]
    assert (await filled.ask("GET", f"/api/logs?limit=5&team=a&cursor={cursor}")).status == 200
    for other in ("team=b", "team=a&sort=cost", ""):
        (await filled.ask("GET", f"/api/logs?{other}&cursor={cursor}")).problem(422, "invalid")


async def test_csv_is_safe_to_open(api: Api) -> None:
    rows = [record("c1", team="=1+1", project='a"b,c', billed_pusd=5 * 10**11, started_us=NOON_US, ended_us=NOON_US)]
    await fill(ledger(api), [*rows, record("c2", team="@x", stream=False, ended_us=NOON_US + 1)])
    path = "/api/logs.csv?fields=call_id,team,project,cost_usd,stream,charged_at&limit=1"
    answer = await api.ask("GET", path)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8" and "attachment" in answer.headers["content-disposition"]
    following = await api.ask("GET", f"{path}&cursor={answer.headers['x-next-cursor']}")
    assert list(csv.reader(io.StringIO(answer.body.decode())))[1] == ["c2", "'@x", "", "0", "false", ""]
    head, row = csv.reader(io.StringIO(following.body.decode()))
    assert head == ["call_id", "team", "project", "billed_usd", "stream", "charged_at"]
    assert row == ["c1", "'=1+1", 'a"b,c', "0.5", "true", ""] and "x-next-cursor" not in following.headers
    noted = (await api.ask("GET", "/api/audit?kind=report")).json["items"]
    assert [(one["action"], one["name"], one["after"]["lines"]) for one in noted] == [("download", "calls", 1)] * 2


async def test_one_call_with_everything_about_it(api: Api) -> None:
    made = record(
        "c1",
        session_id="s1",
        upstream="fake",
        requested_model="claude-opus-5-5",
        served_model="claude-opus-5-5",
        started_us=NOON_US,
        charged_us=NOON_US + 20_000,
        first_byte_us=NOON_US + 120_000,
        first_token_us=NOON_US + 150_000,
        ended_us=NOON_US + 1_500_000,
        upstream_status=200,
        retries=2,
        price_version="of old#anthropic/claude-opus-5-5",
        usage_source="exact",
        billed_pusd=10**12,
    )
    await fill(ledger(api), [made])
    found = (await api.ask("GET", "/api/logs/c1")).json
    fits("CallView", found)
    assert found["call"]["call_id"] == "c1" and found["cost"]["now_usd"] == "1" and not found["cost"]["known"]
    assert "not in force any more" in found["cost"]["said"] and found["cost"]["source"] == "of old"
    steps = [(one["name"], one["from_ms"], one["to_ms"]) for one in found["timing"]["steps"]]
    assert steps == [
        ("waiting for a budget", 0, 20),
        ("upstream to its first byte", 20, 120),
        ("first byte to first token", 120, 150),
        ("to the end", 150, 1500),
    ]
    assert found["attempts"]["count"] == 3 and found["links"]["session"] == "/api/sessions/s1"
    (await api.ask("GET", "/api/logs/nobody")).problem(404, "not_found")
    (await api.ask("GET", "/api/logs/%00")).problem(404, "not_found")


async def test_a_call_tells_of_its_attempts_of_all_rows_of_its_request_and_of_its_way(api: Api) -> None:
    attempts = '[["fake",529,"upstream_overloaded_error",40],["fake",0,"first_byte_timeout",500]]'
    left = record("a1", upstream="fake", outcome="timed_out", status=0, usage_source="estimated", billed_pusd=10**9)
    last = record(
        "a2",
        started_us=NOON_US + 600_000,
        upstream="spare",
        dialect="chat",
        sent_model="llama-3.3-70b",
        route="rule:at night route:claude-* shadow:cheap",
        retries=2,
        upstream_status=200,
        attempts=attempts,
        attempt_of="a1",
    )
    own = record("a3", upstream="fake", attempts='[["fake",500,"upstream_api_error",40]]', upstream_status=200, retries=1)
    await fill(ledger(api), [left, last, own])
    found = (await api.ask("GET", "/api/logs/a2")).json
    fits("CallView", found)
    before = found["attempts"]["before"]
    assert [(one["upstream"], one["status"], one["ms"], one["then"]) for one in before] == [
        ("fake", 529, 40, "again"),
        ("fake", 0, 500, "elsewhere"),
    ]
    rows = [(one["call_id"], one["outcome"], one["billed_usd"], one["this"]) for one in found["attempts"]["rows"]]
    assert rows == [("a1", "timed_out", "0.001", False), ("a2", "completed", "0", True)]
    assert (found["attempts"]["count"], found["attempts"]["left"]) == (3, False)
    assert found["route"] == {
        "dialect": "chat",
        "requested_model": "claude-sonnet-4-5",
        "sent_model": "llama-3.3-70b",
        "provider": "",
        "reasons": ["rule:at night", "route:claude-*", "shadow:cheap"],
    }
    first = (await api.ask("GET", "/api/logs/a1")).json
    assert first["attempts"]["left"] and [one["call_id"] for one in first["attempts"]["rows"]] == ["a1", "a2"]
    assert (first["route"]["dialect"], first["route"]["provider"], first["route"]["reasons"]) == ("anthropic", "anthropic", [])
    alone = (await api.ask("GET", "/api/logs/a3")).json
    assert alone["attempts"]["rows"] == []
    assert alone["timing"]["steps"][0] == {"name": "fake failed (500)", "from_ms": 0, "to_ms": 40}
    by_itself = ("route=*night*", "dialect=chat", "attempt_of=a1", "sent_model=llama-*")
    for query, ids in [("failed_attempts.gt=0", {"a2", "a3"}), *((one, {"a2"}) for one in by_itself)]:
        assert {one["call_id"] for one in (await api.ask("GET", f"/api/logs?{query}")).json["items"]} == ids


async def test_sessions_over_http(filled: Api) -> None:
    found = (await filled.ask("GET", "/api/sessions?limit=1&sort=-billed_usd&session=5e55*")).json
    fits("SessionsPage", found)
    again = (await filled.ask("GET", f"/api/sessions?limit=1&sort=-billed_usd&session=5e55*&cursor={found['next_cursor']}")).json
    assert {found["items"][0]["session_id"], again["items"][0]["session_id"]} <= {"5e55-1", "5e55-2"}
    assert again["count"] == found["count"] and again["count_is"] == "exact"
    detail = (await filled.ask("GET", "/api/sessions/5e55-1?limit=3")).json
    fits("SessionDetail", detail)
    mine = [one for one in RECORDS if one.session_id == "5e55-1"]
    assert len(detail["calls"]) == 3 and detail["next_cursor"] == "3" and detail["complete"]
    assert sum(turn["calls"] for turn in detail["turns"]) == len(mine)
    rest = (await filled.ask("GET", f"/api/sessions/5e55-1?limit=500&cursor={detail['next_cursor']}")).json["calls"]
    mine.sort(key=lambda one: one.started_us)
    assert [one["call_id"] for one in detail["calls"] + rest] == [one.call_id for one in mine]
    (await filled.ask("GET", "/api/sessions/none")).problem(404, "not_found")
    for query in ("teem=x", "sort=x", "cursor=x", "cursor=kgEC", "calls.gte=x", "limit=0", "count=x"):
        (await filled.ask("GET", f"/api/sessions?{query}")).problem(422, "invalid")
    (await filled.ask("GET", "/api/sessions/5e55-1?cursor=x")).problem(422, "invalid")


async def test_what_takes_too_long_says_what_to_narrow(filled: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> None:
        raise TooSlow("no answer within 5 s")

    monkeypatch.setattr(logs, "page", slow)
    problem = (await filled.ask("GET", "/api/logs")).problem(422, "too_broad")
    assert "5 s" in problem["detail"] and "since" in problem["hint"]


async def test_a_virtual_key_sees_its_own_calls_alone(tmp_path: Path, token: str) -> None:
    async with serving(tmp_path) as api:
        made = (await api.made("keys", name="anna", team="platform")).json
        own = {"key_name": "anna", "key_id": made["public_id"], "session_id": "s"}
        await fill(ledger(api), [record("mine", **own), record("other", key_name="ci", session_id="s")])
        in_force(api)
        for path, found in (("/api/logs?fields=call_id", "call_id"), ("/api/sessions", "key")):
            (one,) = (await api.ask("GET", path, token=made["key"])).json["items"]
            assert one[found] in ("mine", "anna")
        assert (await api.ask("GET", "/api/logs/mine", token=made["key"])).status == 200
        (await api.ask("GET", "/api/logs/other", token=made["key"])).problem(404, "not_found")
        detail = (await api.ask("GET", "/api/sessions/s", token=made["key"])).json
        assert [one["call_id"] for one in detail["calls"]] == ["mine"]
        assert (await api.ask("GET", "/api/logs?key=ci", token=made["key"])).json["items"] == []
        (await api.ask("GET", "/api/logs", token=None)).problem(401, "admin_token_missing")
