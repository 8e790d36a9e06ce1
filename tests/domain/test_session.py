"""What a session did: turns, agents, and what its cache did from call to call."""

from typing import Any

import pytest

from gw.domain.session import TTL_1H_US, TTL_5M_US, CacheUse, SessionCall, agents, cache_use, cache_uses, turns
from gw.domain.session_reasons import reasons

MINUTE_US = 60_000_000
USD = 10**12
LATE_US = TTL_5M_US * 2


def made(call_id: str, at_us: int = 0, **changes: Any) -> SessionCall:
    """5 a token of input, a tenth of that for a read, a quarter more for a write; 25 a token of output."""
    names = SessionCall.__struct_fields__
    values: dict[str, Any] = {name: 0 if name.endswith(("_us", "_tokens", "_pusd")) else "" for name in names}
    values |= {"call_id": call_id, "started_us": at_us, "ended_us": at_us + 1000, "outcome": "completed", "model": "opus"}
    values |= changes
    prices = {"input": 50, "output": 250, "cache_read": 5, "cache_write_5m": 62, "cache_write_1h": 100}
    for name, rate in prices.items():
        values[f"{name}_pusd"] = changes.get(f"{name}_pusd", values[f"{name}_tokens"] * rate)
    values["billed_pusd"] = changes.get("billed_pusd", sum(values[f"{name}_pusd"] for name in prices))
    return SessionCall(**values)


BEFORE = made("before", input_tokens=100, cache_read_tokens=20_000, cache_write_5m_tokens=10_000)
LONG = made("before", input_tokens=100, cache_read_tokens=20_000, cache_write_1h_tokens=10_000)
CASES = [
    ("all was read", BEFORE, {"cache_read_tokens": 30_000, "cache_write_5m_tokens": 500}, MINUTE_US, ("", 0)),
    ("a block less is nothing", BEFORE, {"cache_read_tokens": 29_500, "cache_write_5m_tokens": 1_000}, MINUTE_US, ("", 0)),
    ("a pause beyond 5 minutes", BEFORE, {"cache_write_5m_tokens": 30_600}, TTL_5M_US + 2_000, ("expired", 30_000)),
    ("a pause within its hour", LONG, {"cache_write_1h_tokens": 30_600}, TTL_5M_US * 2, ("prefix_changed", 30_000)),
    ("a pause beyond an hour", LONG, {"cache_write_1h_tokens": 30_600}, TTL_1H_US + 2_000, ("expired", 30_000)),
    ("another model", BEFORE, {"cache_write_5m_tokens": 30_600, "model": "haiku"}, MINUTE_US, ("model_changed", 30_000)),
    ("a shorter prompt", BEFORE, {"cache_read_tokens": 2_000, "cache_write_5m_tokens": 6_000}, MINUTE_US, ("compacted", 6_000)),
    ("another beginning", BEFORE, {"cache_read_tokens": 5_000, "input_tokens": 26_000}, MINUTE_US, ("prefix_changed", 25_000)),
    ("no cache at all", made("b", input_tokens=9_000), {"input_tokens": 9_500}, MINUTE_US, ("not_cached", 0)),
    ("too short for a cache", made("b", input_tokens=90), {"input_tokens": 95}, MINUTE_US, ("", 0)),
]


