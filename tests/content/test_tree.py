"""Lists of numbers as trees: packed and unpacked, divided by what they hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.content.tree import FEW, MANY, append, divided, pack, unpack, values

NUMBERS = st.lists(st.integers(0, 1 << 62), min_size=1, max_size=300)


@given(NUMBERS)
def test_packing_loses_nothing(numbers: list[int]) -> None:
    assert unpack(pack(numbers)) == numbers


@given(NUMBERS)
def test_divisions_are_the_list_in_order_and_of_bounded_length(numbers: list[int]) -> None:
    parts = list(divided(numbers))
    assert [number for part in parts for number in part] == numbers
    assert all(FEW <= len(part) <= MANY for part in parts[:-1]) and 1 <= len(parts[-1]) <= MANY


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=2), st.integers(300, 3000))
def test_a_list_that_repeats_itself_is_divided_too(pattern: list[int], times: int) -> None:
    parts = list(divided(pattern * times))
    assert len(parts) >= len(pattern) * times // MANY and len(set(parts)) <= 40


@pytest.mark.parametrize("position", [0, 1, 700, 1999, 2000])
def test_one_number_more_changes_few_divisions(position: int) -> None:
    numbers = list(range(5000, 7000))
    changed = [*numbers[:position], 3, *numbers[position:]]
    assert len(set(divided(changed)) - set(divided(numbers))) <= 6


def test_divisions_are_short_on_average() -> None:
    parts = list(divided(list(range(1, 50_000))))
    assert 15 <= 50_000 / len(parts) <= 60


@pytest.mark.parametrize("damaged", [b"\x80", b"\x02\x81", b"\x01\x03"])
def test_what_is_cut_short_or_below_zero_is_an_error(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut short|damaged"):
        unpack(damaged)


@given(st.lists(st.integers(0, 1 << 70), max_size=20))
def test_values_are_what_was_appended(wanted: list[int]) -> None:
    packed = bytearray()
    for value in wanted:
        append(packed, value)
    assert list(values(bytes(packed))) == wanted
