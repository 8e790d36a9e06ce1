"""How calls of the log are found, so that rare ones among millions are found as soon as common ones.

What the ledger's indexes know of each condition is counted first, up to a bound, which costs some milliseconds. The rarest one
leads: its index is walked, newest first where that is asked. Conditions that are about as rare become lists of row numbers that
the walk is held against, so that no row is looked up for nothing; what is common is tested on what is left. Where nothing is
rare, `call_log` is walked, which holds what is asked for most, in the order of time.

That is for SQLite, which has no statistics here and takes one index for a table. Postgres does nearly the same by itself.

Measured, 5 million calls in the page cache (SQLite 3.40): an index entry 0.1 us, a list 0.2 us an entry, a row 2.6 us.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from gw.ledger.log_columns import TOKEN_CLASSES
from gw.ledger.log_days import days_of, placed
from gw.ledger.log_sql import TIME, Index, Place, Term
from gw.ledger.sequence import highest
from gw.ledger.store import COLUMNS, Connection, Dialect

LISTED_MAX = 200_000  # calls; beyond that a condition is common
FEW = 20_000  # calls that are looked up one by one, whatever the order
ROW_COST, LIST_COST, WALK_COST, ENTRY_COST = 26, 2, 2, 1  # tenths of a microsecond
# What `call_log` holds of a call: its walk looks up no row for these.
_TEXTS = ("call_log_team", "call_log_key", "call_log_model", "call_log_status", "call_log_outcome", "call_log_project")
COVERED = (*_TEXTS, "call_by_cost", "call_by_tokens", "call_by_duration")
_PATH = {"team", "key_name", "served_model", "requested_model", "project", "upstream"}
LOOKED_UP = frozenset(COLUMNS) - {"started_us", "ended_us", "outcome", "status", "billed_pusd", *_PATH, *TOKEN_CLASSES}


class Plan(NamedTuple):
    """`SELECT ... FROM {source} WHERE {where}`. `walked`: it is a walk through `call_log`, whatever holds of its calls, between
    the bounds of time that these terms are."""

    source: str
    where: str
    values: tuple[Any, ...]
    walked: Sequence[Term] | None = None


class Counted(NamedTuple):
    """`cost`: of leading, in tenths of a microsecond; an index that is wide spares the rows."""

    calls: int  # LISTED_MAX + 1: that many or more
    term: Term

    @property
    def cost(self) -> int:
        wide = len(self.term.places) == 1 and self.term.places[0].by.wide
        return self.calls * (ENTRY_COST if wide else ROW_COST)


class Survey(NamedTuple):
    """What is known of a question before it is asked."""

    dialect: Dialect
    terms: list[Term]
    rare: list[Counted]  # from the cheapest on; of a database that counts by itself, none
    days: range | None  # as `gw.ledger.log_days.days_of`
    walk: int  # calls there may be in these days: a walk through `call_log` goes past them

    @property
    def walk_cost(self) -> int:
        """Tenths of a microsecond."""
        looked_up = any(not LOOKED_UP.isdisjoint(re.findall(r"[a-z_0-9]+", one.sql)) for one in self.terms)
        return self.walk * (ROW_COST if looked_up else WALK_COST)


def survey(db: Connection, dialect: Dialect, terms: list[Term]) -> Survey:
    all_days, days = days_of(db, ()), days_of(db, terms)
    terms = [_where_anything_is(db, dialect, one) for one in placed(terms, days)]
    counted = [_counted(db, dialect, one) for one in terms if one.places] if dialect.by_index else []
    rare = sorted((one for one in counted if one.calls <= LISTED_MAX), key=lambda one: one.cost)
    (lowest,) = db.execute("SELECT MIN(seq) FROM call").fetchone()  # one at a time: both together would read all
    calls = highest(db) - lowest if lowest else 0
    return Survey(dialect, terms, rare, days, calls * len(days) // len(all_days) if all_days and days is not None else calls)


def plan(known: Survey, *, in_time: bool) -> Plan:
    """`in_time`: they are wanted in the order in which they ended, so that a walk may end early."""
    dialect, terms, rare = known.dialect, known.terms, known.rare
    if not dialect.by_index:
        return _together("call", [_by_day(one) for one in terms])
    lead = _lead(known, in_time=in_time)
    if lead is None:
        lists = [one.term for one in rare if any(place.by.name not in COVERED for place in one.term.places)]
        within = [one for one in terms if any(place.by is TIME for place in one.places)]
        return _together(source_of(dialect, TIME), terms, lists, dialect)._replace(walked=within)
    lists = [one.term for one in rare if one is not lead and one.calls * LIST_COST <= lead.cost]
    lists = [one for one in lists if all(place.by is not TIME for place in one.places)]
    if len(lead.term.places) != 1:
        return _together("call NOT INDEXED", terms, [lead.term, *lists], dialect)
    (place,) = lead.term.places
    source = _by(dialect, place)
    rest = [one for one in terms if one is not lead.term]
    return _together(source, [Term(place.sql, place.values), *rest], lists, dialect)


def _by_day(term: Term) -> Term:
    """As an index by days knows it."""
    (place,) = term.places if len(term.places) == 1 and term.places[0].by.daily else (None,)
    return term if place is None else Term(place.sql, place.values, term.places)


def _lead(known: Survey, *, in_time: bool) -> Counted | None:
    """What to begin with; None: with `call_log`."""
    rare = known.rare
    if not rare:
        return None
    if rare[0].cost <= FEW * ROW_COST:
        return rare[0]
    if in_time:
        return next((one for one in rare if len(one.term.places) == 1 and _in_time(one.term.places[0])), None)
    return rare[0] if rare[0].cost < known.walk_cost else None


def _in_time(place: Place) -> bool:
    return place.by.timed and (place.one or place.by is TIME)


def _counted(db: Connection, dialect: Dialect, term: Term) -> Counted:
    total = 0
    for place in term.places:
        query = f"SELECT COUNT(*) FROM (SELECT 1 FROM {_by(dialect, place)} WHERE {place.sql} LIMIT {LISTED_MAX + 1 - total})"  # noqa: S608
        total += db.execute(query, place.values).fetchone()[0]
        if total > LISTED_MAX:
            break
    return Counted(total, term)


def _where_anything_is(db: Connection, dialect: Dialect, term: Term) -> Term:
    """The term without the places where nothing is: all statements see the same state of the ledger. What is left may be all in
    one index; and a walk that tests it looks up no row for columns in which nothing is found anyhow."""
    if len(term.places) < 2:
        return term
    probe = "SELECT 1 FROM {} WHERE {} LIMIT 1"
    there = [db.execute(probe.format(_by(dialect, one), one.sql), one.values).fetchone() for one in term.places]
    places = [one for one, found in zip(term.places, there, strict=True) if found is not None] or [term.places[0]]
    if len(places) == len(term.places):
        return term
    values = tuple(value for one in places for value in one.values)
    return Term(f"({' OR '.join(one.sql for one in places)})", values, tuple(places))


def _by(dialect: Dialect, place: Place) -> str:
    return source_of(dialect, place.by)


def source_of(dialect: Dialect, index: Index) -> str:
    return f"call {dialect.by_index.format(index.name)}" if dialect.by_index and index.name else "call"


def _together(source: str, terms: Iterable[Term], lists: Iterable[Term] = (), dialect: Dialect | None = None) -> Plan:
    sql, values = list[str](), list[Any]()
    listed = list(lists)
    for one in listed:
        assert dialect is not None
        parts = []
        for place in one.places:
            parts.append(f"SELECT rowid FROM {_by(dialect, place)} WHERE {place.sql}")  # noqa: S608 - our own words
            values += place.values
        sql.append(f"rowid IN ({' UNION ALL '.join(parts)})")
    for one in terms:
        if not any(one is other for other in listed):
            sql.append(one.sql)
            values += one.values
    return Plan(source, " AND ".join(sql) or "TRUE", tuple(values))
