"""Budgets at the gate over the ends of their windows: clock changes, month ends, leap days, increases that end.

A running gateway cannot be put at another time, so these cases of the table stand here. The instants are written out by hand,
not computed by what is tested. One microsecond before the end a spent budget refuses; at the end it has all of its limit; what
was admitted before and settles later is charged to the old window.
"""

import mmap
from datetime import UTC, datetime
from typing import Any

import pytest

from gw._fast import Buckets, Cells, buckets_bytes, cells_bytes
from gw.admit.gate import Blocked, Gate, NotFree, Stale
from gw.domain.budget import Budget, Increase
from gw.domain.budget_book import BudgetBook, PathRules
from gw.domain.scope import CallPath, Scope
from gw.domain.window import parse_window

DOLLAR = 10**9
PATH = CallPath(customer="acme", team="core", key_name="ci", key_id="k1", session="s1")


@pytest.fixture
def gate() -> Gate:
    cells = Cells(mmap.mmap(-1, cells_bytes(256, 64)), 256, 64)
    return Gate(cells, Buckets(mmap.mmap(-1, buckets_bytes(64)), 64))


def us(text: str) -> int:
    """Of an instant in UTC."""
    since = datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000


def budget(name: str, window: str, zone: str = "UTC", anchor: str = "", **more: Any) -> Budget:
    scope = Scope("team", "core")
    return Budget(id=name, scope=scope, limit_nusd=10 * DOLLAR, window=parse_window(window, zone, anchor), **more)


def rules(*those: Budget) -> PathRules:
    return BudgetBook(those).for_path(PATH)


