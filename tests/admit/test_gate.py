"""The gate: which calls may be made, over cells and buckets in shared memory."""

import mmap
from typing import Any

import pytest

from gw._fast import Buckets, Cells, buckets_bytes, cells_bytes
from gw.admit.gate import Blocked, CompiledPath, Gate, charge_debts, shadowed
from gw.admit.hold import Hold
from gw.domain.budget import Budget, Increase
from gw.domain.budget_book import BudgetBook, PathRules
from gw.domain.limit import Limit
from gw.domain.scope import CallPath, Scope
from gw.domain.window import LIFETIME, parse_window

NOW_US = 1_795_000_000_000_000
DOLLAR = 10**9
DAY_US = 86_400 * 10**6
PATH = CallPath(customer="acme", team="core", key_name="ci", key_id="k1", upstream="up", model="claude-opus-5-5", session="s1")


@pytest.fixture
def gate() -> Gate:
    cells = Cells(mmap.mmap(-1, cells_bytes(256, 64)), 256, 64)
    return Gate(cells, Buckets(mmap.mmap(-1, buckets_bytes(64)), 64))


def budget(name: str = "b", kind: Any = "team", on: str = "core", usd: int = 10, **more: Any) -> Budget:
    return Budget(**{"id": name, "scope": Scope(kind, on), "limit_nusd": usd * DOLLAR, "window": parse_window("day")} | more)


def rules(*those: Budget | Limit) -> PathRules:
    budgets = [one for one in those if isinstance(one, Budget)]
    return BudgetBook(budgets, [one for one in those if isinstance(one, Limit)]).for_path(PATH)


def hold(gate: Gate, path: CompiledPath, dollars: float, slot: int = 0, worst: float | None = None) -> Hold:
    most = dollars if worst is None else worst
    return gate.hold(path, int(dollars * DOLLAR), int(most * DOLLAR), [slot, slot + 32], NOW_US)


def blocked(gate: Gate, path: CompiledPath, dollars: float, slot: int = 1, worst: float | None = None) -> Blocked:
    with pytest.raises(Blocked) as caught:
        hold(gate, path, dollars, slot, worst)
    return caught.value


