"""Settings: the configuration with its origins, how the gateway is, exports, and the audit."""

from datetime import datetime, timedelta
from typing import Any

from playwright.async_api import Route

from tests.dashboard.axe import violations
from tests.dashboard.page import Desk


async def test_every_value_is_found_with_its_origin_by_one_request(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/settings")
    assert desk.asked == ["/api/config"]
    await page.get_by_label("Find in the configuration").fill("server.state_dir")
    row = page.get_by_role("row").filter(has_text="server.state_dir")
    assert "config.toml:" in await row.inner_text()
    await page.get_by_label("Find in the configuration").fill("")
    await page.get_by_role("button", name="journal").click()
    await page.get_by_role("row").filter(has_text="journal.fsync_interval_ms").filter(has_text="default").wait_for()
    await page.get_by_label("without defaults").check()
    await page.get_by_role("row").filter(has_text="journal.fsync_interval_ms").wait_for(state="detached")
    assert "said=1" in page.url


async def test_the_status_tells_of_each_process_and_of_the_books(desk: Desk) -> None:
    await desk.sign_in()
    await desk.open("/settings?tab=status")
    assert set(desk.asked) == {"/api/status"}
    text = await desk.page.locator("main").inner_text()
    for wanted in ("serves", "Keeper", "takes rows", "Workers", "Courier", "Budgets against the ledger"):
        assert wanted in text, wanted


async def test_exports_say_how_to_begin(desk: Desk) -> None:
    await desk.sign_in()
    await desk.open("/settings?tab=exports")
    assert set(desk.asked) == {"/api/exports"}
    assert "[[export]]" in await desk.page.locator("pre.code").inner_text()


async def test_an_export_is_run_and_what_became_of_it_is_told(desk: Desk) -> None:
    page = desk.page
    state = {"name": "warehouse", "what": "calls", "to": "file:///srv/gw", "format": "csv", "every": "", "next_at": None}
    state |= {"last": None, "waiting": None}
    asked = {"id": "e1", "export": "warehouse", "outcome": "", "error": "", "runs": []}
    await page.route("**/api/exports", lambda route: route.fulfill(json={"items": [state]}))
    await page.route("**/api/exports/warehouse/run", lambda route: route.fulfill(status=202, json=asked))
    done = asked | {"outcome": "done", "runs": [4]}
    await page.route("**/api/exports/warehouse/run/e1", lambda route: route.fulfill(json=done))
    await desk.sign_in()
    await desk.open("/settings?tab=exports")
    await page.get_by_role("button", name="Run warehouse now").click()
    await page.get_by_role("dialog").get_by_role("button", name="Run it").click()
    await page.get_by_text("warehouse: 1 run done.").wait_for()


async def test_an_export_is_run_for_a_window_once_more(desk: Desk) -> None:
    page = desk.page
    state = {"name": "warehouse", "what": "calls", "to": "file:///srv/gw", "format": "csv", "every": "", "next_at": None}
    asked = {"id": "e1", "export": "warehouse", "outcome": "failed", "error": "the disk is full", "runs": []}
    sent: list[Any] = []

    async def run(route: Route) -> None:
        sent.append(route.request.post_data_json)
        await route.fulfill(status=202, json=asked)

    await page.route("**/api/exports", lambda route: route.fulfill(json={"items": [state | {"last": None, "waiting": None}]}))
    await page.route("**/api/exports/warehouse/run", run)
    await desk.sign_in()
    await desk.open("/settings?tab=exports")
    await page.get_by_role("button", name="Run warehouse now").click()
    form = page.get_by_role("dialog")
    await form.get_by_role("button", name="A window once more").click()
    await form.get_by_label("From", exact=True).fill("2026-11-03T00:00")
    await form.get_by_label("To", exact=True).fill("2026-11-02T00:00")
    await form.get_by_text("ends before it begins").wait_for()
    assert await form.get_by_role("button", name="Run it").is_disabled()
    await form.get_by_label("From", exact=True).fill("2026-11-01T00:00")
    assert await violations(page) == []
    await form.get_by_role("button", name="Run it").click()
    await page.get_by_text("warehouse: the disk is full").wait_for()
    moments = [datetime.fromisoformat(sent[0][name]) for name in ("since", "until")]
    assert moments[1] - moments[0] == timedelta(days=1)


async def test_the_audit_is_filtered_read_and_verified(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/settings?tab=audit&kind=sign_in")
    assert desk.asked == ["/api/audit?kind=sign_in&limit=50"]
    row = page.get_by_role("row").filter(has_text="sign in").first
    await row.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    assert "Hash" in await dialog.inner_text()
    await page.keyboard.press("Escape")
    await page.get_by_label("Only about this name").fill("nobody of this name")
    await page.get_by_role("button", name="Find").click()
    await page.get_by_role("heading", name="No entries").wait_for()
    await page.get_by_role("button", name="Verify").click()
    await page.get_by_text("whole", exact=True).wait_for()


async def test_no_tab_is_hard_to_use_or_too_wide(desk: Desk) -> None:
    await desk.sign_in()
    for width in (1360, 360):
        await desk.page.set_viewport_size({"width": width, "height": 800})
        for tab in ("status", "exports", "audit"):
            await desk.open(f"/settings?tab={tab}")
            assert await violations(desk.page) == [], tab
            over = await desk.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over <= 0, (tab, width)
