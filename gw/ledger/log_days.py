"""Calls by an amount: what they cost, their tokens, how long they took. An index has the calls of each day by the magnitude of
the amount (migration 0021), which bounds two questions:

- which calls have such an amount: every day of the time that is asked for is looked into;
- which have most of it, or least: it is found out from where on some thousand have it (`bar`), and only these are looked at. If
  they are not enough for a page, since what else is wanted of them is rare, then more are, and at last all.

By the day, and not by the amount alone: calls come in the order of time, so that all that is written lies close together. By the
magnitude, and not by the amount itself, for the same reason: each call of a batch would touch a page of its own otherwise, which
took half as long again as all else that is written of it (measured: docs/storage.md).
"""

from collections.abc import Sequence

from gw.ledger.log_sql import DAY, INDEXES, TIME, Index, Place, Term
from gw.ledger.magnitude import magnitude, magnitude_of
from gw.ledger.rollup_shape import DAY_US
from gw.ledger.store import Connection

DAYS_MAX = 4_000  # that one question looks into
KEYS = {index: key for key, index in INDEXES.items() if index.daily}
SAMPLE = 16  # of so many calls one is sorted, to find out from where on there are so many
LOOKED_AT = (2_000, 100_000)  # calls that are looked at for a page: at first, and at most, as long as all are more


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
        both = [*(_sized(KEYS[index], one) for one in parts), *parts]
        sql, values = " AND ".join(one.sql for one in both), tuple(value for one in both for value in one.values)
        found.append(Term(sql, values, (Place(index, f"{among(days or range(0))} AND {sql}", values, one=False),)))
    return found


def _sized(key: str, term: Term) -> Term:
    """What follows from a term about an amount for its magnitude."""
    operator = term.sql.removeprefix(key).split()[0]
    sizes = tuple(magnitude_of(value) for value in term.values)
    if operator == "IN":
        return Term(f"{magnitude(key)} IN ({', '.join('?' * len(sizes))})", sizes)
    return at_bound(key, term.values[0], falling=operator in ("<", "<="))


def at_bound(key: str, amount: int, *, falling: bool) -> Term:
    """The magnitude of all that is at most (`falling`) or at least so much."""
    return Term(f"{magnitude(key)} {'<=' if falling else '>='} ?", (magnitude_of(amount),))


def among(days: range) -> str:
    return f"{DAY} IN ({', '.join(map(str, days)) or 'NULL'})"


def bar(
    db: Connection, source: str, bounds: Sequence[Term], days: range, *, key: str, count: int, falling: bool
) -> list[Term] | None:
    """What holds of about `count` calls within these bounds that have most of it (or least), and of as many as that is for each
    day on one day at least; None: on no day there are so many. The bounds are what the index knows: time, `seq`, the amount."""
    where = "".join(f" AND {one.sql}" for one in bounds)
    values = tuple(value for one in bounds for value in one.values)
    size, direction, operator = magnitude(key), "DESC" if falling else "ASC", ">=" if falling else "<="
    of_day = (
        f"SELECT {size} FROM {source} WHERE {DAY} = day.number{where} "  # noqa: S608 - our own words
        f"ORDER BY {size} {direction} LIMIT 1 OFFSET {count // len(days)}"
    )
    query = (
        f"WITH RECURSIVE day (number) AS (SELECT {days[0]} UNION ALL SELECT number + 1 FROM day WHERE number < {days[-1]}) "  # noqa: S608
        f"SELECT {'MAX' if falling else 'MIN'}(one.size) FROM (SELECT ({of_day}) AS size FROM day) AS one"
    )
    limit = db.execute(query, values).fetchone()[0]
    if limit is None:
        return None
    large = Term(f"{size} {operator} ?", (limit,))
    last = (
        f"SELECT {key} FROM {source} WHERE {among(days)} AND {large.sql}{where} AND seq % {SAMPLE} = 0 "  # noqa: S608
        f"ORDER BY {key} {direction} LIMIT 1 OFFSET {count // SAMPLE}"
    )
    found = db.execute(last, (limit, *values)).fetchone()
    return [large] if found is None else [large, Term(f"{key} {operator} ?", (found[0],))]
