"""From the tables of the configuration to what routing decides by: the one place where the two meet."""

from collections.abc import Sequence

from gw.config.budget_model import Budget
from gw.config.model import Config
from gw.config.routing_model import Conditions, RouteCandidate
from gw.config.routing_model import Route as ConfiguredRoute
from gw.config.routing_model import Rule as ConfiguredRule
from gw.config.routing_model import TierNames as ConfiguredTiers
from gw.domain.condition import parse_range, parse_times
from gw.ops.places import Places
from gw.routing.affinity import Affinity
from gw.routing.asked import Candidate
from gw.routing.breaker import Settings
from gw.routing.conditions import Condition
from gw.routing.health import Health
from gw.routing.queue import FairQueue
from gw.routing.retry import Patience
from gw.routing.routes import Place, RatesOf, Route, Router, TierNames, no_rates
from gw.routing.rules import Action, Rule
from gw.routing.tiers import TIERS

NS = 1_000_000_000
Credentials = dict[str, tuple[tuple[str, int], ...]]


def router_of(config: Config, deployments: Sequence[Place], rates: RatesOf = no_rates) -> Router:
    """Of a configuration that `load` has accepted."""
    tiers = [_tiers(config.tiers), *(_tiers(one, one.team, one.key) for one in config.tiers.override)]
    return Router(
        deployments,
        [_route(one) for one in config.route],
        [one for one in tiers if any(one.targets)],
        [*(_rule(one) for one in config.rule if one.active), *(_at_limit(one) for one in config.budget if one.reroutes)],
        rates=rates,
    )


def _at_limit(one: Budget) -> Rule:
    """What its calls would be refused for if it were hard."""
    when = Condition(budget=one.name, budget_used_percent=(parse_range(">= 100"),))
    action = Action(model=one.on_exceed_model, wait_s=one.on_exceed_wait_s)
    return Rule(f"budget {one.name}", when, action, stops=False, always=True)


def credentials_of(config: Config) -> Credentials:
    """Name and weight of each credential, of the upstreams that have some (gw.routing.asked.with_credentials)."""
    return {one.name: tuple((each.name, each.weight) for each in one.credential) for one in config.upstream if one.credential}


def health_of(config: Config, places: Places | None = None) -> Health:
    said = config.routing
    settings = Settings(
        failures=said.breaker_failures,
        percent=said.breaker_percent,
        calls_min=said.breaker_calls_min,
        window_ns=said.breaker_window_s * NS,
        cooldown_ns=int(said.cooldown_s * NS),
        cooldown_max_ns=int(said.cooldown_max_s * NS),
    )
    affinity = Affinity(said.affinity_sessions)
    return Health(settings, affinity, int(said.latency_half_life_s * NS), said.avoid_below_percent * 10, places)


def patience_of(config: Config) -> Patience:
    said = config.routing
    return Patience(
        attempts_max=said.attempts_max,
        base_ns=said.retry_base_ms * 1_000_000,
        cap_ns=int(said.retry_cap_s * NS),
        percent=said.retry_percent,
        floor=said.retry_floor,
    )


def queue_of(config: Config) -> FairQueue:
    """For one upstream."""
    return FairQueue(config.routing.queue_calls_max, int(config.routing.queue_s * NS))


def _tiers(one: ConfiguredTiers, team: str = "", key: str = "") -> TierNames:
    return TierNames(tuple(getattr(one, tier) for tier in TIERS), team, key)


def _route(one: ConfiguredRoute) -> Route:
    return Route(
        model=one.model,
        candidates=tuple(map(_candidate, one.candidates)),
        by=one.by,
        levels=tuple(candidate.tier for candidate in one.candidates),
        haiku_below=round(one.haiku_below * 1000),
        opus_from=round(one.opus_from * 1000),
        larger_on_overflow=one.on_context_full == "failover",
    )


def _candidate(one: RouteCandidate) -> Candidate:
    return Candidate(one.upstream, one.model, one.weight, one.priority, context_tokens=one.context_tokens)


def _rule(one: ConfiguredRule) -> Rule:
    do = one.do
    return Rule(
        name=one.name,
        when=_condition(one.when),
        action=Action(
            route=do.route,
            model=do.model,
            candidates=tuple(map(_candidate, do.candidates)),
            max_tokens=do.max_tokens,
            effort=do.effort,
            wait_s=do.wait_s,
            deny=do.deny,
            tags=do.tag,
            shadow=do.shadow,
        ),
        any=tuple(map(_condition, one.when.any)),
        refused=_condition(one.when.not_),
        stops=one.then == "stop",
    )


def _condition(one: Conditions) -> Condition:
    """The fields have the same names on both sides; numbers and times are parsed."""
    said = {name: getattr(one, name) for name in Condition._fields}
    for name in ("prompt_tokens", "cached_tokens", "max_tokens", "budget_used_percent"):
        said[name] = tuple(map(parse_range, said[name]))
    said["time"] = tuple(map(parse_times, said["time"]))
    return Condition(**said)
