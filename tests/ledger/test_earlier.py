"""Calls that have been kept for long enough are gone; no budget is any better off for it."""

import random
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import astuple

from gw.domain.budget import Budget
from gw.domain.call import CallRecord
from gw.domain.price import Priced
from gw.domain.scope import CallPath, Scope
from gw.domain.window import LIFETIME, bounds, parse_window
from gw.ledger import adjust, charged_sum, sqlite
from gw.ledger.charged import AT, WORST
from gw.ledger.earlier import QUARTER_US
from gw.ledger.months import begin_us, month_of
from gw.ledger.rollup_shape import HOUR_US
from gw.ledger.spending import Span, spent
from gw.ledger.store import Batch, Database, Store
from tests.ledger.records import NOON_US
from tests.ledger.spent import charged
from tests.support.databases import query

DAY_US = 86_400_000_000
THIS_MONTH = month_of(NOON_US)
BUDGETS = (
    Budget("all", Scope("team", "*"), 1, LIFETIME),
    Budget("each", Scope("key", "*", each=True), 1, LIFETIME, reserve="worst"),
    Budget("year", Scope("team", "*", each=True), 1, parse_window("year", "Asia/Kathmandu")),
    Budget("chat", Scope("session", "*", each=True), 1, LIFETIME),
    Budget("day", Scope("model", "m"), 1, parse_window("day", "America/New_York")),
)


def calls(count: int = 400) -> list[CallRecord]:
    """Over half a year, in the order of their coming; some were charged a while after they had begun, in the next month even."""
    dice = random.Random(7)
    found = []
    for number in range(count):
        started_us = NOON_US - dice.randrange(180 * DAY_US)
        path = CallPath("c", dice.choice("ab"), "", dice.choice("kl"), "u", "m", "", dice.choice(("", "s", "t")))
        more = {"started_us": started_us, "at_most_nusd": dice.choice((0, 10**7)), "billed_pusd": dice.choice((0, 1, 2**63 - 1))}
        found.append(charged(f"c{number}", started_us + dice.choice((0, 0, DAY_US)), 0, path, **more))
    return found


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    store = database.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in calls()]))
    yield store
    await store.close()


def sums(database: Database) -> dict[int, int]:
    spans = {Span(budget, *bounds(budget.window, at_us)) for budget in BUDGETS for at_us in (NOON_US, NOON_US - 150 * DAY_US)}
    return {key: one.nusd for key, one in spent(database, spans, now_us=NOON_US).items()}


async def retire(store: Store, before_us: int) -> int:
    """All that is to go; answers in how many portions."""
    portions = 1
    while await store.retire(before_us):
        portions += 1
    return portions


@pytest.mark.parametrize("kept", [0, 1, 3])
async def test_budgets_are_spent_as_they_were_when_the_calls_are_gone(store: Store, database: Database, kept: int) -> None:
    before = sums(database)
    limit_us = begin_us(THIS_MONTH - kept)
    assert await retire(store, limit_us) >= 1
    left = query(database, "SELECT call_id, started_us FROM call")
    gone = {one.call_id for one in calls()} - {call_id for call_id, _ in left}
    assert len(gone) > 30 and {one.call_id for one in calls() if one.started_us >= limit_us}.isdisjoint(gone)
    assert all(at_us >= limit_us - DAY_US for _, at_us in left), "but for those that were charged a day after they began"
    assert sums(database) == before and len(before) > 7


