"""From the tables of the configuration to budgets and limits: the one place where the two meet."""

from collections.abc import Iterator
from decimal import Decimal

from gw.config.budget_model import Budget as ConfiguredBudget
from gw.config.budget_model import Limit as ConfiguredLimit
from gw.config.budget_rules import amount_of, scope_of, units
from gw.config.model import Config, wall_us_of
from gw.domain.budget import BASIS, Budget, Increase
from gw.domain.budget_book import BudgetBook
from gw.domain.limit import Limit, parse_per
from gw.domain.money import nusd_from_usd
from gw.domain.scope import CallPath, Scope
from gw.domain.window import LIFETIME, parse_window


def book_of(config: Config) -> BudgetBook:
    """Of a configuration that `load` has accepted."""
    return BudgetBook(budgets_of(config), limits_of(config))


def budgets_of(config: Config) -> list[Budget]:
    """Ids are the names; those of the sessions of a key hold a `#`, which no name can."""
    contact = config.budgets.contact or config.server.contact
    sessions = [
        Budget(
            id=f"{key.name}#session",
            scope=Scope("session", "*", each=True, key=key.name),
            limit_nusd=nusd_from_usd(key.session_limit_usd),
            window=LIFETIME,
            warn_at=basis_points(ConfiguredBudget(name="", limit_usd="").warn_at),
            contact=contact,
        )
        for key in config.key
        if key.session_limit_usd
    ]
    return [*(_budget(one, contact) for one in config.budget), *sessions]


def limits_of(config: Config) -> list[Limit]:
    """Ids are the names."""
    return [_limit(one) for one in config.limit]


def accounts_of(budget: Budget, config: Config) -> Iterator[str]:
    """The accounts of a budget that have a name in the configuration."""
    scope = budget.scope
    if scope.kind == "session":
        return
    if scope.is_pattern and scope.each:
        names = [one.name for one in getattr(config, scope.kind, ())]
    else:
        names = [scope.name.replace("*", "x").replace("?", "x")]  # any name that matches leads to the one account
    for name in names:
        if account := scope.account(CallPath(**{"key_name" if scope.kind == "key" else scope.kind: name})):
            yield account


def basis_points(parts: tuple[float, ...]) -> tuple[int, ...]:
    """0.95 -> 9500: from the shortest decimal of each, which is what was written; the loader saw to it that it is whole."""
    return tuple(int(Decimal(repr(part)) * BASIS) for part in parts)


def _budget(one: ConfiguredBudget, contact: str) -> Budget:
    return Budget(
        id=one.name,
        scope=scope_of(one),
        limit_nusd=nusd_from_usd(one.limit_usd),
        window=parse_window(one.window, one.time_zone, one.anchor),
        mode=one.mode,
        reserve=one.reserve,
        warn_at=basis_points(one.warn_at),
        contact=one.contact or contact,
        increases=tuple(Increase(nusd_from_usd(more.limit_usd), wall_us_of(more.until), more.reason) for more in one.increase),
    )


def _limit(one: ConfiguredLimit) -> Limit:
    kind, amount = amount_of(one)
    scope = scope_of(one)
    if kind == "parallel":
        return Limit(one.name, scope, kind, amount)
    return Limit(one.name, scope, kind, amount, parse_per(one.per), units(kind, one.burst) if one.burst else amount)
