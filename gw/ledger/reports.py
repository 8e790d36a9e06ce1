"""What people and programs ask of the ledger. Read-only connections; the keeper writes on beside them. Sums are exact."""

from datetime import date, timedelta
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

from gw.domain.call import CallRecord
from gw.ledger.sequence import highest
from gw.ledger.store import COLUMNS, Database, Dialect
from gw.ledger.sums import count_if, halves, whole

By = Literal["key", "team", "customer", "model", "session", "agent", "upstream", "day", "project", "outcome", "device"]
DAY_US = 86_400_000_000

# What rows are grouped by. A caller in passthrough has no key: the digest of its own credential stands for it.
GROUPS: dict[By, str] = {
    "key": "CASE WHEN key_name <> '' THEN key_name WHEN credential <> '' THEN 'passthrough ' || credential ELSE key_id END",
    "team": "team",
    "customer": "customer",
    "model": "CASE WHEN served_model <> '' THEN served_model ELSE requested_model END",
    "session": "session_id",
    "agent": "agent_id",
    "upstream": "upstream",
    "day": f"ended_us / {DAY_US}",
    "project": "project",
    "outcome": "outcome",
    "device": "device",
}
TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "thinking_tokens",
)
MONEY = ("list_pusd", "billed_pusd")
IS_CALL = "endpoint = 'messages'"
# Calls whose cost is not what the provider stated: unknown (it counts as 0 in the sums), or from an incomplete answer.
IS_UNPRICED = "price_version = 'unpriced'"
IS_ESTIMATED = "usage_source IN ('observed', 'estimated')"


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
    where, values = _where(database.dialect, filters or Filters(), since_us, until_us)
    counts = [count_if(term) for term in (IS_CALL, f"{IS_CALL} AND outcome <> 'completed'", IS_UNPRICED, IS_ESTIMATED)]
    sums = ", ".join([*counts, *map(halves, TOKENS + MONEY)])
    query = f"SELECT {GROUPS[by]} AS label, {sums} FROM call {where} GROUP BY label"  # noqa: S608 - our own words
    with database.reading() as db:
        found = db.execute(query, values).fetchall() if db is not None else []
    rows = []
    for label, *figures in found:
        counted, parts = figures[: len(counts)], figures[len(counts) :]
        row = UsageRow(_text(by, label), *counted, *map(whole, parts[::2], parts[1::2]))
        if row.calls or row.list_pusd or row.billed_pusd:
            rows.append(row)
    rows.sort(key=lambda row: row.group if by == "day" else (-row.billed_pusd, -row.list_pusd, -row.calls, row.group))
    return rows


def total(rows: list[UsageRow]) -> UsageRow:
    """The sum of all groups."""
    fields = UsageRow.__struct_fields__[1:]
    return UsageRow("total", *(sum(getattr(row, name) for row in rows) for name in fields))


def unpriced_models(database: Database, since_us: int = 0, until_us: int = 0, filters: Filters | None = None) -> list[str]:
    """The models of calls without a price, those with the most calls first."""
    where, values = _where(database.dialect, filters or Filters(), since_us, until_us)
    order = "GROUP BY label ORDER BY COUNT(*) DESC, label"
    query = f"SELECT {GROUPS['model']} AS label FROM call {where} AND {IS_UNPRICED} {order}"  # noqa: S608 - our own words
    with database.reading() as db:
        return [label for (label,) in db.execute(query, values)] if db is not None else []


def is_unpriced(record: CallRecord) -> bool:
    """`IS_UNPRICED` for one record."""
    return record.price_version == "unpriced"


def is_estimated(record: CallRecord) -> bool:
    """`IS_ESTIMATED` for one record."""
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


def _where(dialect: Dialect, filters: Filters, since_us: int, until_us: int) -> tuple[str, list[str | int]]:
    terms, values = ["TRUE"], list[str | int]()

    def add(term: str, *given: str | int) -> None:
        terms.append(term)
        values.extend(given)

    if since_us:
        add("ended_us >= ?", since_us)
    if until_us:
        add("ended_us < ?", until_us)
    if filters.key:
        add("(key_name = ? OR key_id = ?)", filters.key, filters.key)
    for name in ("team", "customer", "project", "upstream", "outcome", "status"):
        if wanted := getattr(filters, name):
            add(f"{name} = ?", wanted)
    if filters.model:
        pattern = dialect.pattern(filters.model)
        add(f"(served_model {dialect.glob} OR requested_model {dialect.glob})", pattern, pattern)
    if filters.error:
        add(f"error {dialect.glob}", dialect.pattern(filters.error))
    if filters.session:
        add("session_id >= ? AND session_id < ?", filters.session, filters.session + "\U0010ffff")
    return "WHERE " + " AND ".join(terms), values


def _record(values: tuple[str | int, ...]) -> CallRecord:
    named = dict(zip(COLUMNS, values, strict=True))
    named["stream"] = bool(named["stream"])
    return CallRecord(**named)  # type: ignore[arg-type]  # the table's columns are the record's fields
