"""Operations on what Claude Code reports of itself: lines, commits, pull requests and tools, beside what their calls cost. Who
signs in with a virtual key sees that key's alone."""

from datetime import date
from typing import Annotated, Any, cast, get_args

import msgspec
import orjson
from msgspec import Meta, Struct

from gw.control.http_answer import NO_STORE, Answer, Ask
from gw.control.http_items import Desk
from gw.control.http_listing import LIMIT_DEFAULT, LIMIT_MAX, bounded
from gw.control.http_shapes import Moment, Money
from gw.control.problem import FieldError, Problem, all_invalid
from gw.domain.money import round_half_even, usd_text
from gw.domain.shown import EPOCH, iso
from gw.ledger import telemetry_reports as reports
from gw.ledger.database import database_of
from gw.ledger.telemetry_reports import DAY_US, By, Cost, Group, Scope, ToolBy, ToolUse

BYS: tuple[By, ...] = get_args(By)
TOOL_BYS: tuple[ToolBy, ...] = get_args(ToolBy)
NAMES = ("key", "team", "customer", "project", "session")
NAME_CHARS_MAX = 500
EVENTS_MAX = 1000
PUSD_PER_STEP = 1_000_000  # amounts per commit and the like: to a millionth of a USD

Share = Annotated[Annotated[float, Meta(ge=0, le=1)] | None, Meta(description="null: there was none.")]
Each = Annotated[Money | None, Meta(description="null: there was none.")]


class TelemetryGroup(Struct, frozen=True):
    """What was done, and what it cost."""

    group: Annotated[str, Meta(description='The team, key, ...; of a day its date. "": of none.')]
    sessions: int
    prompts: int
    first_at: Moment
    last_at: Moment
    active_s: Annotated[int, Meta(description="At work in the client: typing and reading, tools and answers.")]
    lines_added: int
    lines_removed: int
    commits: int
    pull_requests: int
    edits_accepted: int
    edits_rejected: int
    accept_share: Share
    calls: Annotated[int, Meta(description="In gw's ledger.")]
    cost_usd: Annotated[Money, Meta(description="As billed, from gw's ledger: of whole days, of a session all there ever was.")]
    estimated_usd: Annotated[Money, Meta(description="As the client guessed it.")]
    per_commit_usd: Each
    per_pull_request_usd: Each
    per_100_lines_usd: Annotated[Money | None, Meta(description="Lines added and removed. null: there were none.")]


class TelemetrySummary(Struct, frozen=True):
    by: str
    items: tuple[TelemetryGroup, ...]


class ToolView(Struct, frozen=True):
    """How a tool, a skill or the tools of an MCP server were used."""

    name: str
    sessions: int
    calls: int
    failures: int
    success_share: Share
    average_ms: Annotated[int | None, Meta(description="null: it was never used.")]
    accepted: Annotated[int, Meta(description="How often its use was allowed.")]
    rejected: int
    accept_share: Share
    cost_usd: Annotated[
        Money | None, Meta(description="With `session`: of the calls that asked for it, or were made under the skill. Else null.")
    ]


class TelemetryTools(Struct, frozen=True):
    by: str
    items: tuple[ToolView, ...]


class TelemetryEvent(Struct, frozen=True):
    """As the client reported it. What it has nothing to say of is "" or null."""

    at: Moment
    name: str
    prompt_id: str
    request_id: Annotated[str, Meta(description="gw's id of the call that it belongs to.")]
    model: str
    tool: str
    mcp_server: str
    mcp_tool: str
    skill: str
    decision: str
    source: str
    success: bool | None
    duration_ms: int
    cost_usd: Annotated[Money | None, Meta(description="Of an api_request that is in the ledger: as billed.")]
    more: dict[str, Any]


class TelemetrySession(Struct, frozen=True):
    """One session, as its client reported it."""

    session_id: str
    totals: Annotated[TelemetryGroup | None, Meta(description="null: nothing was reported of this session.")]
    tools: tuple[ToolView, ...]
    mcp_servers: tuple[ToolView, ...]
    skills: tuple[ToolView, ...]
    events: tuple[TelemetryEvent, ...]
    next_cursor: Annotated[str | None, Meta(description="For more events; null: these are the last.")]


