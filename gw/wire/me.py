"""What gw tells a caller of itself: `GET /api/me`, and `GET /api/oauth/usage` for Claude Code's native gateway mode. Pure.

Money is in decimal strings of USD, exact; times are ISO 8601 in UTC.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from gw.domain.account import Account
from gw.domain.fill import Fill
from gw.domain.money import usd_text
from gw.domain.shown import fill_fields, iso, standing_fields
from gw.domain.standing import Standing
from gw.domain.window import next_reset_text
from gw.wire.budgets import (
    US_PER_S,
    binding_of,
    fraction_text,
    fullest,
    part_spent,
    percent,
    period,
    reset_s,
    threshold,
)

NUSD_PER_CENT = 10**7
SEVERITY = {"ok": "normal", "warning": "warning", "spent": "critical"}


class SessionCost(NamedTuple):
    """What the ledger has of one session of the caller's; the last tenth of a second may be missing. None: not readable."""

    session_id: str
    calls: int | None
    billed_pusd: int | None


def me(
    account: Account, standings: Sequence[Standing], limits: Sequence[Fill], session: SessionCost | None, now_us: int
) -> bytes:
    """Who is calling, where it stands in each budget that its calls are charged to, outermost first, and how much of each
    limit is there. A client's own credential is named by its digest."""
    document: dict[str, Any] = {
        "key": None if account.passthrough else _key(account),
        "credential": account.credential or None,
        "budgets": [_budget(one) for one in standings],
        "limits": [fill_fields(one) for one in limits],
        "session": None if session is None else _session(session),
        "as_of": iso(now_us),
    }
    return orjson.dumps(document)


def oauth_usage(standings: Sequence[Standing]) -> bytes:
    """What `/usage` shows in native gateway mode: dollars of the budget of which most is spent (the one that the headers of an
    answer describe), and a bar for the fullest of each period. Whole cents and per cent, as its reader counts."""
    binding = binding_of(standings)
    if not binding:
        return orjson.dumps({"limits": []})
    first = fullest(binding)
    by_period = {period(one): one for one in sorted(binding, key=part_spent)}
    return orjson.dumps(
        {
            "extra_usage": {
                "is_enabled": True,
                "monthly_limit": first.limit_nusd // NUSD_PER_CENT,
                "used_credits": first.settled_nusd // NUSD_PER_CENT,
                "utilization": percent(first),
                "currency": "USD",
            },
            "limits": [
                {
                    "kind": "spend",
                    "group": group.decode(),
                    "percent": percent(one),
                    "resets_at": iso(reset_s(one) * US_PER_S) if one.end_us else None,
                    "severity": SEVERITY[state(one)],
                    "is_active": one is first,
                }
                for group, one in sorted(by_period.items(), key=lambda item: part_spent(item[1]), reverse=True)
            ],
        }
    )


def state(standing: Standing) -> str:
    """ "ok", "warning" or "spent"."""
    if standing.settled_nusd >= standing.limit_nusd:
        return "spent"
    return "warning" if threshold(standing) else "ok"


def _key(account: Account) -> dict[str, Any]:
    return {
        "name": account.key_name,
        "id": account.key_id,
        "team": account.team or None,
        "customer": account.customer or None,
        "models": account.models,
        "upstreams": account.upstreams,
        "expires_at": iso(account.expires_us) if account.expires_us else None,
    }


def _budget(one: Standing) -> dict[str, Any]:
    budget = one.budget
    return standing_fields(one) | {
        "state": state(one),
        "warn_at": [fraction_text(at) for at in budget.warn_at],
        "resets": next_reset_text(one.end_us, budget.window.time_zone),
        "contact": budget.contact or None,
    }


def _session(session: SessionCost) -> dict[str, Any]:
    cost = None if session.billed_pusd is None else usd_text(session.billed_pusd)
    return {"id": session.session_id, "calls": session.calls, "cost_usd": cost}
