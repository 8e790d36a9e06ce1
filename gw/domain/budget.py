"""A budget: how much an account may spend in each window. Pure; money is int nano-USD.

The spending itself stands in cells of the shared state: one per budget, account and window, under `cell_key`. A changed
limit, mode, reserve or warning keeps the cell; another scope or another window is another sum, and so another cell.
"""

from typing import Literal

from msgspec import Struct

from gw.domain.money import NUSD_MAX
from gw.domain.scope import Scope, shared_key
from gw.domain.window import Window

Mode = Literal["hard", "soft", "shadow"]
Reserve = Literal["typical", "worst"]
BASIS = 10_000  # basis points in a whole


class Increase(Struct, frozen=True):
    """More to spend, up to an instant (UTC microseconds)."""

    amount_nusd: int
    until_us: int
    reason: str = ""


class Budget(Struct, frozen=True):
    """`mode`: hard refuses what would pass the limit, soft warns, shadow records what hard would have refused. `reserve`: what is
    held while a call runs, what it will probably cost or the most it can. Raises ValueError."""

    id: str
    scope: Scope
    limit_nusd: int
    window: Window
    mode: Mode = "hard"
    reserve: Reserve = "typical"
    warn_at: tuple[int, ...] = ()  # basis points of the limit, rising
    contact: str = ""
    increases: tuple[Increase, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.limit_nusd <= NUSD_MAX:
            raise ValueError(f"a budget's limit is 0 to {NUSD_MAX} nano-USD, not {self.limit_nusd}")
        if list(self.warn_at) != sorted({at for at in self.warn_at if 0 < at <= BASIS}):
            raise ValueError(f"warnings are at 1 to {BASIS} basis points, rising, not {self.warn_at}")
        if any(increase.amount_nusd < 0 for increase in self.increases):
            raise ValueError("an increase is no decrease")


def effective_limit_nusd(budget: Budget, at_us: int) -> int:
    """The limit with the increases that are in force; at most NUSD_MAX."""
    more = sum(increase.amount_nusd for increase in budget.increases if at_us < increase.until_us)
    return min(budget.limit_nusd + more, NUSD_MAX)


def limit_changes_us(budget: Budget, at_us: int) -> int:
    """When the next increase ends, so that the effective limit falls without any reload; 0: never."""
    return min((increase.until_us for increase in budget.increases if at_us < increase.until_us), default=0)


def warnings_nusd(budget: Budget, limit_nusd: int) -> tuple[int, ...]:
    """What must be spent for each warning, rounded up; `limit_nusd` as in force."""
    return tuple(-(-limit_nusd * at // BASIS) for at in budget.warn_at)


def cell_key(budget: Budget, account: str, start_us: int) -> int:
    """The cell of the window that begins then; `start_us` 0 for a lifetime. See `shared_key` for range and odds."""
    return shared_key("gw-cell", budget.id, budget.scope.identity, account, budget.window.identity, start_us)
