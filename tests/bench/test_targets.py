"""The table of targets: each row from the medians of the run, and what makes a run fail."""

import pytest

from bench.load import targets
from bench.load.ground import Collected
from bench.load.results import FIGURES, Ledger, Measured, Round, Scenario
from bench.load.scenarios import ALL
from bench.load.targets import GATES, NOT_MEASURED, ROWS, broken, judge, table


def collected(**scenarios: dict[str, dict[str, float]]) -> Collected:
    """Scenario (`_` for the dot) -> contender -> figures of its one round."""
    made = Collected()
    for name, contenders in scenarios.items():
        measured = {one: Measured([Round(figures)], figures) for one, figures in contenders.items()}
        made.scenarios[name.replace("_", ".")] = Scenario("", 1, measured)
    return made


def row(what: str, found: Collected):
    return next(one for one in judge(found, smoke=False) if one.what.startswith(what))


@pytest.mark.parametrize(("rps", "ok"), [(8999.9, False), (9000.0, True)])
def test_at_least(rps: float, ok: bool):
    made = row("small, closed loop", collected(small_closed={"gw": {"rps": rps}}))
    assert (made.ok, made.value, made.limit, made.gate) == (ok, rps, 9000, False)


@pytest.mark.parametrize(("added", "ok"), [(500.0, True), (501.0, False)])
def test_at_most_and_in_the_unit_that_is_shown(added: float, ok: bool):
    made = row("the same: added p50", collected(small_open={"gw": {"added_p50_us": added}}))
    assert (made.ok, made.measured) == (ok, f"{added / 1000:.3f} ms")


def test_ratios_are_of_one_scenario():
    found = collected(
        small_closed={"gw": {"rps": 90.0}, "bare": {"rps": 100.0}},
        streams={"gw": {"cpu_per_event_us": 23.0}, "bare": {"cpu_per_event_us": 20.0}},
    )
    assert (row("the same beside the bare proxy", found).measured, row("CPU per streamed", found).value) == ("0.90 x", 1.15)


def test_success_counts_the_rounds_that_were_late_too():
    found = collected(small_open={"gw": {}})
    found.scenarios["small.open"].contenders["gw"].rounds[:] = [
        Round({"requests": 900.0, "failed": 0.0}),
        Round({"requests": 99.0, "failed": 1.0}, "late"),
    ]
    made = row("small, open loop", found)
    assert (made.measured, made.ok) == ("99.9000%", False)


def test_two_workers_are_compared_by_what_a_request_costs():
    found = collected(workers={"gw": {"cpu_per_request_us": 80.0}, "gw, two workers": {"cpu_per_request_us": 100.0}})
    assert (row("two workers", found).value, row("two workers", found).ok) == (1.6, True)


def test_what_was_not_measured_says_so_and_is_not_met():
    for smoke in (True, False):
        for one in judge(Collected(), smoke=smoke):
            assert (one.measured, one.ok, one.gate) == (NOT_MEASURED, False, False)


def test_rows_read_only_figures_and_scenarios_that_exist():
    """A row whose scenario or figure was renamed would stay unmeasured for ever."""
    whole = Collected(units=dict.fromkeys(("tap_gb_s", "tap_allocated_bytes", "peek_gb_s"), 1.0))
    contenders = ("direct", "nginx", "bare", "gw", "litellm", "portkey", "gw, two workers", "gw, translated")
    names = {*ALL, "big.1mb", "big.4mb", "big.memory"}
    for name in names:
        figures = dict.fromkeys(FIGURES, 1.0)
        whole.scenarios[name] = Scenario("", 1, {one: Measured([Round(figures)], figures) for one in contenders})
    whole.ledger.append(Ledger("turn", 1, 1, "1", "1", {}, {}, 1, 0))
    unmeasured = [one.what for one in [*judge(whole, smoke=False), *judge(whole, smoke=True)] if one.measured == NOT_MEASURED]
    assert not unmeasured and len({one.what for one in ROWS}) >= len(ROWS) - 1


def test_a_run_fails_by_gates_requests_and_books():
    found = collected(small_closed={"gw": {"rps": 1.0, "failed": 3.0}, "bare": {"rps": 100.0, "failed": 9.0}})
    found.ledger.append(Ledger("turn", 1, 2, "1", "2", {}, {}, 1, 0))
    reasons = broken(judge(found, smoke=True), found, smoke=True)
    assert reasons[0] == "small, closed loop, beside the bare proxy: 0.01 x, wanted >= 0.25 x"
    assert "small.closed: 3 requests through gw failed" in reasons and "turn: the ledger is not the invoice" in reasons
    assert broken(judge(Collected(), smoke=True), Collected(), smoke=True) == []


def test_a_generator_that_was_always_late_fails_the_run_but_not_the_smoke():
    found = collected(turn={"gw": {}})
    found.scenarios["turn"].contenders["gw"].rounds[:] = [Round({}, "too late")]
    assert broken([], found, smoke=False) == ["turn: no round through gw counts: too late"]
    assert broken([], found, smoke=True) == []
    found.scenarios["turn"].contenders["gw"].rounds.append(Round({}))
    assert broken([], found, smoke=False) == []


def test_gates_are_looser_than_the_targets_they_stand_for():
    pairs = {"small, closed loop, beside the bare proxy": 0.85, "big, 1 MB: peak memory per request in flight": 3}
    gates = {one.what: one for one in GATES}
    assert all(gates[what].limit < limit if gates[what].least else gates[what].limit > limit for what, limit in pairs.items())


def test_the_table_has_a_line_for_each_row():
    lines = table(judge(collected(small_closed={"gw": {"rps": 10.0}}), smoke=False)).splitlines()
    assert len(lines) == len(ROWS) + 2
    assert lines[2].split("  ")[0] == "small, closed loop, 64 connections" and lines[2].endswith("MISSED")
    assert targets.verdict(judge(Collected(), smoke=False)[0]) == "-"
