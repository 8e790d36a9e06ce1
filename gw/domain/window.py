"""When spending starts anew: windows, half-open [start, end), that tile time without gap or overlap. Pure.

Three kinds, told apart by which of the step's fields is set:
    exact     `5m` `2h` `1d` `1w`       so many microseconds, counted from the anchor; no clock change moves them
    calendar  `day` `week` `month` `year`, `3M` `1Y`   begin when the clock of the time zone first reads the boundary
    hour      `hour`                    begins whenever that clock reads, or jumps over, a full hour
`lifetime` never ends. Instants are UTC microseconds since 1970; readings of a local clock are naive datetimes.

A day at a clock change so has 23 or 25 hours; a boundary that the clock skips is the instant of the change; one that it
reads twice is the first of the two. An hour that is repeated is two windows.
"""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from msgspec import Struct

ANCHOR = datetime(2001, 1, 1)  # begins a century, a year, a month and, a Monday, a week
YEARS_MAX = 10  # longer is a lifetime, or a slip of the pen
NAMED = ("hour", "day", "week", "month", "year", "lifetime")
UNITS = {"m": "minute", "h": "hour", "d": "day", "w": "week", "M": "month", "Y": "year"}

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1)
_HOUR_US = 3_600_000_000
_LENGTH_US = {"m": 60_000_000, "h": _HOUR_US, "d": 24 * _HOUR_US, "w": 168 * _HOUR_US}
_MONTHS = {"M": 1, "Y": 12}
_LENGTH_US_MAX = YEARS_MAX * 366 * 24 * _HOUR_US
_FIXED = re.compile(r"([1-9][0-9]{0,6})([mhdwMY])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])")
_ADVERBS = {"hour": "hourly", "day": "daily", "week": "weekly", "month": "monthly", "year": "yearly", "lifetime": "lifetime"}
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NOT_THE_SAME_EVERYWHERE = ("localtime", "posixrules", "Factory")


class Window(Struct, frozen=True):
    """Made by `parse_window`. The step is exact (`length_us`), of `months` or of `days`; without one, `hour` or `lifetime`."""

    text: str  # as written: "month", "5h"
    time_zone: str = "UTC"
    anchor: datetime = ANCHOR  # reading of the local clock at one of the boundaries
    length_us: int = 0
    months: int = 0
    days: int = 0

    @property
    def identity(self) -> tuple[str, str, str]:
        """Equal for windows with equal bounds, as far as their words tell; the same in every process."""
        return self.text, self.time_zone, self.anchor.isoformat()


LIFETIME = Window("lifetime")


def parse_window(text: str, time_zone: str = "UTC", anchor: str = "") -> Window:
    """`anchor`: for `week` its first day, 1 (Monday) to 7; for `month` 1 to 31, and a shorter month's last day; for `year`
    MM-DD; for a number with a unit a date or date-time on the clock of `time_zone`. Raises ValueError."""
    zone_of(time_zone)
    fixed = _FIXED.fullmatch(text)
    if fixed is None and text not in NAMED:
        raise ValueError(_unknown_window(text))
    if fixed is None:
        begin = _named_anchor(text, anchor.strip()) if anchor.strip() else ANCHOR
        if text == "week":
            return Window(text, time_zone, begin, days=7)
        return Window(text, time_zone, begin, days=int(text == "day"), months={"month": 1, "year": 12}.get(text, 0))
    count, unit = int(fixed[1]), fixed[2]
    begin = _moment(anchor.strip()) if anchor.strip() else ANCHOR
    length_us, months = count * _LENGTH_US.get(unit, 0), count * _MONTHS.get(unit, 0)
    if length_us > _LENGTH_US_MAX or months > YEARS_MAX * 12:
        raise ValueError(f'"{text}" is longer than {YEARS_MAX} years; for good is "lifetime"')
    return Window(text, time_zone, begin, length_us=length_us, months=months)


