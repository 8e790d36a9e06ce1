"""Rules: what is done to calls of some kind, in the order of the configuration. Pure; compiled once per snapshot.

Every rule judges the call as it was asked for, not as a rule before it has changed it. Of those that apply, caps add up to the
lowest, tags to all of them, and of route, model and candidates the last one said stands. A rule with `stop` is the last one,
but for those that are asked always, behind all others: what budgets say of their limits. One in the shadow changes nothing, and
stops nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gw.domain.account import Account
from gw.domain.condition import EFFORTS
from gw.errors import Refusal
from gw.routing.asked import Asked, Candidate, Fact
from gw.routing.conditions import NOTHING, Condition, Named, Test, all_of, facts_of, tests_of

DENIED = "denied_by_rule"


class Action(NamedTuple):
    route: str = ""
    model: str = ""
    candidates: tuple[Candidate, ...] = ()  # with `*` in their models where they carry the asked one over
    max_tokens: int = 0
    effort: str = ""
    deny: str = ""
    tags: tuple[str, ...] = ()
    shadow: bool = False
    wait_s: float = 0


class Rule(NamedTuple):
    """As configured. `any`: one of them must hold, if there are any; `refused`: must not hold, if it says anything."""

    name: str
    when: Condition
    action: Action
    any: tuple[Condition, ...] = ()
    refused: Condition = NOTHING
    stops: bool = True
    always: bool = False


class Compiled(NamedTuple):
    rule: Rule
    tests: tuple[Named, ...]
    holds: Test


class Outcome(NamedTuple):
    """What the rules make of a call."""

    action: Action
    applied: tuple[str, ...] = ()
    target_by: str = ""  # the rule that said where to
    shadowed: tuple[str, ...] = ()


NO_ACTION = Action()
UNTOUCHED = Outcome(NO_ACTION)


def compiled(rules: Sequence[Rule]) -> tuple[Compiled, ...]:
    return tuple(_compiled(rule) for rule in rules)


def facts(rules: Sequence[Rule]) -> set[Fact]:
    """What they wait for."""
    return {fact for rule in rules for part in (rule.when, *rule.any, rule.refused) for fact in facts_of(part)}


def judge(rules: tuple[Compiled, ...], asked: Asked, account: Account) -> Outcome:
    """Raises Refusal (denied_by_rule)."""
    applied: list[str] = []
    shadowed: list[str] = []
    action, target_by, stopped = NO_ACTION, "", False
    for one in rules:
        if (stopped and not one.rule.always) or not one.holds(asked, account):
            continue
        rule = one.rule
        if rule.action.shadow:
            shadowed.append(f"{rule.name}: {said(rule.action)}")
            continue
        if rule.action.deny:
            raise Refusal(DENIED, rule.action.deny, rule=rule.name)
        applied.append(rule.name)
        if rule.action.route or rule.action.model or rule.action.candidates:
            target_by = rule.name
        action = merged(action, rule.action)
        stopped = stopped or rule.stops
    if not applied and not shadowed:
        return UNTOUCHED
    return Outcome(action, tuple(applied), target_by, tuple(shadowed))


def merged(before: Action, after: Action) -> Action:
    """The target of the later one, if it has one; the lower caps; the tags of both; the longer wait."""
    target = after if after.route or after.model or after.candidates else before
    return Action(
        route=target.route,
        model=target.model,
        candidates=target.candidates,
        max_tokens=min(filter(None, (before.max_tokens, after.max_tokens)), default=0),
        effort=min(filter(None, (before.effort, after.effort)), key=EFFORTS.index, default=""),
        tags=tuple(dict.fromkeys((*before.tags, *after.tags))),
        wait_s=max(before.wait_s, after.wait_s),
    )


def said(action: Action) -> str:
    """For rows and people: `model claude-sonnet-5-5, max_tokens 8000`."""
    parts = [
        action.deny and "deny",
        action.route and f"route {action.route}",
        action.model and f"model {action.model}",
        action.candidates and f"candidates {'+'.join(one.deployment for one in action.candidates)}",
        action.max_tokens and f"max_tokens {action.max_tokens}",
        action.effort and f"effort {action.effort}",
        action.wait_s and f"wait {action.wait_s:g} s",
        action.tags and f"tag {'+'.join(action.tags)}",
    ]
    return ", ".join(str(part) for part in parts if part) or "nothing"


def _compiled(rule: Rule) -> Compiled:
    tests = list(tests_of(rule.when))
    if rule.refused != NOTHING:
        refused = all_of(tests_of(rule.refused))
        tests.append(Named("not", lambda asked, account: not refused(asked, account)))
    if rule.any:
        either = tuple(all_of(tests_of(one)) for one in rule.any)
        tests.append(Named("any", lambda asked, account: any(test(asked, account) for test in either)))
    return Compiled(rule, tuple(tests), all_of(tuple(tests)))
