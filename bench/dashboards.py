"""What dashboards cost: how long each view's one request takes, how much the first view weighs, and what ten open ones take from
the data plane.

    python -m bench.dashboards [--ledger sqlite:///COPY.db] [--dashboards 10] [--rate 1000] [--seconds 10] [--rounds 5]

A gateway of one worker, on a core of its own, in front of the fake upstream; all else shares the other. `--ledger` is one that
`python -m bench.ledger` has made, or a copy of it, for it is written to; without, the ledger is empty but for this load.
1. Chromium opens each view. It must ask for data exactly once; that very question is then asked `--asks` times: p50 and p95.
2. In rounds that take turns, the gateway answers `rate` calls a second without dashboards, then with: each stands on the overview
   and asks as often as the page does. What they cost is the share of its core by which the worker's processor time grows, threads
   of the API included: so many fewer calls fit into it.
"""

import argparse
import asyncio
import http.client
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from playwright.async_api import Page, async_playwright

from bench.live import load
from bench.load.contender import children, cores, cpu_ns, move
from bench.load.contenders import granian_workers
from gw.clock import mono_ns
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.ledger.database import database_of
from tests.support.gateway import GatewayUnderTest

TOKEN = "gwa_of-the-bench-of-dashboards"
LOOKS = ("/", "/?days=90", "/explore", "/explore?range=30d&group=model,team", "/logs", "/logs?range=30d&sort=-billed_usd")
GOVERNS = ("/accounts", "/budgets", "/upstreams", "/alerts", "/settings", "/settings?tab=status", "/settings?tab=exports")
VIEWS = (*LOOKS, "/sessions", *GOVERNS, "/settings?tab=audit")
OVERVIEW = "/api/usage/overview?days=30&tz=UTC"
OVERVIEW_EVERY_S = 5  # as gw/dashboard/views/overview.js does
GOAL_MS, GOAL_SHARE, GOAL_FIRST_MS, GOAL_FIRST_BYTES = 200, 0.03, 1000, 200_000
LOOK = """() => performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
    .reduce((sum, one) => sum + one.transferSize, 0)"""


class View(NamedTuple):
    name: str
    asked: tuple[str, ...]  # paths of its requests for data


