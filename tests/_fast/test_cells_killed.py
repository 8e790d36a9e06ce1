"""A process may be killed before and after every single machine instruction: what it leaves is ended to the nano-dollar, by
either implementation, whatever others did to the same cells meanwhile, and also if whoever ends it is killed in turn."""

import mmap
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from tests._fast.shared import CELLS, compiled_cells, words
from tests._fast.stepping import CAN_STEP, NotPermittedError, states_of
from tests.requires import need

CAPACITY, SLOTS = 8, 3
TAKEN, HARD, SOFT, SHADOW, UNITS = -1, 0, 1, 2, 3
LIMIT = 100
MONEY, PARALLEL = (1, 2, 3), 4
ITEMS = [(2, LIMIT, SOFT), (PARALLEL, 2, UNITS), (3, 70, SHADOW), (1, LIMIT, HARD)]  # what refuses comes last
REAPED = 33

# What the killed process was about: its steps, and what it settles if it gets as far.
SCENARIOS: dict[str, tuple[list[tuple[Any, ...]], int]] = {
    "post less": ([("hold", 60), ("post", 45)], 45),
    "post more, within the limit": ([("hold", 60), ("post", 99)], 99),
    "post beyond the limit": ([("hold", 60), ("post", 130)], 130),
    "post what is held": ([("hold", 60), ("post", 60)], 60),
    "post nothing": ([("hold", 60), ("post", 0)], 0),
    "extend and post": ([("hold", 60), ("extend", 20), ("post", 79)], 79),
    "extend in vain and post": ([("hold", 60), ("extend", 41), ("post", 60)], 60),
    "retract and post": ([("hold", 60), ("retract", 35), ("post", 24)], 24),
    "retract all, extend, post": ([("hold", 60), ("retract", 90), ("extend", 10), ("post", 12)], 12),
    "void": ([("hold", 60), ("void",)], 0),
    "hold in vain": ([("hold", 101)], 0),
    "hold again": ([("hold", 60), ("void",), ("hold", 30), ("post", 31)], 31),
}


def fresh(state: bytes | None = None, module: ModuleType = compiled_cells) -> tuple[mmap.mmap, Any]:
    size = module.cells_bytes(CAPACITY, SLOTS)
    memory = mmap.mmap(-1, size)
    if state is not None:
        memory[:] = state
    return memory, module.Cells(memory, CAPACITY, SLOTS)


def step_through(memory: mmap.mmap, function: Callable[[], object]) -> list[bytes]:
    need("single-stepping of processes", CAN_STEP, "run on Linux, x86-64")
    try:
        return states_of(memory, function)
    except NotPermittedError:
        need("ptrace", False, "docker run --cap-add SYS_PTRACE")
        raise


def run(slot: Any, path: Any, steps: list[tuple[Any, ...]]) -> None:
    for name, *amount in steps:
        getattr(slot, name)(*([path, *amount] if name == "hold" else amount))


def nothing(module: ModuleType, cells: Any) -> tuple[int, int]:
    return 0, 0


def holds(module: ModuleType, cells: Any) -> tuple[int, int]:
    """Another call on the same cells, still open."""
    assert cells.slot(1).hold(module.Path(cells, [(key, -1, kind) for key, _, kind in ITEMS]), 7) == TAKEN
    return 0, 7


def spends(module: ModuleType, cells: Any) -> tuple[int, int]:
    """Other calls that overwrite every word of the cells, several times."""
    path = module.Path(cells, [(key, -1, kind) for key, _, kind in ITEMS])
    for ordinal, actual in ((1, 5), (2, 9), (1, 2)):
        assert cells.slot(ordinal).hold(path, 6) == TAKEN
        assert cells.slot(ordinal).post(actual) == 0
    return 16, 0


def charges(module: ModuleType, cells: Any) -> tuple[int, int]:
    for key in MONEY:
        cells.charge(cells.find(key), 4)
    return 4, 0


