"""What clients have named is text to a spreadsheet, too."""

import pytest

from gw.chargeback import table
from gw.control import http_logs_shapes, http_usage
from gw.domain.text import FORMULA, defused

RUNS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "  =cmd|' /C calc'!A0", "＝1+1", "＋1", "－1", "＠SUM(1)")


@pytest.mark.parametrize("text", RUNS)
def test_a_cell_that_would_run_stands_behind_an_apostrophe(text: str) -> None:
    assert defused(text) == f"'{text}" and not defused(text).startswith(tuple(one for one in FORMULA if one != "'"))


def test_names_as_they_are_usual_stay_as_they_are() -> None:
    names = ("claude-opus-5-5", "", "team a", "a=b", "x@example.com", "日本")
    assert tuple(map(defused, names)) == names


def test_all_that_is_downloaded_asks_the_same_judge() -> None:
    assert {module.defused for module in (table, http_logs_shapes, http_usage)} == {defused}  # type: ignore[attr-defined]
