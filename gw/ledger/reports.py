"""What people and programs ask of the ledger. Read-only connections; the keeper writes on beside them. Sums are exact, and read
from rollups (gw.ledger.usage_sql, gw.ledger.usage_sessions)."""

from datetime import date, timedelta
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

from gw.domain.call import CallRecord
from gw.domain.rolled import TOKENS
from gw.ledger.rollup_shape import KINDS
from gw.ledger.sequence import highest
from gw.ledger.store import COLUMNS, Connection, Database, Dialect
from gw.ledger.sums import whole
from gw.ledger.usage_sessions import LAST_CHARACTER, session_sums
from gw.ledger.usage_sql import EVER_US, GROUPS, Condition, Question, Stretch, Sums, sums

By = Literal["key", "team", "customer", "model", "session", "agent", "upstream", "day", "project", "outcome", "device"]
MONEY = ("list_pusd", "billed_pusd")
IS_CALL = "endpoint = 'messages'"
_COUNTS = ("calls", "failed", "unpriced", "observed", "estimated", *TOKENS)
_COLUMNS = (*_COUNTS, "list_high", "list_low", "billed_high", "billed_low")
_WITHOUT_SESSION = Condition(("kind",), "kind = ?", (KINDS[3],))


class Filters(Struct, frozen=True, kw_only=True):
    """All given ones must hold; empty means any. `model` and `error` are globs, `session` may be shortened to its beginning."""

    key: str = ""  # name or public id
    team: str = ""
    customer: str = ""
    model: str = ""  # requested or served
    session: str = ""
    project: str = ""
    upstream: str = ""
    outcome: str = ""
    status: int = 0
    error: str = ""


class UsageRow(Struct, frozen=True):
    """Sums over the calls of one group. `calls` counts `messages` only; money is pico-USD and may exceed 64 bits."""

    group: str
    calls: int
    failed: int  # of these, those that did not end "completed"
    unpriced: int  # calls of any endpoint whose model has no price: they cost 0 in the sums
    estimated: int  # calls of any endpoint billed at what was observed or estimated
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    thinking_tokens: int
    list_pusd: int
    billed_pusd: int


def usage(database: Database, by: By, since_us: int = 0, until_us: int = 0, filters: Filters | None = None) -> list[UsageRow]:
    """Calls that ended in [since, until), 0 = open; days in order, everything else by billed cost, dearest first."""
    wanted = filters or Filters()
    with database.reading() as db:
        found = _sums(db, database.dialect, by, wanted, Stretch(0, since_us, until_us or EVER_US)) if db is not None else {}
    rows = []
    for (label,), figures in found.items():
        counts = dict(zip(_COUNTS, figures, strict=False))
        doubted = counts.pop("observed") + counts.pop("estimated")
        tokens = {name: counts.pop(name) for name in TOKENS}
        money = whole(*figures[-4:-2]), whole(*figures[-2:])
        row = UsageRow(_text(by, label), **counts, estimated=doubted, **tokens, list_pusd=money[0], billed_pusd=money[1])
        if row.calls or row.list_pusd or row.billed_pusd:
            rows.append(row)
    rows.sort(key=lambda row: row.group if by == "day" else (-row.billed_pusd, -row.list_pusd, -row.calls, row.group))
    return rows


def _sums(db: Connection, dialect: Dialect, by: By, filters: Filters, stretch: Stretch) -> Sums:
    """By the label alone."""
    if by in ("session", "agent") or filters.session:
        return _sums_of_sessions(db, dialect, by, filters, stretch)
    groups = [] if by == "day" else [GROUPS[by]]
    found = sums(db, dialect, Question([stretch], groups, _conditions(dialect, filters), _COLUMNS, days=by == "day"))
    return {label[-1:]: figures for label, figures in found.items()}


def _sums_of_sessions(db: Connection, dialect: Dialect, by: By, filters: Filters, stretch: Stretch) -> Sums:
    conditions = _conditions(dialect, filters)
    # An expression: for the bare column SQLite walks through all sessions by its index instead of those of the time asked for.
    label = GROUPS[by].sql if by in GROUPS else {"session": "session_id || ''", "agent": "agent_id"}.get(by, "day")
    found = session_sums(db, label, stretch, conditions=conditions, prefix=filters.session, columns=_COLUMNS)
    if not filters.session:  # and those that are of no session
        rest = sums(db, dialect, Question([stretch], [], [*conditions, _WITHOUT_SESSION], _COLUMNS))
        for figures in rest.values():
            before = found.get(("",), [0] * len(figures))
            found[("",)] = [a + b for a, b in zip(before, figures, strict=True)]
    return found


