"""What is asked of Claude Code's own reports, beside what the calls cost: by team, key, project, session or day; tools,
skills, MCP servers; one session.

Counts come from the sums of sessions and tools, costs from the rollups of calls, both by whole days (UTC). What a session cost
in all stands in its own rollup, so that a list of sessions costs one look-up each. Sums of money are whole pico-USD of any size.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from gw.domain.telemetry import TOTALS
from gw.ledger.cursor import CURSORS
from gw.ledger.rollup_shape import LEVELS
from gw.ledger.store import Connection, Database
from gw.ledger.sums import halves, whole

By = Literal["team", "customer", "key", "project", "session", "day"]
ToolBy = Literal["tool", "mcp_server", "skill"]
DAY_US = 86_400_000_000
COUNTED = (*TOTALS, "prompts")
GROUPS: dict[By, str] = {
    "team": "team", "customer": "customer", "key": "key_name", "project": "project", "session": "session_id", "day": "day_us",
}  # fmt: skip
EVENT_FIELDS = (
    "at_us", "name", "prompt_id", "request_id", "model", "tool", "mcp_server", "mcp_tool", "skill", "decision", "source",
    "success", "duration_ms", "more",
)  # fmt: skip
TOOL_FIELDS = ("calls", "failures", "duration_ms", "accepted", "rejected")


class Scope(Struct, frozen=True, kw_only=True):
    """All given ones must hold; "" and 0 mean any. Days begin at 00:00 UTC, in microseconds."""

    since_us: int = 0
    until_us: int = 0
    key: str = ""  # name
    team: str = ""
    customer: str = ""
    project: str = ""
    session: str = ""


class Cost(NamedTuple):
    """Of calls in the ledger."""

    calls: int = 0
    billed_pusd: int = 0


class Group(NamedTuple):
    name: str  # of a day: its microseconds
    sessions_seen: int
    first_us: int
    last_us: int
    counts: dict[str, int]  # COUNTED
    cost: Cost


class ToolUse(NamedTuple):
    name: str
    sessions: int
    calls: int
    failures: int
    duration_ms: int
    accepted: int
    rejected: int
    cost: Cost  # of the calls that asked for it, as far as they are known; of a skill: made under it


class Happening(NamedTuple):
    """An event, and what the call that it belongs to cost."""

    fields: dict[str, Any]  # EVENT_FIELDS
    cost: Cost


class Export(NamedTuple):
    """A duty of the courier that sends calls on, and how far behind it is."""

    name: str
    seq: int
    behind: int  # rows of the ledger
    refused: int  # by whoever they were sent to, for good


def groups(database: Database, by: By, scope: Scope, limit: int) -> list[Group]:
    """The dearest first; days in order. Raises StoreError."""
    where, values = _where(scope)
    sums = ", ".join(halves(name) for name in COUNTED)
    query = (
        f"SELECT {GROUPS[by]} AS label, COUNT(DISTINCT session_id), MIN(first_us), MAX(last_us), {sums} "  # noqa: S608 - our own words
        f"FROM telemetry_session {where} GROUP BY label ORDER BY MAX(last_us) DESC LIMIT ?"
    )
    with database.reading() as db:
        if db is None:
            return []
        rows = db.execute(query, (*values, limit)).fetchall()
        labels = [row[0] for row in rows]
        costs = _costs_of_sessions(db, labels) if by == "session" else _costs(db, by, scope)
    found = []
    for label, sessions, first_us, last_us, *parts in rows:
        counts = dict(zip(COUNTED, map(whole, parts[::2], parts[1::2]), strict=True))
        found.append(Group(str(label), sessions, first_us, last_us, counts, costs.get(label, Cost())))
    found.sort(key=lambda one: int(one.name) if by == "day" else (-one.cost.billed_pusd, -one.last_us))
    return found


def tools(database: Database, by: ToolBy, scope: Scope, limit: int) -> list[ToolUse]:
    """The most used first; what is no tool of an MCP server, or no skill, is not in those lists. Raises StoreError."""
    where, values = _where(scope)
    named = "" if by == "tool" else f"AND {by} <> ''"
    sums = ", ".join(halves(name) for name in TOOL_FIELDS)
    query = (
        f"SELECT {by} AS label, COUNT(DISTINCT session_id), {sums} FROM telemetry_tool {where} {named} "  # noqa: S608 - our own words
        "GROUP BY label ORDER BY SUM(calls) DESC, label LIMIT ?"
    )
    with database.reading() as db:
        if db is None:
            return []
        rows = db.execute(query, (*values, limit)).fetchall()
        costs = _costs_of_tools(db, by, scope, [row[0] for row in rows])
    found = []
    for label, sessions, *parts in rows:
        counts = dict(zip(TOOL_FIELDS, map(whole, parts[::2], parts[1::2]), strict=True))
        found.append(ToolUse(label, sessions, cost=costs.get(label, Cost()), **counts))
    return found


def events(
    database: Database, scope: Scope, limit: int, after: tuple[int, int] = (0, -1)
) -> list[tuple[tuple[int, int], Happening]]:
    """Of `scope.session`, in their order, from behind that place (time, sequence) on; each with its own. Raises StoreError."""
    key = "AND e.key_name = ?" if scope.key else ""
    columns = ", ".join(f"e.{name}" for name in EVENT_FIELDS)
    query = (
        f"SELECT {columns}, e.sequence, c.call_id, c.billed_pusd FROM telemetry_event e "  # noqa: S608 - our own words
        "LEFT JOIN call c ON c.call_id = e.request_id AND e.name = 'api_request' "
        f"WHERE e.session_id = ? AND (e.at_us > ? OR (e.at_us = ? AND e.sequence > ?)) {key} ORDER BY e.at_us, e.sequence LIMIT ?"
    )
    values = (scope.session, after[0], *after, *((scope.key,) if scope.key else ()), limit)
    with database.reading() as db:
        rows = [] if db is None else db.execute(query, values).fetchall()
    return [
        ((row[0], row[-3]), Happening(dict(zip(EVENT_FIELDS, row, strict=False)), Cost(int(row[-2] is not None), row[-1] or 0)))
        for row in rows
    ]


def exports(database: Database) -> list[Export]:
    """What the courier's duties have still before them. Raises StoreError."""
    with database.reading() as db:
        return [] if db is None else [Export(*row) for row in db.execute(CURSORS)]


