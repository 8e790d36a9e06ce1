"""GET /api/mine: for whoever shows a virtual key, all that its calls fall under, in one answer."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gw import clock
from gw.admit.fills import fills
from gw.admit.standings import standings
from gw.control.http_answer import NO_STORE, Answer, Ask, json_answer
from gw.control.http_items import Desk
from gw.control.http_shapes import LimitFill, Moment, Money, fill_view, moment
from gw.control.http_standings import AccountStanding, pace
from gw.control.http_views import OPEN_PARTS
from gw.control.problem import Problem
from gw.domain.account import Account
from gw.domain.scope import CallPath
from gw.domain.shown import iso, usd

BASE_PATH = "/anthropic"  # below the gateway's address: what Claude Code is pointed at


class Mine(Struct, frozen=True):
    """Those of upstreams, models, projects and sessions that a call would fall under besides are not in it: it has none yet."""

    key: str
    key_id: str
    team: str
    customer: str
    models: Annotated[tuple[str, ...], Meta(description="Patterns of the models that the key may use.")]
    expires_at: Annotated[Moment | None, Meta(description="null: never.")]
    call_max_usd: Annotated[Money | None, Meta(description="What one call may cost; null: no such bound.")]
    call_max_output_tokens: Annotated[int | None, Meta(description="What one call may ask for; null: as the model allows.")]
    budgets: Annotated[tuple[AccountStanding, ...], Meta(description="Outermost first: the customer's, the team's, the key's.")]
    limits: Annotated[tuple[LimitFill, ...], Meta(description="Outermost first.")]
    base_path: Annotated[str, Meta(description="Below the gateway's address: the base URL for Claude Code.")]
    as_of: Moment


def mine(desk: Desk, ask: Ask) -> Answer:
    """Raises Problem for the admin, who has no limits of its own."""
    account = ask.principal.account if ask.principal is not None else None
    if account is None:
        raise Problem("not_found", "The admin token has no budgets and limits of its own: sign in with a virtual key.")
    path, state, book = path_of(account), desk.host.state, desk.host.snapshot.budget_book
    budgets = [one for one in standings(state.cells, book, path, ask.now_us) if one.budget.scope.kind not in OPEN_PARTS]
    filled = fills(state.cells, state.buckets, book, path, clock.mono_ns())
    limits = [one for one in filled if one.limit.scope.kind not in OPEN_PARTS]
    return json_answer(
        msgspec.to_builtins(
            Mine(
                key=account.key_name,
                key_id=account.key_id,
                team=account.team,
                customer=account.customer,
                models=tuple(account.models),
                expires_at=moment(account.expires_us),
                call_max_usd=usd(account.max_cost_nusd) if account.max_cost_nusd else None,
                call_max_output_tokens=account.max_tokens or None,
                budgets=tuple(pace(one, ask.now_us) for one in budgets),
                limits=tuple(map(fill_view, limits)),
                base_path=BASE_PATH,
                as_of=iso(ask.now_us),
            )
        ),
        headers=NO_STORE,
    )


def path_of(account: Account) -> CallPath:
    return CallPath(customer=account.customer, team=account.team, key_name=account.key_name, key_id=account.key_id)
