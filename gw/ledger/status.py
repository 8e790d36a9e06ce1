"""What the keeper says of itself: `<state_dir>/keeper.json`, replaced whole, read by /readyz, /metrics and the CLI."""

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

STATUS_FILE = "keeper.json"


class KeeperStatus(Struct, frozen=True):
    """Counters are since the start of this keeper; ages and times in microseconds, sizes in bytes."""

    pid: int
    state: Literal["running", "waiting", "draining", "stopped"]  # waiting: the store does not take rows; the journals keep them
    written_us: int
    database_ok: int  # 0 while waiting, else 1; a number, so that it is a metric too
    behind_us: int = 0  # age of the oldest finished call that the store did not take
    behind_bytes: int = 0  # journal bytes not yet in the ledger
    rows: int = 0
    duplicates: int = 0
    damaged: int = 0
    rejected: int = 0
    lost: int = 0
    foreign: int = 0  # segments of a newer journal format, left alone
    error: str = ""
    left_out: int = 0  # definitions of the database that are not in force
    left_out_hard_budgets: int = 0  # hard budgets among them: calls are not held to these
    cells_checked: int = 0  # times that a cell of a budget was compared with the ledger and right
    cells_corrected: int = 0  # cells that were wrong, and were put right
    cells_drift_nusd: int = 0  # by how much, without signs
    cells_forgotten: int = 0  # of windows that are over, and the like
    holds_reaped: int = 0  # of workers that died
    config_problem: str = ""  # why the configuration on disk, or a hard budget of the database, is not in force


def write_status(state_dir: Path, status: KeeperStatus) -> None:
    """Raises OSError."""
    partial = state_dir / f".{STATUS_FILE}.partial"
    partial.write_bytes(msgspec.json.encode(status) + b"\n")
    partial.replace(state_dir / STATUS_FILE)


def read_status(state_dir: Path) -> KeeperStatus | None:
    """None if no keeper has run here, or one of another version."""
    try:
        return msgspec.json.decode((state_dir / STATUS_FILE).read_bytes(), type=KeeperStatus)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
