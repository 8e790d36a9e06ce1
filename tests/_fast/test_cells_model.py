"""Whatever is done to cells and slots, in any order: both implementations do what a model made of dicts says, and leave the
same bytes in memory."""

import mmap
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests._fast.shared import CELLS, compiled_cells, new_cells, pure_cells, words

KEYS = range(1, 9)
SLOTS = 4
CAPACITY = 8  # all keys fit, and none may be entered twice
HARD, SOFT, SHADOW, UNITS = range(4)

amounts = st.integers(0, 60)
slots = st.integers(0, SLOTS - 1)
keys = st.sampled_from(KEYS)
items = st.lists(
    st.tuples(keys, st.sampled_from([-1, 0, 50, 100]), st.sampled_from([HARD, HARD, SOFT, SHADOW]), st.sampled_from([-1, 40])),
    max_size=6,
    unique_by=lambda item: item[0],
)
# Keys 7 and 8 count calls, the others money: one meaning per key, as in use.
paths = items.map(lambda found: [(item[0], min(item[1], 2), UNITS, -1) if item[0] >= 7 else item for item in found])


@dataclass
class Cell:
    used: int = 0
    settled: int = 0
    overrun: int = 0


@dataclass
class Hold:
    items: list[tuple[int, int, int, int]]
    amount: int
    warnings: int = 0
    shadowed: int = 0
    observed: int = 0