def spend(gate: Gate, those: PathRules, at: int, dollars: int, slot: int = 0) -> None:
    gate.hold(gate.compiled(those, at), DOLLAR // 10, DOLLAR // 10, [slot, slot + 32], at).post(dollars * DOLLAR)


def settled(gate: Gate, those: PathRules, at: int) -> list[int]:
    return [one.settled_nusd // DOLLAR for one in gate.standings(gate.compile(those, at))]


def why(gate: Gate, those: PathRules, at: int) -> str:
    with pytest.raises(Blocked) as caught:
        spend(gate, those, at, 1)
    return f"{caught.value.why} {caught.value.rule}"


# name | window | zone | anchor | a window's start | its end | the end of the next: UTC
ENDS = """
a day of 23 hours | day | Europe/Berlin |  | 2027-03-27T23:00 | 2027-03-28T22:00 | 2027-03-29T22:00
a day of 25 hours | day | Europe/Berlin |  | 2027-10-30T22:00 | 2027-10-31T23:00 | 2027-11-01T23:00
a day without midnight | day | Africa/Cairo |  | 2026-04-22T22:00 | 2026-04-23T22:00 | 2026-04-24T21:00
a day with two midnights | day | America/Havana |  | 2026-10-31T04:00 | 2026-11-01T04:00 | 2026-11-02T05:00
an hour that the clock reads twice | hour | Europe/Berlin |  | 2027-10-31T00:00 | 2027-10-31T01:00 | 2027-10-31T02:00
an hour before one that is left out | hour | Europe/Berlin |  | 2027-03-28T00:00 | 2027-03-28T01:00 | 2027-03-28T02:00
an hour where the clock moves by half | hour | Australia/Lord_Howe |  | 2027-04-03T14:00 | 2027-04-03T15:30 | 2027-04-03T16:30
a week over the change in spring | week | America/New_York | 1 | 2027-03-08T05:00 | 2027-03-15T04:00 | 2027-03-22T04:00
a week that begins on Sunday | week | America/New_York | 7 | 2027-10-31T04:00 | 2027-11-07T04:00 | 2027-11-14T05:00
January and February | month | UTC |  | 2027-01-01T00:00 | 2027-02-01T00:00 | 2027-03-01T00:00
February of a leap year | month | UTC |  | 2028-02-01T00:00 | 2028-03-01T00:00 | 2028-04-01T00:00
a month from the 31st to the 28th | month | UTC | 31 | 2027-01-31T00:00 | 2027-02-28T00:00 | 2027-03-31T00:00
a month from the 30th in a leap year | month | UTC | 30 | 2028-01-30T00:00 | 2028-02-29T00:00 | 2028-03-30T00:00
a month in Berlin over the change | month | Europe/Berlin |  | 2027-02-28T23:00 | 2027-03-31T22:00 | 2027-04-30T22:00
a quarter from the 31st | 3M | UTC | 2026-08-31 | 2026-08-31T00:00 | 2026-11-30T00:00 | 2027-02-28T00:00
a year from the leap day | year | UTC | 02-29 | 2027-02-28T00:00 | 2028-02-29T00:00 | 2029-02-28T00:00
a fiscal year in Tokyo | year | Asia/Tokyo | 04-01 | 2026-03-31T15:00 | 2027-03-31T15:00 | 2028-03-31T15:00
24 hours are no day of the calendar | 1d | Europe/Berlin | 2027-03-27 | 2027-03-27T23:00 | 2027-03-28T23:00 | 2027-03-29T23:00
five hours over the change | 5h | Europe/Berlin | 2027-03-28T00:00 | 2027-03-27T23:00 | 2027-03-28T04:00 | 2027-03-28T09:00
"""
TABLE = [tuple(cell.strip() for cell in line.split("|")) for line in ENDS.strip().splitlines()]


@pytest.mark.parametrize(("name", "window", "zone", "anchor", "start", "end", "after"), TABLE, ids=[one[0] for one in TABLE])
def test_a_budget_is_new_at_the_end_of_its_window_and_not_before(
    gate: Gate, name: str, window: str, zone: str, anchor: str, start: str, end: str, after: str
) -> None:
    first_us, end_us, after_us = us(start), us(end), us(after)
    those = rules(budget("b", window, zone, anchor))
    spend(gate, those, first_us - 1, 20)  # the window before is another sum
    spend(gate, those, first_us, 6)
    late = gate.hold(gate.compiled(those, end_us - 1), DOLLAR, DOLLAR, [1, 33], end_us - 1)
    spend(gate, those, end_us - 1, 6)
    assert why(gate, those, end_us - 1) == "spent b"
    spend(gate, those, end_us, 3)
    late.post(2 * DOLLAR)
    assert [settled(gate, those, at) for at in (first_us - 1, first_us, end_us - 1, end_us)] == [[20], [14], [14], [3]]
    spend(gate, those, after_us - 1, 8)
    assert why(gate, those, after_us - 1) == "spent b"
    spend(gate, those, after_us, 1)
    assert [settled(gate, those, at) for at in (end_us, after_us)] == [[11], [1]]


def test_of_several_windows_only_those_that_end_begin_anew(gate: Gate) -> None:
    """The last second of November in Berlin, where it is a Monday, and no end of a month in UTC."""
    those = rules(
        *(
            budget(f"{window}-{zone[-3:]}", window, zone)
            for window in ("day", "month", "year")
            for zone in ("Europe/Berlin", "UTC")
        )
    )
    end_us = us("2026-11-30T23:00")
    spend(gate, those, end_us - 1, 4)
    assert settled(gate, those, end_us - 1) == [4] * 6
    standing = {one.budget.id: one.settled_nusd // DOLLAR for one in gate.standings(gate.compiled(those, end_us))}
    assert standing == {"day-lin": 0, "day-UTC": 4, "month-lin": 0, "month-UTC": 4, "year-lin": 4, "year-UTC": 4}


def test_a_call_that_waited_over_the_end_of_a_window_is_charged_to_the_new_one(gate: Gate) -> None:
    those, end_us = rules(budget("b", "day")), us("2026-12-01T00:00")
    first = gate.hold(gate.compiled(those, end_us - 1), 10 * DOLLAR, 0, [0], end_us - 1)
    with pytest.raises(Blocked, match="reserved"):
        gate.hold(gate.compiled(those, end_us - 1), 5 * DOLLAR, 0, [1], end_us - 1)
    gate.hold(gate.compiled(those, end_us), 5 * DOLLAR, 0, [1], end_us).post(4 * DOLLAR)
    first.post(9 * DOLLAR)
    assert [settled(gate, those, at) for at in (end_us - 1, end_us)] == [[9], [4]]


def test_a_call_that_outlives_its_window_grows_in_it(gate: Gate) -> None:
    those, end_us = rules(budget("b", "hour")), us("2026-12-01T05:00")
    long = gate.hold(gate.compiled(those, end_us - 1), DOLLAR, 0, [0], end_us - 1)
    spend(gate, those, end_us, 9, slot=1)
    assert gate.extend(long, 9 * DOLLAR) is None, "the new window's spending is not the old one's"
    refused = gate.extend(long, DOLLAR)
    assert refused is not None
    assert refused.standing is not None
    assert (refused.standing.end_us, refused.standing.used_nusd) == (end_us, 10 * DOLLAR)


def test_an_increase_ends_by_itself_within_a_window(gate: Gate) -> None:
    until_us = us("2026-12-10T00:00")
    those = rules(budget("b", "month", increases=(Increase(10 * DOLLAR, until_us, "release week"),)))
    spend(gate, those, until_us - 2, 12)
    spend(gate, those, until_us - 1, 3)
    assert why(gate, those, until_us) == "spent b"
    assert settled(gate, those, until_us) == [15]
    spend(gate, those, us("2027-01-01T00:00"), 1)


def test_two_increases_that_overlap_end_one_after_the_other(gate: Gate) -> None:
    first_us, second_us = us("2026-12-10T00:00"), us("2026-12-20T00:00")
    more = (Increase(10 * DOLLAR, first_us, "a"), Increase(5 * DOLLAR, second_us, "b"))
    those = rules(budget("b", "month", increases=more))
    limits = [
        gate.standings(gate.compiled(those, at))[0].limit_nusd // DOLLAR
        for at in (first_us - 1, first_us, second_us - 1, second_us)
    ]
    assert limits == [25, 15, 15, 10]


def test_a_call_that_began_before_another_and_comes_after_it_is_charged_to_its_own_window(gate: Gate) -> None:
    those, end_us = rules(budget("b", "day")), us("2026-12-01T00:00")
    spend(gate, those, end_us - 1, 11)
    spend(gate, those, end_us, 1)
    assert why(gate, those, end_us - 1) == "spent b"
    spend(gate, those, end_us, 1)


def test_a_forgotten_cell_of_one_half_leaves_nothing_set_aside_in_the_other(gate: Gate) -> None:
    """The keeper forgets cells that are idle while workers still know their places."""
    those, at = rules(budget("loose", "day"), budget("strict", "day", reserve="worst")), us("2026-12-01T00:00")
    path = gate.compiled(those, at)
    assert path.typical is not None
    assert gate.cells.forget(path.typical.path.indices[0])
    with pytest.raises(Stale):
        gate.hold(path, DOLLAR, 2 * DOLLAR, [0, 32], at)
    again = gate.compile(those, at)
    assert [one.reserved_nusd for one in gate.standings(again)] == [0, 0]
    gate.hold(again, DOLLAR, 2 * DOLLAR, [0, 32], at).post(DOLLAR)
    assert [one.used_nusd for one in gate.standings(again)] == [DOLLAR, DOLLAR]


def test_a_slot_that_a_dead_worker_left_open_leaves_nothing_set_aside_in_the_other(gate: Gate) -> None:
    those, at = rules(budget("loose", "day"), budget("strict", "day", reserve="worst")), us("2026-12-01T00:00")
    path = gate.compiled(those, at)
    gate.hold(path, DOLLAR, DOLLAR, [0, 32], at)  # its worker dies
    with pytest.raises(NotFree):
        gate.hold(path, DOLLAR, 2 * DOLLAR, [0, 33], at)
    assert {one.budget.id: one.reserved_nusd for one in gate.standings(path)} == {"loose": DOLLAR, "strict": DOLLAR}
