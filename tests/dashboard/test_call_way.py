"""A call that took more than one attempt tells so: in the log, on its own page with all its rows, and at the upstream it left."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser

from gw.demo import answers
from gw.demo.exchange import Reply, Request
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.domain.key import mint
from tests.dashboard.page import TOKEN, Desk
from tests.dashboard.test_logs import call
from tests.support.gateway import GatewayUnderTest

BODY = b'{"model":"claude-haiku-5-5","max_tokens":64,"messages":[{"role":"user","content":"%b [play:plain]"}]}'
MORE = """
[[upstream]]
name = "spare"
base_url = "{spare}"
api_key = "env:GW_TEST_UPSTREAM_KEY"
[[route]]
model = "claude-*"
candidates = [{{ upstream = "fake" }}, {{ upstream = "spare", priority = 2 }}]
[[key]]
name = "ada"
secret = "env:GW_TEST_KEY_ADA"
"""
KEY = mint().text


def failing(request: Request) -> Reply:
    if b"overloaded" in request.body:
        return answers.error(529, "overloaded_error", "of the test")
    if b"silent" in request.body:
        return replace(by_prompt(request), headers_after=5)
    return by_prompt(request)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayUnderTest]:
    with UpstreamThread(failing) as first, UpstreamThread(by_prompt) as spare:
        running = GatewayUnderTest(
            tmp_path_factory.mktemp("way"),
            first.base_url,
            upstream="first_byte_timeout_s = 0.5",
            more=MORE.format(spare=spare.base_url),
            environ={"GW_ADMIN_TOKEN": TOKEN, "GW_TEST_KEY_ADA": KEY},
        )
        with running:
            yield running


async def test_a_call_that_failed_over_tells_of_its_attempts_and_rows(
    two: GatewayUnderTest, browser: Browser, tmp_path: Path
) -> None:
    assert await call(two, KEY, BODY % b"overloaded") == 200
    assert await call(two, KEY, BODY % b"silent") == 200
    rows = two.settled(lambda found: len(found) == 3)
    left = next(row for row in rows if row["outcome"] == "timed_out")
    last = next(row for row in rows if row["attempt_of"])
    context = await browser.new_context(viewport={"width": 1360, "height": 900})
    context.set_default_timeout(30_000)
    desk = Desk(await context.new_page(), two.base_url.removesuffix("/anthropic"), tmp_path)
    page = desk.page
    await desk.sign_in()

    await desk.open("/logs?failed_attempts.gte=1")
    assert await page.get_by_role("region", name="Calls").locator("tbody tr").count() == 2
    assert await page.get_by_text("+1", exact=True).count() == 2

    await desk.open(f"/logs/{last['call_id']}")
    assert len(desk.asked) == 1
    tried = page.get_by_role("region", name="Attempts").locator("tbody tr")
    assert await tried.count() == 2
    assert "fake" in await tried.nth(0).inner_text() and "first byte timeout" in await tried.nth(0).inner_text()
    assert "spare" in await tried.nth(1).inner_text() and "the client's answer" in await tried.nth(1).inner_text()
    way = page.get_by_role("region", name="The way it took")
    assert "the route “claude-*”" in await way.inner_text() and "Anthropic Messages" in await way.inner_text()
    await page.get_by_role("link", name=left["call_id"]).click()
    await page.get_by_text("The client saw nothing of this attempt").wait_for()
    await page.get_by_role("link", name=last["call_id"]).wait_for()

    await desk.open("/upstreams")
    fake = page.get_by_role("region", name="fake", exact=True)
    assert "speaks Anthropic" in await fake.inner_text()
    assert "env:GW_TEST_UPSTREAM_KEY" in await fake.inner_text()
    went = fake.locator("dl", has_text="Went elsewhere").locator("dd").first
    assert await went.inner_text() == "2"
    await context.close()
    desk.must_be_content()
