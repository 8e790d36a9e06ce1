"""How what was spent of a budget has grown since its window began, from the rollups: by the hour, in long windows by the day.

Rollups count a call when it has ended, a budget when it took it on, and one that reserves the worst counts more than a call has
cost. So this is the way there; how much it is stands in the budget's cell.
"""

from collections.abc import Sequence
from itertools import accumulate

from gw.domain.scope import CallPath, Scope, is_pattern
from gw.ledger.bounded import Readable, bounded
from gw.ledger.rollup_shape import DAY_US, HOUR_US
from gw.ledger.store import Dialect
from gw.ledger.usage_measures import MEASURES, columns_of
from gw.ledger.usage_sql import Condition, Dimension, Question, sums
from gw.ledger.usage_time import stretches_of

DEADLINE_S = 2.0
STEPS_MAX = 48
BY_DAYS_FROM_US = 4 * DAY_US
DAYS_MAX = 400  # a window that has lasted longer has no line
# Where in a rollup's path the parts of a call's path stand. Sessions are in none.
COLUMN_OF = {
    "customer": "customer",
    "team": "team",
    "key_name": "key_name",
    "key_id": "key_id",
    "upstream": "upstream",
    "model": "requested_model",
    "project": "project",
}
_spent = MEASURES["billed_usd"].value
_COLUMNS = columns_of([MEASURES["billed_usd"]])

Lines = dict[str, list[int]]  # account -> pico-USD since the window began, at the end of each step


def limits_of(scope: Scope, start_us: int, now_us: int) -> list[int]:
    """Where the steps of a window begin, and where the last one ends: at the last whole hour. None, or one: there is no step. Of
    sessions there is none: rollups do not know them by the hour."""
    first, last = -(-start_us // HOUR_US) * HOUR_US, now_us // HOUR_US * HOUR_US
    if not start_us or not _looked_at(scope) or last - first > DAYS_MAX * DAY_US:
        return []
    step = DAY_US if last - first > BY_DAYS_FROM_US else HOUR_US * max(-(-(last - first) // (HOUR_US * STEPS_MAX)), 1)
    return [first, *range(first - first % step + step, last, step), *([last] if last > first else [])]


def burned(database: Readable, dialect: Dialect, scope: Scope, limits: Sequence[int]) -> Lines:
    """Raises TooSlow, StoreError."""
    fields = _looked_at(scope)
    if len(limits) < 2:
        return {}
    groups = [Dimension((COLUMN_OF[name],), COLUMN_OF[name]) for name in fields]
    asked = Question(stretches_of(limits), groups, _conditions(scope), _COLUMNS)
    with bounded(database, DEADLINE_S) as db:
        found = sums(db, dialect, asked) if db is not None else {}
    steps: Lines = {}
    for (number, *values), figures in found.items():
        account = scope.account(CallPath(**dict(zip(fields, map(str, values), strict=True))))
        if account:
            of_account = steps.setdefault(account, [0] * (len(limits) - 1))
            of_account[number] += _spent(dict(zip(_COLUMNS, figures, strict=True)))
    return {account: list(accumulate(amounts)) for account, amounts in steps.items()}


def _looked_at(scope: Scope) -> list[str]:
    kinds = {scope.kind, *(["key"] if scope.key else [])}
    if "session" in kinds:
        return []
    return [name for name in CallPath._fields if name in kinds or ("key" in kinds and name in ("key_name", "key_id"))]


def _conditions(scope: Scope) -> list[Condition]:
    """What narrows it; who it is charged to is said by the scope itself."""
    found = []
    key = scope.key or (scope.name if scope.kind == "key" and not is_pattern(scope.name) else "")
    if key:
        found.append(Condition(("key_name", "key_id"), "(key_name = ? OR key_id = ?)", (key, key)))
    if scope.kind not in ("key", "model") and not is_pattern(scope.name):  # models are spelled in many ways, and few
        column = COLUMN_OF[scope.kind]
        found.append(Condition((column,), f"{column} = ?", (scope.name,)))
    return found
