"""The holds of dead workers: each is ended with what its call has cost by the ledger.

The supervisor marks a worker's block when it has seen its end. From then on nothing is added to the worker's journal, so once
the journals have been read to their end after that, each of its calls has its row, those cut off as they were observed; a
call without one was never sent. So cells equal the ledger whenever the worker died, between any two of its steps; a posting
under way ends with its own amount, which is that of the row, written before it.
"""

import logging
from collections.abc import Mapping

from gw._fast import REAPED_NOTHING
from gw._fast.cells import AMOUNT_MAX
from gw.domain.budget import Budget, cell_key
from gw.domain.budget_book import BudgetBook
from gw.domain.window import bounds
from gw.ledger.spending import Charge, charges_of
from gw.ledger.store import Database
from gw.ops.state import WORKERS_MAX, StateFile

log = logging.getLogger("gw.reap")


class Reaper:
    """`look` is called four times a second. `reaped` counts holds."""

    def __init__(self, state: StateFile, ledger: Database) -> None:
        self.reaped = 0
        self.book = BudgetBook()  # in force
        self._state = state
        self._ledger = ledger
        self._seen: dict[int, tuple[int, int]] = {}  # by block: the dead worker, and the passes at the first look at it

    def look(self, passes: int) -> None:
        """`passes`: how often the journals have been read to their end. Raises StoreError; the next look goes on."""
        for index in range(WORKERS_MAX):
            pid = -self._state.owner(index)
            if pid <= 0:
                self._seen.pop(index, None)
                continue
            before = self._seen.get(index)
            if before is None or before[0] != pid:
                self._seen[index] = pid, passes
            elif passes >= before[1] + 2:  # one may have been under way then
                self._reap(index, pid)

    def _reap(self, index: int, pid: int) -> None:
        state = self._state
        with state.locked():
            if state.owner(index) != -pid:
                return
            calls = {ordinal: state.call_at(ordinal) for ordinal in state.open_holds(index)}
            charges = charges_of(self._ledger, sorted(set(calls.values())))
            ended = 0
            for ordinal, call_id in calls.items():
                slot = state.cells.slot(ordinal)
                keys = {state.cells.key(cell) for cell, _, _ in slot.items}
                actual = self._actual(charges.get(call_id), keys)
                ended += slot.reap(actual) != REAPED_NOTHING
            state.release_dead(index, pid)
        self.reaped += ended
        if ended:
            log.warning("worker %d died with %d open holds; they are settled as the ledger has their calls", pid, ended)

    def _actual(self, charge: Charge | None, keys: set[int]) -> int:
        """What a hold in these cells settles. All budgets of a hold reserve alike."""
        if charge is None:
            return 0
        budget = next((one for key, one in self._cells_of(charge).items() if key in keys), None)
        amount = charge.counted_nusd(budget) if budget is not None else charge.cost_nusd
        return min(amount, AMOUNT_MAX)

    def _cells_of(self, charge: Charge) -> Mapping[int, Budget]:
        return {
            cell_key(budget, account, bounds(budget.window, charge.at_us)[0]): budget
            for budget, account in self.book.for_path(charge.path).budgets
        }
