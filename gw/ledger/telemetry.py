"""Keeps what Claude Code reports of itself, and counts it. Written by the courier alone, in one transaction with the place in
the spool that it was read from, so that everything counts once.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec.structs import asdict

from gw.domain.telemetry import TOTALS, Count, Event, Owner, Told
from gw.ledger.store import Connection, Database

DAY_US = 86_400_000_000
GONE_MAX = 2000  # rows that go at a time
SUM_MAX = 2**62  # where a sum stays, whatever clients report: what does not fit into its column would keep all others out


def _grown(table: str, name: str) -> str:
    """A column of an upsert, with what is offered added to it."""
    own, more = f"{table}.{name}", f"excluded.{name}"
    return f"{name} = CASE WHEN {own} > {SUM_MAX} - {more} THEN {SUM_MAX} ELSE {own} + {more} END"


_EVENT_COLUMNS = (
    "session_id", "at_us", "sequence", "name", "key_id", "key_name", "team", "customer", "project", "prompt_id", "request_id",
    "model", "tool", "mcp_server", "mcp_tool", "skill", "decision", "source", "success", "duration_ms", "estimated_pusd", "more",
)  # fmt: skip
_PUT_EVENT = (
    f"INSERT INTO telemetry_event ({', '.join(_EVENT_COLUMNS)}) VALUES ({', '.join('?' * len(_EVENT_COLUMNS))}) "  # noqa: S608
    "ON CONFLICT (session_id, at_us, sequence, name, key_id) DO NOTHING"
)
_SERIES = "SELECT start_us, last_us, value FROM telemetry_series WHERE session_id = ? AND key_id = ? AND series = ?"
_PUT_SERIES = (
    "INSERT INTO telemetry_series (session_id, key_id, series, start_us, last_us, value) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (session_id, key_id, series) "
    "DO UPDATE SET start_us = excluded.start_us, last_us = excluded.last_us, value = excluded.value"
)
_WHO = "day_us, session_id, key_id, key_name, team, customer, project"
_TOOL_COUNTS = ("calls", "failures", "duration_ms", "accepted", "rejected")
_ADD_TOOL = (
    f"INSERT INTO telemetry_tool ({_WHO}, tool, mcp_server, skill, {', '.join(_TOOL_COUNTS)}) "  # noqa: S608 - our own names
    f"VALUES ({', '.join('?' * (10 + len(_TOOL_COUNTS)))}) ON CONFLICT (session_id, key_id, day_us, tool, mcp_server, skill) "
    f"DO UPDATE SET {', '.join(_grown('telemetry_tool', name) for name in _TOOL_COUNTS)}"
)
_SPOOL = "SELECT name, kept_bytes, sent_bytes FROM telemetry_spool"
_PLACE = {
    part: f"INSERT INTO telemetry_spool (name, {part}) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET {part} = excluded.{part}"  # noqa: S608
    for part in ("kept_bytes", "sent_bytes")
}
_PROJECT = "SELECT project FROM call WHERE session_id = ? AND project <> '' LIMIT 1"
_KNOWN_PROJECT = "SELECT project FROM telemetry_session WHERE session_id = ? AND project <> '' LIMIT 1"


class Place(NamedTuple):
    """How far a file of the spool is dealt with, in bytes."""

    kept: int = 0
    sent: int = 0


def places(database: Database) -> dict[str, Place]:
    """By file. Raises StoreError."""
    with database.reading() as db:
        return {} if db is None else {name: Place(kept, sent) for name, kept, sent in db.execute(_SPOOL)}


def forget_places(database: Database, names: Iterable[str]) -> None:
    """Those files are gone. Raises StoreError."""
    with database.changing() as db:
        db.executemany("DELETE FROM telemetry_spool WHERE name = ?", [(name,) for name in names])


def move_sent(database: Database, name: str, to_bytes: int) -> None:
    """All up to there was sent on. Raises StoreError."""
    with database.changing() as db:
        db.execute(_PLACE["sent_bytes"], (name, to_bytes))


def keep(database: Database, told: Iterable[tuple[Owner, Told]], name: str, to_bytes: int) -> None:
    """Everything that the file says up to there, and that place. Raises StoreError."""
    with database.changing() as db:
        for owner, one in told:
            _keep(db, owner, one)
        db.execute(_PLACE["kept_bytes"], (name, to_bytes))


def retire(database: Database, before_us: int) -> bool:
    """Some of what is older goes; whether there may be more. Raises StoreError."""
    more = False
    with database.changing() as db:
        for table, column in (
            ("telemetry_event", "at_us"),
            ("telemetry_session", "day_us"),
            ("telemetry_tool", "day_us"),
            ("telemetry_series", "last_us"),
        ):
            old = f"SELECT {column} FROM {table} WHERE {column} < ? ORDER BY {column} LIMIT ?"  # noqa: S608 - our own names
            rows = db.execute(old, (before_us, GONE_MAX)).fetchall()
            if rows:
                db.execute(f"DELETE FROM {table} WHERE {column} <= ? AND {column} < ?", (rows[-1][0], before_us))  # noqa: S608
                more = more or len(rows) == GONE_MAX
    return more


def _keep(db: Connection, owner: Owner, told: Told) -> None:
    projects: dict[str, str] = {}

    def project_of(one: Count | Event) -> str:
        """As the client says, else as its calls say."""
        if one.project or not one.session_id:
            return one.project
        if one.session_id not in projects:
            whose = (one.session_id,)
            found = db.execute(_KNOWN_PROJECT, whose).fetchone() or db.execute(_PROJECT, whose).fetchone()
            projects[one.session_id] = found[0] if found else ""
        return projects[one.session_id]

    for count in told.counts:
        if grown := _growth(db, owner, count):
            _add(db, _who(owner, count, project_of(count)), count.at_us, {count.total: grown})
    for event in told.events:
        _keep_event(db, owner, event, project_of(event))


def _growth(db: Connection, owner: Owner, count: Count) -> int:
    """What this point adds to its series; 0 if it is known already."""
    found = db.execute(_SERIES, (count.session_id, owner.key_id, count.series)).fetchone()
    start_us, last_us, value = found or (0, 0, 0)
    if found is not None and count.at_us <= last_us:
        return 0
    db.execute(_PUT_SERIES, (count.session_id, owner.key_id, count.series, count.start_us, count.at_us, count.value))
    if not count.cumulative or found is None or count.start_us != start_us:
        return count.value
    return max(count.value - value, 0)


def _add(db: Connection, who: tuple[Any, ...], at_us: int, amounts: Mapping[str, int]) -> None:
    """`amounts`: by the columns that they are added to."""
    assert amounts.keys() <= {*TOTALS, "prompts"}, amounts
    table = "telemetry_session"
    sets = [_grown(table, name) for name in amounts]
    db.execute(
        f"INSERT INTO {table} ({_WHO}, first_us, last_us, {', '.join(amounts)}) "  # noqa: S608 - columns of ours
        f"VALUES ({', '.join('?' * (9 + len(amounts)))}) ON CONFLICT (session_id, key_id, day_us) DO UPDATE SET "
        f"first_us = CASE WHEN excluded.first_us < {table}.first_us THEN excluded.first_us ELSE {table}.first_us END, "
        f"last_us = CASE WHEN excluded.last_us > {table}.last_us THEN excluded.last_us ELSE {table}.last_us END, "
        f"project = CASE WHEN {table}.project = '' THEN excluded.project ELSE {table}.project END, {', '.join(sets)}",
        (*who, at_us, at_us, *amounts.values()),
    )


def _who(owner: Owner, one: Count | Event, project: str) -> tuple[Any, ...]:
    day_us = one.at_us - one.at_us % DAY_US
    return (day_us, one.session_id, owner.key_id, owner.key_name, owner.team, owner.customer, project)


def _keep_event(db: Connection, owner: Owner, event: Event, project: str) -> None:
    known = asdict(owner) | {"project": project}
    values = [known[name] if name in known else getattr(event, name) for name in _EVENT_COLUMNS]
    if db.execute(_PUT_EVENT, values).rowcount != 1:
        return  # it came before
    _add(db, _who(owner, event, project), event.at_us, {"prompts": int(event.name == "user_prompt")})
    if counts := _tool_counts(event):
        db.execute(_ADD_TOOL, (*_who(owner, event, project), event.tool, event.mcp_server, event.skill, *counts))


def _tool_counts(event: Event) -> tuple[int, ...]:
    """In the order of _TOOL_COUNTS; () for an event that is no use of a tool."""
    if event.name == "tool_result":
        return (1, int(event.success == 0), event.duration_ms, 0, 0)
    if event.name == "tool_decision":
        return (0, 0, 0, int(event.decision == "accept"), int(event.decision == "reject"))
    return ()
