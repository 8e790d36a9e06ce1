"""Numbers and times that a routing rule waits for, as the configuration writes them: `">= 200k"`, `"Mon-Fri 22:00-06:00
Europe/Berlin"`. Pure; the configuration checks by the same functions that rules are compiled with.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from gw.domain.window import zone_of

NUMBER_MAX = 10**12
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 1440
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")  # rising
KINDS = ("main", "subagent", "background")

_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_NUMBER = r"([0-9]{1,13}(?:\.[0-9]{1,6})?)\s*([km]?)"
_COMPARED = re.compile(rf"(<=|>=|<|>|=)?\s*{_NUMBER}", re.IGNORECASE)
_BETWEEN = re.compile(rf"{_NUMBER}\s*\.\.\s*{_NUMBER}", re.IGNORECASE)
_CLOCK = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")
_DAYS = re.compile(r"[A-Za-z]{3,9}(?:[-,][A-Za-z]{3,9})*")


class Range(NamedTuple):
    """Both ends belong to it."""

    low: int
    high: int


class Times(NamedTuple):
    """Minutes of the day, `start` to before `end`; past midnight if end <= start, and then the day is the one it began on."""

    days: frozenset[int]  # 0 is Monday
    start: int
    end: int
    zone: str


@lru_cache(maxsize=256)
def parse_range(text: str) -> Range:
    """`< 8000`, `>= 200k`, `100k..200k`, `5`. Raises ValueError, in words that follow the name of a key."""
    if found := _BETWEEN.fullmatch(text.strip()):
        made = Range(_number(found[1], found[2]), _number(found[3], found[4]))
        if made.low > made.high:
            raise ValueError(f'"{text}" is empty: write the smaller number first')
        return made
    found = _COMPARED.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'must be a comparison such as ">= 200k", "< 8000" or "100k..200k", not "{text[:40]}"')
    number = _number(found[2], found[3])
    sign = found[1] or "="
    if sign == "=":
        return Range(number, number)
    if sign == "<" and number == 0:
        raise ValueError(f'"{text}" holds for no number')
    return {
        "<": Range(0, number - 1),
        "<=": Range(0, number),
        ">": Range(number + 1, NUMBER_MAX),
        ">=": Range(number, NUMBER_MAX),
    }[sign]


def _number(digits: str, unit: str) -> int:
    """Exact, without floats. Raises ValueError."""
    whole, _, part = digits.partition(".")
    scaled = int(whole + part) * _UNITS[unit.lower()]
    number: int
    number, rest = divmod(scaled, 10 ** len(part))
    if rest:
        raise ValueError(f'"{digits}{unit}" is no whole number')
    if number > NUMBER_MAX:
        raise ValueError(f'"{digits}{unit}" is larger than {NUMBER_MAX}')
    return number


@lru_cache(maxsize=256)
def parse_times(text: str) -> Times:
    """`22:00-06:00 Europe/Berlin`, `Mon-Fri 08:00-18:00`, `Sat,Sun Asia/Tokyo`; the zone is UTC where none is named. Raises
    ValueError, in words that follow the name of a key."""
    days, start, end, zone, said = frozenset(range(7)), 0, DAY_MINUTES, "", False
    for word in text.split():
        if found := _CLOCK.fullmatch(word):
            start, end = (int(hour) * 60 + int(minute) for hour, minute in ((found[1], found[2]), (found[3], found[4])))
            if max(start, end) > DAY_MINUTES or start in (end, DAY_MINUTES):
                raise ValueError(f'"{word}" is no time of a day')
            said = True
        elif _DAYS.fullmatch(word) and word[:3].lower() in DAYS:
            days, said = _days(word), True
        elif zone:
            raise ValueError(f'must be days, hours and a zone, such as "Mon-Fri 22:00-06:00 Europe/Berlin", not "{text[:60]}"')
        else:
            zone_of(word)
            zone = word
    if not said:
        raise ValueError(f'must name days or hours, such as "Mon-Fri 22:00-06:00 Europe/Berlin", not "{text[:60]}"')
    return Times(days, start, end, zone or "UTC")


def _days(word: str) -> frozenset[int]:
    found: set[int] = set()
    for part in word.lower().split(","):
        first, _, last = part.partition("-")
        ends = [DAYS.index(name[:3]) if name[:3] in DAYS else -1 for name in (first, last or first)]
        if -1 in ends:
            raise ValueError(f'"{part}" names no days: write Mon, Tue, Wed, Thu, Fri, Sat, Sun')
        low, high = ends
        found.update(range(low, high + 1) if low <= high else (*range(low, 7), *range(high + 1)))
    return frozenset(found)


def within(times: Times, at_us: int) -> bool:
    """On the clocks of its zone: an hour that they skip never comes, one that they repeat comes twice."""
    local = (EPOCH + timedelta(microseconds=at_us)).astimezone(zone_of(times.zone))
    minute, day = local.hour * 60 + local.minute, local.weekday()
    if times.start < times.end:
        return day in times.days and times.start <= minute < times.end
    return (minute >= times.start and day in times.days) or (minute < times.end and (day - 1) % 7 in times.days)
