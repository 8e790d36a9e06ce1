"""How accounts' standings are shown to programs: money as exact decimal text in USD, moments as ISO 8601 in UTC, null for never.
Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gw.domain.fill import Fill
from gw.domain.limit import NUSD_PER_UNIT
from gw.domain.money import PUSD_PER_NUSD, usd_text
from gw.domain.standing import Standing
from gw.domain.window import describe

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NS_PER_S = 1_000_000_000


def iso(us: int) -> str:
    """2026-11-22T00:00:00Z; microseconds only if there are any."""
    return (EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


def usd(nusd: int) -> str:
    return usd_text(nusd * PUSD_PER_NUSD)


def standing_fields(one: Standing) -> dict[str, Any]:
    """Of a budget's window, for whoever it is told to."""
    budget, window = one.budget, one.budget.window
    return {
        "id": budget.id,
        "scope": budget.scope.kind,
        "account": one.account,
        "mode": budget.mode,
        "reserve": budget.reserve,
        "limit_usd": usd(one.limit_nusd),
        "spent_usd": usd(one.settled_nusd),
        "reserved_usd": usd(one.reserved_nusd),
        "remaining_usd": usd(one.remaining_nusd),
        "overrun_usd": usd(one.overrun_nusd),
        "window": window.text,
        "period": describe(window),
        "time_zone": window.time_zone,
        "started_at": iso(one.start_us) if one.end_us else None,
        "resets_at": iso(one.end_us) if one.end_us else None,
        "contact": budget.contact,
    }


def fill_fields(one: Fill) -> dict[str, Any]:
    """Of a limit: calls and tokens as numbers, USD as text."""
    limit = one.limit
    rate = limit.kind != "parallel"
    return {
        "id": limit.id,
        "scope": limit.scope.kind,
        "account": one.account,
        "kind": limit.kind,
        "amount": _units(one, limit.amount),
        "per_s": limit.per_ns // NS_PER_S if rate else None,
        "burst": _units(one, limit.burst) if rate else None,
        "available": _units(one, one.available),
        "clears_in_s": -(-one.wait_ns // NS_PER_S) if rate else None,
    }


def _units(one: Fill, units: int) -> int | str:
    return usd(units * NUSD_PER_UNIT) if one.limit.kind == "usd" else units
