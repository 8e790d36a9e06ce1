"""The keeper process: the ledger's loop, with what hangs on it: snapshots, prices, the calls of dead workers."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from gw import clock
from gw.config.load import ConfigError, load
from gw.config.model import Config
from gw.courier_main import duties_of
from gw.domain.stored import LeftOut
from gw.keeper import KeeperSettings, run
from gw.ledger import errand
from gw.ledger.database import database_of
from gw.ledger.mover import KeeperBusy
from gw.ledger.store import Database, Row, StoreError
from gw.live.hub import Hub
from gw.lost import LostCalls
from gw.metering import Metering
from gw.ops.process import collect_seldom, configure_logging, die_with_supervisor, in_the_background, orphaned
from gw.ops.state import STATE_FILE, StateFile, Word
from gw.pricing.sync import SyncError, sync_once
from gw.probing import Prober
from gw.publish import Publisher
from gw.reap import Reaper
from gw.snapshot import Published, Snapshot, config_of, read
from gw.spend import Spending
from gw.upkeep import Upkeep

log = logging.getLogger("gw.keeper")

SWITCH_S = 0.0001  # the thread that writes to SQLite waits at most so long for the one that reads the journals, not 5 ms
SYNC_RETRY_US = 15 * 60 * 1_000_000
ERRANDS_EVERY_US = 1_000_000
UNPRESSING_US = 60_000_000  # after the start: for duties that a short-lived gateway need not have a courier for


class Duties:
    """What the keeper does beside moving journals, four times a second; and the mover's follower."""

    def __init__(
        self, state: StateFile, state_dir: Path, config_path: Path | None, published: Published | None, database: Database
    ) -> None:
        self._state = state
        self._state_dir = state_dir
        self._database = database
        self._errands_due_us = 0
        self._publisher = Publisher(state, state_dir, config_path, database)
        if published is not None:
            self._publisher.adopt(published, Snapshot(published))
        else:
            self._publisher.since_us = state.words[Word.STARTED_US]
            self._publisher.check()
        assert self._publisher.snapshot is not None
        self.lost = LostCalls(state)
        self.hub = Hub(state_dir, database)
        self._spending = Spending(state.cells, database)
        self._spending.adjusted = state.words[Word.ADJUSTED]
        self._spending.adopt(self._publisher.snapshot)
        self.metering = Metering(state, state_dir, database, self._spending)
        self._publisher.seed = self._spending.seed
        self._upkeep = Upkeep(state, self._spending)
        self._reaper = Reaper(state, database)
        self.prober = Prober(state.places)
        self._passes = 0  # how often the journals have been read to their end
        self._heed()
        self._forced = False
        self._store_error = ""
        self._sync_due_us = 0
        self._sync: asyncio.Task[None] | None = None

    def reload(self) -> None:
        self._forced = True

    def config_problem(self) -> str:
        return self._publisher.problem

    def left_out(self) -> tuple[LeftOut, ...]:
        return self._publisher.left_out

    def counts(self) -> dict[str, int]:
        found = self._upkeep.found
        return {
            "cells_checked": found.checked,
            "cells_corrected": found.corrected,
            "cells_drift_nusd": found.drift_nusd,
            "cells_forgotten": found.forgotten,
            "holds_reaped": self._reaper.reaped,
        }

    def moved(self, rows: list[Row], duplicates: int) -> None:
        self._spending.moved(rows, duplicates)
        self.hub.moved()
        self.metering.moved(rows, duplicates)

    def failed(self) -> None:
        self._spending.doubt()
        self.metering.failed()

    def caught_up(self) -> None:
        self._passes += 1
        self.metering.caught_up()

    def _heed(self) -> None:
        """What is in force now: its prices for lost calls, its budgets for the holds of dead workers."""
        snapshot = self.lost.snapshot = self._publisher.snapshot
        assert snapshot is not None
        self._reaper.book = snapshot.budget_book

    async def keep_cells(self) -> None:
        try:
            self._reaper.look(self._passes)
        except StoreError as error:
            log.error("holds of a dead worker cannot be settled now: %s", error)
        self._adjust()
        self._upkeep.look(self._passes)

    def _adjust(self) -> None:
        """A keeper that is killed before it has said how far it got adds the last again, for which the upkeep makes up."""
        try:
            self._spending.adjust()
        except StoreError as error:
            log.debug("adjustments cannot be read now: %s", error)
        self._state.words[Word.ADJUSTED] = self._spending.adjusted

    async def publish(self) -> None:
        forced, self._forced = self._forced, False
        try:
            published = self._publisher.check(forced=forced)
        except StoreError as error:
            self._forced = forced
            if str(error) != self._store_error:
                log.error("the database cannot be read, the keys and budgets in force stay: %s", error)
            self._store_error = str(error)
            return
        self._store_error = ""
        if published:
            assert self._publisher.snapshot is not None
            log.info("snapshot %d is in force", self._publisher.snapshot.version)
        self._heed()

    async def want_courier(self) -> None:
        """Tells the supervisor once there is work for a courier; from then on there is one."""
        now_us = clock.wall_us()
        if self._state.words[Word.COURIER_WANTED] or now_us < self._errands_due_us:
            return
        self._errands_due_us = now_us + ERRANDS_EVERY_US
        snapshot = self.lost.snapshot
        duties = duties_of(snapshot.config) if snapshot is not None else []
        settled = now_us - self._state.words[Word.STARTED_US] > UNPRESSING_US
        if any(duty.pressing or settled for duty in duties) or self._errands_wait():
            self._state.words[Word.COURIER_WANTED] = now_us

    def _errands_wait(self) -> bool:
        try:
            with self._database.reading() as db:
                return db is not None and errand.waiting(db)
        except StoreError:
            return False  # then nobody could perform them either

    async def probe(self) -> None:
        snapshot = self.lost.snapshot
        if snapshot is not None:
            self.prober.adopt(snapshot.config.upstream, snapshot.deployments)
            self.prober.look()

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


