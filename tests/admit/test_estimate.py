"""What a call will probably cost: from the session's last usage, the learned averages, and the body's own caps."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import Weight, weigh
from gw.admit import estimate
from gw.admit.card import OUTPUT_START, SLICE_TOKENS, Estimate, Trail
from gw.admit.estimate import PAIRS_MAX, SESSIONS_MAX, Estimator
from gw.admit.hold import NOTHING
from gw.domain.usage import Iteration, Reading, Usage
from tests.admit.weighing import BOOK, NOW, tariff, weight

OPUS, MINUTE = "claude-opus-5-5", 60_000_000
BODY = weight(text_bytes=171_000, bound_bytes=200_000, blocks=40, tools=12, output_cap=128_000, ttl=60, geo=1)
TURN = Usage(input_tokens=12, output_tokens=900, cache_read_tokens=54_000, cache_write_1h_tokens=2_988)  # a prompt of 57,000


def settled(usage: Usage = TURN, *, times: int = 1, body: Weight = BODY, model: str = OPUS, session: str = "s") -> Estimator:
    found = Estimator()
    for _ in range(times):
        found.learn(NOTHING, body, usage, model, "key", session, "", NOW)
    return found


def ask(of: Estimator, body: Weight, *, model: str = OPUS, session: str = "s", agent: str = "", after_us: int = 1) -> Estimate:
    return of.estimate(tariff(model), body, model, "key", session, agent, NOW + after_us)


# Nano-USD of a turn with 57,000 tokens read from the cache, 3,000 written for an hour and 900 out.
TURNS = [
    ("claude-opus-5-5", 0, 53_400_000),
    ("claude-fable-5-2", 0, 95_400_000),
    ("claude-fable-5-2", 1, 190_800_000),
    ("claude-sonnet-5-5", 0, 26_700_000),
    ("claude-haiku-5-5", 0, 1_620_000),
]


@pytest.mark.parametrize(("model", "fast", "nusd"), TURNS)
def test_a_typical_turn_costs_what_the_price_list_says(model: str, fast: int, nusd: int) -> None:
    body = BODY._replace(fast=fast)
    usage = Usage(output_tokens=900, cache_read_tokens=57_000)
    found = ask(settled(usage, times=200, body=body, model=model), body._replace(text_bytes=171_000 + 9_000), model=model)
    assert found.typical_nusd == pytest.approx(nusd, rel=0.01)


def test_a_session_is_read_from_the_cache_and_only_what_is_new_is_written() -> None:
    of = settled(times=200)
    same, longer = ask(of, BODY), ask(of, BODY._replace(text_bytes=BODY.text_bytes + 30_000))
    assert same.prompt_tokens == 57_000
    new = longer.prompt_tokens - same.prompt_tokens
    assert 8_000 < new < 11_000
    assert (longer.typical_nusd - same.typical_nusd) == pytest.approx(new * 8_000, rel=0.01)


@pytest.mark.parametrize(("ttl", "minutes"), [(5, 5), (60, 60), (0, 5)])
def test_what_was_cached_is_cold_after_its_time(ttl: int, minutes: int) -> None:
    body = BODY._replace(ttl=ttl)
    of = settled(body=body)
    warm, cold = (ask(of, body, after_us=minutes * MINUTE + late) for late in (-1, 0))
    assert cold.prompt_tokens == warm.prompt_tokens, "the prompt is as long as before"
    assert cold.typical_nusd > 3 * warm.typical_nusd


@pytest.mark.parametrize(
    "other",
    [{"session": "other"}, {"session": ""}, {"agent": "a1"}, {"model": "claude-sonnet-5-5"}],
    ids=["session", "no session", "subagent", "model"],
)
def test_another_prefix_is_cold(other: dict[str, Any]) -> None:
    usage = Usage(cache_write_1h_tokens=57_000, output_tokens=900)
    found = ask(settled(usage), BODY, **other)
    rate = tariff(other.get("model", OPUS)).usual[0].cache_write_1h
    assert found.typical_nusd > found.prompt_tokens * rate // 1_000


def test_what_sessions_have_in_common_is_expected_to_be_cached() -> None:
    """As the instructions and tools of subagents, which are new prefixes to us and none to the provider."""
    of = Estimator()
    for index in range(100):
        usage = Usage(cache_read_tokens=40_000, cache_write_1h_tokens=10_000)
        of.learn(NOTHING, BODY, usage, OPUS, "key", "s", f"agent-{index}", NOW)
    found = ask(of, BODY, agent="the next")
    wanted = found.prompt_tokens * (4 * 200 + 8_000) // 5 + found.output_tokens * 20_000
    assert found.typical_nusd == pytest.approx(wanted, rel=0.15)
    for index in range(100):
        of.learn(NOTHING, BODY, Usage(cache_write_1h_tokens=50_000), OPUS, "key", "s", f"other-{index}", NOW)
    assert ask(of, BODY, agent="the next").typical_nusd > found.prompt_tokens * 7_900


def test_another_set_of_tools_is_another_prefix_and_leaves_the_first_alone() -> None:
    """As the side requests of a session: they must not make the next turn of the conversation look cold."""
    of = settled()
    before = ask(of, BODY)
    side = weight(text_bytes=900, bound_bytes=900, blocks=2, tools=1, output_cap=128_000)
    of.learn(NOTHING, side, Usage(input_tokens=300, output_tokens=50), OPUS, "key", "s", "", NOW)
    assert ask(of, BODY).prompt_tokens == before.prompt_tokens
    assert ask(of, BODY).typical_nusd <= before.typical_nusd


def test_a_compacted_conversation_is_short_and_cold() -> None:
    found = ask(settled(), BODY._replace(text_bytes=17_100))
    assert found.prompt_tokens == 5_700
    assert found.typical_nusd == 5_700 * 8_000 + found.output_tokens * 20_000


def test_a_body_that_lost_a_little_is_still_warm() -> None:
    found = ask(settled(), BODY._replace(text_bytes=165_000))
    assert found.prompt_tokens == 55_000
    assert found.typical_nusd == 55_000 * 200 + found.output_tokens * 20_000


def test_a_conversation_kept_by_the_provider_adds_to_what_it_was() -> None:
    found = ask(settled(), BODY._replace(text_bytes=3_000, blocks=1, references=1))
    assert 57_000 + 900 < found.prompt_tokens < 57_000 + 2_000
    assert found.worst_nusd >= 1_000_000 * 8_000 + 128_000 * 20_000, "its window bounds what cannot be seen"


def test_without_memory_the_text_is_what_the_model_makes_of_it() -> None:
    new, old = weight(text_bytes=300_000, bound_bytes=300_000), 300_000
    assert ask(Estimator(), new).prompt_tokens == pytest.approx(old // 3, rel=0.001)
    assert ask(Estimator(), new, model="claude-opus-4-6").prompt_tokens == old // 4


def test_the_ratio_is_learned_from_all_sessions_of_a_model() -> None:
    of, body = Estimator(), weight(text_bytes=100_000, bound_bytes=100_000)
    for index in range(100):
        of.learn(NOTHING, body, Usage(input_tokens=25_000), OPUS, "key", f"s{index}", "", NOW)
    assert ask(of, body, session="new").prompt_tokens == pytest.approx(25_000, rel=0.01)
    assert ask(of, body, session="new", model="claude-fable-5-2").prompt_tokens > 33_000


@given(prompts=st.lists(st.integers(0, 2**40), max_size=20), text=st.integers(1, 10**7))
def test_whatever_is_reported_the_ratio_stays_sane(prompts: list[int], text: int) -> None:
    of, body = Estimator(), weight(text_bytes=text, bound_bytes=text)
    for prompt in prompts:
        of.learn(NOTHING, body, Usage(input_tokens=prompt), OPUS, "key", "", "", NOW)
    found = ask(of, body, session="new").prompt_tokens
    assert min(text // 8, 1_000_000) - 1 <= found <= min(text, 1_000_000)


def test_expected_output_is_the_mean_of_the_key_and_model() -> None:
    of = settled(times=200)
    assert ask(of, BODY, session="new").output_tokens == pytest.approx(900, abs=1)
    assert of.estimate(tariff(OPUS), BODY, OPUS, "other key", "s", "", NOW).output_tokens == OUTPUT_START
    mixed = Estimator()
    for index in range(1_000):
        mixed.learn(NOTHING, BODY, Usage(output_tokens=20_000 if index % 20 == 0 else 500), OPUS, "key", "", "", NOW)
    assert 500 < ask(mixed, BODY).output_tokens < 4_000, "a mean, not what one call in twenty needs"


def test_output_is_not_expected_beyond_the_cap() -> None:
    for cap, wanted in ((0, 0), (100, 100), (128_000, OUTPUT_START), (-1, OUTPUT_START)):
        assert ask(Estimator(), BODY._replace(output_cap=cap)).output_tokens == wanted


def test_a_slice_is_what_so_much_output_costs() -> None:
    assert ask(Estimator(), BODY).slice_nusd == SLICE_TOKENS * 20_000
    assert ask(Estimator(), BODY._replace(geo=2)).slice_nusd == SLICE_TOKENS * 22_000
    assert ask(Estimator(), BODY).bytes_per_token == 3
    assert ask(Estimator(), BODY, model="claude-opus-4-6").bytes_per_token == 4


def test_where_calls_of_a_key_were_served_is_expected_again() -> None:
    body = BODY._replace(geo=0)
    elsewhere, at_home = (settled(Usage(output_tokens=OUTPUT_START, inference_geo=geo), body=body) for geo in ("us", "global"))
    assert ask(elsewhere, body).typical_nusd * 10 == pytest.approx(ask(at_home, body).typical_nusd * 11, rel=0.001)


def test_a_prompt_near_a_step_is_priced_above_it() -> None:
    below, near = (
        ask(Estimator(), weight(text_bytes=size, bound_bytes=size, output_cap=0, geo=1), model="claude-haiku-5-5")
        for size in (270_000, 280_000)
    )
    assert below.typical_nusd == pytest.approx(90_000 * 100, rel=0.001)
    assert near.typical_nusd == pytest.approx(93_334 * 500, rel=0.001)


def test_where_the_model_was_prompted_often_the_last_prompt_is_remembered() -> None:
    usage = Usage(
        input_tokens=90_000,
        output_tokens=500,
        iterations=(
            Iteration("message", "", 30_000, 100),
            Iteration("advisor_message", "claude-opus-5", 31_000, 300),
            Iteration("message", "", 1_000, 100, 29_000, 6_000),
        ),
    )
    assert ask(settled(usage), BODY).prompt_tokens == 36_000


def test_pictures_and_papers_are_counted_by_what_they_usually_make() -> None:
    plain, image, paper = (
        ask(Estimator(), BODY._replace(**fields)).prompt_tokens
        for fields in ({}, {"images": 3}, {"documents": 1, "document_bytes": 1_000_000})
    )
    assert image - plain == 3 * 2_000
    assert 10 * 2_000 < paper - plain < 20 * 3_000


def test_what_a_call_was_admitted_by_learns_from_it_and_what_was_forgotten_meanwhile_does_not() -> None:
    by_lookup, by_estimate = Estimator(), Estimator()
    for of in (by_lookup, by_estimate):
        for turn in range(3):
            admitted = of.estimate(tariff(OPUS), BODY, OPUS, "key", "s", "", NOW)
            usage = Usage(input_tokens=30_000 + turn, output_tokens=100)
            of.learn(admitted if of is by_estimate else NOTHING, BODY, usage, OPUS, "key", "s", "", NOW)
    first, second = (of.estimate(tariff(OPUS), BODY, OPUS, "key", "s", "", NOW) for of in (by_lookup, by_estimate))
    assert (first.typical_nusd, first.prompt_tokens) == (second.typical_nusd, second.prompt_tokens)
    assert first.prompt_tokens == 30_002
    assert second.seen is not None
    for index in range(SESSIONS_MAX):
        by_estimate.learn(NOTHING, BODY, TURN, OPUS, "key", f"s{index}", "", NOW)
    assert second.seen.forgotten
    by_estimate.learn(second, BODY, Usage(input_tokens=7), OPUS, "key", "s", "", NOW)
    assert by_estimate.estimate(tariff(OPUS), BODY, OPUS, "key", "s", "", NOW).prompt_tokens == 7


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    of = Estimator()
    for index in range(SESSIONS_MAX + 10):
        of.learn(NOTHING, BODY, TURN, f"model-{index % 2_000}", f"key-{index}", f"s{index}", "", NOW)
    assert len(of._seen) == SESSIONS_MAX
    assert len(of._habits) == PAIRS_MAX
    assert len(of._ratios) <= estimate.MODELS_MAX
    assert next(iter(of._seen))[2] == "s10"


def test_sessions_of_yesterday_are_forgotten_though_nobody_asks_for_them() -> None:
    of = Estimator()
    for index in range(100):
        of.learn(NOTHING, BODY, TURN, OPUS, "key", f"s{index}", "", NOW)
    for index in range(100):
        of.learn(NOTHING, BODY, TURN, OPUS, "key", f"t{index}", "", NOW + 25 * 60 * MINUTE)
    assert {prefix[2][0] for prefix in of._seen} == {"t"}


# -- the requests of Claude Code, as captured (texts cut; grown again here to the size that they had)


def regrown(value: Any) -> Any:
    """With each text cut as "...[+420 chars]" as long as it was."""
    if isinstance(value, dict):
        return {key: regrown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [regrown(inner) for inner in value]
    if isinstance(value, str) and value.endswith(" chars]"):
        kept, _, cut = value.rpartition("\u2026[+")
        return kept + ("as it stands in the prompt, and so on. " * 800)[: int(cut.removesuffix(" chars]"))]
    return value


def whole(capture: dict[str, Any]) -> bytes:
    body = regrown(capture["body"])
    missing = capture["original_body_bytes"] - len(json.dumps(body, separators=(",", ":")).encode())
    if body["tools"] and missing > 0 and "input_schema" in body["tools"][0]:
        body["tools"][0]["input_schema"]["\u2026"] = "schemas were cut too, " * (missing // 22)
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


CAPTURED = {one["name"]: one for one in json.loads((Path(__file__).parent / "captured.json").read_text())}


@pytest.mark.parametrize("name", CAPTURED)
def test_a_captured_request_is_weighed_whole(name: str) -> None:
    size = CAPTURED[name]["original_body_bytes"]
    found = weigh(whole(CAPTURED[name]))
    assert found.bound_bytes == pytest.approx(size, rel=0.05)
    assert found.output_cap == CAPTURED[name]["body"]["max_tokens"]
    assert not found.references, "nothing in it is unknown"
    first = ask(Estimator(), found, model=CAPTURED[name]["body"]["model"])
    assert size // 6 < first.prompt_tokens < size // 2 + 800  # what a single tool of the provider brings along
    assert first.typical_nusd < first.worst_nusd


def test_three_turns_of_a_captured_session_are_foreseen() -> None:
    """Each turn as a model of 3.4 bytes a token would count it, what went before read from the cache."""
    of, cached = Estimator(), 0
    for turn in ("tool_turn_1", "tool_turn_2", "tool_turn_3"):
        body = weigh(whole(CAPTURED[turn]))
        prompt = body.text_bytes * 10 // 34 + 5 * body.blocks
        usage = Usage(input_tokens=4, output_tokens=700, cache_read_tokens=cached, cache_write_5m_tokens=prompt - 4 - cached)
        reading = Reading(usage=usage, started=True, final_usage=True, content_empty=False)
        terms = BOOK.terms("anthropic", "anthropic", "", OPUS, "", "", NOW)
        cost = BOOK.charge(terms, reading, NOW).billed_pusd
        found = ask(of, body)
        assert prompt / 1.25 < found.prompt_tokens < prompt * 1.25
        assert cost / 2_500 < found.typical_nusd < cost / 1_000 * 2.5
        assert found.worst_nusd * 1_000 > cost
        of.learn(NOTHING, body, usage, OPUS, "key", "s", "", NOW)
        cached = prompt - 4


FIGURES = ("typical_nusd", "worst_nusd", "prompt_tokens", "output_tokens", "slice_nusd", "bytes_per_token")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claude-opus-5-5", "claude-haiku-5-5"]),
        st.sampled_from(["s", "s2", ""]),
        st.integers(0, 2),
        st.booleans(),
        st.integers(0, 400_000),
    ),
    max_size=12,
)


@given(steps=STEPS, sessions=st.integers(1, 3), pairs=st.integers(1, 2))
def test_a_trail_leads_to_the_same_estimates(steps: list[tuple[str, str, int, bool, int]], sessions: int, pairs: int) -> None:
    """Also where the memory forgets between two calls."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(estimate, "SESSIONS_MAX", sessions)
        patched.setattr(estimate, "PAIRS_MAX", pairs)
        with_trails, without = Estimator(), Estimator()
        trails: dict[tuple[str, str], Trail] = {}
        for at, (model, session, tools, learns, size) in enumerate(steps):
            body = BODY._replace(tools=tools, text_bytes=size)
            trail = trails.setdefault((model, session), Trail(with_trails))
            asked = (tariff(model), body, model, "key", session, "", NOW + at)
            led, looked = with_trails.estimate(*asked, trail), without.estimate(*asked)
            assert [getattr(led, name) for name in FIGURES] == [getattr(looked, name) for name in FIGURES]
            if learns:
                with_trails.learn(led, body, TURN, model, "key", session, "", NOW + at)
                without.learn(looked, body, TURN, model, "key", session, "", NOW + at)
