"""The gateway's books beside the invoice, and the histogram of its own work as /metrics has it."""

import math
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bench.load import books
from bench.load.contender import ContenderFailed
from bench.load.contenders import GatewayContender
from bench.load.results import unknown
from bench.load.scenarios.accounts import own_work
from bench.load.upstreams import Charged, charged_of

PAGE = """# HELP gw_overhead_seconds Work of gw itself
# TYPE gw_overhead_seconds histogram
gw_overhead_seconds_bucket{part="peek",le="1e-06"} 10.0
gw_overhead_seconds_bucket{part="peek",le="+Inf"} 10.0
gw_overhead_seconds_bucket{le="2e-06",part="governance"} 10.0
gw_overhead_seconds_bucket{le="4e-06",part="governance"} 60.0
gw_overhead_seconds_bucket{le="8e-06",part="governance"} 99.0
gw_overhead_seconds_bucket{le="+Inf",part="governance"} 100.0
gw_overhead_seconds_sum{part="governance"} 0.0003
gw_overhead_part_seconds_total{part="peek"} 0.0002
gw_overhead_part_seconds_total{part="record"} 0.0001
gw_in_flight 0.0
"""


def test_the_parts_are_read_with_their_buckets():
    found = books.overhead(PAGE)
    assert found.keys() == {"peek", "governance"}
    assert found["governance"] == [(2e-06, 10), (4e-06, 60), (8e-06, 99), (math.inf, 100)]
    assert books.overhead("gw_in_flight 0.0\n") == {}


@pytest.mark.parametrize(("share", "us"), [(0.1, 2.0), (0.35, 3.0), (0.5, 3.6), (0.99, 8.0), (0.05, 1.0), (1.0, 8.0)])
def test_quantiles_are_linear_within_a_bucket(share: float, us: float):
    assert books.quantile(books.overhead(PAGE)["governance"], share) * 1e6 == pytest.approx(us)


def test_gws_own_work_is_what_came_between_two_pages():
    before = PAGE.replace('le="+Inf",part="governance"} 100.0', 'le="+Inf",part="governance"} 99.0').replace("0.0002", "0.0001")
    whole = PAGE.replace('part="governance"', 'part="all"')
    figures = own_work("", whole)
    assert figures["overhead_p50_us"] == pytest.approx(3.6) and "governance_p50_us" not in figures
    assert (figures["part_peek_us"], figures["part_record_us"]) == (pytest.approx(2.0), pytest.approx(1.0))
    assert own_work(before, PAGE)["governance_p99_us"] == pytest.approx(8.0) and own_work("", "gw_in_flight 0\n") == {}
    assert not unknown(figures)


def test_no_call_has_no_quantile():
    assert books.quantile([], 0.5) == books.quantile([(1.0, 0.0), (math.inf, 0.0)], 0.5) == 0


def test_only_what_came_between_two_readings_counts():
    after = books.overhead(PAGE)
    assert books.since(after, after)["governance"] == [(2e-06, 0), (4e-06, 0), (8e-06, 0), (math.inf, 0)]
    assert books.since({}, after) == after


@pytest.fixture
def gateway(tmp_path: Path) -> GatewayContender:
    ledger = tmp_path / "gw.db"
    connection = sqlite3.connect(ledger)
    tokens = "input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens"
    connection.execute(f'CREATE TABLE "call" (session_id, usage_source, list_pusd INTEGER, {tokens})')
    rows = [(f"turn-gw-1-0001-{number}", "exact", 5 * 10**18, 1, 2, 3, 4) for number in (0, 31)]
    rows += [(f"{others}-0", "exact", 1, 1, 1, 1, 1) for others in ("turn-gw-1-00011", "turn-gw-1-0002", "warm")]
    rows += [("turn-gw-1-0001-1", "none", 0, 0, 0, 0, 0)]
    connection.executemany('INSERT INTO "call" VALUES (?,?,?,?,?,?,?)', rows)
    connection.commit()
    connection.close()
    return cast(GatewayContender, SimpleNamespace(ledger=ledger, name="gw", port=1, headers={}))


def test_rows_of_one_run_are_summed_beyond_64_bits(gateway: GatewayContender):
    tokens = {"input_tokens": 2, "output_tokens": 4, "cache_read_tokens": 6, "cache_write_5m_tokens": 8}
    assert books.charged_in(gateway, "turn-gw-1-0001") == Charged(2, 10**19, tokens)
    assert books.charged_in(gateway, "nobody").calls == 0


def standing(spent: str, limit: str, reserved: str = "0.00") -> dict[str, str]:
    return {"id": "b", "spent_usd": spent, "limit_usd": limit, "reserved_usd": reserved}


@pytest.mark.parametrize(
    ("budgets", "passed"),
    [
        ([standing("1.5", "2")], [0]),
        ([standing("2.000000001", "2"), standing("2", "2")], [1, 0]),
        ([standing("12", "2")], [10**10]),
    ],
)
def test_overshoot_is_exact(budgets: list[dict[str, str]], passed: list[int], gateway: GatewayContender, monkeypatch):
    monkeypatch.setattr(books, "get", lambda contender, path: f'{{"budgets": {str(budgets).replace(chr(39), chr(34))}}}')
    assert books.overshoots(gateway) == passed


@pytest.mark.parametrize(
    "said", ['{"budgets": []}', '{"budgets": [{"id": "b", "spent_usd": "1", "limit_usd": "2", "reserved_usd": "0.1"}]}']
)
def test_no_budgets_or_one_that_still_holds_something_is_an_error(said: str, gateway: GatewayContender, monkeypatch):
    monkeypatch.setattr(books, "get", lambda contender, path: said)
    with pytest.raises(ContenderFailed):
        books.overshoots(gateway)


def test_books_that_differ_say_by_what(gateway: GatewayContender, monkeypatch):
    monkeypatch.setattr(books, "overshoots", lambda contender: [0, 3])
    made = books.compare(gateway, "turn", "turn-gw-1-0001", Charged(2, 10**19, {"input_tokens": 1}))
    assert (made.ledger_calls, made.invoice_calls, made.ledger_pusd, made.budgets, made.overshoot_nusd) == (
        2,
        2,
        "1" + "0" * 19,
        2,
        3,
    )
    assert not made.ok


def test_an_invoice_adds_its_models_and_differs_from_an_earlier_one():
    line = {"calls": 2, "cost_pusd": 10, "input_tokens": 3, "output_tokens": 4, "cache_creation_input_tokens": 5}
    whole = charged_of({"models": {"a": line, "b": line}, "cut": 1})
    assert (whole.calls, whole.pusd) == (4, 20)
    assert whole.tokens == {"input_tokens": 6, "output_tokens": 8, "cache_read_tokens": 0, "cache_write_5m_tokens": 10}
    assert whole.less(charged_of({"models": {"a": line}, "cut": 0})) == charged_of({"models": {"b": line}, "cut": 0})
