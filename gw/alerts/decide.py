"""What becomes of alerts: from what holds now and what was said before to what is to be done. Pure.

Each thing that a rule can be about has a fingerprint. It fires when its condition is on, is told again only when it gets worse (a
higher level), and is over when the condition has been off for `resolve_after` without a break; `between` on and off it stays what
it is. Once it is over, it fires again after `cooldown` at the earliest, unless it is worse than before, or of a new window.

So about one thing there are never more messages than levels in a window, and two for each cooldown + resolve_after.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from gw.alerts.notice import Told

Holds = Literal["on", "between", "off"]
Event = Literal["firing", "escalated", "resolved"]
NOTICES_MAX = 10  # of one rule at one look; the others stand in the history, and one message says how many


class Rule(NamedTuple):
    """What decides, of a rule of the configuration."""

    name: str
    cooldown_us: int
    resolve_after_us: int


class Condition(Struct, frozen=True):
    """One thing as it is now. `level` grows with how bad it is; `epoch`: the window that levels are of; `mark`: what levels are
    measured by (a limit): when that changes, levels are counted from where it stands then."""

    subject: str  # what it is about, as programs say it
    holds: Holds
    told: Told
    level: int = 0
    epoch: int = 0
    mark: int = 0


class State(Struct, frozen=True):
    """What was decided about a fingerprint. Times in UTC microseconds, 0 for never."""

    fingerprint: str
    rule: str
    subject: str
    firing: bool
    level: int
    epoch: int
    mark: int
    since_us: int  # it fires, or fired last
    off_us: int  # since when it has been off without a break; 0: it is not
    over_us: int  # when it was over
    told_us: int  # when it was told; 0: it was silenced, and nobody knows
    alert_id: int  # in the history


class Action(Struct, frozen=True):
    """`event` "" only writes down the state. `told` says it in words; `loud`: people are to hear of it."""

    event: Event | Literal[""]
    state: State
    told: Told = Told("")
    loud: bool = True


def fingerprint(rule: str, subject: str) -> str:
    """32 hex digits, the same for ever."""
    return blake2b(f"{rule}\0{subject}".encode("utf-8", "surrogatepass"), digest_size=16, person=b"gw-alert").hexdigest()


def decide(
    rule: Rule,
    conditions: Iterable[Condition],
    states: Mapping[str, State],
    now_us: int,
    *,
    silenced: frozenset[str] = frozenset(),
) -> list[Action]:
    """`states`: those of this rule by fingerprint. `silenced`: fingerprints of which nothing is to be said now."""
    actions: list[Action] = []
    seen: set[str] = set()
    for condition in conditions:
        mark = fingerprint(rule.name, condition.subject)
        if mark in seen:
            continue
        seen.add(mark)
        actions += _one(rule, condition, mark, states.get(mark), now_us, silent=mark in silenced)
    for mark, state in states.items():
        if mark not in seen and state.firing:
            gone = Condition(
                state.subject, "off", Told("", over=f"{state.subject} is as it was"), epoch=state.epoch, mark=state.mark
            )
            actions += _firing(rule, gone, state, now_us, silent=mark in silenced)
    return actions


def _one(rule: Rule, condition: Condition, mark: str, state: State | None, now_us: int, *, silent: bool) -> list[Action]:
    if state is None:
        if condition.holds != "on":
            return []
        fresh = State(
            mark, rule.name, condition.subject, True, condition.level, condition.epoch, condition.mark, now_us, 0, 0, 0, 0
        )
        return [_told("firing", fresh, condition, now_us, silent=silent)]
    if state.firing and condition.holds == "on" and condition.epoch != state.epoch:
        over = replace(state, firing=False, off_us=0, over_us=now_us)
        ended = Action("resolved", over, condition.told, loud=False)  # its window is over, and the next one has it at once
        return [ended, *_one(rule, condition, mark, over, now_us, silent=silent)]
    if state.firing:
        return _firing(rule, condition, state, now_us, silent=silent)
    known = _levels(state, condition)
    if condition.holds != "on":
        return [] if known == state else [Action("", known)]
    worse = condition.level > known.level
    cooling = now_us < state.over_us + rule.cooldown_us
    if (cooling and not worse) or (condition.level and not worse):
        return [] if known == state else [Action("", known)]  # a level is told once in its window
    again = replace(known, firing=True, level=condition.level, since_us=now_us, off_us=0, told_us=0, alert_id=0)
    return [_told("firing", again, condition, now_us, silent=silent)]


def _firing(rule: Rule, condition: Condition, state: State, now_us: int, *, silent: bool) -> list[Action]:
    known = _levels(state, condition)
    if condition.holds == "off":
        off_us = state.off_us or now_us
        if now_us - off_us < rule.resolve_after_us:
            return [Action("", replace(known, off_us=off_us))] if (off_us != state.off_us or known != state) else []
        over = replace(known, firing=False, off_us=0, over_us=now_us)
        return [Action("resolved", over, condition.told, loud=bool(state.told_us) and not silent)]
    known = replace(known, off_us=0)
    if condition.holds == "on" and condition.level > known.level:
        return [
            _told(
                "escalated" if state.told_us else "firing",
                replace(known, level=condition.level),
                condition,
                now_us,
                silent=silent,
            )
        ]
    if condition.holds == "on" and not state.told_us and not silent:
        return [_told("firing", known, condition, now_us, silent=False)]  # its silence is over
    return [] if known == state else [Action("", known)]


def _told(event: Event, state: State, condition: Condition, now_us: int, *, silent: bool) -> Action:
    return Action(event, state if silent else replace(state, told_us=now_us), condition.told, loud=not silent)


def _levels(state: State, condition: Condition) -> State:
    """The levels that count as told: none in a new window; under another limit at most the one that is reached now."""
    if condition.epoch != state.epoch:
        return replace(state, epoch=condition.epoch, mark=condition.mark, level=0)
    if condition.mark != state.mark:
        return replace(state, mark=condition.mark, level=min(state.level, condition.level))
    return state
