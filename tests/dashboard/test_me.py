"""What a developer sees who signed in with a virtual key."""

from tests.dashboard.axe import violations
from tests.dashboard.page import Desk
from tests.support.gateway import GatewayUnderTest


async def test_limits_and_set_up_come_by_one_request(desk: Desk, keys: dict[str, str]) -> None:
    page = desk.page
    await desk.sign_in(keys["ada"])
    await desk.open("/me")
    card = page.get_by_role("region", name="team-monthly")
    assert "left of $50.00" in (await card.inner_text()).replace("\n", " ")
    assert await card.get_by_role("meter").get_attribute("aria-valuenow") is not None
    lines = await page.locator("pre.code").first.inner_text()
    assert f"ANTHROPIC_BASE_URL={desk.address}/anthropic" in lines
    assert keys["ada"] not in await page.content()
    assert set(desk.asked) == {"/api/mine"}
    assert await violations(page) == []
    await page.set_viewport_size({"width": 360, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


async def test_every_view_shows_what_is_the_keys_own_and_no_other_view_is_there(
    desk: Desk, gateway: GatewayUnderTest, keys: dict[str, str]
) -> None:
    page = desk.page
    await desk.sign_in(keys["marie"])
    entries = await page.get_by_role("navigation", name="Views").get_by_role("link").all_inner_texts()
    assert entries == ["Overview", "Explore", "Logs", "Sessions", "My limits"]
    others = [row["session_id"] for row in gateway.rows("key_name = 'ada'")]
    views = {"/": "claude-", "/?by=project": "project-marie", "/explore?group=key": "marie", "/logs": "project-marie"}
    for view, own in views.items():
        await desk.open(view)
        await page.locator("main").get_by_text(own).first.wait_for()
        text = await page.locator("main").inner_text()
        assert not any(name in text for name in ("ada", "grace", "platform")), view
    await desk.open("/accounts")
    await page.get_by_role("heading", name="There is no such page").wait_for()
    await desk.open(f"/sessions/{others[0]}")
    await page.get_by_role("alert").filter(has_text="There is no session").wait_for()
    call_id = gateway.rows("key_name = 'marie'")[0]["call_id"]
    await desk.open(f"/logs/{call_id}")
    await page.get_by_role("region", name="Why it cost this").wait_for()
    assert await page.get_by_text("Conversation", exact=True).count() == 0