async def opened(address: str, views: tuple[str, ...]) -> tuple[list[View], float, int]:
    """What each view asks for; how long the first took, in milliseconds, until its figures stood, and how many bytes."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(f"{address}/ui")
        await page.get_by_label("Admin token or virtual key").fill(TOKEN)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("navigation", name="Views").wait_for()
        found = [View(view, await _asked(page, address, view)) for view in views]
        fresh = await browser.new_context(storage_state=await page.context.storage_state())
        first = await fresh.new_page()
        begun_ns = mono_ns()
        await first.goto(f"{address}/ui")
        await first.get_by_role("heading", level=1).wait_for()
        await first.locator('[aria-label="Loading"]').first.wait_for(state="detached")
        first_ms, weight = (mono_ns() - begun_ns) / 1e6, int(await first.evaluate(LOOK))
        await browser.close()
        return found, first_ms, weight


async def _asked(page: Page, address: str, view: str) -> tuple[str, ...]:
    await page.goto("about:blank")
    asked: list[str] = []

    def note(request: Any) -> None:
        path = request.url.removeprefix(address)
        if path.startswith("/api/") and path != "/api/session":
            asked.append(path)

    page.on("request", note)
    await page.goto(f"{address}/ui{view}")
    await page.get_by_role("heading", level=1).wait_for()
    await page.locator('[aria-label="Loading"]').first.wait_for(state="detached", timeout=60_000)
    page.remove_listener("request", note)
    return tuple(asked)


def ask(port: int, path: str) -> tuple[float, bytes]:
    """Milliseconds and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    begun_ns = mono_ns()
    connection.request("GET", path, headers={"authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, (path, answer.status, body[:300])
    connection.close()
    return (mono_ns() - begun_ns) / 1e6, body


def views_told(port: int, asks: int) -> bool:
    """Prints each view's figures; whether all goals are met."""
    newest = json.loads(ask(port, "/api/logs?limit=1")[1])["items"]
    dearest = json.loads(ask(port, "/api/sessions?limit=1")[1])["items"]
    further = [f"/logs/{one['call_id']}" for one in newest] + [f"/sessions/{one['session_id']}" for one in dearest]
    views, first_ms, weight = asyncio.run(opened(f"http://127.0.0.1:{port}", (*VIEWS, *further)))
    good = all(len(view.asked) == 1 for view in views)
    for view in views:
        if len(view.asked) != 1:
            print(f"{view.name}: {len(view.asked)} requests instead of one: {', '.join(view.asked)}")
            continue
        times = sorted(ask(port, view.asked[0])[0] for _ in range(asks))
        p50, p95 = times[len(times) // 2], times[min(int(len(times) * 0.95), len(times) - 1)]
        good &= p95 <= GOAL_MS
        said = "" if p95 <= GOAL_MS else ", too slow"
        print(f"{view.name:44} one request, p50 {p50:6.1f} ms, p95 {p95:6.1f} ms{said}", flush=True)
    print(f"first view: {first_ms:.0f} ms, {weight / 1000:.0f} kB transferred", flush=True)
    return good and first_ms < GOAL_FIRST_MS and weight < GOAL_FIRST_BYTES


async def watched(port: int, rate: int, seconds: float, dashboards: int) -> tuple[int, int]:
    """Calls made while so many dashboards stand open, and how often these asked."""
    asked = 0

    async def one(number: int) -> None:
        nonlocal asked
        await asyncio.sleep(OVERVIEW_EVERY_S * number / dashboards)
        while True:
            await asyncio.to_thread(ask, port, OVERVIEW)
            asked += 1
            await asyncio.sleep(OVERVIEW_EVERY_S)

    tasks = [asyncio.create_task(one(number)) for number in range(dashboards)]
    made, _ = await load(port, rate, seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return made, asked


def cost_told(port: int, workers: list[int], given: argparse.Namespace) -> bool:
    """Prints what dashboards cost; whether that is below the goal."""
    taken: list[float] = []
    asyncio.run(load(port, given.rate, 2))
    for number in range(given.rounds):
        marks = [cpu_ns(workers)]
        count, _ = asyncio.run(load(port, given.rate, given.seconds))
        marks.append(cpu_ns(workers))
        made, asked = asyncio.run(watched(port, given.rate, given.seconds, given.dashboards))
        marks.append(cpu_ns(workers))
        alone_ns, beside_ns = (marks[1] - marks[0]) / count, (marks[2] - marks[1]) / made
        taken.append((beside_ns - alone_ns) * made / given.seconds / 1e9)
        said = f"{alone_ns / 1000:.1f} us a call alone, {beside_ns / 1000:.1f} us beside dashboards that asked {asked} times"
        print(f"round {number + 1}: {said}: {taken[-1]:.2%} of the core", flush=True)
    share = statistics.median(taken)
    print(f"{given.dashboards} dashboards take {share:.2%} of the worker's core (median)")
    return share < GOAL_SHARE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ledger", default="", metavar="URL")
    for name, default in (("dashboards", 10), ("rate", 1000), ("rounds", 5), ("asks", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    own, others = cores()
    move(os.getpid(), others)
    database = database_of(given.ledger) if given.ledger else None
    with (
        tempfile.TemporaryDirectory() as folder,
        UpstreamThread(by_prompt) as upstream,
        GatewayUnderTest(Path(folder) / "gw", upstream.base_url, environ={"GW_ADMIN_TOKEN": TOKEN}, database=database) as gateway,
    ):
        workers = granian_workers(gateway.process.pid)
        for pid in (gateway.process.pid, *children(gateway.process.pid)):
            move(pid, own if pid in workers else others)
        port = gateway.process.port
        asyncio.run(load(port, 200, 1))
        gateway.process.pause()
        good = views_told(port, given.asks) if given.asks else True
        good &= cost_told(port, workers, given)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
