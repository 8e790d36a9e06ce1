"""Before the first worker: finish what the last run left, make the state file, publish the first snapshot, fill the cells."""

import asyncio
import fcntl
import logging
from pathlib import Path
from threading import Event

from gw import clock
from gw.config.model import Config
from gw.keeper import flush_all
from gw.ledger.mover import JOURNAL_DIRECTORY, KeeperBusy, Moved, sole_mover
from gw.ledger.sqlite import SqliteStore, path_of, prepare
from gw.ledger.store import StoreError
from gw.lost import LostCalls
from gw.ops.state import STATE_FILE, StateFile
from gw.publish import Publisher
from gw.spend import Spending

log = logging.getLogger("gw.startup")

LAST_RUN_NS = 15_000_000_000  # the children of a killed supervisor end at once, but its keeper empties the journals first
POLL_S = 0.05


def await_last_run(state_dir: Path) -> None:
    """Returns when no process of an earlier run is left here. Raises KeeperBusy, naming it, if one does not end."""
    deadline_ns = clock.mono_ns() + LAST_RUN_NS
    while True:
        try:
            with sole_mover(state_dir):
                if not _worker_lives(state_dir / JOURNAL_DIRECTORY):
                    return
            problem = KeeperBusy(f"a worker of the last run still writes to {state_dir}: end it, or use another state_dir")
        except KeeperBusy as error:
            problem = error
        if clock.mono_ns() > deadline_ns:
            raise problem
        Event().wait(POLL_S)


def _worker_lives(journals: Path) -> bool:
    """Whether anybody writes to a segment: its writer holds the lock for as long as it lives."""
    for segment in journals.glob("*.gwj"):
        with segment.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


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
    assert publisher.snapshot is not None
    Spending(state.cells, database).begin(publisher.snapshot)
    state.rename(state_dir / STATE_FILE)
    return state


def _settle_last_run(state_dir: Path, database: Path, publisher: Publisher) -> None:
    """Calls that a killed gateway left open are settled from its own state file, before that is replaced."""
    lost = LostCalls(_state_of_last_run(state_dir / STATE_FILE))
    lost.snapshot = publisher.snapshot
    try:
        moved = _flush(state_dir, database, lost)
    except (StoreError, KeeperBusy, OSError) as error:
        log.error("the journals of the last run could not be read to their end, the keeper goes on with them: %s", error)
        return
    if moved.rows or moved.lost:
        log.warning("took %d calls from the journals of the last run, %d more were cut off by its end", moved.rows, moved.lost)


def _flush(state_dir: Path, database: Path, lost: LostCalls) -> Moved:
    """A report may be reading the same journals in at this moment; it is soon done."""
    deadline_ns = clock.mono_ns() + LAST_RUN_NS
    while True:
        try:
            return asyncio.run(flush_all(state_dir, SqliteStore(database), lost.settle))
        except KeeperBusy:
            if clock.mono_ns() > deadline_ns:
                raise
            Event().wait(POLL_S)


def _state_of_last_run(path: Path) -> StateFile | None:
    """None: there is none, or it is damaged; then open calls are settled by estimate."""
    try:
        return StateFile(path) if not path.is_symlink() else None  # a stand-in's original ended with its supervisor
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.error("the state file of the last run cannot be read, calls that it left open are settled by estimate: %s", error)
        return None
