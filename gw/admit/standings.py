"""Reads where accounts stand in their budgets, and changes nothing: an account that has spent nothing gets no cell by being asked
about."""

from gw._fast import Cells
from gw.domain.budget import Budget, cell_key, effective_limit_nusd
from gw.domain.budget_book import BudgetBook
from gw.domain.scope import CallPath
from gw.domain.standing import Standing
from gw.domain.window import bounds


def standings(cells: Cells, book: BudgetBook, path: CallPath, now_us: int) -> list[Standing]:
    """Of all budgets that a call on this path would be charged to now, outermost first."""
    return [standing(cells, budget, account, now_us) for budget, account in book.for_path(path).budgets]


def standing(cells: Cells, budget: Budget, account: str, now_us: int) -> Standing:
    """In the window that holds this instant."""
    start_us, end_us = bounds(budget.window, now_us)
    limit_nusd = effective_limit_nusd(budget, now_us)
    cell = cells.lookup(cell_key(budget, account, start_us))
    if cell < 0:
        return Standing(budget, account, limit_nusd, 0, 0, 0, start_us, end_us)
    # In this order a settlement in between shows as still set aside, not as more than was ever used.
    settled_nusd = cells.settled(cell)
    return Standing(budget, account, limit_nusd, settled_nusd, cells.used(cell), cells.overrun(cell), start_us, end_us)