async def keep(state_dir: Path, config_path: Path | None, published: Published | None, config: Config) -> None:
    database = database_of(config.storage.address)
    duties = Duties(StateFile(state_dir / STATE_FILE), state_dir, config_path, published, database)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, duties.reload)
    settings = KeeperSettings(
        state_dir,
        database,
        settle_lost=duties.lost.settle,
        follower=duties,
        config_problem=duties.config_problem,
        left_out=duties.left_out,
        counts=duties.counts,
        retention_months=config.storage.retention_months,
        hourly_months=config.storage.hourly_months,
        on_tick=(
            duties.publish,
            duties.keep_cells,
            duties.metering.publish,
            duties.sync_prices,
            duties.probe,
            duties.want_courier,
            end_if_orphaned,
        ),
    )
    await duties.hub.open()
    collect_seldom()
    try:
        await run(settings)
    finally:
        await duties.prober.close()
        await duties.hub.close()


async def end_if_orphaned() -> None:
    """Where the kernel does not see to it."""
    if orphaned():
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """argv[1]: the configuration file, empty for the defaults. Ends on SIGTERM; Ctrl-C is the supervisor's to handle."""
    die_with_supervisor(signal.SIGTERM)
    in_the_background()
    sys.setswitchinterval(SWITCH_S)
    state_dir = Path(os.environ["GW_STATE_DIR"])
    config_path = Path(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] else None
    configure_logging("info")
    try:
        published, config = in_force(state_dir, config_path)
        configure_logging(config.server.log_level)
        asyncio.run(keep(state_dir, config_path, published, config))
    except (KeeperBusy, ConfigError, StoreError, OSError, ValueError) as error:
        log.error("the keeper ends: %s", error)
        return 1
    return 0


def in_force(state_dir: Path, config_path: Path | None) -> tuple[Published | None, Config]:
    """What was published last; if that cannot be read, (None, the configuration as it is on disk). Raises ConfigError."""
    try:
        published = read(state_dir)
        return published, config_of(published)
    except (ConfigError, OSError, ValueError) as error:
        log.error("the published snapshot cannot be read (%s): publishing anew what the configuration says", error)
        return None, load(config_path)


if __name__ == "__main__":
    sys.exit(main())
