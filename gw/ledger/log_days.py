"""Calls by an amount: what they cost, their tokens, how long they took. An index has the calls of each day in the order of the
amount (migration 0018), which bounds two questions:

- which calls have such an amount: every day of the time that is asked for is looked into;
- which have most of it, or least: it is found out from where on some thousand have it (`bar`), and only these are looked at. If
  they are not enough for a page, since what else is wanted of them is rare, then more are, and at last all.

By the day, and not by the amount alone: calls come in the order of time, so that all that is written lies close together; by the
amount each call of a batch would touch a page of its own, in an index of all months.
"""

from collections.abc import Sequence
from typing import Any

from gw.ledger.log_sql import DAY, TIME, Index, Place, Term
from gw.ledger.rollup_shape import DAY_US
from gw.ledger.store import Connection

DAYS_MAX = 4_000  # that one question looks into
STEPS = (2_000, 20_000, 100_000)  # calls that are looked at for a page, as long as all are more


def days_of(db: Connection, terms: Sequence[Term]) -> range | None:
    """The days, since 1970, in which calls of these terms may have ended; None: too many to look into each."""
    ends = [db.execute(f"SELECT {end}(ended_us) FROM call").fetchone()[0] for end in ("MIN", "MAX")]  # noqa: S608 - our own words
    if ends[0] is None:
        return None
    low, high = ends
    for one in terms:
        if one.places and one.places[0].by is TIME and not one.places[0].one:
            operator, (bound, *more) = one.sql.split()[1], one.values
            if operator in (">", ">="):
                low = max(low, bound)
            elif operator in ("<", "<=") and not more:
                high = min(high, bound)
    if low > high:
        return range(0)
    days = range(low // DAY_US, high // DAY_US + 1)
    return days if len(days) <= DAYS_MAX else None


def placed(terms: Sequence[Term], days: range | None) -> list[Term]:
    """Terms about one amount become one, which can be looked up in these days."""
    found: list[Term] = []
    merged: dict[Index, list[Term]] = {}
    for one in terms:
        index = one.places[0].by if len(one.places) == 1 else None
        if index is None or not index.daily:
            found.append(one)
        elif days is None:
            found.append(Term(one.sql, one.values))
        else:
            merged.setdefault(index, []).append(one)
    for index, parts in merged.items():
        sql, values = " AND ".join(one.sql for one in parts), tuple(value for one in parts for value in one.values)
        found.append(Term(sql, values, (Place(index, f"{among(days or range(0))} AND {sql}", values, one=False),)))
    return found


def among(days: range) -> str:
    return f"{DAY} IN ({', '.join(map(str, days)) or 'NULL'})"


def bar(db: Connection, source: str, bounds: Sequence[Term], days: range, *, key: str, count: int, falling: bool) -> Any:
    """An amount that about `count` calls within these bounds exceed at most (or fall short of), and at least as many as that is
    for each day; None: on no day there are so many. The bounds are what the index knows: time, `seq`, the amount itself."""
    where = "".join(f" AND {one.sql}" for one in bounds)
    values = tuple(value for one in bounds for value in one.values)
    of_day = (
        f"SELECT {key} FROM {source} WHERE {DAY} = day.number{where} "  # noqa: S608 - our own words
        f"ORDER BY {key} {'DESC' if falling else 'ASC'} LIMIT 1 OFFSET {count // len(days)}"
    )
    query = (
        f"WITH RECURSIVE day (number) AS (SELECT {days[0]} UNION ALL SELECT number + 1 FROM day WHERE number < {days[-1]}) "  # noqa: S608
        f"SELECT {'MAX' if falling else 'MIN'}(one.amount) FROM (SELECT ({of_day}) AS amount FROM day) AS one"
    )
    return db.execute(query, values).fetchone()[0]
