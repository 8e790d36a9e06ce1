"""The magnitude of a number grows with it, and the databases say the same as Python does."""

from hypothesis import given
from hypothesis import strategies as st

from gw.ledger.magnitude import magnitude, magnitude_of
from gw.ledger.store import Database
from tests.support.databases import query

NUMBERS = (-(2**63) + 1, -1, 0, 1, 9, 10, 99, 100, 199, 200, 10**12 - 1, 10**12, 2**63 - 1)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2))
def test_it_grows_with_the_number(numbers: list[int]) -> None:
    sizes = [magnitude_of(one) for one in sorted(numbers)]
    assert sizes == sorted(sizes)


def test_some_values_are_enough_for_all_amounts() -> None:
    assert [magnitude_of(one) for one in NUMBERS] == [0, 0, 20, 20, 21, 42, 59, 62, 63, 64, 259, 262, 398]


def test_the_database_says_the_same(database: Database) -> None:
    database.prepare()
    found = query(database, " UNION ALL ".join(f"SELECT {magnitude(f'CAST({one} AS BIGINT)')}" for one in NUMBERS))
    assert [size for (size,) in found] == [magnitude_of(one) for one in NUMBERS]
