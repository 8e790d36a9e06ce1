"""What the clock on the wall of a zone reads, asked minute by minute: a slow second opinion on windows."""

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE_US = 60_000_000
DAY_US = 86_400 * 10**6
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Halves of hours, clock changes at midnight and at one minute past it, skipped days, changes of standard time.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "Africa/Casablanca",
    "Asia/Gaza",
    "Asia/Tehran",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Antarctica/Troll",
)


def us(text: str) -> int:
    """`2026-03-29 01:00` in UTC, or with an offset."""
    moment = datetime.fromisoformat(text)
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - EPOCH) // timedelta(microseconds=1)


def reading(zone: str, at_us: int) -> datetime:
    return (EPOCH + timedelta(microseconds=at_us)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@cache
def changes(zone: str) -> tuple[int, ...]:
    """The minutes between 1973 and 2040 at which the clock of the zone is set."""
    found = []
    start, end = us("1973-01-01 00:00"), us("2040-01-01 00:00")
    for day in range(start, end, 7 * DAY_US):
        low, high = day, day + 7 * DAY_US
        if _offset(zone, low) != _offset(zone, high):
            while high - low > MINUTE_US:
                middle = low + (high - low) // 2 // MINUTE_US * MINUTE_US
                low, high = (low, middle) if _offset(zone, middle) == _offset(zone, high) else (middle, high)
            found.append(high)
    return tuple(found)


def hour_of(zone: str, at_us: int) -> tuple[int, int]:
    """Begins where the clock reads a full hour or has jumped over one."""
    first = at_us - at_us % MINUTE_US
    minutes = range(first - 150 * MINUTE_US, first + 150 * MINUTE_US, MINUTE_US)
    begins = []
    for minute in minutes:
        before, now = reading(zone, minute - MINUTE_US), reading(zone, minute)
        if now.minute == 0 or now.replace(minute=0) > before.replace(minute=0):
            begins.append(minute)
    return _around(begins, at_us)


def days_of(zone: str, at_us: int, is_first: Callable[[date], bool], reach_days: int) -> tuple[int, int]:
    """The stretch of days that begins with a first one; a day begins when the clock first reads it or a later one."""
    today = reading(zone, at_us).date()
    days = (today + timedelta(days=offset) for offset in range(-reach_days, reach_days + 1))
    return _around([day_begin(zone, day) for day in days if is_first(day)], at_us)


@cache
def day_begin(zone: str, day: date) -> int:
    noon = us(f"{day} 12:00")
    return next(
        minute
        for minute in range(noon - 30 * 60 * MINUTE_US, noon + 40 * 60 * MINUTE_US, MINUTE_US)
        if reading(zone, minute).date() >= day
    )


def any_day(day: date) -> bool:
    return True


def weekday(first: int) -> Callable[[date], bool]:
    return lambda day: day.isoweekday() == first


def day_of_month(first: int) -> Callable[[date], bool]:
    return lambda day: day.day == min(first, monthrange(day.year, day.month)[1])


def day_of_year(month: int, first: int) -> Callable[[date], bool]:
    return lambda day: day.month == month and day_of_month(first)(day)


def _around(begins: list[int], at_us: int) -> tuple[int, int]:
    return max(begin for begin in begins if begin <= at_us), min(begin for begin in begins if begin > at_us)


def _offset(zone: str, at_us: int) -> timedelta:
    return reading(zone, at_us) - (EPOCH + timedelta(microseconds=at_us)).replace(tzinfo=None)
