"""Rows as they go out, read in short transactions: neither SQLite's log nor Postgres' vacuum waits for an export.

By number (calls and adjustments by seq, audit by id) nothing can come later with a lower one, so page after page is the whole. By
time (a window of calls, the periods of usage and focus) rows may come while it is read; a period in which that happens is
exported again.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gw.domain.column import Column
from gw.domain.exported import ADJUSTMENTS, AUDIT, CALLS
from gw.domain.focus import CHARGED_FROM, CORRECTIONS, FOCUS, Charges
from gw.domain.focus import READ as FOCUS_READ
from gw.export.parts import Read
from gw.ledger import sequence
from gw.ledger.store import Database

END_OF_TIME_US = 2**62
PAGE_ROWS = 4000  # some 40 ms of reading
Pages = Iterator[list[Read]]


class Table(NamedTuple):
    """A table of the ledger that grows at its end."""

    name: str
    number: str  # column: rises by the order of commits
    at: str  # column: when it happened
    columns: tuple[Column, ...]

    def select(self, rest: str) -> str:
        names = ", ".join(column.source for column in self.columns)
        return f"SELECT {self.number}, {self.at}, {names} FROM {self.name} {rest}"  # noqa: S608 - our own names


TABLES = {
    "calls": Table("call", "seq", "ended_us", CALLS),
    "adjustments": Table("adjustment", "seq", "at_us", ADJUSTMENTS),
    "audit": Table("audit", "id", "at_us", AUDIT),
}


def by_number(database: Database, what: str, low: int, high: int) -> Pages:
    """Rows with low <= number <= high."""
    table, number = TABLES[what], low - 1
    query = table.select(f"WHERE {table.number} > ? AND {table.number} <= ? ORDER BY {table.number} LIMIT ?")
    while number < high:
        rows = _all(database, query, number, high, PAGE_ROWS)
        if rows:
            yield [Read(row[0], row[1], row[2:]) for row in rows]
        if len(rows) < PAGE_ROWS:
            return
        number = rows[-1][0]


def within(database: Database, what: str, low_us: int, high_us: int) -> Pages:
    """What happened in [low, high), of what there is at the beginning."""
    if what == "calls":  # by an index: a window may be an hour of years
        yield from calls_within(database, low_us, high_us, newest(database, what), tuple(column.source for column in CALLS))
        return
    for page in by_number(database, what, 1, newest(database, what)):
        inside = [row for row in page if low_us <= row.at_us < high_us]
        if inside:
            yield inside


def calls_within(database: Database, low_us: int, high_us: int, seq_max: int, columns: tuple[str, ...]) -> Pages:
    """Calls that ended in [low, high), in the order of their ends, of those that had come up to `seq_max`."""
    query = (
        f"SELECT ended_us, call_id, seq, {', '.join(columns)} FROM call "  # noqa: S608 - our own field names
        "WHERE (ended_us, call_id) > (?, ?) AND ended_us < ? AND seq <= ? ORDER BY ended_us, call_id LIMIT ?"
    )
    after: tuple[int, str] = (low_us - 1, "\U0010ffff")
    while True:
        rows = _all(database, query, *after, high_us, seq_max, PAGE_ROWS)
        if rows:
            yield [Read(row[2], row[0], row[3:]) for row in rows]
        if len(rows) < PAGE_ROWS:
            return
        after = rows[-1][0], rows[-1][1]


def focus(database: Database, start_us: int, end_us: int, bucket_us: int, providers: Mapping[str, str]) -> Pages:
    """The charges of [start, end), which are whole buckets; behind them the corrections of what repricing has changed there."""
    charges = Charges(bucket_us)
    for page in calls_within(database, start_us, end_us, newest(database, "calls"), FOCUS_READ):
        for row in page:
            charges.add(tuple(row.values))
    corrected = f"SELECT {', '.join(CORRECTIONS)} FROM adjustment WHERE ended_us >= ? AND ended_us < ? ORDER BY seq"  # noqa: S608
    for row in _all(database, corrected, start_us, end_us):
        charges.correct(tuple(row))
    yield from paged(charges.rows(providers), FOCUS.index(CHARGED_FROM))


def paged(rows: Iterator[tuple[Any, ...]], at: int) -> Pages:
    """Numbered from 0; the value at that place is the moment that says which partition a row is of."""
    page: list[Read] = []
    for number, row in enumerate(rows):
        page.append(Read(number, row[at], row))
        if len(page) == PAGE_ROWS:
            yield page
            page = []
    if page:
        yield page


# --- how far there is anything --------------------------------------------------------------------------------------------


def newest(database: Database, what: str) -> int:
    """The greatest number given; 0: none."""
    with database.reading() as db:
        if db is None:
            return 0
        if what == "calls":
            return sequence.highest(db)  # that of a row that has gone, too
        table = TABLES[what]
        return db.execute(f"SELECT MAX({table.number}) FROM {table.name}").fetchone()[0] or 0  # noqa: S608 - our own names


def first_since(database: Database, what: str, since_us: int) -> int:
    """The least number of what happened since then; behind the last, if nothing did."""
    table = TABLES[what]
    query = f"SELECT MIN({table.number}) FROM {table.name} WHERE {table.at} >= ?"  # noqa: S608 - our own names
    found = _all(database, query, since_us)
    return found[0][0] if found and found[0][0] is not None else newest(database, what) + 1


def first_us(database: Database, since_us: int) -> int:
    """When the first call, or adjusted call, since then ended; if there is none, after all time."""
    queries = ("SELECT MIN(ended_us) FROM call WHERE ended_us >= ?", "SELECT MIN(ended_us) FROM adjustment WHERE ended_us >= ?")
    found = [rows[0][0] for query in queries if (rows := _all(database, query, since_us)) and rows[0][0] is not None]
    return min(found, default=END_OF_TIME_US)


def touched_after(database: Database, what: str, number: int, bucket_us: int, limit: int) -> tuple[set[int], int]:
    """Starts of the buckets in which the next `limit` calls, or the calls of the next adjustments, ended; and the last number."""
    table = TABLES[what]
    query = f"SELECT {table.number}, ended_us FROM {table.name} WHERE {table.number} > ? ORDER BY {table.number} LIMIT ?"  # noqa: S608
    rows = _all(database, query, number, limit)
    return {ended - ended % bucket_us for _, ended in rows}, rows[-1][0] if rows else number


def _all(database: Database, query: str, *values: Any) -> list[Any]:
    """In a transaction of its own."""
    with database.reading() as db:
        return db.execute(query, values).fetchall() if db is not None else []
