"""Requests that took more than one attempt: their rows, and which upstreams they had to leave lately. Reads only."""

from typing import NamedTuple

from gw.domain.attempts import ELSEWHERE, attempts_of, is_left, nexts
from gw.ledger.bounded import bounded
from gw.ledger.log_filter import EVERYTHING, LogScope
from gw.ledger.log_sql import term
from gw.ledger.logs import DEADLINE_S
from gw.ledger.store import COLUMNS, Connection, Database, Row

ROWS_MAX = 20  # of one request; a batch that was read has as many rows as it had answers
LATELY_MAX = 20_000  # requests


class Failures(NamedTuple):
    """Of an upstream: attempts that failed there and were followed by another one, `again` there or `elsewhere`."""

    again: int = 0
    elsewhere: int = 0


def rows_of_request(database: Database, first: str, scope: LogScope = EVERYTHING) -> list[Row]:
    """Values of COLUMNS, as they began; `first`: id of the earliest. Raises TooSlow, StoreError."""
    terms = [term(condition, database.dialect) for condition in scope.conditions()]
    seen = "".join(f" AND {one.sql}" for one in terms)
    values = tuple(value for one in terms for value in one.values)
    columns = ", ".join(COLUMNS)
    found: list[Row] = []
    with bounded(database, DEADLINE_S) as db:
        for place in ("call_id = ?", "attempt_of = ? AND attempt_of <> ''"):
            query = f"SELECT {columns} FROM call WHERE {place}{seen} ORDER BY started_us, call_id LIMIT {ROWS_MAX}"  # noqa: S608
            found += [tuple(row) for row in db.execute(query, (first, *values))] if db is not None else []
    return found


def failures(db: Connection, since_us: int) -> dict[str, Failures]:
    """By upstream, each attempt once: of rows that ended since then, the newest LATELY_MAX."""
    query = (
        "SELECT attempts, upstream, outcome, status FROM call WHERE attempts <> '' AND ended_us >= ? "
        "ORDER BY ended_us DESC LIMIT ?"
    )
    found: dict[str, Failures] = {}
    for attempts, upstream, outcome, status in db.execute(query, (since_us, LATELY_MAX)):
        for one in () if is_left(outcome, status) else nexts(attempts_of(attempts), upstream):
            before = found.get(one.attempt.upstream, Failures())
            elsewhere = one.then == ELSEWHERE
            found[one.attempt.upstream] = Failures(before.again + (not elsewhere), before.elsewhere + elsewhere)
    return found
