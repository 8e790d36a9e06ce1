"""In which order the places are tried: priorities, breakers, weights, latencies, limits, sessions."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.place_entry import DOWN as PROBED_DOWN
from gw.ops.state import StateFile
from gw.routing.affinity import TTL_5M_NS, Affinity, ranked
from gw.routing.asked import Candidate
from gw.routing.health import Health, key_of
from gw.routing.ratelimit import Left, Seen
from gw.routing.verdict import PASS, Verdict, classify

S = 1_000_000_000
A, B, C = Candidate("a", "m", weight=3), Candidate("b", "m"), Candidate("c", "m", priority=2)
ALL = (A, B, C)
DOWN = classify(503)


def names(order: tuple[Candidate, ...]) -> str:
    return "".join(one.deployment for one in order)


def call(health: Health, one: Candidate, now: int, verdict: Verdict = PASS, **more: object) -> None:
    health.end(health.begin(one.id, now), verdict, now, **more)  # type: ignore[arg-type]


def broken(health: Health, one: Candidate, now: int) -> None:
    for _ in range(5):
        call(health, one, now, DOWN)


def test_a_lower_priority_comes_only_after_all_of_a_higher_one() -> None:
    health = Health()
    assert all(health.pick(ALL, 0, f"s{nth}")[2] is C for nth in range(50))
    assert names(health.pick((C, A), 0)) == "ac"


def test_a_place_with_an_open_breaker_is_left_out_until_its_trial() -> None:
    health = Health()
    broken(health, A, 0)
    assert names(health.pick(ALL, S, "x")) == "bc"
    assert set(names(health.pick(ALL, 5 * S, "x"))) == set("abc"), "due for a trial"
    health.begin(A.id, 5 * S)
    assert names(health.pick(ALL, 5 * S, "x")) == "bc", "one tries, the others wait for what it finds"


def test_when_all_are_out_they_are_tried_all_the_same_the_next_due_first() -> None:
    health = Health()
    for nth, one in enumerate((B, A, C)):
        broken(health, one, nth * S)
    assert names(health.pick(ALL, 3 * S)) == "bac"


@pytest.mark.parametrize("session", [True, False])
def test_weights_are_respected(session: bool) -> None:
    health = Health()
    firsts = Counter(health.pick((A, B), 0, f"session-{nth}" if session else "")[0].deployment for nth in range(4000))
    assert 0.72 < firsts["a"] / 4000 < 0.78


def test_workers_agree_on_a_sessions_place_and_keep_it_when_another_goes() -> None:
    """A hash of the session alone: another worker says the same, and only sessions of the place that has gone move."""
    many = tuple(Candidate("up", "m", weight=weight, credential=f"k{weight}") for weight in (1, 2, 3, 4))
    for nth in range(300):
        first = Health().pick(many, 0, f"s{nth}")[0]
        assert Health().pick(tuple(reversed(many)), 99, f"s{nth}")[0] is first
        gone = many[nth % 4]
        if gone is not first:
            assert Health().pick(tuple(one for one in many if one is not gone), 0, f"s{nth}")[0] is first


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=5), st.text(max_size=8))
def test_ranking_is_an_order_of_all_and_weight_zero_comes_last(weights: list[int], session: str) -> None:
    candidates = [Candidate(str(nth), "m", weight=weight) for nth, weight in enumerate(weights)]
    order = ranked(candidates, session)
    assert sorted(order) == sorted(candidates)
    assert 0 in weights or order == ranked(list(reversed(candidates)), session)
    zeros = [one.weight == 0 for one in order]
    assert zeros == sorted(zeros)


# --- sessions ---------------------------------------------------------------------------------------------------------


def home_of(health: Health, session: str) -> Candidate:
    return health.pick((A, B), 0, session)[0]


def test_a_session_comes_back_to_its_first_place_while_its_cache_lives() -> None:
    health, session = Health(), key_of("s", "m")
    first = home_of(health, session)
    other = B if first is A else A
    call(health, first, 0, session=session)
    broken(health, first, S)
    assert health.pick((A, B), 2 * S, session)[0] is other
    call(health, other, 2 * S, session=session)
    assert health.pick((A, B), 7 * S, session)[0] is first, "well again, and its cache is warm"
    call(health, first, 7 * S, session=session)
    assert health.pick((A, B), 8 * S, session)[0] is first


def test_a_session_stays_where_it_went_if_its_first_cache_is_cold() -> None:
    health, session = Health(), key_of("s", "m")
    first = home_of(health, session)
    other = B if first is A else A
    call(health, first, 0, session=session)
    broken(health, first, S)
    for now in range(2, 400, 50):
        call(health, other, now * S, session=session)
    assert health.pick((A, B), 400 * S, session)[0] is other
    assert health.pick((A, B), 2000 * S, session)[0] is first, "both are cold: as the hash says"


def test_a_cache_of_an_hour_is_waited_for_an_hour() -> None:
    affinity = Affinity()
    affinity.note("s", B.id, 0, 3600 * S)
    assert affinity.preferred("s", 3599 * S) == (B.id,) and affinity.preferred("s", 3600 * S) == ()


def test_a_failed_call_makes_no_place_warm() -> None:
    health = Health()
    for verdict in (DOWN, classify(429), classify(400), classify(401)):
        call(health, A, 0, verdict, session="s")
    assert health.affinity.preferred("s", 0) == ()


def test_a_priority_goes_before_a_warm_cache() -> None:
    health = Health()
    call(health, C, 0, session="s")
    assert health.pick(ALL, S, "s")[0] is not C


def test_sessions_are_bounded_and_the_longest_unused_goes_first() -> None:
    affinity = Affinity(3)
    for nth in (1, 2, 3, 1, 4):
        affinity.note(f"s{nth}", A.id, nth)
    assert len(affinity) == 3
    assert [bool(affinity.preferred(f"s{nth}", 0)) for nth in (1, 2, 3, 4)] == [True, False, True, True]


@given(st.integers(1, 4), st.lists(st.tuples(st.sampled_from("stuvw"), st.booleans()), max_size=40))
def test_those_that_are_forgotten_are_those_used_longest_ago(most: int, uses: list[tuple[str, bool]]) -> None:
    affinity, used = Affinity(most), OrderedDict[str, None]()
    for nth, (name, forgets) in enumerate(uses):
        if forgets:
            affinity.forget(name)
            used.pop(name, None)
        else:
            affinity.note(name, A.id, nth)
            used[name] = None
            used.move_to_end(name)
            if len(used) > most:
                used.popitem(last=False)
        assert len(affinity) == len(used)
        assert {one for one in "stuvw" if affinity.preferred(one, 0)} == set(used)


@given(st.lists(st.tuples(st.integers(0, 120), st.sampled_from("ab"), st.booleans()), max_size=40))
def test_a_session_never_leaves_a_place_that_is_well_and_warm(steps: list[tuple[int, str, bool]]) -> None:
    """Whatever fails and whatever time goes by: while some place is well and warm, the call goes to a warm one."""
    health, session, now, warm = Health(), key_of("s", "m"), 0, {}
    for later, name, fails in steps:
        now += later * S
        one = A if name == "a" else B
        if fails:
            broken(health, one, now)
        picked = health.pick((A, B), now, session)[0]
        well = [place for place in (A, B) if health.standing(place.id, now).state == "closed"]
        living = [place for place in well if warm.get(place.id, -1) > now]
        assert not living or warm.get(picked.id, -1) > now
        call(health, picked, now, session=session)
        if health.standing(picked.id, now).state == "closed":
            warm[picked.id] = now + TTL_5M_NS


# --- latency, limits, counts ------------------------------------------------------------------------------------------


def test_the_one_that_answers_soonest_serves_new_calls() -> None:
    health, even = Health(), (Candidate("a", "m"), Candidate("b", "m"))
    for _ in range(3):
        call(health, even[0], 0, first_byte_ns=900_000_000)
        call(health, even[1], 0, first_byte_ns=300_000_000)
    assert {health.pick(even, 0, by="latency")[0].deployment for _ in range(20)} == {"b"}
    for _ in range(3):
        health.begin(even[1].id, 0)
    assert health.pick(even, 0, by="latency")[0].deployment == "a", "three wait there already"


def test_a_slow_answer_counts_at_once_and_is_forgotten_by_halves() -> None:
    health = Health()
    call(health, A, 0, first_byte_ns=100_000_000)
    call(health, A, 1, first_byte_ns=8 * S)
    assert health.standing(A.id, 1).latency_ns == 8 * S
    call(health, A, 2, first_byte_ns=100_000_000)
    assert health.standing(A.id, 2).latency_ns > 7.9 * S
    assert abs(health.standing(A.id, 10 * S).latency_ns - 4 * S) < 0.1 * S


def test_a_place_that_is_short_of_its_limit_is_used_last_until_it_is_full_again() -> None:
    health = Health()
    health.told(A.id, Seen(0, Left(30, 20_000_000, "tokens")), 0, 10_000_000)
    assert all(health.pick(ALL, 9 * S, f"s{nth}")[0] is B for nth in range(20))
    assert names(health.pick(ALL, 0, "s0")) == "bac"
    assert any(health.pick(ALL, 10 * S, f"s{nth}")[0] is A for nth in range(20))


def test_a_throttled_place_rests_as_long_as_it_asks_and_a_refused_credential_for_longer() -> None:
    health = Health()
    call(health, A, 0, classify(429, retry_after_s=20.0))
    assert health.standing(A.id, 0).open_for_ns == 20 * S
    call(health, B, 0, classify(429))
    assert health.standing(B.id, 0).open_for_ns == 5 * S
    call(health, C, 0, classify(401))
    assert health.standing(C.id, 0).open_for_ns == 60 * S
    call(health, A, 30 * S, classify(429, "", "insufficient_quota", retry_after_s=1.0))
    assert health.standing(A.id, 30 * S).open_for_ns == 600 * S


def test_calls_in_flight_are_counted_and_given_back() -> None:
    health = Health()
    turns = [health.begin(A.id, 0) for _ in range(3)]
    assert health.standing(A.id, 0).in_flight == 3
    health.end(turns[0], PASS, 1)
    health.abandon(turns[1])
    health.keep([B.id])
    assert health.standing(A.id, 0).in_flight == 1, "a place in use is not forgotten"


def test_saturation_is_gws_own_and_opens_no_breaker() -> None:
    health = Health()
    for _ in range(20):
        call(health, A, 0, classify(0, "connect_timeout", saturated=True))
    assert health.standing(A.id, 0).state == "closed"


def test_an_outage_of_one_of_two_costs_each_call_at_most_one_attempt() -> None:
    """Thirty seconds, a hundred calls a second: all are answered, and after the first few only trials meet the dead one."""
    health, now, failures, answered = Health(), 0, 0, 0
    for nth in range(3500):
        now += S // 100
        dead = 2 * S < now < 32 * S
        for one in health.pick((A, B), now, key_of(f"s{nth % 40}", "m")):
            fails = dead and one is A
            call(health, one, now, DOWN if fails else PASS, session="" if fails else key_of(f"s{nth % 40}", "m"))
            failures += fails
            if not fails:
                answered += 1
                break
    assert answered == 3500 and failures <= 5 + 4
    homes = {f"s{nth}": ranked((A, B), f"s{nth}")[0] for nth in range(40)}
    now += 60 * S
    assert all(health.pick((A, B), now, key_of(session, "m"))[0] is home for session, home in homes.items())


# --- several workers ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[tuple[Health, Health]]:
    """That tell each other."""
    state = StateFile(tmp_path / "state.mm", create=True)
    yield Health(places=state.places), Health(places=state.places)
    state.close()


def test_what_a_place_asked_of_one_worker_the_other_heeds(workers: tuple[Health, Health]) -> None:
    one, other = workers
    call(one, A, 0, classify(429, retry_after_s=30), retry_after_s=30)
    assert names(other.pick(ALL, 29 * S, "x")) == names(one.pick(ALL, 29 * S, "x")) == "bc"
    assert other.standing(A.id, S).open_for_ns == 29 * S
    assert set(names(other.pick(ALL, 31 * S, "x"))) == set("abc")


def test_one_worker_tries_for_all_and_what_it_finds_holds_for_all(workers: tuple[Health, Health]) -> None:
    one, other = workers
    broken(one, A, 0)
    assert names(other.pick(ALL, S, "x")) == "bc"
    trial = other.begin(A.id, 5 * S) if "a" in names(other.pick(ALL, 5 * S, "x")) else None
    assert trial is not None and trial.trial
    assert names(one.pick(ALL, 6 * S, "x")) == "bc", "the other one tries"
    other.end(trial, PASS, 7 * S)
    assert set(names(one.pick(ALL, 7 * S, "x"))) == set("abc")
    assert one.standing(A.id, 7 * S).state == "closed"


def test_a_trial_that_fails_keeps_all_away_for_twice_as_long(workers: tuple[Health, Health]) -> None:
    one, other = workers
    broken(one, A, 0)
    one.pick(ALL, 5 * S, "x")
    call(one, A, 5 * S, DOWN)
    assert names(other.pick(ALL, 14 * S, "x")) == "bc"
    assert "a" in names(other.pick(ALL, 15 * S + 1, "x"))


def test_a_trial_that_never_ends_holds_the_others_up_for_one_cool_down(workers: tuple[Health, Health]) -> None:
    one, other = workers
    broken(one, A, 0)
    one.pick(ALL, 5 * S, "x")
    one.begin(A.id, 5 * S)
    assert names(other.pick(ALL, 9 * S, "x")) == "bc"
    assert "a" in names(other.pick(ALL, 10 * S + 1, "x"))


def test_a_success_does_not_end_a_rest_that_another_worker_was_asked_for_meanwhile(workers: tuple[Health, Health]) -> None:
    one, other = workers
    broken(one, A, 0)
    one.pick(ALL, 5 * S, "x")
    trial = one.begin(A.id, 5 * S)
    call(other, A, 6 * S, classify(429, retry_after_s=60), retry_after_s=60)
    one.end(trial, PASS, 7 * S)
    assert names(one.pick(ALL, 60 * S, "x")) == names(other.pick(ALL, 60 * S, "x")) == "bc"


def test_little_left_of_a_limit_is_known_to_all_until_more_is_told(workers: tuple[Health, Health]) -> None:
    one, other = workers
    one.told(A.id, Seen(left=Left(20, 60_000_000, "tokens")), 0, 0)
    assert all(names(each.pick((A, B), 59 * S, f"s{nth}")) == "ba" for each in workers for nth in range(20))
    other.told(A.id, Seen(left=Left(500, 60_000_000, "tokens")), 0, 0)
    assert any(names(one.pick((A, B), 59 * S, f"s{nth}")) == "ab" for nth in range(20))


def test_a_place_that_does_not_answer_probes_is_left_alone_until_it_does(workers: tuple[Health, Health], tmp_path: Path) -> None:
    state = StateFile(tmp_path / "state.mm")
    entry = state.places.entry(*A.id)
    assert entry is not None
    entry[PROBED_DOWN] = 9 * S
    assert all(names(each.pick(ALL, 8 * S, "x")) == "bc" for each in workers)
    entry[PROBED_DOWN] = 0
    assert all("a" in names(each.pick(ALL, 8 * S, "x")) for each in workers)
    state.close()


HAPPENS = st.sampled_from(["pick", "answered", "failed", "short", "later", "others"])
EVENTS = st.lists(st.tuples(HAPPENS, st.integers(0, 2), st.sampled_from(["s", "t"])), max_size=40)


def happen(health: Health, now: int, what: str, nth: int, session: str) -> int:
    """Answers what time it is then."""
    one = ALL[nth]
    if what == "answered":
        call(health, one, now, session=session)
    elif what == "failed":
        broken(health, one, now)
    elif what == "short":
        health.told(one.id, Seen(left=Left(1, (now + 60 * S) // 1000, "tokens")), now, now // 1000)
    return now + (S, 20 * S, TTL_5M_NS)[nth] if what == "later" else now


@given(EVENTS)
def test_an_order_that_is_remembered_is_the_one_that_would_be_made_anew(events: list[tuple[str, int, str]]) -> None:
    """Whatever has happened meanwhile: caches, breakers, limits, time, other candidates under the same session."""
    health, now, candidates = Health(), 0, ALL
    for what, nth, name in events:
        session = key_of(name, "m")
        now = happen(health, now, what, nth, session)
        if what == "others":
            candidates = (ALL, (B, A, C), (A._replace(weight=1), B, C))[nth]
        found = health.pick(candidates, now, session)
        health._orders.clear()
        assert found == health.pick(candidates, now, session)


@given(EVENTS)
def test_a_course_that_is_kept_holds_only_while_it_is_the_one_that_would_be_found(events: list[tuple[str, int, str]]) -> None:
    """Where a session's cache is may be forgotten meanwhile, and be known anew."""
    health, now = Health(affinity=Affinity(1)), 0
    kept = {name: health.course(ALL, now, key_of(name, "m"), "weight") for name in "st" for _ in range(2)}
    for what, nth, name in events:
        session = key_of(name, "m")
        now = happen(health, now, what, nth, session)
        if what == "others":
            health.affinity.forget(session)
        for each, course in kept.items():
            assert course.places and course.session == key_of(each, "m")
            assert not health.holds(course, now) or course.order == health.pick(ALL, now, course.session)