@pytest.fixture(scope="module", params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> tuple[list[bytes], int]:
    """All states a killed process can leave, and what it settles if it gets as far."""
    steps, actual = SCENARIOS[request.param]
    memory, cells = fresh()
    slot, path = cells.slot(0), compiled_cells.Path(cells, ITEMS)
    return step_through(memory, lambda: run(slot, path, steps)), actual


def check_ended(cells: Any, spent: int, reserved: int, actual: int) -> int:
    """All cells agree on what slot 0 has settled; that."""
    assert 0 not in cells.open_slots()
    settled = {cells.settled(cells.find(key)) - spent for key in MONEY}
    assert len(settled) == 1 and settled <= {0, REAPED, actual}, settled
    for key in MONEY:
        assert cells.reserved(cells.find(key)) == reserved
    assert words(cells, cells.find(PARALLEL)) == (int(reserved > 0), 0, 0)
    return settled.pop()


@pytest.mark.parametrize("module", CELLS)
@pytest.mark.parametrize("meanwhile", [nothing, holds, spends, charges])
def test_every_state_a_killed_process_leaves_is_ended_exactly(
    module: ModuleType, meanwhile: Callable[[ModuleType, Any], tuple[int, int]], scenario: tuple[list[bytes], int]
) -> None:
    states, actual = scenario
    assert len(states) > 10
    course = []
    for state in states:
        _, cells = fresh(state, module)
        spent, reserved = meanwhile(module, cells)
        open_before = 0 in cells.open_slots()
        result = cells.slot(0).reap(REAPED)
        assert (result != module.REAPED_NOTHING) == open_before
        assert cells.slot(0).reap(REAPED) == module.REAPED_NOTHING
        course.append(check_ended(cells, spent, reserved, actual))
    in_order = [settled for at, settled in enumerate(course) if at == 0 or settled != course[at - 1]]
    assert in_order in ([0], [0, actual], [0, REAPED], [0, REAPED, actual], [0, REAPED, 0], [0, REAPED, 0, REAPED, actual])
    assert course[-1] == actual


@pytest.mark.parametrize("module", CELLS)
def test_overrun_is_recorded_once_wherever_the_process_dies(module: ModuleType) -> None:
    memory, first = fresh()
    slot, path = first.slot(0), compiled_cells.Path(first, [*ITEMS, (5, -1, HARD)])
    other = first.slot(1)
    other.hold(compiled_cells.Path(first, [(1, LIMIT, HARD)]), 30)
    for state in step_through(memory, lambda: run(slot, path, [("hold", 60), ("post", 85)])):
        _, cells = fresh(state, module)
        cells.slot(0).reap(REAPED)
        used, settled, overrun = words(cells, cells.find(1))
        assert (used - 30, overrun) in ((0, 0), (REAPED, 0), (85, 15)), "60 of it were held, 10 more had room"
        assert cells.overrun(cells.find(3)) == (15 if settled == 85 else 0), "85 beyond a limit of 70"
        assert cells.overrun(cells.find(5)) == 0


def mid_steps(states: list[bytes]) -> Iterator[bytes]:
    for state in states:
        _, cells = fresh(state)
        if cells.open_slots():
            yield state


def test_who_ends_it_may_be_killed_too() -> None:
    memory, cells = fresh()
    slot, path = cells.slot(0), compiled_cells.Path(cells, ITEMS)
    states = step_through(memory, lambda: run(slot, path, [("hold", 60), ("extend", 15), ("post", 110)]))
    seen = 0
    for state in list(mid_steps(states))[::2]:
        memory, cells = fresh(state)
        slot = cells.slot(0)
        course = set()
        for second in step_through(memory, lambda slot=slot: slot.reap(REAPED)):  # type: ignore[misc]
            _, cells = fresh(second)
            spends(compiled_cells, cells)
            cells.slot(0).reap(REAPED)
            course.add(check_ended(cells, 16, 0, 110))
            seen += 1
        assert len(course) == 1
    assert seen > 200


def test_a_key_is_entered_once_wherever_its_finder_dies() -> None:
    memory, cells = fresh()
    cells.find(9)
    for state in step_through(memory, lambda: cells.find(5)):
        _, left = fresh(state)
        index = left.find(5)
        assert (left.find(5), left.lookup(5), words(left, index)) == (index, index, (0, 0, 0))
        assert sorted(left.key(found) for found in left) == [5, 9]


def test_a_forgotten_cell_is_whole_or_gone_wherever_the_keeper_dies() -> None:
    memory, cells = fresh()
    index = cells.find(5)
    cells.load(index, 80)
    slot, path = cells.slot(0), compiled_cells.Path(cells, [(5, LIMIT, HARD)])
    slot.hold(path, 10)
    slot.post(30)
    before = words(cells, index)
    assert before == (110, 110, 10)
    seen = set()
    for state in step_through(memory, lambda: cells.forget(index)):
        _, left = fresh(state)
        whole = words(left, index) == before
        found = left.find(5)
        assert words(left, found) == (before if whole else (0, 0, 0))
        assert left.slot(1).hold(compiled_cells.Path(left, [(5, 1000, HARD)]), 10) == TAKEN
        assert [left.key(other) for other in left] == [5]
        seen.add(words(left, found))
    assert seen == {(120, 110, 10), (10, 0, 0)}
