"""The log: pages of calls, in any order, and single calls. Reads only; whose calls may be seen is an argument of everything.

A page is found in two steps: first the places of its calls (what they are sorted by, and `seq`), then the calls. The next page
begins after the last place, and sees no call that came after the first page was made: so pages neither repeat nor leave out a
call while others come.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from gw.ledger.bounded import bounded
from gw.ledger.log_columns import BY_NAME, MODEL, Column
from gw.ledger.log_days import LOOKED_AT, among, at_bound, bar
from gw.ledger.log_filter import EVERYTHING, SOUGHT_IDS, SOUGHT_NAMES, LogFilter, LogScope, Text
from gw.ledger.log_plan import FEW, ROW_COST, Plan, Survey, plan, source_of, survey
from gw.ledger.log_sql import BY_ID, INDEXES, SEEN, TIME, Place, Term, Values, beginning, term
from gw.ledger.sequence import highest
from gw.ledger.store import COLUMNS, Connection, Database, Dialect, Row

DEADLINE_S = 5.0
COUNT_MAX = 10_000  # counted exactly up to this
WALKED_MAX = 100_000  # calls, of which those that are wanted are counted where no index knows them: some 30 ms
FIRST_MAX = 1_000  # calls of a page, beyond which all are looked at for it
NAMES_MAX = 5_000  # values of one column that `q` is looked for in
SORTS: dict[str, Column] = {
    "ended_at": BY_NAME["ended_at"],
    "billed_usd": BY_NAME["billed_usd"],
    "tokens": BY_NAME["tokens"],
    "duration_ms": BY_NAME["duration_ms"],
}
_ROWS = f"SELECT seq, {', '.join(COLUMNS)} FROM call WHERE "  # noqa: S608 - our own field names


class Spot(NamedTuple):
    """Where a call stands in a list."""

    key: int  # what the list is sorted by
    seq: int


class Asked(Struct, frozen=True, kw_only=True):
    """`among`: these calls alone, which are some thousands at most; None: all. `until_seq` 0: whatever is there now. `count`: how
    many there are is to be said."""

    wanted: LogFilter = LogFilter()
    scope: LogScope = EVERYTHING
    among: tuple[str, ...] | None = None
    sort: str = "ended_at"
    falling: bool = True
    limit: int = 100
    after: Spot | None = None
    until_seq: int = 0
    count: bool = True


class LogPage(Struct, frozen=True):
    rows: list[tuple[int, Row]]  # seq and values in the order of COLUMNS
    next: Spot | None  # where the next page goes on
    until_seq: int
    count: int | None  # COUNT_MAX + 1: more than COUNT_MAX; negative: at least so many; None: not asked for


def page(database: Database, asked: Asked, deadline_s: float = DEADLINE_S) -> LogPage:
    """Raises TooSlow, StoreError."""
    with bounded(database, deadline_s) as db:
        if db is None:
            return LogPage([], None, 0, 0 if asked.count else None)
        until_seq = asked.until_seq or highest(db)
        terms = [*_terms(db, database.dialect, asked), Term(SEEN, (until_seq,))]
        known = survey(db, database.dialect, terms)
        in_time = asked.sort == "ended_at"
        by_time = plan(known, in_time=True) if in_time or asked.count else None
        together = asked.count and in_time and by_time is not None and by_time.walked is None
        size = max(asked.limit + 1, COUNT_MAX + 1 if together else 0)
        spots = _spots(db, asked, by_time, size) if in_time and by_time is not None else _by_amount(db, asked, known, size)
        count = None
        if asked.count and by_time is not None:
            all_found = together or (asked.after is None and len(spots) < size)
            count = len(spots) if all_found else _count(db, by_time, len(spots))
        found = rows_at(db, [spot.seq for spot in spots[: asked.limit]])
    more = len(spots) > asked.limit
    return LogPage(found, spots[asked.limit - 1] if more else None, until_seq, count)


def one(database: Database, call_id: str, scope: LogScope = EVERYTHING) -> tuple[int, Row] | None:
    """A single call, if it is there and may be seen."""
    terms = [term(condition, database.dialect) for condition in scope.conditions()]
    where = " AND ".join(["call_id = ?", *(one.sql for one in terms)])
    values = (call_id, *(value for one in terms for value in one.values))
    with bounded(database, DEADLINE_S) as db:
        row = db.execute(_ROWS + where, values).fetchone() if db is not None else None
    return (row[0], tuple(row[1:])) if row is not None else None


def rows_at(db: Connection, numbers: Sequence[int]) -> list[tuple[int, Row]]:
    """The calls of these numbers, in this order."""
    if not numbers:
        return []
    found = db.execute(f"{_ROWS}seq IN ({', '.join('?' * len(numbers))})", tuple(numbers))
    by_seq = {row[0]: tuple(row[1:]) for row in found}
    return [(seq, by_seq[seq]) for seq in numbers]


def _terms(db: Connection, dialect: Dialect, asked: Asked) -> list[Term]:
    wanted = asked.wanted.within(asked.scope)
    terms = [term(condition, dialect) for condition in wanted.conditions]
    if wanted.q:
        terms.append(_sought(db, dialect, wanted.q))
    if asked.among is not None:
        terms.append(_among(asked.among))
    return terms


def _among(call_ids: tuple[str, ...]) -> Term:
    if not call_ids:
        return Term("FALSE", ())
    sql = f"call_id IN ({', '.join('?' * len(call_ids))})"
    return Term(sql, call_ids, (Place(BY_ID, sql, call_ids, one=False),))


def _by_amount(db: Connection, asked: Asked, known: Survey, size: int) -> list[Spot]:
    """In another order than that of time: among those that have most of it, or least, as long as these are enough."""
    if known.days and size <= FIRST_MAX and not (known.rare and known.rare[0].calls <= FEW):
        first, most = LOOKED_AT
        calls = max(first, size * len(known.days))
        while calls * ROW_COST <= known.walk_cost // 4:  # a quarter of what looking at all costs may be spent for nothing
            chosen, are_all = _foremost(db, asked, known, calls)
            found = _spots(db, asked, chosen, size)
            if are_all or len(found) == size:
                return found
            if calls >= most:
                break
            enough = calls * size * 3 // (2 * len(found) + 1)  # if those that come are as rare, and half as many again
            calls = min(max(calls * 2, min(enough, calls * 10)), most)
    return _spots(db, asked, plan(known, in_time=False), size)


def _foremost(db: Connection, asked: Asked, known: Survey, calls: int) -> tuple[Plan, bool]:
    """To look at some calls that have most of it, or least; whether these are all there are."""
    assert known.days
    key = SORTS[asked.sort].sql
    index = INDEXES[key]
    source = source_of(known.dialect, index)
    bounds = [one for one in known.terms if one.sql == SEEN or (one.places and one.places[0].by in (TIME, index))]
    if asked.after is not None:
        bounds.append(at_bound(key, asked.after.key, falling=asked.falling))
        bounds.append(Term(f"{key} {'<=' if asked.falling else '>='} ?", (asked.after.key,)))
    foremost = bar(db, source, bounds, known.days, key=key, count=calls, falling=asked.falling)
    narrow, terms = [*bounds, Term(among(known.days), ()), *(foremost or ())], known.terms
    if known.dialect.by_index:  # SQLite would look up each row before it asks the index for an amount that is worked out
        inner, values = joined(narrow)
        narrow, source = [Term(f"rowid IN (SELECT rowid FROM {source} WHERE {inner})", values)], "call NOT INDEXED"  # noqa: S608
    where, values = joined([*narrow, *terms])
    return Plan(source, where, values), foremost is None


def joined(terms: Sequence[Term]) -> tuple[str, Values]:
    """All of them."""
    return " AND ".join(one.sql for one in terms) or "TRUE", tuple(value for one in terms for value in one.values)


def _spots(db: Connection, asked: Asked, chosen: Plan, size: int) -> list[Spot]:
    key = SORTS[asked.sort].sql
    where, values = chosen.where, chosen.values
    if asked.after is not None:
        where += f" AND ({key}, seq) {'<' if asked.falling else '>'} (?, ?)"
        values = (*values, *asked.after)
    direction = "DESC" if asked.falling else "ASC"
    order = f"ORDER BY {key} {direction}, seq {direction} LIMIT {size}"
    return [Spot(*row) for row in db.execute(f"SELECT {key}, seq FROM {chosen.source} WHERE {where} {order}", values)]  # noqa: S608


def _count(db: Connection, chosen: Plan, known: int) -> int:
    """As in LogPage. A walk counts among the latest WALKED_MAX calls of its time: to count all would read millions. `known`: so
    many are there anyhow."""
    since_us = _far_back(db, chosen)
    bound, values = ("ended_us >= ? AND ", (since_us, *chosen.values)) if since_us is not None else ("", chosen.values)
    # Its own bound stands first: SQLite takes the first of two for the way in.
    inner = f"SELECT 1 FROM {chosen.source} WHERE {bound}{chosen.where} LIMIT {COUNT_MAX + 1}"  # noqa: S608 - our own words
    found = int(db.execute(f"SELECT COUNT(*) FROM ({inner}) AS found", values).fetchone()[0])  # noqa: S608
    return -max(found, known, 1) if since_us is not None and found <= COUNT_MAX else found


def _far_back(db: Connection, chosen: Plan) -> int | None:
    """When the last of the calls ended that a walk counts among; None: there are not so many, or it is no walk."""
    if chosen.walked is None:
        return None
    where = " AND ".join(one.sql for one in chosen.walked) or "TRUE"
    values = tuple(value for one in chosen.walked for value in one.values)
    last = f"ORDER BY ended_us DESC LIMIT 1 OFFSET {WALKED_MAX}"
    found = db.execute(f"SELECT ended_us FROM {chosen.source} WHERE {where} {last}", values).fetchone()  # noqa: S608
    return None if found is None else int(found[0])


def _sought(db: Connection, dialect: Dialect, q: str) -> Term:
    """The names that hold `q` are looked for among all names there are, which are few; ids are looked up by their beginning."""
    parts: list[Term] = []
    for name in SOUGHT_NAMES:
        column = BY_NAME[name]
        field = MODEL if name == "model" else column.sql
        known = _names(db, field) if field in INDEXES else None
        if known is None:
            parts.append(Term(f"lower({field}) {dialect.glob}", (dialect.pattern(Text(("", "*", q.lower(), "*", "")).glob),)))
        elif found := tuple(value for value in known if q.casefold() in value.casefold()):
            index = INDEXES[field]
            sql = f"{field} IN ({', '.join('?' * len(found))})"
            place = Place(index, f"{index.only} AND {sql}" if index.only else sql, found, len(found) == 1)
            parts.append(Term(sql, found, (place,)))
    for name in SOUGHT_IDS:
        index = INDEXES[name]
        sql, bounds = beginning(name, q)
        parts.append(Term(sql, bounds, (Place(index, f"{index.only} AND {sql}" if index.only else sql, bounds, one=False),)))
    values = tuple(value for part in parts for value in part.values)
    known_all = all(part.places for part in parts)
    places = tuple(place for part in parts for place in part.places) if known_all else ()
    return Term(f"({' OR '.join(part.sql for part in parts)})", values, places)


def _names(db: Connection, field: str) -> list[str] | None:
    """Every value of an indexed column but "", by leaps from one to the next; None if there are too many."""
    first = f"SELECT MIN({field}) FROM call WHERE {field} > ?"  # noqa: S608 - our own words
    only = INDEXES[field].only
    found, now = list[str](), ""
    while len(found) < NAMES_MAX:
        now = db.execute(f"{first} AND {only}" if only else first, (now,)).fetchone()[0]
        if now is None:
            return found
        found.append(now)
    return None
