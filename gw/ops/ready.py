"""/readyz: can this gateway serve, and if not, why. A database outage does not make it unready: journals keep."""

from pathlib import Path

import orjson

from gw.ops.metrics import read_status
from gw.ops.state import Own, StateFile, Word

KEEPER_SILENT_US = 10_000_000  # the keeper writes its status every second


def readiness(state: StateFile, keeper_status: Path, now_us: int) -> tuple[bool, bytes]:
    """(ready, JSON body with the reasons and what is merely degraded)."""
    reasons, degraded = [], []
    if state.words[Word.DRAINING]:
        reasons.append("draining")
    live = state.live_blocks()
    if not live:
        reasons.append("no worker")
    if state.sum_own(Own.JOURNAL_HEALTHY) < len(live):
        reasons.append("journal cannot be written")
    status = read_status(keeper_status)
    written_us = status.get("written_us")
    if not isinstance(written_us, int) or now_us - written_us > KEEPER_SILENT_US:
        degraded.append("keeper silent: calls are journalled, the ledger lags")
    if status.get("database_ok") in (0, False):
        degraded.append("database unavailable: calls are journalled, the ledger lags")
    if status.pop("config_problem", ""):  # its words name accounts: for /api/status, not for strangers
        degraded.append("the configuration on disk, or a budget of the database, is not in force: `gw check` says why")
    body = {
        "ready": not reasons,
        "reasons": reasons,
        "degraded": degraded,
        "workers": len(live),
        "in_flight": state.sum_own(Own.IN_FLIGHT),
        "snapshot_version": state.words[Word.SNAPSHOT_VERSION],
        "keeper": status,
    }
    return not reasons, orjson.dumps(body) + b"\n"
