"""When Postgres is killed, stands still or is not there yet: traffic goes on, and the ledger has every call once, in order.

`GW_TEST_OUTAGE_S` and `GW_TEST_OUTAGE_CLIENTS` make the outage longer and the crowd larger.
"""

import asyncio
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.ledger.postgres import PostgresDatabase
from tests.faults.ground import log, open_calls, page, readiness, until
from tests.faults.load import Load, call, tally
from tests.faults.processes import family, kill
from tests.faults.verdict import judge
from tests.support.gateway import GatewayUnderTest
from tests.support.postgres import Cluster

OUTAGE_S = float(os.environ.get("GW_TEST_OUTAGE_S", "3"))
CLIENTS = int(os.environ.get("GW_TEST_OUTAGE_CLIENTS", "12"))
CATCH_UP_S = 15.0 + OUTAGE_S  # the keeper looks again after five seconds at the latest
QUICK = {"whole": {"plain": 4}, "streams": {"events 4 2": 2, "thinking": 1}}
LITTLE = """
[[budget]]
name = "little"
upstream = "*"
limit_usd = "0.03"
window = "lifetime"
"""


@pytest.fixture
def database(cluster: Cluster) -> Iterator[PostgresDatabase]:
    one = PostgresDatabase(cluster.url("postgres"))
    yield one
    one.close()


@pytest.fixture
def upstream() -> Iterator[UpstreamThread]:
    with UpstreamThread(by_prompt) as fake:
        yield fake


def degraded(gateway: GatewayUnderTest) -> bool:
    """Ready all the same, and it says what is wrong."""
    status, told = readiness(gateway)
    assert (status, told["ready"], told["reasons"]) == (200, True, [])
    return any("database unavailable" in one for one in told["degraded"])


def judged(gateway: GatewayUnderTest, upstream: UpstreamThread, load: Load) -> None:
    """Every call was answered, and the ledger has each once, as billed, in the order in which each worker ended them."""
    assert all(one.good for one in load.seen), next(one for one in load.seen if not one.good)
    rows = gateway.rows()
    verdict = judge(load.seen, rows, upstream.invoice.lines())
    print(f"\n{tally(load.seen)}\n{verdict.line()}")
    assert not verdict.wrong, f"{len(verdict.wrong)} breaches, the first: {verdict.wrong[0]}"
    assert len(rows) == len(load.seen) == verdict.exact and open_calls(gateway) == 0
    by_worker = sorted(rows, key=lambda row: (row["worker"], row["seq"]))
    for _, of_one in groupby(by_worker, key=lambda row: row["worker"]):
        ended = [row["ended_us"] for row in of_one]
        assert ended == sorted(ended)


async def caught_up(gateway: GatewayUnderTest, load: Load) -> None:
    ended = {one.session for one in load.seen}
    await until(lambda: readiness(gateway)[1]["degraded"] == [], "an end of the trouble", CATCH_UP_S)
    await until(lambda: ended <= {row["session_id"] for row in gateway.rows()}, "the rows held back", CATCH_UP_S)


async def test_a_killed_database_costs_no_call_and_no_row(
    tmp_path: Path, cluster: Cluster, database: PostgresDatabase, upstream: UpstreamThread
) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url, workers=2, database=database) as gateway:
        load = Load(gateway.process.port, CLIENTS, seed=1, **QUICK)
        await load.start()
        await load.one_good(5)
        await until(lambda: len(gateway.rows()) > 20, "rows", 10)
        cluster.kill()
        at = len(load.seen)
        await until(lambda: degraded(gateway), "word of the trouble", 10)
        await asyncio.sleep(OUTAGE_S / 2)
        kill(family(gateway).keeper)  # the next one finds no database at all
        await asyncio.sleep(OUTAGE_S / 2)
        await until(lambda: degraded(gateway), "word of it from the next keeper", 10)
        told = readiness(gateway)[1]["keeper"]
        assert told["database_ok"] == 0 and told["behind_us"] > 0 and told["behind_bytes"] > 10_000
        assert "gw_keeper_database_ok 0.0" in page(gateway, "/metrics")[1]
        assert len(load.seen) - at > 20 * OUTAGE_S
        cluster.start()
        await caught_up(gateway, load)
        assert "gw_keeper_database_ok 1.0" in page(gateway, "/metrics")[1]
        await load.stop()
    judged(gateway, upstream, load)
    assert log(gateway).count("Traceback") == 0


async def test_an_outage_is_known_before_there_is_anything_to_write(
    tmp_path: Path, cluster: Cluster, database: PostgresDatabase, upstream: UpstreamThread
) -> None:
    with GatewayUnderTest(tmp_path, upstream.base_url, database=database) as gateway:
        cluster.kill()
        await until(lambda: degraded(gateway), "word of the trouble", 10)
        cluster.start()
        await until(lambda: readiness(gateway)[1]["degraded"] == [], "an end of the trouble", CATCH_UP_S)
    assert log(gateway).count("the ledger does not take rows") <= 3, "once for each way in which it did not answer"


async def test_a_start_without_the_database_waits_and_no_budget_begins_anew(
    tmp_path: Path, cluster: Cluster, database: PostgresDatabase, upstream: UpstreamThread
) -> None:
    gateway = GatewayUnderTest(tmp_path, upstream.base_url, database=database, more=LITTLE)
    port = gateway.process.port
    with gateway:
        done = 0
        while (one := await call(port, f"first-{done}", "plain", stream=False)).good:
            done += 1
        assert one.error == "budget_exceeded" and done > 3
    cluster.kill()
    start = asyncio.create_task(asyncio.to_thread(gateway.process.start, 60))
    await until(lambda: page(gateway, "/readyz")[0] == 503, "an answer", 20)
    assert readiness(gateway)[1]["reasons"] == ["starting: waiting for the database"]
    assert page(gateway, "/healthz") == (200, "ok\n") and "gw_keeper_database_ok 0.0" in page(gateway, "/metrics")[1]
    told = await call(port, "early", "plain", stream=True)
    assert (told.status, told.error, told.retry_after, told.ended) == (503, "starting", "5", True)
    cluster.start()
    await start
    try:
        later = await call(port, "later", "plain", stream=False)
        assert later.error == "budget_exceeded"
        assert len(upstream.invoice.lines()) == done
    finally:
        assert await asyncio.to_thread(gateway.process.stop) == 0
    assert "waiting for the database, nobody is served meanwhile" in log(gateway)


async def test_a_second_gateway_on_the_same_ledger_waits_until_the_first_is_gone(
    tmp_path: Path, database: PostgresDatabase, upstream: UpstreamThread
) -> None:
    first = GatewayUnderTest(tmp_path / "first", upstream.base_url, database=database)
    second = GatewayUnderTest(tmp_path / "second", upstream.base_url, database=database)
    with first:
        assert (await call(first.process.port, "to-the-first", "plain", stream=False)).good
        start = asyncio.create_task(asyncio.to_thread(second.process.start, 60))
        await until(lambda: page(second, "/readyz")[0] == 503, "an answer", 20)
        assert (await call(second.process.port, "to-both", "plain", stream=True)).error == "starting"
    await start
    try:
        assert (await call(second.process.port, "to-the-second", "plain", stream=False)).good
        await until(lambda: len(second.rows()) == 2, "both rows", 10)
    finally:
        assert await asyncio.to_thread(second.process.stop) == 0
    assert "another gateway writes to this ledger" in log(second)
