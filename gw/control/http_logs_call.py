"""One call with everything about it: its row, why it cost what it cost, when what happened, whose it is."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gw.control.http_items import Desk
from gw.control.http_shapes import Moment, Money, moment
from gw.domain.attempts import attempts_of, is_left, nexts
from gw.domain.call import CallRecord
from gw.domain.money import usd_text
from gw.domain.shown import iso
from gw.ledger.adjust import Adjustment, adjustments_of
from gw.ledger.database import database_of
from gw.ledger.log_columns import AT, BY_NAME
from gw.ledger.log_shown import call_json
from gw.ledger.store import COLUMNS, Row
from gw.pricing.why import Multiplier, Part, Why, why

US_PER_MS = 1000
BETWEEN = re.compile(r" (?=(?:rule|route|tier|complexity|shadow|kept):)")  # reasons; names of rules may have blanks in them
SPLIT = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "tools", "other")


class AdjustmentView(Struct, frozen=True):
    """What repricing has added since; amounts are differences."""

    id: str
    at: Moment
    actor: str
    reason: str
    price_version: str
    list_usd: Money
    billed_usd: Money


class CostView(Struct, frozen=True):
    """Billed: what the row says, by class, and what adjustments have made of it. Why: count x rate x factor, line by line."""

    list_usd: Money
    billed_usd: Money
    split_usd: Annotated[dict[str, Money], Meta(description="The billed amount by class; adds up to it exactly.")]
    adjustments: tuple[AdjustmentView, ...]
    now_usd: Annotated[Money, Meta(description="Billed, with all adjustments.")]
    usage_source: str
    price_version: str
    known: Annotated[bool, Meta(description="Whether the rates that priced it are at hand; `said` tells why not.")]
    said: str
    source: Annotated[str, Meta(description="Price data and reviewed overlay, each with its date.")]
    card: str
    override: str
    rates_from: Moment | None
    rates_until: Moment | None
    parts: tuple[Part, ...]
    multipliers: tuple[Multiplier, ...]
    agrees: Annotated[bool, Meta(description="The parts, rounded once, are the billed amount.")]


class Step(Struct, frozen=True):
    """One part of the time that the call took; offsets from its beginning."""

    name: str
    from_ms: int
    to_ms: int


class TimingView(Struct, frozen=True):
    started_at: Moment
    admitted_at: Annotated[Moment | None, Meta(description="When budgets took it on; null: none had to.")]
    first_byte_at: Moment | None
    first_token_at: Moment | None
    ended_at: Moment
    steps: tuple[Step, ...]


class AttemptView(Struct, frozen=True):
    """One that failed before the last."""

    upstream: str
    status: Annotated[int, Meta(description="Of its answer; 0: there was none.")]
    error: str
    ms: Annotated[int, Meta(description="How long it took, waiting for a place among the connections included.")]
    then: Annotated[Literal["again", "elsewhere"], Meta(description="Where the next attempt went.")]


class RowView(Struct, frozen=True):
    """A row of the same request: what may have been billed has one of its own."""

    call_id: str
    upstream: str
    outcome: str
    error: str
    billed_usd: Money
    this: Annotated[bool, Meta(description="The one that is shown.")]


class AttemptsView(Struct, frozen=True):
    """What is recorded of the tries upstream: how many, how each ended, and the other rows that the request has."""

    count: Annotated[int, Meta(description="0: it never went upstream, or nothing is known of that.")]
    retries: int
    last_status: int
    last_request_id: str
    before: Annotated[tuple[AttemptView, ...], Meta(description="In their order; the client saw none of them.")]
    left: Annotated[bool, Meta(description="The client saw nothing of this row, since another attempt followed.")]
    rows: Annotated[tuple[RowView, ...], Meta(description="All rows of the request as they began, where it has several.")]


class RouteView(Struct, frozen=True):
    """How the client asked, where that led, and why."""

    dialect: Annotated[str, Meta(description="Of the client, as in `gw.translate`; `anthropic` is Claude Code's.")]
    requested_model: str
    sent_model: Annotated[str, Meta(description="As the upstream was asked for it.")]
    provider: Annotated[str, Meta(description="Of the upstream; empty: it is not configured any more.")]
    reasons: Annotated[tuple[str, ...], Meta(description="`route:claude-*`, `rule:night`, ...; none: the first that serves it.")]


class IdentityView(Struct, frozen=True):
    key: str
    key_id: str
    team: str
    customer: str
    credential: str
    device: str
    project: str
    session_id: str
    prompt_id: str
    agent_id: str
    parent_agent_id: str


class CallView(Struct, frozen=True):
    call: Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/Call"})]
    cost: CostView
    timing: TimingView
    attempts: AttemptsView
    route: RouteView
    identity: IdentityView
    links: Annotated[dict[str, str], Meta(description="Paths of this API: the session, the conversation.")]


def call_view(desk: Desk, seq: int, row: Row, request: Sequence[Row] = ()) -> CallView:
    """`request`: all rows of its request, where there are others."""
    record = record_of(row)
    links = {"conversation": f"/api/logs/{record.call_id}/conversation"}
    if record.session_id:
        links["session"] = f"/api/sessions/{record.session_id}"
    return CallView(
        call=call_json(seq, row, BY_NAME),
        cost=_cost(desk, record),
        timing=_timing(record),
        attempts=_attempts(record, [record_of(one) for one in request]),
        route=_route(desk, record),
        identity=IdentityView(
            key=record.key_name, **{name: getattr(record, name) for name in IdentityView.__struct_fields__ if name != "key"}
        ),
        links=links,
    )


def is_one_of_several(record: CallRecord) -> bool:
    """Its request has other rows, or may have."""
    return bool(record.attempt_of) or record.endpoint == "other" or is_left(record.outcome, record.status)


def _attempts(record: CallRecord, request: Sequence[CallRecord]) -> AttemptsView:
    before = tuple(AttemptView(*one.attempt, one.then) for one in nexts(attempts_of(record.attempts), record.upstream))
    went = record.upstream_status or record.first_byte_us or record.retries or record.usage_source != "none"
    others = tuple(
        RowView(one.call_id, one.upstream, one.outcome, one.error, usd_text(one.billed_pusd), one.call_id == record.call_id)
        for one in request
    )
    return AttemptsView(
        count=max(record.retries, len(before)) + 1 if went or before else 0,
        retries=record.retries,
        last_status=record.upstream_status,
        last_request_id=record.upstream_request_id,
        before=before,
        left=is_left(record.outcome, record.status),
        rows=others if len(others) > 1 else (),
    )


def _route(desk: Desk, record: CallRecord) -> RouteView:
    place = next((one for one in desk.host.snapshot.config.upstream if one.name == record.upstream), None)
    return RouteView(
        dialect=record.dialect or "anthropic",
        requested_model=record.requested_model,
        sent_model=record.sent_model or record.requested_model,
        provider=str(place.provider) if place is not None else "",
        reasons=tuple(BETWEEN.split(record.route)) if record.route else (),
    )


def record_of(row: Row) -> CallRecord:
    values = list(row)
    values[AT["stream"]] = bool(values[AT["stream"]])
    return CallRecord(**dict(zip(COLUMNS, values, strict=True)))


def _cost(desk: Desk, record: CallRecord) -> CostView:
    snapshot = desk.host.snapshot
    place = next((one for one in snapshot.config.upstream if one.name == record.upstream), None)
    found = why(snapshot.book, record, str(place.provider) if place else "", place.region if place else "")
    with database_of(snapshot.config.storage.address).reading() as db:
        adjustments = adjustments_of(db, record.call_id) if db is not None else []
    return _cost_view(record, found, adjustments)


def _cost_view(record: CallRecord, found: Why, adjustments: list[Adjustment]) -> CostView:
    return CostView(
        list_usd=usd_text(record.list_pusd),
        billed_usd=usd_text(record.billed_pusd),
        split_usd={name: usd_text(getattr(record, f"{name}_pusd")) for name in SPLIT},
        adjustments=tuple(
            AdjustmentView(
                one.id, iso(one.at_us), one.actor, one.reason, one.new_version, usd_text(one.list_pusd), usd_text(one.billed_pusd)
            )
            for one in adjustments
        ),
        now_usd=usd_text(record.billed_pusd + sum(one.billed_pusd for one in adjustments)),
        usage_source=record.usage_source,
        price_version=record.price_version,
        known=found.known,
        said=found.said,
        source=found.source,
        card=found.card,
        override=found.override,
        rates_from=moment(found.since_us),
        rates_until=moment(found.until_us),
        parts=found.parts,
        multipliers=found.multipliers,
        agrees=found.agrees,
    )


def _failed_first(record: CallRecord) -> list[Step]:
    """The attempts before the last, one after the other from the beginning: only how long each took is known. Those before an
    earlier row of the request are not of this row's time."""
    found, at_ms = list[Step](), 0
    for one in () if record.attempt_of else attempts_of(record.attempts):
        found.append(Step(f"{one.upstream} failed ({one.status or one.error})", at_ms, at_ms + one.ms))
        at_ms += one.ms
    return found


def _timing(record: CallRecord) -> TimingView:
    marks = [("waiting for a budget", record.charged_us), ("upstream to its first byte", record.first_byte_us)]
    marks += [("first byte to first token", record.first_token_us), ("to the end", record.ended_us)]
    steps, before = _failed_first(record), record.started_us
    before += steps[-1].to_ms * US_PER_MS if steps else 0
    for name, at_us in marks:
        if at_us > before or (at_us and name == "to the end"):
            from_ms, to_ms = ((one - record.started_us) // US_PER_MS for one in (before, max(at_us, before)))
            steps.append(Step(name, from_ms, to_ms))
            before = max(at_us, before)
    return TimingView(
        started_at=iso(record.started_us),
        admitted_at=moment(record.charged_us),
        first_byte_at=moment(record.first_byte_us),
        first_token_at=moment(record.first_token_us),
        ended_at=iso(record.ended_us),
        steps=tuple(steps),
    )
