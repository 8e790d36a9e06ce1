"""Routes: from the model that a call asks for to where it may go. Pure; compiled once per snapshot, and immutable but for a
memory of what it has answered.

In this order: a rule's own target; the tier that one of Claude Code's models belongs to (of the key, of the team, of all); a
route of exactly this name, then the first whose pattern fits; `upstream/model` or `provider/model`; at last the first upstream
that says it serves the model. What a tier or a rule names is looked up once more, as if it had been asked for, but never goes
through tiers again: nothing can go in a circle.
"""

from collections.abc import Callable, Sequence
from re import Pattern
from typing import NamedTuple, Protocol

from gw.domain.account import Account, matches_any
from gw.domain.scope import model_name
from gw.domain.tariff import Rung
from gw.errors import Refusal
from gw.routing import rules as ruling
from gw.routing.asked import Asked, Candidate, Fact
from gw.routing.complexity import LEVELS, Expected, Level, level_of, score, worth_switching
from gw.routing.decision import Decision
from gw.routing.globs import catcher, filled, matcher
from gw.routing.plan import ALL, Routable, plan
from gw.routing.tiers import TIERS, tier_of

MEMORY_MAX = 4096
ANYBODY = frozenset({"custom", "openai_compatible"})  # providers that may be whoever
EXPECTED = Expected()
Flag = bool  # compiled, a C integer: routes.pxd


class Place(Routable, Protocol):
    @property
    def provider(self) -> str: ...


RatesOf = Callable[[str, str, int], Rung | None]
"""deployment, model, prompt tokens -> rates; None if no price is known."""


def no_rates(deployment: str, model: str, prompt_tokens: int) -> Rung | None:
    return None


class Route(NamedTuple):
    """As configured. `candidates` have `*` in their models where they carry over what the route's `*` stood for, and "" where the
    model is sent as asked; `levels` has the level of each with by = "complexity", "" for all."""

    model: str
    candidates: tuple[Candidate, ...]
    by: str = "weight"  # weight, latency, complexity
    levels: tuple[str, ...] = ()
    haiku_below: int = 300  # thousandths
    opus_from: int = 600
    larger_on_overflow: bool = False


class TierNames(NamedTuple):
    """Targets by tier, "" as asked; `team` and `key` (name or id) are patterns, "" for all."""

    targets: tuple[str, ...]  # in the order of TIERS
    team: str = ""
    key: str = ""


class _Tiers:
    """Compiled. `rank`: of two that fit, the higher one says where to; of equals, the first."""

    __slots__ = ("_key", "_team", "rank", "targets")

    def __init__(self, names: TierNames) -> None:
        self.targets = names.targets
        self.rank = 2 * bool(names.key) + bool(names.team)
        self._key = matcher((names.key,)) if names.key else None
        self._team = matcher((names.team,)) if names.team else None

    def fits(self, account: Account) -> bool:
        if self._key is not None and not (self._key(account.key_name) or self._key(account.key_id)):
            return False
        return self._team is None or self._team(account.team)


class Found(NamedTuple):
    """Where a model goes, before anybody asks who may use it."""

    candidates: tuple[Candidate, ...]
    route: Route | None = None


