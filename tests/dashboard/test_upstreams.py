"""Upstreams and models: what they do, what they cost and why, and how a model gets a price."""

import tomllib

import httpx

from tests.dashboard.page import Desk

UNHEARD = "unheard-of-1"


async def unpriced(desk: Desk) -> None:
    """A call of a model that nobody has a price for, under a credential of its own."""
    body = {"model": UNHEARD, "max_tokens": 5, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"x-api-key": "sk-ant-own", "anthropic-version": "2023-06-01"}
    async with httpx.AsyncClient() as client:
        await client.post(f"{desk.address}/v1/messages", json=body, headers=headers)


async def test_upstreams_and_models_stand_there_by_one_request(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/upstreams")
    assert len(desk.asked) == 1 and desk.asked[0].startswith("/api/upstreams?")
    models = page.get_by_role("region", name="Models").first
    row = models.get_by_role("row").filter(has_text="claude-").first
    text = await row.inner_text()
    assert "genai-prices of " in text and text.count("$") >= 5, text
    upstream = page.locator("section.card").first
    assert "Failed" in await upstream.inner_text() and await upstream.get_by_role("link", name="Its calls").count() == 1
    await row.get_by_role("button").first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("row").filter(has_text="Cache write, 1 h").wait_for()
    assert "anthropic/claude-" in await dialog.inner_text()
    await page.keyboard.press("Escape")
    await dialog.wait_for(state="detached")


async def test_a_model_without_a_price_shows_the_very_lines_that_give_it_one(desk: Desk) -> None:
    page = desk.page
    await unpriced(desk)
    await desk.sign_in()
    await desk.open("/upstreams")
    await page.get_by_title(f"Give a price to {UNHEARD}").click(timeout=20_000)
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Input", exact=True).fill("2")
    assert await dialog.locator("[data-toml]").count() == 0, "a rate is missing still"
    await dialog.get_by_label("Output", exact=True).fill("ten")
    await dialog.locator(".wrong").wait_for()
    await dialog.get_by_label("Output", exact=True).fill("10")
    added = tomllib.loads(await dialog.locator("[data-toml]").inner_text())
    assert added["pricing"]["override"] == [
        {
            "name": f"price of {UNHEARD}",
            "model": UNHEARD,
            **{"input": "2", "output": "10", "cache_read": "0.2", "cache_write_5m": "2.5", "cache_write_1h": "4"},
        }
    ]
    await dialog.get_by_label("Cache read").fill("0.30")
    assert 'cache_read = "0.30"' in await dialog.locator("[data-toml]").inner_text()
