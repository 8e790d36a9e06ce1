"""Cells, paths and slots: what each call does, in one process, of both implementations; the property tests are in
test_cells_model.py, what kills and races do in test_cells_processes.py."""

import mmap
from types import ModuleType
from typing import Any

import pytest

from tests._fast.shared import CELLS, new_cells, words

pytestmark = pytest.mark.parametrize("module", CELLS)
KEYS = [11, 2**64 - 1, 7, 2**63]


def hard(module: ModuleType, cells: Any, *limits: int) -> Any:
    """A path over the first keys with these hard limits."""
    return module.Path(cells, [(key, limit, module.HARD) for key, limit in zip(KEYS, limits, strict=False)])


# --- the table --------------------------------------------------------------------------------------------------------


def test_a_key_is_found_where_it_was_entered(module: ModuleType) -> None:
    cells = new_cells(module)
    assert cells.lookup(7) == -1
    index = cells.find(7)
    assert (cells.find(7), cells.lookup(7), cells.key(index), list(cells)) == (index, index, 7, [index])
    assert words(cells, index) == (0, 0, 0)


def test_every_record_can_be_taken_and_then_find_says_so(module: ModuleType) -> None:
    cells = new_cells(module, capacity=16)
    indices = {cells.find(key) for key in range(1, 17)}
    assert indices == set(range(16)) == set(cells)
    assert cells.find(17) == -1 == cells.lookup(17)
    with pytest.raises(OverflowError):
        module.Path(cells, [(17, -1, module.HARD)])
    assert [cells.lookup(key) for key in range(1, 17)] == [cells.find(key) for key in range(1, 17)]


def test_a_large_table_takes_three_quarters_of_its_capacity(module: ModuleType) -> None:
    cells = new_cells(module, capacity=4096)
    assert all(cells.find(key * key + 1) >= 0 for key in range(3072))


def test_a_forgotten_record_is_used_again_and_starts_at_zero(module: ModuleType) -> None:
    cells = new_cells(module, capacity=2)
    first = cells.find(5)
    cells.load(first, 90)
    assert cells.forget(first)
    assert (cells.lookup(5), cells.key(first), cells.forget(first)) == (-1, 0, False)
    assert {cells.find(6), cells.find(7)} == {0, 1}
    assert [words(cells, index) for index in (0, 1)] == [(0, 0, 0)] * 2


def test_a_cell_with_a_reservation_is_not_forgotten(module: ModuleType) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100), cells.slot(0)
    slot.hold(path, 1)
    assert not cells.forget(path.indices[0])
    slot.post(1)
    assert cells.forget(path.indices[0])


def test_a_path_over_a_forgotten_cell_is_stale_and_takes_nothing(module: ModuleType) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100, 100), cells.slot(0)
    first, second = path.indices
    cells.forget(second)
    assert slot.hold(path, 10) == module.STALE
    assert (slot.held, words(cells, first)) == (0, (0, 0, 0))
    anew = cells.find(KEYS[1])
    assert slot.hold(path, 10) == module.STALE, "the same record, or even the same key, is another cell"
    assert slot.hold(hard(module, cells, 100, 100), 10) == module.TAKEN
    assert cells.used(anew) == 10


def test_an_empty_hold_does_not_settle_into_the_next_owner_of_a_record(module: ModuleType) -> None:
    cells = new_cells(module, capacity=2)
    path, slot = hard(module, cells, 100), cells.slot(0)
    slot.hold(path, 0)
    assert cells.forget(path.indices[0])
    other = [cells.find(key) for key in (50, 51)]
    assert slot.post(40) == 0
    assert [words(cells, index) for index in other] == [(0, 0, 0)] * 2


def test_memory_that_does_not_fit_is_refused(module: ModuleType) -> None:
    size = module.cells_bytes(16, 4)
    assert size == 16 * 64 + 4 * 512 + 64
    with pytest.raises(ValueError, match="must have"):
        module.Cells(mmap.mmap(-1, size - 1), 16, 4)
    for capacity, slots in ((0, 1), (3, 1), (1, 1), (16, -1), (16, module.SLOTS_MAX + 1)):
        with pytest.raises(ValueError):
            module.cells_bytes(capacity, slots)
    cells = new_cells(module, capacity=16, slots=4)
    for wrong in (-1, 16):
        with pytest.raises(IndexError):
            cells.used(wrong)
    with pytest.raises(IndexError):
        cells.slot(4)
    for key in (0, -1, 2**64):
        with pytest.raises((ValueError, OverflowError)):
            module.Path(cells, [(key, 1, module.HARD)])
    with pytest.raises(ValueError):
        cells.find(0)


