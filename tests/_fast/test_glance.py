"""What an answer says of the budgets on its path: both implementations against the words of gw.wire.budgets."""

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import cells as compiled_cells
from gw._fast.ref import cells as pure_cells
from gw.domain.budget import Budget
from gw.domain.scope import Scope
from gw.domain.standing import Standing
from gw.domain.window import LIFETIME
from gw.wire.budgets import _remaining, fullest, percent
from tests._fast.shared import CELLS, new_cells

MOST = 2**53 - 1
AMOUNTS = st.integers(0, MOST) | st.integers(0, 10)
MODULES = (compiled_cells, pure_cells)


def standing(at: int, limit: int, settled: int, used: int) -> Standing:
    return Standing(Budget(str(at), Scope("team", "red"), limit, LIFETIME), "red", limit, settled, used, 0, 0, 0)


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(0, 3)), max_size=6))
def test_a_glance_says_what_the_standings_say(rows: list[tuple[int, int, int, int]]) -> None:
    for module in MODULES:
        cells = new_cells(module)
        items, standings = [], {}
        for at, (limit, settled, reserved, kind) in enumerate(rows):
            cells.load(cells.find(at + 1), settled)
            if kind in (module.HARD, module.SOFT):
                held = cells.slot(at)
                assert held.hold(module.Path(cells, [(at + 1, -1, module.SOFT)]), reserved) == module.TAKEN
                standings[at] = standing(at, limit, settled, settled + reserved)
            items.append((at + 1, limit, kind))
        seen = module.Path(cells, items).glance()
        if any(one.settled_nusd >= one.limit_nusd for one in standings.values()):
            assert seen is None
        elif not standings:
            assert seen == (-1, 0, -1, 0)
        else:
            tightest, full = min(standings.values(), key=_remaining), fullest(standings.values())
            assert seen == (int(tightest.budget.id), tightest.remaining_nusd, int(full.budget.id), percent(full))


@pytest.mark.parametrize("module", CELLS)
@pytest.mark.parametrize(("settled", "quiet"), [(0, True), (80, True), (81, False), (99, False), (100, False)])
def test_there_is_more_to_say_once_a_warning_has_passed(module: ModuleType, settled: int, *, quiet: bool) -> None:
    cells = new_cells(module)
    cells.load(cells.find(7), settled)
    seen = module.Path(cells, [(7, 100, module.HARD, 80)]).glance()
    assert seen == ((0, 100 - settled, 0, settled) if quiet else None)


@pytest.mark.parametrize("module", CELLS)
def test_what_nobody_bounds_has_more_to_say(module: ModuleType) -> None:
    cells = new_cells(module)
    assert module.Path(cells, [(7, -1, module.SOFT)]).glance() is None
    assert module.Path(cells, [(7, 0, module.HARD)]).glance() is None
