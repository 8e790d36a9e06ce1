"""How many rows a second the keeper writes of a backlog while the gateway answers calls.

    python -m bench.ledger.beside [sqlite|postgres ...] [--rows 200000] [--warm 200000] [--rate 1500] [--seconds 60]

A gateway of one worker, on one core with the load and the fake upstream; the keeper may use both cores, as it would anywhere
(`--apart`: the other one alone). Postgres is a server of this run's own, durable, with the settings that docs/storage.md names,
and may use both. The journals of a worker that is no more
come into the gateway's journal directory at once: the clock runs until the last of them is in the ledger and removed. Rows of the
calls that are answered meanwhile come on top, and are not counted.

A day's rows (`--warm`) are written before the clock runs, and Postgres makes a checkpoint after them: what a ledger does for the
first time alone, such as to fill the files of its log with zeros, is not what it sustains.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.ledger.fill import SEED
from bench.live import load
from bench.load.contender import children, command_of, cores, cpu_ns, move
from bench.load.contenders import granian_workers
from gw.clock import mono_ns, wall_us
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.demo.world import calls_of_day, developers
from gw.domain.call import CallRecord
from gw.ledger.database import database_of
from gw.ledger.journal import JournalWriter
from gw.ledger.mover import JOURNAL_DIRECTORY
from gw.ledger.rollup_shape import DAY_US
from gw.ledger.store import Database
from tests.support.gateway import GatewayUnderTest
from tests.support.postgres import Cluster

KINDS = ("sqlite", "postgres")
POSTGRES = ("max_wal_size=8GB", "min_wal_size=2GB", "checkpoint_timeout=15min", "wal_compression=lz4", "shared_buffers=512MB")
WARM_S = 2.0
POLL_S = 0.02
GOAL = 20_000  # rows a second


def backlog(folder: Path, count: int, days_ago: int) -> list[Path]:
    """Finished segments of a worker that is no more, oldest first."""
    writer = JournalWriter(folder, f"0-backlog{days_ago}")
    for row in calls_of_day(SEED, wall_us() // DAY_US - days_ago, count, developers())[:count]:
        writer.append(CallRecord(*row))
    writer.close()
    return sorted(folder.iterdir(), key=lambda path: int(path.stem.rpartition("-")[2]))


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Database]:
    if kind == "sqlite":
        yield database_of(f"sqlite:///{folder}/gw.db")
        return
    cluster = Cluster(settings=POSTGRES)
    cluster.start()
    try:
        database = database_of(cluster.url("postgres"))
        yield database
        database.close()
    finally:
        cluster.remove()


async def drained(gateway: GatewayUnderTest, segments: list[Path]) -> int:
    """Nanoseconds until the last segment was gone."""
    journals = gateway.folder / "state" / JOURNAL_DIRECTORY
    begun_ns = mono_ns()
    there = [one.rename(journals / one.name) for one in segments]
    while any(one.exists() for one in there):
        await asyncio.sleep(POLL_S)
    return mono_ns() - begun_ns


async def measured(
    gateway: GatewayUnderTest, folder: Path, given: argparse.Namespace, settle: Callable[[], None]
) -> tuple[int, float]:
    """Nanoseconds for the backlog, and calls a second meanwhile. Raises TimeoutError where it takes longer than the load."""
    first = backlog(folder / "first", given.warm, 2)
    segments = backlog(folder / "backlog", given.rows, 1)
    await drained(gateway, first)
    settle()
    loading = asyncio.create_task(load(gateway.process.port, given.rate, given.seconds))
    await asyncio.sleep(WARM_S)
    async with asyncio.timeout(given.seconds - WARM_S):
        took_ns = await drained(gateway, segments)
    _, per_s = await loading
    return took_ns, per_s


def measure(kind: str, given: argparse.Namespace, folder: Path, own: int, others: int) -> bool:
    """Prints the figures; whether the goal is met. `own`, `others`: cores; this process and the worker share one."""
    move(os.getpid(), own, others)  # what begins from here may use both

    def settle() -> None:
        if kind == "postgres":
            with database.changing() as db:
                db.execute("CHECKPOINT")

    with (
        opened(kind, folder) as database,
        UpstreamThread(by_prompt) as upstream,
        GatewayUnderTest(folder / "gw", upstream.base_url, database=database) as gateway,
    ):
        top = gateway.process.pid
        workers, keepers = granian_workers(top), [pid for pid in children(top) if "gw.keeper_main" in command_of(pid)]
        for pid in (os.getpid(), *workers):
            move(pid, own)
        for pid in keepers:
            move(pid, *({others} if given.apart else {own, others}))
        before_ns = cpu_ns(keepers)
        took_ns, per_s = asyncio.run(measured(gateway, folder, given, settle))
        cpu_us = (cpu_ns(keepers) - before_ns) / 1000 / (given.warm + given.rows + per_s * given.seconds)
    speed = given.rows / took_ns * 1e9
    beside = f"beside {per_s:,.0f} calls/s; keeper {cpu_us:.0f} us of CPU per row"
    print(f"{kind:9} {given.rows:,} rows in {took_ns / 1e9:.1f} s: {speed:,.0f} rows/s {beside}", flush=True)
    return speed >= GOAL


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="sqlite|postgres", default=KINDS)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--warm", type=int, default=200_000)
    parser.add_argument("--rate", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--apart", action="store_true", help="the keeper on the other core alone")
    given = parser.parse_args()
    good, (own, others) = True, cores()
    for kind in given.kinds:
        with tempfile.TemporaryDirectory(dir=".") as folder:
            good &= measure(kind, given, Path(folder), own, others)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
