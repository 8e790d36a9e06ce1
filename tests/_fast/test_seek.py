"""Bytes in bytes: found wherever they stand, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import seek
from gw._fast.ref import seek as pure

PART = b'"gw1.'
LETTERS = st.lists(st.sampled_from([b'"', b"g", b"w", b"1", b".", b'"g', b"x" * 15, b"x" * 63, PART]), max_size=40).map(b"".join)


@given(LETTERS, st.sampled_from([b"", b'"', b'"g', b'""', PART, PART * 2, b"x" * 64, b"x" * 80]))
def test_both_find_what_is_there_and_nothing_else(whole: bytes, part: bytes) -> None:
    assert seek.holds(whole, part) == pure.holds(whole, part) == (part in whole)


@pytest.mark.parametrize("size", [*range(5, 20), 63, 64, 65, 68, 69, 128, 132, 133, 200])
def test_it_is_found_at_every_place_of_a_text_of_any_size(size: int) -> None:
    for at in range(size - len(PART) + 1):
        whole = b'"' * at + PART + b'"' * (size - at - len(PART))
        assert seek.holds(whole, PART) and not seek.holds(whole.replace(b"1", b"2"), PART)


def test_what_a_text_only_begins_with_at_its_end_is_not_there() -> None:
    for size in range(len(PART)):
        assert not seek.holds(b"x" * 64 + PART[:size], PART) and not seek.holds(PART[:size], PART)


def test_only_bytes_are_sought() -> None:
    for given_ in ((None, PART), (PART, None), ("text", PART)):
        with pytest.raises(TypeError):
            seek.holds(*given_)  # type: ignore[arg-type]
