"""The sessions in which routing sent something else than was asked for, from both databases."""

from typing import Any

from msgspec.structs import astuple

from gw.domain.call import CallRecord
from gw.ledger.rerouted import sessions
from gw.ledger.store import Batch, Database
from tests.ledger.records import NOON_US, record

ROUTED = {"route": "rule:x", "sent_model": "small"}


async def filled(database: Database, rows: list[CallRecord]) -> None:
    store = database.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in rows]))
    await store.close()


def at(nth: int, session: str, **values: Any) -> CallRecord:
    return record(f"c{nth:03}", session_id=session, started_us=NOON_US + nth, ended_us=NOON_US + nth + 5, **values)


async def test_sessions_with_a_rerouted_call_come_whole_and_in_order(database: Database) -> None:
    rows = [
        at(1, "b", **ROUTED),
        at(2, "a"),
        at(3, "quiet"),
        at(4, "a", **ROUTED),
        at(5, "a", usage_source="none"),
        at(6, "", **ROUTED),
        at(7, ""),
        at(8, "renamed", sent_model="deployment-of-it"),  # no route decided that
        at(9, "b", endpoint="count_tokens"),
    ]
    await filled(database, rows)
    found = [[one.call_id for one in session] for session in sessions(database, 0, NOON_US * 2)]
    assert found == [["c006"], ["c002", "c004"], ["c001"]]
    assert list(sessions(database, NOON_US * 2, NOON_US * 3)) == []
    first = next(iter(sessions(database, 0, NOON_US * 2)))[0]
    assert first == rows[5]


async def test_many_sessions_come_once_each(database: Database) -> None:
    rows = [at(nth, f"s{nth % 450:03}", **ROUTED) for nth in range(900)]
    await filled(database, rows)
    found = list(sessions(database, 0, NOON_US * 2))
    assert len(found) == 450 and all(len(one) == 2 for one in found)
