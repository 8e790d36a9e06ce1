"""Accounts: the tree, and everything that is done with a key from its making to its end."""

import re

from tests.dashboard.page import Desk


async def test_the_tree_shows_who_belongs_where_by_one_request(desk: Desk) -> None:
    await desk.sign_in()
    await desk.open("/accounts")
    names = await desk.page.locator("tbody tr td:first-child").all_inner_texts()
    wanted = ["acme", "platform", "ada", "grace", "research", "marie"]
    found = [name.split()[0] for name in names]
    assert [name for name in found if name in wanted] == wanted
    assert desk.asked == ["/api/accounts"]
    row = desk.page.get_by_role("row").filter(has_text="platform")
    assert re.search(r"\$\d+\.\d\d of \$50\.00", await row.inner_text())
    await desk.page.get_by_label("Find accounts").fill("marie")
    await desk.page.get_by_role("row").filter(has_text="ada").wait_for(state="detached")
    assert "q=marie" in desk.page.url


async def test_a_key_is_made_shown_once_changed_undone_rotated_and_revoked(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/accounts")
    await page.get_by_role("button", name="Virtual key").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("no good name!")
    await dialog.get_by_role("button", name="Create").click()
    await dialog.locator(".wrong").first.wait_for()
    await dialog.get_by_label("Name").fill("dora")
    await dialog.get_by_label("Owner").fill("dora@example.com")
    await dialog.get_by_role("button", name="Create").click()
    secret = (await page.locator("[data-secret]").inner_text()).strip()
    assert secret.startswith("gwk_")
    assert f"ANTHROPIC_AUTH_TOKEN={secret}" in await page.get_by_role("dialog").inner_text()
    await page.get_by_role("button", name="I have it").click()
    assert secret not in await page.content()

    row = page.get_by_role("row").filter(has_text="dora")
    await row.wait_for()
    await page.get_by_role("button", name="Edit dora").click()
    await page.get_by_role("dialog").get_by_label("Owner").fill("theodora@example.com")
    await page.get_by_role("button", name="Save").click()
    await row.filter(has_text="theodora@").wait_for()
    await page.get_by_role("button", name="Undo").click()
    await row.filter(has_not_text="theodora@").filter(has_text="dora@example.com").wait_for()

    await page.get_by_role("button", name="A new budget for dora").click()
    assert await page.get_by_role("dialog").get_by_label("Which").input_value() == "dora"
    await page.get_by_role("dialog").get_by_label("Name").fill("dora-monthly")
    await page.get_by_role("dialog").get_by_label("Limit (USD)").fill("30")
    await page.get_by_role("dialog").get_by_label("Window").fill("month")
    await page.get_by_role("dialog").get_by_role("button", name="Create").click()
    await row.filter(has_text="of $30.00").wait_for()
    await page.get_by_role("button", name="Raise for a while the budget of dora").wait_for()

    await page.get_by_role("button", name="Rotate dora").click()
    await page.get_by_role("dialog").get_by_role("button", name="Rotate", exact=True).click()
    assert (await page.locator("[data-secret]").inner_text()).strip() not in ("", secret)
    await page.get_by_role("button", name="I have it").click()

    await page.get_by_role("button", name="Revoke dora").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Revoke dora").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
    await row.wait_for(state="detached")
    await page.get_by_label("revoked or ended").check()
    await row.filter(has_text="revoked").wait_for()


async def test_what_the_api_refuses_is_told_in_its_words(desk: Desk) -> None:
    page = desk.page
    await desk.sign_in()
    await desk.open("/accounts")
    await page.get_by_role("button", name="Team").click()
    await page.get_by_role("dialog").get_by_label("Name").fill("platform")
    await page.get_by_role("dialog").get_by_role("button", name="Create").click()
    await page.get_by_role("dialog").get_by_role("alert").filter(has_text="Choose another name").wait_for()
    await page.keyboard.press("Escape")
    await page.get_by_role("dialog").wait_for(state="detached")
