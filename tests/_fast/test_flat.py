"""Rows as the values of a statement: both twins, in order, each row with its number."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import flat as compiled
from gw._fast.ref import flat as pure

TWINS = pytest.mark.parametrize("module", [pytest.param(compiled, id="compiled"), pytest.param(pure, id="pure")])
ROWS = st.lists(st.lists(st.integers() | st.text(max_size=3) | st.booleans(), max_size=5).map(tuple), max_size=8)


@TWINS
@given(rows=ROWS, before=st.integers(-(2**40), 2**40))
def test_each_row_is_followed_by_its_number(module: Any, rows: list[tuple[Any, ...]], before: int) -> None:
    wanted: list[Any] = []
    for nth, row in enumerate(rows):
        wanted += [*row, before + 1 + nth]
    found = module.flattened(rows, before)
    assert found == wanted and list(map(type, found)) == list(map(type, wanted))


@TWINS
def test_values_are_the_same_objects_and_outlive_their_rows(module: Any) -> None:
    value = object()
    found = module.flattened([(value,)], 0)
    assert found[0] is value and found[1] == 1


@TWINS
@pytest.mark.parametrize("rows", [None, ((1,),), [[1]], [None]])
def test_what_is_no_list_of_rows_is_refused(module: Any, rows: Any) -> None:
    with pytest.raises(TypeError):
        module.flattened(rows, 0)
