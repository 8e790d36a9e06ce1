"""Schedules: when something that is done again and again is due, in UTC. Pure.

Written as `hourly`, `daily`, `daily 03:30`, a length of time that divides a day (`15m`, `6h`), or as the five fields of cron:
minute, hour, day of the month, month, day of the week (0 or 7 is Sunday). A field is `*`, a number, a range, a list of those, or
any of them with a step: `*/15`, `1-5`, `0,30`. As in cron, a day is due when either of its two fields says so, if both say
something.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MINUTES = 1440
HOURLY_MINUTE = 5  # past the hour: calls that ended in its last seconds are in the ledger then
DAILY = "00:15"
DAYS_LOOKED_AT = 366 * 8 + 2  # 29 February comes at least every eight years

_DAILY = re.compile(r"daily(?: ([01][0-9]|2[0-3]):([0-5][0-9]))?")
_EVERY = re.compile(r"([1-9][0-9]{0,3})([mh])")
_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))


class Schedule(NamedTuple):
    """The minutes at which it is due: all of them must hold, of the two days one, if both are restricted."""

    minutes: frozenset[int]  # of the day
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    any_day: bool  # the day of the month says nothing
    any_weekday: bool

    def on(self, day: datetime) -> bool:
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        either = by_day or by_weekday if not (self.any_day or self.any_weekday) else by_day and by_weekday
        return day.month in self.months and either


@lru_cache(maxsize=256)
def parse_schedule(text: str) -> Schedule:
    """Raises ValueError, in words that follow the name of a key."""
    if text == "hourly":
        return _schedule(str(HOURLY_MINUTE), "*", "*", "*", "*")
    if found := _DAILY.fullmatch(text):
        hour, minute = (found[1], found[2]) if found[1] else DAILY.split(":")
        return _schedule(minute, hour, "*", "*", "*")
    if found := _EVERY.fullmatch(text):
        minutes = int(found[1]) * (60 if found[2] == "h" else 1)
        if minutes > DAY_MINUTES or DAY_MINUTES % minutes:
            raise ValueError(f"must divide a day evenly, such as 15m or 6h, not {text}")
        every = frozenset(range(0, DAY_MINUTES, minutes))
        return _schedule("0", "0", "*", "*", "*")._replace(minutes=every)
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError('must be hourly, daily, "daily 03:30", 15m, 6h, or the five fields of cron')
    return _schedule(*fields)


def check_schedule(text: str) -> None:
    """As `parse_schedule`; empty is never."""
    if text:
        parse_schedule(text)


def next_after(schedule: Schedule, us: int) -> int:
    """The first moment after `us` (UTC microseconds) at which it is due. Raises ValueError if there is none (30 February)."""
    moment = EPOCH + timedelta(microseconds=us)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    after = moment.hour * 60 + moment.minute
    for _ in range(DAYS_LOOKED_AT):
        if schedule.on(day):
            due = min((minute for minute in schedule.minutes if minute > after), default=-1)
            if due >= 0:
                return (day + timedelta(minutes=due) - EPOCH) // timedelta(microseconds=1)
        day, after = day + timedelta(days=1), -1
    raise ValueError("is never due")


def _schedule(minute: str, hour: str, day: str, month: str, weekday: str) -> Schedule:
    texts = (minute, hour, day, month, weekday)
    minutes, hours, days, months, weekdays = (_field(text, *field) for text, field in zip(texts, _FIELDS, strict=True))
    at = frozenset(60 * hour + minute for hour in hours for minute in minutes)
    made = Schedule(at, days, months, frozenset(one % 7 for one in weekdays), day == "*", weekday == "*")
    next_after(made, 0)
    return made


def _field(text: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f'its {name} is "{part[:20]}": neither *, nor a number, a range or a step')
        first = int(match[1]) if match[1] else low
        last = int(match[2]) if match[2] else first if match[1] and not match[3] else high
        step = int(match[3]) if match[3] else 1
        if not low <= first <= last <= high or step == 0:
            raise ValueError(f'its {name} is "{part}": must be within {low} to {high}')
        found.update(range(first, last + 1, step))
    return frozenset(found)
