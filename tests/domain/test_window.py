"""Windows tile time, hold the instant, and begin where the clock of their zone says."""

from zoneinfo import available_timezones

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw.domain.window import (
    LIFETIME,
    NAMED,
    Window,
    bounds,
    describe,
    next_reset_text,
    parse_window,
    zone_of,
)
from tests.domain.calendars import (
    MINUTE_US,
    ZONES,
    any_day,
    changes,
    day_of_month,
    day_of_year,
    days_of,
    hour_of,
    reading,
    us,
    weekday,
)

HOUR_US = 60 * MINUTE_US
EARLIEST, LATEST = us("1973-02-01 00:00"), us("2039-12-01 00:00")


def span(text: str, zone: str, at: str, anchor: str = "") -> tuple[str, str, float]:
    """Start and end as the clock of the zone reads them, and the hours between."""
    start, end = bounds(parse_window(text, zone, anchor), us(at))
    assert start <= us(at) < end
    return f"{reading(zone, start):%m-%d %H:%M}", f"{reading(zone, end):%m-%d %H:%M}", (end - start) / HOUR_US


@st.composite
def instants(draw: st.DrawFn, zone: str) -> int:
    """Any, and as many within two days of a change of the clock."""
    if changes(zone) and draw(st.booleans()):
        change = draw(st.sampled_from(changes(zone)))
        near = draw(st.sampled_from([0, -1, 1, -HOUR_US, HOUR_US, HOUR_US // 2, -HOUR_US // 2]))
        return change + near + draw(st.sampled_from([0, draw(st.integers(-48 * HOUR_US, 48 * HOUR_US))]))
    return draw(st.integers(EARLIEST, LATEST))


ANCHORED = st.one_of(
    st.tuples(st.just("hour"), st.just("")),
    st.tuples(st.just("day"), st.just("")),
    st.tuples(st.just("week"), st.integers(1, 7).map(str)),
    st.tuples(st.just("month"), st.integers(1, 31).map(str)),
    st.tuples(st.just("year"), st.dates().map(lambda day: f"{day:%m-%d}")),
    st.tuples(
        st.builds(lambda count, unit: f"{count}{unit}", st.integers(1, 10), st.sampled_from("mhdwMY")),
        st.datetimes(min_value=reading("UTC", 0), max_value=reading("UTC", LATEST)).map(
            lambda at: at.isoformat(timespec="seconds")
        ),
    ),
)


# --- properties -----------------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(ZONES), ANCHORED)
def test_windows_tile_time_without_gap_or_overlap_and_hold_the_instant(data, zone, words):
    window = parse_window(words[0], zone, words[1])
    at = data.draw(instants(zone))
    start, end = bounds(window, at)
    assert start <= at < end
    assert bounds(window, start) == bounds(window, end - 1) == (start, end)
    assert bounds(window, end)[0] == end
    assert bounds(window, start - 1)[1] == start


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(ZONES))
def test_hours_are_those_of_the_clock_on_the_wall(data, zone):
    at = data.draw(instants(zone))
    assert bounds(parse_window("hour", zone), at) == hour_of(zone, at)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(ZONES))
def test_days_and_weeks_are_those_of_the_clock_on_the_wall(data, zone):
    at = data.draw(instants(zone))
    first = data.draw(st.integers(1, 7))
    assert bounds(parse_window("day", zone), at) == days_of(zone, at, any_day, 3)
    assert bounds(parse_window("week", zone, str(first)), at) == days_of(zone, at, weekday(first), 9)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(ZONES), st.dates())
def test_months_and_years_are_those_of_the_calendar_on_the_wall(data, zone, first):
    at = data.draw(instants(zone))
    month, year = parse_window("month", zone, str(first.day)), parse_window("year", zone, f"{first:%m-%d}")
    assert bounds(month, at) == days_of(zone, at, day_of_month(first.day), 33)
    assert bounds(year, at) == days_of(zone, at, day_of_year(first.month, first.day), 368)
    every = parse_window("1M", zone, f"2016-01-{first.day:02d}"), parse_window("1Y", zone, f"2016-{first:%m-%d}")
    assert bounds(every[0], at) == bounds(month, at)
    if (first.month, first.day) != (2, 29):  # 2016 has one, and so does every anchor of a year
        assert bounds(every[1], at) == bounds(year, at)


@given(st.integers(1, 500), st.sampled_from("mhdw"), st.integers(EARLIEST, LATEST), st.sampled_from(ZONES))
def test_lengths_of_time_have_their_length_and_count_from_the_anchor(count, unit, at, zone):
    window = parse_window(f"{count}{unit}", zone, "2020-03-29T02:30")
    length = count * {"m": 1, "h": 60, "d": 1440, "w": 10080}[unit] * MINUTE_US
    start, end = bounds(window, at)
    assert end - start == length
    begun = bounds(window, us("2020-03-29 12:00"))[0]
    assert (start - begun) % length == 0


