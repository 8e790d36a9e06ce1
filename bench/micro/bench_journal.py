"""Microseconds per journal frame, and rows per second from the journals into the ledger.

python -m bench.micro.bench_journal [rows]
"""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from msgspec.structs import replace

from gw import clock
from gw.domain.call import WHO, CallRecord, OpenCall
from gw.keeper import flush_all
from gw.ledger.journal import JournalWriter
from gw.ledger.sqlite import SqliteStore


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


def bench_append(directory: Path, rows: list[CallRecord], *, fsync: str, opened: bool) -> float:
    """Microseconds a call: the median of stretches of 100, since one of them may begin a segment."""
    writer = JournalWriter(directory, "0-bench", fsync=fsync)  # type: ignore[arg-type]
    took = []
    for index in range(0, len(rows), 100):
        stretch = rows[index : index + 100]
        calls = [begun(record) for record in stretch]
        started_ns = clock.mono_ns()
        if opened:
            for call, record in zip(calls, stretch, strict=True):
                writer.open_call(call)
                writer.append(record)
        else:
            for record in stretch:
                writer.append(record)
        took.append((clock.mono_ns() - started_ns) / len(stretch) / 1000)
    writer.close()
    return statistics.median(took)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rows = records(count)
    with tempfile.TemporaryDirectory(dir=".") as place:
        for index, (fsync, opened) in enumerate((("none", False), ("none", True), ("interval", False))):
            state_dir = Path(place) / str(index)
            took = bench_append(state_dir / "journal", rows, fsync=fsync, opened=opened)
            what = "open_call + append" if opened else "append"
            size = sum(path.stat().st_size for path in (state_dir / "journal").iterdir())
            print(f"{what:20} fsync={fsync:9} {took:6.2f} us a call, {size / count:.0f} bytes")
            started_ns = clock.mono_ns()
            moved = asyncio.run(flush_all(state_dir, SqliteStore(state_dir / "gw.db")))
            seconds = (clock.mono_ns() - started_ns) / 1e9
            assert moved.rows == count and not moved.duplicates
            print(f"{'journal to ledger':20} {count / seconds:,.0f} rows/s in batches of 1,000, synchronous=FULL")
        few = rows[:200]
        took = bench_append(Path(place) / "always" / "journal", few, fsync="always", opened=False)
        print(f"{'append':20} fsync=always    {took:6.0f} us a call")


if __name__ == "__main__":
    main()
