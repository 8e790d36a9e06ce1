"""What was used, by whatever it is asked by: groups, buckets of time, the dearest ones, and how it was in the period before.

`answer` reads rollups once per period and puts the rows together; what it is asked is checked by whoever asks (gw.control). Money
is kept as pico-USD until `gw.ledger.usage_measures` says how it is shown.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from gw.ledger.store import Database
from gw.ledger.usage_measures import Measure, columns_of
from gw.ledger.usage_sql import ALONE, GROUPS, Condition, Question, Stretch, Sums, sums
from gw.ledger.usage_time import before, stretches_of, whole_hours

ASKED = GROUPS | ALONE
CALLS_MAX = 400_000  # so many are read one by one, where no rollup can answer: some seconds

Group = tuple[Any, ...]
Folded = dict[tuple[int, Group | None], list[int]]  # bucket and group -> sums by column; None: all that is not among the top


class Scope(NamedTuple):
    """Whose calls may be seen."""

    kind: Literal["all", "key", "team", "customer"]
    name: str = ""
    key_id: str = ""  # of a key, whose calls must have both, as in the log

    def conditions(self) -> list[Condition]:
        if self.kind == "all":
            return []
        if self.kind == "key":
            if self.name and self.key_id:  # a revoked key's name may be another's by now
                return [Condition(("key_name", "key_id"), "key_name = ? AND key_id = ?", (self.name, self.key_id))]
            if self.name:
                return [Condition(("key_name",), "key_name = ?", (self.name,))]
            return [Condition(("key_id",), "key_id = ?", (self.key_id,))]
        return [Condition((self.kind,), f"{self.kind} = ?", (self.name,))]


ALL = Scope("all")


class Wanted(NamedTuple):
    """One question."""

    bounds: Sequence[int]  # microseconds: from, where buckets begin in between, to
    groups: Sequence[str] = ()  # of ASKED
    measures: Sequence[Measure] = ()
    filters: Sequence[tuple[str, Sequence[str]]] = ()  # of ASKED: any of these values
    order: Measure | None = None  # of groups, the greatest first; None: by their names
    rising: bool = False
    top: int = 0  # so many groups, the rest as one; 0: all
    compare: bool = False  # with the period before


class Line(NamedTuple):
    """Sums of one bucket and group, by column."""

    bucket: int
    group: Group | None  # None: all that is not among the top
    now: dict[str, int]
    then: dict[str, int] | None  # the same of the period before


class Answered(NamedTuple):
    lines: list[Line]
    now: dict[str, int]  # of all lines
    then: dict[str, int] | None


class TooMany(Exception):
    """So many calls would have to be read one by one."""


def answer(database: Database, scope: Scope, wanted: Wanted) -> Answered:
    """Raises StoreError, TooMany."""
    shown = [*wanted.measures, *([wanted.order] if wanted.order is not None else [])]
    columns = columns_of(shown)
    read = _reader(database, scope, wanted, columns)
    now = read(wanted.bounds)
    then = read(before(wanted.bounds)) if wanted.compare else {}
    best = _best(wanted, now, columns)
    lines = _lines(wanted, columns, _folded(now, best), _folded(then, best))
    total = _total(columns, now.values())
    return Answered(lines, total, _total(columns, then.values()) if wanted.compare else None)


def conditions_of(scope: Scope, filters: Iterable[tuple[str, Sequence[str]]]) -> list[Condition]:
    found = scope.conditions()
    for name, values in filters:
        one = ASKED[name]
        marks = ", ".join("?" * len(values))
        shown: tuple[str | int, ...] = tuple(int(value) for value in values) if name == "status" else tuple(values)
        found.append(Condition(one.columns, f"{one.sql} IN ({marks})", shown))
    return found


def _reader(database: Database, scope: Scope, wanted: Wanted, columns: Sequence[str]) -> Callable[[Sequence[int]], Sums]:
    groups = [ASKED[name] for name in wanted.groups]
    conditions = conditions_of(scope, wanted.filters)
    one_by_one = not ALONE.keys().isdisjoint([*wanted.groups, *(name for name, _ in wanted.filters)])

    def read(bounds: Sequence[int]) -> Sums:
        with database.reading() as db:
            if db is None:
                return {}
            (oldest_us,) = db.execute("SELECT MIN(ended_us) FROM call").fetchone()
            if one_by_one:
                ends = Question([Stretch(0, bounds[0], bounds[-1])], [], [], ["requests"])
                many = next(iter(sums(db, database.dialect, ends).values()), [0])[0]
                if many > CALLS_MAX:
                    raise TooMany(f"{many:,}")
            known = whole_hours(bounds, oldest_us)
            return sums(db, database.dialect, Question(stretches_of(known), groups, conditions, columns))

    return read


def _best(wanted: Wanted, found: Sums, columns: Sequence[str]) -> set[Group] | None:
    """The groups that are shown by name; None: all."""
    if not wanted.top or wanted.order is None:
        return None
    whole: dict[Group, list[int]] = {}
    for (_, *group), figures in found.items():
        _add(whole, tuple(group), figures)
    value, sign = wanted.order.value, 1 if wanted.rising else -1
    ranked = sorted(whole, key=lambda group: (sign * value(dict(zip(columns, whole[group], strict=True))), group))
    return set(ranked[: wanted.top])


def _folded(found: Sums, best: set[Group] | None) -> Folded:
    folded: Folded = {}
    for (number, *values), figures in found.items():
        group: Group | None = tuple(values)
        _add(folded, (number, group if best is None or group in best else None), figures)
    return folded


def _add(sums_by: dict[Any, list[int]], key: Any, figures: list[int]) -> None:
    found = sums_by.get(key)
    sums_by[key] = figures if found is None else [a + b for a, b in zip(found, figures, strict=True)]


def _lines(wanted: Wanted, columns: Sequence[str], now: Folded, then: Folded) -> list[Line]:
    none = dict.fromkeys(columns, 0)
    lines = []
    for key in {*now, *then}:
        old = (dict(zip(columns, then[key], strict=True)) if key in then else none) if wanted.compare else None
        lines.append(Line(*key, dict(zip(columns, now[key], strict=True)) if key in now else none, old))
    lines.sort(key=lambda line: place(wanted, line))
    return lines


def place(wanted: Wanted, line: Line) -> tuple[int, bool, int, Group]:
    """Where a line stands: by bucket, then by the order, the rest after all others."""
    value = wanted.order.value(line.now) if wanted.order is not None else 0
    return line.bucket, line.group is None, value if wanted.rising else -value, line.group or ()


def _total(columns: Sequence[str], rows: Iterable[list[int]]) -> dict[str, int]:
    total = [0] * len(columns)
    for row in rows:
        total = [a + b for a, b in zip(total, row, strict=True)]
    return dict(zip(columns, total, strict=True))
