"""Journals into the ledger: every finished call once, every lost call settled once, whatever stands in the way."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from gw.domain.call import CallRecord
from gw.keeper import flush_all
from gw.ledger import mover as movers
from gw.ledger.frames import CLOSE, SegmentHeader, frame_of, seed_of
from gw.ledger.journal import JournalWriter
from gw.ledger.mover import KeeperBusy, Mover, sole_mover
from gw.ledger.store import Batch, Database, Store, StoreError, nothing
from tests.ledger.disk import file_size_limit
from tests.ledger.following import Counting
from tests.ledger.records import begun, opened, record
from tests.support.databases import query


class Ground:
    """One state directory with its ledger."""

    def __init__(self, state_dir: Path, database: Database) -> None:
        self.state_dir = state_dir
        self.journal = state_dir / "journal"
        self.database = database
        self.settled: list[tuple[str, int, str]] = []
        self.follower = Counting(self.database)

    def writer(self, worker: str = "0-a", segment_bytes_max: int = 1000) -> JournalWriter:
        return JournalWriter(self.journal, worker, segment_bytes_max=segment_bytes_max)

    def mover(self, rows_max: int = 3) -> Mover:
        return Mover(self.state_dir, self.database.store(), self.settle_lost, self.follower, rows_max=rows_max)

    def settle_lost(self, opened: CallRecord, slot: int, header: SegmentHeader) -> CallRecord:
        self.settled.append((opened.call_id, slot, header.worker))
        return replace(opened, ended_us=9, billed_pusd=5, usage_source="observed")

    def calls(self) -> list[tuple[str, str]]:
        """(call id, outcome), sorted."""
        return query(self.database, "SELECT call_id, outcome FROM call ORDER BY call_id")

    def count(self, table: str) -> int:
        return int(query(self.database, f"SELECT COUNT(*) FROM {table}")[0][0])

    def segments(self) -> list[str]:
        return sorted(path.name for path in self.journal.glob("*.gwj"))


@pytest.fixture
def ground(tmp_path: Path, database: Database) -> Ground:
    return Ground(tmp_path / "state", database)


async def test_everything_arrives_and_read_segments_are_freed(ground: Ground) -> None:
    writer = ground.writer()
    for index in range(40):
        writer.append(record(f"c{index:02}"))
    assert len(ground.segments()) > 5
    mover = ground.mover()
    await mover.drain()
    assert ground.calls() == [(f"c{index:02}", "completed") for index in range(40)]
    assert len(ground.segments()) == 1 and ground.count("journal_segment") == 1
    assert mover.behind_bytes() == 0 and ground.settled == []
    assert ground.follower.told == [f"c{index:02}" for index in range(40)]
    assert set(ground.follower.passes) == {40}, "a pass that stopped at the size of a batch is none"
    writer.close()
    await mover.drain()
    assert ground.segments() == [] and ground.count("journal_segment") == 0
    assert mover.moved.rows == 40 and mover.moved.duplicates == 0
    await mover.close()


async def test_with_a_backlog_rows_are_told_while_the_next_are_written_or_before_they_must_be_known(ground: Ground) -> None:
    writer = ground.writer(segment_bytes_max=1 << 20)
    for index in range(2_000):
        writer.append(record(f"c{index:04}"))
    mover = ground.mover(rows_max=800)
    await mover.move()
    assert ground.count("call") == 800 and ground.follower.told == []
    async with mover.told():
        assert len(ground.follower.told) == 800
    await mover.move()
    assert ground.count("call") == 1_600 and len(ground.follower.told) == 800
    await mover.move()
    assert ground.count("call") == 2_000 and ground.follower.told == [f"c{index:04}" for index in range(2_000)]
    writer.close()
    await mover.close()


async def test_rows_of_a_backlog_are_told_though_there_is_no_more_of_it_or_the_next_commit_fails(ground: Ground) -> None:
    writer = ground.writer(segment_bytes_max=1 << 20)
    for index in range(5):
        writer.append(record(f"c{index}"))
    mover = ground.mover(rows_max=5)
    await mover.move()
    assert ground.follower.told == []
    await mover.move()
    assert ground.follower.told == [f"c{index}" for index in range(5)]
    for index in range(5, 15):
        writer.append(record(f"c{index}"))
    await mover.move()
    assert len(ground.follower.told) == 5
    await mover._store.close()
    with pytest.raises(StoreError):
        await mover.move()
    assert len(ground.follower.told) == 10 and ground.follower.failures == 1
    await mover.drain()
    assert ground.follower.told == [f"c{index}" for index in range(15)]
    writer.close()
    await mover.close()


async def test_open_call_of_a_live_worker_is_left_alone(ground: Ground) -> None:
    writer = ground.writer()
    writer.open_call(opened(3, begun("a")))
    for index in range(20):  # its segment is long read and freed
        writer.append(record(f"c{index:02}"))
    mover = ground.mover()
    await mover.drain()
    assert ground.settled == [] and ground.count("open_call") == 1 and len(ground.segments()) == 1
    writer.append(record("a"))
    await mover.drain()
    assert ("a", "completed") in ground.calls() and ground.count("open_call") == 0
    writer.close()
    await mover.drain()
    assert ground.settled == []
    await mover.close()


async def test_lost_call_is_settled_exactly_once_even_by_another_keeper(ground: Ground) -> None:
    writer = ground.writer(worker="4-x")
    writer.open_call(opened(17, begun("lost", team="t")))
    writer.open_call(opened(18, begun("done")))
    for index in range(20):
        writer.append(record(f"c{index:02}"))
    writer.append(record("done"))
    first = ground.mover()
    await first.drain()
    await first.close()  # the keeper dies, then the worker
    writer.close()
    second = ground.mover()
    await second.drain()
    await second.drain()
    await second.close()
    assert ground.settled == [("lost", 17, "4-x")]
    assert ("lost", "stopped") in ground.calls() and ground.count("call") == 22 and ground.count("open_call") == 0
    assert second.moved.lost == 1 and ground.follower.told.count("lost") == 1
    found = query(ground.database, "SELECT team, billed_pusd, error FROM call WHERE call_id = 'lost'")
    assert found == [("t", 5, "worker_died")]


async def test_lost_call_that_cannot_be_priced_is_recorded_as_opened(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> CallRecord:
        raise LookupError("no such slot")

    monkeypatch.setattr(ground, "settle_lost", broken)
    writer = ground.writer()
    writer.open_call(opened(1, begun("a")))
    writer.close()
    mover = ground.mover()
    await mover.drain()
    await mover.close()
    assert ground.calls() == [("a", "stopped")] and "could not be priced" in caplog.text
    assert query(ground.database, "SELECT usage_flags FROM call") == [("settle_failed",)]


async def test_without_a_settler_open_calls_wait(ground: Ground) -> None:
    writer = ground.writer()
    writer.open_call(opened(1, begun("a")))
    writer.append(record("b"))
    writer.close()
    await flush_all(ground.state_dir, ground.database.store())
    assert ground.calls() == [("b", "completed")] and ground.count("open_call") == 1
    mover = ground.mover()
    await mover.drain()
    await mover.close()
    assert ground.calls() == [("a", "stopped"), ("b", "completed")]


class Fragile:
    """A store that fails when told to, before or after the transaction took place."""

    def __init__(self, store: Store) -> None:
        self.plan: list[str] = []
        self.forget_failures = 0
        self.asked = 0  # for other work meanwhile
        self._store = store
        self.gone = False
        self.open, self.close, self.retire = store.open, store.close, store.retire
        self.open_boots, self.open_calls, self.begin_next = store.open_boots, store.open_calls, store.begin_next

    async def check(self) -> None:
        if self.gone:
            raise StoreError("nobody answers")
        await self._store.check()

    async def commit(self, batch: Batch, meanwhile: Callable[[], bool] = nothing) -> int:
        step = self.plan.pop(0) if self.plan else ""
        if step == "before":
            raise StoreError("disk full")

        def counted() -> bool:
            self.asked += 1
            return meanwhile()

        duplicates = await self._store.commit(batch, counted)
        if step == "after":
            raise StoreError("connection lost: was it written or not?")
        return duplicates

    async def forget(self, segments: list[str]) -> None:
        if self.forget_failures:
            self.forget_failures -= 1
            raise StoreError("locked")
        await self._store.forget(segments)


async def failures_of(mover: Mover) -> int:
    """Until the journals hold nothing more; whenever the store fails, the mover says that calls wait."""
    failures = 0
    while True:
        try:
            if not await mover.move():
                await mover.close()
                return failures
            assert mover.waiting_since_us == 0
        except StoreError:
            failures += 1
            assert mover.waiting_since_us > 0


async def test_a_backlog_is_read_on_while_it_is_written_and_stays_in_order_whatever_fails(ground: Ground) -> None:
    writer = ground.writer(segment_bytes_max=100_000)
    names = [f"c{index:04}" for index in range(2500)]
    for name in names:
        writer.append(record(name))
    writer.close()
    assert len(ground.segments()) > 3
    store = Fragile(ground.database.store())
    store.plan = ["", "after", "", "before", ""]
    mover = Mover(ground.state_dir, store, ground.settle_lost, ground.follower, rows_max=800)
    assert await failures_of(mover) == 2 and store.asked >= 3
    assert query(ground.database, "SELECT call_id FROM call ORDER BY seq") == [(name,) for name in names]
    assert ground.segments() == [] and ground.count("journal_segment") == 0


async def test_failing_store_loses_nothing_and_doubles_nothing(ground: Ground) -> None:
    writer = ground.writer()
    for index in range(40):
        writer.open_call(opened(index, begun(f"c{index:02}")))
        writer.append(record(f"c{index:02}"))
    writer.close()
    store = Fragile(ground.database.store())
    store.plan = ["before", "", "after", "after", "before", "", "", "", "after"]
    store.forget_failures = 2
    mover = Mover(ground.state_dir, store, ground.settle_lost, ground.follower, rows_max=3)
    assert await failures_of(mover) == ground.follower.failures == 7 and ground.settled == []
    assert set(ground.follower.passes) == {40}
    assert Counter(call_id for call_id, _ in ground.calls()) == Counter(f"c{index:02}" for index in range(40))
    assert ground.segments() == [] and ground.count("journal_segment") == 0 and ground.count("open_call") == 0
    assert query(ground.database, "SELECT * FROM meta WHERE name = 'duplicate_rows'") == [], "offsets alone are exact"


async def test_an_outage_is_known_without_any_rows(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Fragile(ground.database.store())
    mover = Mover(ground.state_dir, store, None, ground.follower)
    assert await mover.move() == 0
    store.gone = True
    assert await mover.move() == 0, "it has just answered"
    monkeypatch.setattr(movers, "CHECK_EVERY_NS", 0)
    with pytest.raises(StoreError, match="nobody answers"):
        await mover.move()
    assert mover.waiting_since_us > 0 and ground.follower.failures == 1
    store.gone = False
    assert await mover.move() == 0 and mover.waiting_since_us == 0
    await mover.close()


async def test_segment_back_from_the_dead_is_known_by_its_ids(ground: Ground) -> None:
    writer = ground.writer(segment_bytes_max=1 << 20)
    writer.open_call(opened(1, begun("a")))
    writer.append(record("a"))
    writer.append(record("b"))
    writer.close()
    (path,) = ground.journal.glob("*.gwj")
    content = path.read_bytes()
    mover = ground.mover()
    await mover.drain()
    path.write_bytes(content)  # a power cut undid the removal
    await mover.drain()
    await mover.close()
    assert ground.count("call") == 2 and mover.moved.duplicates == 2 and ground.segments() == []


async def test_poison_is_kept_verbatim_beside_the_journals(ground: Ground) -> None:
    writer = ground.writer()
    writer.append(record("a"))
    poison = frame_of(CLOSE, b"\xc1", seed_of(writer.boot))
    (path,) = ground.journal.glob("*.gwj")
    start = path.stat().st_size
    with path.open("ab") as file:
        file.write(poison)
    writer.append(record("b"))
    writer.close()
    mover = ground.mover()
    await mover.drain()
    await mover.close()
    assert [call_id for call_id, _ in ground.calls()] == ["a", "b"] and mover.moved.rejected == 1
    (kept,) = (ground.journal / "rejected").iterdir()
    assert kept.name == f"{path.name}-{start}.frame" and kept.read_bytes() == poison


async def test_full_state_disk_does_not_keep_the_journals_from_being_moved(ground: Ground) -> None:
    with file_size_limit(0), sole_mover(ground.state_dir):
        pass


async def test_only_one_may_move(ground: Ground) -> None:
    with sole_mover(ground.state_dir), pytest.raises(KeeperBusy, match=r"a keeper \(pid \d+\) already runs on"):
        await flush_all(ground.state_dir, ground.database.store())
    assert (await flush_all(ground.state_dir, ground.database.store())).rows == 0
