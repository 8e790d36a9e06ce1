"""When a budget was in force is known for each call that could still come."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gw.domain.budget import Budget
from gw.domain.scope import Scope
from gw.domain.tenure import GONE_KEPT_US, budget_key, in_force, tenures_of, was_in_force
from gw.domain.window import parse_window

A, B = (Budget(name, Scope("team", "*"), 1, parse_window("day")) for name in "ab")


@given(published=st.lists(st.tuples(st.sets(st.sampled_from((A, B))), st.integers(1, 9)), min_size=1, max_size=20))
def test_for_every_publication_it_is_known_which_budgets_it_had(published):
    tenures, history, now_us = {}, [], 1000
    for budgets, pause in published:
        now_us += pause
        tenures = tenures_of(tenures, budgets, now_us)
        history.append((now_us, budgets))
    for budget in (A, B):
        times = tenures.get(budget_key(budget), ())
        assert in_force(times) == (budget in history[-1][1])
        assert not was_in_force(times, 0) and not was_in_force(times, 1000)
        for rules_us, budgets in history:
            assert was_in_force(times, rules_us) == (budget in budgets)


def test_a_budget_stays_the_same_as_long_as_its_cells_do():
    same = replace(A, limit_nusd=5, mode="soft", reserve="worst", warn_at=(5000,))
    assert budget_key(same) == budget_key(A)
    others = (B, replace(A, scope=Scope("team", "x")), replace(A, window=parse_window("week")))
    assert len({budget_key(one) for one in (A, *others)}) == 4


def test_what_is_long_gone_is_forgotten():
    tenures = tenures_of({}, [A, B], 10)
    tenures = tenures_of(tenures, [B], 20)
    assert tenures_of(tenures, [B], 19 + GONE_KEPT_US).keys() == {budget_key(A), budget_key(B)}
    assert tenures_of(tenures, [B], 20 + GONE_KEPT_US).keys() == {budget_key(B)}
    back = tenures_of(tenures, [A, B], 30)
    assert back[budget_key(A)] == (10, 20, 30)
    assert tenures_of(back, [A, B], 21 + GONE_KEPT_US) == {budget_key(A): (30,), budget_key(B): (10,)}
