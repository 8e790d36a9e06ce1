"""What the shared state says of budgets, beside what the ledger's rows make it: two sums that must be one.

The rows are added up here by rules of this file, from the tables that a test writes its configuration from; only the names of
the cells are asked of gw.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import NamedTuple

from gw.clock import wall_us
from gw.domain.budget import Budget, Reserve, cell_key
from gw.domain.money import PUSD_PER_NUSD, nusd_from_usd
from gw.domain.scope import Scope, ScopeKind
from gw.domain.window import bounds, parse_window
from gw.ops.state import STATE_FILE, StateFile
from tests.support.gateway import GatewayUnderTest, Row

COLUMN: dict[ScopeKind, str] = {
    "customer": "customer",
    "team": "team",
    "key": "key_name",
    "upstream": "upstream",
    "model": "requested_model",
    "project": "project",
    "session": "session_id",
}


class Pot(NamedTuple):
    """One [[budget]], for each account whose name matches."""

    name: str
    level: ScopeKind
    pattern: str
    limit_usd: str
    reserve: Reserve
    window: str = "lifetime"
    anchor: str = ""

    @property
    def toml(self) -> str:
        return f"""
[[budget]]
name = "{self.name}"
{self.level} = "{self.pattern}"
each = true
limit_usd = "{self.limit_usd}"
window = "{self.window}"
anchor = "{self.anchor}"
reserve = "{self.reserve}"
"""

    @property
    def budget(self) -> Budget:
        window = parse_window(self.window, "UTC", self.anchor)
        return Budget(self.name, Scope(self.level, self.pattern, each=True), self.limit_nusd, window, reserve=self.reserve)

    @property
    def limit_nusd(self) -> int:
        return nusd_from_usd(self.limit_usd)

    def account_of(self, row: Row) -> str:
        """The name of whoever pays for the row's call, or "" if it is not charged to this."""
        name = str(row[COLUMN[self.level]])
        return name if name and fnmatchcase(name, self.pattern) else ""


class Sum(NamedTuple):
    """What one account has spent of one pot in the window that begins then."""

    pot: Pot
    account: str
    start_us: int


def is_over(one: Sum) -> bool:
    _, end_us = bounds(one.pot.budget.window, one.start_us)
    return 0 < end_us <= wall_us()


def nusd(pusd: int) -> int:
    return -(-pusd // PUSD_PER_NUSD)


def counted(pot: Pot, row: Row) -> int:
    """What the row's call counts: what was billed, or the most that it can have cost, where that is not the provider's last word
    and the budget is to hold against its invoice."""
    billed = nusd(row["billed_pusd"])
    return max(billed, row.get("at_most_nusd", 0)) if pot.reserve == "worst" else billed


def spent(pots: Sequence[Pot], rows: Iterable[Row]) -> dict[Sum, int]:
    """nano-USD by account and window, each call rounded up."""
    found: dict[Sum, int] = {}
    windows = {pot: pot.budget.window for pot in pots}
    for row in rows:
        if not row["charged_us"] or not row["billed_pusd"]:
            continue
        for pot in pots:
            if account := pot.account_of(row):
                one = Sum(pot, account, bounds(windows[pot], row["charged_us"])[0])
                found[one] = found.get(one, 0) + counted(pot, row)
    return found


def key_of(pot: Pot, account: str, row: Row) -> int:
    """The cell that the row's call was charged to."""
    return cell_key(pot.budget, account, bounds(pot.budget.window, row["charged_us"])[0])


class Cell(NamedTuple):
    settled: int
    reserved: int
    overrun: int


@contextmanager
def state_of(gateway: GatewayUnderTest) -> Iterator[StateFile]:
    """The state file of a running or stopped gateway."""
    state = StateFile(gateway.folder / "state" / STATE_FILE)
    try:
        yield state
    finally:
        state.close()


def cells(gateway: GatewayUnderTest) -> dict[int, Cell]:
    """Every cell in use, by its key."""
    with state_of(gateway) as state:
        own = state.cells
        found = {own.key(at): Cell(own.settled(at), own.reserved(at), own.overrun(at)) for at in own}
        del own
    return found


def differences(pots: Sequence[Pot], rows: Iterable[Row], found: dict[int, Cell]) -> list[str]:
    """Where the cells are not what the rows say, or hold something though nothing runs. A window that is over needs no cell: at a
    start only those of the present are made."""
    due = {cell_key(one.pot.budget, one.account, one.start_us): (one, amount) for one, amount in spent(pots, rows).items()}
    wrong = []
    for key, (one, amount) in due.items():
        cell = found.get(key)
        if cell is None and is_over(one):
            continue
        if cell is None or cell.settled != amount:
            wrong.append(f"{one.pot.name} of {one.account}: the rows say {amount}, the cell {cell}")
    for key, cell in found.items():
        if cell.reserved:
            wrong.append(f"{due[key][0] if key in due else key} still holds {cell}")
        if key not in due and cell.settled:
            wrong.append(f"cell {key} has {cell}, and no row says so")
    return wrong
