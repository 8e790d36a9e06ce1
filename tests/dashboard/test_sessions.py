"""Sessions: a list of them, and one with its turns, agents and calls."""

from decimal import Decimal

from tests.dashboard.page import Desk
from tests.dashboard.test_logs import BODY, call
from tests.dashboard.test_overview import amount
from tests.support.gateway import GatewayUnderTest

SESSION = "0b54e8b2-6c4e-4d6e-9a51-2f8d2f1b7c11"


async def test_the_dearest_stands_first_and_opens_by_keys(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/sessions")
    assert len(desk.asked) == 1 and desk.asked[0].startswith("/api/sessions?")
    titles = await page.locator("tbody td:last-child span").evaluate_all("all => all.map(one => one.title)")
    costs = list(map(amount, titles))
    assert costs == sorted(costs, reverse=True) and costs[0] > 0
    await page.get_by_role("columnheader", name="Calls").get_by_role("button").click()
    await page.locator('th[aria-sort="descending"]', has_text="Calls").wait_for()
    assert "sort=-calls" in page.url
    await page.locator("tbody a.lead").first.focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", level=1, name="Session", exact=True).wait_for()


async def test_a_session_shows_its_turns_and_its_agents(desk: Desk, gateway: GatewayUnderTest, keys: dict[str, str]) -> None:
    page = desk.page
    main, agent = {"x_claude_code_session_id": SESSION}, {"x_claude_code_agent_id": "a00000000000000aa"}
    for number, more in enumerate(({}, {}, agent)):
        assert await call(gateway, keys["ada"], BODY, x_claude_code_prompt_id=f"turn-{number // 2}", **main, **more) == 200
    rows = gateway.session_rows(SESSION, 3)
    await desk.sign_in()
    await desk.open(f"/sessions/{SESSION}")
    assert set(desk.asked) == {f"/api/sessions/{SESSION}?limit=500"}
    names, figures_shown = page.locator("dl.stat dt"), page.locator("dl.stat dd.figure")
    figures = dict(zip(await names.all_inner_texts(), await figures_shown.all_inner_texts(), strict=True))
    assert (figures["Turns"], figures["Agents"]) == ("2", "2")
    cost = amount(await page.locator("dl.stat dd.figure span").first.get_attribute("title"))
    assert cost == Decimal(sum(row["billed_pusd"] for row in rows)).scaleb(-12)
    agents = page.get_by_role("region", name="Agents")
    assert await agents.locator("tbody tr").count() == 2
    await agents.get_by_text("a00000000").wait_for()
    assert await page.get_by_role("table", name="Cost of each turn").locator("tbody tr").count() == 2
    assert await page.get_by_role("region", name="Calls of the session").locator("tbody tr").count() == 3
    await page.get_by_role("link", name="All calls").click()
    await page.get_by_text("3 calls").wait_for()
    assert f"session_id={SESSION}" in page.url
