"""What the keeper counts for /metrics, and how it tells the workers: one file in the state directory, replaced once a second.

Counters hold exactly the rows that came into the ledger since the gateway began, whoever was killed meanwhile: with the sums
stands the number of the last row in them, and whenever it is not certain which rows were counted (a new keeper, a commit that
seemed to fail, rows offered twice), the sums that were published last are taken up again, and the rows behind that number are
read from the ledger. The supervisor writes the first file, before any worker, with the number of that moment.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from gw import clock
from gw.admit.standings import standing
from gw.config.metrics_model import Metrics
from gw.domain.budget import Budget
from gw.domain.labels import labels_of
from gw.domain.scope import CallPath
from gw.domain.standing import Standing
from gw.domain.window import bounds
from gw.ledger import adjust, health, sequence
from gw.ledger.store import Connection, Database, Row, StoreError
from gw.ops.metrics_figures import Counted
from gw.ops.metrics_published import (
    BudgetGauge,
    BudgetWindow,
    Open,
    Published,
    Sources,
    decoded,
    encoded,
    read_published,
    write_published,
)
from gw.ops.metrics_tally import Tally
from gw.ops.state import StateFile, Word
from gw.spend import Spending

log = logging.getLogger("gw.metering")

PUBLISH_EVERY_NS = 1_000_000_000
LOOK_EVERY_NS = 15_000_000_000  # at how calls are priced
LOOK_PART = 20  # the query reads a day of calls: whatever it takes, it is under way for a twentieth of the time at most
HOURS = 24
US_PER_H = 3_600_000_000
ROWS_MAX = 5_000  # read at one time
RECOUNT_MAX = 20_000  # at one publication: the ledger waits meanwhile


def begin_metering(state_dir: Path, database: Database, started_us: int, settings: Metrics) -> None:
    """By the supervisor, at the start: all counters begin at 0. Raises StoreError, OSError."""
    with database.reading() as db:
        marks = (sequence.highest(db), adjust.highest(db)) if db is not None else (0, 0)
    counted = Counted(started_us, *marks, labels_of(settings.labels), settings.series_max)
    write_published(state_dir, encoded(Published(clock.wall_us(), counted)))


class Metering:
    """One in each keeper. `moved`, `failed` and `caught_up` are the mover's; `publish` is called four times a second, between two
    commits."""

    def __init__(self, state: StateFile, state_dir: Path, database: Database, spending: Spending) -> None:
        self._state = state
        self._state_dir = state_dir
        self._database = database
        self._spending = spending
        self._counted = self._kept()
        self._last = encoded(Published(0, self._counted))  # published, or about to be
        self._tally = Tally(self._counted)
        self._doubt = True  # the tally is not to be trusted beyond what was published
        self._failing = False  # a commit that seemed to fail may still be made
        self._committed_us = 0
        self._publish_ns = self._look_ns = 0
        self._sources, self._open = Sources(), Open()
        self._look: asyncio.Task[None] | None = None
        self._complaint = ""

    def moved(self, rows: Sequence[Row], duplicates: int) -> None:
        self._committed_us = clock.wall_us()
        self._failing = False
        if duplicates:  # and nobody knows which
            self._doubt = True
        elif not self._doubt:
            self._tally.add(rows)

    def failed(self) -> None:
        """A commit failed, and may have been made all the same, or be made yet."""
        self._doubt = self._failing = True

    def caught_up(self) -> None:
        """The store is open: whatever was under way has been decided."""
        self._failing = False

    async def publish(self) -> None:
        now_ns = clock.mono_ns()
        if now_ns < self._publish_ns:
            return
        self._publish_ns = now_ns + PUBLISH_EVERY_NS
        if now_ns >= self._look_ns and (self._look is None or self._look.done()):
            self._look = asyncio.create_task(asyncio.to_thread(self._look_at_prices), name="accounting")
        try:
            self._count()
        except StoreError as error:  # the ledger takes no rows either: the counters stand still with it
            if str(error) != self._complaint:
                log.warning("metrics of the ledger stand still: %s", error)
            self._complaint = str(error)
        else:
            self._complaint = ""
        self._write()

    # --- rows -------------------------------------------------------------------------------------------------------------

    def _kept(self) -> Counted:
        """Of this run; with none, counters begin anew at what the ledger holds now."""
        started_us = self._state.words[Word.STARTED_US]
        published = read_published(self._state_dir)
        if published is not None and published.counted.started_us == started_us:
            return published.counted
        log.warning("metrics of the ledger begin anew: what was counted so far is gone")
        return Counted(started_us, self._highest())

    def _highest(self) -> int:
        try:
            with self._database.reading() as db:
                return sequence.highest(db) if db is not None else 0
        except StoreError as error:
            log.warning("the ledger cannot be read: %s", error)
            return 0

    def _count(self) -> None:
        """Brings `_counted` to all rows that are committed, or, after a doubt, some way there. Raises StoreError."""
        with self._database.reading() as db:
            if db is None:
                return
            if self._doubt:
                self._counted = decoded(self._last).counted
                self._tally = Tally(self._counted)
                seq = self._recount(db)
            else:
                seq = sequence.highest(db)
            adjustments = adjust.adjustments_after(db, self._counted.adjusted_seq, ROWS_MAX)
        for one in adjustments:
            self._tally.adjust(one.list_pusd, one.billed_pusd)
        adjusted_seq = adjustments[-1].seq if adjustments else self._counted.adjusted_seq
        self._counted = self._tally.counted(seq, adjusted_seq)

    def _recount(self, db: Connection) -> int:
        """From the rows behind those that were published. Answers the number up to which they are counted."""
        seq, left = self._counted.seq, RECOUNT_MAX
        while left > 0:
            found = sequence.rows_after(db, seq, ROWS_MAX)
            if not found:
                self._doubt = self._failing
                return seq
            self._tally.add(row for _, row in found)
            seq, left = found[-1][0], left - len(found)
        return seq

    def _write(self) -> None:
        now_us = clock.wall_us()
        budgets, windows = budget_gauges(self._state, self._spending, self._counted.series_max, now_us)
        published = Published(now_us, self._counted, budgets, windows, self._sources, self._open, self._committed_us)
        self._last = encoded(published)
        try:
            write_published(self._state_dir, self._last)
        except OSError as error:
            log.error("metrics cannot be published: %s", error)

    # --- how calls are priced ---------------------------------------------------------------------------------------------

    def _look_at_prices(self) -> None:
        """In a thread of its own."""
        now_us, begun_ns = clock.wall_us(), clock.mono_ns()
        self._look_ns = begun_ns + LOOK_EVERY_NS
        holds = sum(len(self._state.open_holds(block)) for block in self._state.live_blocks())
        try:
            with self._database.reading() as db:
                if db is None:
                    return
                found, opened = health.priced(db, now_us - HOURS * US_PER_H), health.opened(db)
        except StoreError as error:
            log.warning("how calls are priced cannot be read now: %s", error)
            return
        self._look_ns += (clock.mono_ns() - begun_ns) * LOOK_PART
        self._sources = Sources(now_us, HOURS, *found)
        self._open = Open(*opened, holds)


def budget_gauges(
    state: StateFile, spending: Spending, most: int, now_us: int
) -> tuple[tuple[BudgetGauge, ...], tuple[BudgetWindow, ...]]:
    """Accounts of the windows of now, at most so many in all: those that have used most of their limit."""
    budgets = spending.budgets
    accounts: dict[str, set[str]] = {budget.id: _named(budget) for budget in budgets}
    hidden = dict.fromkeys(accounts, 0)
    for one in spending.sums.values():
        budget, over = one.span.budget, 0 < one.span.end_us <= now_us
        if one.gone or over or one.span.start_us > now_us or budget.id not in accounts:
            continue
        if budget.scope.kind == "session":
            hidden[budget.id] += 1
        else:
            accounts[budget.id].add(one.account)
    found = [standing(state.cells, budget, account, now_us) for budget in budgets for account in sorted(accounts[budget.id])]
    found.sort(key=lambda one: -one.used_nusd / max(one.limit_nusd, 1))
    for left in found[most:]:
        hidden[left.budget.id] += 1
    windows = tuple(BudgetWindow(one.id, *bounds(one.window, now_us), hidden[one.id]) for one in budgets)
    return tuple(map(_gauge, found[:most])), windows


def _named(budget: Budget) -> set[str]:
    """The account of a budget that has but one, whether or not it has spent anything; sessions have no end, and no name here."""
    scope = budget.scope
    if scope.each or scope.kind == "session":
        return set()
    name = scope.name.replace("*", "x").replace("?", "x")  # any name that matches leads to it
    path = CallPath(key_name=scope.key)._replace(**{"key_name" if scope.kind == "key" else scope.kind: name})
    return {account for account in (scope.account(path),) if account}


def _gauge(one: Standing) -> BudgetGauge:
    budget = one.budget
    amounts = (one.limit_nusd, one.settled_nusd, one.reserved_nusd)
    return BudgetGauge(budget.id, budget.scope.kind, one.account, budget.mode, *amounts)
