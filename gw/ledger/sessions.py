"""Sessions: a list of them from the rollups, and the calls of one. Reads only; whose sessions may be seen is an argument."""

from typing import Any

from msgspec import Struct

from gw.domain.session import SessionCall
from gw.ledger.bounded import bounded
from gw.ledger.log_columns import MODEL, Column, Kind
from gw.ledger.log_filter import EVERYTHING, LogFilter, LogScope, Parameters, Text, parameters_of
from gw.ledger.log_sql import Term, beginning, term
from gw.ledger.logs import COUNT_MAX, DEADLINE_S, Spot
from gw.ledger.store import Connection, Database, Dialect

CALLS_MAX = 5_000  # of one session are looked at
_SESSION = "session_id, key_name, key_id, team, customer, credential, first_us, last_us, calls, requests, failed, billed_pusd, "
_SESSION += "list_pusd, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens"
_TOKENS = "(input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens)"


class SessionRow(Struct, frozen=True, array_like=True):
    """Of one session and account; calls: of messages; requests: of every kind. Without the adjustments that came later."""

    session_id: str
    key_name: str
    key_id: str
    team: str
    customer: str
    credential: str
    first_us: int
    last_us: int
    calls: int
    requests: int
    failed: int
    billed_pusd: int
    list_pusd: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int


class SessionPage(Struct, frozen=True):
    rows: list[SessionRow]
    next: Spot | None
    count: int | None  # COUNT_MAX + 1: more than that; None: not asked for


def _column(name: str, kind: Kind, sql: str = "", about: str = "", parts: tuple[str, ...] = ()) -> Column:
    return Column(name, kind, sql or name, _unused, about, parts)


def _unused(_: Any) -> Any:
    raise AssertionError("sessions are filtered by the database alone")


SESSION_COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        _column("session_id", "text"),
        _column("key", "text", "key_name", "Name or public id of the virtual key.", ("key_name", "key_id")),
        _column("key_name", "text"),
        _column("key_id", "text"),
        _column("team", "text"),
        _column("customer", "text"),
        _column("credential", "text"),
        _column("started_at", "moment", "first_us", "When its first call began."),
        _column("ended_at", "moment", "last_us", "When its latest call ended; `since` and `until` look at this."),
        _column("calls", "number"),
        _column("failed", "number"),
        _column("billed_usd", "money", "billed_pusd", "`cost_usd` means the same."),
        _column("tokens", "number", _TOKENS),
    )
}
SESSION_PARAMETERS: Parameters = parameters_of(SESSION_COLUMNS, {"cost_usd": "billed_usd", "session": "session_id"})
SESSION_SORTS: dict[str, str] = {
    "ended_at": "last_us",
    "started_at": "first_us",
    "billed_usd": "billed_pusd",
    "tokens": _TOKENS,
    "calls": "calls",
}
SOUGHT = ("key_name", "team", "customer")


class AskedSessions(Struct, frozen=True, kw_only=True):
    wanted: LogFilter = LogFilter()
    scope: LogScope = EVERYTHING
    sort: str = "ended_at"
    falling: bool = True
    limit: int = 100
    after: Spot | None = None
    count: bool = True


def session_page(database: Database, asked: AskedSessions) -> SessionPage:
    """Raises TooSlow, StoreError."""
    terms = _terms(database.dialect, asked.wanted, asked.scope)
    where = " AND ".join(["session_id <> ''", *(one.sql for one in terms)])
    values = [value for one in terms for value in one.values]
    key, sign = SESSION_SORTS[asked.sort], "<" if asked.falling else ">"
    after = f" AND ({key}, id) {sign} (?, ?)" if asked.after is not None else ""
    direction = "DESC" if asked.falling else "ASC"
    query = (
        f"SELECT {key}, id, {_SESSION} FROM usage_session WHERE {where}{after} "  # noqa: S608 - our own words
        f"ORDER BY {key} {direction}, id {direction} LIMIT ?"
    )
    with bounded(database, DEADLINE_S) as db:
        if db is None:
            return SessionPage([], None, 0 if asked.count else None)
        found = db.execute(query, (*values, *(asked.after or ()), asked.limit + 1)).fetchall()
        count = _count(db, where, values) if asked.count else None
    rows = [SessionRow(*row[2:]) for row in found[: asked.limit]]
    last = found[asked.limit - 1] if len(found) > asked.limit else None
    return SessionPage(rows, Spot(last[0], last[1]) if last is not None else None, count)


def session(database: Database, session_id: str, scope: LogScope = EVERYTHING) -> tuple[list[SessionRow], list[SessionCall]]:
    """The session by account, and its first CALLS_MAX calls of messages in the order in which they came. Raises TooSlow."""
    terms = _terms(database.dialect, LogFilter(), scope)
    where = " AND ".join(["session_id = ?", *(one.sql for one in terms)])
    values = (session_id, *(value for one in terms for value in one.values))
    names = [MODEL if name == "model" else name for name in SessionCall.__struct_fields__]
    with bounded(database, DEADLINE_S) as db:
        if db is None:
            return [], []
        rows = db.execute(f"SELECT {_SESSION} FROM usage_session WHERE {where} ORDER BY first_us", values)  # noqa: S608
        sessions = [SessionRow(*row) for row in rows]
        calls = db.execute(
            f"SELECT {', '.join(names)} FROM call WHERE {where} AND endpoint = 'messages' "  # noqa: S608 - our own words
            f"ORDER BY seq + 0 LIMIT {CALLS_MAX}",  # by no index but the session's
            values,
        )
        return sessions, [SessionCall(*row) for row in calls]


def _terms(dialect: Dialect, wanted: LogFilter, scope: LogScope) -> list[Term]:
    terms = [term(condition, dialect) for condition in wanted.within(scope).conditions]
    if wanted.q:
        folded = dialect.pattern(Text(("", "*", wanted.q.lower(), "*", "")).glob)
        sql, bounds = beginning("session_id", wanted.q)
        parts = [sql, *(f"lower({name}) {dialect.glob}" for name in SOUGHT)]
        terms.append(Term(f"({' OR '.join(parts)})", (*bounds, *(folded for _ in SOUGHT))))
    return terms


def _count(db: Connection, where: str, values: list[Any]) -> int:
    inner = f"SELECT 1 FROM usage_session WHERE {where} LIMIT {COUNT_MAX + 1}"  # noqa: S608 - our own words
    return int(db.execute(f"SELECT COUNT(*) FROM ({inner}) AS found", values).fetchone()[0])  # noqa: S608
