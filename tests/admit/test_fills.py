"""What is read of limits is what a call would find, and reading it makes nothing."""

import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import TAKEN, UNITS, Buckets, Cells, Path, buckets_bytes, cells_bytes
from gw._fast import Limit as Bucket
from gw.admit.fills import fills
from gw.domain.budget_book import BudgetBook
from gw.domain.limit import Limit, bucket_key
from gw.domain.scope import CallPath, Scope

S = 10**9
USD = 10**9
NOW_NS = 10**15
NOW_US = 1_795_354_200_000_000
ANNA = CallPath(customer="acme", team="platform", key_name="anna", key_id="0123456789ab")
BOB = ANNA._replace(key_name="bob", key_id="ba9876543210")


def memory(size: int) -> memoryview:
    return memoryview(mmap.mmap(-1, size))


@pytest.fixture
def cells():
    return Cells(memory(cells_bytes(256, 8)), 256, 8)


@pytest.fixture
def buckets():
    return Buckets(memory(buckets_bytes(256)), 256)


def bucket_of(buckets, limit, account):
    return Bucket(buckets, bucket_key(limit, account), limit.amount, limit.per_ns, limit.burst)


def test_a_limit_nobody_used_is_full_and_stays_without_a_bucket(cells, buckets):
    rate = Limit("r", Scope("key", "*", each=True), "requests", 60, 60 * S, 5)
    few = Limit("p", Scope("team", "platform"), "parallel", 3)
    found = fills(cells, buckets, BudgetBook(limits=[rate, few]), ANNA, NOW_NS)
    assert [(one.limit.id, one.account, one.available, one.wait_ns) for one in found] == [
        ("p", "platform", 3, 0),
        ("r", "anna", 5, 0),
    ]
    assert buckets.lookup(bucket_key(rate, "anna")) == -1 and list(cells) == []


@given(
    amount=st.integers(1, 1000),
    per_s=st.integers(1, 1000),
    burst=st.integers(1, 1000),
    taken=st.integers(0, 1000),
    later_ns=st.integers(0, 10 * S),
)
def test_requests_that_are_free_can_be_taken_and_the_wait_is_the_buckets_own(amount, per_s, burst, taken, later_ns):
    buckets = Buckets(memory(buckets_bytes(256)), 256)
    limit = Limit("r", Scope("key", "anna"), "requests", amount, per_s * S, burst)
    bucket = bucket_of(buckets, limit, "anna")
    bucket.debt(taken, NOW_NS)
    now_ns = NOW_NS + later_ns
    (fill,) = fills(Cells(memory(cells_bytes(256, 8)), 256, 8), buckets, BudgetBook(limits=[limit]), ANNA, now_ns)
    assert fill.available <= burst
    assert (bucket.take(max(fill.available, 1), now_ns) == 0) == (fill.available > 0)
    if fill.available <= 0:
        assert abs(bucket.take(1, now_ns) - fill.wait_ns) <= 2


@given(amount=st.integers(1, 10**6), burst=st.integers(1, 10**6), owed=st.integers(0, 10**7), later_ns=st.integers(0, 10 * S))
def test_a_debt_of_tokens_is_shown_below_zero_and_waits_as_the_bucket_does(amount, burst, owed, later_ns):
    buckets = Buckets(memory(buckets_bytes(256)), 256)
    limit = Limit("t", Scope("key", "anna"), "tokens", amount, 60 * S, burst)
    bucket = bucket_of(buckets, limit, "anna")
    bucket.debt(owed, NOW_NS)
    (fill,) = fills(Cells(memory(cells_bytes(256, 8)), 256, 8), buckets, BudgetBook(limits=[limit]), ANNA, NOW_NS + later_ns)
    assert abs(bucket.check(NOW_NS + later_ns) - fill.wait_ns) <= 2
    assert later_ns or fill.available == burst - owed


def test_calls_that_run_are_missing_from_what_is_free(cells, buckets):
    few = Limit("p", Scope("key", "anna"), "parallel", 3)
    path = Path(cells, [(bucket_key(few, "anna"), 3, UNITS)])
    for ordinal in range(2):
        assert cells.slot(ordinal).hold(path, 5) == TAKEN
    (fill,) = fills(cells, buckets, BudgetBook(limits=[few]), ANNA, NOW_NS)
    assert fill.available == 1
    lowered = BudgetBook(limits=[Limit("p", Scope("key", "anna"), "parallel", 1)])
    assert fills(cells, buckets, lowered, ANNA, NOW_NS)[0].available == 0
