"""kill -9 of the writer and of the keeper, at random moments: whatever was appended is in the ledger exactly once."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gw import clock
from gw.keeper import flush_all, settle_unobserved
from gw.ledger.journal import JournalWriter
from gw.ledger.postgres import PostgresDatabase
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Database, StoreError
from tests.ledger import rolled
from tests.ledger.records import begun, opened, record
from tests.support.databases import address_of, query
from tests.support.postgres import Cluster

ROOT = Path(__file__).parents[2]
ROUNDS = 20
PATIENCE_NS = 60_000_000_000


def until(ready: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    deadline_ns = clock.mono_ns() + PATIENCE_NS
    while not ready():
        assert child.poll() is None, "the child ended by itself"
        assert clock.mono_ns() < deadline_ns, "the child does nothing"


def outcomes(database: Database) -> dict[str, str]:
    return dict(query(database, "SELECT call_id, outcome FROM call"))


def count(database: Database, table: str = "call") -> int:
    found = query(database, f"SELECT COUNT(*) FROM {table}")
    return int(found[0][0]) if found else 0


@pytest.mark.parametrize("drained", [(), ("7",), ("100000",)], ids=["each written", "some at a time", "all in memory"])
async def test_killed_worker_loses_no_append_that_returned(tmp_path: Path, drained: tuple[str, ...]) -> None:
    database = SqliteDatabase(tmp_path / "gw.db")
    journal, dice = tmp_path / "journal", random.Random(20261121)
    noted: list[str] = []
    for index in range(ROUNDS):
        notes = tmp_path / f"notes{index}"
        command = [sys.executable, "-m", "tests.ledger.appending", str(journal), str(notes), *drained]
        child = subprocess.Popen(command, cwd=ROOT)
        try:
            wanted = dice.randrange(1, 1500) * 26
            until(lambda: notes.exists() and notes.stat().st_size >= wanted, child)
        finally:
            child.kill()
            child.wait()
        noted += notes.read_text().split()
        await flush_all(tmp_path, database.store(), settle_unobserved)
    found = outcomes(database)
    assert len(noted) == len(set(noted)) and set(noted) <= set(found)
    assert all(found[call_id] == "completed" for call_id in noted)
    unnoted = set(found) - set(noted)  # killed between the append and the note, or between the opening and the append
    assert len(unnoted) <= ROUNDS
    assert count(database) == len(found)
    assert count(database, "open_call") == 0 and count(database, "journal_segment") == 0
    assert not [*journal.glob("*.gwj"), *journal.glob("*.buffer")]


def keeping(state_dir: Path, database: Database) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.keeping", str(state_dir), address_of(database)], cwd=ROOT)


async def test_killed_keeper_loses_nothing_and_doubles_nothing(tmp_path: Path, database: Database) -> None:
    dice = random.Random(1121)
    writer = JournalWriter(tmp_path / "journal", "0-a", segment_bytes_max=20_000)
    written = 0

    def write_on() -> None:
        nonlocal written
        for _ in range(20):
            call_id = f"c{written:08}"
            writer.open_call(opened(1, begun(call_id)))
            writer.append(record(call_id))
            written += 1

    for _ in range(ROUNDS if isinstance(database, SqliteDatabase) else ROUNDS // 3):
        child = keeping(tmp_path, database)
        try:
            target = count(database) + dice.randrange(1, 600)

            def moved_on(target: int = target) -> bool:
                if written < target + 400:  # a backlog, but not an endless one
                    write_on()
                return count(database) >= target

            until(moved_on, child)
        finally:
            child.kill()
            child.wait()
    writer.close()
    await flush_all(tmp_path, database.store(), settle_unobserved)
    found = outcomes(database)
    assert set(found) == {f"c{number:08}" for number in range(written)} and set(found.values()) == {"completed"}
    assert count(database) == written
    assert count(database, "open_call") == 0 and not list((tmp_path / "journal").glob("*.gwj"))
    counters = query(database, "SELECT name, value FROM meta WHERE name <> 'call_seq'")
    assert counters == [], "offsets moved with the rows: nothing was even offered twice"
    rolled.check(database, rolled.stored(database))


async def test_killed_server_loses_nothing_and_doubles_nothing(tmp_path: Path, cluster: Cluster) -> None:
    """At any moment of a transaction, which may be on its disk although nobody heard of it."""
    database, dice = PostgresDatabase(cluster.url("postgres")), random.Random(211)
    writer = JournalWriter(tmp_path / "journal", "0-a", segment_bytes_max=20_000)
    written = 0
    child = keeping(tmp_path, database)

    def moved_on(target: int) -> bool:
        nonlocal written
        for _ in range(20 if written < target + 400 else 0):
            writer.open_call(opened(1, begun(f"c{written:08}")))
            writer.append(record(f"c{written:08}"))
            written += 1
        try:
            return count(database) >= target
        except StoreError:
            return False

    try:
        for _ in range(ROUNDS // 3):
            target = written + dice.randrange(1, 400)
            until(lambda target=target: moved_on(target), child)
            cluster.kill()
            cluster.start()
        until(lambda: moved_on(written - 1), child)
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    writer.close()
    await flush_all(tmp_path, database.store(), settle_unobserved)
    assert outcomes(database) == {f"c{number:08}": "completed" for number in range(written)} and written > 500
    assert count(database) == written and count(database, "open_call") == 0
    (in_order,) = zip(*query(database, "SELECT call_id FROM call ORDER BY seq"), strict=True)
    assert list(in_order) == sorted(in_order)
    rolled.check(database, rolled.stored(database))
    database.close()
