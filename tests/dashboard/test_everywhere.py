"""What holds on every view: nothing serious for axe in light and dark, nothing wider than the window, keys alone suffice."""

import re
from pathlib import Path

import pytest

from tests.dashboard.axe import violations
from tests.dashboard.page import Desk

APP = Path(__file__).parents[2] / "gw" / "dashboard" / "app.js"
VIEWS = [path for path in dict.fromkeys(re.findall(r'path: "(/[^"]*)"', APP.read_text())) if ":" not in path]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_serious(desk: Desk, theme: str) -> None:
    await desk.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    await desk.page.goto(f"{desk.address}/ui")
    await desk.page.get_by_role("heading", name="Sign in").wait_for()
    found = {"sign in": await violations(desk.page)}
    await desk.sign_in()
    for view in VIEWS:
        await desk.open(view)
        found[view] = await violations(desk.page)
    assert {view: said for view, said in found.items() if said} == {}


@pytest.mark.parametrize("width", [360, 780, 1360, 2560])
async def test_no_view_is_wider_than_the_window(desk: Desk, width: int) -> None:
    await desk.page.set_viewport_size({"width": width, "height": 800})
    await desk.sign_in() if width > 780 else await sign_in_narrow(desk)
    for view in VIEWS:
        await desk.open(view)
        over = await desk.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, f"{view} is {over} px wider than a window of {width}"


async def sign_in_narrow(desk: Desk) -> None:
    """The navigation is folded away."""
    await desk.page.set_viewport_size({"width": 1000, "height": 800})
    await desk.sign_in()
    await desk.page.set_viewport_size({"width": 360, "height": 800})
    await desk.page.get_by_role("button", name="Open the navigation").click()
    await desk.page.get_by_role("navigation", name="Views").wait_for()
    await desk.page.get_by_role("button", name="Close the navigation").click(position={"x": 350, "y": 400})


async def test_one_gets_from_view_to_view_by_keys_alone(desk: Desk) -> None:
    await desk.sign_in()
    await desk.open("/")
    page = desk.page
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "To the content"
    await page.keyboard.press("Tab")  # the brand
    for _ in range(2):
        await page.keyboard.press("Tab")
    title = await page.evaluate("document.activeElement.textContent")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", level=1, name=title).wait_for()


async def test_light_and_dark_are_kept(desk: Desk) -> None:
    await desk.sign_in()
    await desk.page.get_by_role("button", name="Dark").click()
    await desk.open("/accounts")
    assert await desk.page.evaluate("document.documentElement.dataset.theme") == "dark"