def total(rows: list[UsageRow]) -> UsageRow:
    """The sum of all groups."""
    fields = UsageRow.__struct_fields__[1:]
    return UsageRow("total", *(sum(getattr(row, name) for row in rows) for name in fields))


def unpriced_models(database: Database, since_us: int = 0, until_us: int = 0, filters: Filters | None = None) -> list[str]:
    """The models of calls without a price, those with the most calls first."""
    with database.reading() as db:
        if db is None:
            return []
        found = _sums(db, database.dialect, "model", filters or Filters(), Stretch(0, since_us, until_us or EVER_US))
    counted = {label: figures[_COUNTS.index("unpriced")] for (label,), figures in found.items()}
    return sorted((label for label, count in counted.items() if count), key=lambda label: (-counted[label], label))


def is_unpriced(record: CallRecord) -> bool:
    """It counts as 0 in the sums, for nobody knows what it cost."""
    return record.price_version == "unpriced"


def is_estimated(record: CallRecord) -> bool:
    """Its cost is not what the provider stated, but from an incomplete answer."""
    return record.usage_source in ("observed", "estimated")


def logs(
    database: Database, filters: Filters | None = None, *, since_us: int = 0, until_us: int = 0, limit: int = 50, after: int = -1
) -> tuple[list[CallRecord], int]:
    """Calls in the order in which they came into the ledger, and the cursor behind the last one.

    Without `after`: the newest `limit` ones. With it: the first `limit` that came after that cursor.
    """
    where, values = _where(database.dialect, filters or Filters(), since_us, until_us)
    columns = ", ".join(COLUMNS)
    if after >= 0:
        query = f"SELECT seq, {columns} FROM call {where} AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - our own words
        values = [*values, after, limit]
    else:
        query = f"SELECT seq, {columns} FROM call {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608 - our own words
        values = [*values, limit]
    with database.reading() as db:
        if db is None:
            return [], max(after, 0)
        rows = db.execute(query, values).fetchall()
        newest = highest(db)
    if after < 0:
        rows.reverse()
    cursor = rows[-1][0] if len(rows) == limit and after >= 0 else newest
    return [_record(row[1:]) for row in rows], max(cursor, after)


def any_calls(database: Database) -> bool:
    """Whether the ledger holds anything at all."""
    with database.reading() as db:
        return db is not None and db.execute("SELECT 1 FROM call LIMIT 1").fetchone() is not None


def call_fields(record: CallRecord) -> dict[str, str | int | bool]:
    """Name -> value, for programs."""
    return asdict(record) | {"unpriced": is_unpriced(record), "estimated": is_estimated(record)}


def _text(by: By, label: Any) -> str:
    return (date(1970, 1, 1) + timedelta(days=label)).isoformat() if by == "day" else label


def _conditions(dialect: Dialect, filters: Filters) -> list[Condition]:
    """Of all filters but `session`."""
    found = []
    if filters.key:
        found.append(Condition(("key_name", "key_id"), "(key_name = ? OR key_id = ?)", (filters.key, filters.key)))
    for name in ("team", "customer", "project", "upstream", "outcome", "status"):
        if wanted := getattr(filters, name):
            found.append(Condition((name,), f"{name} = ?", (wanted,)))
    if filters.model:
        pattern = dialect.pattern(filters.model)
        either = f"(served_model {dialect.glob} OR requested_model {dialect.glob})"
        found.append(Condition(("served_model", "requested_model"), either, (pattern, pattern)))
    if filters.error:
        found.append(Condition(("error",), f"error {dialect.glob}", (dialect.pattern(filters.error),)))
    return found


def _where(dialect: Dialect, filters: Filters, since_us: int, until_us: int) -> tuple[str, list[str | int]]:
    terms, values = ["TRUE"], list[str | int]()
    for condition in _conditions(dialect, filters):
        terms.append(condition.sql)
        values += condition.values
    if since_us:
        terms.append("ended_us >= ?")
        values.append(since_us)
    if until_us:
        terms.append("ended_us < ?")
        values.append(until_us)
    if filters.session:
        terms.append("session_id >= ? AND session_id < ?")
        values += (filters.session, filters.session + LAST_CHARACTER)
    return "WHERE " + " AND ".join(terms), values


def _record(values: tuple[str | int, ...]) -> CallRecord:
    named = dict(zip(COLUMNS, values, strict=True))
    named["stream"] = bool(named["stream"])
    return CallRecord(**named)  # type: ignore[arg-type]  # the table's columns are the record's fields
