"""The fair queue: what teams get of a saturated upstream, and what nobody has to fear."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from gw.routing.queue import FairQueue, Ticket

S = 1_000_000_000
TEAMS = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 20), min_size=2, max_size=5)


def filled(weights: dict[str, int], each: int) -> FairQueue:
    queue = FairQueue(10_000, 3600 * S)
    for team, weight in weights.items():
        for _ in range(each):
            assert queue.enter(team, weight, 0).ticket is not None
    return queue


@given(TEAMS, st.integers(1, 200))
def test_teams_that_all_wait_are_served_by_weight_to_less_than_one_call_of_each(weights: dict[str, int], rounds: int) -> None:
    queue, served = filled(weights, rounds + 1), Counter[str]()
    for _ in range(rounds):
        ticket = queue.next(0)
        assert ticket is not None
        served[ticket.team] += 1
        for one, its in weights.items():
            for other, others in weights.items():
                assert abs(served[one] / its - served[other] / others) <= 1 / its + 1 / others + 1e-6


def test_within_a_team_it_is_first_come_first_served() -> None:
    queue = FairQueue()
    tickets = [queue.enter("a", 1, nth).ticket for nth in range(5)]
    assert [queue.next(9) for _ in range(6)] == [*tickets, None]


def test_one_call_of_a_quiet_team_is_next_but_one_whatever_a_loud_one_has_waiting() -> None:
    queue = filled({"loud": 1}, 500)
    for _ in range(100):
        queue.next(0)
    quiet = queue.enter("quiet", 1, 0).ticket
    assert quiet in [queue.next(0) for _ in range(2)]


def test_a_team_that_was_idle_has_saved_up_nothing() -> None:
    queue = filled({"busy": 1}, 300)
    queue.enter("idle", 1, 0)
    for _ in range(200):
        queue.next(0)
    for _ in range(50):
        queue.enter("idle", 1, 0)
    served = Counter(ticket.team for ticket in (queue.next(0) for _ in range(40)) if ticket)
    assert abs(served["idle"] - served["busy"]) <= 1


def test_who_leaves_costs_the_team_nothing() -> None:
    queue = filled({"a": 1, "b": 1}, 100)
    gone = [queue.enter("a", 1, 0).ticket for _ in range(50)]
    for ticket in gone:
        assert ticket is not None
        queue.leave(ticket)
        queue.leave(ticket)
    served = Counter(ticket.team for ticket in (queue.next(0) for _ in range(100)) if ticket)
    assert served == {"a": 50, "b": 50}


def test_nobody_waits_longer_than_the_bound() -> None:
    queue = FairQueue(10, 5 * S)
    early, late = queue.enter("a", 1, 0).ticket, queue.enter("a", 1, 3 * S).ticket
    assert queue.expired(5 * S) == [early] and early is not None and early.state == "late"
    assert queue.next(6 * S) is late
    assert queue.next(6 * S) is None and len(queue) == 0


def test_a_full_line_takes_a_newcomer_for_the_last_of_the_team_that_crowds_it() -> None:
    queue = FairQueue(4, 5 * S)
    crowd = [queue.enter("loud", 1, 0).ticket for _ in range(4)]
    assert queue.enter("loud", 1, 0) == (None, None)
    entered = queue.enter("quiet", 1, 0)
    assert entered.ticket is not None and entered.displaced is crowd[3] and len(queue) == 4
    queue.enter("quiet", 1, 0)
    assert queue.enter("quiet", 1, 0).ticket is None, "two and two is as it should be"
    assert queue.enter("dear", 9, 0).ticket is not None


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.sampled_from("enLx"), st.sampled_from("abc"), st.integers(1, 5), st.integers(0, S)), max_size=120),
    st.integers(1, 12),
)
def test_every_ticket_ends_once_and_the_line_keeps_its_bounds(steps: list[tuple[str, str, int, int]], most: int) -> None:
    queue, now, waiting = FairQueue(most, 3 * S), 0, set[Ticket]()
    for what, team, weight, later in steps:
        now += later
        if what == "e":
            entered = queue.enter(team, weight, now)
            waiting |= {entered.ticket} - {None}  # type: ignore[arg-type]
            assert entered.ticket is not None or len(queue) >= most
        elif what == "n":
            ticket = queue.next(now)
            assert (ticket is None) == (not any(one.state == "waiting" for one in waiting)) or ticket in waiting
        elif what == "L" and waiting:
            queue.leave(min(waiting, key=lambda one: one.serial))
        else:
            queue.expired(now)
        waiting = {one for one in waiting if one.state == "waiting"}
        assert len(queue) == len(waiting) <= most
    while (ticket := queue.next(now)) is not None:
        waiting.remove(ticket)
    assert all(one.deadline_ns <= now for one in waiting) and len(queue) == 0
