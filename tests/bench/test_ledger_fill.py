"""Synthetic ledgers: what the store would have made of the same calls, indexes and all, also after a kill."""

import pytest

from bench.ledger import fill as filling
from bench.ledger.fill import fill
from bench.ledger.queries import QUESTIONS, ledger_at, measure
from gw.demo.world import calls_of_day, developers, weight_of
from gw.ledger.rollup_shape import DAY_US
from gw.ledger.store import Batch, Database, Store
from tests.ledger import rolled
from tests.ledger.records import NOON_US
from tests.support.databases import address_of, query

UNTIL_US = NOON_US // DAY_US * DAY_US
INDEXES = {"SqliteDatabase": filling.INDEXES["sqlite"], "PostgresDatabase": filling.INDEXES["postgres"]}


def indexes(database: Database) -> list[tuple[str, ...]]:
    return sorted(query(database, INDEXES[type(database).__name__]))


async def test_ledger_is_whole_after_a_kill_and_another_run(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.prepare()
    before, url = indexes(database), address_of(database)
    monkeypatch.setattr(filling, "BATCH", 150)
    commits = 0

    class Killed(Exception):
        """In place of a signal."""

    def killed_in_the_third(store: Store) -> None:
        commit = store.commit

        async def counting(batch: Batch) -> int:
            nonlocal commits
            commits += 1
            if commits == 3:
                raise Killed
            return await commit(batch)

        monkeypatch.setattr(store, "commit", counting)

    opened = filling.store_of

    def opening(database: Database) -> Store:
        store = opened(database)
        killed_in_the_third(store)
        return store

    monkeypatch.setattr(filling, "store_of", opening)
    with pytest.raises(Killed):
        await fill(url, 600, until_us=UNTIL_US, days=3, say=lambda line: None)
    ((there,),) = query(database, "SELECT COUNT(*) FROM call")
    assert 150 < there < 600
    assert await fill(url, 600, until_us=UNTIL_US, days=3, say=lambda line: None) == 600 - there
    assert indexes(database) == before
    calls = rolled.stored(database)
    assert len(calls) == 600 and {one.started_us // DAY_US for one in calls} <= {UNTIL_US // DAY_US - ago for ago in (3, 2, 1, 0)}
    assert query(database, "SELECT * FROM journal_segment") == [] and query(database, "SELECT MAX(seq) FROM call") >= [(600,)]
    rolled.check(database, calls)
    ledger = ledger_at(url)
    for name in QUESTIONS:
        assert measure(ledger, name, 1).p50_ms > 0


def test_days_are_the_same_each_time_and_look_like_work() -> None:
    people = developers()
    rows = calls_of_day(1, 20_000, 500, people)
    assert rows == calls_of_day(1, 20_000, 500, people) != calls_of_day(2, 20_000, 500, people)
    assert len({row[0] for row in rows}) == len(rows) >= 500
    assert [weight_of(day) for day in range(20_000, 20_004)] == [100, 15, 15, 100], "from a Friday on"
