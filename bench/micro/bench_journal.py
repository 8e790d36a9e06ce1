"""What a call costs in the journal, and how fast the keeper moves journals into the ledger (SQLite, synchronous=FULL)."""

import asyncio
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.measure import note
from gw import clock
from gw.domain.call import WHO, CallRecord, OpenCall
from gw.keeper import flush_all
from gw.ledger.journal import JournalWriter
from gw.ledger.sqlite import SqliteStore

pytestmark = pytest.mark.benchmark(group="journal")

CALLS = 100
MOVED = 10_000


def sample() -> CallRecord:
    """A record as long as Claude Code's are."""
    values = {name: 0 for name in CallRecord.__struct_fields__}
    values |= {name: "x" * 12 for name, kind in CallRecord.__annotations__.items() if kind is str}
    values |= {
        "endpoint": "messages",
        "outcome": "completed",
        "status": 200,
        "error": "",
        "session_id": "9f0c1d7e-3f77-4a1b-8a54-0f4f4b0e8f11",
        "requested_model": "claude-sonnet-4-5-20250929",
        "served_model": "claude-sonnet-4-5-20250929",
        "upstream_request_id": "req_011CSHoEeqs5C35K2UUqR7Fy",
        "iterations": "",
        "stream": True,
        "started_us": clock.wall_us(),
        "ended_us": clock.wall_us(),
        "input_tokens": 1234,
        "cache_read_tokens": 181_000,
        "billed_pusd": 43_094_000_000,
    }
    return CallRecord(**values)  # type: ignore[arg-type]


def records(count: int) -> list[CallRecord]:
    base = sample()
    return [replace(base, call_id=f"gw_0193{index:010x}", session_id=f"{index % 97:08x}-3f77-4a1b") for index in range(count)]


def begun(record: CallRecord) -> OpenCall:
    who = tuple(getattr(record, name) for name in WHO)
    return OpenCall(1, record.call_id, record.endpoint, record.started_us, "0-bench", record.stream, 1000, who)


@pytest.mark.parametrize("opened", [False, True], ids=["record", "begun and record"])
@pytest.mark.parametrize("fsync", ["many at a time", "none", "interval"])
def test_a_call(
    benchmark: BenchmarkFixture, fsync: Literal["many at a time", "none", "interval"], opened: bool, tmp_path: Path
) -> None:
    """As structs: the hot path writes its columns straight into the frame (bench_frame, bench_governance). "many at a time": as
    workers do without fsync; the one `write` for all calls of a round is in it."""
    writer = JournalWriter(
        tmp_path,
        "0-bench",
        fsync="none" if fsync == "many at a time" else fsync,
        on_waiting=(lambda: None) if fsync == "many at a time" else None,
    )
    rows = records(CALLS)
    calls = [begun(row) for row in rows]

    def one_round() -> None:
        for call, row in zip(calls, rows, strict=True):
            if opened:
                writer.open_call(call)
            writer.append(row)
        writer.drain()

    benchmark(one_round)
    writer.close()
    note(benchmark, CALLS)


def test_a_record_that_waits_for_the_disk(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "0-bench", fsync="always")
    row = sample()
    benchmark.pedantic(lambda: writer.append(row), rounds=50)
    writer.close()
    note(benchmark, 1)


def test_a_row_from_the_journal_to_the_ledger(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    rounds = iter(range(100))

    def filled() -> tuple[tuple[Path], dict[str, object]]:
        state_dir = tmp_path / str(next(rounds))
        writer = JournalWriter(state_dir / "journal", "0-bench", fsync="none")
        for row in records(MOVED):
            writer.append(row)
        writer.close()
        return (state_dir,), {}

    def moved(state_dir: Path) -> None:
        found = asyncio.run(flush_all(state_dir, SqliteStore(state_dir / "gw.db")))
        assert found.rows == MOVED and not found.duplicates

    benchmark.pedantic(moved, setup=filled, rounds=3)
    note(benchmark, MOVED)