# --- holds ------------------------------------------------------------------------------------------------------------


def test_a_hold_reaches_the_limit_and_not_beyond(module: ModuleType) -> None:
    cells = new_cells(module)
    path = hard(module, cells, 100)
    index = path.indices[0]
    assert cells.slot(0).hold(path, 60, 123) == module.TAKEN
    assert cells.slot(1).hold(path, 41) == 0
    assert cells.slot(1).hold(path, 40) == module.TAKEN
    assert (cells.used(index), cells.settled(index), cells.reserved(index)) == (100, 0, 100)
    assert (cells.slot(0).deadline_us, cells.open_slots()) == (123, [0, 1])


def test_a_refused_hold_names_its_cell_and_leaves_the_others_alone(module: ModuleType) -> None:
    cells = new_cells(module)
    path = hard(module, cells, 100, 100, 50, 100)
    slot = cells.slot(0)
    assert slot.hold(path, 51) == 2
    assert (slot.state, slot.held) == (module.VOIDED, 0)
    assert [words(cells, index) for index in path.indices] == [(0, 0, 0)] * 4
    assert slot.hold(path, 50) == module.TAKEN


def test_no_limit_counts_and_never_refuses(module: ModuleType) -> None:
    cells = new_cells(module)
    path = hard(module, cells, -1)
    assert cells.slot(0).hold(path, module.AMOUNT_MAX) == module.TAKEN
    assert cells.used(path.indices[0]) == module.AMOUNT_MAX


def test_soft_and_shadow_count_beyond_their_limit_and_say_so_apart(module: ModuleType) -> None:
    cells = new_cells(module)
    path = module.Path(cells, [(1, 100, module.SOFT), (2, 100, module.SHADOW), (3, 1000, module.HARD, 80)])
    slot = cells.slot(0)
    assert (slot.hold(path, 80), slot.warnings, slot.shadowed) == (module.TAKEN, 0, 0)
    assert (slot.extend(20), slot.warnings, slot.shadowed) == (module.TAKEN, 0b100, 0)
    assert (slot.extend(1), slot.warnings, slot.shadowed) == (module.TAKEN, 0b101, 0b010)
    assert [cells.used(index) for index in path.indices] == [101] * 3
    slot.void()
    assert (slot.hold(path, 1), slot.warnings, slot.shadowed) == (module.TAKEN, 0, 0)


def test_the_warnings_of_a_hold_are_with_the_slot_that_took_it(module: ModuleType) -> None:
    cells = new_cells(module)
    cells.slot(0).hold(module.Path(cells, [(1, 100, module.HARD, 10)]), 20)
    other = cells.slot(0)
    assert (other.extend(5), other.held, other.warnings) == (module.TAKEN, 25, 0)


def test_units_count_calls_while_they_run(module: ModuleType) -> None:
    cells = new_cells(module)
    path = module.Path(cells, [(1, -1, module.HARD), (2, 2, module.UNITS)])
    money, parallel = path.indices
    first, second, third = (cells.slot(ordinal) for ordinal in range(3))
    assert [slot.hold(path, 1000) for slot in (first, second, third)] == [module.TAKEN, module.TAKEN, 1]
    assert (first.extend(500), words(cells, parallel), cells.used(money)) == (module.TAKEN, (2, 0, 0), 2500)
    first.post(700)
    assert (words(cells, parallel), third.hold(path, 1)) == ((1, 0, 0), module.TAKEN)
    second.void()
    third.void()
    assert (words(cells, parallel), words(cells, money)) == ((0, 0, 0), (700, 700, 0))


def test_a_refused_extension_keeps_what_was_held(module: ModuleType) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100, 70), cells.slot(0)
    slot.hold(path, 60)
    assert (slot.extend(11), slot.held, slot.state) == (1, 60, module.HELD)
    assert [cells.used(index) for index in path.indices] == [60, 60]
    assert (slot.extend(10), slot.held) == (module.TAKEN, 70)