async def test_what_is_summed_up_repriced_and_gone_is_what_every_row_says(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In portions, with calls that are repriced and calls that go in between; the sums hold what is there, and no more."""
    monkeypatch.setattr(charged_sum, "ROWS_MAX", 150)

    def by_rows() -> dict[int, int]:
        with monkeypatch.context() as patched:
            patched.setattr(charged_sum, "MARK", "SELECT 0")
            return sums(database)

    def agreed() -> dict[int, int]:
        found = sums(database)
        assert found == by_rows() and len(found) > 7
        return found

    before = agreed()
    assert await store.sum_up() and agreed() == before
    reprice(database, calls()[100:200])
    repriced = agreed()
    assert repriced != before and await store.sum_up() and agreed() == repriced
    await retire(store, begin_us(THIS_MONTH - 2))
    assert agreed() == repriced
    assert not await store.sum_up() and not await store.sum_up() and agreed() == repriced
    await store.commit(Batch(rows=[astuple(charged("late", NOON_US - 100 * DAY_US, 7, CallPath("c", "a", "", "k", "u", "m")))]))
    late = agreed()
    assert late != repriced and not await store.sum_up() and agreed() == late
    await retire(store, NOON_US + 2 * DAY_US)
    assert agreed() == late
    hours = {at_us // HOUR_US for (at_us,) in query(database, f"SELECT {AT} FROM call WHERE {WORST} > 0")}
    assert {at_us // HOUR_US for (at_us,) in query(database, "SELECT at_us FROM charged_sum WHERE unit = 1")} == hours


def reprice(database: Database, records: list[CallRecord]) -> None:
    with database.changing() as db:
        costs = adjust.costs_of(db, records)
        found = [
            adjust.adjustment_to(one, costs[one.call_id], Priced(9**9, 9**9), at_us=NOON_US, actor="anna", reason="typo")
            for one in records
        ]
        adjust.append(db, [one for one in found if one is not None])


async def test_what_is_gone_may_go_once_more(store: Store, database: Database) -> None:
    """Late rows of a month that is gone come back, count besides, and go again."""
    limit_us = begin_us(THIS_MONTH - 1)
    await retire(store, limit_us)
    before = sums(database)
    late = charged("late", begin_us(THIS_MONTH - 3) + 5, 7, CallPath("c", "a", "", "k", "u", "m"))
    await store.commit(Batch(rows=[astuple(late)]))
    after = sums(database)
    assert sum(after.values()) > sum(before.values())
    await retire(store, limit_us)
    assert sums(database) == after and not query(database, "SELECT 1 FROM call WHERE call_id = 'late'")


async def test_nothing_goes_that_is_to_be_kept(store: Store, database: Database) -> None:
    await retire(store, NOON_US - 400 * DAY_US)
    assert len(query(database, "SELECT 1 FROM call")) == 400 and not query(database, "SELECT 1 FROM spent_earlier")


async def test_sqlite_lets_new_calls_in_between(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "RETIRED_MAX", 7)
    database = sqlite.SqliteDatabase(tmp_path / "gw.db")
    store = database.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in calls(70)]))
    before = sums(database)
    assert await retire(store, NOON_US + DAY_US * 2) == 11 and sums(database) == before
    assert not query(database, "SELECT 1 FROM call")
    await store.close()


async def test_sqlite_takes_calls_between_two_portions_and_their_room_is_used_again(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "RETIRED_MAX", 100)
    database = sqlite.SqliteDatabase(tmp_path / "gw.db")
    store = database.store()
    await store.open()
    old = [charged(f"old{at}", NOON_US - 90 * DAY_US + at, 5, CallPath(team="a")) for at in range(2000)]
    await store.commit(Batch(rows=[astuple(one) for one in old]))
    ((pages,),) = query(database, "PRAGMA page_count")
    for portion in range(20):
        await store.retire(NOON_US - 30 * DAY_US)
        new = [charged(f"new{portion}.{at}", NOON_US + portion * 100 + at, 5, CallPath(team="a")) for at in range(100)]
        assert await store.commit(Batch(rows=[astuple(one) for one in new])) == 0
        counts = "SELECT COUNT(*) FILTER (WHERE call_id LIKE 'old%'), COUNT(*) FROM call"
        assert query(database, counts) == [(2000 - 100 * (portion + 1), 2000)], "so many went, and so many came"
    assert query(database, "PRAGMA page_count")[0][0] < pages * 1.2
    await store.close()


def test_quarters_are_where_days_begin_everywhere() -> None:
    assert all(bounds(parse_window("day", zone), NOON_US)[0] % QUARTER_US == 0 for zone in ("Asia/Kathmandu", "Asia/Kolkata"))