class Machine(RuleBasedStateMachine):
    @initialize()
    def make(self) -> None:
        size = compiled_cells.cells_bytes(CAPACITY, SLOTS)
        self.memories = [mmap.mmap(-1, size), mmap.mmap(-1, size)]
        pairs = zip((compiled_cells, pure_cells), self.memories, strict=True)
        self.twins: list[Any] = [module.Cells(memory, CAPACITY, SLOTS) for module, memory in pairs]
        self.slots = [[twin.slot(ordinal) for ordinal in range(SLOTS)] for twin in self.twins]
        self.model: dict[int, Cell] = {}
        self.holds: dict[int, Hold] = {}
        self.ever: set[int] = set()

    def compiled_and_pure(self, found: list[Any]) -> tuple[Any, Any]:
        for key, *_ in found:
            self.model.setdefault(key, Cell())
        return compiled_cells.Path(self.twins[0], found), pure_cells.Path(self.twins[1], found)

    def both(self, ordinal: int, name: str, *arguments: Any) -> Any:
        results = [getattr(twin[ordinal], name)(*arguments) for twin in self.slots]
        assert results[0] == results[1], name
        return results[0]

    def refusing(self, found: list[Any], amount: int, units: int) -> int:
        for position, (key, limit, kind, _) in enumerate(found):
            delta = units if kind == UNITS else amount
            counted = kind == HARD or (kind == UNITS and units)
            if counted and 0 <= limit < self.model[key].used + delta:
                return position
        return -1

    def take(self, hold: Hold, amount: int, units: int) -> None:
        for position, (key, limit, kind, warn_at) in enumerate(hold.items):
            if kind == UNITS and not units:
                continue
            cell = self.model[key]
            cell.used += units if kind == UNITS else amount
            passed = 0 <= limit < cell.used
            hold.warnings |= ((kind == SOFT and passed) or 0 <= warn_at < cell.used) << position
            hold.shadowed |= (kind == SHADOW and passed) << position

    def settle(self, hold: Hold, actual: int) -> None:
        for key, limit, kind, _ in hold.items:
            cell = self.model[key]
            if kind == UNITS:
                cell.used -= 1
                continue
            cell.used += actual - hold.amount
            cell.settled += actual
            if limit >= 0:
                cell.overrun += max(0, min(actual - hold.amount, cell.used - limit))

    @rule(ordinal=slots, found=paths, amount=amounts)
    def hold(self, ordinal: int, found: list[Any], amount: int) -> None:
        compiled, pure = self.compiled_and_pure(found)
        results = self.slots[0][ordinal].hold(compiled, amount, 7), self.slots[1][ordinal].hold(pure, amount, 7)
        if ordinal in self.holds:
            assert results == (compiled_cells.NOT_FREE,) * 2
            return
        self.ever.add(ordinal)
        expected = self.refusing(found, amount, 1)
        assert results == (expected, expected)
        if expected == -1:
            self.holds[ordinal] = hold = Hold(found, amount)
            self.take(hold, amount, 1)

    @rule(ordinal=slots, extra=amounts)
    def extend(self, ordinal: int, extra: int) -> None:
        result = self.both(ordinal, "extend", extra)
        if ordinal not in self.holds:
            assert result == compiled_cells.NOT_HELD
            return
        hold = self.holds[ordinal]
        expected = self.refusing(hold.items, extra, 0)
        assert result == expected
        if expected == -1:
            self.take(hold, extra, 0)
            hold.amount += extra

    @rule(ordinal=slots, less=amounts)
    def retract(self, ordinal: int, less: int) -> None:
        result = self.both(ordinal, "retract", less)
        assert result == (0 if ordinal in self.holds else compiled_cells.NOT_HELD)
        if ordinal in self.holds:
            hold = self.holds[ordinal]
            less = min(less, hold.amount)
            hold.amount -= less
            for key, _, kind in (item[:3] for item in hold.items):
                self.model[key].used -= 0 if kind == UNITS else less

    def ended(self, ordinal: int, result: int) -> bool:
        if ordinal in self.holds:
            assert result == 0
            return False
        assert result == (compiled_cells.ALREADY_SETTLED if ordinal in self.ever else compiled_cells.NOT_HELD)
        return True

    @rule(ordinal=slots, actual=amounts)
    def post(self, ordinal: int, actual: int) -> None:
        if not self.ended(ordinal, self.both(ordinal, "post", actual)):
            self.settle(self.holds.pop(ordinal), actual)

    @rule(ordinal=slots)
    def void(self, ordinal: int) -> None:
        if not self.ended(ordinal, self.both(ordinal, "void")):
            hold = self.holds.pop(ordinal)
            for key, _, kind, _ in hold.items:
                self.model[key].used -= 1 if kind == UNITS else hold.amount

    @rule(ordinal=slots, amount=amounts)
    def observe(self, ordinal: int, amount: int) -> None:
        self.both(ordinal, "observe", amount)
        if ordinal in self.holds:
            self.holds[ordinal].observed = amount

    @rule(ordinal=slots, actual=st.integers(-1, 60))
    def reap(self, ordinal: int, actual: int) -> None:
        result = self.both(ordinal, "reap", actual)
        hold = self.holds.pop(ordinal, None)
        assert result == (compiled_cells.REAPED_POST if hold else compiled_cells.REAPED_NOTHING)
        if hold:
            self.settle(hold, hold.observed if actual == -1 else actual)

    @rule(ordinal=slots, found=paths)
    def relimit(self, ordinal: int, found: list[Any]) -> None:
        if ordinal not in self.holds:
            return
        compiled, pure = self.compiled_and_pure(found)
        self.slots[0][ordinal].relimit(compiled)
        self.slots[1][ordinal].relimit(pure)
        anew = {item[0]: item for item in found}
        hold = self.holds[ordinal]
        hold.items = [anew.get(item[0], item) for item in hold.items]

    @rule(key=keys, amount=amounts)
    def charge(self, key: int, amount: int) -> None:
        if key in self.model and key < 7:
            for twin in self.twins:
                twin.charge(twin.find(key), amount)
            self.model[key].used += amount
            self.model[key].settled += amount

    @rule(key=keys, wrong=st.integers(0, 1), settled=amounts)
    def reconcile(self, key: int, wrong: int, settled: int) -> None:
        if key not in self.model or key >= 7:
            return
        cell = self.model[key]
        reserved = cell.used - cell.settled
        results = [twin.reconcile(twin.find(key), cell.used + wrong, settled, reserved) for twin in self.twins]
        assert results == [not wrong] * 2
        if not wrong:
            cell.settled, cell.used = settled, settled + reserved

    @rule(key=keys)
    def forget(self, key: int) -> None:
        cell = self.model.get(key)
        if cell is None or any(key == item[0] for hold in self.holds.values() for item in hold.items):
            return  # what an empty hold does to a forgotten cell has its own test
        assert [twin.forget(twin.find(key)) for twin in self.twins] == [cell.used == cell.settled] * 2
        if cell.used == cell.settled:
            del self.model[key]

    @invariant()
    def agrees(self) -> None:
        for twin in self.twins:
            assert {twin.key(index) for index in twin} == set(self.model)
            for key, cell in self.model.items():
                index = twin.lookup(key)
                assert Cell(*words(twin, index)) == cell, key
            assert twin.open_slots() == sorted(self.holds)
        for ordinal, hold in self.holds.items():
            assert self.both(ordinal, "__getattribute__", "held") == hold.amount
            assert self.both(ordinal, "__getattribute__", "warnings") == hold.warnings
            assert self.both(ordinal, "__getattribute__", "shadowed") == hold.shadowed
        assert bytes(self.memories[0]) == bytes(self.memories[1])

    @invariant()
    def reserved_is_what_is_held(self) -> None:
        for key, cell in self.model.items():
            on = [(hold, item[2]) for hold in self.holds.values() for item in hold.items if item[0] == key]
            assert cell.used - cell.settled == sum(1 if kind == UNITS else hold.amount for hold, kind in on)


TestTwins = Machine.TestCase
TestTwins.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


steps = st.lists(st.tuples(slots, st.sampled_from(["hold", "extend", "retract", "post", "void", "reap"]), amounts), max_size=80)


@pytest.mark.parametrize("module", CELLS)
@given(steps=steps, shapes=st.lists(st.lists(keys, min_size=1, unique=True), min_size=SLOTS, max_size=SLOTS))
def test_a_cell_never_passes_its_limit_but_by_the_recorded_overrun(
    module: ModuleType, steps: list[tuple[int, str, int]], shapes: list[list[int]]
) -> None:
    cells = new_cells(module, CAPACITY, SLOTS)
    on = [module.Path(cells, [(key, 100, HARD) for key in shape]) for shape in shapes]
    for ordinal, step, amount in steps:
        slot = cells.slot(ordinal)
        arguments = {"hold": (on[ordinal], amount), "void": ()}.get(step, (amount,))
        getattr(slot, step)(*arguments)
        for index in cells:
            used, settled, overrun = words(cells, index)
            assert 0 <= settled <= used <= 100 + overrun
