"""Alerts, sign-ins and the verification of the audit over the API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gw import clock
from gw.alerts import store
from gw.alerts.decide import Action, State, fingerprint
from gw.alerts.notice import Told
from gw.alerts.store import Source
from gw.control import signins
from gw.control.signins import SignIns
from gw.ledger import errand
from gw.ledger.audit import read_audit
from gw.ledger.database import database_of
from gw.ledger.store import Database
from tests.audit.tampering import sql, tamper
from tests.control.api import CONFIG, Api, serving

RULES = """
[[notify]]
name = "ops"
kind = "webhook"
url = "http://127.0.0.1:1/"
[[alert]]
name = "budgets"
kind = "budget_threshold"
[[alert]]
name = "off"
kind = "unpriced_model"
active = false
notify = ["*"]
"""
UNTIL = "2100-01-01T00:00:00Z"


@pytest.fixture
async def watched(tmp_path: Path, token: str) -> AsyncIterator[Api]:
    async with serving(tmp_path, CONFIG + RULES) as one:
        yield one


def ledger(api: Api) -> Database:
    return database_of(api.worker.snapshot.config.storage.address)


def fire(api: Api, subject: str = "budget:b:team:platform") -> None:
    now_us = clock.wall_us()
    state = State(fingerprint("budgets", subject), "budgets", subject, True, 8000, 1, 1, now_us, 0, 0, now_us, 0)
    told = Told("Team platform has spent 80 %", (("Spent", "$80"),), "Raise it.")
    with ledger(api).changing() as db:
        source = Source("budgets", "budget_threshold", "warning", ("ops",), "")
        store.carry_out(db, source, [Action("firing", state, told)], now_us)


async def test_rules_are_shown_with_what_fires(watched: Api) -> None:
    fire(watched)
    found = (await watched.ask("GET", "/api/alerts")).json["items"]
    assert [(one["name"], one["active"], one["channels"], len(one["firing"])) for one in found] == [
        ("budgets", True, ["ops"], 1),
        ("off", False, ["ops"], 0),
    ]
    (alert,) = found[0]["firing"]
    assert alert["title"] == "Team platform has spent 80 %" and alert["resolved_at"] is None
    assert alert["facts"] == [{"label": "Spent", "value": "$80"}]
    assert [(one["channel"], one["outcome"], one["attempts"]) for one in alert["deliveries"]] == [("ops", "", 0)]


async def test_the_rules_come_with_their_channels_and_the_newest_alerts(watched: Api) -> None:
    for number in range(26):
        fire(watched, f"s{number}")
    found = (await watched.ask("GET", "/api/alerts")).json
    (channel,) = found["channels"]
    assert (channel["name"], channel["kind"], channel["rules"]) == ("ops", "webhook", ["budgets", "off"])
    assert channel["last"]["channel"] == "ops" and channel["last"]["done_at"] is None
    assert [one["id"] for one in found["history"]] == list(range(26, 1, -1)) and found["next_cursor"] == "2"
    rest = (await watched.ask("GET", f"/api/alerts/history?cursor={found['next_cursor']}")).json
    assert [one["id"] for one in rest["items"]] == [1]


async def test_the_history_is_paged_and_filtered(watched: Api) -> None:
    for number in range(3):
        fire(watched, f"s{number}")
    first = (await watched.ask("GET", "/api/alerts/history?limit=2")).json
    assert [one["id"] for one in first["items"]] == [3, 2]
    rest = (await watched.ask("GET", f"/api/alerts/history?limit=2&cursor={first['next_cursor']}")).json
    assert [one["id"] for one in rest["items"]] == [1] and rest["next_cursor"] is None
    assert (await watched.ask("GET", "/api/alerts/history?rule=other&firing=true")).json["items"] == []
    (await watched.ask("GET", "/api/alerts/history?firing=maybe")).problem(422, "invalid")


async def test_an_alert_is_acknowledged_by_the_first_who_does(watched: Api) -> None:
    fire(watched)
    for who in ("ann", "bob"):
        found = await watched.ask("POST", "/api/alerts/history/1/acknowledge", x_gw_actor=who)
        assert found.json["acknowledged_by"] == "admin token (ann)"
    assert [row.action for row in read_audit(ledger(watched), 10, kind="alert")] == ["acknowledge"]
    (await watched.ask("POST", "/api/alerts/history/9/acknowledge")).problem(404, "not_found")
    (await watched.ask("POST", "/api/alerts/history/x/acknowledge")).problem(404, "not_found")


async def test_a_rule_is_silenced_and_told_of_again(watched: Api) -> None:
    found = await watched.ask(
        "POST", "/api/alerts/budgets/silence", {"until": UNTIL.replace("2100", "2027"), "reason": "release"}
    )
    assert found.json["items"][0]["silences"] == [
        {"subject": "", "until": "2027-01-01T00:00:00Z", "by": "admin token (192.0.2.7)", "reason": "release"}
    ]
    assert (await watched.ask("DELETE", "/api/alerts/budgets/silence")).status == 204
    (await watched.ask("DELETE", "/api/alerts/budgets/silence")).problem(404, "not_found")
    assert [row.action for row in read_audit(ledger(watched), 10, kind="alert")] == ["unsilence", "silence"]


@pytest.mark.parametrize(
    "body", [{}, {"until": UNTIL}, {"until": "2020-01-01T00:00:00Z"}, {"until": "soon"}, {"until": 7}, {"untill": UNTIL}]
)
async def test_a_silence_needs_an_end_that_makes_sense(watched: Api, body: object) -> None:
    (await watched.ask("POST", "/api/alerts/budgets/silence", body)).problem(422, "invalid")


async def test_a_test_is_an_errand_that_is_asked_after(watched: Api) -> None:
    made = await watched.ask("POST", "/api/alerts/budgets/test", x_gw_actor="ann")
    assert (made.status, made.json["state"]) == (202, "waiting")
    path = f"/api/alerts/budgets/test/{made.json['id']}"
    assert (await watched.ask("GET", path)).json["state"] == "waiting"
    answer = {"channels": [{"channel": "ops", "kind": "webhook", "ok": False, "said": "HTTP 500"}]}
    errand.finish(ledger(watched), made.json["id"], "done", answer, clock.wall_us())
    done = (await watched.ask("GET", path)).json
    assert (done["state"], done["channels"], done["problem"]) == ("done", answer["channels"], "")
    (await watched.ask("GET", path.replace("budgets", "off"))).problem(404, "not_found")
    (await watched.ask("POST", "/api/alerts/budget/test")).problem(404, "not_found")


async def test_the_audit_is_verified(watched: Api) -> None:
    for name in ("a", "b", "c"):
        await watched.made("customers", name=name)
    found = (await watched.ask("GET", "/api/audit/verify?ledger=true")).json
    assert found["ok"] and found["rows"] >= 3 and found["ledger"]["ok"] and found["signed_id"] == 0
    (row,) = read_audit(ledger(watched), 1, kind="customer", name="b")
    tamper(ledger(watched), sql("UPDATE audit SET actor = 'mallory' WHERE id = ?", row.id))
    found = (await watched.ask("GET", "/api/audit/verify")).json
    assert not found["ok"] and [(one["what"], one["row"]) for one in found["findings"]] == [("edited", row.id)]
    assert (await watched.ask("GET", f"/api/audit/verify?from={row.id + 1}")).json["ok"]
    (await watched.ask("GET", "/api/audit/verify?from=5&to=2")).problem(422, "invalid")


async def test_entries_carry_their_hashes(watched: Api) -> None:
    await watched.made("customers", name="a")
    await watched.made("customers", name="b")
    items = (await watched.ask("GET", "/api/audit?kind=customer")).json["items"]
    assert len(items[0]["hash"]) == 64 and items[0]["prev_hash"]


async def test_a_sign_in_is_written_once_and_failures_together(watched: Api) -> None:
    for _ in range(5):
        await watched.ask("GET", "/api/status", x_gw_actor="ann")
    for _ in range(30):
        await watched.ask("GET", "/api/status", token="gwa_wrong-wrong-wrong-wrong", client="198.51.100.9")
    await watched.ask("GET", "/api/status", token=None)
    await watched.ask("GET", "/api/status")
    rows = read_audit(ledger(watched), 100, kind="sign_in")
    assert [row.name for row in rows if row.action == "sign_in" and "ann" in row.actor] == ["192.0.2.7"]
    failed = [row for row in rows if row.action == "sign_in_failed"]
    assert 1 <= len(failed) <= 3 and {row.name for row in failed} == {"198.51.100.9"}
    assert "gwa_wrong" not in repr(rows)


def test_a_flood_from_everywhere_is_a_few_rows(database: Database) -> None:
    database.prepare()
    address, signs = "", SignIns()
    for number in range(10_000):
        signs.failed("admin_token_wrong", f"198.51.{number // 250}.{number % 250}", number)
    from tests.support.databases import address_of

    address = address_of(database)
    signs.write(address, 10_000, 10**9)
    rows = read_audit(database, 1000)
    assert len(rows) == signins.ADDRESSES_MAX + 1 and {row.name for row in rows} >= {signins.OTHERS}
    assert sum(int(row.after_json.split('"count":')[1].split(",")[0]) for row in rows) == 10_000
    signs.failed("admin_token_wrong", "198.51.100.1", 10_001)
    assert not signs.is_due(10**9 + 1) and signs.is_due(61 * 10**9 + 1)
