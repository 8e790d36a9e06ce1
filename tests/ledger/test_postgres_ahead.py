"""The batch that is copied on a second connection while the one before it is committed: nothing is lost, doubled or out of order,
whatever becomes of either connection."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from msgspec.structs import astuple, replace

from gw.ledger import postgres_lanes, postgres_store
from gw.ledger.postgres import PostgresDatabase
from gw.ledger.postgres_store import PostgresStore
from gw.ledger.rollup_shape import LEVELS
from gw.ledger.store import Batch, StoreError, Unreachable
from tests.ledger.records import NOON_US, record
from tests.support.databases import Server, on_server, query

ORDER = "SELECT call_id, seq FROM call ORDER BY seq"
COUNTED = f"SELECT SUM(calls) FROM usage_day WHERE level = {LEVELS[0].number}"


@pytest.fixture
def database(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresDatabase]:
    monkeypatch.setattr(postgres_store, "PIECE", 2)
    for made in on_server(server):
        assert isinstance(made, PostgresDatabase)
        yield made


@pytest.fixture
async def store(database: PostgresDatabase) -> PostgresStore:
    found = database.store()
    await found.open()
    await found.commit(batch("first"))  # its month has a table
    return found


def batch(*names: str, **fields: Any) -> Batch:
    return Batch(rows=[astuple(replace(record(name), **fields)) for name in names], consumed={"0-a.gwj": ord(names[0][0])})


def beginning(store: PostgresStore, following: Batch) -> Callable[[], bool]:
    def meanwhile() -> bool:
        store.begin_next(following)
        return False

    return meanwhile


def are_in_order(database: PostgresDatabase, *names: str) -> bool:
    """These and no others, in this order, and each counted once."""
    there = query(database, ORDER)
    assert len({seq for _, seq in there}) == len(there) == counted(database)
    return [name for name, _ in there] == ["first", *names]


def counted(database: PostgresDatabase) -> int:
    ((calls,),) = query(database, COUNTED)
    return int(calls)


async def terminate(store: PostgresStore, database: PostgresDatabase, lane: int) -> None:
    (pid,) = await (await store._lanes[lane].execute("SELECT pg_backend_pid()")).fetchone() or (0,)
    with psycopg.connect(**database.parameters, autocommit=True) as db:
        db.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


async def test_batches_take_turns_on_two_connections(store: PostgresStore, database: PostgresDatabase) -> None:
    batches = [batch(*(f"{letter}{number}" for number in range(5))) for letter in "abcdef"]
    lanes = []
    for one, following in zip(batches, [*batches[1:], Batch()], strict=True):
        assert await store.commit(one, beginning(store, following)) == 0
        lanes.append(store._at)
    assert lanes == [0, 1, 0, 1, 0, 1] and len(store._lanes) == 2 and store._ahead is None
    assert are_in_order(database, *(row[0] for one in batches for row in one.rows))
    assert query(database, "SELECT consumed_bytes FROM journal_segment") == [(ord("f"),)]
    await store.close()


async def test_what_is_begun_is_seen_by_nobody_before_it_is_committed(store: PostgresStore, database: PostgresDatabase) -> None:
    second = batch("b1", "b2")
    await store.commit(batch("a1", "a2"), beginning(store, second))
    assert store._ahead is not None
    await store._ahead.copying
    await store.check()
    await store.forget(["0-x.gwj"])
    assert not await store.sum_up() and not await store.retire(NOON_US - 400 * 86_400_000_000)
    assert are_in_order(database, "a1", "a2")
    assert await store.commit(second) == 0 and are_in_order(database, "a1", "a2", "b1", "b2")
    await store.close()


async def test_a_row_that_comes_again_at_once_is_no_reason_to_wait_for_each_other(
    store: PostgresStore, database: PostgresDatabase
) -> None:
    second = batch("a1", "b1")
    await store.commit(batch("a1", "a2"), beginning(store, second))
    assert store._ahead is None
    assert await store.commit(second) == 1 and are_in_order(database, "a1", "a2", "b1")
    await store.close()


async def test_a_row_that_is_there_is_found_in_what_was_begun(store: PostgresStore, database: PostgresDatabase) -> None:
    second, third = batch("a2", "b2"), batch("c1", "c2")

    await store.commit(batch("a1", "a2"), beginning(store, second))
    assert await store.commit(second, beginning(store, third)) == 1
    assert await store.commit(third) == 0
    assert are_in_order(database, "a1", "a2", "b2", "c1", "c2")
    await store.close()


async def test_a_nul_is_found_in_what_was_begun(store: PostgresStore, database: PostgresDatabase) -> None:
    second = batch("b1", "b2", team="t\0")
    await store.commit(batch("a1"), beginning(store, second))
    assert await store.commit(second) == 0 and are_in_order(database, "a1", "b1", "b2")
    assert query(database, "SELECT DISTINCT team FROM call WHERE call_id LIKE 'b%'") == [("t?",)]
    await store.close()


@pytest.mark.parametrize("lane", [0, 1])
async def test_another_batch_may_come_instead(store: PostgresStore, database: PostgresDatabase, lane: int) -> None:
    """Such as the calls of a dead worker."""
    second, third = batch("b1", "b2"), batch("c1", "c2")
    await store.commit(batch("a1", "a2"), beginning(store, second))
    expected, late = ["a1", "a2"], second
    if lane == 0:
        await store.commit(second, beginning(store, third))
        expected, late = ["a1", "a2", "b1", "b2"], third
    assert store._ahead is not None and store._ahead.lane == lane
    assert await store.commit(batch("other")) == 0 and are_in_order(database, *expected, "other")
    assert await store.commit(late) == 0 and are_in_order(database, *expected, "other", *(row[0] for row in late.rows))
    await store.close()


async def test_without_room_for_a_second_connection_there_is_one(
    store: PostgresStore, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused() -> None:
        raise psycopg.OperationalError("too many clients")

    monkeypatch.setattr(store._lanes, "_second", refused)
    second, third = batch("b1", "b2"), batch("c1", "c2")
    await store.commit(batch("a1", "a2"), beginning(store, second))
    await store.commit(second, beginning(store, third))
    await store.commit(third)
    assert len(store._lanes) == 1 and are_in_order(database, "a1", "a2", "b1", "b2", "c1", "c2")
    await store.close()


async def test_the_second_connection_may_die(store: PostgresStore, database: PostgresDatabase) -> None:
    second, third, fourth = batch("b1", "b2"), batch("c1", "c2"), batch("d1", "d2")
    await store.commit(batch("a1", "a2"), beginning(store, second))
    assert store._ahead is not None
    await store._ahead.copying
    await terminate(store, database, 1)
    with pytest.raises(StoreError):  # its rows were there, and whether they are is for the journals to say
        await store.commit(second, beginning(store, third))
    await store.close()
    await store.open()
    await store.commit(second, beginning(store, third))
    await store.commit(third, beginning(store, fourth))
    await terminate(store, database, 1 - store._at)
    with pytest.raises(StoreError):
        await store.commit(fourth)
    await store.close()
    await store.open()
    assert await store.commit(fourth) == 0
    assert are_in_order(database, "a1", "a2", "b1", "b2", "c1", "c2", "d1", "d2")
    await store.close()


async def test_who_has_lost_the_first_connection_writes_no_more(
    store: PostgresStore, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = batch("b1", "b2")
    await store.commit(batch("a1", "a2"), beginning(store, second))
    assert store._ahead is not None
    await store._ahead.copying
    await terminate(store, database, 0)
    other = database.store()
    monkeypatch.setattr(postgres_lanes, "SESSION", "SET lock_timeout = 50")
    with pytest.raises(Unreachable, match="another gateway writes"):  # as long as the second one may commit
        await other.open()
    await other.close()
    assert await store.commit(second) == 0
    await store.close()
    await other.open()
    assert await other.commit(batch("c1")) == 0 and are_in_order(database, "a1", "a2", "b1", "b2", "c1")
    await other.close()


async def test_without_the_first_lock_there_is_no_second(store: PostgresStore, database: PostgresDatabase) -> None:
    await terminate(store, database, 0)
    with pytest.raises(StoreError, match="another gateway may write"):
        await store._lanes._second()
    other = database.store()
    await other.open()
    second = await other._lanes._connected()
    assert await postgres_lanes.rows(second, postgres_lanes.LOCK_AHEAD) == [(True,)]
    with pytest.raises(StoreError, match="another gateway may write"):
        await other._lanes._second()
    await second.close()
    await other.close()
    await store.close()


async def test_a_batch_that_needs_a_table_of_its_own_waits(store: PostgresStore, database: PostgresDatabase) -> None:
    later = NOON_US + 40 * 86_400_000_000
    second = batch("b1", "b2", started_us=later, ended_us=later + 1)
    await store.commit(batch("a1", "a2"), beginning(store, second))
    assert store._ahead is None
    assert await store.commit(second) == 0 and are_in_order(database, "a1", "a2", "b1", "b2")
    await store.close()


async def test_a_month_goes_though_a_batch_is_begun(store: PostgresStore, database: PostgresDatabase) -> None:
    earlier = NOON_US - 400 * 86_400_000_000
    await store.commit(batch("o1", started_us=earlier, ended_us=earlier + 1))
    second = batch("b1", "b2")
    await store.commit(batch("a1", "a2"), beginning(store, second))
    await store.retire(NOON_US - 300 * 86_400_000_000)
    assert [name for name, _ in query(database, ORDER)] == ["first", "a1", "a2"]
    assert await store.commit(second) == 0
    assert [name for name, _ in query(database, ORDER)] == ["first", "a1", "a2", "b1", "b2"]
    await store.close()
