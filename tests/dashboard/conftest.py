"""A gateway with some traffic behind it and a browser in front of it, once for all tests of the dashboard."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from gw.demo.scripts import by_prompt
from gw.demo.traffic import Seat, Session, Tally
from gw.demo.upstream import UpstreamThread
from gw.domain.key import mint
from tests.dashboard.page import TOKEN, Desk
from tests.requires import need
from tests.support.gateway import GatewayUnderTest

SESSIONS = 4
TURNS = 3
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One loop for all of them: to start a browser takes longer than most of what it is started for."""
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="package"), append=False)


@pytest.fixture(scope="package")
def keys() -> dict[str, str]:
    """Name of a developer -> virtual key."""
    return {name: mint().text for name in ("ada", "grace", "marie")}


@pytest.fixture(scope="package")
def gateway(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[GatewayUnderTest]:
    folder = tmp_path_factory.mktemp("dashboard")
    teams = {"ada": "platform", "grace": "platform", "marie": "research"}
    more = '[[customer]]\nname = "acme"\n'
    more += "".join(f'[[team]]\nname = "{team}"\ncustomer = "acme"\n' for team in sorted(set(teams.values())))
    for name, key in keys.items():
        more += f'[[key]]\nname = "{name}"\nteam = "{teams[name]}"\nsecret = "env:GW_TEST_KEY_{name.upper()}"\n'
    more += '[[budget]]\nname = "team-monthly"\nteam = "*"\neach = true\nlimit_usd = "50"\nwindow = "month"\n'
    more += '[content]\nstore = "all"\n'
    environ = {"GW_ADMIN_TOKEN": TOKEN, **{f"GW_TEST_KEY_{name.upper()}": key for name, key in keys.items()}}
    with (
        UpstreamThread(by_prompt) as upstream,
        GatewayUnderTest(folder, upstream.base_url, more=more, environ=environ) as running,
    ):
        yield running


@pytest.fixture(scope="package")
def traffic(gateway: GatewayUnderTest, keys: dict[str, str]) -> int:
    """Some sessions have run; how many calls they made at least."""
    tally = Tally()

    async def work() -> None:
        seats = [Seat(name, key, f"project-{name}") for name, key in keys.items()]
        talks = [Session(gateway.base_url, seats[at % len(seats)], tally, f"dashboard {at}", pace_ms=1) for at in range(SESSIONS)]
        await asyncio.gather(*(talk.run(TURNS) for talk in talks))

    asyncio.run(work())
    answered = sum(count for name, count in tally.calls.items() if name == "ok")
    gateway.settled(lambda rows: sum(row["outcome"] == "completed" for row in rows) >= answered)
    return answered


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    found = shutil.which("chromium")
    need("Chromium", found is not None, "apt-get install chromium")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="package")
async def desk(browser: Browser, gateway: GatewayUnderTest, traffic: int, tmp_path: Path) -> AsyncIterator[Desk]:
    """A page of the dashboard, nobody signed in. What it complains about fails the test."""
    context = await browser.new_context(viewport={"width": 1360, "height": 900})
    context.set_default_timeout(30_000)
    made = Desk(await context.new_page(), gateway.base_url.removesuffix("/anthropic"), tmp_path)
    yield made
    await context.close()
    made.must_be_content()
