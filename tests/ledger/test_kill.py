"""kill -9 of the writer and of the keeper, at random moments: whatever was appended is in the ledger exactly once."""

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from gw import clock
from gw.keeper import flush_all, settle_unobserved
from gw.ledger.journal import JournalWriter
from gw.ledger.sqlite import SqliteStore, reading
from tests.ledger.records import begun, opened, record

ROOT = Path(__file__).parents[2]
ROUNDS = 20
PATIENCE_NS = 60_000_000_000


def until(ready: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    deadline_ns = clock.mono_ns() + PATIENCE_NS
    while not ready():
        assert child.poll() is None, "the child ended by itself"
        assert clock.mono_ns() < deadline_ns, "the child does nothing"


def outcomes(database: Path) -> dict[str, str]:
    with reading(database) as db:
        return dict(db.execute("SELECT call_id, outcome FROM call").fetchall()) if db is not None else {}


def count(database: Path, table: str = "call") -> int:
    with reading(database) as db:
        return int(db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]) if db is not None else 0


async def test_killed_worker_loses_no_append_that_returned(tmp_path: Path) -> None:
    journal, database, dice = tmp_path / "journal", tmp_path / "gw.db", random.Random(20261121)
    noted: list[str] = []
    for index in range(ROUNDS):
        notes = tmp_path / f"notes{index}"
        child = subprocess.Popen([sys.executable, "-m", "tests.ledger.appending", str(journal), str(notes)], cwd=ROOT)
        try:
            wanted = dice.randrange(1, 1500) * 26
            until(lambda: notes.exists() and notes.stat().st_size >= wanted, child)
        finally:
            child.kill()
            child.wait()
        noted += notes.read_text().split()
        await flush_all(tmp_path, SqliteStore(database), settle_unobserved)
    found = outcomes(database)
    assert len(noted) == len(set(noted)) and set(noted) <= set(found)
    assert all(found[call_id] == "completed" for call_id in noted)
    unnoted = set(found) - set(noted)  # killed between the append and the note, or between the opening and the append
    assert len(unnoted) <= ROUNDS
    assert count(database) == len(found)
    assert count(database, "open_call") == 0 and count(database, "journal_segment") == 0
    assert not list(journal.glob("*.gwj"))


async def test_killed_keeper_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    database, dice = tmp_path / "gw.db", random.Random(1121)
    writer = JournalWriter(tmp_path / "journal", "0-a", segment_bytes_max=20_000)
    written = 0

    def write_on() -> None:
        nonlocal written
        for _ in range(20):
            call_id = f"c{written:08}"
            writer.open_call(opened(1, begun(call_id)))
            writer.append(record(call_id))
            written += 1

    for _ in range(ROUNDS):
        child = subprocess.Popen([sys.executable, "-m", "tests.keeping", str(tmp_path), str(database)], cwd=ROOT)
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
    await flush_all(tmp_path, SqliteStore(database), settle_unobserved)
    found = outcomes(database)
    assert set(found) == {f"c{number:08}" for number in range(written)} and set(found.values()) == {"completed"}
    assert count(database) == written
    assert count(database, "open_call") == 0 and not list((tmp_path / "journal").glob("*.gwj"))
    with reading(database) as db:
        assert db is not None
        counters = dict(db.execute("SELECT name, value FROM meta").fetchall())
    assert counters == {}, "offsets moved with the rows: nothing was even offered twice"
