"""What `gw budget list` says of a gateway that has run here: where each account of a budget stands, read from the state file."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from gw import clock
from gw.admit.standings import standing
from gw.budgets import accounts_of, book_of
from gw.config.combined import combined, judge
from gw.config.model import Config
from gw.domain.money import PUSD_PER_NUSD, usd_text
from gw.domain.standing import Standing
from gw.domain.window import next_reset_text
from gw.ledger.control import read_stored
from gw.ledger.database import database_of
from gw.ops.state import STATE_FILE, StateFile

ACCOUNTS_SHOWN = 20  # of one budget, those that have spent most
COLUMNS = ("account", "spent", "reserved", "remaining", "resets")

Standings = dict[str, list[Standing]]  # by budget


def standings_of(config: Config) -> Standings | None:
    """Of all budgets in force and of every account that has a name here: sessions, models and projects under `each` have none.
    `config`: of the file. None: no gateway has run in this state directory. Raises StoreError."""
    try:
        state = StateFile(Path(config.server.state_dir) / STATE_FILE)
    except (OSError, ValueError):
        return None
    stored = read_stored(database_of(config.storage.address))
    whole = combined(config, stored, judge(config, stored))
    now_us = clock.wall_us()
    with closing(state):
        return {
            budget.id: [standing(state.cells, budget, account, now_us) for account in accounts_of(budget, whole)]
            for budget in book_of(whole).budgets
        }


def cells_of(found: list[Standing]) -> Iterator[tuple[str, ...]]:
    """Rows for people, in the order of COLUMNS."""
    found = sorted(found, key=lambda one: (-one.used_nusd, one.account))
    for one in found[:ACCOUNTS_SHOWN]:
        resets = next_reset_text(one.end_us, one.budget.window.time_zone) if one.end_us else "never"
        amounts = (one.settled_nusd, one.reserved_nusd, one.remaining_nusd)
        yield one.account, *(f"${_usd(amount)}" for amount in amounts), resets
    if len(found) > ACCOUNTS_SHOWN:
        yield f"and {len(found) - ACCOUNTS_SHOWN} more", "", "", "", ""


def plain(one: Standing) -> dict[str, object]:
    """For programs."""
    return {
        "account": one.account,
        "limit_usd": _usd(one.limit_nusd),
        "spent_usd": _usd(one.settled_nusd),
        "reserved_usd": _usd(one.reserved_nusd),
        "remaining_usd": _usd(one.remaining_nusd),
        "resets_us": one.end_us,
    }


def _usd(nusd: int) -> str:
    return usd_text(nusd * PUSD_PER_NUSD)