# --- the clock is set -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        ("Europe/Berlin", "2026-03-29 12:00", ("03-29 00:00", "03-30 00:00", 23)),
        ("Europe/Berlin", "2026-10-25 12:00", ("10-25 00:00", "10-26 00:00", 25)),
        ("Europe/Berlin", "2026-10-24 22:00", ("10-25 00:00", "10-26 00:00", 25)),
        ("Europe/Berlin", "2026-10-24 21:59", ("10-24 00:00", "10-25 00:00", 24)),
        ("America/New_York", "2026-03-08 12:00", ("03-08 00:00", "03-09 00:00", 23)),
        ("America/New_York", "2026-11-01 12:00", ("11-01 00:00", "11-02 00:00", 25)),
        ("Australia/Lord_Howe", "2026-10-03 20:00", ("10-04 00:00", "10-05 00:00", 23.5)),
        ("Australia/Lord_Howe", "2026-04-04 20:00", ("04-05 00:00", "04-06 00:00", 24.5)),
        ("Asia/Kathmandu", "2026-03-29 18:14", ("03-29 00:00", "03-30 00:00", 24)),
        ("Asia/Kathmandu", "2026-03-29 18:15", ("03-30 00:00", "03-31 00:00", 24)),
        ("America/Sao_Paulo", "2018-11-04 12:00", ("11-04 01:00", "11-05 00:00", 23)),  # midnight is skipped
        ("America/Havana", "2026-11-01 12:00", ("11-01 00:00", "11-02 00:00", 25)),  # and read twice
        ("America/St_Johns", "2006-10-29 02:45", ("10-29 00:00", "10-30 00:00", 25)),  # back over midnight, at 00:01
        ("Pacific/Apia", "2011-12-30 12:00", ("12-31 00:00", "01-01 00:00", 24)),  # there was no 30th
    ],
)
def test_day_at_a_change_of_the_clock(zone, at, expected):
    assert span("day", zone, at) == expected


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        ("Europe/Berlin", "2026-03-29 00:30", ("03-29 01:00", "03-29 03:00", 1)),
        ("Europe/Berlin", "2026-10-25 00:30", ("10-25 02:00", "10-25 02:00", 1)),  # an hour that is repeated is two
        ("Europe/Berlin", "2026-10-25 01:30", ("10-25 02:00", "10-25 03:00", 1)),
        ("America/New_York", "2026-11-01 05:59", ("11-01 01:00", "11-01 01:00", 1)),
        ("America/New_York", "2026-11-01 06:00", ("11-01 01:00", "11-01 02:00", 1)),
        ("Australia/Lord_Howe", "2026-10-03 15:45", ("10-04 02:30", "10-04 03:00", 0.5)),  # 02:00 to 02:30 is skipped
        ("Australia/Lord_Howe", "2026-10-03 15:29", ("10-04 01:00", "10-04 02:30", 1)),
        ("Australia/Lord_Howe", "2026-04-04 15:10", ("04-05 01:00", "04-05 02:00", 1.5)),  # 01:30 to 02:00 comes again
        ("Asia/Kathmandu", "2026-03-29 18:14", ("03-29 23:00", "03-30 00:00", 1)),
    ],
)
def test_hour_at_a_change_of_the_clock(zone, at, expected):
    assert span("hour", zone, at) == expected


def test_month_and_week_over_a_change_of_the_clock():
    assert span("month", "Europe/Berlin", "2026-03-15") == ("03-01 00:00", "04-01 00:00", 31 * 24 - 1)
    assert span("week", "America/New_York", "2026-11-01") == ("10-26 00:00", "11-02 00:00", 7 * 24 + 1)
    assert span("1w", "America/New_York", "2026-11-01 12:00") == ("10-26 01:00", "11-02 00:00", 7 * 24)


# --- month ends and leap days ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("anchor", "at", "expected"),
    [
        ("31", "2026-02-14", ("01-31 00:00", "02-28 00:00", 28 * 24)),
        ("31", "2026-02-28", ("02-28 00:00", "03-31 00:00", 31 * 24)),
        ("31", "2028-02-29", ("02-29 00:00", "03-31 00:00", 31 * 24)),
        ("30", "2028-02-28", ("01-30 00:00", "02-29 00:00", 30 * 24)),
        ("29", "2027-02-28", ("02-28 00:00", "03-29 00:00", 29 * 24)),
        ("31", "2026-04-30", ("04-30 00:00", "05-31 00:00", 31 * 24)),
        ("15", "2026-01-01", ("12-15 00:00", "01-15 00:00", 31 * 24)),
        ("1", "2026-12-31 23:59", ("12-01 00:00", "01-01 00:00", 31 * 24)),
        ("", "2026-12-31 23:59", ("12-01 00:00", "01-01 00:00", 31 * 24)),
    ],
)
def test_month_begins_on_its_anchor_or_its_last_day(anchor, at, expected):
    assert span("month", "UTC", at, anchor) == expected


