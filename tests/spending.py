"""A gateway's budgets without its processes: cells, a ledger, a worker that admits and settles, a keeper that moves rows."""

import mmap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

from msgspec.structs import astuple, replace

from gw._fast import HARD, TAKEN, Cells, Slot, cells_bytes
from gw._fast import Path as Charged
from gw.domain.budget import Budget, cell_key
from gw.domain.budget_book import BudgetBook
from gw.domain.call import CallRecord
from gw.domain.price import Priced
from gw.domain.scope import CallPath
from gw.domain.tenure import tenures_of
from gw.domain.window import bounds
from gw.ledger.adjust import adjustment_to, append, costs_of
from gw.ledger.store import Database
from gw.ops.state import SLOTS_PER_WORKER
from gw.reap import Reaper
from gw.spend import Spending
from gw.upkeep import Upkeep
from tests.ledger.spent import charged, insert, oracle

CELLS = 1024
SLOTS = 128
PID = 77
LIMIT = 2**52


class Clock:
    def __init__(self, now_us: int) -> None:
        self.now_us = now_us
        self.mono = 10**15

    def wall_us(self) -> int:
        return self.now_us

    def mono_ns(self) -> int:
        return self.mono


class Running(NamedTuple):
    """One call between admission and settlement: its slots, with how the budgets of each reserve."""

    record: CallRecord
    slots: tuple[tuple[Slot, str], ...]


