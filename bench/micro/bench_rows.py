"""What it costs the keeper to read a call out of a journal."""

import msgspec
import pytest
from msgspec.structs import replace
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.bench_journal import begun, sample
from bench.micro.measure import note
from gw._fast import Rows
from gw.ledger.frames import CLOSE, FRAME_BYTES_MAX, OPEN, frame_of
from gw.ledger.tail import KINDS

pytestmark = pytest.mark.benchmark(group="rows")

CALLS = 1000
SEED = 7


@pytest.mark.parametrize("opened", [False, True], ids=["its end", "its beginning and its end"])
def test_a_call(benchmark: BenchmarkFixture, opened: bool) -> None:
    reader, frames = Rows(KINDS, FRAME_BYTES_MAX), []
    for index in range(CALLS):
        row = replace(sample(), call_id=f"gw_0193{index:010x}", session_id=f"{index % 97:08x}-3f77-4a1b")
        if opened:
            frames.append(frame_of(OPEN, msgspec.msgpack.encode(begun(row)), SEED))
        frames.append(frame_of(CLOSE, msgspec.msgpack.encode(row), SEED))
    content = b"".join(frames)

    def read() -> None:
        rows: list[tuple[str | int | bool, ...]] = []
        assert reader.read(content, 0, SEED, "", 0, rows, {}, 2 * CALLS, 2 * CALLS) == len(content) and len(rows) == CALLS

    benchmark(read)
    note(benchmark, CALLS)
