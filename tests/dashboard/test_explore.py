"""Explore: one request, from sums down to calls; what it shows can be sent as an address."""

from decimal import Decimal

import pytest

from tests.dashboard.page import Desk
from tests.dashboard.test_overview import amount, exactly
from tests.support.gateway import GatewayUnderTest


async def test_lines_add_up_to_the_ledger_by_one_request(desk: Desk, gateway: GatewayUnderTest) -> None:
    await desk.sign_in()
    before = exactly(gateway)
    await desk.open("/explore?group=key&range=24h")
    costs = desk.page.get_by_role("region", name="Lines").locator("tbody td:nth-child(2) span")
    total = sum(map(amount, await costs.evaluate_all("all => all.map(one => one.title)")), Decimal(0))
    assert before <= total <= exactly(gateway)
    assert len(desk.asked) == 1 and desk.asked[0].startswith("/api/usage?")


async def test_one_goes_down_by_keys_alone_to_the_calls(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/explore?range=24h")
    lines = page.get_by_role("region", name="Lines")
    await lines.get_by_role("button", name="research").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**team=research*")
    await lines.get_by_role("button", name="marie").wait_for()
    assert "range=24h" in page.url and "group=key" in page.url
    await lines.get_by_role("row").filter(has_text="marie").get_by_role("link", name="Calls").click()
    await page.get_by_role("heading", level=1, name="Logs").wait_for()
    assert "key=marie" in page.url and "team=research" in page.url
    await page.get_by_role("region", name="Calls").locator("tbody tr").first.wait_for()
    keys = await page.get_by_role("region", name="Calls").locator("tbody td:nth-child(4)").all_inner_texts()
    assert set(keys) == {"marie"}


async def test_measure_dimensions_buckets_and_comparison_stand_in_the_address(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/explore?range=24h")
    await page.get_by_label("Measure").select_option("output_tokens")
    await page.get_by_label("By", exact=True).select_option("model")
    await page.get_by_label("and by").select_option("key")
    await page.get_by_role("button", name="Day", exact=True).click()
    await page.get_by_label("with the period before").check()
    await page.get_by_role("columnheader", name="Against before").wait_for()
    for part in ("measure=output_tokens", "group=model%2Ckey", "bucket=day", "compare=1"):
        assert part in page.url
    await desk.open(page.url.removeprefix(f"{desk.address}/ui"))
    assert await page.get_by_label("Measure").input_value() == "output_tokens"
    await page.get_by_role("table", name="Output tokens by model and key").wait_for(state="attached")


async def test_the_csv_holds_what_the_page_shows(desk: Desk) -> None:
    await desk.sign_in()
    await desk.open("/explore?group=key&range=24h")
    async with desk.page.expect_download() as waiting:
        await desk.page.get_by_role("link", name="CSV").click()
    path = await (await waiting.value).path()
    head, *lines = path.read_text("utf-8").splitlines()
    assert head.startswith("bucket,key,billed_usd")
    assert {"ada", "grace", "marie"} <= {line.split(",")[1] for line in lines}


@pytest.mark.parametrize(("dimension", "value"), [("kind", "main"), ("context_window", "0-200k")])
async def test_what_the_ledger_works_out_of_a_call_leads_to_its_calls_too(desk: Desk, dimension: str, value: str) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open(f"/explore?group={dimension}&measure=calls&range=24h")
    row = page.get_by_role("region", name="Lines").get_by_role("row").filter(has_text=value)
    calls = int((await row.locator("td").nth(1).inner_text()).replace(",", ""))
    await row.get_by_role("link", name="Calls").click()
    await page.get_by_role("heading", level=1, name="Logs").wait_for()
    assert f"{dimension}={value}" in page.url
    listed = page.get_by_role("heading", level=2).filter(has_text="call")
    await listed.wait_for()
    assert int((await listed.inner_text()).split()[0].replace(",", "").rstrip("+")) >= calls > 0


async def test_marks_of_an_axis_say_what_they_stand_for(desk: Desk) -> None:
    await desk.sign_in()
    marks = """async (step) => {
        const { drawnUsd, percent, placesOf } = await import(new URL("core/format.js", document.scripts[0].src));
        return [0, 1, 2, 3].map((nth) => `${drawnUsd(nth * step, step)} ${percent(nth * step, placesOf(step * 100))}`);
    }"""
    assert await desk.page.evaluate(marks, 2.5) == ["$0.00 0 %", "$2.50 250 %", "$5.00 500 %", "$7.50 750 %"]
    assert await desk.page.evaluate(marks, 0.025) == ["$0.000 0.0 %", "$0.025 2.5 %", "$0.050 5.0 %", "$0.075 7.5 %"]
    assert await desk.page.evaluate(marks, 20) == ["$0 0 %", "$20 2000 %", "$40 4000 %", "$60 6000 %"]