class World:
    """One run after the other on one ledger. The worker's snapshot may lag behind what is published."""

    def __init__(self, ledger: Database, clock: Clock) -> None:
        self.ledger = ledger
        self.clock = clock
        self.published_us = clock.now_us
        self.records: list[CallRecord] = []  # as they stand now, repriced or not
        self.rows: dict[str, CallRecord] = {}  # as they were written
        self.adjusted = 0  # in the cells
        self.journal: list[CallRecord] = []  # written, not yet moved
        self.running: list[Running] = []
        self.passes = 0
        self.serial = 0
        self.owner = PID
        self.start(())

    # --- rules ------------------------------------------------------------------------------------------------------------

    def start(self, budgets: Sequence[Budget]) -> None:
        """A run of the gateway on whatever the ledger holds."""
        assert not (self.running or self.journal)
        self.cells = Cells(mmap.mmap(-1, cells_bytes(CELLS, SLOTS)), CELLS, SLOTS)
        self.call_ids = [""] * SLOTS
        self.free = list(range(SLOTS))
        self.snapshot: Any = self._snapshot({}, budgets)
        self.served = self.snapshot
        spending = Spending(self.cells, self.ledger)
        spending.begin(self.snapshot)
        self.adjusted = spending.adjusted
        self.keeper()

    def keeper(self) -> None:
        """Another one, in place of one that was killed."""
        self.spending = Spending(self.cells, self.ledger)
        self.spending.adjusted = self.adjusted
        self.spending.adopt(self.snapshot)
        self.upkeep = Upkeep(self._state(), self.spending)
        self.reaper = Reaper(self._state(), self.ledger)
        self.reaper.book = self.snapshot.budget_book

    def publish(self, budgets: Sequence[Budget]) -> None:
        snapshot = self._snapshot(self.snapshot.published.tenures, budgets)
        self.spending.seed(snapshot)
        self.snapshot = snapshot
        self.reaper.book = snapshot.budget_book

    def _snapshot(self, tenures: dict[int, tuple[int, ...]], budgets: Sequence[Budget]) -> Any:
        self.published_us = max(self.clock.now_us, self.published_us + 1)
        published = SimpleNamespace(tenures=tenures_of(tenures, budgets, self.published_us))
        return SimpleNamespace(budget_book=BudgetBook(budgets), published=published, published_us=self.published_us)

    # --- calls ------------------------------------------------------------------------------------------------------------

    def admit(self, path: CallPath, amount: int = 1) -> Running:
        self.serial += 1
        call_id = f"gw_{self.serial}"
        now_us = self.clock.now_us
        slots: list[tuple[Slot, str]] = []
        for reserve in ("typical", "worst"):
            items = [
                (cell_key(budget, account, bounds(budget.window, now_us)[0]), LIMIT, HARD)
                for budget, account in self.served.budget_book.for_path(path).budgets
                if budget.reserve == reserve
            ]
            if items:
                ordinal = self.free.pop()
                self.call_ids[ordinal] = call_id
                slot = self.cells.slot(ordinal)
                assert slot.hold(Charged(self.cells, items), amount) == TAKEN
                slots.append((slot, reserve))
        record = charged(call_id, now_us, 0, path, rules_us=self.served.published_us)
        self.running.append(Running(record, tuple(slots)))
        return self.running[-1]

    def finish(self, one: Running, nusd: int, at_most: int = 0, *, posts: int = 2) -> None:
        """Journals it, then posts as many of its slots; the others stay as if the worker had died there."""
        record = charged(one.record.call_id, one.record.charged_us, nusd, _path(one.record), rules_us=one.record.rules_us)
        self.write(record_with(record, at_most))
        for slot, reserve in one.slots[:posts]:
            slot.post(max(nusd, at_most) if reserve == "worst" else nusd)
        if posts >= len(one.slots):
            self.free += [slot.ordinal for slot, _ in one.slots]
        self.running.remove(one)

    def write(self, record: CallRecord) -> None:
        self.records.append(record)
        self.rows[record.call_id] = record
        self.journal.append(record)

    def die(self) -> None:
        """The worker, with all that runs; what was sent is settled by the keeper before it moves on."""
        self.running.clear()
        self.owner = -PID

    # --- the keeper -------------------------------------------------------------------------------------------------------

    def move(self, count: int = 10**6, *, told: bool = True) -> None:
        """Commits the oldest rows. Not `told`: the commit was made, and seemed to fail."""
        batch, self.journal = self.journal[:count], self.journal[count:]
        if batch:
            insert(self.ledger, batch)
            if told:
                self.spending.moved([astuple(one) for one in batch], 0)
            else:
                self.spending.doubt()
        if not self.journal:
            self.passes += 1

    def reprice(self, which: int, nusd: int) -> None:
        """The ledger says from now on that a call which it holds has cost so much; the keeper has yet to look."""
        waiting = {one.call_id for one in self.journal}
        held = [at for at, one in enumerate(self.records) if one.call_id not in waiting]
        if not held:
            return
        at = held[which % len(held)]
        row, now = self.rows[self.records[at].call_id], replace(self.records[at], billed_pusd=nusd * 1000)
        with self.ledger.changing() as db:
            cost = costs_of(db, [row])[row.call_id]
            priced = Priced(row.list_pusd, now.billed_pusd, price_version="new")
            one = adjustment_to(row, cost, priced, at_us=self.clock.now_us, actor="test", reason="")
            append(db, [one] if one is not None else [])
        self.records[at] = now

    def look(self) -> None:
        """The keeper, at what was repriced."""
        self.spending.adjust()
        self.adjusted = self.spending.adjusted

    def reap(self) -> None:
        """Looks until the dead worker's holds are ended."""
        assert not self.journal
        for _ in range(4):
            self.reaper.look(self.passes)
            self.move()
        assert self.owner == 0 or self.owner == PID
        self.owner = PID
        self.free = [ordinal for ordinal in range(SLOTS) if ordinal not in self._busy()]

    def check(self) -> None:
        """Two looks and a second in between, with the journals read meanwhile."""
        self.look()
        for _ in range(2):
            self.spending.follow(self.clock.now_us)
            self.upkeep.check(self.passes)
            self.passes += 2

    def wrong(self) -> dict[int, tuple[int, int]]:
        """Cell key -> (what it says is settled, what the rows say), of all budgets in force, now."""
        due = oracle(self.snapshot.budget_book.budgets, [self.clock.now_us], self.records)
        said = {key: self.settled(key) for key in due}
        return {key: (said[key], due[key]) for key in due if said[key] != due[key]}

    def settled(self, key: int) -> int:
        index = self.cells.lookup(key)
        return self.cells.settled(index) if index >= 0 else 0

    def spent(self, budget: Budget, account: str) -> int:
        return self.settled(cell_key(budget, account, bounds(budget.window, self.clock.now_us)[0]))

    def reserved(self) -> int:
        return sum(self.cells.reserved(index) for index in self.cells)

    def _busy(self) -> set[int]:
        return {slot.ordinal for one in self.running for slot, _ in one.slots}

    def _state(self) -> Any:
        """What of a StateFile its keeper asks for: one block."""
        world = self

        class State:
            cells = world.cells

            def owner(self, index: int) -> int:
                return world.owner if index == 0 else 0

            def open_holds(self, index: int) -> list[int]:
                return world.cells.open_slots(0, SLOTS) if index == 0 else []

            def call_at(self, ordinal: int) -> str:
                return world.call_ids[ordinal]

            @contextmanager
            def locked(self) -> Iterator[None]:
                yield

            def release_dead(self, index: int, pid: int) -> None:
                assert (index, pid) == (0, PID)
                world.owner = 0

            def sum_own(self, own: int) -> int:
                return 1

            def live_blocks(self) -> list[int]:
                return [0]

        assert SLOTS <= SLOTS_PER_WORKER
        return State()


def record_with(record: CallRecord, at_most: int) -> CallRecord:
    return replace(record, at_most_nusd=at_most)


def _path(record: CallRecord) -> CallPath:
    return CallPath(
        record.customer,
        record.team,
        record.key_name,
        record.key_id,
        record.upstream,
        record.requested_model,
        record.project,
        record.session_id,
    )


Patch = Callable[[str, object], None]
