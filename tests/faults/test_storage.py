"""When the database or the journal's disk fails under load: traffic goes on or is refused by name, and no call is lost."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from tests.faults.disk import WAYS, filled, limited, small_disk
from tests.faults.ground import log, open_calls, page, readiness, until
from tests.faults.load import Load, Seen, call, tally
from tests.faults.processes import family, kill
from tests.faults.verdict import Verdict, judge
from tests.requires import need
from tests.support.gateway import GatewayUnderTest

CLIENTS = 12
LOCKED_S = 5.0
CATCH_UP_S = 12.0  # the keeper looks again after five seconds at the latest


@pytest.fixture
def upstream() -> Iterator[UpstreamThread]:
    need("/proc", Path("/proc/self/stat").exists(), "run this suite on Linux")
    with UpstreamThread(by_prompt) as fake:
        yield fake


def gateway_of(folder: Path, upstream: UpstreamThread) -> GatewayUnderTest:
    """Two workers; the database really lies in a directory of its own, `db`."""
    (folder / "state").mkdir(exist_ok=True)
    (folder / "db").mkdir(exist_ok=True)
    (folder / "state" / "gw.db").symlink_to(folder / "db" / "gw.db")
    return GatewayUnderTest(folder, upstream.base_url, workers=2)


def judged(gateway: GatewayUnderTest, upstream: UpstreamThread, seen: list[Seen]) -> Verdict:
    """After the end of the gateway: every call accounted for."""
    assert open_calls(gateway) == 0
    verdict = judge(seen, gateway.rows(), upstream.invoice.lines())
    print(f"\n{tally(seen)}\n{verdict.line()}")
    assert not verdict.wrong, f"{len(verdict.wrong)} breaches, the first: {verdict.wrong[0]}"
    return verdict


def degraded(gateway: GatewayUnderTest) -> bool:
    """Ready all the same, and it says what is wrong."""
    status, told = readiness(gateway)
    assert (status, told["ready"], told["reasons"]) == (200, True, [])
    return any("database unavailable" in one for one in told["degraded"])


async def recovered(gateway: GatewayUnderTest, load: Load) -> None:
    """Not degraded any more, and the rows of all calls that have ended so far are there."""
    ended = [one.session for one in load.seen if one.good]
    await until(lambda: readiness(gateway)[1]["degraded"] == [], "an end of the trouble", CATCH_UP_S)
    await until(lambda: set(ended) <= {row["session_id"] for row in gateway.rows()}, "the rows held back", CATCH_UP_S)


async def test_locked_database_holds_up_rows_and_nothing_else(tmp_path: Path, upstream: UpstreamThread) -> None:
    with gateway_of(tmp_path, upstream) as gateway:
        load = Load(gateway.process.port, CLIENTS, seed=1)
        await load.start()
        await load.one_good(5)
        with closing(sqlite3.connect(tmp_path / "db" / "gw.db", isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            before = len(gateway.rows())
            at = len(load.seen)
            await asyncio.sleep(LOCKED_S / 2)
            kill(family(gateway).workers[0])  # its calls wait for the ledger too, and so do its slots
            await asyncio.sleep(LOCKED_S / 2)
            await until(lambda: degraded(gateway), "word of the trouble", 5)
            assert len(gateway.rows()) == before
            assert sum(one.good for one in load.seen[at:]) > 50
            writer.execute("ROLLBACK")
        await recovered(gateway, load)
        await load.stop()
    verdict = judged(gateway, upstream, load.seen)
    assert verdict.died["observed"] > 0
    assert log(gateway).count("the ledger does not take rows") == 1


@pytest.mark.parametrize("way", WAYS)
async def test_full_disk_under_the_database_holds_up_rows_and_nothing_else(
    tmp_path: Path, upstream: UpstreamThread, way: str
) -> None:
    with ExitStack() as ground:
        if way == "disk":
            ground.enter_context(small_disk(tmp_path / "db", "16m"))
        gateway = ground.enter_context(gateway_of(tmp_path, upstream))
        load = Load(gateway.process.port, CLIENTS, seed=2)
        await load.start()
        await load.one_good(5)
        with filled(tmp_path / "db") if way == "disk" else limited([family(gateway).keeper], 65536):
            await until(lambda: degraded(gateway), "word of the trouble", 10)
            await load.one_good(5)
        await recovered(gateway, load)
        await load.stop()
        assert await asyncio.to_thread(gateway.process.stop) == 0
        judged(gateway, upstream, load.seen)
    assert log(gateway).count("Traceback") == 0


async def test_database_that_cannot_be_opened_holds_up_rows_and_nothing_else(tmp_path: Path, upstream: UpstreamThread) -> None:
    """As after a read-only remount or a wrong restore: the keeper starts beside it and waits."""
    with gateway_of(tmp_path, upstream) as gateway:
        load = Load(gateway.process.port, CLIENTS, seed=3)
        await load.start()
        await load.one_good(5)
        folder, away = tmp_path / "db", tmp_path / "away"
        kill(family(gateway).keeper)
        folder.rename(away)
        folder.write_text("in the way")
        try:
            await until(lambda: degraded(gateway), "word of the trouble", 10)
            await load.one_good(5)
        finally:
            folder.unlink()
            away.rename(folder)
        await recovered(gateway, load)
        await load.stop()
    judged(gateway, upstream, load.seen)


@pytest.mark.parametrize("way", WAYS)
async def test_full_disk_under_the_journal_refuses_new_calls_and_keeps_those_under_way(
    tmp_path: Path, upstream: UpstreamThread, way: str
) -> None:
    with ExitStack() as ground:
        journal = tmp_path / "state" / "journal"
        if way == "disk":
            ground.enter_context(small_disk(journal, "4m"))
        gateway = ground.enter_context(gateway_of(tmp_path, upstream))
        port = gateway.process.port
        await until(lambda: readiness(gateway)[1]["workers"] == 2, "two workers", 5)
        started = upstream.upstream.calls_started
        running = [asyncio.create_task(call(port, f"under-way-{at}", "events 80 25", stream=True)) for at in range(20)]
        await until(lambda: upstream.upstream.calls_started == started + 20, "the calls", 5)
        with filled(journal) if way == "disk" else limited(family(gateway).workers, 0):
            first = await asyncio.gather(*(call(port, f"new-{at}", "plain", stream=True) for at in range(80)))
            await until(lambda: readiness(gateway)[0] == 503, "word of the trouble", 5)  # what came before it waits in memory
            await asyncio.sleep(0.2)  # both workers have had calls, and know
            newer = await asyncio.gather(*(call(port, f"newer-{at}", "plain", stream=False) for at in range(40)))
            refused = [*first, *newer]
            finished = await asyncio.gather(*running)
            assert all(one.good for one in finished), "a call under way was cut"
            last = [one for one in refused if not one.good]
            assert not any(one.good for one in newer)
            assert {(one.status, one.error, one.retry_after) for one in last} == {(503, "journal_unavailable", "10")}
            status, told = readiness(gateway)
            assert (status, told["reasons"]) == (503, ["journal cannot be written"])
            assert page(gateway, "/healthz")[0] == 200
        await until(lambda: readiness(gateway)[0] == 200, "recovery", 5)
        again = [await call(port, f"again-{at}", "plain", stream=True) for at in range(10)]
        assert all(one.good for one in again)
        assert await asyncio.to_thread(gateway.process.stop) == 0
        judged(gateway, upstream, [*refused, *finished, *again])
