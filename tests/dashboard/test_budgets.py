"""Budgets: where accounts stand, and a budget from its making to its end."""

from tests.dashboard.page import Desk


async def test_every_account_of_every_budget_stands_there_by_one_request(desk: Desk) -> None:
    await desk.sign_in()
    await desk.open("/budgets")
    card = desk.page.get_by_role("region", name="team-monthly", exact=True)
    for team in ("platform", "research"):
        row = card.get_by_role("row").filter(has_text=team)
        assert "$50.00" in await row.inner_text()
        assert await row.get_by_role("meter").get_attribute("aria-valuenow") is not None
    assert set(desk.asked) == {"/api/standings"}
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
    await form.get_by_label("Key", exact=True).fill("ada")
    await form.get_by_label("Limit (USD)").fill("12.50")
    await form.get_by_label("Window").fill("day")
    await form.get_by_role("button", name="Create").click()
    card = page.get_by_role("region", name="night-shift", exact=True)
    await card.wait_for()
    await card.get_by_role("button", name="Edit night-shift").click()
    await page.get_by_role("dialog").get_by_label("Limit (USD)").fill("20")
    await page.get_by_role("button", name="Save").click()
    await card.get_by_role("row").filter(has_text="$20.00").wait_for()
    await card.get_by_role("button", name="Raise for a while: night-shift").click()
    await page.get_by_role("dialog").get_by_label("By (USD)").fill("5")
    await page.get_by_role("dialog").get_by_label("Why").fill("release week")
    await page.get_by_role("dialog").get_by_role("button", name="Raise it").click()
    await card.get_by_role("row").filter(has_text="$25.00").wait_for()
    await card.get_by_role("button", name="Delete night-shift").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    await card.wait_for(state="detached")


async def test_a_budget_of_the_file_says_where_to_change_it(desk: Desk) -> None:
    await desk.sign_in()
    await desk.open("/budgets")
    await desk.page.get_by_role("button", name="Edit team-monthly").click()
    await desk.page.get_by_role("dialog").get_by_text("config.toml").wait_for()
