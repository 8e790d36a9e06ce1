"""Where all accounts stand, in one answer each: `/api/standings` by budget, with where it goes at its present pace;
`/api/accounts` by customer, team and key."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from gw.admit.standings import standing
from gw.admit.standings import standings as standings_of
from gw.control.http_answer import NO_STORE, Answer, Ask, json_answer
from gw.control.http_items import Desk, translated
from gw.control.http_shapes import BudgetStanding, Moment, Money, moment, standing_view
from gw.control.items import Item
from gw.domain.money import usd_text
from gw.domain.scope import CallPath
from gw.domain.shown import iso, usd
from gw.domain.standing import Standing
from gw.domain.stored import Kind
from gw.domain.window import bounds, describe
from gw.ledger.burn import Lines
from gw.ledger.database import database_of
from gw.ops.metrics_published import read_published

NEAR, NEAR_MAX = 0.8, 6
PERIODS = ("day", "week", "month")  # windows that begin as the calendar does
HISTORIES_MAX = 20  # of one budget
PACE_KNOWN_AFTER = 20  # a window's pace is not told of in its first twentieth: it would say little


class AccountStanding(Struct, frozen=True):
    """`projected_usd` and `exhausted_at` go on from the average since the window began; null: it is too early, or never."""

    standing: BudgetStanding
    share: Annotated[float, Meta(description="Of the limit: spent and set aside.")]
    projected_usd: Money | None
    exhausted_at: Moment | None
    history_usd: Annotated[
        tuple[Money, ...] | None,
        Meta(description="Spent since the window began, at each `history_at`, by when calls ended; null: not told of this one."),
    ] = None


class Raised(Struct, frozen=True):
    """A temporary increase that is in force."""

    position: Annotated[int, Meta(description="Among all of the budget, as /api/budgets/{name}/increases/{position} takes it.")]
    limit_usd: Money
    until: Moment


class BudgetOverview(Struct, frozen=True):
    id: str
    scope: str
    name: Annotated[str, Meta(description="Of whom or what: a name or a pattern.")]
    each: Annotated[bool, Meta(description="Everything that fits the pattern has a sum of its own.")]
    mode: str
    window: str
    started_at: Moment | None
    resets_at: Moment | None
    contact: str
    source: Annotated[str, Meta(description="config: it is defined in config.toml, and changed there.")]
    raised: tuple[Raised, ...]
    history_at: Annotated[tuple[Moment, ...], Meta(description="Whole hours, or days of UTC; none if it never ends.")]
    accounts: Annotated[tuple[AccountStanding, ...], Meta(description="Those nearest to their limit first.")]
    hidden: Annotated[int, Meta(description="Accounts that are not listed: sessions, and those that have used least.")]


class Standings(Struct, frozen=True):
    budgets: tuple[BudgetOverview, ...]
    as_of: Moment


def standings(desk: Desk, ask: Ask) -> Answer:
    host = desk.host
    published = read_published(host.state_dir)
    named: dict[str, list[str]] = {}
    hidden: dict[str, int] = {}
    if published is not None:
        for gauge in published.budgets:
            named.setdefault(gauge.budget, []).append(gauge.account)
        hidden = {window.budget: window.hidden for window in published.windows}
    found, database = [], database_of(host.snapshot.config.storage.address)
    sources = _sources(desk)
    for budget in host.snapshot.budget_book.budgets:
        start_us, end_us = bounds(budget.window, ask.now_us)
        accounts = [pace(standing(host.state.cells, budget, name, ask.now_us), ask.now_us) for name in named.get(budget.id, ())]
        accounts.sort(key=lambda one: (-one.share, one.standing.account))
        limits, lines = desk.burns.of(database, budget.scope, start_us, ask.now_us)
        found.append(
            BudgetOverview(
                id=budget.id,
                scope=budget.scope.kind,
                name=budget.scope.name,
                each=budget.scope.each,
                mode=budget.mode,
                window=describe(budget.window),
                started_at=moment(start_us),
                resets_at=moment(end_us),
                contact=budget.contact,
                source=sources[budget.id],
                raised=tuple(
                    Raised(position, usd(one.amount_nusd), iso(one.until_us))
                    for position, one in enumerate(budget.increases)
                    if ask.now_us < one.until_us
                ),
                history_at=tuple(map(iso, limits[1:])),
                accounts=tuple(with_history(accounts, lines, len(limits) - 1)),
                hidden=hidden.get(budget.id, 0),
            )
        )
    return json_answer(msgspec.to_builtins(Standings(tuple(found), iso(ask.now_us))), headers=NO_STORE)


def with_history(accounts: list[AccountStanding], lines: Lines, steps: int) -> Iterator[AccountStanding]:
    """The first HISTORIES_MAX with how their spending has grown, where there are steps and the ledger has said so."""
    for at, one in enumerate(accounts):
        if steps < 1 or at >= HISTORIES_MAX:
            yield one
        else:
            yield replace(one, history_usd=tuple(map(usd_text, lines.get(one.standing.account, [0] * steps))))


def near(desk: Desk, ask: Ask) -> tuple[tuple[AccountStanding, ...], dict[str, AccountStanding]]:
    """Accounts that have used most of a budget, the nearest to their limit first; and of each of PERIODS the one that is nearest
    to it, however far that is. A virtual key's own path alone."""
    host = desk.host
    account = ask.principal.account if ask.principal is not None else None
    found: list[Standing] = []
    if account is not None:
        path = CallPath(customer=account.customer, team=account.team, key_name=account.key_name, key_id=account.key_id)
        found = standings_of(host.state.cells, host.snapshot.budget_book, path, ask.now_us)
    elif (published := read_published(host.state_dir)) is not None:
        budgets = {budget.id: budget for budget in host.snapshot.budget_book.budgets}
        gauges = [one for one in published.budgets if one.budget in budgets]
        found = [standing(host.state.cells, budgets[one.budget], one.account, ask.now_us) for one in gauges]
    found.sort(key=lambda one: (-_share(one), one.account))
    fullest = {period: next((one for one in found if one.budget.window.text == period), None) for period in PERIODS}
    return (
        tuple(pace(one, ask.now_us) for one in found[:NEAR_MAX] if _share(one) >= NEAR),
        {period: pace(one, ask.now_us) for period, one in fullest.items() if one is not None},
    )


