"""A backlog whose next batch is begun while this one is committed, and kill -9 meanwhile of the keeper, of the database's server,
and of one of the keeper's connections: each call is in the ledger once, in order, and in the sums once."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from gw import clock
from gw.keeper import flush_all, settle_unobserved
from gw.ledger.journal import JournalWriter
from gw.ledger.postgres import PostgresDatabase
from gw.ledger.store import Database, StoreError
from tests.ledger import rolled
from tests.ledger.records import record
from tests.support.databases import address_of, query
from tests.support.postgres import Cluster

ROOT = Path(__file__).parents[2]
CALLS = 24_000
BATCH = 800
DEATHS = 6
PATIENCE_NS = 60_000_000_000
COPYING = "SELECT pid FROM pg_stat_activity WHERE application_name = 'gw' AND state <> 'idle' AND query LIKE 'COPY call%'"


@pytest.fixture
def backlog(tmp_path: Path) -> Path:
    """Of a worker that is no more."""
    writer = JournalWriter(tmp_path / "journal", "0-a", segment_bytes_max=1 << 20)
    for number in range(CALLS):
        writer.append(record(f"c{number:08}", session_id=f"s{number // 100}", billed_pusd=number))
    writer.close()
    return tmp_path


def keeping(state_dir: Path, database: Database) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.keeping", str(state_dir), address_of(database), str(BATCH)], cwd=ROOT)


def until(child: subprocess.Popen[bytes], database: Database, target: int) -> None:
    deadline_ns = clock.mono_ns() + PATIENCE_NS
    while there(database) < target:
        assert child.poll() is None, "the child ended by itself"
        assert clock.mono_ns() < deadline_ns, "the child does nothing"


def there(database: Database) -> int:
    try:
        found = query(database, "SELECT COUNT(*) FROM call")
    except StoreError:
        return 0
    return int(found[0][0]) if found else 0


def targets(dice: random.Random) -> list[int]:
    """Rows after which somebody dies: behind the first batch, when the next one has been begun."""
    return sorted(dice.randrange(1, CALLS - 2 * BATCH) for _ in range(DEATHS))


async def is_whole(state_dir: Path, database: Database) -> None:
    await flush_all(state_dir, database.store(), settle_unobserved)
    assert query(database, "SELECT call_id FROM call ORDER BY seq") == [(f"c{number:08}",) for number in range(CALLS)]
    assert query(database, "SELECT SUM(billed_pusd) FROM call") == [(CALLS * (CALLS - 1) // 2,)]
    assert not list((state_dir / "journal").glob("*.gwj")) and query(database, "SELECT * FROM journal_segment") == []
    rolled.check(database, rolled.stored(database))


async def test_the_keeper_dies(backlog: Path, database: Database) -> None:
    for target in targets(random.Random(1122)):
        child = keeping(backlog, database)
        try:
            until(child, database, target)
        finally:
            child.kill()
            child.wait()
    await is_whole(backlog, database)
    assert query(database, "SELECT name FROM meta WHERE name = 'duplicate_rows'") == [], "offsets moved with the rows"


def killed_server(cluster: Cluster) -> int:
    cluster.kill()
    cluster.start()
    return 1


def killed_connection(cluster: Cluster) -> int:
    """The one that copies what is next or the one that copies what is committed now, as it comes. Answers how many died."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True, application_name="somebody") as db:
        return len(db.execute(f"SELECT pg_terminate_backend(pid) FROM ({COPYING} ORDER BY random() LIMIT 1) AS one").fetchall())


@pytest.mark.parametrize("kill", [killed_server, killed_connection])
async def test_the_server_or_a_connection_dies(backlog: Path, cluster: Cluster, kill: Callable[[Cluster], int]) -> None:
    database = PostgresDatabase(cluster.url("postgres"))
    child, deaths = keeping(backlog, database), 0
    try:
        for target in targets(random.Random(2211)):
            until(child, database, target)
            deaths += kill(cluster)
        assert deaths >= 1
        until(child, database, CALLS)
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    await is_whole(backlog, database)
    database.close()
