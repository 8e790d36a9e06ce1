"""GET /api/usage and /api/usage/overview: what is asked, what is answered, and what is wrong with a question."""

import asyncio
import csv
import io
from collections.abc import Iterator
from urllib.parse import urlencode

import jsonschema_rs
import pytest
from msgspec.structs import astuple

from gw.control.http_operations import openapi_document
from gw.domain.call import CallRecord
from gw.ledger import usage as ledger_usage
from gw.ledger.database import database_of
from gw.ledger.store import Batch
from tests.control.api import Answer, Api
from tests.ledger.records import NOON_US, record

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
USD = 10**12
SPAN = {"from": "2026-11-01", "to": "2026-11-04"}


@pytest.fixture
def used(api: Api) -> Iterator[Api]:
    """Four calls on three days, by two teams."""
    platform = {"team": "platform", "key_name": "ci", "key_id": "vk1", "customer": "acme", "session_id": "s"}
    calls = [
        record("a", billed_pusd=3 * USD, list_pusd=4 * USD, input_tokens=100, **platform),
        record("b", ended_us=NOON_US + DAY_US, billed_pusd=USD, team="=cmd()", key_name="k2", project="x,y"),
        record("c", ended_us=NOON_US + DAY_US, outcome="upstream_error", status=529, agent_id="a1", **platform),
        record("d", ended_us=NOON_US + 2 * DAY_US + 11 * HOUR_US + HOUR_US // 2, billed_pusd=USD // 2, **platform),
    ]
    asyncio.run(write(api, calls))
    yield api


async def write(api: Api, calls: list[CallRecord]) -> None:
    store = database_of(api.worker.snapshot.config.storage.address).store()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in calls]))
    await store.close()


async def ask(api: Api, **query: str | int) -> Answer:
    return await api.ask("GET", f"/api/usage?{urlencode(SPAN | query)}")


def problems(answer: Answer) -> dict[str, str]:
    assert answer.status == 422, answer.body
    return {one["field"]: one["message"] for one in answer.json["errors"]}


async def test_groups_stand_by_cost_with_their_total(used: Api) -> None:
    answer = (await ask(used, group_by="team")).json
    costs = [(one["group"]["team"], one["values"]["billed_usd"]) for one in answer["items"]]
    assert costs == [("platform", "3.5"), ("=cmd()", "1")]
    assert answer["totals"]["values"]["billed_usd"] == "4.5" and answer["totals"]["values"]["calls"] == 4
    assert (answer["from"], answer["to"], answer["tz"]) == ("2026-11-01T00:00:00Z", "2026-11-04T00:00:00Z", "UTC")
    assert answer["next_cursor"] is None and answer["buckets"] == []


async def test_buckets_are_days_of_the_zone(used: Api) -> None:
    """The last call ended at 23:30 UTC: in Berlin that is the next day."""
    answer = (await ask(used, bucket="day", tz="Europe/Berlin", to="2026-11-05", measures="calls")).json
    assert [one["bucket"] for one in answer["items"]] == [f"2026-11-0{day}T00:00:00+01:00" for day in (1, 2, 4)]
    assert answer["buckets"] == [f"2026-11-0{day}T00:00:00+01:00" for day in (1, 2, 3, 4)]
    assert [one["values"] for one in answer["items"]] == [{"calls": 1}, {"calls": 2}, {"calls": 1}]


async def test_filters_take_several_values_and_commas(used: Api) -> None:
    async def calls(**query: str) -> int:
        return int((await ask(used, measures="calls", **query)).json["totals"]["values"]["calls"])

    assert await calls(team="platform") == 3 and await calls(team="platform,=cmd()") == 4 and await calls(team="nobody") == 0
    assert await calls(project=r"x\,y") == 1 and await calls(project="") == 3 and await calls(status="529,400") == 1
    assert await calls(kind="subagent") == 1 and await calls(key="ci", outcome="completed") == 2
    assert await calls(key_id="vk1") == 3


