"""What a row says of the attempts before its last."""

import pytest

from gw.domain.attempts import Attempt, attempts_of, is_left, is_request, nexts

TWICE = '[["a",529,"upstream_overloaded_error",12],["a",0,"reset",3]]'


def test_each_attempt_says_where_the_request_went_after_it() -> None:
    found = nexts(attempts_of(TWICE), "b")
    assert [(one.attempt, one.then) for one in found] == [
        (Attempt("a", 529, "upstream_overloaded_error", 12), "again"),
        (Attempt("a", 0, "reset", 3), "elsewhere"),
    ]
    assert nexts((), "b") == ()


@pytest.mark.parametrize("text", ["", "{", "[", "7", '"a"', "[1]", '[["a"]]', '[["a","b",1,2]]', "{}"])
def test_what_is_none_of_ours_tells_nothing(text: str) -> None:
    assert attempts_of(text) == ()


@pytest.mark.parametrize(
    ("outcome", "status", "left"),
    [
        ("timed_out", 0, True),
        ("upstream_error", 0, True),
        ("upstream_error", 529, False),
        ("client_gone", 0, False),
        ("stopped", 0, False),
        ("completed", 200, False),
    ],
)
def test_an_attempt_is_left_when_the_client_saw_no_status_of_its_failure(outcome: str, status: int, left: bool) -> None:
    assert is_left(outcome, status) is left


def test_of_the_rows_of_a_request_one_is_the_request() -> None:
    left, answered = ("timed_out", 0, "", ""), ("completed", 200, TWICE, "gw_1")
    assert [is_request(*row) for row in (left, answered)] == [False, True]
    passed, used = ("completed", 200, "", ""), ("completed", 200, "", "gw_1")
    assert [is_request(*row) for row in (passed, used)] == [True, False]
