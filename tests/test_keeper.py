"""The keeper as a process: it moves, waits, tells, drains, and is alone."""

import asyncio
import logging
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gw import clock, keeper, retain
from gw.domain.stored import LeftOut
from gw.keeper import Keeper, KeeperSettings
from gw.ledger import sqlite
from gw.ledger.journal import JournalWriter
from gw.ledger.mover import KeeperBusy, sole_mover
from gw.ledger.rollup_shape import HOUR_US
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.status import KeeperStatus, read_status
from tests.ledger.following import Counting
from tests.ledger.records import begun, opened, record
from tests.support.databases import query

ROOT = Path(__file__).parents[1]
PATIENCE_S = 20


def ledger(state_dir: Path) -> SqliteDatabase:
    return SqliteDatabase(state_dir / "gw.db")


def rows(state_dir: Path) -> list[str]:
    return [call_id for (call_id,) in query(ledger(state_dir), "SELECT call_id FROM call ORDER BY seq")]


def status(state_dir: Path) -> KeeperStatus:
    found = read_status(state_dir)
    assert found is not None
    return found


async def until(ready: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not ready():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(state_dir: Path, **settings: object) -> AsyncIterator[None]:
    """A keeper inside the test; drained and gone at the end."""
    stop = asyncio.Event()
    config = KeeperSettings(state_dir, ledger(state_dir), **settings)  # type: ignore[arg-type]
    task = asyncio.create_task(Keeper(config, config.database.store()).run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "IDLE_S", 0.005)
    monkeypatch.setattr(keeper, "BACKOFF_S", (0.005, 0.02))
    monkeypatch.setattr(keeper, "STATUS_EVERY_NS", 0)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.01)


async def test_calls_arrive_while_the_keeper_runs_and_the_status_says_so(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal", "0-a")
    async with running(tmp_path):
        for index in range(3):
            writer.append(record(f"c{index}"))
            await until(lambda wanted=index + 1: len(rows(tmp_path)) == wanted)
        await until(lambda: status(tmp_path).rows == 3 and status(tmp_path).behind_bytes == 0)
        now = status(tmp_path)
        assert (now.state, now.database_ok, now.behind_us, now.error) == ("running", 1, 0, "")
        assert 0 <= clock.wall_us() - now.written_us < PATIENCE_S * 10**6
    assert status(tmp_path).state == "stopped"
    writer.close()


async def test_locked_database_is_waited_for_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "gw.keeper")
    writer = JournalWriter(tmp_path / "journal", "0-a")
    async with running(tmp_path):
        writer.append(record("a"))
        await until(lambda: rows(tmp_path) == ["a"] and read_status(tmp_path) is not None)
        other = sqlite3.connect(tmp_path / "gw.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for index in range(50):
            writer.append(record(f"b{index:02}", ended_us=clock.wall_us() - 5_000_000))
        await until(lambda: status(tmp_path).state == "waiting" and status(tmp_path).behind_us > 5_000_000)
        first = status(tmp_path)
        assert first.database_ok == 0 and first.behind_bytes > 5000 and "locked" in first.error
        await until(lambda: status(tmp_path).written_us > first.written_us + 100_000)
        assert rows(tmp_path) == ["a"]
        other.execute("ROLLBACK")
        other.close()
        await until(lambda: len(rows(tmp_path)) == 51)
        await until(lambda: status(tmp_path).state == "running" and status(tmp_path).behind_us == 0)
        assert status(tmp_path).error == ""
    writer.close()
    messages = [entry.getMessage() for entry in caplog.records]
    assert sum("does not take rows" in message for message in messages) == 1
    assert sum("takes rows again" in message for message in messages) == 1


async def test_second_keeper_on_the_same_state_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "CLAIM_NS", 50_000_000)
    async with running(tmp_path):
        await until(lambda: read_status(tmp_path) is not None)
        with pytest.raises(KeeperBusy, match="already runs"):
            async with running(tmp_path):
                pass


async def test_keeper_waits_for_a_report_that_holds_the_lock_for_a_moment(tmp_path: Path) -> None:
    with sole_mover(tmp_path):
        stop = asyncio.Event()
        task = asyncio.create_task(Keeper(KeeperSettings(tmp_path, ledger(tmp_path)), ledger(tmp_path).store()).run(stop))
        await asyncio.sleep(0)
        assert not task.done() and read_status(tmp_path) is None
    await until(lambda: read_status(tmp_path) is not None)
    stop.set()
    await task


async def test_hooks_run_again_and_again_and_a_failing_one_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keeper, "HOOK_EVERY_S", 0.001)
    calls = {"good": 0, "bad": 0}

    async def bad() -> None:
        calls["bad"] += 1
        raise RuntimeError("hook trouble")

    async def good() -> None:
        calls["good"] += 1

    async with running(tmp_path, on_tick=(bad, good)):
        await until(lambda: min(calls.values()) >= 3)
    assert "hook trouble" in caplog.text


