"""The log: found by words and filters, sorted, further, as it happens; and a call whose parts are its cost."""

from decimal import Decimal

from gw.demo.traffic import Client
from tests.dashboard.page import Desk
from tests.dashboard.test_overview import amount
from tests.support.gateway import GatewayUnderTest

BODY = b'{"model":"claude-haiku-5-5","max_tokens":64,"messages":[{"role":"user","content":"Say something. [play:plain]"}]}'


async def call(gateway: GatewayUnderTest, key: str, body: bytes = BODY, **headers: str) -> int:
    client = Client(gateway.base_url)
    sent = [("x-api-key", key), ("content-type", "application/json"), ("anthropic-version", "2023-06-01")]
    sent += [(name.replace("_", "-"), text) for name, text in headers.items()]
    try:
        return await client.post("/v1/messages", sent, body)
    finally:
        await client.close()


async def test_calls_come_by_one_request_with_filters_sort_and_words_in_the_address(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/logs")
    assert len(desk.asked) == 1 and desk.asked[0].startswith("/api/logs?")
    rows = page.get_by_role("region", name="Calls").locator("tbody tr")
    await page.get_by_role("button", name="grace").first.click()
    await page.wait_for_url("**key=grace*")
    await page.get_by_title("Take this filter away").wait_for()
    await rows.filter(has_text="marie").first.wait_for(state="detached")
    await page.get_by_label("Add a filter").select_option("outcome=completed")
    await page.get_by_role("columnheader", name="Cost").get_by_role("button").click()
    await page.locator('th[aria-sort="descending"]', has_text="Cost").wait_for()
    for part in ("key=grace", "outcome=completed", "sort=-billed_usd"):
        assert part in page.url
    titles = await rows.locator("td:nth-child(2) span").evaluate_all("all => all.map(one => one.title)")
    costs = list(map(amount, titles))
    assert costs == sorted(costs, reverse=True) and len(costs) > 1
    await page.get_by_label("Find calls").fill("project-nobody")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="No call fits").wait_for()
    assert "q=project-nobody" in page.url


async def test_calls_are_found_by_what_was_said_in_them(desk: Desk, gateway: GatewayUnderTest, keys: dict[str, str]) -> None:
    page = desk.page
    assert await call(gateway, keys["marie"], BODY.replace(b"Say something", b"Count the okapis")) == 200
    await desk.sign_in()
    found = "fetch('/api/logs?content=okapis').then((answer) => answer.json()).then((found) => found.count === 1)"
    await page.wait_for_function(f"async () => await {found}", polling=200, timeout=30_000)  # the courier takes it in
    await desk.open("/logs")
    await page.get_by_label("Where to look").select_option("content")
    await page.get_by_label("Find calls").fill('"count the" okapi*')
    desk.asked.clear()
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="1 call", exact=True).wait_for()
    assert len(desk.asked) == 1 and "content=" in desk.asked[0] and "content=" in page.url
    await page.get_by_label("Find calls").fill("...")
    await page.keyboard.press("Enter")
    await page.get_by_text("must hold a word to look for").wait_for()
    await page.get_by_role("button", name="Live").click()
    assert "content=" not in page.url and not await page.get_by_label("Where to look").is_visible()


async def test_more_goes_on_where_the_page_ended(desk: Desk, gateway: GatewayUnderTest, keys: dict[str, str]) -> None:
    for _ in range(51):
        assert await call(gateway, keys["grace"], x_gw_project="many") == 200
    gateway.settled(lambda rows: len(rows) >= 51, "project = 'many'")
    await desk.sign_in()
    await desk.open("/logs?project=many")
    rows = desk.page.get_by_role("region", name="Calls").locator("tbody tr")
    assert await rows.count() == 50
    await desk.page.get_by_role("button", name="More").click()
    await desk.page.get_by_text("That is all.").wait_for()
    links = await rows.locator("a.lead").evaluate_all("all => all.map(one => one.href)")
    assert len(links) == len(set(links)) == 51


async def test_a_call_is_seen_as_it_ends_and_held_still(desk: Desk, gateway: GatewayUnderTest, keys: dict[str, str]) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/logs?live=1&project=just*")
    await page.get_by_text("Live", exact=True).last.wait_for()
    await page.locator(".dot.good").wait_for()
    assert [path.partition("?")[0] for path in desk.asked] == ["/api/live"]
    assert await call(gateway, keys["ada"], x_gw_project="elsewhere") == 200
    assert await call(gateway, keys["ada"], x_gw_project="just-now") == 200
    rows = page.get_by_role("region", name="Calls as they end").locator("tbody tr")
    await rows.filter(has_text="just-now").wait_for()
    await page.get_by_role("button", name="Hold still").click()
    assert await call(gateway, keys["ada"], x_gw_project="just-later") == 200
    gateway.settled(lambda found: len(found) == 1, "project = 'just-later'")
    assert await rows.count() == 1
    await page.get_by_role("button", name="Go on").click()
    await rows.filter(has_text="just-later").wait_for()
    assert await rows.count() == 2


async def test_a_call_is_opened_by_keys_and_its_parts_add_up_to_its_cost(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/logs?outcome=completed&sort=-billed_usd")
    await page.locator("tbody a.lead").first.focus()
    desk.asked.clear()
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", level=1, name="Call", exact=True).wait_for()
    await page.get_by_role("table", name="Parts of the cost").wait_for()
    assert len(desk.asked) == 1 and desk.asked[0].startswith("/api/logs/")
    parts = await page.locator("[data-amount]").evaluate_all("all => all.map(one => one.dataset.amount)")
    billed = await page.locator("[data-billed]").evaluate("one => one.dataset.billed")
    assert len(parts) >= 2 and Decimal(billed) > 0
    assert abs(sum(map(Decimal, parts)) - Decimal(billed)) < Decimal("1e-12")
    await page.get_by_role("link", name="-").first.click()  # its session, by its id
    await page.get_by_role("heading", level=1, name="Session").wait_for()


async def test_a_call_that_is_not_there_is_said_to_be_not_there(desk: Desk) -> None:
    await desk.sign_in()
    for path in ("/logs/gw_nothing", "/logs/%E0%A4%A"):
        await desk.open(path)
        await desk.page.get_by_role("alert").filter(has_text="in the ledger, or not yet").wait_for()
