"""Files of results: what is written is read again, and every figure in them is defined."""

import msgspec
import pytest

from bench.load import results
from bench.load.ground import ADDED, Once, added, summary
from bench.load.results import FIGURES, Ledger, Measured, Results, Round, Scenario, Target
from gw.loadgen.histogram import Histogram

WHOLE = Results(
    started="2026-11-21T08:00:00Z",
    machine={"cpu": "one"},
    versions={"gw": "0.1.0"},
    scenarios={
        "small.open": Scenario(
            "what",
            60.0,
            {
                "gw": Measured(
                    [Round({"rps": 5000.0}), Round({"rps": 1.0}, "late")], {"rps": 5000.0}, {"latency": Histogram([5]).recorded()}
                )
            },
        )
    },
    targets=[Target("a", ">= 1", "2", 2.0, 1.0, ok=True, how="so", gate=True)],
    ledger=[Ledger("turn", 1, 1, "10", "10", {"input_tokens": 1}, {"input_tokens": 1}, 8, 0)],
    notes=["n"],
    absent={"portkey": "not installed"},
)


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "new" / "all.json"
    results.write(WHOLE, path)
    assert results.from_json(path.read_bytes()) == WHOLE


@pytest.mark.parametrize("data", [b"{}", b"[]", results.to_json(WHOLE).replace(b'"started"', b'"begun"'), b"{"])
def test_what_is_no_such_file_is_refused(data: bytes):
    with pytest.raises(msgspec.DecodeError):
        results.from_json(data)


@pytest.mark.parametrize(
    ("change", "ok"),
    [
        ({}, True),
        ({"ledger_calls": 2}, False),
        ({"ledger_pusd": "11"}, False),
        ({"ledger_tokens": {}}, False),
        ({"overshoot_nusd": 1}, False),
    ],
)
def test_the_books_agree_only_if_all_of_them_do(change: dict[str, object], ok: bool):
    assert msgspec.structs.replace(WHOLE.ledger[0], **change).ok is ok


def test_every_figure_that_is_added_is_defined():
    assert all(f"added_{key}" in FIGURES and key in FIGURES for key in ADDED)
    assert results.unknown({"rps": 1, "nonsense": 2}) == ["nonsense"]


def test_medians_and_histograms_are_of_the_rounds_that_count():
    rounds = [Once({"p50_us": 1.0}, {"latency": Histogram([1])}), Once({"p50_us": 9.0}, {"latency": Histogram([9])}, note="late")]
    rounds += [Once({"p50_us": value, "failed": 0.0}, {"latency": Histogram([value])}) for value in (3, 5)]
    made = summary(rounds)
    assert made.median == {"p50_us": 3, "failed": 0}
    assert len(made.rounds) == 4 and [one.good for one in made.rounds] == [True, False, True, True]
    assert made.histograms["latency"] == Histogram([1, 3, 5]).recorded()


def test_no_round_that_counts_leaves_no_figure():
    made = summary([Once({"p50_us": 1.0}, note="late")])
    assert made.median == {} and made.histograms == {} and made.rounds[0].note == "late"


def test_a_late_generator_spoils_times_but_not_what_servers_use_and_count():
    made = summary([Once({"p50_us": 9.0, "cpu_per_request_us": 70.0, "failed": 0.0}, note="late"), Once({"p50_us": 1.0})])
    assert made.median == {"p50_us": 1.0, "cpu_per_request_us": 70.0, "failed": 0.0}


def test_what_is_added_is_the_difference_within_the_round_if_both_count():
    one, direct = Once({"p50_us": 300.0, "p99_us": 900.0, "rps": 1.0}), Once({"p50_us": 100.0, "ttfb_p50_us": 7.0})
    assert added(one, direct) == {"added_p50_us": 200.0}
    assert added(one, Once({"p50_us": 100.0}, note="late")) == {}
