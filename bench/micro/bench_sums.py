"""What the keeper pays for a row beside reading and writing it: its place in a statement, and its part in the sums. 400 keys, as
in bench_ledger, in one batch of 8,000 rows, as they come out of a journal.
"""

from collections.abc import Callable
from functools import cache

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.bench_ledger import BATCH, rows
from bench.micro.measure import each
from gw._fast import Figures, Rows, flattened
from gw.domain.call import CallRecord
from gw.ledger import rollup
from gw.ledger.frames import CLOSE, FRAME_BYTES_MAX, frame_of
from gw.ledger.rollup_shape import LAYOUT
from gw.ledger.sqlite import ROWS_AT_ONCE
from gw.ledger.store import Row
from gw.ledger.tail import KINDS
from gw.ops.metrics_figures import TIMINGS

SUMS = pytest.mark.benchmark(group="sums")


@cache
def batch() -> list[Row]:
    content = b"".join(frame_of(CLOSE, msgspec.msgpack.encode(CallRecord(*row)), 0) for row in rows(BATCH, 0))
    found: list[Row] = []
    Rows(KINDS, FRAME_BYTES_MAX).read(content, 0, 0, "", 0, found, {}, BATCH, BATCH)
    assert len(found) == BATCH
    return found


@SUMS
def test_a_row_is_gathered(benchmark: BenchmarkFixture) -> None:
    some = batch()
    each(benchmark, lambda: rollup.gathered_of(some), calls=1, events=len(some), part=lambda: LAYOUT.path_of(some[0]))


@SUMS
@pytest.mark.parametrize("what", ["path_of", "sums_of"])
def test_of_one_row(benchmark: BenchmarkFixture, what: str) -> None:
    of: Callable[[Row], object] = getattr(LAYOUT, what)
    row = batch()[0]
    each(benchmark, lambda: of(row))


@SUMS
def test_what_the_database_is_told_of_a_row(benchmark: BenchmarkFixture) -> None:
    """The sums of a batch as rows of rollups, by paths and sessions whose numbers are known."""
    gathered, known = rollup.gathered_of(batch()), rollup.Known()

    def told() -> int:
        steps, count, put = rollup.adding(gathered, known), 0, 0
        step = next(steps, None)
        while step is not None:
            if isinstance(step, rollup.Ask):
                found = [(digest, count + nth) for nth, digest in enumerate(step.values)]
                count += len(found)
                step = rollup.answered(steps, found)
            else:
                put += len(step.rows)
                step = next(steps, None)
        return put

    assert told() > 2 * len(gathered)
    each(benchmark, told, calls=1, events=BATCH, part=lambda: None)


@pytest.mark.benchmark(group="flat")
def test_a_row_in_a_statement(benchmark: BenchmarkFixture) -> None:
    some = batch()[:ROWS_AT_ONCE]
    each(benchmark, lambda: flattened(some, 0), calls=10, events=len(some))


@pytest.mark.benchmark(group="figures")
@pytest.mark.parametrize("kind", ["add", "add_money", "observe"])
def test_a_figure(benchmark: BenchmarkFixture, kind: str) -> None:
    figures = Figures([0] * 40)
    bounds = TIMINGS[0].bounds_us
    calls: dict[str, Callable[[], object]] = {
        "add": lambda: figures.add(3, 48_000),
        "add_money": lambda: figures.add_money(3, 43_094_000_000, 10**12),
        "observe": lambda: figures.observe(3, bounds, 2_000_000),
    }
    each(benchmark, calls[kind])
