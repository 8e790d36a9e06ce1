"""Where an account stands is what the cells say, and reading it makes none."""

from gw._fast import HARD, TAKEN, Cells, Path, cells_bytes
from gw.admit.standings import standings
from gw.domain.budget import Budget, Increase, cell_key
from gw.domain.budget_book import BudgetBook
from gw.domain.scope import Scope
from gw.domain.window import LIFETIME, bounds, parse_window
from tests.admit.test_fills import ANNA, BOB, NOW_US, USD, memory


def test_a_standing_is_what_the_cells_say_and_another_account_has_its_own():
    cells = Cells(memory(cells_bytes(256, 8)), 256, 8)
    day, each = parse_window("day"), Scope("key", "*", each=True)
    budget = Budget("b", each, 10 * USD, day, increases=(Increase(5 * USD, NOW_US + 1, "release"),))
    for_good = Budget("g", Scope("team", "platform"), 100 * USD, LIFETIME)
    start_us, end_us = bounds(day, NOW_US)
    path = Path(
        cells, [(cell_key(budget, "anna", start_us), 15 * USD, HARD), (cell_key(for_good, "platform", 0), 100 * USD, HARD)]
    )
    first, second = cells.slot(0), cells.slot(1)
    assert first.hold(path, 4 * USD) == second.hold(path, 2 * USD) == TAKEN
    first.post(3 * USD)
    book = BudgetBook([budget, for_good])
    team, anna = standings(cells, book, ANNA, NOW_US)
    assert (team.account, team.settled_nusd, team.used_nusd, team.start_us, team.end_us) == ("platform", 3 * USD, 5 * USD, 0, 0)
    assert (anna.account, anna.settled_nusd, anna.used_nusd, anna.overrun_nusd) == ("anna", 3 * USD, 5 * USD, 0)
    assert (anna.limit_nusd, anna.start_us, anna.end_us) == (15 * USD, start_us, end_us)
    before = set(cells)
    _, bob = standings(cells, book, BOB, NOW_US + 1)
    assert (bob.account, bob.limit_nusd, bob.settled_nusd, bob.used_nusd) == ("bob", 10 * USD, 0, 0)
    _, tomorrow = standings(cells, book, ANNA, end_us)
    assert (tomorrow.settled_nusd, tomorrow.start_us) == (0, end_us)
    assert set(cells) == before
