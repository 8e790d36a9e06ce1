"""Before the first worker: finish what the last run left, make the state file, publish the first snapshot, fill the cells."""

import asyncio
import fcntl
import logging
from itertools import count
from pathlib import Path
from threading import Event

from gw import clock
from gw.config.model import Config
from gw.keeper import flush_all
from gw.ledger.database import database_of
from gw.ledger.mover import JOURNAL_DIRECTORY, KeeperBusy, Moved, sole_mover
from gw.ledger.store import Database, StoreError, Unreachable
from gw.lost import LostCalls
from gw.metering import begin_metering
from gw.ops.state import STATE_FILE, StateFile, Word
from gw.publish import Publisher
from gw.spend import Spending
from gw.waiting import Waiting

log = logging.getLogger("gw.startup")

LAST_RUN_NS = 15_000_000_000  # the children of a killed supervisor end at once, but its keeper empties the journals first
POLL_S = 0.05
RETRY_S_MAX = 2.0  # between two attempts to reach the database
REMIND_EVERY = 15  # attempts: the log says it again


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


def begin(config: Config, config_path: Path | None) -> StateFile:
    """`prepare_state`, as soon as the database is there for this gateway. Raises as that does for all that waiting does not
    mend."""
    try:
        return prepare_state(config, config_path)
    except Unreachable as error:
        said = str(error)
    server = config.server
    with Waiting(server.host, server.port, server.contact):
        log.error("waiting for the database, nobody is served meanwhile: %s", said)
        for attempt in count():
            Event().wait(min(POLL_S * 2**attempt, RETRY_S_MAX))
            try:
                return prepare_state(config, config_path)
            except Unreachable as error:
                if str(error) != said or not attempt % REMIND_EVERY:
                    said = str(error)
                    log.error("still waiting for the database: %s", said)
    raise AssertionError("count ends never")


def prepare_state(config: Config, config_path: Path | None) -> StateFile:
    """The state file of this run, with snapshot 1 published. Raises ConfigError, StoreError, OSError or ValueError."""
    state_dir = Path(config.server.state_dir)
    (state_dir / JOURNAL_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
    database = database_of(config.storage.address)
    try:
        return _prepared(config, config_path, state_dir, database)
    finally:
        database.close()  # workers are forked from here, and need nothing of it


def _prepared(config: Config, config_path: Path | None, state_dir: Path, database: Database) -> StateFile:
    database.prepare()
    fresh = state_dir / f"{STATE_FILE}.new"
    state = StateFile(fresh, create=True)
    publisher = Publisher(state, state_dir, config_path, database)
    publisher.check()
    _settle_last_run(state_dir, database, publisher)
    assert publisher.snapshot is not None
    spending = Spending(state.cells, database)
    spending.begin(publisher.snapshot)
    state.words[Word.ADJUSTED] = spending.adjusted
    begin_metering(state_dir, database, state.words[Word.STARTED_US], publisher.snapshot.config.metrics)
    state.rename(state_dir / STATE_FILE)
    return state


def _settle_last_run(state_dir: Path, database: Database, publisher: Publisher) -> None:
    """Calls that a killed gateway left open are settled from its own state file, before that is replaced."""
    lost = LostCalls(_state_of_last_run(state_dir / STATE_FILE))
    lost.snapshot = publisher.snapshot
    try:
        moved = _flush(state_dir, database, lost)
    except Unreachable:
        raise
    except (StoreError, KeeperBusy, OSError) as error:
        log.error("the journals of the last run could not be read to their end, the keeper goes on with them: %s", error)
        return
    if moved.rows or moved.lost:
        log.warning("took %d calls from the journals of the last run, %d more were cut off by its end", moved.rows, moved.lost)


def _flush(state_dir: Path, database: Database, lost: LostCalls) -> Moved:
    """A report may be reading the same journals in at this moment; it is soon done."""
    deadline_ns = clock.mono_ns() + LAST_RUN_NS
    while True:
        try:
            return asyncio.run(flush_all(state_dir, database.store(), lost.settle))
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
