"""The store, on both databases: one transaction moves rows, offsets and open calls; the table is the record."""

import threading
from collections.abc import AsyncIterator

import msgspec
import pytest
from msgspec.structs import astuple

from gw.domain.call import CallRecord
from gw.ledger.migrate import SQLITE
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import COLUMNS, Batch, Database, OpenRow, Store, StoreError
from tests.ledger.records import begun, record
from tests.support.databases import query


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    store = database.store()
    await store.open()
    yield store
    await store.close()


def rows(*records: CallRecord) -> Batch:
    return Batch(rows=[astuple(one) for one in records])


def open_row(call_id: str, boot: str = "b1") -> OpenRow:
    return OpenRow(call_id, boot, b"h\0", msgspec.msgpack.encode(begun(call_id)))


async def test_row_comes_back_as_it_went_in(store: Store, database: Database) -> None:
    odd = "ü\t\\\n\\N'\"\U0001f600"
    sent = record("a", list_pusd=2**63 - 1, other_pusd=-(2**63) + 1, project=odd, iterations='[["message"]]')
    await store.commit(rows(sent))
    (found,) = query(database, f"SELECT {', '.join(COLUMNS)} FROM call")
    assert found == astuple(sent)


async def test_row_offered_again_is_ignored_and_counted(store: Store, database: Database) -> None:
    assert await store.commit(rows(record("a", status=200), record("b"))) == 0
    assert await store.commit(rows(record("a", status=500), record("c"), record("c"))) == 2
    assert query(database, "SELECT call_id, status FROM call ORDER BY call_id") == [("a", 200), ("b", 200), ("c", 200)]
    assert query(database, "SELECT value FROM meta WHERE name = 'duplicate_rows'") == [(2,)]


async def test_offsets_move_with_the_rows_and_are_found_again(store: Store) -> None:
    await store.commit(Batch(rows=[astuple(record("a"))], consumed={"s1": 10, "s2": 20}, finished=["s2"]))
    await store.commit(Batch(consumed={"s1": 30}))
    await store.forget(["s2"])
    await store.close()
    assert await store.open() == {"s1": 30}


async def test_open_calls_stay_until_their_row_comes(store: Store) -> None:
    await store.commit(Batch(opened={"a": open_row("a"), "b": open_row("b", "b2")}))
    assert store.open_boots() == {"b1", "b2"} and await store.open_calls("b1") == [open_row("a")]
    await store.commit(rows(record("a")))
    assert store.open_boots() == {"b2"} and await store.open_calls("b1") == []
    await store.close()
    await store.open()
    assert store.open_boots() == {"b2"}, "known again after a restart"


async def test_failed_transaction_leaves_nothing_behind(store: Store, database: Database) -> None:
    spoilt = Batch(rows=[astuple(record("a"))], opened={"x": open_row("x")}, consumed={"s1": None})  # type: ignore[dict-item]
    with pytest.raises(StoreError):
        await store.commit(spoilt)
    await store.close()
    assert await store.open() == {} and store.open_boots() == set()
    assert query(database, "SELECT COUNT(*) FROM call") == [(0,)]


def test_two_processes_migrate_at_once(database: Database) -> None:
    failures: list[StoreError] = []
    gate = threading.Barrier(4)

    def run() -> None:
        gate.wait()
        try:
            database.prepare()
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    files = len(list(SQLITE.directory.glob("*.sql")))
    assert query(database, "SELECT COUNT(*) FROM schema_migration") == [(files,)]


async def test_what_no_column_can_hold_does_not_keep_the_batch_out(store: Store, database: Database) -> None:
    """Postgres has no NUL in text."""
    assert await store.commit(rows(record("a"), record("b", project="x\0y"))) == 0
    found = dict(query(database, "SELECT call_id, project FROM call"))
    assert found == {"a": "", "b": "x\0y" if isinstance(database, SqliteDatabase) else "x?y"}


async def test_rows_keep_the_order_in_which_they_came(store: Store, database: Database) -> None:
    names = [f"{number * 7919 % 1000:03}" for number in range(1000)]
    for at in range(0, 1000, 100):
        await store.commit(rows(*(record(name, started_us=int(name)) for name in names[at : at + 100])))
    await store.close()
    await store.open()
    await store.commit(rows(record("last", started_us=0)))
    assert [name for (name,) in query(database, "SELECT call_id FROM call ORDER BY seq")] == [*names, "last"]


async def test_a_store_that_answers_is_said_to_be_well(store: Store) -> None:
    await store.check()
    await store.close()
    with pytest.raises(StoreError, match="not open"):
        await store.check()
    with pytest.raises(StoreError, match="not open"):
        await store.commit(Batch())
