"""When each budget was in force in this run of the gateway. Pure.

A call is held to the budgets of the rules that it was admitted by, and then its cost goes into their cells by itself. What
other calls cost, because they began under older rules, or while the budget was away, has to be added from the ledger. So for
each budget the times are kept at which rules were published that had it, and then had it no more, and so on.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from gw.domain.budget import Budget
from gw.domain.scope import shared_key

Tenures = dict[int, tuple[int, ...]]
"""By `budget_key`: publication times (us), rising: in force from the first on, not from the second on, then again, and so on."""

GONE_KEPT_US = 86_400_000_000  # no call runs for as long as that


def budget_key(budget: Budget) -> int:
    """Stays as long as its cells do: through changes of limit, mode, reserve and warnings."""
    return shared_key("gw-budget", budget.id, budget.scope.identity, budget.window.identity)


def tenures_of(before: Mapping[int, tuple[int, ...]], budgets: Iterable[Budget], published_us: int) -> Tenures:
    """As they are once rules with these budgets are published."""
    present = {budget_key(budget) for budget in budgets}
    found: Tenures = {}
    for key, times in before.items():
        old = sum(1 for gone_us in times[1:-1:2] if gone_us < published_us - GONE_KEPT_US)
        found[key] = times[2 * old :]
        if in_force(times) != (key in present):
            found[key] += (published_us,)
    for key in present - found.keys():
        found[key] = (published_us,)
    return {key: times for key, times in found.items() if in_force(times) or times[-1] > published_us - GONE_KEPT_US}


def in_force(times: tuple[int, ...]) -> bool:
    return len(times) % 2 == 1


def was_in_force(times: tuple[int, ...], rules_us: int) -> bool:
    """By the rules that were published then; by none (0) no budget is."""
    return bisect_right(times, rules_us) % 2 == 1
