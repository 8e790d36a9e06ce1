"""What the tables about spending say about each other; part of `rules.py`, which asks for each of these.

`known` gives the names of each kind that a scope may name; what a client names itself (models, projects, sessions) has none.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal

from gw.config.budget_model import Budget, Limit
from gw.config.locate import Path
from gw.config.model import Config, Key
from gw.config.names import Names
from gw.config.values import USD_DECIMALS_MAX
from gw.domain.budget_book import CHARGES_MAX
from gw.domain.limit import AMOUNT_MAX, LIMIT_KINDS, LimitKind, usd_units
from gw.domain.money import nusd_from_usd
from gw.domain.scope import KINDS, Scope, crowd, is_pattern
from gw.domain.window import parse_window

Finding = tuple[Path, str]
CROWDED = {
    "budget": f"one call could fall under more than {CHARGES_MAX} budgets and limits of parallel calls",
    "limit": f"one call could fall under more than {CHARGES_MAX} limits",
}


def references(config: Config, known: Mapping[str, Names], *, whole: bool) -> Iterator[tuple[str, Path, str]]:
    """Names that stand for nothing, as (kind of the name, path, message). `whole`: keys of the database are known, too."""
    for table, elements in _tables(config):
        for position, element in enumerate(elements):
            for kind, names in known.items():
                name = getattr(element, kind)
                if name and not is_pattern(name) and name not in names:
                    here = f' in this file{names.nearest(name)} (one of the database is found by a pattern: "{name}*")'
                    hint = here if kind == "key" and not whole else names.nearest(name)
                    yield kind, (table, position, kind), f'there is no {kind} "{name}"{hint}'


def problems(config: Config, broken: Collection[Path]) -> Iterator[Finding]:
    """Every reason why these budgets and limits must not be used, but for references and duplicates."""
    for table, elements in _tables(config):
        for position, element in enumerate(elements):
            yield from _one_scope(element, (table, position))
    for position, budget in enumerate(config.budget):
        yield from _budget(budget, ("budget", position), broken)
    for position, limit in enumerate(config.limit):
        path = ("limit", position)
        if not any(other[:2] == path for other in broken):
            yield from _limit(limit, path)
    yield from _crowds(config)


def scope_of(element: Budget | Limit) -> Scope:
    """Of a table that has exactly one."""
    (kind,) = (kind for kind in KINDS if getattr(element, kind))
    return Scope(kind, getattr(element, kind), each=element.each)


def amount_of(limit: Limit) -> tuple[LimitKind, int]:
    """Kind and units of a table that has exactly one."""
    (kind,) = (kind for kind in LIMIT_KINDS if getattr(limit, kind))
    return kind, units(kind, getattr(limit, kind))


def units(kind: str, amount: str | int) -> int:
    """An amount of the configuration in what a limit of this kind counts. Raises ValueError if that is not whole."""
    if kind == "usd":
        return usd_units(nusd_from_usd(str(amount)))
    if Decimal(amount) % 1:
        raise ValueError("must be a whole number")
    return int(Decimal(amount))


def _tables(config: Config) -> tuple[tuple[str, tuple[Budget | Limit, ...]], ...]:
    return ("budget", config.budget), ("limit", config.limit)


def _one_scope(element: Budget | Limit, path: Path) -> Iterator[Finding]:
    given = [kind for kind in KINDS if getattr(element, kind)]
    if not given:
        yield path, f'{path[0]} "{element.name}" is about nobody; give one of {", ".join(KINDS)}'
    elif len(given) > 1:
        yield path, f'{path[0]} "{element.name}" has {" and ".join(given)}; keep one, and write another {path[0]} for the other'


def _budget(budget: Budget, path: Path, broken: Collection[Path]) -> Iterator[Finding]:
    if not any((*path, key) in broken for key in ("window", "time_zone", "anchor")):
        try:
            parse_window(budget.window, budget.time_zone, budget.anchor)
        except ValueError as error:
            yield (*path, "anchor"), str(error)
    yield from _on_exceed(budget, path)
    for position, increase in enumerate(budget.increase):
        here = (*path, "increase", position)
        if increase.until is None:
            yield (*here, "until"), "must be a date such as 2027-01-31: an increase without an end is a higher limit"
        if not increase.reason.strip():
            yield (*here, "reason"), "must say why"
        if (*here, "limit_usd") not in broken and not Decimal(increase.limit_usd):
            yield (*here, "limit_usd"), "must be more than 0"


def _on_exceed(budget: Budget, path: Path) -> Iterator[Finding]:
    """What happens at the limit must be something that the mode lets happen, and the scope lets be known in time."""
    for key in ("on_exceed_model", "on_exceed_wait_s"):
        if not getattr(budget, key):
            continue
        if budget.mode != "soft":
            yield (*path, key), f'has a meaning only with mode = "soft": a {budget.mode} budget does something else at its limit'
        elif budget.upstream:
            yield (*path, key), "comes before it is known which upstream a call goes to; on_exceed_elsewhere comes after"
    if is_pattern(budget.on_exceed_model):
        yield (*path, "on_exceed_model"), f'"{budget.on_exceed_model}" must be the name of one model'
    if budget.on_exceed_elsewhere and (budget.mode != "hard" or not budget.upstream):
        yield (*path, "on_exceed_elsewhere"), 'has a meaning only for a budget of an upstream with mode = "hard"'


def _limit(limit: Limit, path: Path) -> Iterator[Finding]:
    """Of a table whose every key has been read."""
    given = [kind for kind in LIMIT_KINDS if getattr(limit, kind)]
    if len(given) != 1:
        has = f"has {' and '.join(given)}; keep one" if given else f"limits nothing; give one of {', '.join(LIMIT_KINDS)}"
        yield path, f'limit "{limit.name}" {has}'
        return
    kind, amount = amount_of(limit)
    if not 0 < amount <= AMOUNT_MAX:
        yield (*path, kind), "must be more than 0 and at most 1000000 USD"
    if kind == "parallel" and limit.burst:
        yield (*path, "burst"), "has no meaning for parallel calls"
    elif limit.burst:
        try:
            burst = units(kind, limit.burst)
        except ValueError:
            whole = f"have at most {USD_DECIMALS_MAX} decimals" if kind == "usd" else "be a whole number"
            yield (*path, "burst"), f"must {whole}"
        else:
            if burst > AMOUNT_MAX:
                yield (*path, "burst"), "is more than a limit can count"


def _crowds(config: Config) -> Iterator[Finding]:
    """More than fit into what the shared state keeps of one call."""
    scopes = crowds((*config.budget, *config.limit, *config.key))
    for table, message in CROWDED.items():
        if crowd(scopes[table]) > CHARGES_MAX:
            yield (table,), message


def crowds(elements: Iterable[Budget | Limit | Key]) -> dict[str, list[Scope]]:
    """What is counted together: "budget": budgets, limits of parallel calls and the sessions of keys; "limit": rates."""
    found: dict[str, list[Scope]] = {"budget": [], "limit": []}
    for one in elements:
        if isinstance(one, Key):
            if one.session_limit_usd:
                found["budget"].append(Scope("session", "*", key=one.name))
        elif sum(bool(getattr(one, kind)) for kind in KINDS) == 1:
            found["limit" if isinstance(one, Limit) and not one.parallel else "budget"].append(scope_of(one))
    return found
