"""What people and programs ask of the ledger. Read-only connections; the keeper writes on beside them.

Sums are exact: SQLite's SUM is an int64, which pico-USD fill at 9.2 million dollars, so each amount is added up in two
halves of 31 and 33 bits and put together in Python. That holds for 2**32 rows.
"""

from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict

from gw.domain.call import CallRecord
from gw.ledger.sqlite import reading
from gw.ledger.store import COLUMNS

By = Literal["key", "team", "customer", "model", "session", "agent", "upstream", "day", "project", "outcome", "device"]
HALF_BITS = 31
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
    "day": f"date(ended_us / {DAY_US} * {DAY_US // 1_000_000}, 'unixepoch')",
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


def usage(path: Path, by: By, since_us: int = 0, until_us: int = 0, filters: Filters | None = None) -> list[UsageRow]:
    """Calls that ended in [since, until), 0 = open; days in order, everything else by billed cost, dearest first."""
    where, values = _where(filters or Filters(), since_us, until_us)
    halves = [half for name in MONEY for half in (f"SUM({name} >> {HALF_BITS})", f"SUM({name} & {2**HALF_BITS - 1})")]
    calls = ("SUM(endpoint = 'messages')", "SUM(endpoint = 'messages' AND outcome <> 'completed')")
    doubts = (f"SUM({IS_UNPRICED})", f"SUM({IS_ESTIMATED})")
    counts = [*calls, *doubts, *(f"SUM({name})" for name in TOKENS)]
    query = f"SELECT {GROUPS[by]} AS label, {', '.join(counts + halves)} FROM call {where} GROUP BY label"  # noqa: S608 - our own words
    with reading(path) as db:
        found = db.execute(query, values).fetchall() if db is not None else []
    rows = []
    for label, *sums in found:
        *counted, list_high, list_low, billed_high, billed_low = sums
        counted += [(list_high << HALF_BITS) + list_low, (billed_high << HALF_BITS) + billed_low]
        row = UsageRow(label, *counted)
        if row.calls or row.list_pusd or row.billed_pusd:
            rows.append(row)
    rows.sort(key=lambda row: row.group if by == "day" else (-row.billed_pusd, -row.list_pusd, -row.calls, row.group))
    return rows


def total(rows: list[UsageRow]) -> UsageRow:
    """The sum of all groups."""
    fields = UsageRow.__struct_fields__[1:]
    return UsageRow("total", *(sum(getattr(row, name) for row in rows) for name in fields))


def unpriced_models(path: Path, since_us: int = 0, until_us: int = 0, filters: Filters | None = None) -> list[str]:
    """The models of calls without a price, those with the most calls first."""
    where, values = _where(filters or Filters(), since_us, until_us)
    query = f"SELECT {GROUPS['model']} AS label FROM call {where} AND {IS_UNPRICED} GROUP BY label ORDER BY COUNT(*) DESC, label"  # noqa: S608 - our own words
    with reading(path) as db:
        return [label for (label,) in db.execute(query, values)] if db is not None else []


def is_unpriced(record: CallRecord) -> bool:
    """`IS_UNPRICED` for one record."""
    return record.price_version == "unpriced"


def is_estimated(record: CallRecord) -> bool:
    """`IS_ESTIMATED` for one record."""
    return record.usage_source in ("observed", "estimated")


def logs(
    path: Path, filters: Filters | None = None, *, since_us: int = 0, until_us: int = 0, limit: int = 50, after: int = -1
) -> tuple[list[CallRecord], int]:
    """Calls in the order in which they came into the ledger, and the cursor behind the last one.

    Without `after`: the newest `limit` ones. With it: the first `limit` that came after that cursor.
    """
    where, values = _where(filters or Filters(), since_us, until_us)
    columns = ", ".join(COLUMNS)
    if after >= 0:
        query = f"SELECT rowid, {columns} FROM call {where} AND rowid > ? ORDER BY rowid LIMIT ?"  # noqa: S608 - our own words
        values = [*values, after, limit]
    else:
        query = f"SELECT rowid, {columns} FROM call {where} ORDER BY rowid DESC LIMIT ?"  # noqa: S608 - our own words
        values = [*values, limit]
    with reading(path) as db:
        if db is None:
            return [], max(after, 0)
        db.execute("BEGIN")  # the rows and the cursor of one instant
        rows = db.execute(query, values).fetchall()
        newest = db.execute("SELECT MAX(rowid) FROM call").fetchone()[0] or 0
    if after < 0:
        rows.reverse()
    cursor = rows[-1][0] if len(rows) == limit and after >= 0 else newest
    return [_record(row[1:]) for row in rows], max(cursor, after)


def any_calls(path: Path) -> bool:
    """Whether the ledger holds anything at all."""
    with reading(path) as db:
        return db is not None and db.execute("SELECT 1 FROM call LIMIT 1").fetchone() is not None


def call_fields(record: CallRecord) -> dict[str, str | int | bool]:
    """Name -> value, for programs."""
    return asdict(record) | {"unpriced": is_unpriced(record), "estimated": is_estimated(record)}


def _where(filters: Filters, since_us: int, until_us: int) -> tuple[str, list[str | int]]:
    terms, values = ["1"], list[str | int]()

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
        add("(served_model GLOB ? OR requested_model GLOB ?)", filters.model, filters.model)
    if filters.error:
        add("error GLOB ?", filters.error)
    if filters.session:
        add("session_id >= ? AND session_id < ?", filters.session, filters.session + "\U0010ffff")
    return "WHERE " + " AND ".join(terms), values


def _record(values: tuple[str | int, ...]) -> CallRecord:
    named = dict(zip(COLUMNS, values, strict=True))
    named["stream"] = bool(named["stream"])
    return CallRecord(**named)  # type: ignore[arg-type]  # the table's columns are the record's fields