def test_each_budget_on_the_path_is_charged_or_none(gate: Gate) -> None:
    path = gate.compiled(rules(budget("a", usd=5), budget("b", "key", "ci", usd=1)), NOW_US)
    refused = blocked(gate, path, 2)
    assert refused.standing is not None
    assert (refused.why, refused.standing.budget.id) == ("spent", "b")
    assert [one.used_nusd for one in gate.standings(path)] == [0, 0]
    one = hold(gate, path, 0.5)
    assert [each.reserved_nusd for each in gate.standings(path)] == [DOLLAR // 2] * 2
    one.post(DOLLAR // 4)
    assert [(each.settled_nusd, each.used_nusd) for each in gate.standings(path)] == [(DOLLAR // 4, DOLLAR // 4)] * 2


def test_a_budget_that_others_have_set_aside_lets_the_next_call_wait(gate: Gate) -> None:
    path = gate.compiled(rules(budget()), NOW_US)
    first = hold(gate, path, 9.5)
    waiting = blocked(gate, path, 2)
    assert waiting.why == "reserved"
    assert waiting.cell == path.typical.path.indices[0]  # type: ignore[union-attr]
    first.post(DOLLAR)
    hold(gate, path, 2, 1)


def test_what_is_left_of_a_typical_budget_is_enough_while_it_is_a_good_part(gate: Gate) -> None:
    path = gate.compiled(rules(budget()), NOW_US)
    hold(gate, path, 8).post(8 * DOLLAR)
    part = hold(gate, path, 3)
    assert gate.standings(path)[0].used_nusd == 10 * DOLLAR
    assert blocked(gate, path, 0.1).why == "reserved"
    part.post(3 * DOLLAR)
    standing = gate.standings(path)[0]
    assert (standing.settled_nusd, standing.overrun_nusd) == (11 * DOLLAR, DOLLAR)
    assert blocked(gate, path, 0.01).why == "spent"


def test_the_last_tenth_of_a_typical_budget_takes_no_call_that_does_not_fit(gate: Gate) -> None:
    path = gate.compiled(rules(budget()), NOW_US)
    hold(gate, path, 9.2).post(int(9.2 * DOLLAR))
    assert blocked(gate, path, 1).why == "spent"
    hold(gate, path, 0.5).post(DOLLAR // 2)


def test_a_call_that_an_unspent_budget_could_never_hold_is_refused(gate: Gate) -> None:
    assert blocked(gate, gate.compiled(rules(budget(usd=1)), NOW_US), 1.5).why == "spent"


def test_a_worst_budget_never_takes_more_than_it_has(gate: Gate) -> None:
    path = gate.compiled(rules(budget(reserve="worst")), NOW_US)
    first = hold(gate, path, 0.1, 0, worst=6)
    assert blocked(gate, path, 0.1, 1, worst=5).why == "reserved"
    first.post(6 * DOLLAR)
    assert blocked(gate, path, 0.1, 1, worst=5).why == "spent"
    hold(gate, path, 0.1, 1, worst=4).post(4 * DOLLAR)
    assert gate.standings(path)[0].overrun_nusd == 0


def test_typical_and_worst_budgets_on_one_path_hold_different_amounts(gate: Gate) -> None:
    path = gate.compiled(rules(budget("a"), budget("b", "key", "ci", reserve="worst")), NOW_US)
    one = hold(gate, path, 1, worst=4)
    assert {each.budget.id: each.reserved_nusd // DOLLAR for each in gate.standings(path)} == {"a": 1, "b": 4}
    one.post(2 * DOLLAR)
    assert {each.used_nusd // DOLLAR for each in gate.standings(path)} == {2}
    assert blocked(gate, path, 11, worst=5).why == "spent"
    assert {each.reserved_nusd for each in gate.standings(path)} == {0}


def test_soft_and_shadow_budgets_refuse_nothing_and_shadow_says_what_it_would_have(gate: Gate) -> None:
    path = gate.compiled(rules(budget("soft", mode="soft", usd=1), budget("shade", mode="shadow", usd=1)), NOW_US)
    one = hold(gate, path, 5)
    assert shadowed(one) == "shade"
    one.post(5 * DOLLAR)
    assert {each.settled_nusd for each in gate.standings(path)} == {5 * DOLLAR}


def test_windows_and_increases_are_compiled_until_they_change(gate: Gate) -> None:
    more = Increase(5 * DOLLAR, NOW_US + 1_000_000, "release")
    those = rules(budget(increases=(more,), window=parse_window("hour")))
    path = gate.compiled(those, NOW_US)
    assert gate.compiled(those, NOW_US + 999_999) is path
    after = gate.compiled(those, NOW_US + 1_000_000)
    limits = [one.limit_nusd for each in (path, after) for one in gate.standings(each)]
    assert limits == [15 * DOLLAR, 10 * DOLLAR]
    assert gate.compiled(those, NOW_US + DAY_US) is not after


def test_a_call_is_settled_in_the_window_it_was_admitted_in(gate: Gate) -> None:
    those = rules(budget())
    before = gate.compiled(those, NOW_US)
    late = hold(gate, before, 4)
    after = gate.compiled(those, NOW_US + DAY_US)
    late.post(3 * DOLLAR)
    assert gate.standings(after)[0].used_nusd == 0
    assert gate.standings(before)[0].settled_nusd == 3 * DOLLAR


def test_parallel_calls_are_counted_while_they_run(gate: Gate) -> None:
    path = gate.compiled(rules(Limit("p", Scope("key", "ci"), "parallel", 2), budget()), NOW_US)
    held = [hold(gate, path, 1, 0), hold(gate, path, 1, 1)]
    refused = blocked(gate, path, 1, 2)
    assert (refused.why, refused.limit and refused.limit.id, refused.account) == ("parallel", "p", "ci")
    held[0].void()
    hold(gate, path, 1, 2)


def test_requests_per_time_are_taken_and_given_back(gate: Gate) -> None:
    path = gate.compiled(rules(Limit("r", Scope("key", "ci"), "requests", 2, 60 * 10**9, 2)), NOW_US)
    assert path.halves == ()
    gate.take_rates(path, 0)
    gate.take_rates(path, 0)
    with pytest.raises(Blocked) as caught:
        gate.take_rates(path, 0)
    assert (caught.value.why, caught.value.wait_ns) == ("rate", 30 * 10**9)
    gate.give_rates(path)
    gate.take_rates(path, 0)


def test_tokens_and_money_are_debts_that_refuse_the_next_call(gate: Gate) -> None:
    path = gate.compiled(rules(Limit("t", Scope("key", "ci"), "tokens", 100, 60 * 10**9, 100)), NOW_US)
    gate.take_rates(path, 0)
    charge_debts(path, 200, 50, 9_000, 0)
    with pytest.raises(Blocked) as caught:
        gate.take_rates(path, 0)
    assert caught.value.wait_ns == 90 * 10**9
    gate.take_rates(path, 90 * 10**9)


def test_a_lowered_limit_counts_for_calls_that_run(gate: Gate) -> None:
    path = gate.compiled(rules(budget(window=LIFETIME)), NOW_US)
    one = hold(gate, path, 1)
    gate.relimit(one, rules(budget(usd=2, window=LIFETIME)), NOW_US)
    refused = gate.extend(one, 2 * DOLLAR)
    assert refused is not None
    assert refused.standing is not None
    assert refused.standing.limit_nusd == 2 * DOLLAR
    assert gate.extend(one, DOLLAR) is None
    gate.relimit(one, rules(), NOW_US)
    assert gate.extend(one, 100 * DOLLAR) is None, "a budget that is no more refuses nothing"


def test_a_full_table_is_unreadable_not_free() -> None:
    gate = Gate(Cells(mmap.mmap(-1, cells_bytes(2, 2)), 2, 2), Buckets(mmap.mmap(-1, buckets_bytes(64)), 64))
    with pytest.raises(Blocked) as caught:
        gate.compiled(rules(*(budget(f"b{at}") for at in range(3))), NOW_US)
    assert caught.value.why == "unreadable"
