"""Operations on sessions: a list of them, and one with its turns, its agents, what its cache did and why it cost what it cost."""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gw.config.said import nearest
from gw.control.http_answer import NO_STORE, Answer, Ask, json_answer
from gw.control.http_items import Desk
from gw.control.http_listing import BOOLS, CURSOR_CHARS_MAX, LIMIT_DEFAULT, LIMIT_MAX, bounded
from gw.control.http_logs import INT_MAX, count_said, not_too_slow, scope_of
from gw.control.http_shapes import Moment, Money
from gw.control.problem import FieldError, Problem, all_invalid
from gw.domain.money import usd_text
from gw.domain.session import CacheUse, SessionCall, agents, cache_uses, turns
from gw.domain.session_reasons import reasons
from gw.domain.shown import iso
from gw.ledger import sessions
from gw.ledger.database import database_of
from gw.ledger.log_filter import FilterError, LogFilter, parse
from gw.ledger.logs import Spot
from gw.ledger.sessions import CALLS_MAX, SESSION_PARAMETERS, SESSION_SORTS, AskedSessions, SessionRow
from gw.ledger.store import Database

US_PER_MS = 1000


class SessionView(Struct, frozen=True):
    """A session of one account, summed up. Adjustments that came later are not in it."""

    session_id: str
    key: str
    key_id: str
    team: str
    customer: str
    credential: str
    started_at: Moment
    ended_at: Moment
    calls: Annotated[int, Meta(description="Messages.")]
    failed: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    billed_usd: Money
    list_usd: Money


class SessionsPage(Struct, frozen=True):
    items: tuple[SessionView, ...]
    next_cursor: str | None
    count: Annotated[int | None, Meta(description="Of all pages, up to 10,000.")]
    count_is: Annotated[str, Meta(description="exact, at_least, or unknown (later pages do not count again).")]


class TurnView(Struct, frozen=True):
    prompt_id: str
    started_at: Moment
    ended_at: Moment
    calls: int
    agents: Annotated[int, Meta(description="Subagents at work in it.")]
    tokens: int
    billed_usd: Money
    cumulated_usd: Money


class AgentView(Struct, frozen=True):
    """A node of the tree, each after its parent; `total_usd`: with all agents that it has started."""

    agent_id: Annotated[str, Meta(description='"": the main agent.')]
    parent_agent_id: str
    depth: int
    models: tuple[str, ...]
    calls: int
    started_at: Moment | None
    ended_at: Moment | None
    billed_usd: Money
    total_usd: Money


class SessionCallView(Struct, frozen=True):
    """A call, and how it used the cache."""

    call_id: str
    prompt_id: str
    agent_id: str
    started_at: Moment
    duration_ms: int
    outcome: str
    model: str
    prompt_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    billed_usd: Money
    hit_permille: Annotated[int, Meta(description="Of its prompt, read from the cache.")]
    again_tokens: Annotated[int, Meta(description="Had been in the cache, and were billed at full price or written anew.")]
    again_usd: Annotated[Money, Meta(description="About what that cost beyond reading them from the cache.")]
    cause: Annotated[
        str, Meta(description="expired, model_changed, compacted or prefix_changed; not_cached: the cache was not used at all.")
    ]
    gap_ms: Annotated[int, Meta(description="Since the call before of the same agent had ended.")]


class ReasonView(Struct, frozen=True):
    """Reasons overlap: they do not add up to the whole."""

    slug: str
    billed_usd: Money
    permille: Annotated[int, Meta(description="Of what the session cost.")]
    said: str


class SessionDetail(Struct, frozen=True):
    session_id: str
    accounts: Annotated[tuple[SessionView, ...], Meta(description="Sums by account; nearly always one.")]
    billed_usd: Money
    reasons: Annotated[tuple[ReasonView, ...], Meta(description="What made it expensive, the dearest first.")]
    turns: tuple[TurnView, ...]
    agents: tuple[AgentView, ...]
    calls: Annotated[tuple[SessionCallView, ...], Meta(description="A page of them, in the order in which they began.")]
    next_cursor: str | None
    complete: Annotated[bool, Meta(description="false: only its first 5,000 calls were looked at.")]


def listing(desk: Desk, ask: Ask) -> Answer:
    """GET /api/sessions."""
    asked, cursor = _read(ask)
    with not_too_slow():
        page = sessions.session_page(_database(desk), asked)
    count = page.count if page.count is not None else cursor[2] if cursor is not None else None
    following = None
    if page.next is not None:
        now_us = cursor[3] if cursor is not None else ask.now_us
        following = _text((*page.next, count, now_us, _crc(ask.query)))
    items = tuple(map(_session, page.rows))
    body = {"items": msgspec.to_builtins(items), "next_cursor": following, **count_said(count)}
    return json_answer(body, headers=NO_STORE)


