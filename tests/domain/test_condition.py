"""Numbers and times as rules write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.condition import NUMBER_MAX, Range, parse_range, parse_times, within

RANGES = [
    ("< 8000", Range(0, 7999)),
    ("<=8k", Range(0, 8000)),
    (">= 200k", Range(200_000, NUMBER_MAX)),
    ("> 1.5M", Range(1_500_001, NUMBER_MAX)),
    ("100k..200k", Range(100_000, 200_000)),
    ("= 5", Range(5, 5)),
    ("90", Range(90, 90)),
]


@pytest.mark.parametrize(("text", "found"), RANGES)
def test_comparison_is_a_range_of_whole_numbers(text: str, found: Range) -> None:
    assert parse_range(text) == found


@pytest.mark.parametrize("text", ["", "<", "k", "< 0", "1.5", "200k..100k", ">> 5", "5 6", "1e3", "-5", "9999999m"])
def test_what_is_no_comparison_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_range(text)


@given(st.integers(0, NUMBER_MAX), st.integers(0, NUMBER_MAX))
def test_signs_divide_all_numbers(bound: int, number: int) -> None:
    def holds(sign: str) -> bool:
        found = parse_range(f"{sign}{bound}")
        return found.low <= number <= found.high

    assert holds(">=") == (number >= bound) and holds("<=") == (number <= bound) and holds("=") == (number == bound)
    assert holds(">") == (number > bound)
    assert not bound or holds("<") == (number < bound)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


TIMES = [
    ("22:00-06:00 Europe/Berlin", "2026-11-20T21:00", True),  # Friday 22:00 there
    ("22:00-06:00 Europe/Berlin", "2026-11-20T20:59", False),
    ("22:00-06:00 Europe/Berlin", "2026-11-21T04:59", True),
    ("22:00-06:00 Europe/Berlin", "2026-11-21T05:00", False),
    ("22:00-06:00 Europe/Berlin", "2026-07-20T20:00", True),  # summer time
    ("Fri 22:00-06:00 Europe/Berlin", "2026-11-21T04:59", True),  # the night of Friday goes on
    ("Fri 22:00-06:00 Europe/Berlin", "2026-11-20T04:59", False),  # that of Thursday does not count
    ("Mon-Fri 09:00-17:00", "2026-11-20T16:59", True),
    ("Mon-Fri 09:00-17:00", "2026-11-21T10:00", False),
    ("Sat,Sun", "2026-11-21T00:00", True),
    ("fri-mon Asia/Tokyo", "2026-11-19T15:00", True),  # Friday there
    ("00:00-24:00", "2026-11-21T23:59", True),
    ("02:00-03:00 Europe/Berlin", "2026-03-29T01:30", False),  # the clocks go from two to three
]


@pytest.mark.parametrize(("text", "moment", "holds"), TIMES)
def test_hours_are_those_of_their_zone_and_nights_belong_to_the_day_they_began_on(text: str, moment: str, holds: bool) -> None:
    assert within(parse_times(text), at(moment)) is holds


@pytest.mark.parametrize(
    "text", ["", "Europe/Berlin", "08:00-08:00", "24:00-06:00", "24:30-25:00", "Mon-Xyz", "8-17", "Mon UTC UTC"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_times(text)


@given(st.integers(0, 1439), st.integers(0, 1440), st.integers(0, 10_080))
def test_a_time_and_its_rest_share_the_week_between_them(start: int, end: int, minute: int) -> None:
    if start in (end, end - 1440):
        return
    first, second = f"{start // 60:02}:{start % 60:02}", f"{end // 60:02}:{end % 60:02}"
    moment = at("2026-11-16T00:00") + minute * 60_000_000
    if end == 1440:
        second_start = "00:00"
        rest = [f"{second_start}-{first}"] if start else []
    else:
        rest = [f"{second}-{first}"] if start or end else []
    held = [within(parse_times(text), moment) for text in (f"{first}-{second}", *(one for one in rest if one != "00:00-00:00"))]
    assert sum(held) == 1
