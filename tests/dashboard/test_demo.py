"""`gw demo` as somebody starts it who wants to look: by its own clock, ten seconds later the first page tells of money spent."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.dashboard.page import Desk
from tests.support.claims import allowed

ALIVE = timedelta(seconds=10)
PATIENCE_MS = 60_000  # with a machine that has much else to do


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[str, str, datetime]]:
    """(address, what to sign in with, when it was started), as its greeting says."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("GW_")}
    command = [sys.executable, "-m", "gw", "demo", "--port", "0", "--dir", str(tmp_path / "site")]
    begun = datetime.now(UTC)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ) as process:
        assert process.stdout is not None
        shown = ""
        while "Ctrl-C stops everything" not in shown:
            line = process.stdout.readline()
            assert line, shown
            shown += line
        found = re.search(r"dashboard +(http://127.0.0.1:\d+)/ +\(sign in with (gwa_\S+)\)", shown)
        assert found, shown
        yield found[1], found[2], begun
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out


async def test_the_overview_is_alive(browser: Browser, demo: tuple[str, str, datetime], tmp_path: Path) -> None:
    address, token, begun = demo
    context = await browser.new_context(viewport={"width": 1360, "height": 900})
    desk = Desk(await context.new_page(), address, tmp_path)
    page = desk.page
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(address)
    await page.get_by_label("Admin token or virtual key").fill(token)
    await page.get_by_role("button", name="Sign in").click()
    today = page.locator("dl.stat", has_text="Today").locator("dd.figure span")
    await today.filter(has_text=re.compile(r"[1-9]")).wait_for()
    for label in ("This week", "This month", "Calls", "Tokens"):
        figure = await page.locator("dl.stat").filter(has_text=re.compile(f"^{label}")).locator("dd.figure").inner_text()
        assert re.search(r"[1-9]", figure), (label, figure)
    await page.get_by_role("img", name="Spent per day").or_(page.get_by_role("table", name="Spent per day by team")).wait_for(
        state="attached"
    )
    since = begun.strftime("%Y-%m-%dT%H:%M:%SZ")  # what its ledger tells of earlier days is made up
    first = await asked(desk, f"/api/logs?sort=ended_at&limit=1&billed_usd.gt=0&since={since}")
    status = await asked(desk, "/api/status")
    served, told = (datetime.fromisoformat(text) for text in (status["started_at"], first["items"][0]["ended_at"]))
    assert begun < served < told < served + allowed(1) * ALIVE
    desk.must_be_content()
    await context.close()


async def asked(desk: Desk, path: str) -> Any:
    return await desk.page.evaluate("path => fetch(path).then((answer) => answer.json())", path)