@pytest.mark.parametrize(
    ("before", "changes", "gap_us", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_why_a_prefix_was_billed_again(
    before: SessionCall, changes: dict[str, Any], gap_us: int, expected: tuple[str, int]
) -> None:
    use = cache_use(made("now", before.ended_us + gap_us, **changes), before)
    assert (use.cause, use.again_tokens) == expected and use.gap_us == gap_us


def test_the_first_call_of_an_agent_bills_nothing_again() -> None:
    assert cache_use(made("first", cache_write_5m_tokens=9_000, input_tokens=1_000), None) == CacheUse(0)
    uses = cache_uses([made("a", 0, input_tokens=9_000), made("b", 1, agent_id="x", input_tokens=9_000), made("refused", 2)])
    assert uses.keys() == {"a", "b"} and {use.cause for use in uses.values()} == {""}


def test_what_was_billed_again_costs_what_it_cost_beyond_a_read() -> None:
    call = made("now", TTL_5M_US * 2, cache_read_tokens=1_000, cache_write_5m_tokens=29_000)
    assert cache_use(call, BEFORE).again_pusd == 29_000 * (62 - 5)
    plain = made("now", TTL_5M_US * 2, input_tokens=30_000)
    assert cache_use(plain, BEFORE).again_pusd == 30_000 * (50 - 5), "no read to go by: a tenth of input"
    assert cache_use(made("now", MINUTE_US, cache_write_5m_tokens=30_000, cache_write_5m_pusd=0), BEFORE).again_pusd == 0


def test_hits_are_the_part_of_the_prompt_that_was_read() -> None:
    assert cache_use(made("now", cache_read_tokens=900, input_tokens=100), None).hit_permille == 900


def test_turns_are_what_followed_from_one_prompt() -> None:
    calls = [
        made("b", 20, prompt_id="p1", agent_id="x", output_tokens=1, billed_pusd=2),
        made("a", 10, prompt_id="p1", input_tokens=5, billed_pusd=1),
        made("c", 3_000, prompt_id="p2", billed_pusd=4),
        made("d", 4_000, prompt_id="p1", billed_pusd=8),
    ]
    first, second = turns(calls)
    assert (first.prompt_id, first.calls, first.agents, first.tokens) == ("p1", 3, 1, 6)
    assert (first.started_us, first.ended_us, first.billed_pusd, first.cumulated_pusd) == (10, 5_000, 11, 11)
    assert (second.prompt_id, second.billed_pusd, second.cumulated_pusd) == ("p2", 4, 15)
    assert turns([]) == []


def tree(calls: list[SessionCall]) -> list[tuple[str, str, int, int, int]]:
    return [(one.agent_id, one.parent_agent_id, one.depth, one.billed_pusd, one.total_pusd) for one in agents(calls)]


def test_agents_are_a_tree_with_its_sums() -> None:
    calls = [
        made("1", 1, billed_pusd=1),
        made("2", 2, agent_id="a", billed_pusd=2),
        made("3", 3, agent_id="b", parent_agent_id="a", billed_pusd=4),
        made("4", 4, agent_id="c", parent_agent_id="nobody", billed_pusd=8),
        made("5", 5, agent_id="b", parent_agent_id="a", billed_pusd=16, model="haiku"),
    ]
    assert tree(calls) == [("", "", 0, 1, 31), ("a", "", 1, 2, 22), ("b", "a", 2, 20, 20), ("c", "", 1, 8, 8)]
    assert next(one for one in agents(calls) if one.agent_id == "b").models == ("opus", "haiku")
    assert tree([]) == [("", "", 0, 0, 0)]


def test_agents_whose_parents_go_in_a_circle_are_counted_once() -> None:
    calls = [made("1", 1, agent_id="a", parent_agent_id="b", billed_pusd=1)]
    calls.append(made("2", 2, agent_id="b", parent_agent_id="a", billed_pusd=2))
    calls.append(made("3", 3, agent_id="c", parent_agent_id="c"))
    found = tree(calls)
    assert found[0] == ("", "", 0, 0, 3) and sorted(one[0] for one in found) == ["", "a", "b", "c"]


def test_a_chain_of_agents_may_be_long() -> None:
    calls = [made(str(at), at, agent_id=str(at), parent_agent_id=str(at - 1), billed_pusd=1) for at in range(1, 3_000)]
    found = tree(calls)
    assert found[0][4] == 2_999 and found[-1][2] == 2_999


def test_the_reasons_are_in_words_the_dearest_first() -> None:
    calls = [
        made("1", 0, prompt_id="p1", cache_write_5m_tokens=100_000, output_tokens=10, billed_pusd=USD),
        made("2", LATE_US, prompt_id="p2", cache_write_5m_tokens=101_000, cache_write_5m_pusd=101 * USD, billed_pusd=102 * USD),
        made("3", LATE_US + 9, prompt_id="p2", agent_id="x", billed_pusd=7 * USD, model="haiku"),
        made("4", LATE_US + 99, prompt_id="p2", outcome="client_gone", billed_pusd=40 * USD),
    ]
    found = reasons(calls, cache_uses(calls))
    said = {one.slug: one.said for one in found}
    assert [one.billed_pusd for one in found] == sorted((one.billed_pusd for one in found), reverse=True)
    again = "100,000 tokens were billed again in 1 call (about $91.6667 more): the cache had"
    assert said["billed_again_expired"].startswith(again)
    assert said["dearest_turn"] == "turn 2 of 2 alone cost $149.0000 with 3 calls"
    assert said["unfinished"] == "1 call did not end well and cost $40.0000 all the same"
    assert said["subagents"] == "1 subagent made 1 call: $7.0000"
    assert said["model"] == "opus cost $143.0000 of it"
    assert all(20 <= one.permille <= 1000 for one in found)


def test_what_cost_nothing_has_no_reasons() -> None:
    assert reasons([], {}) == [] and reasons([made("1")], {}) == []
