"""All budgets and limits of one snapshot, and which of them a call falls under. Pure; the hot path is one lookup in a dict.

Order is always the same: customer, team, key, upstream, model, project, session; within one of these by id.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

from msgspec import Struct

from gw.domain.budget import Budget
from gw.domain.limit import Limit
from gw.domain.scope import RANK, CallPath, ScopeKind, crowd, model_name

PATHS_MAX = 16_384  # paths that are remembered: some 8 MB; each session is one
CHARGES_MAX = 24  # cells (budgets and parallel limits) of one call, and rates of one call: what the shared state holds

R = TypeVar("R", bound=Budget | Limit)
PathValues = tuple[str, ...]  # those of a CallPath, which is one


class PathRules(Struct, frozen=True, eq=False):
    """What a call falls under, each with the account that it is charged to, outermost first."""

    budgets: tuple[tuple[Budget, str], ...] = ()
    limits: tuple[tuple[Limit, str], ...] = ()

    @property
    def hard(self) -> str:
        """Id of the outermost hard budget; "" if there is none."""
        return next((one.id for one, _ in self.budgets if one.mode == "hard"), "")


def applicable(rules: Iterable[R], path: CallPath) -> list[tuple[R, str]]:
    """Those of the rules that a call on this path falls under, each with its account, in the order of this file."""
    found = [(rule, account) for rule in rules if (account := rule.scope.account(path))]
    return sorted(found, key=lambda one: (RANK[one[0].scope.kind], one[0].id))


class BudgetBook:
    """Raises ValueError if an id is there twice, or if a call could fall under more than CHARGES_MAX."""

    def __init__(self, budgets: Iterable[Budget] = (), limits: Iterable[Limit] = ()) -> None:
        self.budgets = tuple(budgets)
        self.limits = tuple(limits)
        for rules in (self.budgets, self.limits):
            _check_ids([rule.id for rule in rules])
        parallel = [limit.scope for limit in self.limits if limit.kind == "parallel"]
        rates = [limit.scope for limit in self.limits if limit.kind != "parallel"]
        if crowd([*(budget.scope for budget in self.budgets), *parallel]) > CHARGES_MAX:
            raise ValueError(f"more than {CHARGES_MAX} budgets and parallel limits could apply to one call")
        if crowd(rates) > CHARGES_MAX:
            raise ValueError(f"more than {CHARGES_MAX} rate limits could apply to one call")
        self._budgets = _Index(self.budgets)
        self._limits = _Index(self.limits)
        self._known: dict[PathValues, PathRules] = {}

    def for_path(self, path: PathValues) -> PathRules:
        """`path`: a CallPath, or its values. The same object for the same path as long as it is remembered. The book never
        changes; ask again for a new book."""
        found = self._known.get(path)
        return self._look(CallPath._make(path)) if found is None else found

    def _look(self, path: CallPath) -> PathRules:
        """Sessions are many and innermost: what stands outside them is found once."""
        if path.session:
            outside = self.for_path(path._replace(session=""))
            budgets, limits = self._budgets.sessions(path), self._limits.sessions(path)
            rules = PathRules((*outside.budgets, *budgets), (*outside.limits, *limits)) if budgets or limits else outside
        else:
            rules = PathRules(self._budgets.outside(path), self._limits.outside(path))
        if len(self._known) >= PATHS_MAX:
            self._known.clear()  # all at once: seldom, and without a list of who came first
        self._known[path] = rules
        return rules


class _Index(Generic[R]):
    """Rules by the names they ask for, so that a thousand teams cost no more than one."""

    def __init__(self, rules: Iterable[R]) -> None:
        self._named: dict[tuple[ScopeKind, str], list[R]] = {}
        self._patterns: list[R] = []
        self._sessions: list[R] = []
        for rule in rules:
            scope = rule.scope
            if scope.kind == "session":
                self._sessions.append(rule)
            elif scope.is_pattern:
                self._patterns.append(rule)
            else:
                name = model_name(scope.name) if scope.kind == "model" else scope.name
                self._named.setdefault((scope.kind, name), []).append(rule)

    def outside(self, path: CallPath) -> tuple[tuple[R, str], ...]:
        names: set[tuple[ScopeKind, str]] = {
            ("customer", path.customer),
            ("team", path.team),
            ("key", path.key_name),
            ("key", path.key_id),
            ("upstream", path.upstream),
            ("model", model_name(path.model)),
            ("project", path.project),
        }
        candidates = [rule for name in names for rule in self._named.get(name, ())]
        return tuple(applicable([*candidates, *self._patterns], path))

    def sessions(self, path: CallPath) -> tuple[tuple[R, str], ...]:
        return tuple(applicable(self._sessions, path)) if self._sessions else ()


def _check_ids(ids: list[str]) -> None:
    if len(set(ids)) < len(ids):
        twice = sorted({one for one in ids if ids.count(one) > 1})
        raise ValueError(f"more than one rule has the id {', '.join(twice)}")
