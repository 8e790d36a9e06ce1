"""What a rule waits for, compiled: a condition is a tuple of tests of a call, each a closure over what the table said. Pure.

Compiled once per snapshot; a test looks at one field of `Asked` or `Account` and costs 0.1 us (a time of day: 0.2 us, once a
minute 3 us). A condition that says nothing holds for every call.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from gw.domain.account import Account
from gw.domain.condition import Range, Times, within
from gw.domain.scope import model_name
from gw.routing.asked import Asked, Fact
from gw.routing.globs import matcher

Test = Callable[[Asked, Account], bool]
MINUTE_US = 60_000_000
UNKNOWN = -1

normal = lru_cache(maxsize=4096)(model_name)


class Condition(NamedTuple):
    """One table of the configuration, parsed. Empty and None say nothing."""

    model: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    customer: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    header: Mapping[str, tuple[str, ...]] = {}
    kind: tuple[str, ...] = ()
    prompt_tokens: tuple[Range, ...] = ()
    cached_tokens: tuple[Range, ...] = ()
    max_tokens: tuple[Range, ...] = ()
    stream: bool | None = None
    tools: bool | None = None
    images: bool | None = None
    thinking: bool | None = None
    cache_warm: bool | None = None
    effort: tuple[str, ...] = ()
    time: tuple[Times, ...] = ()
    budget: str = ""
    budget_used_percent: tuple[Range, ...] = ()


NOTHING = Condition()


class Named(NamedTuple):
    """A test with the words that `gw route explain` shows for it."""

    said: str  # 'prompt_tokens', 'header.x-app'
    test: Test


def tests_of(condition: Condition) -> tuple[Named, ...]:
    """The cheap ones first, so that most calls leave a rule after one."""
    found = [*_names(condition), *_flags(condition), *_numbers(condition)]
    for name, patterns in condition.header.items():
        found.append(Named(f"header.{name}", _header(name, matcher(patterns))))
    if condition.time:
        found.append(Named("time", _Clock(condition.time)))
    return tuple(found)


def facts_of(condition: Condition) -> set[Fact]:
    found: set[Fact] = set()
    if condition.header:
        found.add("headers")
    weighed = (condition.prompt_tokens, condition.max_tokens, condition.kind)
    if any(weighed) or condition.tools is not None or condition.images is not None:
        found.add("weight")
    if condition.effort or condition.thinking is not None:
        found.add("words")
    if condition.budget_used_percent:
        found.add("budgets")
    if condition.cached_tokens or condition.cache_warm is not None:
        found.add("session")
    return found


def all_of(tests: tuple[Named, ...]) -> Test:
    """One closure for all of them."""
    if len(tests) == 1:
        return tests[0].test
    if len(tests) == 2:
        first, second = tests[0].test, tests[1].test
        return lambda asked, account: first(asked, account) and second(asked, account)
    plain = tuple(one.test for one in tests)

    def holds(asked: Asked, account: Account) -> bool:
        for test in plain:  # noqa: SIM110 - a generator would cost more than most tests
            if not test(asked, account):
                return False
        return True

    return holds


def _names(condition: Condition) -> list[Named]:
    found = []
    if condition.kind:
        kinds = frozenset(condition.kind)
        found.append(Named("kind", lambda asked, account: asked.kind in kinds))
    if condition.model:
        models = matcher(condition.model, normal=normal)
        found.append(Named("model", lambda asked, account: models(normal(asked.model or ""))))
    if condition.key:
        found.append(Named("key", _key(condition.key)))
    if condition.team:
        teams = matcher(condition.team)
        found.append(Named("team", lambda asked, account: teams(account.team)))
    if condition.customer:
        customers = matcher(condition.customer)
        found.append(Named("customer", lambda asked, account: customers(account.customer)))
    if condition.project:
        projects = matcher(condition.project)
        found.append(Named("project", lambda asked, account: projects(asked.project)))
    if condition.agent:
        agents = matcher(condition.agent)
        found.append(Named("agent", lambda asked, account: agents(asked.agent)))
    if condition.effort:
        efforts = frozenset(condition.effort)
        found.append(Named("effort", lambda asked, account: asked.words.effort in efforts))
    return found


def _key(patterns: tuple[str, ...]) -> Test:
    """By its name or its public id; one that must not match must match neither."""
    wanted = tuple(one for one in patterns if not one.startswith("!"))
    refused = tuple(one[1:] for one in patterns if one.startswith("!"))
    is_wanted, is_refused = matcher(wanted), matcher(refused)

    def test(asked: Asked, account: Account) -> bool:
        if wanted and not (is_wanted(account.key_name) or is_wanted(account.key_id)):
            return False
        return not refused or not (is_refused(account.key_name) or is_refused(account.key_id))

    return test


def _flags(condition: Condition) -> list[Named]:
    found = []
    if (stream := condition.stream) is not None:
        found.append(Named("stream", lambda asked, account: asked.stream is stream))
    if (tools := condition.tools) is not None:
        found.append(Named("tools", lambda asked, account: (asked.tools > 0) is tools))
    if (images := condition.images) is not None:
        found.append(Named("images", lambda asked, account: (asked.images > 0) is images))
    if (thinking := condition.thinking) is not None:
        found.append(Named("thinking", lambda asked, account: asked.words.thinking is thinking))
    if (warm := condition.cache_warm) is not None:
        found.append(Named("cache_warm", lambda asked, account: (asked.warm is not None) is warm))
    return found


def _numbers(condition: Condition) -> list[Named]:
    found = []
    if condition.prompt_tokens:
        prompts = _inside(condition.prompt_tokens)
        found.append(Named("prompt_tokens", lambda asked, account: prompts(asked.prompt_tokens)))
    if condition.cached_tokens:
        cached = _inside(condition.cached_tokens)
        found.append(Named("cached_tokens", lambda asked, account: cached(asked.warm.tokens if asked.warm is not None else 0)))
    if condition.max_tokens:
        caps = _inside(condition.max_tokens)
        found.append(Named("max_tokens", lambda asked, account: caps(asked.max_tokens)))
    if condition.budget_used_percent:
        used, name = _inside(condition.budget_used_percent), condition.budget
        found.append(Named("budget_used_percent", lambda asked, account: used(asked.budgets.get(name, UNKNOWN))))
    return found


def _inside(ranges: tuple[Range, ...]) -> Callable[[int], bool]:
    """What is unknown lies in no range."""
    if len(ranges) == 1:
        low, high = ranges[0]
        return lambda number: low <= number <= high
    return lambda number: any(one.low <= number <= one.high for one in ranges)


def _header(name: str, matches: Callable[[str], bool]) -> Test:
    return lambda asked, account: matches(asked.headers.get(name, ""))


class _Clock:
    """A time of day is the same for a minute, and zones cost more to ask than all other tests together."""

    __slots__ = ("_holds", "_minute", "_times")

    def __init__(self, times: tuple[Times, ...]) -> None:
        self._times = times
        self._minute = -1
        self._holds = False

    def __call__(self, asked: Asked, account: Account) -> bool:
        minute = asked.now_us // MINUTE_US
        if minute != self._minute:
            self._minute, self._holds = minute, any(within(one, asked.now_us) for one in self._times)
        return self._holds
