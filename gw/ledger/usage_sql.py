"""Sums of calls, read from rollups, and exact to the microsecond: whole days from `usage_day`, whole hours beside them from
`usage_hour`, and what is left of an hour at either end from the calls themselves.

A question names stretches of time, each with a number (several of them must have both ends); dimensions to group by; conditions;
and columns of MEASURES. The answer is a dict: (number of the stretch, values of the dimensions) -> sums. Of calls that are gone
(retention), an hour that is cut by the question's ends is no longer known. What no rollup keeps (ALONE: a session, an agent) is
read from the calls throughout.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from gw.domain.attempts import LEAVING
from gw.ledger.kinds import context_sql, kind_sql
from gw.ledger.rollup_shape import (
    AMOUNTS,
    COUNT_MAX,
    COUNTS,
    DAY_US,
    DIMENSIONS,
    ERRORS,
    HOUR_US,
    HOURS_PER_DAY,
    LEVELS,
    LOW,
    MODEL,
    OF_ROW,
    TOKENS,
    TOOLS,
    Level,
)
from gw.ledger.store import Connection, Dialect
from gw.ledger.sums import HALF_BITS

MINUTE_US = 60_000_000
PATHS_MAX = 300
LOOKED_UP_MAX = 30_000  # rows; so many take some 40 ms
EVER_US = 10**7 * DAY_US  # as good as no bound


class Dimension(NamedTuple):
    """Something to group and filter by, as an expression over columns of a path."""

    columns: tuple[str, ...]
    sql: str


KEY_LABEL = "CASE WHEN key_name <> '' THEN key_name WHEN credential <> '' THEN 'passthrough ' || credential ELSE key_id END"
MODEL_LABEL = "CASE WHEN served_model <> '' THEN served_model ELSE requested_model END"
GROUPS: dict[str, Dimension] = {
    **{name: Dimension((name,), name) for name in ("customer", "team")},
    "key": Dimension(("key_id", "key_name", "credential"), KEY_LABEL),
    "key_id": Dimension(("key_id",), "key_id"),
    "upstream": Dimension(("upstream",), "upstream"),
    "model": Dimension(MODEL, MODEL_LABEL),
    **{name: Dimension((name,), name) for name in MODEL},
    "project": Dimension(("project",), "project"),
    "kind": Dimension(("kind",), "kind"),
    **{name: Dimension((name,), name) for name in ("outcome", "status", "error", "device")},
    **{name: Dimension((name,), name) for name in ("service_tier", "speed", "inference_geo")},
    "context_window": Dimension(("context",), "context"),
}


# Of calls alone.
ALONE = {name: Dimension((name,), name) for name in ("session_id", "agent_id", "client_version", "dialect")}


class Condition(NamedTuple):
    """What must hold of a path."""

    columns: tuple[str, ...]
    sql: str
    values: tuple[str | int, ...]


class Stretch(NamedTuple):
    """[start, end) in microseconds, by the end of calls."""

    number: int
    start_us: int
    end_us: int


class Question(NamedTuple):
    stretches: Sequence[Stretch]
    groups: Sequence[Dimension]
    conditions: Sequence[Condition]
    columns: Sequence[str]  # of MEASURES
    days: bool = False  # a stretch is cut into days (UTC), which take the place of its number


Sums = dict[tuple[Any, ...], list[int]]  # (number, *values of the groups) -> in the order of the columns


class Cut(NamedTuple):
    """Stretches as pieces of days, of hours, of less than an hour; the last in microseconds."""

    days: list[Stretch]
    hours: list[Stretch]
    rest: list[Stretch]


def cut(stretches: Iterable[Stretch]) -> Cut:
    found = Cut([], [], [])
    for number, start_us, end_us in stretches:
        first, last = -(-start_us // HOUR_US), end_us // HOUR_US
        if first > last:
            found.rest.append(Stretch(number, start_us, end_us))
            continue
        found.rest.extend(_there(number, (start_us, first * HOUR_US), (last * HOUR_US, end_us)))
        first_day, last_day = -(-first // HOURS_PER_DAY), last // HOURS_PER_DAY
        if first_day >= last_day:
            found.hours.extend(_there(number, (first, last)))
        else:
            found.days.append(Stretch(number, first_day, last_day))
            found.hours.extend(_there(number, (first, first_day * HOURS_PER_DAY), (last_day * HOURS_PER_DAY, last)))
    return found


def _there(number: int, *parts: tuple[int, int]) -> Iterator[Stretch]:
    return (Stretch(number, start, end) for start, end in parts if start < end)


def level_of(columns: Iterable[str]) -> Level:
    """The shortest that has all of these."""
    wanted = set(columns)
    return next(level for level in LEVELS if wanted <= set(level.dimensions))


def sums(db: Connection, dialect: Dialect, question: Question) -> Sums:
    """Groups without a call are not there."""
    found: Sums = {}
    if alone := _alone(question):
        for stretch in question.stretches:
            _merge(found, db.execute(*_of_calls(question, stretch, DAY_US if question.days else 0, alone)))
        return found
    pieces = cut(question.stretches)
    paths = _paths(db, question)
    for table, span, stretches in (("usage_day", 1, pieces.days), ("usage_hour", HOURS_PER_DAY, pieces.hours)):
        if stretches and paths != []:
            source = _Source(table, span, stretches, paths)
            _merge(found, db.execute(*_of_rollup(question, dialect, source)))
    for stretch in pieces.rest:
        _merge(found, db.execute(*_of_calls(question, stretch, DAY_US if question.days else 0)))
    return found


def _alone(question: Question) -> list[str]:
    """The columns it needs that no rollup has."""
    return sorted({name for columns in _columns(question) for name in columns}.difference(DIMENSIONS))


def _merge(found: Sums, rows: Iterable[Sequence[Any]]) -> None:
    for row in rows:
        groups, figures = tuple(row[1 : 1 + row[0]]), row[1 + row[0] :]
        before = found.get(groups)
        found[groups] = [int(b) + a for a, b in zip(before or [0] * len(figures), figures, strict=True)]


class _Source(NamedTuple):
    table: str
    span: int  # how many of its rows are a day
    stretches: Sequence[Stretch]
    paths: Sequence[int] | None  # only these; None: whatever the conditions say


def _paths(db: Connection, question: Question) -> Sequence[int] | None:
    """The paths for which the conditions hold, if they are few: then their rows are looked up, one by one, instead of all of that
    time being read."""
    if not question.conditions:
        return None
    held = " AND ".join(one.sql for one in question.conditions)
    level = level_of(name for columns in _columns(question) for name in columns)
    query = f"SELECT id FROM usage_path WHERE level = {level.number} AND {held} LIMIT {PATHS_MAX + 1}"  # noqa: S608 - our own words
    found = [number for (number,) in db.execute(query, _values(question))]
    return found if len(found) <= PATHS_MAX else None


def _of_rollup(question: Question, dialect: Dialect, source: _Source) -> tuple[str, tuple[str | int, ...]]:
    """SQLite reads tables in the order in which they stand. Of several stretches every hour is named: Postgres joins by equality
    quickly, where it would try each range on every row; and SQLite must not take the outer bounds for the better way in."""
    table, span, stretches, paths = source
    needed = [name for columns in _columns(question) for name in columns]
    first, last = min(one.start_us for one in stretches), max(one.end_us for one in stretches)
    looked_up = paths is not None and len(paths) * (last - first) < LOOKED_UP_MAX
    named = not question.days and (len(stretches) > 1 or looked_up)
    at = f"{dialect.aside}u.at" if named else "u.at"
    where = [f"u.level = {level_of(needed).number}", f"{at} >= {first}", f"{at} < {last}"]
    head, tables, number = "", f"{table} u", str(stretches[0].number)
    if question.days:
        number = "u.at" if span == 1 else f"u.at / {span}"
    elif named:
        each = ", ".join(f"({hour}, {one.number})" for one in stretches for hour in range(one.start_us, one.end_us))
        head, tables, number = f"WITH piece (at, n) AS (VALUES {each}) ", f"piece CROSS JOIN {tables}", "piece.n"
        where.append("u.at = piece.at")
    if paths is not None:
        where.append(f"u.path_id IN ({', '.join(map(str, paths))})")
    if needed:
        tables += " CROSS JOIN usage_path p"
        where += ["p.id = u.path_id", *(one.sql for one in question.conditions)]
    return head + _select(question, number, f"{tables} WHERE {' AND '.join(where)}"), _values(question)


def _columns(question: Question) -> Iterator[tuple[str, ...]]:
    yield from (group.columns for group in question.groups)
    yield from (condition.columns for condition in question.conditions)


def _select(question: Question, number: str, source: str) -> str:
    groups = [number, *(one.sql for one in question.groups)]
    names = [f"g{at}" for at in range(len(groups))]
    shown = ", ".join(f"{sql} AS {name}" for sql, name in zip(groups, names, strict=True))
    figures = ", ".join(f"SUM({name})" for name in question.columns)
    return f"SELECT {len(groups)}, {shown}, {figures} FROM {source} GROUP BY {', '.join(names)}"  # noqa: S608 - our own words


def _values(question: Question) -> tuple[str | int, ...]:
    return tuple(value for one in question.conditions for value in one.values)


# --- calls themselves -------------------------------------------------------------------------------------------------

_OF_CALL = {**{name: f"c.{name}" for name in OF_ROW}, "context": context_sql("c."), "kind": kind_sql("c.")}
assert set(_OF_CALL) == set(DIMENSIONS)
_CALL, _DONE = "c.endpoint = 'messages'", "c.endpoint = 'messages' AND c.outcome = 'completed'"


def _one_if(condition: str) -> str:
    return f"CASE WHEN {condition} THEN 1 ELSE 0 END"


def _held(value: str) -> str:
    """As gw.ledger.rollup_shape.sums_of holds it."""
    return f"CASE WHEN {value} > {COUNT_MAX} THEN {COUNT_MAX} WHEN {value} < 0 THEN 0 ELSE {value} END"


# As gw.domain.attempts.is_request has it.
_NO_REQUEST = f"(c.status = 0 AND c.outcome IN {LEAVING}) OR (c.attempt_of <> '' AND c.attempts = '')"
_COUNTED: dict[str, str] = {
    "calls": _one_if(_CALL),
    "requests": f"CASE WHEN {_NO_REQUEST} THEN 0 ELSE 1 END",
    "failed": _one_if(f"{_CALL} AND c.outcome <> 'completed'"),
    "errors": _one_if(f"{_CALL} AND c.outcome IN ({', '.join(repr(one) for one in sorted(ERRORS))})"),
    "refused": _one_if(f"{_CALL} AND c.outcome = 'refused'"),
    "unpriced": _one_if("c.price_version = 'unpriced'"),
    "observed": _one_if("c.usage_source = 'observed'"),
    "estimated": _one_if("c.usage_source = 'estimated'"),
    **{name: _held(f"c.{name}") for name in (*TOKENS, *TOOLS)},
}
for _name, _at in (("total", "c.ended_us"), ("first_byte", "c.first_byte_us"), ("first_token", "c.first_token_us")):
    _COUNTED[f"{_name}_us"] = f"CASE WHEN {_DONE} AND {_at} <> 0 THEN {_held(f'({_at} - c.started_us)')} ELSE 0 END"
    _COUNTED[f"{_name}_count"] = _one_if(f"{_DONE} AND {_at} <> 0")
assert set(_COUNTED) == set(COUNTS)


def _halves(prefix: str) -> Iterator[tuple[str, str]]:
    for name in AMOUNTS:
        yield f"{name[:-5]}_high", f"{prefix}.{name} >> {HALF_BITS}"
        yield f"{name[:-5]}_low", f"{prefix}.{name} & {LOW}"


_OF_CALLS = _COUNTED | dict(_halves("c"))
_OF_ADJUSTMENTS = dict.fromkeys(COUNTS, "0") | dict(_halves("j"))


def calls_as_rollup(columns: Sequence[str], where: str, tables: str = "call c", more: Sequence[str] = ()) -> str:
    """A source with the columns of a path and these of MEASURES: of the calls (`c`) for which `where` holds, and what their
    adjustments add. `more`: further columns. Both halves take the same parameters, one after the other."""
    dimensions = [f"{sql} AS {name}" for name, sql in _OF_CALL.items()] + list(more)
    parts = []
    for figures, source in ((_OF_CALLS, tables), (_OF_ADJUSTMENTS, f"{tables} CROSS JOIN adjustment j")):
        shown = ", ".join([*dimensions, *(f"{figures[name]} AS {name}" for name in columns)])
        joined = " AND j.call_id = c.call_id" if figures is _OF_ADJUSTMENTS else ""
        parts.append(f"SELECT {shown} FROM {source} WHERE {where}{joined}")  # noqa: S608 - our own words and integers
    return f"({' UNION ALL '.join(parts)}) AS counted"


def _of_calls(
    question: Question, stretch: Stretch, unit_us: int, alone: Iterable[str] = ()
) -> tuple[str, tuple[str | int, ...]]:
    """`unit_us`: cut into so long ones, whose number since 1970 takes the place of the stretch's; 0: not cut. `alone`: columns
    that are no dimension of a rollup."""
    where = f"c.ended_us >= {stretch.start_us} AND c.ended_us < {stretch.end_us}"
    more = [f"c.{name} AS {name}" for name in alone]
    if unit_us:
        more.append(f"c.ended_us / {unit_us} AS unit")
    source = calls_as_rollup(question.columns, where, more=more)
    held = " AND ".join(one.sql for one in question.conditions) or "TRUE"
    return _select(question, "unit" if unit_us else str(stretch.number), f"{source} WHERE {held}"), _values(question)


def sums_by_minute(db: Connection, question: Question) -> Sums:
    """From the calls themselves; minutes since 1970 take the place of the stretches' numbers."""
    found: Sums = {}
    for stretch in question.stretches:
        _merge(found, db.execute(*_of_calls(question, stretch, MINUTE_US)))
    return found
