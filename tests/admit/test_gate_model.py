"""Calls, crashes, reloads and the passing of time in any order: budgets hold what a model made of dicts says.

Three workers over one memory, as in use: what a call costs is written to the ledger first and posted then, a dead worker's
slots are settled from the ledger if the call is there, else as observed. After each step, for every cell:
    settled = sum of the ledger;  used = settled + what is held;  used <= the limit + the overrun that was recorded.
"""

import mmap
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gw._fast import Buckets, Cells, buckets_bytes, cells_bytes
from gw.admit.gate import Blocked, Gate
from gw.admit.hold import Hold
from gw.domain.budget import Budget, cell_key
from gw.domain.budget_book import BudgetBook, PathRules
from gw.domain.limit import Limit, bucket_key
from gw.domain.scope import CallPath, Scope
from gw.domain.window import LIFETIME, bounds, parse_window

CELLS, SLOTS, WORKERS = 1024, 512, 3
SLOTS_OF_A_CALL = 2
START_US = 1_795_000_000_000_000
HOUR_US = 3_600_000_000
LATE_US = HOUR_US // 2

SCOPES: dict[str, tuple[Scope, str]] = {
    "company": (Scope("customer", "acme"), "lifetime"),
    "core": (Scope("team", "core"), "day"),
    "core-month": (Scope("team", "core"), "month"),
    "each-key": (Scope("key", "*", each=True), "hour"),
    "ada": (Scope("key", "ada"), "90m"),
    "session": (Scope("session", "*"), "lifetime"),
}
FEW = Limit("few", Scope("team", "core"), "parallel", 3)
PATHS = [
    CallPath("acme", team, key, key, "up", "m", "", session)
    for team, key, session in (("core", "ada", "s1"), ("core", "bob", "s1"), ("core", "bob", ""), ("tools", "eve", "s2"))
]

amounts = st.integers(0, 40)
limits = st.sampled_from([0, 30, 60, 60, 100, 100, 10_000])
choices = st.fixed_dictionaries(
    {
        "limit_nusd": limits,
        "mode": st.sampled_from(["hard", "hard", "hard", "hard", "soft", "shadow"]),
        "reserve": st.sampled_from(["typical", "typical", "typical", "worst"]),
    }
)
paths = st.sampled_from(PATHS)
workers = st.integers(0, WORKERS - 1)


@dataclass
class Sum:
    """What the model knows of a cell. `bound`: the highest limit that was in force; `loose`: at some time none was."""

    used: int = 0
    settled: int = 0
    overrun: int = 0
    bound: int = 0
    loose: bool = False


@dataclass
class Running:
    """A call as the model sees it: what it holds in which cells, and under which limits (-1: none) it will be settled."""

    hold: Hold
    path: CallPath
    rules: PathRules
    charged_us: int
    worker: int
    slots: list[int]
    held: dict[int, int]
    limits: dict[int, int]
    units: tuple[int, ...]
    observed: int = 0
    typical: tuple[int, ...] = ()


@dataclass
class Orphan:
    """A slot of a dead worker. `cost`: what the ledger says of its call; None: nothing."""

    running: Running
    cells: tuple[int, ...]
    cost: int | None
    open: list[int] = field(default_factory=list)


