"""Months of the calendar in UTC, as chargeback counts them. Pure."""

import re
from calendar import month_name, monthrange
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
YEARS = range(2020, 2200)
_TEXT = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


class Month(NamedTuple):
    """Half-open in time: [start_us, end_us)."""

    year: int
    number: int  # 1 to 12

    @property
    def start_us(self) -> int:
        return (datetime(self.year, self.number, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)

    @property
    def end_us(self) -> int:
        return self.after.start_us

    @property
    def days(self) -> int:
        return monthrange(self.year, self.number)[1]

    @property
    def after(self) -> "Month":
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def before(self) -> "Month":
        return Month(self.year, self.number - 1) if self.number > 1 else Month(self.year - 1, 12)

    @property
    def title(self) -> str:
        return f"{month_name[self.number]} {self.year}"

    def __str__(self) -> str:
        return f"{self.year}-{self.number:02d}"


def parse_month(text: str) -> Month:
    """`2026-11`. Raises ValueError."""
    found = _TEXT.fullmatch(text)
    if found is None or int(found[1]) not in YEARS:
        raise ValueError(f'must be a month such as 2026-11, not "{text[:20]}"')
    return Month(int(found[1]), int(found[2]))


def month_of(us: int) -> Month:
    moment = EPOCH + timedelta(microseconds=us)
    return Month(moment.year, moment.month)
