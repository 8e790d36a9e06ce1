"""The book finds what a slow search finds, in the same order, and remembers it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw.domain import budget_book
from gw.domain.budget import Budget
from gw.domain.budget_book import CHARGES_MAX, BudgetBook, applicable
from gw.domain.limit import Limit
from gw.domain.scope import KINDS, CallPath, Scope
from gw.domain.window import LIFETIME

PATH = CallPath("acme", "platform", "ci", "0123456789ab", "anthropic", "claude-opus-5-5", "alpha", "s-1")


def budget(name: str, scope: Scope) -> Budget:
    return Budget(name, scope, 10**9, LIFETIME)


def limit(name: str, scope: Scope, kind: str = "requests") -> Limit:
    return Limit(name, scope, kind, 1) if kind == "parallel" else Limit(name, scope, kind, 1, 1, 1)  # type: ignore[arg-type]


NAMES = st.sampled_from(["a", "b", "B", "a*", "*", "?"])
SCOPES = st.builds(Scope, st.sampled_from(KINDS), NAMES, st.booleans())
KEYED = st.builds(Scope, st.just("session"), NAMES, st.booleans(), st.sampled_from("ab"))
VALUES = st.sampled_from(["", "a", "b", "ab"])
PATHS = st.builds(CallPath, *[VALUES] * 8)


@settings(max_examples=200)
@given(st.lists(st.one_of(SCOPES, KEYED), max_size=14), st.randoms(), st.lists(PATHS, min_size=1, max_size=5))
def test_book_finds_what_a_search_through_all_rules_finds(scopes, random, paths):
    budgets = [budget(f"b{number}", scope) for number, scope in enumerate(scopes)]
    limits = [limit(f"l{number}", scope) for number, scope in enumerate(scopes)]
    random.shuffle(budgets)
    book = BudgetBook(budgets, limits)
    for path in paths:
        rules = book.for_path(path)
        assert list(rules.budgets) == applicable(budgets, path)
        assert list(rules.limits) == applicable(limits, path)
        assert [name for rule, name in rules.budgets if name != rule.scope.account(path)] == []


def test_order_is_from_the_customer_inwards_then_by_id():
    budgets = [budget(f"{number}", Scope(kind, "*")) for number, kind in enumerate(reversed(KINDS))]
    budgets += [budget("z", Scope("team", "platform")), budget("a", Scope("team", "p*"))]
    found = BudgetBook(budgets).for_path(PATH).budgets
    assert [one.id for one, _ in found] == ["6", "5", "a", "z", "4", "3", "2", "1", "0"]
    assert [account for _, account in found] == ["*", "*", "p*", "platform", "*", "*", "*", "*", "s-1"]


def test_same_path_gives_the_same_object_and_sessions_share_one_where_no_rule_is_about_them():
    book = BudgetBook([budget("b", Scope("team", "platform"))])
    assert book.for_path(PATH) is book.for_path(CallPath(*PATH))
    assert book.for_path(PATH) is book.for_path(PATH._replace(session="s-2"))
    book = BudgetBook([budget("b", Scope("session", "*"))])
    assert [account for _, account in book.for_path(PATH._replace(session="s-2")).budgets] == ["s-2"]
    assert book.for_path(PATH._replace(session="")).budgets == ()


def test_memory_of_paths_is_bounded(monkeypatch):
    monkeypatch.setattr(budget_book, "PATHS_MAX", 10)
    book = BudgetBook([budget("b", Scope("session", "*"))])
    for number in range(100):
        assert book.for_path(PATH._replace(session=f"s-{number}")).budgets[0][1] == f"s-{number}"
        assert len(book._known) <= 10


def test_id_twice_is_refused():
    scope = Scope("team", "a")
    with pytest.raises(ValueError, match="more than one rule has the id x"):
        BudgetBook([budget("x", scope), budget("y", scope), budget("x", scope)])
    with pytest.raises(ValueError, match="more than one rule has the id x"):
        BudgetBook([], [limit("x", scope), limit("x", scope)])
    BudgetBook([budget("x", scope)], [limit("x", scope)])


def test_more_than_the_shared_state_keeps_of_one_call_is_refused():
    most = [budget(f"b{number}", Scope("team", "*")) for number in range(CHARGES_MAX)]
    BudgetBook(most, [limit(f"l{number}", Scope("team", "*")) for number in range(CHARGES_MAX)])
    BudgetBook([budget(f"b{number}", Scope("team", f"t{number}")) for number in range(1000)])
    with pytest.raises(ValueError, match="more than 24 budgets and parallel limits"):
        BudgetBook(most, [limit("p", Scope("key", "ci"), "parallel")])
    with pytest.raises(ValueError, match="more than 24 rate limits"):
        BudgetBook([], [limit(f"l{number}", Scope("team", "*")) for number in range(CHARGES_MAX + 1)])


def test_shared_state_keeps_as_much_of_one_call():
    cells = pytest.importorskip("gw._fast.cells")
    bucket = pytest.importorskip("gw._fast.bucket")
    assert min(cells.ITEMS_MAX, bucket.LIMITS_MAX) >= CHARGES_MAX
