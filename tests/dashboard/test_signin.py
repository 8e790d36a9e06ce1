"""The door of the dashboard, and what every page of it is made of."""

import json
import re
from hashlib import sha256
from pathlib import Path

import gw
from gw.control.pages import pages
from tests.dashboard.page import TOKEN, Desk

FOLDER = Path(gw.__file__).with_name("dashboard")


async def test_a_wrong_token_is_told_so_and_the_right_one_opens(desk: Desk) -> None:
    page = desk.page
    await page.goto(f"{desk.address}/")
    await page.wait_for_url("**/ui")
    await page.get_by_label("Admin token or virtual key").fill("gwa_wrong-wrong-wrong-wrong")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("Wrong admin token").wait_for()
    await page.get_by_label("Admin token or virtual key").fill(TOKEN)
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", level=1, name="Overview").wait_for()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("heading", name="Sign in").wait_for()


async def test_no_script_can_read_the_session(desk: Desk) -> None:
    await desk.sign_in()
    assert await desk.page.evaluate("document.cookie") == ""
    cookies = await desk.page.context.cookies()
    assert [(one["name"], one["httpOnly"], one["sameSite"]) for one in cookies] == [("gw_session", True, "Strict")]
    assert TOKEN not in await desk.page.evaluate("JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage})")


async def test_the_page_is_small_and_loads_nothing_from_elsewhere(desk: Desk) -> None:
    sizes: list[int] = []
    others: list[str] = []

    async def note(response: object) -> None:
        url = response.url  # type: ignore[attr-defined]
        if not url.startswith(desk.address):
            others.append(url)
        elif "/ui" in url:
            sizes.append((await response.request.sizes())["responseBodySize"])  # type: ignore[attr-defined]

    desk.page.on("response", note)
    await desk.sign_in()
    await desk.open("/")
    assert others == []
    assert 10_000 < sum(sizes) < 200_000, sum(sizes)


def test_the_vendored_files_are_those_that_were_fetched() -> None:
    listed = json.loads((FOLDER / "vendor" / "vendor.json").read_text())
    assert listed
    for one in listed:
        assert sha256((FOLDER / "vendor" / one["file"]).read_bytes()).hexdigest() == one["sha256"], one["file"]
        assert (FOLDER / "vendor" / f"LICENSE.{one['package'].split('/')[-1]}").is_file()
        assert one["version"] in (FOLDER.parents[1] / "THIRD_PARTY_NOTICES.md").read_text()


def test_nothing_is_inline_and_no_source_writes_markup() -> None:
    index = pages("/ui", "GET", {}).body.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|javascript:", index)
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://")
    for path in sorted(FOLDER.rglob("*.js")):
        assert "vendor" in path.parts or not forbidden.search(path.read_text()), path.name


def test_a_page_is_kept_by_its_digest_and_never_mixed_with_another_version() -> None:
    index = pages("/ui/anything/below", "GET", {})
    base = re.search(r'src="(/ui/a/[0-9a-f]{16})/app.js"', index.body.decode())
    assert base is not None
    assert index.headers["cache-control"] == "no-cache"
    script = pages(f"{base[1]}/app.js", "GET", {"accept-encoding": "gzip"})
    assert script.headers["cache-control"].endswith("immutable") and script.headers["content-encoding"] == "gzip"
    assert pages(f"{base[1]}/app.js", "GET", {"if-none-match": script.headers["etag"]}).status == 304
