"""Budgets: where accounts stand, and a budget from its making to its end."""

from typing import Any

from tests.dashboard.page import Desk


async def standings(desk: Desk) -> Any:
    return await desk.page.evaluate("fetch('/api/standings').then((answer) => answer.json())")


async def test_every_account_of_every_budget_stands_there_by_one_request(desk: Desk) -> None:
    await desk.sign_in()
    await desk.open("/budgets")
    card = desk.page.get_by_role("region", name="team-monthly", exact=True)
    for team in ("platform", "research"):
        row = card.get_by_role("row").filter(has_text=team)
        assert "$50.00" in await row.inner_text()
        assert await row.get_by_role("meter").get_attribute("aria-valuenow") is not None
    assert set(desk.asked) == {"/api/standings"}
    left = card.get_by_role("img", name="platform: $")
    assert "of $50.00 left" in str(await left.get_attribute("aria-label"))
    (answer,) = [one for one in (await standings(desk))["budgets"] if one["id"] == "team-monthly"]
    points = str(await left.locator(".way").get_attribute("points")).split()
    assert len(points) == len(answer["history_at"]) + 2  # from the window's beginning to now
    heights = [float(point.partition(",")[2]) for point in points]
    assert heights == sorted(heights) and heights[-1] > heights[0]
    await desk.page.get_by_role("button", name="Over 80 %").click()
    await desk.page.get_by_text("No account is there.").wait_for()
    assert "show=near" in desk.page.url


async def test_a_budget_is_made_changed_raised_for_a_while_and_deleted(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/budgets")
    await page.get_by_role("button", name="Budget", exact=True).click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Name").fill("night-shift")
    await form.get_by_label("For").select_option("key")
    await form.get_by_label("Which").fill("nobody@")
    await page.wait_for_function("document.querySelectorAll('datalist option[value=ada]').length === 1")
    await form.get_by_label("Which").fill("ada")
    await form.get_by_label("Limit (USD)").fill("12.50")
    await form.get_by_label("Window").fill("day")
    await form.get_by_role("button", name="Create").click()
    card = page.get_by_role("region", name="night-shift", exact=True)
    await card.wait_for()
    await card.get_by_role("button", name="Edit night-shift").click()
    await page.get_by_role("dialog").get_by_label("Limit (USD)").fill("20")
    await page.get_by_role("button", name="Save").click()
    await card.get_by_role("row").filter(has_text="$20.00").wait_for()
    await page.get_by_role("button", name="Undo").click()
    await card.get_by_role("row").filter(has_text="$12.50").wait_for()
    await card.get_by_role("button", name="Raise for a while: night-shift").click()
    await page.get_by_role("dialog").get_by_label("By (USD)").fill("5")
    await page.get_by_role("dialog").get_by_label("Why").fill("release week")
    await page.get_by_role("dialog").get_by_role("button", name="Raise it").click()
    await card.get_by_role("row").filter(has_text="$17.50").wait_for()
    await card.get_by_text("+$5.00 until").wait_for()
    await card.get_by_role("button", name="Take back $5.00 of night-shift").click()
    await card.get_by_role("row").filter(has_text="$12.50").wait_for()
    await card.get_by_role("button", name="Delete night-shift").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    await card.wait_for(state="detached")


async def test_a_budget_of_the_file_says_where_to_change_it(desk: Desk) -> None:
    await desk.sign_in()
    await desk.open("/budgets")
    card = desk.page.get_by_role("region", name="team-monthly", exact=True)
    await card.get_by_text("in config.toml").wait_for()
    assert await card.get_by_role("button").count() == 0
    await card.get_by_role("link", name="What it refused").click()
    await desk.page.get_by_role("heading", level=1, name="Logs").wait_for()
    (asked,) = [path for path in desk.asked if path.startswith("/api/logs?")]
    assert "budget=team-monthly" in asked and "since=2" in asked  # since its window began
