"""Alerts: an empty house says how to begin; rules, what fires, silence, a test of channels and the history."""

import json
from typing import Any

from playwright.async_api import Route

from tests.dashboard.page import Desk

NOW = "2026-11-21T12:00:00Z"
FIRED: dict[str, Any] = {
    "id": 7,
    "rule": "budgets",
    "kind": "budget_threshold",
    "severity": "warning",
    "subject": "budget:b:team:platform",
    "title": "Team platform has spent 80 %",
    "facts": [{"label": "Spent", "value": "$80"}],
    "advice": "Raise it.",
    "fired_at": NOW,
    "changed_at": NOW,
    "resolved_at": None,
    "told_at": NOW,
    "acknowledged_at": None,
    "acknowledged_by": "",
    "deliveries": [
        {
            **{"channel": "ops", "event": "firing", "attempts": 1, "outcome": "sent", "said": "HTTP 200"},
            **{"made_at": NOW, "done_at": NOW},
        }
    ],
}
RULE = {"name": "budgets", "kind": "budget_threshold", "severity": "warning", "active": True, "channels": ["ops"]}
CHANNEL = {"name": "ops", "kind": "webhook", "rules": ["budgets"], "last": FIRED["deliveries"][0]}


class Watching:
    """Answers as the API does (tests/control/test_http_alerts.py), and notes what it was sent."""

    def __init__(self, changes: dict[str, Any] | None = None) -> None:
        self.changes = changes or {}
        self.sent: list[tuple[str, str, Any]] = []
        self.silences: list[dict[str, str]] = []
        self.acknowledged: dict[str, str] = {}
        self.looks = 0

    async def answer(self, route: Route) -> None:
        request = route.request
        path = request.url.partition("/api/alerts")[2]
        if request.method != "GET":
            self.sent.append((request.method, path, json.loads(request.post_data) if request.post_data else None))
        if path.endswith("/acknowledge"):
            self.acknowledged = {"acknowledged_at": NOW, "acknowledged_by": "admin"}
        elif request.method == "DELETE":
            self.silences.clear()
            await route.fulfill(status=204)
            return
        elif path.endswith("/silence"):
            self.silences.append({"subject": "", "until": "2100-01-01T00:00:00Z", "by": "admin", "reason": "release"})
        elif "/test" in path:
            self.looks += 1
            done = self.looks > 2
            tried = [{"channel": "ops", "kind": "webhook", "ok": True, "said": "HTTP 200"}] if done else []
            test = {"id": "t1", "state": "done" if done else "waiting", "channels": tried, "problem": ""}
            await route.fulfill(json=test, status=202 if request.method == "POST" else 200)
            return
        fired = {**FIRED, **self.changes, **self.acknowledged}
        rule = {**RULE, "firing": [fired], "silences": self.silences}
        await route.fulfill(json={"items": [rule], "channels": [CHANNEL], "history": [fired], "next_cursor": None})


async def test_an_empty_house_says_how_to_begin_by_one_request(desk: Desk) -> None:
    await desk.sign_in()
    await desk.open("/alerts")
    await desk.page.get_by_role("heading", name="Nothing is watched yet").wait_for()
    assert "[[notify]]" in await desk.page.locator("pre.code").inner_text()
    assert desk.asked == ["/api/alerts"]


async def test_what_fires_is_looked_after_and_shown_with_its_story(desk: Desk) -> None:
    page, watching = desk.page, Watching()
    await page.route("**/api/alerts**", watching.answer)
    await page.route("**/api/alerts/**", watching.answer)
    await desk.sign_in()
    await desk.open("/alerts")
    firing = page.get_by_role("region", name="Firing")
    await firing.get_by_role("button", name="I look after it").click()
    await firing.get_by_text("looked after by admin").wait_for()
    await page.get_by_role("region", name="History").first.get_by_role("button", name=FIRED["title"]).click()
    dialog = page.get_by_role("dialog")
    assert "$80" in await dialog.inner_text() and "HTTP 200" in await dialog.inner_text()
    assert watching.sent == [("POST", "/history/7/acknowledge", {})]


async def test_a_rule_is_silenced_and_told_of_again(desk: Desk) -> None:
    page, watching = desk.page, Watching()
    await page.route("**/api/alerts**", watching.answer)
    await page.route("**/api/alerts/**", watching.answer)
    await desk.sign_in()
    await desk.open("/alerts")
    await page.get_by_role("button", name="Silence budgets").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Why").fill("release")
    await dialog.get_by_role("button", name="Silence it").click()
    await page.get_by_text("silenced until").wait_for()
    method, path, body = watching.sent[-1]
    assert (method, path, body["reason"], body["subject"]) == ("POST", "/budgets/silence", "release", "")
    await page.get_by_role("button", name="Tell again of budgets").click()
    await page.get_by_text("silenced until").wait_for(state="detached")


async def test_a_test_waits_for_what_the_channels_answer(desk: Desk) -> None:
    page, watching = desk.page, Watching()
    await page.route("**/api/alerts**", watching.answer)
    await page.route("**/api/alerts/**", watching.answer)
    await desk.sign_in()
    await desk.open("/alerts")
    await page.get_by_role("button", name="Test budgets").click()
    await page.get_by_role("dialog").get_by_text("arrived").wait_for()
    assert watching.looks == 3
