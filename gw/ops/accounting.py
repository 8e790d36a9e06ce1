"""/healthz/accounting: can the books be trusted, and if not wholly, why. Pure but for the clock that is handed in.

It says how much and how well, never who: no key, team or session is named, only models that have no price.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from gw.domain.money import PUSD_PER_NUSD, usd_text
from gw.ops.metrics_published import Published
from gw.ops.state import Own, StateFile

US_PER_S = 1_000_000
SILENT_S = 10  # the keeper speaks every second
BEHIND_S = 30  # an outage of the database, or a keeper that does not keep up
OPEN_S = 7200  # the total timeout of an upstream is an hour, unless it was set longer
ESTIMATED_PERCENT = 5.0  # more of the billed calls than that
CALLS_MIN = 20  # of fewer calls no share is judged
MODELS_NAMED = 5


class Share(Struct, frozen=True):
    calls: int
    percent: float


class Priced(Struct, frozen=True):
    """How the billed calls of the last hours came by their cost. null: nobody has looked yet."""

    hours: int
    as_of_us: int
    exact: Share
    observed: Share
    estimated: Share
    unpriced: int
    unpriced_models: tuple[str, ...]


class Ledger(Struct, frozen=True):
    database_ok: bool
    committed_us: int  # when rows were last written; 0: not since the keeper began
    behind_s: float  # age of the oldest finished call that is not in the ledger
    backlog_bytes: int  # of the journals
    damaged: int
    rejected: int
    open_calls: int
    oldest_open_s: float


class Budgets(Struct, frozen=True):
    """Counters against the ledger. Since the keeper began."""

    checked: int
    corrected: int
    drift_usd: str
    open_holds: int
    hard_not_in_force: int


class Accounting(Struct, frozen=True):
    verdict: Literal["ok", "degraded"]
    reasons: tuple[str, ...]
    priced: Priced | None
    ledger: Ledger
    budgets: Budgets


def accounting(state: StateFile, keeper: Mapping[str, Any], published: Published | None, now_us: int) -> Accounting:
    """`keeper`: its status as it stands in the file, or nothing."""
    priced = _priced(published)
    ledger = _ledger(keeper, published, now_us)
    budgets = Budgets(
        checked=keeper.get("cells_checked", 0),
        corrected=keeper.get("cells_corrected", 0),
        drift_usd=usd_text(keeper.get("cells_drift_nusd", 0) * PUSD_PER_NUSD),
        open_holds=published.open.holds if published is not None else 0,
        hard_not_in_force=keeper.get("left_out_hard_budgets", 0),
    )
    silent_s = max(now_us - keeper.get("written_us", 0), 0) // US_PER_S
    reasons = [f"the keeper has said nothing for {silent_s} s: the ledger lags"] if silent_s > SILENT_S else []
    if state.sum_own(Own.JOURNAL_HEALTHY) < len(state.live_blocks()):
        reasons.append("a journal cannot be written: records wait in memory")
    reasons += [*_of_ledger(ledger), *_of_budgets(budgets), *(_of_prices(priced) if priced is not None else ())]
    return Accounting("degraded" if reasons else "ok", tuple(reasons), priced, ledger, budgets)


def _priced(published: Published | None) -> Priced | None:
    if published is None or not published.sources.looked_us:
        return None
    found = published.sources
    total = found.exact + found.observed + found.estimated

    def share(calls: int) -> Share:
        return Share(calls, round(100 * calls / total, 3) if total else 0)

    shares = (share(found.exact), share(found.observed), share(found.estimated))
    return Priced(found.hours, found.looked_us, *shares, found.unpriced, found.unpriced_models)


def _ledger(keeper: Mapping[str, Any], published: Published | None, now_us: int) -> Ledger:
    oldest_us = published.open.oldest_call_us if published is not None else 0
    return Ledger(
        database_ok=keeper.get("database_ok", 0) == 1,
        committed_us=published.committed_us if published is not None else 0,
        behind_s=keeper.get("behind_us", 0) / US_PER_S,
        backlog_bytes=keeper.get("behind_bytes", 0),
        damaged=keeper.get("damaged", 0),
        rejected=keeper.get("rejected", 0),
        open_calls=published.open.calls if published is not None else 0,
        oldest_open_s=max(now_us - oldest_us, 0) / US_PER_S if oldest_us else 0,
    )


def _of_ledger(one: Ledger) -> list[str]:
    reasons = []
    if not one.database_ok:
        reasons.append("the database takes no rows: calls are journalled, the ledger lags")
    elif one.behind_s > BEHIND_S:
        reasons.append(f"the ledger lags: the oldest call that waits for it ended {one.behind_s:.0f} s ago")
    if one.damaged:
        reasons.append(f"{_counted(one.damaged, 'damaged stretch', 'damaged stretches')} of journals could not be read")
    if one.rejected:
        reasons.append(f"{_counted(one.rejected, 'frame', 'frames')} of journals could not be stored and were put aside")
    if one.oldest_open_s > OPEN_S:
        reasons.append(f"a call has been open for {one.oldest_open_s / 3600:.1f} h")
    return reasons


def _of_budgets(one: Budgets) -> list[str]:
    reasons = []
    if one.corrected:
        counters = _counted(one.corrected, "counter", "counters")
        reasons.append(f"{counters} of budgets differed from the ledger, by {one.drift_usd} USD in all; put right")
    if one.hard_not_in_force:
        hard = _counted(one.hard_not_in_force, "hard budget is", "hard budgets are")
        reasons.append(f"{hard} defined and not in force: `gw check` says why")
    return reasons


def _of_prices(one: Priced) -> list[str]:
    reasons = []
    if one.unpriced:
        named = ", ".join(one.unpriced_models[:MODELS_NAMED])
        more = f" and {len(one.unpriced_models) - MODELS_NAMED} more" if len(one.unpriced_models) > MODELS_NAMED else ""
        calls = _counted(one.unpriced, "call has", "calls have")
        reasons.append(f"{calls} no price ({named}{more}): add a [[pricing.override]], then `gw reprice`")
    guessed = one.observed.calls + one.estimated.calls
    total = one.exact.calls + guessed
    if total >= CALLS_MIN and 100 * guessed > ESTIMATED_PERCENT * total:
        reasons.append(f"{100 * guessed / total:.1f} % of the billed calls are estimates: the provider may say otherwise")
    return reasons


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
