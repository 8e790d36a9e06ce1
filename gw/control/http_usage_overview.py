"""GET /api/usage/overview: what a dashboard's first page shows, in one request."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gw.alerts.store import alerts
from gw.control.http_answer import NO_STORE, Answer, Ask
from gw.control.http_items import Desk
from gw.control.http_listing import bounded
from gw.control.http_shapes import Moment, Money
from gw.control.http_standings import AccountStanding, near
from gw.control.http_usage import Values, ledger_of, moment_in, read_zone, scope_of
from gw.control.problem import FieldError, all_invalid
from gw.domain.money import usd_text
from gw.domain.shown import iso
from gw.ledger.usage_measures import MEASURES, change, shown
from gw.ledger.usage_overview import PERIODS, Share, Spent, overview
from gw.ops.added import added

DAYS_DEFAULT, DAYS_MAX = 30, 92
FIRING_MAX = 5
ALL = tuple(MEASURES.values())
SPENT = tuple(MEASURES[name] for name in ("billed_usd", "list_usd", "calls", "tokens"))
NAMES = {"day": "today", "week": "this_week", "month": "this_month"}
METHOD = "what the month has cost so far, and for each day left the mean of that weekday in the last four weeks"


class PeriodView(Struct, frozen=True):
    """A calendar period so far, in the zone; `previous` is the one before up to the same hour."""

    started_at: Moment
    values: Values
    previous: Values
    change: Values


class ShareView(Struct, frozen=True):
    name: Annotated[str | None, Meta(description="null: all others together.")]
    billed_usd: Money
    previous_usd: Annotated[Money, Meta(description="In as many days before.")]
    calls: int
    days: Annotated[tuple[Money, ...], Meta(description="Billed on each of `days`; empty for all others.")]


class MoverView(Struct, frozen=True):
    name: str
    billed_usd: Money
    previous_usd: Money
    change_usd: Money


class DayView(Struct, frozen=True):
    day: Moment
    values: Values


class UnpricedView(Struct, frozen=True):
    model: str
    requests: int


class ForecastView(Struct, frozen=True):
    month_end_usd: Money
    method: str


class FiringView(Struct, frozen=True):
    """An alert that fires."""

    id: int
    rule: str
    severity: str
    title: str
    fired_at: Moment
    acknowledged: bool


class AddedView(Struct, frozen=True):
    """What gw itself adds to a call: its own work, without waiting. Of all calls since the gateway started."""

    calls: int
    half_us: Annotated[int | None, Meta(description="Half of the calls take no longer; null: longer than is counted.")]
    most_us: Annotated[int | None, Meta(description="99 in a hundred calls take no longer; null: longer than is counted.")]


class UsageOverview(Struct, frozen=True):
    """All of it up to the end of the hour that is running."""

    as_of: Moment
    tz: str
    spent: Annotated[dict[str, PeriodView], Meta(description="today, this_week, this_month")]
    values: Annotated[Values, Meta(description="Of the days that are shown, together.")]
    previous: Annotated[Values, Meta(description="Of as many days before.")]
    change: Values
    days: tuple[DayView, ...]
    series: Annotated[dict[str, tuple[ShareView, ...]], Meta(description="By team, model, key, project and kind: the dearest.")]
    movers: Annotated[dict[str, tuple[MoverView, ...]], Meta(description="What has changed most against the days before.")]
    forecast: ForecastView
    budgets: Annotated[tuple[AccountStanding, ...], Meta(description="Accounts that have used most of a budget, 80 % at least.")]
    fullest: Annotated[
        dict[str, AccountStanding],
        Meta(description="Of budgets per day, week and month the one nearest to its limit: today, this_week, this_month."),
    ]
    firing: Annotated[tuple[FiringView, ...], Meta(description="Alerts that fire, the newest first; none for a virtual key.")]
    added: Annotated[AddedView | None, Meta(description="null: no call yet, or a virtual key asks.")]
    unpriced: Annotated[tuple[UnpricedView, ...], Meta(description="Models without a price: they cost 0 here.")]


def usage_overview(desk: Desk, ask: Ask) -> Answer:
    errors: list[FieldError] = []
    zone = read_zone(ask.query, errors)
    days = bounded(ask.query, "days", errors, default=DAYS_DEFAULT, high=DAYS_MAX)
    if errors:
        raise all_invalid(errors)
    asked = "overview", scope_of(ask), zone, days, desk.host.snapshot.version
    return desk.kept.of(asked, lambda: _made(desk, ask, zone, days))


def _made(desk: Desk, ask: Ask, zone: str, days: int) -> Answer:
    found = overview(ledger_of(desk), scope_of(ask), zone, days, ask.now_us)
    nearest, fullest = near(desk, ask)
    sees_all = ask.principal is None or ask.principal.account is None
    view = UsageOverview(
        as_of=moment_in(found.to_us, zone),
        tz=zone,
        spent={NAMES[period]: _period(found.spent[period], zone) for period in PERIODS},
        values=shown(ALL, found.now),
        previous=shown(ALL, found.then),
        change=change(ALL, found.now, found.then),
        days=tuple(
            DayView(moment_in(at_us, zone), shown(ALL, figures)) for at_us, figures in zip(found.days, found.by_day, strict=False)
        ),
        series={name: tuple(map(_share, shares)) for name, shares in found.shares.items()},
        movers={name: _movers(shares) for name, shares in found.movers.items()},
        forecast=ForecastView(usd_text(found.month_pusd), METHOD),
        budgets=nearest,
        fullest={NAMES[period]: one for period, one in fullest.items()},
        firing=_firing(desk) if sees_all else (),
        added=_added(desk) if sees_all else None,
        unpriced=tuple(UnpricedView(*one) for one in found.unpriced),
    )
    return Answer(200, msgspec.json.encode(view) + b"\n", headers=NO_STORE)


def _firing(desk: Desk) -> tuple[FiringView, ...]:
    with ledger_of(desk).reading() as db:
        rows = alerts(db, FIRING_MAX, open_only=True) if db is not None else []
    return tuple(
        FiringView(one.id, one.rule, one.severity, one.title, iso(one.fired_us), bool(one.acknowledged_us)) for one in rows
    )


def _added(desk: Desk) -> AddedView | None:
    found = added(desk.host.state)
    if found is None:
        return None
    half, most = (-(-ns // 1000) or None for ns in found[1:])
    return AddedView(found.calls, half, most)


def _period(one: Spent, zone: str) -> PeriodView:
    now, then = shown(SPENT, one.now), shown(SPENT, one.then)
    return PeriodView(moment_in(one.start_us, zone), now, then, change(SPENT, one.now, one.then))


def _share(one: Share) -> ShareView:
    name = None if one.group is None else str(one.group[0])
    return ShareView(name, usd_text(one.billed_pusd), usd_text(one.before_pusd), one.calls, tuple(map(usd_text, one.days)))


def _movers(shares: Sequence[Share]) -> tuple[MoverView, ...]:
    return tuple(
        MoverView(str(one.group[0]), *map(usd_text, (one.billed_pusd, one.before_pusd, one.billed_pusd - one.before_pusd)))
        for one in shares
        if one.group is not None and one.billed_pusd != one.before_pusd
    )
