"""Admission and settlement: hold and post over 8 cells, and two rate limits; from Python, and in C by itself."""

import ctypes
import mmap
import shutil
import subprocess
from pathlib import Path as FilePath

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.measure import each, note
from gw._fast.bucket import Buckets, Limit, Limits, buckets_bytes
from gw._fast.cells import HARD, TAKEN, UNITS, Cells, Path, cells_bytes

CELLS = pytest.mark.benchmark(group="cells")
BUCKET = pytest.mark.benchmark(group="bucket")
CALLS = 10_000
CAPACITY, SLOTS = 65_536, 2_048
MONTH_LIMIT = 10**15
FAST = FilePath(__file__).parents[2] / "gw" / "_fast"
# The same calls without Python: what the C costs by itself.
LOOP = """
#include "hold.h"
#include "bucket.h"

int64_t run(int64_t calls, int cell_count, int limit_count) {
    static _Alignas(64) char memory[(1 << 16) * 64];
    static _Alignas(64) char buckets[64 * 64];
    static _Alignas(64) gw_slot slots[2];
    static gw_word direct;
    gw_cells cells = {.slots = slots, .slot_count = 2, .direct = &direct};
    gw_table table;
    gw_limit limits[8];
    gw_path path = {.size = (uint32_t)cell_count};
    gw_holder holder = {.slot = slots};
    gw_table_init(&cells.table, memory, 16);
    gw_table_init(&table, buckets, 6);
    for (int i = 0; i < cell_count; i++) {
        uint64_t tag;
        const int64_t index = gw_cells_find(&cells, i + 1, &tag);
        gw_item_init(&path.items[i], (uint64_t)index, tag, GW_HARD, INT64_C(1000000000000000));
        path.warn_at[i] = -1;
    }
    for (int i = 0; i < limit_count; i++) {
        uint64_t tag;
        gw_limit_init(&limits[i], &table.records[gw_table_find(&table, i + 1, &tag)].words[0], 1, 1, 1000000000);
    }
    int64_t wait_ns, refused = 0;
    for (int64_t i = 0; i < calls; i++) {
        refused += gw_take_all(limits, limit_count, 1, i, &wait_ns) >= 0;
        refused += gw_hold(&cells, &holder, &path, 1000, 0) != GW_TAKEN;
        refused += gw_post(&cells, holder.slot, 900) != GW_OK;
    }
    return refused;
}
"""


@pytest.fixture
def cells() -> Cells:
    return Cells(mmap.mmap(-1, cells_bytes(CAPACITY, SLOTS)), CAPACITY, SLOTS)


@pytest.fixture
def limits() -> Limits:
    buckets = Buckets(mmap.mmap(-1, buckets_bytes(1_024)), 1_024)
    return Limits([Limit(buckets, key, 10**9, 10**9, 10**9) for key in (1, 2)])


def budget_path(cells: Cells, size: int = 8) -> Path:
    """Four levels with two windows each, as many as asked for."""
    return Path(cells, [(key, MONTH_LIMIT, HARD) for key in range(1, size + 1)])


@CELLS
def test_nothing(benchmark: BenchmarkFixture) -> None:
    """What the loop around the others costs."""
    each(benchmark, lambda: None)


@CELLS
def test_admission_and_settlement_over_8_cells_and_2_limits(benchmark: BenchmarkFixture, cells: Cells, limits: Limits) -> None:
    slot, path = cells.slot(0), budget_path(cells)
    now_ns = 10**9

    def call() -> None:
        nonlocal now_ns
        now_ns += 1000
        assert limits.take_all(1, now_ns) is None
        assert slot.hold(path, 1000, now_ns) == TAKEN
        assert slot.post(900) == 0

    each(benchmark, call)


@CELLS
@pytest.mark.parametrize("size", [1, 8, 24])
def test_hold_and_post(benchmark: BenchmarkFixture, cells: Cells, size: int) -> None:
    slot, path = cells.slot(0), budget_path(cells, size)

    def call() -> None:
        slot.hold(path, 1000)
        slot.post(900)

    each(benchmark, call)


@CELLS
def test_a_refusal_by_the_last_of_8_cells(benchmark: BenchmarkFixture, cells: Cells) -> None:
    slot = cells.slot(0)
    path = Path(cells, [(key, MONTH_LIMIT if key < 8 else 10, HARD) for key in range(1, 9)])
    each(benchmark, lambda: slot.hold(path, 1000))


@CELLS
def test_extend_over_8_cells(benchmark: BenchmarkFixture, cells: Cells) -> None:
    slot = cells.slot(0)
    slot.hold(Path(cells, [*((key, -1, HARD) for key in range(1, 9)), (9, 100, UNITS)]), 1000)
    each(benchmark, lambda: slot.extend(1))


@CELLS
def test_a_glance_at_8_cells(benchmark: BenchmarkFixture, cells: Cells) -> None:
    each(benchmark, budget_path(cells).glance)


@CELLS
def test_compiling_a_path_of_8_cells(benchmark: BenchmarkFixture, cells: Cells) -> None:
    each(benchmark, lambda: budget_path(cells))


@BUCKET
def test_two_rate_limits(benchmark: BenchmarkFixture, limits: Limits) -> None:
    each(benchmark, lambda: limits.take_all(1, 10**9))


@BUCKET
def test_giving_back_to_two(benchmark: BenchmarkFixture, limits: Limits) -> None:
    limits.take_all(1_000_000, 10**9)
    each(benchmark, lambda: limits.give_all(1))


@CELLS
def test_in_c(benchmark: BenchmarkFixture, tmp_path: FilePath) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler is missing; to enable: apt-get install gcc")
    source, library = tmp_path / "loop.c", tmp_path / "loop.so"
    source.write_text(LOOP)
    flags = ["-O3", "-std=c11", "-shared", "-fPIC", f"-I{FAST}"]
    subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
    run = ctypes.CDLL(str(library)).run
    run.argtypes, run.restype = [ctypes.c_int64, ctypes.c_int, ctypes.c_int], ctypes.c_int64
    assert run(CALLS, 8, 2) == 0
    benchmark(run, CALLS, 8, 2)
    note(benchmark, CALLS)
