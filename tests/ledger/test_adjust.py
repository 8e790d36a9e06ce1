"""Adjustments are added, never changed; a call has cost its row and all of them; budgets count them where they count the call."""

from collections.abc import Iterator

import pytest
from msgspec.structs import astuple, replace

from gw.domain.budget import Budget
from gw.domain.call import CallRecord
from gw.domain.price import Priced
from gw.domain.scope import CallPath, Scope
from gw.domain.window import bounds, parse_window
from gw.ledger import adjust
from gw.ledger.spending import Span, spent
from gw.ledger.store import Batch, Database, StoreError
from tests.ledger.records import NOON_US, record
from tests.ledger.spent import charged

RED = CallPath("c", "red", "anna", "", "up", "m", "", "s1")
TEAM = Budget("team", Scope("team", "*", each=True), 10**9, parse_window("day"))
WORST = Budget("worst", Scope("team", "*", each=True), 10**9, parse_window("day"), reserve="worst")
SESSION = Budget("chat", Scope("session", "*"), 10**9, parse_window("lifetime"))


@pytest.fixture
async def ledger(database: Database) -> Database:
    database.prepare()
    return database


async def hold(ledger: Database, *records: CallRecord) -> None:
    store = ledger.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in records]))
    await store.close()


def change(ledger: Database, one: CallRecord, priced: Priced) -> list[adjust.Adjustment]:
    with ledger.changing() as db:
        cost = adjust.costs_of(db, [one])[one.call_id]
        found = adjust.adjustment_to(one, cost, priced, at_us=NOON_US + 9, actor="anna", reason="typo")
        return adjust.append(db, [found] if found is not None else [])


def sums(ledger: Database, budget: Budget, adjusted: int | None = None) -> dict[str, int]:
    found = spent(ledger, [Span(budget, *bounds(budget.window, NOON_US))], now_us=NOON_US, adjusted=adjusted)
    return {one.account: one.nusd for one in found.values()}


def priced(billed: int, version: str = "new") -> Priced:
    return Priced(billed, billed, input_pusd=billed - 3, other_pusd=3, price_version=version)


async def test_a_call_has_cost_its_row_and_all_of_its_adjustments(ledger: Database) -> None:
    one = record("gw_1", list_pusd=100, billed_pusd=100, input_pusd=100, price_version="old")
    await hold(ledger, one, record("gw_2"))
    assert change(ledger, one, Priced(100, 100, input_pusd=100, price_version="as dear")) == []
    (first,) = change(ledger, one, priced(60, "mid"))
    assert (first.seq, first.id, first.old_version, first.new_version) == (1, "gw_1.1", "old", "mid")
    assert (first.list_pusd, first.billed_pusd, first.input_pusd, first.other_pusd) == (-40, -40, -43, 3)
    assert (first.at_us, first.actor, first.reason, first.path.key_name) == (NOON_US + 9, "anna", "typo", "")
    (second,) = change(ledger, one, priced(2**62, "new"))
    assert (second.seq, second.id, second.old_version) == (2, "gw_1.2", "mid")
    assert change(ledger, one, priced(2**62, "new")) == []
    with ledger.reading() as db:
        assert db is not None
        assert adjust.adjustments_of(db, "gw_1") == [first, second] and adjust.adjustments_of(db, "gw_2") == []
        assert adjust.adjustments_after(db, 1, 10) == [second] and adjust.highest(db) == 2
        costs = adjust.costs_of(db, [one, record("gw_2")])
    assert costs["gw_1"].amounts[:2] == (2**62, 2**62) and costs["gw_1"].version == "new"
    assert sum(costs["gw_1"].amounts[2:]) == 2**62
    assert costs["gw_2"].adjustments == 0


@pytest.mark.parametrize("statement", ["UPDATE adjustment SET billed_pusd = 0", "DELETE FROM adjustment"])
async def test_an_adjustment_is_never_changed(ledger: Database, statement: str) -> None:
    one = record("gw_1")
    await hold(ledger, one)
    change(ledger, one, priced(60))
    with pytest.raises(StoreError, match="insert-only"), ledger.changing() as db:
        db.execute(statement)


async def test_budgets_count_the_difference_of_what_is_rounded_up(ledger: Database) -> None:
    one = charged("gw_1", NOON_US, 0, RED, billed_pusd=1001)  # 2 nano-USD
    await hold(ledger, one)
    for billed, nusd in ((999, 1), (1000, 1), (0, 0), (5_000_001, 5001)):
        change(ledger, one, priced(billed))
        assert sums(ledger, TEAM) == ({"red": nusd} if nusd else {"red": 0})


async def test_budgets_that_reserve_the_worst_count_no_less_than_the_bound(ledger: Database) -> None:
    one = charged("gw_1", NOON_US, 4, RED, at_most_nusd=10)
    await hold(ledger, one)
    for nusd, worst in ((7, 10), (12, 12), (1, 10)):
        change(ledger, one, priced(nusd * 1000))
        assert (sums(ledger, TEAM), sums(ledger, WORST)) == ({"red": nusd}, {"red": worst})


async def test_a_window_counts_the_adjustments_of_its_calls_whenever_they_were_made(ledger: Database) -> None:
    day_us = 86_400_000_000
    calls = [charged(f"gw_{at}", NOON_US + at * day_us, 5, RED) for at in (-1, 0)]
    await hold(ledger, *calls)
    change(ledger, calls[0], priced(50_000))
    assert sums(ledger, TEAM) == {"red": 5}
    change(ledger, calls[1], priced(7_000))
    assert sums(ledger, TEAM) == {"red": 7}


async def test_sums_are_as_of_an_adjustment(ledger: Database) -> None:
    one = charged("gw_1", NOON_US, 5, RED)
    await hold(ledger, one)
    for nusd in (8, 2):
        change(ledger, one, priced(nusd * 1000))
    assert [sums(ledger, TEAM, adjusted)["red"] for adjusted in (0, 1, 2, None)] == [5, 8, 2, 2]


async def test_a_session_that_cost_nothing_until_it_was_priced_is_remembered(ledger: Database) -> None:
    one = charged("gw_1", NOON_US, 0, RED)
    await hold(ledger, one)
    assert sums(ledger, SESSION) == {}
    change(ledger, one, priced(3_000))
    assert sums(ledger, SESSION) == {"s1": 3}


@pytest.fixture
def kept() -> Iterator[CallRecord]:
    yield charged("gw_1", NOON_US, 5, RED)


async def test_what_was_adjusted_stays_with_budgets_when_the_call_has_gone(ledger: Database, kept: CallRecord) -> None:
    await hold(ledger, kept, replace(kept, call_id="gw_2"))
    change(ledger, kept, priced(9_000))
    store = ledger.store()
    await store.open()
    while await store.retire(NOON_US + 60 * 86_400_000_000):
        pass
    await store.close()
    with ledger.reading() as db:
        assert db is not None and db.execute("SELECT COUNT(*) FROM call").fetchone() == (0,)
        assert len(adjust.adjustments_of(db, "gw_1")) == 1
    assert sums(ledger, TEAM) == {"red": 14}
