"""A slow second opinion on rollups: every row and adjustment summed by itself, and what the tables hold, in the same shape."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import asdict

from gw.domain.call import CallRecord
from gw.ledger.rollup_shape import ACCOUNT, AMOUNTS, COUNTS, DIMENSIONS, LEVELS, MEASURES, OF_SESSION, TOKENS, TOOLS
from gw.ledger.store import COLUMNS, Database
from tests.support.databases import query

HOUR_US = 3_600_000_000
Sums = dict[tuple[Any, ...], dict[str, int]]


def kind_of(one: CallRecord) -> str:
    if one.agent_id:
        return "subagent"
    if not one.session_id:
        return "other"
    cached = one.cache_read_tokens + one.cache_write_5m_tokens + one.cache_write_1h_tokens
    side = one.input_tokens < 4096 or "haiku" in one.requested_model.lower()
    return "background" if not cached and one.usage_source != "none" and side else "main"


def dimensions_of(one: CallRecord) -> dict[str, Any]:
    prompt = one.input_tokens + one.cache_read_tokens + one.cache_write_5m_tokens + one.cache_write_1h_tokens
    fields = asdict(one)
    fields |= {"kind": kind_of(one), "context": "200k-1M" if prompt > 200_000 else "0-200k"}
    return {name: fields[name] for name in DIMENSIONS}


def measures_of(one: CallRecord) -> dict[str, int]:
    call = one.endpoint == "messages"
    done = call and one.outcome == "completed"
    found = {name: getattr(one, name) for name in (*TOKENS, *TOOLS, *AMOUNTS)}
    left = one.status == 0 and one.outcome in ("upstream_error", "timed_out")  # another attempt followed
    beside = one.attempt_of != "" and one.attempts == ""  # what a request that passes as it is has used
    found |= {"calls": int(call), "requests": int(not left and not beside), "failed": int(call and not done)}
    found["errors"] = int(call and one.outcome in ("upstream_error", "timed_out", "gw_error"))
    found["refused"] = int(call and one.outcome == "refused")
    found["unpriced"] = int(one.price_version == "unpriced")
    found |= {name: int(one.usage_source == name) for name in ("observed", "estimated")}
    for name, at_us in (("total", one.ended_us), ("first_byte", one.first_byte_us), ("first_token", one.first_token_us)):
        there = done and at_us > 0
        found[f"{name}_us"] = max(at_us - one.started_us, 0) if there else 0
        found[f"{name}_count"] = int(there)
    return found


def adjustment_of(amounts: Sequence[int]) -> dict[str, int]:
    return {**dict.fromkeys((*COUNTS, *AMOUNTS), 0), **dict(zip(AMOUNTS, amounts, strict=True))}


def wanted(records: Iterable[CallRecord], adjustments: Iterable[tuple[CallRecord, Sequence[int]]]) -> tuple[Sums, Sums, Sums]:
    """(of hours, of days, of agents by session, agent and path) -> measures; days and hours by level, time and path."""
    hours: Sums = {}
    days: Sums = {}
    agents: Sums = {}
    parts = [(one, measures_of(one)) for one in records] + [(one, adjustment_of(amounts)) for one, amounts in adjustments]
    for one, measures in parts:
        dimensions = dimensions_of(one)
        for level in LEVELS:
            blank = {name: 0 if name == "status" else "" for name in DIMENSIONS}
            path = tuple((dimensions if name in level.dimensions else blank)[name] for name in DIMENSIONS)
            for sums, span_us in ((hours, HOUR_US), (days, 24 * HOUR_US)):
                _add(sums, (level.number, one.ended_us // span_us, *path), measures)
        if one.session_id or one.agent_id:
            account = tuple(getattr(one, name) for name in ACCOUNT)
            key = (one.session_id, *account, one.agent_id, *dimensions.values())
            _add(agents, key, {name: measures[name] for name in (*OF_SESSION, "list_pusd", "billed_pusd")})
    return hours, days, agents


def _add(sums: Sums, key: tuple[Any, ...], measures: dict[str, int]) -> None:
    found = sums.setdefault(key, dict.fromkeys(measures, 0))
    for name, value in measures.items():
        found[name] += value


def kept(database: Database) -> tuple[Sums, Sums, Sums]:
    """What the tables hold, in the shape of `wanted`."""
    spans: list[Sums] = []
    for table in ("usage_hour", "usage_day"):
        columns = ", ".join([f"u.{name}" for name in MEASURES])
        paths = ", ".join(f"p.{name}" for name in DIMENSIONS)
        statement = f"SELECT u.level, u.at, {paths}, {columns} FROM {table} u JOIN usage_path p ON p.id = u.path_id"
        found: Sums = {}
        for row in query(database, statement):
            key, values = row[: 2 + len(DIMENSIONS)], dict(zip(MEASURES, row[2 + len(DIMENSIONS) :], strict=True))
            assert key not in found
            found[key] = {name: values[name] for name in COUNTS}
            for name in AMOUNTS:
                found[key][name] = (values[f"{name[:-5]}_high"] << 31) + values[f"{name[:-5]}_low"]
        spans.append(found)
    names = (*OF_SESSION, "list_pusd", "billed_pusd")
    identity = [f"s.{name}" for name in ("session_id", *ACCOUNT)] + ["a.agent_id"] + [f"p.{name}" for name in DIMENSIONS]
    statement = (
        f"SELECT {', '.join([*identity, *(f'a.{name}' for name in names)])} FROM usage_agent a "
        "JOIN usage_session s ON s.id = a.session JOIN usage_path p ON p.id = a.path_id"
    )
    agents = {row[: len(identity)]: dict(zip(names, row[len(identity) :], strict=True)) for row in query(database, statement)}
    return spans[0], spans[1], agents


def sessions(database: Database) -> dict[tuple[str, ...], tuple[int, ...]]:
    """(session, account) -> OF_SESSION, list, billed, first_us, last_us."""
    names = ("session_id", *ACCOUNT, *OF_SESSION, "list_pusd", "billed_pusd", "first_us", "last_us")
    rows = query(database, f"SELECT {', '.join(names)} FROM usage_session")
    return {row[: 1 + len(ACCOUNT)]: row[1 + len(ACCOUNT) :] for row in rows}


def check(
    database: Database, records: Sequence[CallRecord], adjustments: Sequence[tuple[CallRecord, Sequence[int]]] = ()
) -> None:
    """All rollups are the sums of these."""
    assert kept(database) == wanted(records, adjustments)
    by_session: dict[tuple[str, ...], list[CallRecord]] = {}
    for one in records:
        if one.session_id or one.agent_id:
            by_session.setdefault((one.session_id, *(getattr(one, name) for name in ACCOUNT)), []).append(one)
    found = sessions(database)
    assert set(found) == set(by_session)
    _, _, agents = wanted(records, adjustments)
    for key, calls in by_session.items():
        mine = [sums for path, sums in agents.items() if path[: len(key)] == key]
        totals = tuple(sum(sums[name] for sums in mine) for name in (*OF_SESSION, "list_pusd", "billed_pusd"))
        began = min(min(one.started_us, one.ended_us) for one in calls)
        assert found[key] == (*totals, began, max(one.ended_us for one in calls))


def stored(database: Database) -> list[CallRecord]:
    """The rows of the ledger."""
    rows = query(database, f"SELECT {', '.join(COLUMNS)} FROM call ORDER BY seq")
    found = []
    for row in rows:
        named = dict(zip(COLUMNS, row, strict=True))
        named["stream"] = bool(named["stream"])
        found.append(CallRecord(**named))
    return found
