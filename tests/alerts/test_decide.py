"""What is told, and what is not: tables of moments, and the bounds that hold for any sequence of them."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw.alerts.decide import Action, Condition, Holds, Rule, State, decide, fingerprint
from gw.alerts.notice import Told

MINUTE = 60_000_000
BEGIN = 30_000_000  # minutes since 1970; 0 stands for never
RULE = Rule("r", cooldown_us=60 * MINUTE, resolve_after_us=10 * MINUTE)
MARK = fingerprint("r", "s")


def condition(holds: Holds, level: int = 0, epoch: int = 0, mark: int = 0) -> Condition:
    return Condition("s", holds, Told("it is", over="it was"), level, epoch, mark)


class Told_:
    """A rule over time. `at`: the events of one look, and what is remembered."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {}
        self.ids = 0

    def at(self, minute: int, *conditions: Condition, silenced: bool = False) -> list[str]:
        quiet = frozenset([MARK]) if silenced else frozenset[str]()
        actions = decide(RULE, conditions, self.states, (BEGIN + minute) * MINUTE, silenced=quiet)
        for action in actions:
            self.states[action.state.fingerprint] = action.state
        return [f"{action.event}{'' if action.loud else ' (quiet)'}" for action in actions if action.event]


ON, OFF, BETWEEN = condition("on"), condition("off"), condition("between")

# Minute by minute: (minute, condition, what is said).
COURSES: dict[str, list[tuple[int, Condition, list[str]]]] = {
    "it fires once, however long it lasts": [(0, ON, ["firing"]), (1, ON, []), (500, ON, [])],
    "nothing is said of what is not": [(0, OFF, []), (1, BETWEEN, [])],
    "it is over when it has been off for long enough": [
        (0, ON, ["firing"]),
        (5, OFF, []),
        (14, OFF, []),
        (15, OFF, ["resolved"]),
    ],
    "a wavering condition is one alert": [
        (0, ON, ["firing"]),
        (5, OFF, []),
        (9, ON, []),
        (18, OFF, []),
        (27, BETWEEN, []),
        (37, OFF, []),
    ],
    "again only after the cool-down": [
        (0, ON, ["firing"]),
        (1, OFF, []),
        (11, OFF, ["resolved"]),
        (12, ON, []),
        (70, ON, []),
        (71, ON, ["firing"]),
    ],
    "worse is said at once": [
        (0, condition("on", 1), ["firing"]),
        (1, condition("on", 2), ["escalated"]),
        (2, condition("on", 1), []),
        (3, condition("on", 2), []),
    ],
    "a level is told once in its window": [
        (0, condition("on", 1), ["firing"]),
        (1, condition("off"), []),
        (11, condition("off"), ["resolved"]),
        (500, condition("on", 1), []),
        (501, condition("on", 2), ["firing"]),
    ],
    "a new window counts anew": [
        (0, condition("on", 2, 100), ["firing"]),
        (1, condition("off", 0, 200), []),
        (11, condition("off", 0, 200), ["resolved"]),
        (12, condition("on", 1, 200), ["firing"]),
    ],
    "a new window that begins beyond its threshold ends the old alert and begins one": [
        (0, condition("on", 2, 100), ["firing"]),
        (1, condition("on", 1, 200), ["resolved (quiet)", "firing"]),
        (2, condition("on", 1, 200), []),
    ],
    "a higher limit lets a level be reached again": [
        (0, condition("on", 2, 100, 50), ["firing"]),
        (1, condition("on", 1, 100, 90), []),
        (2, condition("on", 2, 100, 90), ["escalated"]),
    ],
}


@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_course(course: list[tuple[int, Condition, list[str]]]) -> None:
    told = Told_()
    assert [told.at(minute, one) for minute, one, _ in course] == [said for *_, said in course]


def test_what_is_not_looked_at_any_more_is_over_like_anything_else() -> None:
    told = Told_()
    assert told.at(0, ON) == ["firing"]
    assert told.at(1) == [] and told.at(11) == ["resolved"]


def test_what_is_silenced_is_told_when_the_silence_is_over_and_it_still_fires() -> None:
    told = Told_()
    assert told.at(0, ON, silenced=True) == ["firing (quiet)"]
    assert told.at(1, ON, silenced=True) == []
    assert told.at(2, ON) == ["firing"] and told.at(3, ON) == []
    other = Told_()
    other.at(0, ON, silenced=True)
    other.at(1, OFF, silenced=True)
    assert other.at(20, OFF) == ["resolved (quiet)"], "nobody is told of the end of what nobody heard of"


def test_one_subject_is_decided_once_though_it_is_named_twice() -> None:
    assert len(decide(RULE, [ON, ON], {}, 0)) == 1


STEPS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([ON, OFF, BETWEEN])), max_size=120)
LEVELS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["on", "off", "between"]), st.integers(1, 4), st.integers(0, 2)), max_size=120
)


@given(STEPS)
@settings(max_examples=300)
def test_whatever_wavers_is_told_no_more_than_twice_in_a_cool_down(steps: list[tuple[int, Condition]]) -> None:
    told, minute, fired, last = Told_(), 0, [], ""
    for wait, one in steps:
        minute += wait
        for said in told.at(minute, one):
            assert said != last and said in ("firing", "resolved")
            last = said
            if said == "firing":
                fired.append(minute)
    pause = (RULE.cooldown_us + RULE.resolve_after_us) // MINUTE
    assert all(after - before >= pause for before, after in pairwise(fired))


@given(LEVELS)
@settings(max_examples=300)
def test_each_level_is_told_at_most_once_in_a_window(steps: list[tuple[int, Holds, int, int]]) -> None:
    told, minute, epoch = Told_(), 0, 0
    heard: list[tuple[int, int]] = []
    for wait, holds, level, forward in steps:
        minute += wait
        epoch += forward
        one = condition(holds, level if holds == "on" else 0, epoch)
        actions = decide(RULE, [one], told.states, (BEGIN + minute) * MINUTE)
        for action in actions:
            told.states[action.state.fingerprint] = action.state
            if action.event in ("firing", "escalated"):
                assert not [known for at, known in heard if at == epoch and known >= action.state.level]
                heard.append((epoch, action.state.level))


def test_the_same_facts_decide_nothing_new() -> None:
    first = decide(RULE, [ON], {}, BEGIN)
    (action,) = first
    assert isinstance(action, Action)
    assert decide(RULE, [ON], {MARK: action.state}, BEGIN + 1) == []