async def test_sessions_are_read_from_the_calls_unless_these_are_too_many(used: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def calls(**query: str) -> list[tuple[tuple[str, ...], int]]:
        items = (await ask(used, measures="calls", **query)).json["items"]
        return [(tuple(one["group"].values()), one["values"]["calls"]) for one in items]

    assert await calls(group_by="session_id,agent_id") == [(("s", ""), 2), (("", ""), 1), (("s", "a1"), 1)]
    assert await calls(group_by="team", session_id="s", agent_id="a1") == [(("platform",), 1)]
    assert await calls(group_by="session_id", bucket="day", agent_id="") == [(("s",), 1), (("",), 1), (("s",), 1)]
    monkeypatch.setattr(ledger_usage, "CALLS_MAX", 3)
    answer = await ask(used, group_by="session_id")
    assert (answer.status, answer.json["slug"]) == (422, "too_broad") and "there are 4 in this time" in answer.json["detail"]
    assert (await ask(used, group_by="team")).status == 200


async def test_all_but_the_top_are_one_line(used: Api) -> None:
    answer = (await ask(used, group_by="team,outcome", top=1, order="-calls", measures="calls")).json
    assert [(one["group"], one["values"]["calls"]) for one in answer["items"]] == [
        ({"team": "platform", "outcome": "completed"}, 2),
        (None, 2),
    ]


async def test_the_period_before_and_the_change(used: Api) -> None:
    answer = (await ask(used, group_by="team", compare="previous", **{"from": "2026-11-02", "to": "2026-11-03"})).json
    by_team = {one["group"]["team"]: one for one in answer["items"]}
    platform = by_team["platform"]
    assert [platform[part]["billed_usd"] for part in ("values", "previous", "change")] == ["0", "3", "-3"]
    assert by_team["=cmd()"]["previous"]["calls"] == 0 and answer["totals"]["change"]["calls"] == 1


async def test_pages_follow_each_other(used: Api) -> None:
    seen, cursor = [], ""
    while True:
        answer = (await ask(used, group_by="team,outcome", limit=1, **({"cursor": cursor} if cursor else {}))).json
        seen += [tuple(one["group"].values()) for one in answer["items"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert seen == [("platform", "completed"), ("=cmd()", "completed"), ("platform", "upstream_error")]


async def test_csv_is_whole_and_harmless_to_spreadsheets(used: Api) -> None:
    answer = await ask(used, group_by="team", bucket="day", measures="calls,billed_usd", format="csv", limit=1)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8" and "usage.csv" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.body.decode())))
    assert rows[0] == ["bucket", "team", "calls", "billed_usd"] and len(rows) == 5
    assert ["2026-11-02T00:00:00Z", "'=cmd()", "1", "1"] in rows
    (noted,) = (await used.ask("GET", "/api/audit?kind=report")).json["items"]
    assert (noted["action"], noted["name"], noted["after"]["lines"]) == ("download", "usage", len(rows) - 1)
    assert "group_by=team" in noted["after"]["query"]
    accepted = await used.ask("GET", f"/api/usage?{urlencode(SPAN)}", accept="text/csv")
    assert accepted.body.decode().splitlines()[0].startswith("calls,failed")


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ({"group_by": "tema"}, "group_by", 'knows no "tema"; did you mean "team"?'),
        ({"group_by": "team,team"}, "group_by", "twice"),
        ({"measures": "cost"}, "measures", "it knows calls"),
        ({"bucket": "fortnight"}, "bucket", "one of none, hour"),
        ({"bucket": "hour", "from": "2020-01-01"}, "bucket", "more than 2500 buckets"),
        ({"tz": "Europe/Berlni"}, "tz", 'did you mean "Europe/Berlin"'),
        ({"from": "yesterday"}, "from", "must be a date"),
        ({"to": "9999-12-31T23:59:59Z", "tz": "Asia/Kolkata"}, "to", "before the year 9000"),
        ({"to": "9999-12-31T23:59:59-23:59"}, "to", "before the year 9000"),
        ({"from": "2026-11-05"}, "from", "before `to`"),
        ({"from": "0001-01-01T00:00:00+14:00", "to": "9999-12-31T23:59:59-14:00"}, "from", "years before"),
        ({"order": "team"}, "order", "must be a measure"),
        ({"top": 101}, "top", "1 to 100"),
        ({"status": "5xx"}, "status", "HTTP statuses"),
        ({"cursor": "nonsense"}, "cursor", "none that this has given"),
        ({"team": ",".join("x" * 101)}, "team", "more than 100 values"),
        ({"limit": 0}, "limit", "1 to 5000"),
    ],
)
async def test_what_is_wrong_is_named(api: Api, query: dict[str, str | int], field: str, words: str) -> None:
    assert words in problems(await ask(api, **query))[field]


async def test_answers_are_as_documented(used: Api) -> None:
    components = openapi_document()["components"]
    for path, name in (
        (f"/api/usage?{urlencode(SPAN | {'group_by': 'team,status', 'bucket': 'hour', 'compare': 'previous'})}", "UsagePage"),
        ("/api/usage/overview?tz=Asia/Kolkata&days=7", "UsageOverview"),
        ("/api/usage", "UsagePage"),
    ):
        answer = await used.ask("GET", path)
        assert answer.status == 200, answer.body
        schema = {"$ref": f"#/components/schemas/{name}", "components": components}
        jsonschema_rs.validator_for({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"}).validate(answer.json)


async def test_overview_adds_up(used: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gw.clock.wall_us", lambda: NOON_US + 2 * DAY_US + 11 * HOUR_US + HOUR_US * 3 // 4)
    answer = (await used.ask("GET", "/api/usage/overview?days=3")).json
    assert answer["as_of"] == "2026-11-04T00:00:00Z"
    spent = {name: (one["values"]["billed_usd"], one["previous"]["billed_usd"]) for name, one in answer["spent"].items()}
    assert spent == {"today": ("0.5", "1"), "this_week": ("1.5", "0"), "this_month": ("4.5", "0")}
    assert [one["values"]["billed_usd"] for one in answer["days"]] == ["3", "1", "0.5"]
    teams = answer["series"]["team"]
    assert [(one["name"], one["days"]) for one in teams] == [("platform", ["3", "0", "0.5"]), ("=cmd()", ["0", "1", "0"])]
    assert answer["movers"]["team"][0] == {
        "name": "platform",
        "billed_usd": "3.5",
        "previous_usd": "0",
        "change_usd": "3.5",
    }
    assert answer["values"]["error_rate"] == 0.25 and answer["unpriced"] == []


async def test_a_virtual_key_is_refused(api: Api) -> None:
    answer = await api.ask("GET", "/api/usage", token="gwk_whoever")
    assert answer.status in (401, 403)
