"""What the first page of a dashboard shows, in one look at the rollups: what was spent today, this week and this month, how the
last weeks went by whom and what, what has grown or shrunk most, and where the month is going.

All of it ends with the hour that is running, so that nothing but rollups is read. A period is compared with the one before up to
the same hour.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gw.ledger.rollup_shape import DAY_US, HOUR_US
from gw.ledger.store import Connection, Database, Dialect
from gw.ledger.usage import ALL, Group, Scope, conditions_of
from gw.ledger.usage_measures import MEASURES, columns_of
from gw.ledger.usage_sql import GROUPS, Condition, Question, Stretch, sums
from gw.ledger.usage_time import Bucket, bounds_of, end_of, start_of, stretches_of, whole_hours

BY = ("team", "model", "key", "project", "kind")
TOP = 5
WEEKS = 4  # whose days tell what the rest of the month will be like
PERIODS: tuple[Bucket, ...] = ("day", "week", "month")
COLUMNS = columns_of(MEASURES.values())
_SPENT = ("billed_high", "billed_low", "calls")
_spent = MEASURES["billed_usd"].value

Figures = dict[str, int]


class Spent(NamedTuple):
    """A period so far, and the one before up to the same hour."""

    start_us: int
    now: Figures
    then: Figures


class Share(NamedTuple):
    """What a group has cost in the weeks that are shown."""

    group: Group | None  # None: all others
    billed_pusd: int
    before_pusd: int  # in as many days before
    calls: int
    days: tuple[int, ...]  # billed pico-USD of each


class Overview(NamedTuple):
    to_us: int
    spent: dict[Bucket, Spent]
    days: Sequence[int]  # the bounds of the days that are shown
    now: Figures  # of these days together
    then: Figures  # of as many before
    by_day: list[Figures]
    shares: dict[str, list[Share]]  # by dimension: the dearest, then the rest
    movers: dict[str, list[Share]]  # by dimension: what has changed most; without days
    unpriced: list[tuple[str, int]]  # model, requests
    month_pusd: int  # at its end, as forecast tells


def overview(database: Database, scope: Scope, zone: str, days: int, now_us: int) -> Overview:
    """Raises StoreError."""
    to_us = -(-(now_us + 1) // HOUR_US) * HOUR_US
    limits = _last_days(zone, days, now_us, to_us)
    with database.reading() as db:
        look = _Look(db, database.dialect, scope, limits, now_us)
        spent = {period: look.spent(period, zone) for period in PERIODS}
        now, then = look.whole()
        found = {name: look.by(name) for name in BY}
        expected = _spent(spent["month"].now) + sum(look.expected(zone))
        return Overview(
            to_us,
            spent,
            limits,
            now,
            then,
            look.by_day(),
            {name: look.with_days(name, shares) for name, shares in found.items()},
            {name: sorted(shares, key=_moved)[:TOP] for name, shares in found.items()},
            look.unpriced(),
            expected,
        )


def _last_days(zone: str, days: int, now_us: int, to_us: int) -> list[int]:
    """The bounds of so many days, the last up to `to_us`."""
    noon_us = start_of("day", now_us, zone) + DAY_US // 2  # so many days before is noon, about, whenever clocks are changed
    first = start_of("day", max(noon_us - (days - 1) * DAY_US, 0), zone)
    begun = bounds_of("day", -(-first // HOUR_US) * HOUR_US, now_us + 1, zone)[:-1]
    return whole_hours([*begun, to_us])


def _moved(share: Share) -> tuple[int, Any]:
    return -abs(share.billed_pusd - share.before_pusd), share.group


class _Look:
    """One view of the ledger."""

    def __init__(self, db: Connection | None, dialect: Dialect, scope: Scope, limits: Sequence[int], now_us: int) -> None:
        self._db, self._dialect = db, dialect
        self._conditions = scope.conditions()
        self._limits = limits
        self._now_us, self._to_us = now_us, limits[-1]
        self._columns = COLUMNS

    def _ask(
        self, stretches: Sequence[Stretch], groups: Sequence[str], columns: Sequence[str], more: Sequence[Condition] = ()
    ) -> dict[tuple[Any, ...], Figures]:
        if self._db is None:
            return {}
        asked = Question(stretches, [GROUPS[name] for name in groups], [*self._conditions, *more], columns)
        return {key: dict(zip(columns, figures, strict=True)) for key, figures in sums(self._db, self._dialect, asked).items()}

    def _both(self, start_us: int, before_us: int) -> list[Stretch]:
        """From then on, and from `before_us` on for as long, but not beyond the beginning of the first."""
        return [Stretch(0, start_us, self._to_us), Stretch(1, before_us, min(before_us + self._to_us - start_us, start_us))]

    def spent(self, period: Bucket, zone: str) -> Spent:
        at_us = start_of(period, self._now_us, zone)
        before_us = start_of(period, at_us - 1, zone)
        found = self._ask(self._both(at_us, before_us), (), self._columns)
        return Spent(at_us, *(found.get((number,), dict.fromkeys(self._columns, 0)) for number in (0, 1)))

    def whole(self) -> tuple[Figures, Figures]:
        found = self._ask(self._periods(), (), self._columns)
        none = dict.fromkeys(self._columns, 0)
        return found.get((0,), none), found.get((1,), none)

    def by_day(self) -> list[Figures]:
        found = self._ask(stretches_of(self._limits), (), self._columns)
        none = dict.fromkeys(self._columns, 0)
        return [found.get((number,), none) for number in range(len(self._limits) - 1)]

    def _periods(self) -> list[Stretch]:
        first, last = self._limits[0], self._limits[-1]
        return [Stretch(0, first, last), Stretch(1, max(2 * first - last, 0), first)]

    def by(self, name: str) -> list[Share]:
        """All groups, the dearest first."""
        found = self._ask(self._periods(), [name], _SPENT)
        none = dict.fromkeys(_SPENT, 0)
        shares = []
        for group in {key[1:] for key in found}:
            now, then = found.get((0, *group), none), found.get((1, *group), none)
            shares.append(Share(group, _spent(now), _spent(then), now["calls"], ()))
        return sorted(shares, key=lambda one: (-one.billed_pusd, -one.calls, one.group))

    def with_days(self, name: str, shares: Sequence[Share]) -> list[Share]:
        """The dearest with what they cost each day, and what the others cost together."""
        best, rest = shares[:TOP], shares[TOP:]
        names = [str(one.group[0]) for one in best if one.group is not None]
        these = conditions_of(ALL, [(name, names)])
        found = self._ask(stretches_of(self._limits), [name], _SPENT, these) if names else {}
        none, numbers = dict.fromkeys(_SPENT, 0), range(len(self._limits) - 1)
        shown = [
            one._replace(days=tuple(_spent(found.get((number, *one.group), none)) for number in numbers))
            for one in best
            if one.group is not None
        ]
        if rest:
            billed, before, calls = (sum(figures) for figures in zip(*((one[1:4]) for one in rest), strict=True))
            shown.append(Share(None, billed, before, calls, ()))
        return shown

    def unpriced(self) -> list[tuple[str, int]]:
        found = self._ask(self._periods()[:1], ["model"], ("unpriced",))
        counts = [(str(model), figures["unpriced"]) for (_, model), figures in found.items() if figures["unpriced"]]
        return sorted(counts, key=lambda one: (-one[1], one[0]))

    def expected(self, zone: str) -> Iterator[int]:
        """Pico-USD of each day that is left of the month: the mean of that day of the week in the last WEEKS; of today, what is
        left of it to that."""
        today = start_of("day", self._now_us, zone)
        past = bounds_of("day", start_of("day", max(today - WEEKS * 7 * DAY_US, 0), zone), today, zone)
        costs = self._ask(_aligned(past), (), _SPENT)
        count = len(past) - 1
        per_weekday = [0] * 7
        for number in range(max(count - WEEKS * 7, 0), count):
            per_weekday[(count - number) % 7] += _spent(costs[number,]) if (number,) in costs else 0
        so_far = self._ask([Stretch(0, -(-today // HOUR_US) * HOUR_US, self._to_us)], (), _SPENT)
        yield max(per_weekday[0] // WEEKS - sum(_spent(one) for one in so_far.values()), 0)
        month_end = end_of("month", self._now_us, zone)
        day, ahead = end_of("day", self._now_us, zone), 1
        while day < month_end:
            yield per_weekday[-ahead % 7] // WEEKS
            day, ahead = end_of("day", day, zone), ahead + 1


def _aligned(limits: Sequence[int]) -> list[Stretch]:
    """By whole hours."""
    return [Stretch(number, *(-(-us // HOUR_US) * HOUR_US for us in (start, end))) for number, start, end in stretches_of(limits)]