class ExportState(Struct, frozen=True):
    """A duty that sends calls on."""

    name: str
    seq: Annotated[int, Meta(description="The last row of the ledger that it has dealt with.")]
    behind: Annotated[int, Meta(description="Rows that are still before it.")]
    refused: Annotated[int, Meta(description="Of what it sent: refused for good by whoever takes it, and passed over.")]


class ExportStates(Struct, frozen=True):
    items: tuple[ExportState, ...]


def summary(desk: Desk, ask: Ask) -> Answer:
    """GET /api/telemetry/summary."""
    errors: list[FieldError] = []
    by = cast(By, _choice(ask, "by", BYS, errors))
    scope, limit = _scope(desk, ask, errors), bounded(ask.query, "limit", errors, default=LIMIT_DEFAULT, high=LIMIT_MAX)
    if errors:
        raise all_invalid(errors)
    found = reports.groups(_database(desk), by, scope, limit)
    return _shown(TelemetrySummary(by, tuple(_group(one, by) for one in found)))


def tools(desk: Desk, ask: Ask) -> Answer:
    """GET /api/telemetry/tools."""
    errors: list[FieldError] = []
    by = cast(ToolBy, _choice(ask, "by", TOOL_BYS, errors))
    scope, limit = _scope(desk, ask, errors), bounded(ask.query, "limit", errors, default=LIMIT_DEFAULT, high=LIMIT_MAX)
    if errors:
        raise all_invalid(errors)
    return _shown(TelemetryTools(by, _tools(desk, by, scope, limit)))


def session(desk: Desk, ask: Ask) -> Answer:
    """GET /api/telemetry/sessions/{id}. A cursor is the place of the last event of the page before."""
    errors: list[FieldError] = []
    limit = bounded(ask.query, "limit", errors, default=LIMIT_DEFAULT, high=EVENTS_MAX)
    after = _place(ask.query.get("cursor", ""), errors)
    if errors:
        raise all_invalid(errors)
    scope = Scope(session=ask.path["id"][:NAME_CHARS_MAX].replace("\0", "?"), key=_own_key(ask))
    database = _database(desk)
    found = reports.events(database, scope, limit + 1, after)
    totals = reports.groups(database, "session", scope, 1)
    if not found and not totals:
        raise Problem("not_found", "Nothing was reported of this session.")
    shown = found[:limit]
    return _shown(
        TelemetrySession(
            session_id=scope.session,
            totals=_group(totals[0], "session") if totals else None,
            tools=_tools(desk, "tool", scope, LIMIT_MAX),
            mcp_servers=_tools(desk, "mcp_server", scope, LIMIT_MAX),
            skills=_tools(desk, "skill", scope, LIMIT_MAX),
            events=tuple(_event(one.fields, one.cost) for _, one in shown),
            next_cursor="{}.{}".format(*shown[-1][0]) if len(found) > limit else None,
        )
    )


def exports(desk: Desk, ask: Ask) -> Answer:
    """GET /api/telemetry/exports."""
    return _shown(ExportStates(tuple(ExportState(*one) for one in reports.exports(_database(desk)))))


def _choice(ask: Ask, name: str, choices: tuple[str, ...], errors: list[FieldError]) -> str:
    wanted = ask.query.get(name, choices[0])
    if wanted not in choices:
        errors.append(FieldError("query", name, f"must be one of {', '.join(choices)}"))
    return wanted


def _scope(desk: Desk, ask: Ask, errors: list[FieldError]) -> Scope:
    days = {name: _day(ask.query[name], name, errors) if name in ask.query else 0 for name in ("since", "until")}
    names = {name: ask.query.get(name, "") for name in NAMES}
    errors += [FieldError("query", name, "is too long") for name, value in names.items() if len(value) > NAME_CHARS_MAX]
    errors += [FieldError("query", name, "holds a NUL, which no name does") for name, value in names.items() if "\0" in value]
    if own := _own_key(ask):
        names["key"] = own
    return Scope(since_us=days["since"], until_us=days["until"], **names)


