"""Rows are counted under the labels that are configured, in bounded room, and never backwards."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import astuple

from gw.domain.labels import LABELS, labels_of
from gw.ops import metrics_tally
from gw.ops.metrics_figures import (
    BILLED,
    CALLS,
    ENDPOINTS,
    HITS,
    LIST,
    OTHER,
    OUTCOMES,
    RETRIES,
    TIMES,
    TIMINGS,
    TOKENS,
    UNPRICED,
    Counted,
)
from gw.ops.metrics_tally import Tally
from tests.ledger.records import NOON_US, record

S = 1_000_000
WHO = {"customer": "acme", "team": "red", "key_name": "anna", "upstream": "up", "upstream_status": 200}


def tally(series_max: int = 100, labels: tuple[str, ...] = ("team", "key", "upstream", "model")) -> Tally:
    return Tally(Counted(1, labels=labels, series_max=series_max))


def row(**changes: Any) -> tuple[Any, ...]:
    return astuple(record("gw_1", **(WHO | changes)))


def paths(one: Tally) -> dict[tuple[str, ...], list[int]]:
    return dict(one.counted(0, 0).paths)


def services(one: Tally) -> dict[tuple[str, ...], list[int]]:
    return dict(one.counted(0, 0).services)


def test_tokens_money_and_calls_are_summed_by_label() -> None:
    one = tally()
    one.add([row(input_tokens=1, cache_read_tokens=2, list_pusd=3 * 10**12 + 7, billed_pusd=999_999_999_999)] * 3)
    one.add([row(key_name="bob", outcome="upstream_error", error="upstream_overloaded_error")])
    found = paths(one)
    assert set(found) == {("red", name, "up", "claude-sonnet-4-5-20250929") for name in ("anna", "bob")}
    anna, bob = found.values()
    assert anna[TOKENS : TOKENS + 5] == [3, 0, 6, 0, 0]
    assert (anna[LIST], anna[LIST + 1]) == (9, 21) and (anna[BILLED], anna[BILLED + 1]) == (2, 999_999_999_997)
    assert anna[HITS] == 3 and bob[HITS] == 0
    completed, failed = (CALLS + OUTCOMES.index(outcome) for outcome in ("completed", "upstream_error"))
    assert (anna[completed], anna[failed], bob[completed], bob[failed]) == (3, 0, 0, 1)
    assert one.counted(0, 0).errors == [(("red", "bob", "up", "upstream_error", "upstream_overloaded_error"), 1)]


def test_whoever_has_no_key_stands_under_the_digest_of_his_own_credential() -> None:
    one = tally(labels=("key",))
    one.add([row(key_name="", credential="ab12"), row(key_name="", key_id="gwk_9")])
    assert set(paths(one)) == {("passthrough ab12",), ("gwk_9",)}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"outcome": "refused", "usage_source": "none", "upstream_status": 0}, ""),
        ({"usage_source": "none", "upstream_status": 404}, ""),
        ({"usage_source": "none", "upstream_status": 429}, "any[1m]"),
        ({"usage_source": "none", "upstream_status": 529}, "any[1m]"),
        ({"usage_source": "estimated", "upstream_status": 0}, "any[1m]"),
    ],
)
def test_a_model_is_named_once_an_upstream_has_taken_a_call_for_it(changes: dict[str, Any], named: str) -> None:
    one = tally(labels=("model",))
    one.add([row(requested_model="ANY[1m]", served_model="", **changes)])
    assert set(paths(one)) == {(named.removesuffix("[1m]"),)}


def test_what_comes_when_the_room_is_full_is_counted_as_other_and_nothing_is_lost() -> None:
    one = tally(series_max=10)
    one.add([row(key_name=f"key {number}", input_tokens=1, error="upstream_x") for number in range(50)])
    found = paths(one)
    assert len(found) == 11 and sum(figures[TOKENS] for figures in found.values()) == 50
    assert found[(OTHER,) * 4][TOKENS] == 40
    errors = one.counted(0, 0).errors
    assert len(errors) == 11 and sum(count for _, count in errors) == 50


def test_services_get_a_twentieth_of_the_room() -> None:
    one = tally(series_max=40)
    one.add([row(served_model=f"model {number}") for number in range(5)])
    assert list(services(one)) == [("up", "model 0"), ("up", "model 1"), (OTHER, OTHER)]


def test_words_of_an_upstream_do_not_become_labels_unless_they_look_like_slugs() -> None:
    one = tally()
    one.add([row(error=error) for error in ("upstream_timeout_error", "upstream_<b>", "x" * 65, "budget_exceeded")])
    assert [labels[-1] for labels, _ in one.counted(0, 0).errors] == ["upstream_timeout_error", OTHER, "budget_exceeded"]


def test_times_fall_into_their_buckets() -> None:
    one = tally()
    one.add([row(first_byte_us=NOON_US + S // 2, first_token_us=NOON_US + S, ended_us=NOON_US + 2 * S, output_tokens=101)])
    one.add([row(first_byte_us=0, first_token_us=0, ended_us=NOON_US - S), row(upstream_status=0)])
    (figures,) = services(one).values()
    found = []
    for nth, timing in enumerate(TIMINGS):
        size = len(timing.bounds_us) + 1
        counts = figures[TIMES[nth] : TIMES[nth] + size]
        bounds = [*timing.bounds_us, -1]
        found.append(({bound: count for bound, count in zip(bounds, counts, strict=True) if count}, figures[TIMES[nth] + size]))
    assert found == [
        ({100_000: 1, 2_500_000: 1}, 2 * S),
        ({S // 2: 1}, S // 2),
        ({S: 1}, S),
        ({10_000: 1}, 10_000),
    ]


def test_garbage_makes_no_sum_that_cannot_be_written() -> None:
    one = tally()
    one.add([row(input_tokens=2**63 - 1, output_tokens=-5, list_pusd=2**63 - 1, billed_pusd=-1, ended_us=2**63 - 1)] * 3)
    counted = one.counted(5, 0)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(counted), type=Counted) == counted
    (figures,) = paths(one).values()
    assert figures[TOKENS : TOKENS + 5] == [0] * 5 and figures[LIST : LIST + 4] == [0] * 4


MOST = 2**63 - 1


@pytest.mark.parametrize(
    ("times", "count", "gap_us"),
    [
        ({"started_us": -MOST, "first_byte_us": MOST, "first_token_us": -5, "ended_us": MOST}, 2**31, (MOST + 5) // (2**31 - 1)),
        ({"started_us": MOST, "first_byte_us": -MOST, "first_token_us": -MOST, "ended_us": MOST}, 2, 1 << 40),
        ({"started_us": -5, "first_byte_us": 2**40 - 6, "first_token_us": 1, "ended_us": -1}, 9, 0),
        ({"started_us": 5, "first_byte_us": 2**40 + 6, "first_token_us": 1, "ended_us": 2**50}, 2**11 + 1, 2**39 - 1),
    ],
)
def test_instants_further_apart_than_64_bits_are_told_apart_all_the_same(times: dict[str, int], count: int, gap_us: int) -> None:
    one = tally()
    one.add([row(**times, output_tokens=count)])
    (figures,) = services(one).values()
    found = [figures[TIMES[nth] + len(timing.bounds_us) + 1] for nth, timing in enumerate(TIMINGS)]
    since = times["started_us"]
    passed = [min(max(times[name] - since, 0), 1 << 40) for name in ("ended_us", "first_byte_us", "first_token_us")]
    assert found == [*passed, gap_us] and sum(figures) == sum(found) + 4


def test_what_no_adjustment_can_be_is_not_counted_as_money() -> None:
    one = tally()
    one.adjust(-(2**63), 2**63)
    one.adjust(-1, 2**60 - 1)
    assert one.adjusted.calls == 2
    assert (one.adjusted.list_down, one.adjusted.billed_up) == ([0, 1], list(divmod(2**60 - 1, 10**12)))


def test_places_of_callers_are_looked_up_anew_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_tally, "PLACES_MAX", 2)
    one = tally()
    one.add([row(key_name=name, usage_source=source) for name in "abcab" for source in ("exact", "none")])
    found = paths(one)
    assert sum(sum(figures[CALLS:TOKENS]) for figures in found.values()) == 10 and len(found) == 6


def test_what_is_kept_goes_on() -> None:
    one = tally()
    one.add([row(input_tokens=2, retries=1, price_version="unpriced", error="upstream_x")])
    one.adjust(5, -3)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(one.counted(7, 9)), type=Counted)
    other = Tally(kept)
    for each in (one, other):
        each.add([row(input_tokens=2, error="upstream_x")])
    assert other.counted(8, 9) == one.counted(8, 9)
    (figures,) = services(other).values()
    assert (figures[RETRIES], figures[UNPRICED]) == (1, 1)
    assert kept.adjusted.list_up == [0, 5] and kept.adjusted.billed_down == [0, 3] and kept.adjusted.calls == 1


def test_other_endpoints_count_as_calls_alone() -> None:
    one = tally()
    one.add([row(endpoint="models", input_tokens=9, list_pusd=9)])
    (figures,) = paths(one).values()
    assert figures[CALLS + ENDPOINTS.index("models") * len(OUTCOMES) + OUTCOMES.index("completed")] == 1 == sum(figures)


def test_labels_are_named_by_patterns_and_stand_in_one_order() -> None:
    assert labels_of(["model", "t*"]) == ("team", "model")
    assert labels_of(["*"]) == LABELS and "session" not in LABELS


def test_each_failed_attempt_counts_once_and_dialects_by_upstream() -> None:
    one = tally(series_max=4)
    attempts = '[["a",529,"upstream_overloaded_error",1],["a",0,"reset",2],["b",0,"first_byte_timeout",3]]'
    one.add([row(upstream="b", outcome="timed_out", status=0, attempts=attempts[:-32] + "]", dialect="chat")])  # told of again
    one.add([row(upstream="c", attempts=attempts, attempt_of="gw_0", dialect="chat"), row(upstream="c")])
    found = one.counted(0, 0)
    assert dict(found.failures) == {
        ("a", "upstream_overloaded_error", "again"): 1,
        ("a", "reset", "elsewhere"): 1,
        ("b", "first_byte_timeout", "elsewhere"): 1,
    }
    assert found.dialects == [(("b", "chat"), [1]), (("c", "chat"), [1]), (("c", "anthropic"), [1])]
    one.add([row(upstream="c", attempts=f'[["{name}",0,"not a slug",1]]') for name in "xyz"])
    found = one.counted(0, 0)
    assert sum(count for _, count in found.failures) == 6 and dict(found.failures)[OTHER, OTHER, "elsewhere"] == 2
    assert Tally(one.counted(0, 0)).counted(0, 0) == one.counted(0, 0)
