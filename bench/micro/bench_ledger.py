"""How many rows a second the ledger takes, and what it takes of a machine, on both databases.

    python -m bench.micro.bench_ledger [ROWS] [sqlite|postgres ...]

Rows come in batches of 8,000, each with its offset in one durable transaction, as the keeper commits them; a store that holds
as many rows already is measured after that. Postgres is a server of this run's own with its default settings, so every commit
waits for the disk. CPU is of this process (what the keeper would use) and, for Postgres, of the server's.
"""

import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import astuple

from gw import clock
from gw.ledger.database import database_of
from gw.ledger.store import Batch, Database, Row
from tests.ledger.records import NOON_US, record
from tests.support.databases import query
from tests.support.postgres import Cluster

ROWS = 100_000
BATCH = 8000
TICK_US = 500_000  # between two calls: a month is crossed after some five million
TEAMS = [f"team-{number}" for number in range(40)]
KEYS = [f"key-{number}" for number in range(400)]
US_PER_TICK = 1_000_000 // os.sysconf("SC_CLK_TCK")


def rows(count: int, first: int) -> list[Row]:
    """Calls of 400 keys in 40 teams, 20 to a session; each key has one at a time, and they come in turn."""
    found = []
    for number in range(first, first + count):
        at_us = NOON_US + number * TICK_US
        key = KEYS[number * 7919 % len(KEYS)]
        session = number // (20 * len(KEYS)) * len(KEYS) + int(key[4:])
        one = record(
            f"gw_{at_us // 1000:012x}{secrets.token_hex(8)}",
            started_us=at_us,
            ended_us=at_us + 2_000_000,
            charged_us=at_us,
            rules_us=1,
            key_id=key,
            key_name=key,
            team=TEAMS[int(key[4:]) % len(TEAMS)],
            customer="acme",
            session_id=f"{session:08x}-5e55-4000-8000-000000000000",
            client_version="claude-cli/2.1.329",
            input_tokens=1200,
            output_tokens=340,
            cache_read_tokens=48_000,
            list_pusd=43_094_000_000 + number,
            billed_pusd=43_094_000_000 + number,
            price_version="2026-11-21/anthropic/claude-sonnet-4-5",
            upstream_request_id=f"req_{number:024x}",
        )
        found.append(astuple(one))
    return found


async def ingest(database: Database, offered: list[Row]) -> int:
    """Nanoseconds."""
    store = database.store()
    await store.open()
    begun_ns = clock.mono_ns()
    for at in range(0, len(offered), BATCH):
        assert await store.commit(Batch(rows=offered[at : at + BATCH], consumed={"s": at + BATCH})) == 0
    took_ns = clock.mono_ns() - begun_ns
    await store.close()
    return took_ns


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[tuple[Database, Cluster | None]]:
    if kind == "sqlite":
        yield database_of(f"sqlite:///{folder}/gw.db"), None
        return
    cluster = Cluster(settings=())
    cluster.start()
    try:
        database = database_of(cluster.url("postgres"))
        yield database, cluster
        database.close()
    finally:
        cluster.remove()


def server_cpu_us(cluster: Cluster | None) -> int:
    """Of all its processes that are still there, and of those that it has waited for."""
    if cluster is None:
        return 0
    total = 0
    for pid in [cluster.pid, *cluster.children()]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(fields[at]) for at in (11, 12, *((13, 14) if pid == cluster.pid else ()))) * US_PER_TICK
    return total


def measure(kind: str, count: int, folder: Path) -> None:
    with opened(kind, folder) as (database, cluster):
        for number in range(2):
            offered = rows(count, number * count)
            own, served = os.times(), server_cpu_us(cluster)
            took_ns = asyncio.run(ingest(database, offered))
            now = os.times()
            own_us = (now.user + now.system - own.user - own.system) * 1e6 / count
            served_us = (server_cpu_us(cluster) - served) / count
            print(
                f"{kind:9} {number * count:9,} rows there: {count / took_ns * 1e9:9,.0f} rows/s; CPU per row: "
                f"{own_us:5.1f} us here{f', {served_us:5.1f} us in the server' if cluster is not None else ''}"
            )
        assert query(database, "SELECT COUNT(*) FROM call") == [(2 * count,)]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for kind in sys.argv[2:] or ("sqlite", "postgres"):
            measure(kind, count, Path(folder))


if __name__ == "__main__":
    main()
