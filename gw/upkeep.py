"""Cells are compared with the ledger, and forgotten when nobody will ask for them any more.

A cell can be judged if nothing is set aside in it, and nothing has changed since the last look, and everything that was in the
journals then is in the ledger now: then what it says is settled is the ledger's sum to the nano-USD, or it is put right. What
may legitimately need that: a row that the ledger took although the keeper died before it could say so, one that was damaged or
rejected, a session that comes back after its cell was forgotten.
"""

import logging
from typing import NamedTuple

from msgspec import Struct

from gw import clock
from gw.ledger.spending import SESSION_IDLE_US, SESSIONS_MAX
from gw.ops.state import Own, StateFile
from gw.spend import KEPT_US, Spending, Sum

log = logging.getLogger("gw.upkeep")

LOOK_EVERY_NS = 1_000_000_000
LOOKS_MAX = 4096  # sums that are compared at one look
SWEEP_EVERY_NS = 60_000_000_000
KEPT_NS = KEPT_US * 1000  # by the monotonic clock, too: a wall clock that jumps ends no window


class Looked(NamedTuple):
    stamp: int
    passes: int


class Found(Struct):
    """Since the start of this keeper."""

    checked: int = 0  # times that a cell was compared and right
    corrected: int = 0  # cells that were wrong
    drift_nusd: int = 0  # by how much, added up without signs
    forgotten: int = 0  # cells


class Upkeep:
    """`look` is called four times a second, between two commits to the ledger."""

    def __init__(self, state: StateFile, spending: Spending) -> None:
        self.found = Found()
        self._state = state
        self._cells = state.cells
        self._spending = spending
        self._looked: dict[int, Looked] = {}  # by cell key
        self._to_look: list[Sum] = []
        self._idle: dict[int, tuple[int, int]] = {}  # by cell: stamp, and since when it has not changed and may go
        self._look_ns = self._sweep_ns = 0

    def look(self, passes: int) -> None:
        """`passes`: how often the journals have been read to their end."""
        now_ns = clock.mono_ns()
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + LOOK_EVERY_NS
            self._spending.follow(clock.wall_us())
            self.check(passes)
        if now_ns >= self._sweep_ns:
            self._sweep_ns = now_ns + SWEEP_EVERY_NS
            self.sweep(clock.wall_us(), now_ns)

    # --- right or wrong ---------------------------------------------------------------------------------------------------

    def check(self, passes: int) -> None:
        """While a journal keeps records in memory because the disk does not take them, nothing can be said."""
        state = self._state
        if state.sum_own(Own.JOURNAL_HEALTHY) < len(state.live_blocks()):
            return
        if not self._to_look:
            self._to_look = list(self._spending.sums.values())
        for _ in range(min(LOOKS_MAX, len(self._to_look))):
            one = self._to_look.pop()
            if self._spending.sums.get(one.key) is one and not one.gone:
                self._check(one, passes)

    def _check(self, one: Sum, passes: int) -> None:
        cells = self._cells
        index = cells.lookup(one.key)
        if index < 0:
            self._enter(one)
            return
        stamp, settled, used = cells.stamp(index), cells.settled(index), cells.used(index)
        before = self._looked.get(one.key)
        if settled != used or before is None or before.stamp != stamp:
            self._looked[one.key] = Looked(stamp, passes)
        elif passes < before.passes + 2:  # one may have been under way then
            return
        elif settled == one.nusd:
            self.found.checked += 1
            one.anew = False
        elif cells.reconcile(index, used, one.nusd, 0):
            self._corrected(one, settled)

    def _enter(self, one: Sum) -> None:
        """A cell that should be there and is not: it was forgotten when its window seemed to be over, or there was no room.
        Whatever a worker adds meanwhile is not in the ledger yet."""
        now_us = clock.wall_us()
        if _is_over(one, now_us) or one.span.start_us > now_us:
            return
        index = self._cells.find(one.key)
        if index >= 0:
            self._cells.charge(index, one.nusd)
            log.warning("%s: what was spent is back in its cell", _name(one))

    def _corrected(self, one: Sum, settled: int) -> None:
        if one.anew:
            one.anew = False
            log.info("%s: %d nano-USD had been spent before its cell was begun anew", _name(one), one.nusd - settled)
            return
        self.found.corrected += 1
        self.found.drift_nusd += abs(one.nusd - settled)
        log.error("%s: the cell said %d nano-USD were spent, the ledger says %d; corrected", _name(one), settled, one.nusd)

    # --- over and done ----------------------------------------------------------------------------------------------------

    def sweep(self, now_us: int, now_ns: int) -> None:
        """Forgets cells that hold nothing: of windows long over, of budgets that are gone, of sessions that idle, and empty ones
        of which nobody knows. Whoever still needs one enters it again."""
        sums, cells = self._spending.sums, self._cells
        evicted = self._evicted()
        idle: dict[int, tuple[int, int]] = {}
        present: set[int] = set()
        for index in cells:
            key, stamp = cells.key(index), cells.stamp(index)
            one = sums.get(key)
            present.add(key)
            empty = cells.used(index) == 0 == cells.settled(index)
            if not (empty or (one is not None and (key in evicted or _is_over(one, now_us)))):
                continue
            before = self._idle.get(index)
            since_ns = before[1] if before is not None and before[0] == stamp else now_ns
            if now_ns - since_ns < KEPT_NS and key not in evicted:
                idle[index] = stamp, since_ns
            elif cells.forget(index):
                self.found.forgotten += 1
                present.discard(key)
        self._idle = idle
        for one in [one for one in sums.values() if one.key not in present and (one.key in evicted or _is_over(one, now_us))]:
            self._spending.forget(one)
        self._looked = {key: looked for key, looked in self._looked.items() if key in present}

    def _evicted(self) -> set[int]:
        """Sessions beyond those that are remembered, idle for longest."""
        sessions = [one for one in self._spending.sums.values() if one.span.budget.scope.kind == "session"]
        sessions.sort(key=lambda one: one.last_us)
        return {one.key for one in sessions[: max(0, len(sessions) - SESSIONS_MAX)]}


def _name(one: Sum) -> str:
    """For the log: `team "platform" in budget "platform a month"`."""
    return f'{one.span.budget.scope.text(one.account)} in budget "{one.span.budget.id}"'


def _is_over(one: Sum, now_us: int) -> bool:
    if one.gone or 0 < one.span.end_us <= now_us:
        return True
    return one.span.budget.scope.kind == "session" and one.last_us + SESSION_IDLE_US < now_us
