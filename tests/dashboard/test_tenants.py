"""Whoever signed in with a virtual key gets nothing of another key by any operation that only looks: own rows, or a plain no."""

import re
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import httpx
import pytest

from gw.control.http_operations import OPERATIONS, openapi_document
from tests.dashboard.test_overview import exactly
from tests.support.gateway import GatewayUnderTest, Row

NAMES = ("ada", "grace", "marie")
LOOKS = [one for one in OPERATIONS if one.method == "GET" and not one.public]
ENDLESS = {"/api/live"}


@pytest.fixture
def ada(gateway: GatewayUnderTest, traffic: int, keys: dict[str, str]) -> Iterator[httpx.Client]:
    """A browser in which ada has signed in."""
    with httpx.Client(base_url=gateway.base_url.removesuffix("/anthropic"), timeout=20) as client:
        answer = client.post("/api/session", json={"token": keys["ada"]})
        assert answer.status_code == 200
        yield client


def rows_of(gateway: GatewayUnderTest, name: str) -> list[Row]:
    return gateway.rows("key_name = ?", [name])


def foreign(gateway: GatewayUnderTest) -> set[str]:
    """All that names a call, a session or an account of the others: of the team mate, and of the other team."""
    others = rows_of(gateway, "grace") + rows_of(gateway, "marie")
    columns = ("call_id", "session_id", "key_id", "key_name", "project", "prompt_id", "agent_id", "upstream_request_id")
    found = {str(row[column]) for row in others for column in columns}
    own = {str(row[column]) for row in rows_of(gateway, "ada") for column in columns}
    return (found | {"research"}) - own - {""}


def asked(path: str, row: Row) -> str:
    """The path of an operation with what stands for its parts taken from a call."""
    parts = {"call_id": row["call_id"], "session_id": row["session_id"], "kind": "key", "name": row["key_name"]}
    parts["id"] = row["session_id"] if "sessions" in path else "1"
    return re.sub(r"{(\w+)}", lambda found: str(parts.get(found[1], row["key_name"])), path)


def test_each_look_answers_with_the_keys_own_rows_or_a_no(ada: httpx.Client, gateway: GatewayUnderTest) -> None:
    secrets = foreign(gateway)
    allowed, mine = set(), rows_of(gateway, "ada")[0]
    for operation in LOOKS:
        if operation.path in ENDLESS:
            continue
        for row in (mine, rows_of(gateway, "grace")[0], rows_of(gateway, "marie")[0]):
            path = asked(operation.path, row)
            for query in ("", "?key=grace", "?team=research", "?q=marie", "?group_by=key,team,project&measures=calls"):
                answer = ada.get(path + query)
                said = answer.text.replace(path, "")  # a no may repeat what was asked for
                where = f"{path}{query}: {answer.status_code}"
                if answer.status_code == 200:
                    allowed.add(operation.path)
                    assert operation.keys, where
                    assert not [one for one in secrets if one in said], where
                else:
                    assert answer.status_code in ((404, 422, 400) if operation.keys else (403,)), where
                    for one in ("call_id", "session_id"):
                        said = said.replace(str(row[one]), "")
                    assert operation.keys is False or not [one for one in secrets - {row["key_name"]} if one in said], where
    assert allowed >= {"/api/usage", "/api/usage/overview", "/api/logs", "/api/logs/{call_id}", "/api/sessions", "/api/mine"}


def test_the_document_names_no_look_that_was_left_out() -> None:
    paths = {path for path, methods in openapi_document()["paths"].items() if "get" in methods}
    assert paths == {one.path for one in LOOKS} | {one.path for one in OPERATIONS if one.method == "GET" and one.public}


def test_calls_and_sessions_of_others_are_not_there(ada: httpx.Client, gateway: GatewayUnderTest) -> None:
    for name in ("grace", "marie"):
        for row in rows_of(gateway, name)[:3]:
            for path in (f"/api/logs/{row['call_id']}", f"/api/sessions/{row['session_id']}"):
                answer = ada.get(path)
                assert (answer.status_code, answer.json()["slug"]) == (404, "not_found"), path
    assert ada.get(f"/api/logs/{rows_of(gateway, 'ada')[0]['call_id']}").status_code == 200


def test_sums_are_of_the_keys_own_calls_exactly(ada: httpx.Client, gateway: GatewayUnderTest) -> None:
    before = exactly(gateway, "key_name = ?", ("ada",))
    for query in ("", "&group_by=team", "&group_by=customer", "&group_by=model&top=1", "&team=platform"):
        found = ada.get(f"/api/usage?from=1d&measures=billed_usd,calls{query}").json()
        assert before <= Decimal(found["totals"]["values"]["billed_usd"]) <= exactly(gateway, "key_name = ?", ("ada",)), query
    overview = ada.get("/api/usage/overview").json()
    assert before <= Decimal(overview["values"]["billed_usd"]) <= exactly(gateway, "key_name = ?", ("ada",))
    assert [one["name"] for one in overview["series"]["key"]] == ["ada"]


def tail(client: httpx.Client, quiet_s: float) -> str:
    """All that comes until nothing has come for so long."""
    got = ""
    with suppress(httpx.ReadTimeout), client.stream("GET", "/api/live?after=0", timeout=quiet_s) as answer:
        assert answer.status_code == 200
        for text in answer.iter_text():
            got += text
    return got


def test_the_live_tail_tells_of_own_calls_alone(ada: httpx.Client, gateway: GatewayUnderTest) -> None:
    got = next((told for quiet_s in (1, 5, 25) if "event: call" in (told := tail(ada, quiet_s))), "")
    assert got.count("event: call") >= 1
    assert not [one for one in foreign(gateway) if one in got]


def test_what_is_the_admins_is_refused_by_name(ada: httpx.Client) -> None:
    refused = [one for one in LOOKS if not one.keys]
    assert len(refused) > 10
    row: dict[str, Any] = {"call_id": "gw_1", "session_id": "s", "key_name": "grace"}
    for operation in refused:
        answer = ada.get(asked(operation.path, row))
        assert (answer.status_code, answer.json()["slug"]) == (403, "virtual_key_refused"), operation.path