def test_a_retraction_gives_back_part_and_the_hold_goes_on(module: ModuleType) -> None:
    cells = new_cells(module)
    parallel = cells.find(99)
    path, slot = module.Path(cells, [(KEYS[0], 100, module.HARD), (99, 1, module.UNITS)]), cells.slot(0)
    assert slot.retract(1) == module.NOT_HELD
    slot.hold(path, 60)
    assert (slot.retract(45), slot.held, slot.amount, slot.state) == (0, 15, 15, module.HELD)
    assert (words(cells, path.indices[0]), words(cells, parallel)) == ((15, 0, 0), (1, 0, 0))
    assert (slot.extend(5), slot.retract(500), slot.held, cells.used(path.indices[0])) == (module.TAKEN, 0, 0, 0)
    assert (slot.post(7), words(cells, path.indices[0]), words(cells, parallel)) == (0, (7, 7, 0), (0, 0, 0))
    assert slot.retract(1) == module.NOT_HELD


def test_a_new_limit_counts_at_once_and_for_open_holds_when_told(module: ModuleType) -> None:
    cells = new_cells(module)
    slot, other = cells.slot(0), cells.slot(1)
    slot.hold(hard(module, cells, 100, 100), 50)
    lower = module.Path(cells, [(KEYS[1], 40, module.HARD), (99, 1, module.HARD)])
    assert other.hold(module.Path(cells, [(KEYS[1], 40, module.HARD)]), 1) == 0
    assert slot.extend(10) == module.TAKEN
    slot.relimit(lower)
    assert (slot.extend(10), slot.held) == (1, 60)
    slot.relimit(module.Path(cells, [(KEYS[1], 10, module.SOFT, 65), (KEYS[0], 2, module.UNITS)]))
    assert (slot.extend(10), slot.warnings, [item[1] for item in slot.items]) == (module.TAKEN, 0b10, [100, 10])


# --- settlement -------------------------------------------------------------------------------------------------------


def test_post_settles_the_actual_and_gives_the_rest_back(module: ModuleType) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100, 100), cells.slot(3)
    slot.hold(path, 60)
    assert slot.post(45) == 0
    assert [words(cells, index) for index in path.indices] == [(45, 45, 0)] * 2
    assert (slot.state, slot.amount, slot.held, cells.open_slots()) == (module.POSTED, 45, 0, [])


def test_settle_twice_is_named_error(module: ModuleType) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100), cells.slot(0)
    assert [slot.post(1), slot.void(), slot.extend(1)] == [module.NOT_HELD] * 3
    for end in (lambda: slot.post(30), slot.void):
        slot.hold(path, 30)
        assert end() == 0
        before = words(cells, path.indices[0])
        assert [slot.post(5), slot.void()] == [module.ALREADY_SETTLED] * 2
        assert (slot.extend(1), words(cells, path.indices[0])) == (module.NOT_HELD, before)
    assert words(cells, path.indices[0]) == (30, 30, 0)


@pytest.mark.parametrize(
    ("others", "held", "actual", "expected"),
    [
        (0, 60, 100, 0),  # within the limit
        (0, 60, 103, 3),
        (30, 60, 75, 5),
        (40, 60, 75, 15),
        (0, 60, 60, 0),
    ],
)
def test_overrun_is_what_no_reservation_and_no_limit_covered(
    module: ModuleType, others: int, held: int, actual: int, expected: int
) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100), cells.slot(0)
    cells.slot(1).hold(path, others)
    slot.hold(path, held)
    slot.post(actual)
    assert words(cells, path.indices[0]) == (others + actual, actual, expected)
    assert cells.slot(2).hold(path, 1) == (0 if others + actual >= 100 else module.TAKEN)


def test_a_second_overrun_counts_only_its_own(module: ModuleType) -> None:
    cells = new_cells(module)
    path = hard(module, cells, 100)
    slots = [cells.slot(ordinal) for ordinal in range(2)]
    for slot in slots:
        slot.hold(path, 50)
    slots[0].post(70)
    assert words(cells, path.indices[0]) == (120, 70, 20)
    slots[1].post(55)
    assert words(cells, path.indices[0]) == (125, 125, 25)


