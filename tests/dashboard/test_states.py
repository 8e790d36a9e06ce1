"""What a view says when it gets no answer, and that it asks again by itself or when told to."""

from playwright.async_api import Route

from tests.dashboard.page import Desk

FAILED = {"title": "The database does not answer", "detail": "It is not there.", "hint": "Look at /readyz.", "slug": "x"}
VIEWS = {"/": "usage/overview**", "/logs": "logs?**", "/budgets": "standings", "/upstreams": "upstreams**"}


async def test_a_view_without_an_answer_says_what_to_do_and_comes_back(desk: Desk) -> None:
    page, down = desk.page, True

    async def answer(route: Route) -> None:
        if not down:
            await route.fallback()
        elif "overview" in route.request.url:
            await route.abort()
        else:
            await route.fulfill(status=503, json=FAILED, content_type="application/problem+json")

    await desk.sign_in()
    for view, asked in VIEWS.items():
        down = True
        await page.route(f"**/api/{asked}", answer)
        await desk.open(view)
        said = await page.get_by_role("alert").inner_text()
        assert ("tries again by itself" if view == "/" else "Look at /readyz.") in said
        down = False
        await page.get_by_role("button", name="Try again").click()
        await page.get_by_role("alert").wait_for(state="detached")
        await page.locator("main section, main dl").first.wait_for()
    desk.complaints[:] = [said for said in desk.complaints if "ERR_FAILED" not in said and "503" not in said]


async def test_a_range_that_was_chosen_can_be_changed_and_asks_once_while_the_clock_goes_on(desk: Desk) -> None:
    page = desk.page
    await page.clock.install()
    await desk.sign_in()
    await desk.open("/logs?range=24h")
    await page.clock.fast_forward("02:00")
    await page.get_by_label("Find calls").fill("something that draws the view anew")
    (asked,) = desk.asked
    assert "since=24h" in asked
    await desk.open("/logs?from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z")
    await page.get_by_label("Time range").select_option("other")
    await page.get_by_role("dialog", name="Time range").wait_for()
