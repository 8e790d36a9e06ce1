"""/metrics of a gateway with 200 accounts, each of which uses two models and has a budget: what a scrape takes, and what the
longest step of it keeps the interpreter from others; and what the keeper pays to count a row, and once a second to say so.
"""

import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import astuple
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.measure import made, note
from gw import clock
from gw.ops.metrics_figures import Counted
from gw.ops.metrics_page import exposition
from gw.ops.metrics_published import BudgetGauge, BudgetWindow, Published, encoded, write_published
from gw.ops.metrics_tally import Tally
from gw.ops.state import StateFile
from tests.ledger.records import NOON_US, record

METRICS = pytest.mark.benchmark(group="metrics")
ACCOUNTS = 200
MODELS = ("claude-opus-5-5", "claude-haiku-5-5")
PAGES = 5
NS_PER_MS = 1_000_000


def rows() -> list[tuple[object, ...]]:
    """One of each account and model."""
    found = []
    for number in range(ACCOUNTS):
        for model in MODELS:
            one = record(
                f"gw_{number}",
                customer="acme",
                team=f"team-{number % 20}",
                key_name=f"key-{number}",
                served_model=model,
                upstream_status=200,
                first_byte_us=NOON_US + 300_000,
                first_token_us=NOON_US + 400_000,
                input_tokens=12,
                output_tokens=300,
                cache_read_tokens=40_000,
                list_pusd=43_094_000_000,
                billed_pusd=43_094_000_000,
            )
            found.append(astuple(one))
    return found


def published(tally: Tally) -> Published:
    names = [f"key-{number}" for number in range(ACCOUNTS)]
    budgets = tuple(BudgetGauge("each key", "key", name, "hard", 10**10, 10**9, 0) for name in names)
    return Published(NOON_US, tally.counted(1, 0), budgets, (BudgetWindow("each key", NOON_US, NOON_US + 1, 0),))


@pytest.fixture
def counted() -> Tally:
    tally = Tally(Counted(1))
    tally.add(rows())
    return tally


@pytest.fixture
def state(counted: Tally) -> Iterator[StateFile]:
    with tempfile.TemporaryDirectory() as folder:
        one = StateFile(Path(folder) / "state.mm", create=True)
        write_published(Path(folder), encoded(published(counted)))
        yield one
        one.close()


@METRICS
@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
def test_page_of_200_accounts(benchmark: BenchmarkFixture, state: StateFile, *, openmetrics: bool) -> None:
    folder = state.path.parent
    steps: list[int] = []

    def step() -> None:
        steps.append(clock.mono_ns())

    page = exposition(state, folder, openmetrics=openmetrics, pause=step)
    benchmark(made, lambda: exposition(state, folder, openmetrics=openmetrics), PAGES)
    note(benchmark, PAGES)
    benchmark.extra_info["lines"] = page.count(b"\n")
    benchmark.extra_info["longest step ms"] = round(max(b - a for a, b in pairwise(steps)) / NS_PER_MS, 2)


@METRICS
def test_count_a_row(benchmark: BenchmarkFixture, counted: Tally) -> None:
    some = rows()
    benchmark(made, lambda: counted.add(some), PAGES)
    note(benchmark, PAGES, events=len(some))


@METRICS
def test_publish(benchmark: BenchmarkFixture, counted: Tally) -> None:
    benchmark(made, lambda: encoded(published(counted)), PAGES)
    note(benchmark, PAGES)
