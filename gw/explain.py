"""Why a call would go where: the decision of routing with every step of it, for people. Asks the same code that serves calls."""

from collections.abc import Mapping
from typing import NamedTuple

from gw import clock
from gw.domain.account import Account
from gw.errors import Refusal
from gw.routing.asked import Asked, Candidate
from gw.routing.complexity import score
from gw.routing.decision import Decision
from gw.routing.routes import Router
from gw.routing.rules import Compiled, said
from gw.routing.tiers import tier_of

TIMED = 2000  # evaluations per rule, for what one costs


class Judged(NamedTuple):
    """One rule. `verdict`: applies, shadow, denies, no, not asked. `failed`: the first condition that does not hold."""

    name: str
    verdict: str
    does: str
    failed: str
    cost_ns: int


class Explained(NamedTuple):
    tier: str
    rules: tuple[Judged, ...]
    decision: Decision | None
    refusal: Refusal | None
    parts: tuple[tuple[str, int], ...]  # of the complexity score, in thousandths, where a route goes by it


def explain(router: Router, account: Account, asked: Asked) -> Explained:
    rules, stopped, denied = [], False, False
    for compiled in router.rules:
        one = _judged(compiled, asked, account, stopped=denied or (stopped and not compiled.rule.always))
        rules.append(one)
        denied = denied or one.verdict == "denies"
        stopped = stopped or denied or (one.verdict == "applies" and compiled.rule.stops)
    decision, refusal = None, None
    try:
        decision = router.decide(account, asked)
    except Refusal as caught:
        refusal = caught
    weighed = decision is not None and "complexity:" in decision.reason
    return Explained(tier_of(asked.model or ""), tuple(rules), decision, refusal, score(asked).parts if weighed else ())


def shares(candidates: tuple[Candidate, ...]) -> list[int]:
    """Percent of the new sessions that each gets while all of its priority are well."""
    whole: dict[int, int] = {}
    for one in candidates:
        whole[one.priority] = whole.get(one.priority, 0) + one.weight
    return [100 * one.weight // (whole[one.priority] or 1) for one in candidates]


def fields_of(explained: Explained, asked: Asked) -> Mapping[str, object]:
    """For programs."""
    decision, refusal = explained.decision, explained.refusal
    fields: dict[str, object] = {
        "model": asked.model,
        "tier": explained.tier,
        "kind": asked.kind,
        "prompt_tokens": asked.prompt_tokens,
        "rules": [one._asdict() for one in explained.rules],
    }
    if refusal is not None:
        return {**fields, "refused": refusal.slug, "message": refusal.message, "rule": refusal.rule}
    assert decision is not None
    places = zip(decision.candidates, shares(decision.candidates), strict=True)
    return {
        **fields,
        "candidates": [
            {
                "upstream": one.deployment,
                "model": one.model,
                "priority": one.priority,
                "weight": one.weight,
                "share_percent": share,
                "reason": one.reason,
            }
            for one, share in places
        ],
        "by": decision.by,
        "reason": decision.reason,
        "max_tokens": decision.max_tokens,
        "effort": decision.effort,
        "wait_s": decision.wait_s,
        "tags": list(decision.tags),
        "shadowed": list(decision.shadowed),
        "score": dict(explained.parts),
    }


def _judged(compiled: Compiled, asked: Asked, account: Account, *, stopped: bool) -> Judged:
    rule = compiled.rule
    does = said(rule.action)
    begun_ns = clock.mono_ns()
    for _ in range(TIMED):
        compiled.holds(asked, account)
    cost_ns = (clock.mono_ns() - begun_ns) // TIMED
    if stopped:
        return Judged(rule.name, "not asked", does, "", cost_ns)
    failed = next((one.said for one in compiled.tests if not one.test(asked, account)), "")
    if failed:
        return Judged(rule.name, "no", does, failed, cost_ns)
    verdict = "shadow" if rule.action.shadow else "denies" if rule.action.deny else "applies"
    return Judged(rule.name, verdict, does, "", cost_ns)
