"""What the tables about routing say about each other, and about upstreams; part of `rules.py`."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from gw.config.locate import Path
from gw.config.model import Config
from gw.config.names import Names
from gw.config.routing_model import Conditions, Do, Route, RouteCandidate, Rule, TierNames
from gw.domain.scope import is_pattern, model_name

Finding = tuple[Path, str]
TIERS = ("haiku", "sonnet", "opus", "fable")
NOTHING = Conditions()
NOWHERE = '"{}" is neither the name of a route, nor upstream/model, nor served by an upstream'


def problems(config: Config) -> Iterator[Finding]:
    upstreams = Names(upstream.name for upstream in config.upstream)
    routes = Names(route.model for route in config.route)
    for position, route in enumerate(config.route):
        yield from _route(route, ("route", position), upstreams)
    yield from _twice(config.route)
    yield from _tiers(config)
    budgets = Names(budget.name for budget in config.budget)
    for position, rule in enumerate(config.rule):
        yield from _rule(rule, ("rule", position), upstreams, routes, budgets)
        if rule.do.model and not is_pattern(rule.do.model) and not _leads_somewhere(config, rule.do.model):
            yield ("rule", position, "do", "model"), NOWHERE.format(rule.do.model)
    for position, budget in enumerate(config.budget):
        target = budget.on_exceed_model
        if target and not is_pattern(target) and not _leads_somewhere(config, target):
            yield ("budget", position, "on_exceed_model"), NOWHERE.format(target)
    if config.routing.cooldown_s > config.routing.cooldown_max_s:
        yield ("routing", "cooldown_s"), "is longer than cooldown_max_s"


def warnings(config: Config) -> Iterator[Finding]:
    """What is allowed and probably not meant."""
    for position, route in enumerate(config.route):
        for earlier in config.route[:position]:
            if is_pattern(earlier.model) and is_pattern(route.model) and _covers(earlier.model, route.model):
                yield ("route", position, "model"), f'is never asked: the route "{earlier.model}" before it takes all that fit'
                break
        if route.by == "complexity" and not any(one.tier for one in route.candidates):
            yield ("route", position, "by"), "chooses nothing: no candidate has a tier"
    of_upstreams = {one.name for one in config.budget if one.upstream}
    ended = ""
    for position, rule in enumerate(config.rule):
        path: Path = ("rule", position)
        if ended and rule.active:
            yield path, f'is never asked: the rule "{ended}" before it stops at every call'
        elif rule.active and rule.when == type(rule.when)() and rule.then == "stop" and not rule.do.shadow:
            ended = rule.name
        if rule.do == Do(shadow=rule.do.shadow) and rule.then == "go on":
            yield (*path, "do"), f'"{rule.name}" does nothing'
        for inner, each in _parts(rule):
            if each.budget in of_upstreams:
                yield (*path, "when", *inner, "budget"), "never holds: rules are asked before it is known where a call goes"
        for nth, one in enumerate(rule.when.any):
            if one == NOTHING:
                yield (*path, "when", "any", nth), "says nothing, and so holds for every call"


def _route(route: Route, path: Path, upstreams: Names) -> Iterator[Finding]:
    if not route.candidates:
        yield path, f'the route "{route.model}" has no candidates, so its calls could go nowhere'
    yield from _candidates(route.candidates, (*path, "candidates"), upstreams, route.model.count("*"))
    if route.by == "complexity" and route.haiku_below > route.opus_from:
        yield (*path, "haiku_below"), "is above opus_from"
    for nth, one in enumerate(route.candidates):
        if one.tier and route.by != "complexity":
            yield (*path, "candidates", nth, "tier"), 'has a meaning only with by = "complexity"'


def _candidates(candidates: tuple[RouteCandidate, ...], path: Path, upstreams: Names, stars: int) -> Iterator[Finding]:
    seen: dict[tuple[str, str, str], int] = {}
    for nth, one in enumerate(candidates):
        here = (*path, nth)
        if one.upstream and one.upstream not in upstreams:
            yield (*here, "upstream"), f'there is no upstream "{one.upstream}"{upstreams.nearest(one.upstream)}'
        if one.model.count("*") > stars:
            what = "the route's name has none" if not stars else f"the route's name has only {stars}"
            yield (*here, "model"), f'"{one.model}" carries over what a * stood for, but {what}'
        if "?" in one.model or "[" in one.model:
            yield (*here, "model"), f'"{one.model}" must be a name; of patterns it may hold only *'
        if seen.setdefault((one.upstream, one.model, one.tier), nth) != nth:
            yield here, f'stands twice: "{one.upstream}" with this model; one of a higher weight says the same'


def _twice(routes: tuple[Route, ...]) -> Iterator[Finding]:
    """In any case and with or without [1m], as they are looked for."""
    first: dict[str, int] = {}
    for position, route in enumerate(routes):
        if first.setdefault(model_name(route.model), position) != position:
            yield ("route", position, "model"), f'there are two routes for "{route.model}"'


def _tiers(config: Config) -> Iterator[Finding]:
    yield from _targets(config, config.tiers, ("tiers",))
    for nth, override in enumerate(config.tiers.override):
        path: Path = ("tiers", "override", nth)
        if not override.team and not override.key:
            yield path, "names neither a team nor a key; what is for everybody stands in [tiers] itself"
        yield from _targets(config, override, path)


def _targets(config: Config, names: TierNames, path: Path) -> Iterator[Finding]:
    for tier in TIERS:
        target: str = getattr(names, tier)
        if target and not _leads_somewhere(config, target):
            yield (*path, tier), NOWHERE.format(target)


def _leads_somewhere(config: Config, target: str) -> bool:
    """A route, an upstream or provider before a slash, or a model that some upstream serves."""
    name, slash, rest = target.partition("/")
    if slash and rest and any(name in (one.name, one.provider) for one in config.upstream):
        return True
    wanted = model_name(target)
    if any(fnmatchcase(wanted, model_name(route.model)) for route in config.route):
        return True
    if slash:  # an upstream that serves everything is no reason to believe in a name with a wrong upstream
        return any(fnmatchcase(target, glob) for one in config.upstream for glob in one.models if glob != "*")
    return any(fnmatchcase(target, glob) for one in config.upstream for glob in one.models)


def _rule(rule: Rule, path: Path, upstreams: Names, routes: Names, budgets: Names) -> Iterator[Finding]:
    do, here = rule.do, (*path, "do")
    targets = [name for name in ("route", "model", "candidates") if getattr(do, name)]
    if len(targets) > 1:
        yield here, f'"{rule.name}" says where to go by {" and ".join(targets)}; keep one of them'
    others = [name for name in (*targets, "max_tokens", "effort", "wait_s", "tag") if getattr(do, name)]
    if do.deny and others:
        yield (*here, "deny"), f'"{rule.name}" refuses the call, so {others[0]} has no meaning'
    if do.route and do.route not in routes:
        yield (*here, "route"), f'there is no route "{do.route}"{routes.nearest(do.route)}'
    if is_pattern(do.model):
        yield (*here, "model"), f'"{do.model}" must be the name of one model'
    if do.shadow and do == Do(shadow=True):
        yield here, f'"{rule.name}" does nothing, so there is nothing to do in the shadow'
    yield from _candidates(do.candidates, (*here, "candidates"), upstreams, 1)
    for inner, one in _parts(rule):
        at = (*path, "when", *inner)
        if one.budget and not one.budget_used_percent:
            yield (*at, "budget"), "says nothing by itself; write budget_used_percent beside it"
        if one.budget and one.budget not in budgets:
            yield (*at, "budget"), f'there is no budget "{one.budget}"{budgets.nearest(one.budget)}'


def _parts(rule: Rule) -> Iterator[tuple[Path, Conditions]]:
    """Its conditions, and where they stand below `when`."""
    yield (), rule.when
    yield from ((("any", nth), one) for nth, one in enumerate(rule.when.any))
    yield ("not",), rule.when.not_


def _covers(wide: str, narrow: str) -> bool:
    """Whether all that fits the second pattern surely fits the first: `claude-*` covers `claude-opus-*`."""
    wide, narrow = model_name(wide), model_name(narrow)
    return wide == "*" or (wide.count("*") == 1 and wide.endswith("*") and narrow.startswith(wide[:-1]) and "?" not in wide)
