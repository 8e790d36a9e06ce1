"""Schedules: when they are due, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.schedule import next_after, parse_schedule

NOW = datetime(2026, 11, 21, 10, 7, 30, tzinfo=UTC)  # a Saturday
MINUTE_US = 60_000_000


def us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("hourly", "2026-11-21 11:05"),
        ("daily", "2026-11-22 00:15"),
        ("daily 03:30", "2026-11-22 03:30"),
        ("daily 23:59", "2026-11-21 23:59"),
        ("15m", "2026-11-21 10:15"),
        ("6h", "2026-11-21 12:00"),
        ("24h", "2026-11-22 00:00"),
        ("*/10 * * * *", "2026-11-21 10:10"),
        ("8 10 * * *", "2026-11-21 10:08"),
        ("7 10 * * *", "2026-11-22 10:07"),
        ("0 4 * * 1-5", "2026-11-23 04:00"),
        ("0 4 1 * *", "2026-12-01 04:00"),
        ("0 4 1 * 0", "2026-11-22 04:00"),  # either day, as in cron
        ("0 4 * * 7", "2026-11-22 04:00"),
        ("30 2 29 2 *", "2028-02-29 02:30"),
        ("0,30 9-11 * 11,12 *", "2026-11-21 10:30"),
    ],
)
def test_next_after(text: str, due: str) -> None:
    assert next_after(parse_schedule(text), us(NOW)) == us(datetime.fromisoformat(f"{due}+00:00"))


@pytest.mark.parametrize(
    "text",
    ["", "sometimes", "7m", "25h", "0m", "daily 24:00", "60 * * * *", "* * * *", "* * 31 2 *", "*/0 * * * *", "5-1 * * * *"],
)
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|its|never"):
        parse_schedule(text)


@given(text=st.sampled_from(["hourly", "daily", "5m", "*/7 3 * * 2", "0 0 1 1 *"]), at=st.integers(0, 4_000_000_000_000_000))
def test_it_is_due_later_at_a_full_minute_and_stays_due(text: str, at: int) -> None:
    schedule = parse_schedule(text)
    due = next_after(schedule, at)
    assert due > at and due % MINUTE_US == 0
    assert next_after(schedule, due - 1) == due
