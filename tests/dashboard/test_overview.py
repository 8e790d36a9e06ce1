"""The overview: what was spent, by whom, and what needs an eye."""

import asyncio
import re
from decimal import Decimal

from gw.control.kept import KEPT_NS_MAX
from gw.domain.money import PUSD_PER_USD
from tests.dashboard.page import Desk
from tests.support.gateway import GatewayUnderTest


def exactly(gateway: GatewayUnderTest, where: str = "TRUE", arguments: tuple[str, ...] = ()) -> Decimal:
    """What the ledger's calls were billed."""
    return Decimal(sum(row["billed_pusd"] for row in gateway.rows(where, arguments))) / PUSD_PER_USD


def amount(title: str | None) -> Decimal:
    """What stands there on hover: "$1.25 exactly"."""
    assert title is not None
    return Decimal(title.removeprefix("$").removesuffix(" exactly"))


async def test_this_months_spend_is_what_the_ledger_holds_by_one_request(desk: Desk, gateway: GatewayUnderTest) -> None:
    await desk.sign_in()
    before = exactly(gateway)
    await desk.open("/")
    figure = desk.page.locator("dl", has=desk.page.get_by_text("This month", exact=True)).locator("dd span").first
    async with asyncio.timeout(2 * KEPT_NS_MAX / 1e9):  # it may be an answer that was kept since the sign-in
        while (shown := amount(await figure.get_attribute("title"))) < before:
            await asyncio.sleep(0.1)
    assert shown <= exactly(gateway)
    assert {path.partition("&")[0] for path in desk.asked} == {"/api/usage/overview?days=30"}


async def test_what_is_split_by_and_how_far_back_stands_in_the_address(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/")
    await page.get_by_role("button", name="Project", exact=True).click()
    await page.get_by_role("region", name="Projects").get_by_text("project-ada").wait_for()
    await page.get_by_role("button", name="7 days").click()
    await page.wait_for_url("**by=project&days=7")
    await page.get_by_role("heading", name="Changed most against the 7 days before").wait_for()
    await page.reload()
    await page.get_by_role("region", name="Projects").get_by_text("project-ada").wait_for()
    assert await page.get_by_role("button", name="7 days").get_attribute("aria-pressed") == "true"


async def test_a_chart_can_be_read_without_seeing_it(desk: Desk) -> None:
    await desk.sign_in()
    await desk.open("/")
    table = desk.page.get_by_role("table", name="Spent per day by team")
    assert "platform" in await table.inner_text()
    assert await table.get_by_role("row").count() == 8  # its head, and 7 days: before there was nothing


async def test_what_was_spent_stands_against_the_budgets_and_beside_what_gw_adds(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/")
    month = page.locator("dl", has=page.get_by_text("This month", exact=True))
    assert "of $50.00" in await month.inner_text() and await month.get_by_role("meter").count() == 1
    added = page.locator("dl", has=page.get_by_text("Added by gw", exact=True))
    assert re.search(r"\d [µm]s", await added.inner_text())
    answer = await (await page.request.get(f"{desk.address}/api/usage/overview?days=7")).json()
    assert answer["added"]["calls"] >= 10 and answer["firing"] == []


async def test_a_key_is_not_told_how_the_gateway_does(desk: Desk, keys: dict[str, str]) -> None:
    await desk.sign_in(keys["ada"])
    await desk.open("/")
    answer = await (await desk.page.request.get(f"{desk.address}/api/usage/overview?days=7")).json()
    assert (answer["added"], answer["firing"]) == (None, [])
    assert {one["standing"]["account"] for one in answer["fullest"].values()} == {"platform"}
    assert await desk.page.get_by_text("Added by gw").count() == 0