def _own_key(ask: Ask) -> str:
    """Of who asks with a virtual key; "" for the admin, who may see all."""
    account = ask.principal.account if ask.principal is not None else None
    return account.key_name if account is not None else ""


def _day(text: str, name: str, errors: list[FieldError]) -> int:
    try:
        return max((date.fromisoformat(text) - EPOCH.date()).days * DAY_US, 0)
    except ValueError:
        errors.append(FieldError("query", name, "must be a day such as 2026-11-21 (UTC)"))
        return 0


def _place(text: str, errors: list[FieldError]) -> tuple[int, int]:
    at, _, sequence = text.partition(".")
    if not text:
        return 0, -1
    if not (at.isdecimal() and sequence.isdecimal() and len(text) <= 40 and max(int(at), int(sequence)) < 2**63):
        errors.append(FieldError("query", "cursor", "is not one of ours"))
        return 0, -1
    return int(at), int(sequence)


def _database(desk: Desk) -> Any:
    return database_of(desk.host.snapshot.config.storage.address)


def _group(one: Group, by: By) -> TelemetryGroup:
    counts, cost = one.counts, one.cost.billed_pusd
    lines = counts["lines_added"] + counts["lines_removed"]
    return TelemetryGroup(
        group=iso(int(one.name))[:10] if by == "day" else one.name,
        sessions=one.sessions_seen,
        prompts=counts["prompts"],
        first_at=iso(one.first_us),
        last_at=iso(one.last_us),
        active_s=(counts["active_user_ms"] + counts["active_cli_ms"]) // 1000,
        lines_added=counts["lines_added"],
        lines_removed=counts["lines_removed"],
        commits=counts["commits"],
        pull_requests=counts["pull_requests"],
        edits_accepted=counts["edits_accepted"],
        edits_rejected=counts["edits_rejected"],
        accept_share=_share(counts["edits_accepted"], counts["edits_rejected"]),
        calls=one.cost.calls,
        cost_usd=usd_text(cost),
        estimated_usd=usd_text(counts["estimated_pusd"]),
        per_commit_usd=_each(cost, counts["commits"]),
        per_pull_request_usd=_each(cost, counts["pull_requests"]),
        per_100_lines_usd=_each(100 * cost, lines),
    )


def _tools(desk: Desk, by: ToolBy, scope: Scope, limit: int) -> tuple[ToolView, ...]:
    return tuple(_tool(one, priced=bool(scope.session)) for one in reports.tools(_database(desk), by, scope, limit))


def _tool(one: ToolUse, *, priced: bool) -> ToolView:
    return ToolView(
        name=one.name,
        sessions=one.sessions,
        calls=one.calls,
        failures=one.failures,
        success_share=_share(one.calls - one.failures, one.failures),
        average_ms=one.duration_ms // one.calls if one.calls else None,
        accepted=one.accepted,
        rejected=one.rejected,
        accept_share=_share(one.accepted, one.rejected),
        cost_usd=usd_text(one.cost.billed_pusd) if priced else None,
    )


def _event(fields: dict[str, Any], cost: Cost) -> TelemetryEvent:
    at_us, more, success = fields.pop("at_us"), fields.pop("more"), fields.pop("success")
    return TelemetryEvent(
        at=iso(at_us),
        success=None if success < 0 else bool(success),
        cost_usd=usd_text(cost.billed_pusd) if cost.calls else None,
        more=orjson.loads(more),
        **fields,
    )


def _share(yes: int, no: int) -> float | None:
    return round(yes / (yes + no), 4) if yes + no else None


def _each(pusd: int, count: int) -> str | None:
    return usd_text(round_half_even(pusd, count * PUSD_PER_STEP) * PUSD_PER_STEP) if count else None


def _shown(view: Struct) -> Answer:
    return Answer(200, msgspec.json.encode(view) + b"\n", headers=NO_STORE)
