"""Names and texts that clients choose stay names and texts on every view: nothing of them runs, nothing is fetched for them."""

import json

import pytest
from playwright.async_api import Route

from tests.dashboard.page import TOKEN, Desk
from tests.dashboard.test_alerts import FIRED, Watching
from tests.dashboard.test_logs import call
from tests.support.gateway import GatewayUnderTest, Row

SCRIPT = "<script>window.__owned=1</script>"
IMAGE = '"><img src=x onerror=window.__owned=1>'
LINK = "javascript:window.__owned=1"
HIDDEN = "\u202egnp.exe\u200b\u2066end"
QUOTES = "'-alert(1)-'`${window.__owned=1}`{{constructor.constructor('window.__owned=1')()}}"
MADE = "main script, main img, main iframe, main object, main [onerror], main [onclick]"  # what no view makes by itself
HOSTILE = {"script": SCRIPT, "image": IMAGE, "link": LINK, "hidden": HIDDEN, "quotes": QUOTES}


def body(model: str, session: str) -> bytes:
    said = {"role": "user", "content": f"{SCRIPT}{IMAGE} [play:plain]"}
    user = json.dumps({"device_id": SCRIPT, "account_uuid": "", "session_id": session})
    return json.dumps({"model": model, "max_tokens": 16, "messages": [said], "metadata": {"user_id": user}}).encode()


@pytest.fixture
async def hostile(gateway: GatewayUnderTest, keys: dict[str, str]) -> list[Row]:
    """Calls of which everything is hostile that a client may choose, once for all tests."""
    if not gateway.rows("project LIKE '%__owned%'"):
        for name, text in HOSTILE.items():
            sent = {"x_gw_project": text, "x_gw_tags": f"{name}={text}", "x_claude_code_session_id": text}
            sent |= {"x_claude_code_prompt_id": text, "x_claude_code_agent_id": text, "user_agent": text, "traceparent": text}
            await call(gateway, keys["ada"], body("claude-haiku-5-5", text), **sent)
            await call(gateway, keys["ada"], body(f"claude-{text}", text), **sent)
            await call(gateway, keys["ada"], body("claude-haiku-5-5", text), x_demo_play="status 400", **sent)
    told = 3 * sum("__owned" in text for text in HOSTILE.values())
    return gateway.settled(lambda rows: len(rows) >= told, "project LIKE '%__owned%' OR requested_model LIKE '%__owned%'")


async def must_be_harmless(desk: Desk, where: str) -> None:
    assert await desk.page.evaluate("window.__owned") is None, where
    assert await desk.page.locator(MADE).count() == 0, where
    assert await desk.page.locator("a[href^='javascript' i]").count() == 0, where
    desk.must_be_content()


async def test_what_clients_choose_is_shown_and_never_runs(desk: Desk, hostile: list[Row]) -> None:
    page, dialogs = desk.page, list[str]()

    async def note(dialog: object) -> None:
        dialogs.append(dialog.message)  # type: ignore[attr-defined]
        await dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", note)
    assert any("<script>" in row["project"] + row["requested_model"] for row in hostile)
    await desk.sign_in()
    groups = ("project", "model", "error", "device")
    views = ["/", "/?by=project", "/?by=model", "/logs?range=24h", "/sessions", "/accounts"]
    views += [f"/explore?range=24h&group={one}" for one in groups]
    for view in views:
        await desk.open(view)
        await must_be_harmless(desk, view)
    shown = await page.locator("main").inner_text()
    assert len(shown) > 100
    for row in hostile[:6]:
        await desk.open(f"/logs/{row['call_id']}")
        await page.get_by_role("region", name="Whose it was").wait_for()
        if row["project"]:
            assert row["project"] in await page.get_by_role("region", name="Whose it was").text_content() or ""
        await must_be_harmless(desk, f"a call of {row['project']!r}")
    assert dialogs == []


async def test_hostile_names_lead_to_what_they_name(desk: Desk, hostile: list[Row]) -> None:
    """A filter takes such a name as it stands, and a session with such an id can be opened."""
    page = desk.page
    await desk.sign_in()
    await desk.open("/explore?range=24h&group=project")
    for text in (SCRIPT, IMAGE, QUOTES):
        stored = {row["project"] for row in hostile if text[:8] in row["project"]}
        for project in stored:
            await desk.open("/explore?range=24h&group=project")
            line = page.get_by_role("region", name="Lines").get_by_role("row").filter(has_text=project)
            await line.get_by_role("link", name="Calls").click()
            await page.get_by_role("heading", level=1, name="Logs").wait_for()
            await page.get_by_role("region", name="Calls").locator("tbody tr").first.wait_for()
            found = await page.get_by_role("region", name="Calls").locator("tbody tr").all_inner_texts()
            assert len(found) == sum(row["project"] == project for row in hostile)
            await must_be_harmless(desk, project)
    for session in {row["session_id"] for row in hostile if "__owned" in row["session_id"]}:
        await desk.open("/sessions")
        await page.get_by_role("link", name=session[:8], exact=True).first.click()
        await page.get_by_role("heading", level=1, name="Session", exact=True).wait_for()
        await page.get_by_role("region", name="Calls of the session").wait_for()
        await must_be_harmless(desk, session)


