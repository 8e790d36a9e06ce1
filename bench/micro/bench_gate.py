"""Admission and settlement alone, as the governor calls them: four levels with two windows each, and two rate limits."""

import mmap

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.measure import each
from gw import clock
from gw._fast import Buckets, Cells, buckets_bytes, cells_bytes
from gw.admit.gate import Gate
from gw.domain.budget import Budget
from gw.domain.budget_book import BudgetBook, PathRules
from gw.domain.limit import Limit
from gw.domain.scope import CallPath, Scope, ScopeKind
from gw.domain.window import parse_window

pytestmark = pytest.mark.benchmark(group="gate")

LEVELS: tuple[tuple[ScopeKind, str], ...] = (("customer", "acme"), ("team", "core"), ("key", "ci"), ("upstream", "up"))
PATH = CallPath(customer="acme", team="core", key_name="ci", key_id="k1", upstream="up", model="claude-opus-5-5", session="s1")


def book() -> BudgetBook:
    budgets = [
        Budget(f"{kind} {window}", Scope(kind, name), 10**15, parse_window(window))
        for kind, name in LEVELS
        for window in ("day", "month")
    ]
    limits = [Limit(f"{kind} pace", Scope(kind, name), "requests", 10**9, 10**9, 10**9) for kind, name in LEVELS[1:3]]
    return BudgetBook(budgets, limits)


def test_admission_and_settlement(benchmark: BenchmarkFixture) -> None:
    gate = Gate(Cells(mmap.mmap(-1, cells_bytes(65_536, 2_048)), 65_536, 2_048), Buckets(mmap.mmap(-1, buckets_bytes(64)), 64))
    rules_of, now_us, slots = book().for_path, clock.wall_us(), [0]

    def call() -> None:
        rules: PathRules = rules_of(PATH)
        path = gate.compiled(rules, now_us)
        gate.take_rates(path, clock.mono_ns())
        gate.hold(path, 1_000, 2_000, slots, now_us).post(900)

    each(benchmark, call)
