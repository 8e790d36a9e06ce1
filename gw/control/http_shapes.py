"""What the views of the control API answer, as types: the answers are encoded from these, and their schemas made of them.

Money is a decimal string in USD, exact; a moment is ISO 8601 in UTC; null is "never" or "does not apply".
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

from gw.domain.fill import Fill
from gw.domain.shown import fill_fields, iso, standing_fields
from gw.domain.standing import Standing
from gw.ledger.status import KeeperStatus
from gw.ops.accounting import Accounting

Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Money = Annotated[str, Meta(pattern=r"^-?\d+(\.\d+)?$")]


class BudgetStanding(Struct, frozen=True):
    """Where an account stands in the window of a budget that is running now."""

    id: str
    scope: str
    account: str
    mode: str
    reserve: str
    window: str
    period: str
    time_zone: str
    limit_usd: Annotated[Money, Meta(description="In force, increases included.")]
    spent_usd: Annotated[Money, Meta(description="Settled: by calls that have ended.")]
    reserved_usd: Annotated[Money, Meta(description="Set aside for calls that run.")]
    remaining_usd: Money
    overrun_usd: Annotated[Money, Meta(description="Of what is spent: beyond what was set aside and the limit.")]
    started_at: Moment | None
    resets_at: Annotated[Moment | None, Meta(description="null: never.")]
    contact: str


class LimitFill(Struct, frozen=True):
    """How much of a limit is there. Amounts are requests, tokens or calls, or USD as a decimal string."""

    id: str
    scope: str
    account: str
    kind: str
    amount: int | str
    per_s: Annotated[int | None, Meta(description="null: of calls at the same time.")]
    burst: int | str | None
    available: Annotated[int | str, Meta(description="What could be taken now; below 0 while in debt.")]
    clears_in_s: int | None


class AccountPath(Struct, frozen=True):
    """What a call of this account is charged by; "" where that is open."""

    customer: str
    team: str
    key: str
    upstream: str
    model: str
    project: str
    session: str


class AccountView(Struct, frozen=True):
    """All budgets and limits that a call on this path falls under, outermost first."""

    kind: str
    name: str
    path: AccountPath
    budgets: tuple[BudgetStanding, ...]
    limits: tuple[LimitFill, ...]
    as_of: Moment


class AuditChange(Struct, frozen=True):
    """One change, sign-in or look at something. `before` and `after` are fields as in the API; null: it was not there, or is no
    more. `hash` is over all of it and `prev_hash`, that of the entry before (docs/audit.md); "" for one that is not chained."""

    id: int
    at: Moment
    actor: str
    via: str
    action: str
    kind: str
    name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    prev_hash: str
    hash: str


class AuditPage(Struct, frozen=True):
    """Newest first."""

    items: tuple[AuditChange, ...]
    next_cursor: Annotated[str | None, Meta(description="For the next page; null: this is the last.")]


class ConfigValue(Struct, frozen=True):
    """One key of the configuration."""

    key: Annotated[str, Meta(description="Dotted, with positions in lists: `upstream.0.name`.")]
    value: Annotated[str, Meta(description="A TOML literal; a secret by its reference only.")]
    origin: Annotated[str, Meta(description='"default", "config.toml:12" or the name of an environment variable.')]
    secret: Annotated[str, Meta(description='Of a secret: set, missing or literal; else "".')]


class ConfigProblem(Struct, frozen=True):
    source: str
    line: int | None
    key: str
    message: str


class BrokenItem(Struct, frozen=True):
    """What is defined but not in force, and why."""

    kind: str
    name: str
    source: str
    problem: str


class ConfigView(Struct, frozen=True):
    """The configuration that this worker serves with."""

    source: str
    fingerprint: str
    snapshot_version: int
    values: tuple[ConfigValue, ...]
    warnings: tuple[ConfigProblem, ...]
    problems: Annotated[
        tuple[ConfigProblem, ...], Meta(description="Why the file as it is now could not be used; empty if it can.")
    ]
    pending: Annotated[bool, Meta(description="The file is not the one in force.")]
    broken: tuple[BrokenItem, ...]


class WorkerView(Struct, frozen=True):
    index: int
    pid: int
    started_at: Moment
    in_flight: int
    snapshot_version: int
    journal_healthy: bool
    silent_ms: Annotated[int, Meta(description="Since its timer ran last.")]


class DutyView(Struct, frozen=True):
    """Something that the courier does all the time."""

    name: str
    state: Annotated[str, Meta(description="running, paused (after a failure), done")]
    since: Moment | None
    failures: int
    error: Annotated[str, Meta(description="Of the last failure.")]


class CourierView(Struct, frozen=True):
    """What the courier said last of itself: exports, alerts, telemetry."""

    pid: int
    said_at: Moment
    duties: tuple[DutyView, ...]


class StatusView(Struct, frozen=True):
    """How the gateway is, as seen by the worker that answers."""

    version: str
    started_at: Moment
    draining: bool
    ready: bool
    reasons: Annotated[tuple[str, ...], Meta(description="Why it is not ready.")]
    degraded: tuple[str, ...]
    snapshot_version: int
    snapshot_published_at: Moment
    reload_problem: Annotated[str, Meta(description='Why the configuration on disk is not in force; "" if it is.')]
    workers: tuple[WorkerView, ...]
    keeper: Annotated[KeeperStatus | None, Meta(description="What the keeper said last; null: nothing yet.")]
    courier: Annotated[CourierView | None, Meta(description="null: none has run here.")]
    accounting: Annotated[Accounting, Meta(description="Whether the books can be trusted; as /healthz/accounting says it.")]


def moment(us: int) -> str | None:
    """0 is none."""
    return iso(us) if us else None


def standing_view(one: Standing) -> BudgetStanding:
    return BudgetStanding(**standing_fields(one))


def fill_view(one: Fill) -> LimitFill:
    return LimitFill(**fill_fields(one))