async def test_hostile_addresses_are_only_looked_for(desk: Desk) -> None:
    await desk.sign_in()
    image = "%22%3E%3Cimg%20src%3Dx%20onerror%3Dwindow.__owned%3D1%3E"
    names = ("q", "key", "model", "range", "sort", "group", "measure", "bucket", "by", "days", "from", "to", "show")
    for value, views in {image: ("/", "/logs", "/explore", "/sessions"), "__proto__": ("/", "/explore")}.items():
        query = "&".join(f"{name}={value}" for name in names)
        for view in views:
            await desk.open(f"{view}?{query}")
            await must_be_harmless(desk, f"{view}?{query}")
    await desk.page.goto(f"{desk.address}/ui/logs/{image}")
    await desk.page.get_by_role("alert").wait_for()
    await must_be_harmless(desk, "addresses")


async def test_what_the_admin_is_told_of_a_key_is_text(desk: Desk, gateway: GatewayUnderTest) -> None:
    """Names are refused by the API; an owner may be any text."""
    page = desk.page
    for text in (SCRIPT, IMAGE, LINK):
        answer = await page.request.post(
            f"{desk.address}/api/keys", headers={"authorization": f"Bearer {TOKEN}"}, data={"name": text, "team": "platform"}
        )
        assert answer.status == 422, await answer.text()
    made = {"name": "told-hostile", "team": "platform", "owner": SCRIPT + IMAGE}
    answer = await page.request.post(f"{desk.address}/api/keys", headers={"authorization": f"Bearer {TOKEN}"}, data=made)
    assert answer.status == 201, await answer.text()
    await desk.sign_in()
    await desk.open("/accounts")
    row = page.get_by_role("row").filter(has_text="told-hostile")
    await row.filter(has_text=SCRIPT).wait_for()
    await must_be_harmless(desk, "accounts")
    await page.get_by_role("button", name="Edit told-hostile").click()
    assert await page.get_by_role("dialog").get_by_label("Owner").input_value() == SCRIPT + IMAGE
    await must_be_harmless(desk, "the form")


async def test_what_was_said_is_text(desk: Desk, gateway: GatewayUnderTest, hostile: list[Row]) -> None:
    page = desk.page
    await desk.sign_in()
    answered = next(row for row in hostile if row["outcome"] == "completed")
    headers = {"authorization": f"Bearer {TOKEN}"}
    told = f"{desk.address}/api/logs/{answered['call_id']}/conversation"
    for _ in range(100):  # it is stored some time after the call
        if (await page.request.get(told, headers=headers)).ok:
            break
        await page.wait_for_timeout(50)
    await desk.open(f"/logs/{answered['call_id']}")
    await page.get_by_text("Show what was said").click()
    await page.locator("pre").filter(has_text=SCRIPT).first.wait_for()
    await must_be_harmless(desk, "a conversation")


async def test_what_an_alert_says_is_text(desk: Desk) -> None:
    page, watching = desk.page, Watching({"title": SCRIPT + IMAGE, "advice": IMAGE, "facts": [{"label": LINK, "value": HIDDEN}]})
    await desk.sign_in()
    await page.route("**/api/alerts**", watching.answer)
    firing = {name: FIRED[name] for name in ("id", "rule", "severity", "fired_at")}
    firing |= {"title": SCRIPT + IMAGE, "acknowledged": False}

    async def fires(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(json={**await answer.json(), "firing": [firing]})

    await page.route("**/api/usage/overview**", fires)
    await desk.open("/")
    await page.get_by_role("region", name="Needs attention").get_by_role("link", name=SCRIPT).click()
    await page.get_by_role("heading", level=1, name="Alerts").wait_for()
    await page.get_by_role("region", name="Firing").get_by_role("button", name=SCRIPT + IMAGE, exact=True).click()
    await page.get_by_role("dialog").get_by_text(IMAGE).first.wait_for()
    await must_be_harmless(desk, "an alert")


async def test_the_policy_would_stop_what_got_through(desk: Desk) -> None:
    """Markup that is put into the page by hand still runs nothing: the policy is the second lock."""
    answer = await desk.page.goto(f"{desk.address}/ui")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    await desk.page.get_by_role("heading", name="Sign in").wait_for()
    await desk.page.evaluate(
        """() => { const box = document.createElement("div"); document.body.append(box);
        box["inner" + "HTML"] = '<img src=x onerror="window.__owned=1"><a id=trap href="javascript:window.__owned=1">x</a>';
        const script = document.createElement("script"); script.textContent = "window.__owned=1"; box.append(script); }"""
    )
    await desk.page.locator("#trap").click(force=True)
    assert await desk.page.evaluate("window.__owned") is None
    stopped = [said for said in desk.complaints if "Content Security Policy" in said or "Content-Security-Policy" in said]
    assert len(stopped) >= 2
    desk.complaints[:] = [said for said in desk.complaints if said not in stopped and "404" not in said and "ERR_" not in said]