@pytest.mark.parametrize(
    ("anchor", "at", "expected"),
    [
        ("02-29", "2027-02-28", ("02-28 00:00", "02-29 00:00", 366 * 24)),
        ("02-29", "2028-02-28", ("02-28 00:00", "02-29 00:00", 366 * 24)),
        ("02-29", "2028-02-29", ("02-29 00:00", "02-28 00:00", 365 * 24)),
        ("04-01", "2026-03-31", ("04-01 00:00", "04-01 00:00", 365 * 24)),
        ("", "2028-06-01", ("01-01 00:00", "01-01 00:00", 366 * 24)),
    ],
)
def test_year_begins_on_its_anchor_and_the_leap_day_is_clamped(anchor, at, expected):
    assert span("year", "UTC", at, anchor) == expected


def test_numbers_of_months_and_years_step_from_the_anchor():
    assert span("3M", "UTC", "2026-05-29", "2025-11-30") == ("02-28 00:00", "05-30 00:00", 91 * 24)
    assert span("3M", "UTC", "2020-01-01", "2025-11-30") == ("11-30 00:00", "02-29 00:00", 91 * 24)  # before the anchor
    assert span("2Y", "UTC", "2026-01-01", "2024-02-29") == ("02-29 00:00", "02-28 00:00", 730 * 24)
    assert span("1M", "Europe/Berlin", "2026-03-29 12:00", "2026-01-29T02:30") == ("03-29 03:00", "04-29 02:30", 743.5)


def test_numbers_without_an_anchor_begin_on_a_first_day():
    assert span("1w", "UTC", "2026-10-21") == ("10-19 00:00", "10-26 00:00", 168)  # a Monday
    assert span("1M", "UTC", "2026-10-21") == ("10-01 00:00", "11-01 00:00", 744)
    assert span("3M", "UTC", "2026-10-21") == ("10-01 00:00", "01-01 00:00", 92 * 24)
    assert span("1d", "UTC", "2026-10-21 12:00") == ("10-21 00:00", "10-22 00:00", 24)
    assert span("15m", "UTC", "2026-10-21 12:44") == ("10-21 12:30", "10-21 12:45", 0.25)
    assert span("5h", "UTC", "2026-10-21 12:00", "2026-10-21T07:10") == ("10-21 07:10", "10-21 12:10", 5)


def test_lifetime_never_ends():
    assert bounds(LIFETIME, 0) == bounds(parse_window("lifetime", "Europe/Berlin"), us("2026-01-01")) == (0, 0)


# --- words ------------------------------------------------------------------------------------------------------------------

NO_WINDOW = ': write hour, day, week, month, year, lifetime, or a number with m, h, d, w, M or Y such as "5h"'


