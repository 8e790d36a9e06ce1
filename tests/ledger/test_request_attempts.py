"""Rows of one request, and what upstreams failed lately, on both databases; what a request is in sums is in test_rollup."""

from msgspec.structs import astuple

from gw.ledger.log_filter import LogScope
from gw.ledger.request_attempts import ROWS_MAX, Failures, failures, rows_of_request
from gw.ledger.rollup_shape import MEASURES, sums_of
from gw.ledger.store import Database
from tests.ledger.log_rows import fill
from tests.ledger.records import NOON_US, record

S = 1_000_000
FIRST = '[["a",529,"upstream_overloaded_error",12]]'
BOTH = '[["a",529,"upstream_overloaded_error",12],["b",0,"first_byte_timeout",500]]'
LEFT = record("c1", upstream="b", outcome="timed_out", status=0, usage_source="estimated", key_id="mine", attempts=FIRST)
LAST = record("c2", started_us=NOON_US + S, upstream="c", key_id="mine", attempts=BOTH, attempt_of="c1")
AGAIN = record("c3", upstream="a", ended_us=NOON_US + 5 * S, attempts='[["a",500,"upstream_api_error",9]]')
OLD = record("c4", upstream="b", ended_us=NOON_US - 9 * S, attempts=FIRST)


async def test_rows_of_a_request_are_found_from_its_first_one_and_only_by_who_may_see_them(database: Database) -> None:
    await fill(database, [LAST, LEFT, AGAIN])
    assert rows_of_request(database, "c1") == [astuple(LEFT), astuple(LAST)]
    assert rows_of_request(database, "c1", LogScope("key", id="other")) == []
    assert rows_of_request(database, "") == []
    many = [record(f"d{at}", started_us=NOON_US + at, attempt_of="c3") for at in range(ROWS_MAX + 5)]
    await fill(database, many)
    assert len(rows_of_request(database, "c3")) == ROWS_MAX + 1


async def test_each_failed_attempt_counts_once_at_the_upstream_that_failed(database: Database) -> None:
    await fill(database, [LEFT, LAST, AGAIN, OLD])
    with database.reading() as db:
        assert db is not None
        assert failures(db, NOON_US) == {"a": Failures(again=1, elsewhere=1), "b": Failures(again=0, elsewhere=1)}
        assert failures(db, NOON_US - 10 * S)["a"] == Failures(again=1, elsewhere=2)


def test_a_request_counts_once_however_many_of_its_attempts_have_rows() -> None:
    sums = sums_of(astuple(LEFT))
    sums.add(sums_of(astuple(LAST)))
    summed = dict(zip(MEASURES, sums.values(), strict=True))
    assert (summed["requests"], summed["calls"], summed["errors"]) == (1, 2, 1)