def pace(one: Standing, now_us: int) -> AccountStanding:
    """Of what is spent: what is set aside comes back, mostly."""
    share = _share(one)
    elapsed_us, length_us = now_us - one.start_us, one.end_us - one.start_us
    if not one.end_us or elapsed_us * PACE_KNOWN_AFTER < length_us:
        return AccountStanding(standing_view(one), share, None, None)
    projected_nusd = one.settled_nusd * length_us // elapsed_us
    at_us = one.start_us + elapsed_us * one.limit_nusd // one.settled_nusd if one.settled_nusd else 0
    exhausted = iso(max(at_us, now_us)) if at_us and at_us < one.end_us else None
    return AccountStanding(standing_view(one), share, usd(projected_nusd), exhausted)


class Own(Struct, frozen=True):
    """The budget that is nearest to its limit, of those that are for this very account."""

    id: str
    source: Annotated[str, Meta(description="config: it is defined in config.toml, and changed there.")]
    mode: str
    limit_usd: Money
    spent_usd: Money
    reserved_usd: Money
    share: float
    resets_at: Moment | None


class AccountNode(Struct, frozen=True):
    """A customer, a team or a virtual key, and where it hangs."""

    kind: str
    name: str
    parent: Annotated[str, Meta(description="Of a key its team, of a team its customer; empty: none.")]
    source: str
    active: Annotated[bool, Meta(description="false: a key that is revoked, switched off or over.")]
    problem: Annotated[str, Meta(description="Why it is not in force; empty if it is.")]
    owner: str
    public_id: str | None
    created_at: Moment | None
    expires: Moment | None
    revoked_at: Moment | None
    budget: Own | None
    budgets: Annotated[int, Meta(description="How many budgets are for this very account.")]


class AccountTree(Struct, frozen=True):
    accounts: Annotated[tuple[AccountNode, ...], Meta(description="Customers, then teams, then keys, each by name.")]
    as_of: Moment


SHAPES = (Standings, AccountTree)


def accounts(desk: Desk, ask: Ask) -> Answer:
    """GET /api/accounts: all of them in one answer, each with the budget that binds it most."""
    teams = {item.name: str(item.fields["customer"]) for item in _items(desk, "team")}
    sources = _sources(desk)
    found = [_node(desk, item, CallPath(customer=item.name), "", ask.now_us, sources) for item in _items(desk, "customer")]
    for item in _items(desk, "team"):
        customer = teams[item.name]
        path = CallPath(customer=customer, team=item.name)
        found.append(_node(desk, item, path, customer, ask.now_us, sources))
    for item in _items(desk, "key"):
        team = str(item.fields["team"])
        path = CallPath(customer=teams.get(team, ""), team=team, key_name=item.name, key_id=item.public_id)
        found.append(_node(desk, item, path, team, ask.now_us, sources))
    return json_answer(msgspec.to_builtins(AccountTree(tuple(found), iso(ask.now_us))), headers=NO_STORE)


def _sources(desk: Desk) -> defaultdict[str, str]:
    """Where each budget is defined."""
    return defaultdict(lambda: "config", {item.name: item.source for item in _items(desk, "budget")})


def _items(desk: Desk, kind: Kind) -> list[Item]:
    with translated():
        return sorted(desk.service.list(kind, revoked=kind == "key"), key=lambda item: item.name)


def _node(desk: Desk, item: Item, path: CallPath, parent: str, now_us: int, sources: Mapping[str, str]) -> AccountNode:  # noqa: PLR0917
    host, fields = desk.host, item.fields
    own = [
        standing(host.state.cells, budget, account, now_us)
        for budget, account in host.snapshot.budget_book.for_path(path).budgets
        if budget.scope.kind == item.kind
    ]
    binds = max(own, key=lambda one: (_share(one), one.budget.id), default=None)
    over = 0 < item.expires_us <= now_us
    return AccountNode(
        kind=item.kind,
        name=item.name,
        parent=parent,
        source=item.source,
        active=not item.revoked_us and bool(fields.get("active", True)) and not over,
        problem=item.problem,
        owner=str(fields.get("owner", "")),
        public_id=item.public_id or None,
        created_at=moment(item.created_us),
        expires=fields.get("expires"),
        revoked_at=moment(item.revoked_us),
        budget=_own(binds, sources[binds.budget.id]) if binds is not None else None,
        budgets=len(own),
    )


def _own(one: Standing, source: str) -> Own:
    shown = standing_view(one)
    return Own(
        id=shown.id,
        source=source,
        mode=shown.mode,
        limit_usd=shown.limit_usd,
        spent_usd=shown.spent_usd,
        reserved_usd=shown.reserved_usd,
        share=_share(one),
        resets_at=shown.resets_at,
    )


def _share(one: Standing) -> float:
    return one.used_nusd / one.limit_nusd if one.limit_nusd else float(one.used_nusd > 0)