class Machine(RuleBasedStateMachine):
    @initialize(those=st.dictionaries(st.sampled_from(sorted(SCOPES)), choices, min_size=1))
    def make(self, those: dict[str, dict[str, Any]]) -> None:
        self.memory = mmap.mmap(-1, cells_bytes(CELLS, SLOTS))
        self.buckets = mmap.mmap(-1, buckets_bytes(64))
        self.cells = Cells(self.memory, CELLS, SLOTS)
        self.now_us = START_US
        self.free = list(range(SLOTS))
        self.gates = [self.born() for _ in range(WORKERS)]
        self.sums: dict[int, Sum] = defaultdict(Sum)
        self.running: list[Running] = []
        self.orphans: list[Orphan] = []
        self.ledger: list[dict[int, int]] = []  # of each call that is over, what it counts in each cell
        self.budgets: dict[str, Budget] = {}
        for name, values in those.items():
            scope, window = SCOPES[name]
            made = LIFETIME if window == "lifetime" else parse_window(window)
            self.budgets[name] = Budget(id=name, scope=scope, window=made, **values)
        self.book = BudgetBook(self.budgets.values(), [FEW])

    def born(self) -> Gate:
        """A worker of its own: nothing is shared but the memory."""
        return Gate(Cells(self.memory, CELLS, SLOTS), Buckets(self.buckets, 64))

    def charges(self, rules: PathRules, at_us: int) -> dict[int, Budget]:
        return {cell_key(one, account, bounds(one.window, at_us)[0]): one for one, account in rules.budgets}

    def bounded_by(self, key: int, budget: Budget) -> None:
        one = self.sums[key]
        one.bound = max(one.bound, budget.limit_nusd)
        one.loose |= budget.mode != "hard"

    # --- calls ----------------------------------------------------------------------------------------------------------
    @rule(worker=workers, path=paths, typical=amounts, more=amounts, late_us=st.sampled_from([0, 0, 0, LATE_US]))
    def admit(self, worker: int, path: CallPath, typical: int, more: int, late_us: int) -> None:
        """`late_us`: so long ago it began, before others that were admitted since."""
        gate, worst, at_us = self.gates[worker], typical + more, self.now_us - late_us
        rules = self.book.for_path(path)
        charges = self.charges(rules, at_us)
        for key, budget in charges.items():
            self.bounded_by(key, budget)
        units = tuple(bucket_key(limit, account) for limit, account in rules.limits)
        needs = {key: worst if one.reserve == "worst" else typical for key, one in charges.items()}
        hard = {key for key, one in charges.items() if one.mode == "hard"}
        tight = [key for key in hard if self.sums[key].used + needs[key] > charges[key].limit_nusd]
        crowded = [key for key in units if self.sums[key].used >= FEW.amount]
        compiled = gate.compiled(rules, at_us)
        slots = self.free[: len(compiled.halves)]
        try:
            hold = gate.hold(compiled, typical, worst, slots, at_us)
        except Blocked as blocked:
            assert tight or crowded, "refused, though it fits"
            self.check_refusal(blocked, charges, needs, crowded)
            return
        assert not crowded
        del self.free[: len(slots)]
        if tight:  # let in for what is left, where it is a good part of the budget
            left = hold.typical.held if hold.typical is not None else 0
            assert left < typical and all(charges[key].reserve == "typical" for key in tight)
            assert all(left * 10 >= charges[key].limit_nusd for key in tight)
            needs = {key: left if charges[key].reserve == "typical" else needs[key] for key in charges}
        for key, amount in needs.items():
            self.sums[key].used += amount
            assert key not in hard or self.sums[key].used <= charges[key].limit_nusd
        for key in units:
            self.sums[key].used += 1
        loose = tuple(key for key, one in charges.items() if one.reserve == "typical")
        limits_now = {key: one.limit_nusd for key, one in charges.items()}
        self.running.append(Running(hold, path, rules, at_us, worker, slots, needs, limits_now, units, typical=loose))

    def check_refusal(self, blocked: Blocked, charges: dict[int, Budget], needs: dict[int, int], crowded: list[int]) -> None:
        """It names a reason that is one. A typical budget is called spent only if it is, or nearly."""
        if blocked.why == "parallel":
            assert crowded
            return
        standing = blocked.standing
        assert standing is not None
        key = cell_key(standing.budget, standing.account, standing.start_us)
        budget, spent = charges[key], self.sums[key].settled
        assert budget.mode == "hard" and self.sums[key].used + needs[key] > budget.limit_nusd
        assert (standing.settled_nusd, standing.used_nusd) == (spent, self.sums[key].used)
        never = needs[key] > budget.limit_nusd
        if blocked.why == "spent":
            gone = spent + needs[key] > budget.limit_nusd
            nearly = spent * 10 >= budget.limit_nusd * 9 or budget.reserve == "worst"
            assert spent >= budget.limit_nusd or never or (gone and nearly)
        else:
            assert blocked.why == "reserved" and self.sums[key].used > spent and not never

    @precondition(lambda self: self.running)
    @rule(data=st.data(), extra=amounts)
    def extend(self, data: Any, extra: int) -> None:
        one = data.draw(st.sampled_from(self.running))
        now = self.charges(self.book.for_path(one.path), one.charged_us)
        refusing = [
            key
            for key in one.typical
            if key in now and now[key].mode == "hard" and self.sums[key].used + extra > now[key].limit_nusd
        ]
        refused = self.gates[one.worker].extend(one.hold, extra)
        assert (refused is not None) == bool(refusing)
        if refused is not None:
            standing = refused.standing
            assert standing is not None
            key = cell_key(standing.budget, standing.account, standing.start_us)
            assert key in refusing and standing.limit_nusd == now[key].limit_nusd
        else:
            for key in one.typical:
                one.held[key] += extra
                self.sums[key].used += extra

    @precondition(lambda self: self.running)
    @rule(data=st.data(), amount=amounts)
    def observe(self, data: Any, amount: int) -> None:
        one = data.draw(st.sampled_from(self.running))
        one.hold.observe(amount)
        one.observed = amount

    def settle(self, one: Running, cells: tuple[int, ...], counted: dict[int, int]) -> None:
        """In these cells of the call, and nowhere else."""
        for key in cells:
            at = self.sums[key]
            if key in one.units:
                at.used -= 1
                continue
            over, limit = counted[key] - one.held[key], one.limits[key]
            at.used += over
            at.settled += counted[key]
            if limit >= 0:
                at.overrun += max(0, min(over, at.used - limit))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), cost=st.integers(0, 120), sure=st.booleans())
    def end(self, data: Any, cost: int, sure: bool) -> None:
        """Not `sure`: budgets that reserve the worst count all that it can have cost."""
        self.ended(data.draw(st.sampled_from(self.running)), cost, sure=sure)

    def ended(self, one: Running, cost: int, *, sure: bool = True) -> None:
        self.running.remove(one)
        counted = {key: cost if sure or key in one.typical else max(cost, held) for key, held in one.held.items()}
        self.ledger.append(counted)
        if cost or not sure:
            one.hold.post(cost, sure=sure)
        else:
            one.hold.void()
        self.settle(one, (*one.held, *one.units), counted)
        one.hold.post(cost + 1)  # a second end is none
        self.free += one.slots

    # --- crashes --------------------------------------------------------------------------------------------------------
    def slots_of(self, one: Running) -> list[tuple[int, tuple[int, ...]]]:
        """Ordinal of each slot, with its cells."""
        halves = [half for half in (one.hold.path.typical, one.hold.path.worst) if half is not None]
        keys = [tuple(self.cells.key(index) for index in half.path.indices) for half in halves]
        return list(zip(one.slots, keys, strict=True))

    @precondition(lambda self: self.running)
    @rule(worker=workers, data=st.data())
    def crash(self, worker: int, data: Any) -> None:
        """One of its calls may just be ending: in the ledger, and settled in none or the first of its slots."""
        those = [one for one in self.running if one.worker == worker]
        ending = data.draw(st.sampled_from(those)) if those and data.draw(st.booleans()) else None
        for one in those:
            cost = None
            slots = self.slots_of(one)
            if one is ending:
                cost = data.draw(st.integers(1, 120))
                self.ledger.append(dict.fromkeys(one.held, cost))
                if len(slots) == SLOTS_OF_A_CALL and data.draw(st.booleans()):
                    self.gates[worker].slot(slots[0][0]).post(cost)
                    self.settle(one, slots[0][1], dict.fromkeys(one.held, cost))
            self.running.remove(one)
            orphan = Orphan(one, tuple(one.held), cost)
            settled = {ordinal for ordinal, _ in slots} - set(self.cells.open_slots())
            orphan.open = [ordinal for ordinal, _ in slots if ordinal not in settled]
            self.orphans.append(orphan)
        self.gates[worker] = self.born()

    @precondition(lambda self: self.orphans)
    @rule(data=st.data())
    def reap(self, data: Any) -> None:
        self.reaped(data.draw(st.sampled_from(self.orphans)))

    @rule()
    def all_is_over(self) -> None:
        """Then nothing stays set aside."""
        for one in list(self.running):
            self.ended(one, one.observed)
        for orphan in list(self.orphans):
            self.reaped(orphan)
        for index in self.cells:
            assert self.cells.reserved(index) == 0

    def reaped(self, orphan: Orphan) -> None:
        """The keeper's part: by the ledger's word, or as observed, which is then in the ledger, too."""
        self.orphans.remove(orphan)
        one = orphan.running
        cost = one.observed if orphan.cost is None else orphan.cost
        if orphan.cost is None:
            self.ledger.append(dict.fromkeys(orphan.cells, cost))
        for ordinal, keys in self.slots_of(one):
            if ordinal in orphan.open:
                self.cells.slot(ordinal).reap(cost)
                self.settle(one, keys, dict.fromkeys(orphan.cells, cost))
        self.free += one.slots

    # --- time and rules -------------------------------------------------------------------------------------------------
    @rule(hours=st.sampled_from([0, 1, 2, 24, 24 * 31]), more_us=st.integers(0, HOUR_US))
    def passes(self, hours: int, more_us: int) -> None:
        self.now_us += hours * HOUR_US + more_us

    @rule(name=st.sampled_from(sorted(SCOPES)), values=choices, present=st.booleans())
    def reload(self, name: str, values: dict[str, Any], present: bool) -> None:
        scope, window = SCOPES[name]
        made = LIFETIME if window == "lifetime" else parse_window(window)
        self.budgets = {id_: one for id_, one in self.budgets.items() if id_ != name}
        if present:
            self.budgets = {name: Budget(id=name, scope=scope, window=made, **values)} | self.budgets
        self.book = BudgetBook(self.budgets.values(), [FEW])
        for gate in self.gates:
            gate.forget()
        for one in self.running:
            rules = self.book.for_path(one.path)
            self.gates[one.worker].relimit(one.hold, rules, one.charged_us)
            now = self.charges(rules, one.charged_us)
            for key in one.held:
                one.limits[key] = now[key].limit_nusd if key in now else -1
                if key in now:
                    self.bounded_by(key, now[key])
                else:
                    self.sums[key].loose = True

    @rule()
    def forget_what_is_over(self) -> None:
        """As the keeper does with windows that ended an hour ago: what such cells held is in the ledger."""
        times = (self.now_us, self.now_us - LATE_US)
        current = {key for path in PATHS for at_us in times for key in self.charges(self.everything(path), at_us)}
        held = {key for one in (*self.running, *(orphan.running for orphan in self.orphans)) for key in one.held}
        units = {bucket_key(FEW, "core")}
        for key in [key for key in self.sums if key not in current | held | units]:
            assert self.cells.forget(self.cells.lookup(key)) or self.cells.lookup(key) < 0
            del self.sums[key]
            for counted in self.ledger:
                counted.pop(key, None)

    def everything(self, path: CallPath) -> PathRules:
        budgets = [
            Budget(id=name, scope=scope, limit_nusd=0, window=parse_window(text)) for name, (scope, text) in SCOPES.items()
        ]
        return BudgetBook(budgets).for_path(path)

    # --- what must always be so -----------------------------------------------------------------------------------------
    @invariant()
    def cells_are_the_model(self) -> None:
        for key, one in self.sums.items():
            index = self.cells.lookup(key)
            found = (self.cells.used(index), self.cells.settled(index), self.cells.overrun(index)) if index >= 0 else (0, 0, 0)
            assert found == (one.used, one.settled, one.overrun)

    @invariant()
    def the_ledger_is_the_cells(self) -> None:
        due: dict[int, int] = defaultdict(int)
        for counted in self.ledger:
            for key, amount in counted.items():
                due[key] += amount
        pending: dict[int, int] = defaultdict(int)  # in the ledger, and not yet settled: the keeper comes
        for orphan in self.orphans:
            for ordinal, keys in self.slots_of(orphan.running):
                if ordinal in orphan.open and orphan.cost is not None:
                    for key in keys:
                        pending[key] += orphan.cost if key in orphan.running.held else 0
        assert {key: one.settled + pending[key] for key, one in self.sums.items() if one.settled + pending[key]} == {
            key: total for key, total in due.items() if total
        }

    @invariant()
    def nothing_passes_its_limit_but_by_the_recorded_overrun(self) -> None:
        units = bucket_key(FEW, "core")
        for key, one in self.sums.items():
            assert 0 <= one.settled <= one.used
            if key == units:
                assert one.used <= FEW.amount
            elif not one.loose:
                assert one.used <= one.bound + one.overrun


TestGate = Machine.TestCase
TestGate.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
