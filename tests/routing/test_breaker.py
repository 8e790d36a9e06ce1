"""The circuit breaker, case by case and against a model of what it promises."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gw.routing.breaker import TRIAL_NS, Breaker, Settings

S = 1_000_000_000
SET = Settings(failures=3, percent=50, calls_min=8, window_ns=10 * S, cooldown_ns=2 * S, cooldown_max_ns=20 * S)


def call(breaker: Breaker, now: int, *, failed: bool, cooldown_ns: int = 0) -> None:
    trial = breaker.begin(now)
    breaker.end(now, failed=failed, trial=trial, cooldown_ns=cooldown_ns)


def opened(now: int = 0) -> Breaker:
    breaker = Breaker(SET)
    for _ in range(3):
        call(breaker, now, failed=True)
    assert breaker.state == "open"
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    breaker = Breaker(SET)
    for failed in (True, True, False, True, True):
        call(breaker, 0, failed=failed)
    assert breaker.state == "closed"
    call(breaker, 0, failed=True)
    assert breaker.state == "open" and not breaker.allows(2 * S - 1)


def test_a_part_of_failures_opens_it_within_its_window_only() -> None:
    slow, quick = Breaker(SET), Breaker(SET)
    for nth in range(40):
        call(slow, nth * 2 * S, failed=nth % 2 == 0)  # five in ten seconds
        if quick.state == "closed":
            call(quick, nth * S // 10, failed=nth % 2 == 0)
    assert (slow.state, quick.state) == ("closed", "open")


def test_one_trial_at_a_time_decides() -> None:
    breaker = opened()
    assert breaker.allows(2 * S) and breaker.state == "half_open"
    assert breaker.begin(2 * S) and not breaker.begin(2 * S) and not breaker.allows(2 * S)
    breaker.end(3 * S, failed=False, trial=True)
    assert breaker.state == "closed" and breaker.allows(3 * S)


def test_each_failed_trial_doubles_the_time_up_to_the_bound() -> None:
    breaker, now, waits = opened(), 0, []
    for _ in range(6):
        waits.append((breaker.until_ns - now) // S)
        now = breaker.until_ns
        call(breaker, now, failed=True)
    assert waits == [2, 4, 8, 16, 20, 20]
    now = breaker.until_ns
    call(breaker, now, failed=False)
    for _ in range(3):
        call(breaker, now, failed=True)
    assert breaker.until_ns - now == 2 * S, "a success forgets them"


def test_retry_after_lengthens_the_time_within_the_bound() -> None:
    breaker = Breaker(SET)
    for _ in range(3):
        call(breaker, 0, failed=True, cooldown_ns=7 * S)
    assert breaker.until_ns == 7 * S
    breaker.rest(0, 5 * S)
    assert breaker.until_ns == 7 * S, "never shorter"
    breaker.rest(0, 600 * S)
    assert breaker.until_ns == 600 * S, "what it asks for itself is kept, up to an hour"
    breaker.rest(0, 90_000 * S)
    assert breaker.until_ns == 3600 * S


def test_a_trial_that_never_ends_is_given_up() -> None:
    breaker = opened()
    assert breaker.begin(2 * S)
    assert not breaker.allows(2 * S + TRIAL_NS - 1) and breaker.allows(2 * S + TRIAL_NS)


def test_while_a_trials_answer_takes_long_another_call_tries_after_a_cool_down_and_the_first_to_end_decides() -> None:
    breaker = opened()
    assert breaker.begin(2 * S)
    breaker.answers(3 * S)
    assert not breaker.allows(5 * S - 1) and breaker.allows(5 * S)
    assert breaker.begin(5 * S) and not breaker.allows(60 * S)
    breaker.end(60 * S, failed=False, trial=True)
    assert breaker.state == "closed" and breaker.allows(60 * S)
    breaker.end(70 * S, failed=True, trial=True)
    assert breaker.state == "closed" and breaker.in_a_row == 1


def test_what_began_before_it_opened_says_nothing_any_more() -> None:
    breaker = opened()
    breaker.allows(2 * S)
    breaker.end(2 * S, failed=False, trial=False)
    assert breaker.state == "half_open"
    trial = breaker.begin(2 * S)
    breaker.abandon(trial=trial)
    assert breaker.begin(2 * S), "the next one tries"


class Machine(RuleBasedStateMachine):
    """Any calls, in any order of their ends, at any times."""

    @initialize()
    def begin_empty(self) -> None:
        self.breaker, self.now, self.running = Breaker(SET), 0, []
        self.in_a_row = 0

    @rule(by=st.integers(0, 5 * S))
    def time_goes_by(self, by: int) -> None:
        self.now += by

    @rule()
    def a_call_begins(self) -> None:
        allowed = self.breaker.allows(self.now)
        trial = self.breaker.begin(self.now)
        assert allowed or not trial
        assert trial == (allowed and self.breaker.state == "half_open")
        self.running.append(trial)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), failed=st.booleans(), cooldown=st.sampled_from([0, S, 100 * S]))
    def a_call_ends(self, data: st.DataObject, failed: bool, cooldown: int) -> None:
        trial = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        before = self.breaker.state
        self.breaker.end(self.now, failed=failed, trial=trial, cooldown_ns=cooldown)
        if before == "half_open":
            assert self.breaker.state == (("open" if failed else "closed") if trial else "half_open")
        if before == "open":
            assert self.breaker.state == "open"
        if before == "closed" and not failed:
            assert self.breaker.state == "closed"

    @precondition(lambda self: self.running)
    @rule()
    def a_call_is_given_up(self) -> None:
        self.breaker.abandon(trial=self.running.pop())

    @invariant()
    def it_is_never_open_for_longer_than_its_bound(self) -> None:
        if self.breaker.state == "open":
            assert self.breaker.until_ns - self.now <= SET.cooldown_max_ns

    @invariant()
    def closed_it_allows_and_open_it_does_not(self) -> None:
        if self.breaker.state == "closed":
            assert self.breaker.allows(self.now)
        if self.breaker.state == "open" and self.now < self.breaker.until_ns:
            assert not self.breaker.allows(self.now)

    @invariant()
    def at_most_one_trial_runs(self) -> None:
        if self.breaker.state == "half_open" and self.now < self.breaker.trial_until_ns:
            assert self.running.count(True) >= 1


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