class Router:
    """`plain`: no table says where calls go; then a model without a slash goes where gw.routing.plan says, and nobody else need
    be asked. `wants`: the facts of a call that something waits for. `names`: the headers among them."""

    def __init__(
        self,
        deployments: Sequence[Place],
        routes: Sequence[Route] = (),
        tiers: Sequence[TierNames] = (),
        rules: Sequence[ruling.Rule] = (),
        *,
        rates: RatesOf = no_rates,
        expected: Expected = EXPECTED,
    ) -> None:
        self.deployments = tuple(deployments)
        self.routes = tuple(routes)
        self.rules = ruling.compiled(rules)
        self._tiers = tuple(map(_Tiers, tiers))
        self._rates = rates
        self._expected = expected
        self._exact = {model_name(one.model): one for one in reversed(self.routes) if not _is_pattern(one.model)}
        self._patterns: tuple[tuple[Pattern[str], Route], ...] = tuple(
            (catcher(one.model), one) for one in self.routes if _is_pattern(one.model)
        )
        self._by_name = {one.name: one for one in reversed(self.deployments)}
        self._memory: dict[str, Found | None] = {}
        self._settled: dict[str | None, Decision] = {}  # of accounts that may do anything, by the name of the model
        wants: set[Fact] = ruling.facts(rules)
        if any(one.by == "complexity" for one in self.routes):
            wants |= {"weight", "words", "session"}
        self.wants = frozenset(wants)
        conditions = [part for rule in rules for part in (rule.when, *rule.any, rule.refused)]
        self.names = frozenset(name for part in conditions for name in part.header)
        self.plain = not (self.routes or self._tiers or self.rules)
        # What decides is the model's name alone.
        self._by_name_alone = not (self._tiers or self.rules or any(one.by == "complexity" for one in self.routes))

    def candidates(self, account: Account, asked: Asked) -> tuple[Candidate, ...]:
        """Where the call may go, those of a lower priority first; rules are not asked. Never empty. Raises Refusal:
        model_not_allowed, upstream_not_allowed (400), no_route (404)."""
        if self.plain:
            return self.decide(account, asked).candidates
        return self._decided(account, asked, ruling.UNTOUCHED).candidates

    def decide(self, account: Account, asked: Asked) -> Decision:
        """With rules. Raises Refusal: the same, and denied_by_rule (400)."""
        if self._is_settled(account, asked.model, asked.own_login):
            known = self._settled.get(asked.model)
            if known is None:
                known = self._decided(account, asked, ruling.UNTOUCHED)
                if len(self._settled) >= MEMORY_MAX:
                    self._settled.clear()
                self._settled[asked.model] = known
            return known
        outcome = ruling.UNTOUCHED
        if self.rules and asked.model is not None:
            outcome = ruling.judge(self.rules, asked, account)
        return self._decided(account, asked, outcome)

    def settled(self, account: Account, model: str | None, own_login: Flag) -> Decision | None:
        """What `decide` has said before of a call about which nothing else need be known."""
        return self._settled.get(model) if self._is_settled(account, model, own_login) else None

    def _is_settled(self, account: Account, model: str | None, own_login: Flag) -> bool:
        """Whether the model's name alone decides. A client's own login may go elsewhere than a key's call."""
        if not self._by_name_alone or not (account.any_model and account.any_upstream):
            return False
        return not (own_login or account.passthrough) or not (self.routes or "/" in (model or ""))

    def _decided(self, account: Account, asked: Asked, outcome: ruling.Outcome) -> Decision:
        model = asked.model
        if model is None:
            return Decision((Candidate(plan(account, None, self.deployments).name, ""),))
        if not (account.models == ALL or account.may_use_model(model)):
            plan(account, model, ())  # refuses, in the words that it has for it
        found, reason = self._found(account, model, outcome)
        if found is None:
            place = plan(account, model, self.deployments)
            found = Found((Candidate(place.name, model),))
        candidates, route = found
        if route is not None and route.by == "complexity":
            candidates, weighed = self._weighed(route, candidates, asked)
            reason = f"{reason} {weighed}" if reason else weighed
        if asked.own_login or account.passthrough:
            candidates, at_home = self._at_home(model, candidates, firmly=bool(outcome.target_by or reason.startswith("tier:")))
            reason, route = (reason, route) if at_home else ("", None)
        if account.upstreams != ALL:
            candidates = _allowed(account, model, candidates)
        if reason:
            candidates = tuple(one._replace(reason=reason) for one in candidates)
        action = outcome.action
        return Decision(
            candidates,
            reason=candidates[0].reason,
            rerouted_from=model if candidates[0].model != model else "",
            by="latency" if route is not None and route.by == "latency" else "weight",
            max_tokens=action.max_tokens,
            effort=action.effort,
            wait_s=action.wait_s,
            tags=action.tags,
            rules=outcome.applied,
            shadowed=outcome.shadowed,
            larger_on_overflow=route is not None and route.larger_on_overflow,
        )

    def _found(self, account: Account, model: str, outcome: ruling.Outcome) -> tuple[Found | None, str]:
        """The place, and the reason that does not stand with its candidates. None: an upstream that serves it."""
        action, by = outcome.action, f"rule:{outcome.target_by}"
        if action.candidates:
            return Found(tuple(_sent(one, model, (model,)) for one in action.candidates)), by
        if action.route:
            for route in self.routes:
                if route.model == action.route:
                    return _of(route, model, _caught(route, model)), by
        if action.model:
            return self._target(action.model, model), by
        target, why = self._tier(account, model)
        if target:
            return self._target(target, model), why
        return self._known(model), ""

    def _at_home(self, model: str, candidates: tuple[Candidate, ...], *, firmly: bool) -> tuple[tuple[Candidate, ...], bool]:
        """A client's own login is for one provider, and must not be shown to another: for that of the upstream that would serve
        the model if no table said anything, or of the first upstream if none would. Answers the candidates that are at home, and
        True; where a tier or a rule has chosen and none is, where the call would go without them, and False. Raises Refusal
        (upstream_not_allowed)."""
        home = self._served(model) or self.deployments[0]
        kept = tuple(one for one in candidates if _same_house(self._by_name[one.deployment], home))
        if kept:
            return kept, True
        if firmly and self._served(model) is not None:
            return (Candidate(home.name, model),), False
        names = ", ".join(dict.fromkeys(one.deployment for one in candidates))
        raise Refusal(
            "upstream_not_allowed",
            f'The model "{model}" is served by {names} here, for which your own login is not valid. Use a virtual key for it.',
        )

    def _served(self, model: str) -> Place | None:
        """By whom, if no table says anything."""
        return next((one for one in self.deployments if one.models == ALL or matches_any(model, one.models)), None)

    def _target(self, target: str, model: str) -> Found:
        """Of a name that the configuration says: what nobody else knows is sent, under this name, to whom the asked model would
        go by itself. Raises Refusal (no_route)."""
        found = self._known(target)
        if found is not None:
            return found
        place = self._served(target) or self._served(model)
        if place is not None:
            return Found((Candidate(place.name, target),))
        raise Refusal("no_route", f'No upstream of this gateway serves the model "{target}", which stands for "{model}" here.')

    def _tier(self, account: Account, model: str) -> tuple[str, str]:
        """The target of the model's tier and its reason, or "" and ""."""
        tier = tier_of(model) if self._tiers else ""
        if not tier or self._names_upstream(model):
            return "", ""
        nth = TIERS.index(tier)
        best, rank = "", -1
        for one in self._tiers:
            if one.rank > rank and one.targets[nth] and one.fits(account):
                best, rank = one.targets[nth], one.rank
        return best, f"tier:{tier}" if best else ""

    def _names_upstream(self, model: str) -> bool:
        name, slash, _ = model.partition("/")
        return bool(slash) and (name in self._by_name or any(one.provider == name for one in self.deployments))

    def _known(self, model: str) -> Found | None:
        """By route, or by the name of an upstream or provider. The same for every account, so it is remembered."""
        try:
            return self._memory[model]
        except KeyError:
            found = self._look(model)
            if len(self._memory) >= MEMORY_MAX:  # clients choose the names
                self._memory.clear()
            self._memory[model] = found
            return found

    def _look(self, model: str) -> Found | None:
        route = self._exact.get(model_name(model))
        if route is not None:
            return _of(route, model, ())
        plain = _plain(model)
        for pattern, route in self._patterns:
            match = pattern.fullmatch(plain)
            if match is not None:
                return _of(route, model, match.groups())
        name, slash, rest = model.partition("/")
        if not slash or not rest:
            return None
        if name in self._by_name:
            return Found((Candidate(name, rest, reason="named"),))
        of = [one for one in self.deployments if one.provider == name]
        places = tuple(Candidate(one.name, rest, priority=nth, reason="named") for nth, one in enumerate(of, 1))
        return Found(places) if places else None

    def _weighed(self, route: Route, candidates: tuple[Candidate, ...], asked: Asked) -> tuple[tuple[Candidate, ...], str]:
        """Those of the level that the prompt looks like, or of the next one up that has any, or of the next one down."""
        found = score(asked)
        level = level_of(found.total, route.haiku_below, route.opus_from)
        chosen, reached = _of_level(route, candidates, level)
        reason = f"complexity:{found.text}->{reached}"
        warm = asked.warm
        if warm is None or any((one.deployment, one.model) == (warm.deployment, warm.model) for one in chosen):
            return chosen, reason
        for other in LEVELS:
            stays, kept = _of_level(route, candidates, other)
            if any((one.deployment, one.model) == (warm.deployment, warm.model) for one in stays):
                if self._worth(chosen[0], asked):
                    return chosen, reason
                return stays, f"{reason} kept:{kept}"
        return chosen, reason

    def _worth(self, go: Candidate, asked: Asked) -> bool:
        """A session that is warm moves only for a saving that is known."""
        warm = asked.warm
        assert warm is not None
        prompt = max(asked.prompt_tokens, warm.tokens)
        here, there = self._rates(warm.deployment, warm.model, prompt), self._rates(go.deployment, go.model, prompt)
        if here is None or there is None:
            return False
        return worth_switching(warm.tokens, here, there, self._expected, ttl=warm.ttl).worth