@pytest.mark.parametrize(
    ("text", "zone", "anchor", "message"),
    [
        ("monthly", "UTC", "", '"monthly" is no window; did you mean "month"?'),
        ("Daily", "UTC", "", '"Daily" is no window; did you mean "day"?'),
        ("moth", "UTC", "", '"moth" is no window; did you mean "month"?'),
        ("", "UTC", "", f'"" is no window{NO_WINDOW}'),
        ("30s", "UTC", "", f'"30s" is no window{NO_WINDOW}'),
        ("1.5h", "UTC", "", f'"1.5h" is no window{NO_WINDOW}'),
        ("٣h", "UTC", "", f'"٣h" is no window{NO_WINDOW}'),
        ("5h\n", "UTC", "", f'"5h\n" is no window{NO_WINDOW}'),
        ("0m", "UTC", "", '"0m" has no length'),
        ("11Y", "UTC", "", '"11Y" is longer than 10 years; for good is "lifetime"'),
        ("9999999w", "UTC", "", '"9999999w" is longer than 10 years; for good is "lifetime"'),
        ("day", "Europe/Berln", "", 'there is no time zone "Europe/Berln"; did you mean "Europe/Berlin"?'),
        ("day", "", "", 'there is no time zone ""; write one such as "Europe/Berlin"'),
        ("day", "/etc/passwd", "", 'there is no time zone "/etc/passwd"; write one such as "Europe/Berlin"'),
        ("day", "Europe", "", 'there is no time zone "Europe"'),
        ("day", "localtime", "", 'there is no time zone "localtime"'),
        ("day", "right/Europe/Berlin", "", 'there is no time zone "right/Europe/Berlin"; did you mean "Europe/Berlin"?'),
        ("day", "UTC", "1", 'has no meaning for "day"; leave it empty'),
        ("hour", "UTC", "00:30", 'has no meaning for "hour"; leave it empty'),
        ("lifetime", "UTC", "2026-01-01", 'has no meaning for "lifetime"; leave it empty'),
        ("week", "UTC", "0", 'of a week must be its first day, 1 (Monday) to 7 (Sunday), not "0"'),
        ("week", "UTC", "Mon", 'of a week must be its first day, 1 (Monday) to 7 (Sunday), not "Mon"'),
        ("month", "UTC", "32", 'of a month must be its first day, 1 to 31, not "32"'),
        ("month", "UTC", "-1", 'of a month must be its first day, 1 to 31, not "-1"'),
        ("year", "UTC", "02-30", 'of a year must be its first day as MM-DD, such as "04-01", not "02-30"'),
        ("year", "UTC", "4", 'of a year must be its first day as MM-DD, such as "04-01", not "4"'),
        ("5h", "UTC", "noon", 'must be a date such as "2027-01-31", or a date and time, not "noon"'),
        ("5h", "UTC", "20270131", 'must be a date such as "2027-01-31", or a date and time, not "20270131"'),
        ("5h", "UTC", "2027-01-31T00:00Z", "must have no offset: it is read on the clock of time_zone"),
        ("5h", "UTC", "1927-01-31", 'must lie between 1970 and 2199, not "1927-01-31"'),
    ],
)
def test_what_is_no_window_is_refused_with_what_would_be_one(text, zone, anchor, message):
    with pytest.raises(ValueError) as caught:
        parse_window(text, zone, anchor)
    assert str(caught.value).startswith(message)


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_any_text_is_taken_or_refused(text, zone, anchor):
    for words in ((text, "UTC", anchor), ("5h", zone, anchor), ("week", "UTC", anchor), ("year", "UTC", anchor)):
        try:
            assert isinstance(parse_window(*words), Window)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *zip(NAMED, ("hourly", "daily", "weekly", "monthly", "yearly", "lifetime"), strict=True),
        ("1d", "daily"),
        ("1M", "monthly"),
        ("1Y", "yearly"),
        ("1m", "every minute"),
        ("90m", "every 90 minutes"),
        ("5h", "every 5 hours"),
        ("3M", "every 3 months"),
    ],
)
def test_window_in_words(text, words):
    assert describe(parse_window(text)) == words


@pytest.mark.parametrize(
    ("at", "zone", "text"),
    [
        ("2026-11-22 00:00", "UTC", "Nov 22 00:00 UTC"),
        ("2026-11-21 23:00", "Europe/Berlin", "Nov 22 00:00 CET"),
        ("2026-06-30 22:00", "Europe/Berlin", "Jul 1 00:00 CEST"),
        ("2026-11-22 05:00", "America/New_York", "Nov 22 00:00 EST"),
        ("2026-11-21 18:15", "Asia/Kathmandu", "Nov 22 00:00 UTC+05:45"),
        ("2026-11-22 03:00", "America/Sao_Paulo", "Nov 22 00:00 UTC-03:00"),
    ],
)
def test_reset_is_told_on_the_clock_of_the_account(at, zone, text):
    assert next_reset_text(us(at), zone) == text


def test_what_never_ends_is_never_reset():
    assert next_reset_text(0, "Europe/Berlin") == "never"


def test_utc_needs_no_time_zone_database(monkeypatch):
    monkeypatch.setattr("gw.domain.window.ZoneInfo", None)
    monkeypatch.setattr("gw.domain.window.available_timezones", set)
    zone_of.cache_clear()
    try:
        assert bounds(parse_window("day"), us("2026-01-01 12:00")) == (us("2026-01-01"), us("2026-01-02"))
        monkeypatch.setattr("gw.domain.window.ZoneInfo", {}.__getitem__)
        with pytest.raises(ValueError, match=r"no time zone database \(tzdata\)"):
            zone_of("Europe/Berlin")
    finally:
        zone_of.cache_clear()


def test_every_zone_of_the_machine_is_known():
    for name in available_timezones() - {"localtime", "posixrules", "Factory"}:
        assert zone_of(name).utcoffset(reading("UTC", 0)) is not None


def test_window_survives_being_stored():
    window = parse_window("3M", "Europe/Berlin", "2025-11-30T08:00")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(window), type=Window) == window
    assert window.identity != parse_window("3M", "Europe/Berlin", "2025-11-30").identity