def test_void_gives_all_back(module: ModuleType) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100, 100), cells.slot(0)
    slot.hold(path, 60)
    slot.extend(5)
    assert slot.void() == 0
    assert [words(cells, index) for index in path.indices] == [(0, 0, 0)] * 2


def test_a_slot_that_holds_takes_no_second_hold(module: ModuleType) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100), cells.slot(0)
    slot.hold(path, 10)
    assert slot.hold(path, 10) == module.NOT_FREE
    assert (cells.used(path.indices[0]), slot.generation) == (10, 1)


def test_a_full_path_of_24_cells_works_and_25_are_refused(module: ModuleType) -> None:
    cells = new_cells(module)
    path = module.Path(cells, [(key, 10, module.HARD) for key in range(1, 25)])
    slot = cells.slot(7)
    assert (len(path), slot.hold(path, 10), slot.post(9)) == (24, module.TAKEN, 0)
    assert {words(cells, index) for index in path.indices} == {(9, 9, 0)}
    assert [(index, 10, module.HARD) for index in path.indices] == slot.items
    with pytest.raises(ValueError, match="24"):
        module.Path(cells, [(key, 10, module.HARD) for key in range(1, 26)])
    with pytest.raises(ValueError, match="once"):
        module.Path(cells, [(1, 10, module.HARD), (1, 20, module.SOFT)])


def test_an_empty_path_holds_nothing_and_settles(module: ModuleType) -> None:
    cells = new_cells(module)
    slot = cells.slot(0)
    assert (slot.hold(module.Path(cells, []), 10), slot.extend(1), slot.post(11)) == (module.TAKEN, module.TAKEN, 0)


def test_amounts_out_of_range_and_foreign_paths_are_bugs(module: ModuleType) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100), cells.slot(0)
    slot.hold(path, 10)
    for wrong in (-1, module.AMOUNT_MAX + 1):
        for method in (slot.extend, slot.post, slot.observe, lambda amount: cells.slot(1).hold(path, amount)):
            with pytest.raises(ValueError):
                method(wrong)
    with pytest.raises(ValueError):
        cells.slot(1).hold(hard(module, new_cells(module), 1), 1)
    assert (slot.held, cells.open_slots()) == (10, [0])


# --- what a keeper does -----------------------------------------------------------------------------------------------


def test_reap_posts_what_was_observed_or_told(module: ModuleType) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100), cells.slot(0)
    slot.hold(path, 60)
    slot.observe(12)
    assert (slot.observed, cells.slot(0).reap(), slot.amount) == (12, module.REAPED_POST, 12)
    slot.hold(path, 60)
    assert (slot.observed, slot.reap(20), slot.reap(20)) == (0, module.REAPED_POST, module.REAPED_NOTHING)
    assert words(cells, path.indices[0]) == (32, 32, 0)
    assert (slot.post(1), slot.generation) == (module.ALREADY_SETTLED, 2)


def test_load_and_charge_count_beside_holds(module: ModuleType) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100), cells.slot(0)
    index = path.indices[0]
    cells.load(index, 30)
    assert (words(cells, index), slot.hold(path, 71), slot.hold(path, 20)) == ((30, 30, 0), 0, module.TAKEN)
    cells.charge(index, 40)
    cells.charge(index, -5)
    assert (words(cells, index), cells.reserved(index)) == ((85, 65, 0), 20)


def test_reconcile_refuses_a_cell_that_moved(module: ModuleType) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100), cells.slot(0)
    index = path.indices[0]
    slot.hold(path, 10)
    assert not cells.reconcile(index, 9, 50, 10)
    assert words(cells, index) == (10, 0, 0)
    assert cells.reconcile(index, 10, 50, 10)
    assert (words(cells, index), slot.post(3), words(cells, index)) == ((60, 50, 0), 0, (53, 53, 0))


def test_a_stamp_changes_with_every_operation_and_never_comes_back(module: ModuleType) -> None:
    cells = new_cells(module)
    path, slot = hard(module, cells, 100), cells.slot(0)
    stamps = [cells.stamp(path.indices[0])]
    for _ in range(20):
        slot.hold(path, 10)
        stamps.append(cells.stamp(path.indices[0]))
        slot.void()
        stamps.append(cells.stamp(path.indices[0]))
    assert len(set(stamps)) == 41