def one(desk: Desk, ask: Ask) -> Answer:
    """GET /api/sessions/{id}."""
    session_id, errors = ask.path["session_id"], list[FieldError]()
    limit = bounded(ask.query, "limit", errors, default=LIMIT_DEFAULT, high=LIMIT_MAX)
    begin = bounded(ask.query, "cursor", errors, default=0, high=CALLS_MAX)
    if errors:
        raise all_invalid(errors)
    accounts, calls = list[SessionRow](), list[SessionCall]()
    if "\0" not in session_id:
        with not_too_slow():
            accounts, calls = sessions.session(_database(desk), session_id, scope_of(ask.principal))
    if not accounts and not calls:
        raise Problem("not_found", f'There is no session "{session_id[:100]}" in the ledger, or not yet.')
    calls.sort(key=lambda call: call.started_us)
    uses = cache_uses(calls)
    detail = SessionDetail(
        session_id=session_id,
        accounts=tuple(map(_session, accounts)),
        billed_usd=usd_text(sum(row.billed_pusd for row in accounts)),
        reasons=tuple(ReasonView(one.slug, usd_text(one.billed_pusd), one.permille, one.said) for one in reasons(calls, uses)),
        turns=tuple(
            TurnView(
                turn.prompt_id,
                iso(turn.started_us),
                iso(turn.ended_us),
                turn.calls,
                turn.agents,
                turn.tokens,
                usd_text(turn.billed_pusd),
                usd_text(turn.cumulated_pusd),
            )
            for turn in turns(calls)
        ),
        agents=tuple(_agents(calls)),
        calls=tuple(_call(call, uses.get(call.call_id)) for call in calls[begin : begin + limit]),
        next_cursor=str(begin + limit) if len(calls) > begin + limit else None,
        complete=len(calls) < CALLS_MAX,
    )
    return Answer(200, msgspec.json.encode(detail) + b"\n", headers=NO_STORE)


def _agents(calls: list[SessionCall]) -> list[AgentView]:
    return [
        AgentView(
            agent.agent_id,
            agent.parent_agent_id,
            agent.depth,
            agent.models,
            agent.calls,
            iso(agent.started_us) if agent.calls else None,
            iso(agent.ended_us) if agent.calls else None,
            usd_text(agent.billed_pusd),
            usd_text(agent.total_pusd),
        )
        for agent in agents(calls)
    ]


def _call(call: SessionCall, use: CacheUse | None) -> SessionCallView:
    use = use or CacheUse(0)
    return SessionCallView(
        call_id=call.call_id,
        prompt_id=call.prompt_id,
        agent_id=call.agent_id,
        started_at=iso(call.started_us),
        duration_ms=max(call.ended_us - call.started_us, 0) // US_PER_MS,
        outcome=call.outcome,
        model=call.model,
        prompt_tokens=call.prompt_tokens,
        output_tokens=call.output_tokens,
        cache_read_tokens=call.cache_read_tokens,
        cache_write_tokens=call.written_tokens,
        billed_usd=usd_text(call.billed_pusd),
        hit_permille=use.hit_permille,
        again_tokens=use.again_tokens,
        again_usd=usd_text(use.again_pusd),
        cause=use.cause,
        gap_ms=use.gap_us // US_PER_MS,
    )


def _session(row: SessionRow) -> SessionView:
    return SessionView(
        session_id=row.session_id,
        key=row.key_name or row.key_id,
        key_id=row.key_id,
        team=row.team,
        customer=row.customer,
        credential=row.credential,
        started_at=iso(row.first_us),
        ended_at=iso(row.last_us),
        calls=row.calls,
        failed=row.failed,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cache_read_tokens=row.cache_read_tokens,
        cache_write_tokens=row.cache_write_5m_tokens + row.cache_write_1h_tokens,
        billed_usd=usd_text(row.billed_pusd),
        list_usd=usd_text(row.list_pusd),
    )


# --- what is asked ------------------------------------------------------------------------------------------------------

Cursor = tuple[int, int, int | None, int, int]  # key, id, count, now_us, CRC of the parameters


def _read(ask: Ask) -> tuple[AskedSessions, Cursor | None]:
    query, errors = ask.query, list[FieldError]()
    sort_text = query.get("sort", "-ended_at")
    sort = sort_text.removeprefix("-")
    if sort not in SESSION_SORTS:
        hint = nearest(sort, list(SESSION_SORTS))
        errors.append(FieldError("query", "sort", f"must be one of {', '.join(SESSION_SORTS)}, falling with a - before it{hint}"))
    limit = bounded(query, "limit", errors, default=LIMIT_DEFAULT, high=LIMIT_MAX)
    if query.get("count", "true") not in BOOLS:
        errors.append(FieldError("query", "count", "must be true or false"))
    cursor = _cursor(query.get("cursor", ""), _crc(query))
    if query.get("cursor") and cursor is None:
        errors.append(FieldError("query", "cursor", "is none that this list has given, or was given for other parameters"))
    wanted = LogFilter()
    try:
        wanted = parse(query, cursor[3] if cursor is not None else ask.now_us, SESSION_PARAMETERS)
    except FilterError as error:
        errors += [FieldError("query", name, message) for name, message in error.wrong]
    if errors:
        raise all_invalid(errors)
    asked = AskedSessions(
        wanted=wanted,
        scope=scope_of(ask.principal),
        sort=sort,
        falling=sort_text.startswith("-"),
        limit=limit,
        after=Spot(cursor[0], cursor[1]) if cursor is not None else None,
        count=cursor is None and query.get("count", "true") == "true",
    )
    return asked, cursor


def _crc(query: Mapping[str, str]) -> int:
    return zlib.crc32(msgspec.msgpack.encode(sorted(one for one in query.items() if one[0] not in ("cursor", "limit", "count"))))


def _text(cursor: Cursor) -> str:
    return urlsafe_b64encode(msgspec.msgpack.encode(cursor)).rstrip(b"=").decode()


def _cursor(text: str, crc: int) -> Cursor | None:
    """None: none, not one of ours, or for another list."""
    try:
        if not text or len(text) > CURSOR_CHARS_MAX:
            return None
        found = msgspec.msgpack.decode(urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)), type=Cursor)
    except (ValueError, msgspec.MsgspecError):  # binascii.Error is a ValueError
        return None
    fits = all(-INT_MAX <= number <= INT_MAX for number in found if number is not None)
    return found if fits and found[4] == crc else None


def _database(desk: Desk) -> Database:
    return database_of(desk.host.snapshot.config.storage.address)