def _same_house(one: Place, home: Place) -> bool:
    """Two custom upstreams have nothing in common but that."""
    return one.provider == home.provider and (one.provider not in ANYBODY or one.name == home.name)


def _of(route: Route, model: str, caught: tuple[str, ...]) -> Found:
    candidates = tuple(_sent(one, model, caught)._replace(reason=f"route:{route.model}") for one in route.candidates)
    return Found(candidates, route)


def _sent(one: Candidate, model: str, caught: tuple[str, ...]) -> Candidate:
    if not one.model:
        return one._replace(model=model)
    return one._replace(model=filled(one.model, caught)) if "*" in one.model else one


def _caught(route: Route, model: str) -> tuple[str, ...]:
    """What the route's `*` stand for; all of the model for each, if a rule sends one here that it is not about."""
    match = catcher(route.model).fullmatch(_plain(model))
    return match.groups() if match is not None else (model,)


def _allowed(account: Account, model: str, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Raises Refusal (upstream_not_allowed)."""
    kept = tuple(one for one in candidates if account.may_use_upstream(one.deployment))
    if not kept:
        names = ", ".join(dict.fromkeys(one.deployment for one in candidates))
        raise Refusal(
            "upstream_not_allowed",
            f'The virtual key "{account.key_name}" may not use the upstream that serves the model "{model}" ({names}).',
        )
    return kept


def _of_level(route: Route, candidates: tuple[Candidate, ...], level: Level) -> tuple[tuple[Candidate, ...], Level]:
    nth = LEVELS.index(level)
    for other in (*LEVELS[nth:], *reversed(LEVELS[:nth])):
        found = tuple(one for one, of in zip(candidates, route.levels, strict=True) if of in ("", other))
        if found:
            return found, other
    return candidates, level


def _is_pattern(model: str) -> bool:
    return "*" in model or "?" in model


def _plain(model: str) -> str:
    """Without the suffix that Claude Code adds, in its own case: it may be sent on."""
    return model[: len(model_name(model))] if model.endswith("]") else model
