"""Months of the ledger: every instant is in exactly one, and a partition's name says which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from gw.ledger import months
from gw.ledger.months import EARLIEST, LATEST, begin_us, bounds_of, making, month_in, month_of, months_of, partition_of
from tests.ledger.records import NOON_US, record

instants = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(begin_us(EARLIEST) - 10, begin_us(LATEST + 1) + 10))


@given(instants)
def test_an_instant_is_within_the_bounds_of_its_month(at_us: int) -> None:
    from_us, until_us = bounds_of(month_of(at_us))
    assert (from_us is None or from_us <= at_us) and (until_us is None or at_us < until_us)


@given(st.integers(EARLIEST - 1, LATEST))
def test_months_follow_each_other_without_a_gap(month: int) -> None:
    assert bounds_of(month)[1] == bounds_of(month + 1)[0]


@given(st.integers(EARLIEST - 1, LATEST + 1))
def test_a_partition_names_its_month(month: int) -> None:
    assert month_in(partition_of(month)) == month


@pytest.mark.parametrize("name", ["call", "call_2026", "call_2026_13", "call_2026_1", "call_2026_00", "call_1999_01", "call_x_y"])
def test_a_table_of_another_name_is_no_month(name: str) -> None:
    assert month_in(name) is None


@given(st.lists(instants, max_size=40))
def test_rows_need_the_months_of_their_beginnings(started: list[int]) -> None:
    rows = [astuple(record(str(number), started_us=at_us)) for number, at_us in enumerate(started)]
    assert months_of(rows) == {month_of(at_us) for at_us in started}


def test_what_makes_a_month_names_its_bounds() -> None:
    november = month_of(NOON_US)
    made, distinct, *attached = making(november)
    assert made == "CREATE TABLE call_2026_11 (LIKE call INCLUDING ALL)" and "'call_2026_11'::regclass" in distinct
    assert attached == [
        "ALTER TABLE call ATTACH PARTITION call_2026_11 FOR VALUES FROM (1793491200000000) TO (1796083200000000)",
    ]
    assert "FROM (MINVALUE) TO" in list(making(EARLIEST - 1))[-1] and "TO (MAXVALUE)" in list(making(LATEST + 1))[-1]
    assert months.partition_of(EARLIEST - 1) == "call_early"