def _where(scope: Scope) -> tuple[str, list[str | int]]:
    terms, values = ["TRUE"], list[str | int]()
    for term, value in (
        ("day_us >= ?", scope.since_us),
        ("day_us < ?", scope.until_us),
        ("key_name = ?", scope.key),
        ("team = ?", scope.team),
        ("customer = ?", scope.customer),
        ("project = ?", scope.project),
        ("session_id = ?", scope.session),
    ):
        if value:
            terms.append(term)
            values.append(value)
    return f"WHERE {' AND '.join(terms)}", values


def _costs(db: Connection, by: By, scope: Scope) -> dict[Any, Cost]:
    """By the rollup that is smallest and knows enough."""
    filters = {"key_name": scope.key, "team": scope.team, "customer": scope.customer, "project": scope.project}
    asked = {name for name, value in filters.items() if value} | ({GROUPS[by]} if by != "day" else set())
    level = next(one for one in LEVELS if asked <= set(one.dimensions))
    terms, values = ["d.level = ?"], list[str | int]([level.number])
    for name, value in filters.items():
        if value:
            terms.append(f"p.{name} = ?")
            values.append(value)
    for term, us in (("d.at >= ?", scope.since_us), ("d.at < ?", scope.until_us)):
        if us:
            terms.append(term)
            values.append(us // DAY_US)
    label = "d.at" if by == "day" else f"p.{GROUPS[by]}"
    query = (
        f"SELECT {label} AS label, SUM(d.calls), SUM(d.billed_high), SUM(d.billed_low) FROM usage_day d "  # noqa: S608 - our own words
        f"JOIN usage_path p ON p.id = d.path_id WHERE {' AND '.join(terms)} GROUP BY label"
    )
    found = {}
    for name, calls, high, low in db.execute(query, values):
        found[name * DAY_US if by == "day" else name] = Cost(int(calls), whole(int(high), int(low)))
    return found


def _costs_of_sessions(db: Connection, ids: Sequence[str]) -> dict[Any, Cost]:
    """Whole sessions, whenever they ran."""
    if not ids:
        return {}
    query = (
        f"SELECT session_id, SUM(calls), {halves('billed_pusd')} FROM usage_session "  # noqa: S608 - parameters
        f"WHERE session_id IN ({', '.join('?' * len(ids))}) GROUP BY session_id"
    )
    return {name: Cost(int(calls), whole(high, low)) for name, calls, high, low in db.execute(query, list(ids))}


def _costs_of_tools(db: Connection, by: ToolBy, scope: Scope, names: Iterable[str]) -> Mapping[str, Cost]:
    """Of calls whose events name the tool's use, or the skill at work. Of one session only: over all it would read every
    event."""
    if not scope.session:
        return {}
    event = "api_request" if by == "skill" else "tool_result"
    query = (
        f"SELECT label, COUNT(*), {halves('c.billed_pusd')} FROM (SELECT DISTINCT {by} AS label, request_id FROM telemetry_event "  # noqa: S608
        "WHERE session_id = ? AND name = ? AND request_id <> '') e JOIN call c ON c.call_id = e.request_id GROUP BY label"
    )
    wanted = set(names)
    return {
        label: Cost(calls, whole(high, low))
        for label, calls, high, low in db.execute(query, (scope.session, event))
        if label in wanted
    }
