"""The calls of the sessions in which routing sent something else than was asked for. Reads only."""

from collections.abc import Iterable, Iterator

from gw.domain.call import CallRecord
from gw.ledger.store import COLUMNS, Database

SESSIONS_AT_ONCE = 200
_SENT = "endpoint = 'messages' AND usage_source <> 'none' AND ended_us >= ? AND ended_us < ?"
_REROUTED = f"{_SENT} AND route <> '' AND sent_model <> ''"


def sessions(database: Database, since_us: int, until_us: int) -> Iterator[list[CallRecord]]:
    """Of each session (and of all calls without one) those that were billed, as they began. Raises StoreError."""
    with database.reading() as db:
        if db is None:
            return
        query = f"SELECT DISTINCT session_id FROM call WHERE {_REROUTED} ORDER BY session_id"  # noqa: S608 - our own words
        names = [row[0] for row in db.execute(query, (since_us, until_us)).fetchall()]
        for begin in range(0, len(names), SESSIONS_AT_ONCE):
            some = names[begin : begin + SESSIONS_AT_ONCE]
            marks = ", ".join("?" * len(some))
            query = (
                f"SELECT {', '.join(COLUMNS)} FROM call WHERE {_SENT} AND session_id IN ({marks}) "  # noqa: S608
                "AND (session_id <> '' OR (route <> '' AND sent_model <> '')) ORDER BY session_id, started_us, call_id"
            )
            yield from _grouped(db.execute(query, (since_us, until_us, *some)))


def _grouped(rows: Iterable[tuple[str | int, ...]]) -> Iterator[list[CallRecord]]:
    group: list[CallRecord] = []
    for row in rows:
        named = dict(zip(COLUMNS, row, strict=True))
        named["stream"] = bool(named["stream"])
        record = CallRecord(**named)  # type: ignore[arg-type]  # the table's columns are the record's fields
        if group and group[-1].session_id != record.session_id:
            yield group
            group = []
        group.append(record)
    if group:
        yield group