async def test_hooks_run_between_two_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hook reads of the ledger is what the follower was told, though commits run in a thread of their own."""
    monkeypatch.setattr(keeper, "HOOK_EVERY_S", 0.0)
    follower = Counting(ledger(tmp_path))
    seen: set[tuple[int, int]] = set()

    async def compare() -> None:
        if read_status(tmp_path) is not None:
            seen.add((follower.in_ledger(), len(follower.told)))

    writer = JournalWriter(tmp_path / "journal", "0-a")
    async with running(tmp_path, follower=follower, on_tick=(compare,), rows_max=7):
        for index in range(300):
            writer.append(record(f"c{index:03}"))
        await until(lambda: (300, 300) in seen)
    writer.close()
    assert len(seen) > 10 and all(there == told for there, told in seen)


async def test_calls_of_a_worker_that_died_are_settled(tmp_path: Path) -> None:
    follower = Counting(ledger(tmp_path))
    writer = JournalWriter(tmp_path / "journal", "5-a")
    async with running(tmp_path, follower=follower, counts=lambda: {"holds_reaped": 7}):
        writer.open_call(opened(1, begun("a")))
        await until(lambda: (found := read_status(tmp_path)) is not None and found.behind_bytes == 0)
        assert rows(tmp_path) == []
        writer.close()  # as the end of its process would: the lock goes
        await until(lambda: rows(tmp_path) == ["a"])
    assert follower.told == ["a"] and status(tmp_path).lost == 1 and status(tmp_path).holds_reaped == 7


def test_sigterm_drains_the_journals_before_the_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.keeping", str(tmp_path), f"sqlite:///{tmp_path}/gw.db"]
    child = subprocess.Popen(command, cwd=ROOT)
    try:
        deadline_ns = clock.mono_ns() + PATIENCE_S * 10**9
        while read_status(tmp_path) is None:
            assert child.poll() is None and clock.mono_ns() < deadline_ns
        writer = JournalWriter(tmp_path / "journal", "0-a")
        for index in range(3000):
            writer.append(record(f"c{index:05}"))
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE_S) == 0
    finally:
        child.kill()
        child.wait()
    writer.close()
    assert rows(tmp_path) == [f"c{index:05}" for index in range(3000)]
    assert status(tmp_path).state == "stopped"


async def test_drain_gives_up_on_a_dead_database_and_keeps_the_journals(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal", "0-a")
    writer.append(record("a"))
    writer.close()
    (tmp_path / "gw.db").mkdir()
    async with running(tmp_path):
        await until(lambda: (found := read_status(tmp_path)) is not None and found.state == "waiting")
    assert status(tmp_path).error and len(list((tmp_path / "journal").glob("*.gwj"))) == 1
    (tmp_path / "gw.db").rmdir()
    async with running(tmp_path):
        await until(lambda: rows(tmp_path) == ["a"])
    assert not list((tmp_path / "journal").glob("*.gwj"))


async def test_what_is_left_out_is_told_in_the_status(tmp_path: Path) -> None:
    left_out = (LeftOut("budget", "a", "why", opens=True), LeftOut("key", "b", "why"))
    async with running(tmp_path, left_out=lambda: left_out, config_problem=lambda: "because"):
        await until(lambda: read_status(tmp_path) is not None)
        told = status(tmp_path)
    assert (told.left_out, told.left_out_hard_budgets, told.config_problem) == (2, 1, "because")


async def test_sums_per_hour_go_and_those_per_day_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retain, "STEADY_NS", 0)
    monkeypatch.setattr(retain, "PAUSE_NS", 0)
    writer = JournalWriter(tmp_path / "journal", "0-a")
    month_us = 31 * 86_400_000_000
    ends_us = [clock.wall_us() - months * month_us for months in (0, 1, 3, 14)]
    for at_us in ends_us:
        writer.append(record(str(at_us), started_us=at_us, ended_us=at_us))
    async with running(tmp_path, hourly_months=2):
        recent = sorted(at_us // HOUR_US for at_us in ends_us[:2])
        count = "SELECT DISTINCT at FROM usage_hour ORDER BY at"
        await until(lambda: [at for (at,) in query(ledger(tmp_path), count)] == recent)
    assert query(ledger(tmp_path), "SELECT COUNT(*) FROM usage_day WHERE level = 1") == [(4,)] and len(rows(tmp_path)) == 4
    writer.close()


async def test_calls_that_have_been_kept_for_long_enough_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retain, "STEADY_NS", 0)
    monkeypatch.setattr(retain, "PAUSE_NS", 0)
    writer = JournalWriter(tmp_path / "journal", "0-a")
    month_us = 31 * 86_400_000_000
    for months in (0, 1, 3, 14):
        at_us = clock.wall_us() - months * month_us
        writer.append(record(f"{months} ago", started_us=at_us, ended_us=at_us, billed_pusd=5000))
    async with running(tmp_path, retention_months=2):
        await until(lambda: rows(tmp_path) == ["0 ago", "1 ago"])
    assert query(ledger(tmp_path), "SELECT SUM(cost_low) FROM spent_earlier") == [(10,)]
    writer.close()