def bounds(window: Window, at_us: int) -> tuple[int, int]:
    """The window that holds this instant: start <= at_us < end. (0, 0) for a lifetime: it never ends."""
    if window.text == "lifetime":
        return 0, 0
    zone = zone_of(window.time_zone)
    if window.length_us:
        start = at_us - (at_us - _first_instant(window.anchor, zone)) % window.length_us
        return start, start + window.length_us
    if window.text == "hour":
        return _hour_start(zone, at_us), _hour_end(zone, at_us)
    reading = _reading_at(zone, at_us)
    if window.days:
        index = (reading - window.anchor) // timedelta(days=window.days)
    else:
        index = ((reading.year - window.anchor.year) * 12 + reading.month - window.anchor.month) // window.months
    start = _boundary(window, zone, index)
    while start > at_us:  # the anchor's day of the month is yet to come, or the clock has been turned back over a boundary
        index -= 1
        start = _boundary(window, zone, index)
    while (end := _boundary(window, zone, index + 1)) <= at_us:
        index, start = index + 1, end
    return start, end


def describe(window: Window) -> str:
    """One or two words for people: "monthly", "every 5 hours", "lifetime"."""
    fixed = _FIXED.fullmatch(window.text)
    if fixed is None:
        return _ADVERBS[window.text]
    count, unit = int(fixed[1]), UNITS[fixed[2]]
    return _ADVERBS.get(unit, f"every {unit}") if count == 1 else f"every {count} {unit}s"


def next_reset_text(end_us: int, time_zone: str = "UTC") -> str:
    """When a window ends, for people: "Nov 22 00:00 CET"; "never" for 0."""
    if not end_us:
        return "never"
    local = _aware(end_us).astimezone(zone_of(time_zone))
    name = local.tzname() or ""
    if name[:1] in ("+", "-"):  # a zone that has no letters
        offset = f"{local:%z}"
        name = f"UTC{offset[:3]}:{offset[3:5]}"
    return f"{_MONTH_NAMES[local.month - 1]} {local.day} {local:%H:%M} {name}"


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """The IANA time zone of this name. Raises ValueError with the nearest name."""
    if name == "UTC":
        return UTC  # known without any time zone database
    try:
        if name in _NOT_THE_SAME_EVERYWHERE or name.startswith(("right/", "posix/")):
            raise ValueError(f"{name} is none of the common names")
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:
        known = available_timezones()
        if not known:
            raise ValueError(f'"{name}" cannot be looked up: this machine has no time zone database (tzdata)') from error
        near = get_close_matches(name, known, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else '; write one such as "Europe/Berlin"'
        raise ValueError(f'there is no time zone "{name}"{hint}') from error


# --- calendar -----------------------------------------------------------------------------------------------------------


def _boundary(window: Window, zone: tzinfo, index: int) -> int:
    """The boundary that is `index` steps from the anchor."""
    anchor = window.anchor
    if window.days:
        return _first_instant(anchor + timedelta(days=index * window.days), zone)
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + index * window.months, 12)
    day = min(anchor.day, monthrange(year, month + 1)[1])
    return _first_instant(anchor.replace(year=year, month=month + 1, day=day), zone)


