"""The keeper process: the ledger's loop, with what hangs on it: snapshots, prices, the calls of dead workers."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from gw import clock
from gw.keeper import KeeperSettings, run
from gw.ledger.mover import KeeperBusy
from gw.ledger.sqlite import path_of
from gw.lost import LostCalls
from gw.ops.process import configure_logging, die_with_parent
from gw.ops.state import STATE_FILE, StateFile
from gw.pricing.sync import SyncError, sync_once
from gw.publish import Publisher
from gw.snapshot import Published, Snapshot, config_of, read

log = logging.getLogger("gw.keeper")

SYNC_RETRY_US = 15 * 60 * 1_000_000


class Duties:
    """What the keeper does beside moving journals, four times a second."""

    def __init__(self, state: StateFile, state_dir: Path, config_path: Path | None, published: Published, database: Path) -> None:
        first = Snapshot(published)
        self._state_dir = state_dir
        self.lost = LostCalls(state)
        self.lost.snapshot = first
        self._publisher = Publisher(state, state_dir, config_path, database)
        self._publisher.adopt(published, first)
        self._forced = False
        self._sync_due_us = 0
        self._sync: asyncio.Task[None] | None = None

    def reload(self) -> None:
        self._forced = True

    async def publish(self) -> None:
        forced, self._forced = self._forced, False
        if self._publisher.check(forced=forced):
            assert self._publisher.snapshot is not None
            log.info("snapshot %d is in force", self._publisher.snapshot.version)
        self.lost.snapshot = self._publisher.snapshot

    async def sync_prices(self) -> None:
        snapshot = self.lost.snapshot
        pricing = snapshot.config.pricing if snapshot is not None else None
        if pricing is None or not pricing.sync_url or clock.wall_us() < self._sync_due_us:
            return
        if self._sync is not None and not self._sync.done():
            return
        self._sync_due_us = clock.wall_us() + pricing.sync_interval_h * 3_600_000_000
        providers = sorted({str(one.provider) for one in snapshot.deployments}) if snapshot is not None else []
        self._sync = asyncio.create_task(self._sync_prices(pricing.sync_url, providers), name="price-sync")

    async def _sync_prices(self, url: str, providers: list[str]) -> None:
        try:
            synced = await sync_once(url, self._state_dir, providers)
        except (SyncError, OSError) as error:
            log.warning("prices could not be fetched, the last good ones stay: %s", error)
            self._sync_due_us = clock.wall_us() + SYNC_RETRY_US
            return
        if synced.outcome == "rejected":
            log.error("fetched prices were rejected, the last good ones stay: %s", "; ".join(synced.reasons))
        else:
            log.info("prices %s: %s", synced.outcome, synced.label)


async def keep(state_dir: Path, config_path: Path | None) -> None:
    published = read(state_dir)
    database = path_of(config_of(published).storage.url)
    duties = Duties(StateFile(state_dir / STATE_FILE), state_dir, config_path, published, database)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, duties.reload)
    settings = KeeperSettings(
        state_dir,
        database,
        settle_lost=duties.lost.settle,
        worker_settled=duties.lost.worker_settled,
        on_tick=(duties.publish, duties.sync_prices),
    )
    await run(settings)


def main() -> int:
    """argv[1]: the configuration file, empty for the defaults. Ends on SIGTERM; Ctrl-C is the supervisor's to handle."""
    die_with_parent()
    state_dir = Path(os.environ["GW_STATE_DIR"])
    configure_logging(config_of(read(state_dir)).server.log_level)
    try:
        asyncio.run(keep(state_dir, Path(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] else None))
    except KeeperBusy as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
