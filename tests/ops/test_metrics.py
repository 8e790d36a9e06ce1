"""Metrics are derived from finished calls in one place, and the page says them for all workers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gw.domain.settled import Settled
from gw.errors import REFUSALS
from gw.ops import metrics
from gw.ops.metrics import BUCKETS_MS, COUNTERS, ENDPOINTS, OUTCOMES, observe
from gw.ops.metrics_page import exposition
from gw.ops.ready import readiness
from gw.ops.state import BLOCK_BYTES, COUNTER_BASE, Block, Own, StateFile, Word
from tests.ledger.records import record

NOW_US = 1_800_000_000_000_000
KEEPER = {"written_us": NOW_US, "database_ok": 1, "state": "running", "behind_us": 5}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    yield StateFile(tmp_path / "state.mm", create=True)


@pytest.fixture
def block(state: StateFile) -> Block:
    return state.claim_block()


def page(state: StateFile, keeper: dict[str, Any] | None = None) -> dict[tuple[str, str], float]:
    """(sample, its first label's value) -> value."""
    status = state.path.with_name("keeper.json")
    if keeper is not None:
        status.write_text(json.dumps(keeper))
    families = text_string_to_metric_families(exposition(state, status.parent).decode())
    return {(one.name, next(iter(one.labels.values()), "")): one.value for each in families for one in each.samples}


def call(**more: Any) -> Settled:
    """With the figures of such a record."""
    one = record("gw_1", **more)
    done = Settled(one.endpoint, one.outcome, one.error, one.usage_source)
    done.unpriced = one.price_version == "unpriced"
    for name in set(Settled.__slots__) - {"unpriced", "charged", "exact"}:
        setattr(done, name, getattr(one, name))
    return done


def test_the_layout_fits_into_a_block() -> None:
    assert COUNTER_BASE + COUNTERS <= BLOCK_BYTES // 8


def test_every_endpoint_outcome_and_slug_has_a_counter_of_its_own(state: StateFile, block: Block) -> None:
    for endpoint in ENDPOINTS:
        for outcome in OUTCOMES:
            observe(block.counters, call(endpoint=endpoint, outcome=outcome, error=""))
    families = text_string_to_metric_families(exposition(state, state.path.parent).decode())
    (calls,) = [each for each in families if each.name == "gw_calls"]
    assert {one.value for one in calls.samples if one.name == "gw_calls_total"} == {1}
    for slug in REFUSALS:
        observe(block.counters, call(endpoint="models", error=slug))
    samples = page(state)
    assert all(samples["gw_errors_total", slug] == 1 for slug in REFUSALS)
    observe(block.counters, call(endpoint="models", error="upstream_of_a_kind_unheard_of"))
    assert page(state)["gw_errors_total", "other"] == 1


def test_tokens_money_and_retries_are_summed(state: StateFile, block: Block) -> None:
    one = call(
        input_tokens=1,
        output_tokens=2,
        cache_read_tokens=3,
        cache_write_5m_tokens=4,
        cache_write_1h_tokens=5,
        list_pusd=2_500_001_999,
        billed_pusd=1_999,
        retries=2,
        price_version="unpriced",
        usage_source="exact",
    )
    for _ in range(2):
        observe(block.counters, one)
    samples = page(state)
    for tokens, name in enumerate(("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"), 1):
        assert samples["gw_tokens_total", name] == 2 * tokens
    assert samples["gw_cost_usd_total", "list"] == 2 * 0.002500001
    assert samples["gw_cost_usd_total", "billed"] == 2e-9
    assert (samples["gw_upstream_retries_total", ""], samples["gw_unpriced_calls_total", ""]) == (4, 2)
    assert samples["gw_usage_source_total", "exact"] == 2


def test_other_endpoints_count_as_calls_and_nothing_else(state: StateFile, block: Block) -> None:
    before = page(state)
    observe(block.counters, call(endpoint="count_tokens", outcome="completed", error="", input_tokens=9, list_pusd=10**9))
    after = page(state)
    assert {name for name in after if after[name] != before[name]} <= {
        ("gw_calls_total", "count_tokens"),
        ("gw_uptime_seconds", ""),
    }


DURATIONS = [(-5, "0.005"), (0, "0.005"), (5, "0.005"), (6, "0.01"), (600_000, "600.0"), (600_001, "+Inf")]


@pytest.mark.parametrize(("milliseconds", "first"), DURATIONS)
def test_a_duration_falls_into_its_bucket_and_all_above(state: StateFile, block: Block, milliseconds: int, first: str) -> None:
    observe(block.counters, call(started_us=NOW_US, ended_us=NOW_US + milliseconds * 1000, first_token_us=0))
    samples = page(state)
    bounds = [*(str(bound / 1000) for bound in BUCKETS_MS), "+Inf"]
    values = [samples["gw_call_duration_seconds_bucket", bound] for bound in bounds]
    assert values == [float(at >= bounds.index(first)) for at in range(len(bounds))]
    assert samples["gw_call_duration_seconds_sum", ""] == max(milliseconds, 0) / 1000
    assert samples["gw_first_token_seconds_count", ""] == 0


def test_absurd_money_cannot_overflow_what_is_counted(state: StateFile, block: Block) -> None:
    for _ in range(3):
        observe(block.counters, call(list_pusd=2**63 - 1, billed_pusd=2**63 - 1))
    observe(block.counters, call(list_pusd=5_000, billed_pusd=5_000))
    assert page(state)["gw_cost_usd_total", "list"] == 5e-9


def test_workers_are_summed_and_the_dead_are_not_forgotten(state: StateFile, block: Block) -> None:
    other = state.claim_block()
    other.set(Own.PID, 1000)
    for each in (block, other):
        observe(each.counters, call(outcome="completed", endpoint="messages"))
        each.set(Own.IN_FLIGHT, 2)
    assert page(state)["gw_in_flight", ""] == 4
    state.bury(1000)
    samples = page(state)
    assert (samples["gw_in_flight", ""], samples["gw_workers", ""]) == (2, 1)
    assert samples["gw_call_duration_seconds_count", ""] == 2


def test_the_keepers_numbers_are_shown_and_its_words_are_not(state: StateFile) -> None:
    samples = page(state, KEEPER)
    assert samples["gw_keeper_behind_us", ""] == 5 and ("gw_keeper_state", "") not in samples
    assert samples["gw_database_lag_seconds", ""] == 5e-6 and samples["gw_database_up", ""] == 1
    assert ("gw_keeper_behind_us", "") not in page(state, {})
    state.path.with_name("keeper.json").write_text("{half")
    assert metrics.read_status(state.path.with_name("keeper.json")) == {}


# --- /readyz ----------------------------------------------------------------------------------------------------------
def ready(state: StateFile, keeper: dict[str, Any] | None) -> tuple[bool, dict[str, Any]]:
    status = state.path.with_name("keeper.json")
    if keeper is not None:
        status.write_text(json.dumps(keeper))
    found, body = readiness(state, status, NOW_US)
    said: dict[str, Any] = json.loads(body)
    assert said["ready"] is found
    return found, said


def test_ready_is_who_can_serve(state: StateFile, block: Block) -> None:
    assert ready(state, KEEPER) == (True, ready(state, KEEPER)[1] | {"reasons": [], "degraded": [], "workers": 1})
    block.set(Own.JOURNAL_HEALTHY, 0)
    assert ready(state, KEEPER)[1]["reasons"] == ["journal cannot be written"]
    state.words[Word.DRAINING] = 1
    assert ready(state, KEEPER)[1]["reasons"] == ["draining", "journal cannot be written"]
    block.release()
    assert ready(state, KEEPER)[1]["reasons"] == ["draining", "no worker"]


@pytest.mark.parametrize(
    ("keeper", "phrase"),
    [
        (None, "keeper silent"),
        ({**KEEPER, "written_us": NOW_US - 11_000_000}, "keeper silent"),
        ({**KEEPER, "written_us": "soon"}, "keeper silent"),
        ({**KEEPER, "database_ok": 0}, "database unavailable"),
    ],
)
def test_a_ledger_that_lags_degrades_and_does_not_stop(
    state: StateFile, block: Block, keeper: dict[str, Any] | None, phrase: str
) -> None:
    found, said = ready(state, keeper)
    assert found and len(said["degraded"]) == 1 and said["degraded"][0].startswith(phrase)
