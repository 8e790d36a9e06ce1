"""Before the first worker: finish what the last run left, make the state file, publish the first snapshot."""

import asyncio
import logging
from pathlib import Path

from gw.config.model import Config
from gw.keeper import flush_all
from gw.ledger.mover import JOURNAL_DIRECTORY
from gw.ledger.sqlite import SqliteStore, path_of, prepare
from gw.ledger.store import StoreError
from gw.lost import LostCalls
from gw.ops.state import STATE_FILE, StateFile
from gw.publish import Publisher

log = logging.getLogger("gw.startup")


def prepare_state(config: Config, config_path: Path | None) -> StateFile:
    """The state file of this run, with snapshot 1 published. Raises ConfigError, StoreError, OSError or ValueError."""
    state_dir = Path(config.server.state_dir)
    (state_dir / JOURNAL_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
    database = path_of(config.storage.url)
    database.parent.mkdir(parents=True, exist_ok=True)
    prepare(database)
    fresh = state_dir / f"{STATE_FILE}.new"
    state = StateFile(fresh, create=True)
    publisher = Publisher(state, state_dir, config_path, database)
    publisher.check()
    _settle_last_run(state_dir, database, publisher)
    fresh.replace(state_dir / STATE_FILE)
    return state


def _settle_last_run(state_dir: Path, database: Path, publisher: Publisher) -> None:
    """Calls that a killed gateway left open are settled from its own state file, before that is replaced."""
    lost = LostCalls(_state_of_last_run(state_dir / STATE_FILE))
    lost.snapshot = publisher.snapshot
    try:
        moved = asyncio.run(flush_all(state_dir, SqliteStore(database), lost.settle))
    except (StoreError, OSError) as error:
        log.error("the journals of the last run could not be read to their end, the keeper goes on with them: %s", error)
        return
    if moved.rows or moved.lost:
        log.warning("took %d calls from the journals of the last run, %d of them cut off by its end", moved.rows, moved.lost)


def _state_of_last_run(path: Path) -> StateFile | None:
    try:
        return StateFile(path)
    except (OSError, ValueError):
        return None