def _first_instant(reading: datetime, zone: tzinfo) -> int:
    """When the clock first reads this, or jumps over it."""
    before, after = (reading.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    assert before is not None and after is not None
    if before >= after:  # read once; or twice, and `before` is the earlier
        return (reading - before - _EPOCH) // _MICROSECOND
    return _change(zone, (reading - after - _EPOCH) // _MICROSECOND, (reading - before - _EPOCH) // _MICROSECOND)


def _change(zone: tzinfo, low_us: int, high_us: int) -> int:
    """The instant in (low, high] from which the clock has the offset it has at high; there is one change between them."""
    offset = _offset_us(zone, high_us)
    while high_us - low_us > 1:
        middle = (low_us + high_us) // 2
        if _offset_us(zone, middle) == offset:
            high_us = middle
        else:
            low_us = middle
    return high_us


def _hour_start(zone: tzinfo, at_us: int) -> int:
    offset = _offset_us(zone, at_us)
    start = at_us - (at_us + offset) % _HOUR_US
    before = _offset_us(zone, start)
    if before == offset:
        return start
    change = _change(zone, start, at_us)
    if _begins_hour(change, before, offset):
        return change
    return _hour_start(zone, change - 1)


def _hour_end(zone: tzinfo, at_us: int) -> int:
    offset = _offset_us(zone, at_us)
    end = at_us - (at_us + offset) % _HOUR_US + _HOUR_US
    after = _offset_us(zone, end)
    if after == offset:
        return end
    change = _change(zone, at_us, end)
    if _begins_hour(change, offset, after):
        return change
    return _hour_end(zone, change)


def _begins_hour(change_us: int, before_us: int, after_us: int) -> bool:
    """The clock, changed, reads a full hour or has jumped over one. Turned back by half an hour it may do neither."""
    reads_full = (change_us + after_us) % _HOUR_US == 0
    return reads_full or (change_us + after_us) // _HOUR_US > (change_us - 1 + before_us) // _HOUR_US


def _offset_us(zone: tzinfo, at_us: int) -> int:
    offset = _aware(at_us).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // _MICROSECOND


def _reading_at(zone: tzinfo, at_us: int) -> datetime:
    return _aware(at_us).astimezone(zone).replace(tzinfo=None)


def _aware(at_us: int) -> datetime:
    return (_EPOCH + timedelta(microseconds=at_us)).replace(tzinfo=UTC)


# --- words --------------------------------------------------------------------------------------------------------------


def _named_anchor(name: str, anchor: str) -> datetime:
    """Raises ValueError."""
    if name == "week":
        if not re.fullmatch(r"[1-7]", anchor):
            raise ValueError(f'of a week must be its first day, 1 (Monday) to 7 (Sunday), not "{anchor}"')
        return ANCHOR + timedelta(days=int(anchor) - 1)
    if name == "month":
        if not re.fullmatch(r"[1-9]|[12][0-9]|3[01]", anchor):
            raise ValueError(f'of a month must be its first day, 1 to 31, not "{anchor}"')
        return ANCHOR.replace(day=int(anchor))
    if name == "year":
        try:
            return datetime.strptime(f"2000-{anchor}", "%Y-%m-%d")  # a leap year: 02-29 will do
        except ValueError as error:
            raise ValueError(f'of a year must be its first day as MM-DD, such as "04-01", not "{anchor}"') from error
    raise ValueError(f'has no meaning for "{name}"; leave it empty')


def _moment(anchor: str) -> datetime:
    """Raises ValueError."""
    try:
        if not _DATE.match(anchor):
            raise ValueError("ISO 8601 has forms that nobody reads")
        moment = datetime.fromisoformat(anchor)
    except ValueError as error:
        raise ValueError(f'must be a date such as "2027-01-31", or a date and time, not "{anchor}"') from error
    if moment.tzinfo is not None:
        raise ValueError("must have no offset: it is read on the clock of time_zone")
    if not 1970 <= moment.year <= 2199:
        raise ValueError(f'must lie between 1970 and 2199, not "{anchor}"')
    return moment


def _unknown_window(text: str) -> str:
    if re.fullmatch(r"0+[mhdwMY]", text):
        return f'"{text}" has no length'
    near = [name for name, adverb in _ADVERBS.items() if adverb == text.lower()] or get_close_matches(text.lower(), NAMED, n=1)
    if near:
        return f'"{text}" is no window; did you mean "{near[0]}"?'
    return f'"{text}" is no window: write {", ".join(NAMED)}, or a number with m, h, d, w, M or Y such as "5h"'
