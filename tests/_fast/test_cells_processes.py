"""Many processes on the same cells: no limit is passed at any moment anyone can see, no nano-dollar is lost, and what SIGKILL
leaves at random moments is ended exactly."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

from tests._fast.shared import compiled_cells, new_cells, words

FORK = multiprocessing.get_context("fork")
TAKEN, HARD, UNITS, HELD = -1, compiled_cells.HARD, compiled_cells.UNITS, compiled_cells.HELD
PROCESSES = 4
LIMIT = 1_000
SHARED = range(1, 13)  # keys of cells with a limit that many slots use
PARALLEL = 99
SLOTS_EACH = 4


def own_key(ordinal: int) -> int:
    """A cell without limit that only this slot uses: says what the slot has settled."""
    return 1_000 + ordinal


def path_of(cells: Any, ordinal: int, limit: int) -> Any:
    """Eight cells of the shared ones, others for each slot; calls in parallel; the slot's own cell at a place of its own."""
    chosen = random.Random(ordinal).sample(SHARED, 8)
    items = [(key, limit, HARD) for key in chosen] + [(PARALLEL, PROCESSES * SLOTS_EACH, UNITS)]
    items.insert(ordinal % 10, (own_key(ordinal), -1, HARD))
    return compiled_cells.Path(cells, items)


def started(target: Callable[..., None], *arguments: Any) -> Any:
    process = FORK.Process(target=target, args=arguments)
    process.start()
    return process


# --- nobody dies ------------------------------------------------------------------------------------------------------


def spend(cells: Any, number: int, operations: int, results: Any) -> None:
    """Holds that together want far more than the limits, extended, settled for less or given back; the sum of each cell."""
    rng = random.Random(number)
    slots = [cells.slot(number * SLOTS_EACH + i) for i in range(SLOTS_EACH)]
    paths = [path_of(cells, slot.ordinal, LIMIT * 1_000) for slot in slots]
    amounts = [rng.randrange(1, LIMIT * 400) for _ in range(997)]
    sums = [0] * SLOTS_EACH
    taken = refused = done = 0
    while done < operations:
        for i, slot in enumerate(slots):
            amount = amounts[(done := done + 1) % 997]
            if slot.state != HELD:
                if slot.hold(paths[i], amount) == TAKEN:
                    taken += 1
                else:
                    refused += 1
            elif amount % 5 == 0:
                slot.void()
            elif amount % 3 == 0:
                slot.extend(amount)
            else:
                actual = slot.held * (amount % 7) // 1_000_000  # so that limits stay near and are never spent
                assert slot.post(actual) == 0
                sums[i] += actual
    for slot in slots:
        slot.void()
    for i, total in enumerate(sums):
        results[number * SLOTS_EACH + i] = total
    results[-2 * PROCESSES + number] = taken
    results[-PROCESSES + number] = refused


def test_no_snapshot_passes_a_limit_and_all_sums_are_exact() -> None:
    count = PROCESSES * SLOTS_EACH
    cells = new_cells(capacity=128, slots=count)
    paths = [path_of(cells, ordinal, LIMIT * 1_000) for ordinal in range(count)]
    shared = [cells.find(key) for key in SHARED]
    results = FORK.Array("q", count + 2 * PROCESSES, lock=False)
    workers = [started(spend, cells, number, 100_000, results) for number in range(PROCESSES)]
    snapshots = 0
    while any(worker.is_alive() for worker in workers):
        for index in shared:
            assert 0 <= cells.used(index) <= LIMIT * 1_000
            assert cells.reserved(index) >= 0
        assert 0 <= cells.used(cells.find(PARALLEL)) <= count
        snapshots += 1
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    assert snapshots > 100
    taken, refused = sum(results[count : count + PROCESSES]), sum(results[count + PROCESSES :])
    assert taken > 10_000 and refused > 10_000, "the limits must be near, or this shows nothing"
    for index in shared:
        total = sum(results[ordinal] for ordinal in range(count) if index in paths[ordinal].indices)
        assert words(cells, index) == (total, total, 0)
    assert words(cells, cells.find(PARALLEL)) == (0, 0, 0)


# --- everybody dies ---------------------------------------------------------------------------------------------------


def spend_until_killed(cells: Any, number: int, seed: int, posted: Any) -> None:
    """Settles up to 1/8 more than was held, and says after each call what the slot has settled in all."""
    rng = random.Random(seed)
    slots = [cells.slot(number * SLOTS_EACH + i) for i in range(SLOTS_EACH)]
    paths = [path_of(cells, slot.ordinal, LIMIT * 1_000) for slot in slots]
    amounts = [rng.randrange(1, LIMIT * 150) for _ in range(997)]
    at = 0
    while True:
        for i, slot in enumerate(slots):
            amount = amounts[at := (at + 1) % 997]
            if slot.state != HELD:
                slot.hold(paths[i], amount)
                slot.observe(amount // 3)
            elif amount % 4 == 0:
                slot.extend(amount)
            elif amount % 3 == 0:
                slot.void()
            else:
                actual = slot.held * 9 // 8 if slot.held < 2 * LIMIT else slot.held // 50_000
                slot.post(actual)
                posted[slot.ordinal] += actual


def end_all(cells: Any, first: int, posted: Any, before: dict[int, int]) -> tuple[int, int]:
    """Reaps the slots of a dead process and checks its own cells; how many were open, and how many of them in mid-step."""
    open_slots = cells.open_slots(first, SLOTS_EACH)
    mid_step = 0
    for ordinal in range(first, first + SLOTS_EACH):
        slot, own = cells.slot(ordinal), cells.find(own_key(ordinal))
        state, observed = slot.state, slot.observed
        mid_step += ordinal in open_slots and state != HELD
        result = slot.reap()
        assert (result == compiled_cells.REAPED_NOTHING) == (ordinal not in open_slots)
        if state == HELD:
            assert slot.amount == observed
        settled = slot.amount if slot.state == compiled_cells.POSTED else 0
        # The process told each sum after the fact: its last settlement, or the reaper's, may not be among them.
        assert cells.settled(own) - posted[ordinal] in (0, settled), ordinal
        assert words(cells, own)[0] == cells.settled(own) >= before[ordinal]
        posted[ordinal] = before[ordinal] = cells.settled(own)
    return len(open_slots), mid_step


def kill(worker: Any) -> None:
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    worker.close()


def storm(cells: Any, rounds: int, posted: Any, charged: dict[int, int]) -> tuple[int, int]:
    """Kills one of four processes after another and ends what it left while the others go on."""
    rng = random.Random(rounds)
    before = dict.fromkeys(range(PROCESSES * SLOTS_EACH), 0)
    workers = [started(spend_until_killed, cells, number, number, posted) for number in range(PROCESSES)]
    opened = mid_step = 0
    try:
        for seed in range(rounds):
            time.sleep(rng.uniform(0.0, 0.02))
            number = rng.randrange(PROCESSES)
            kill(workers[number])
            found = end_all(cells, number * SLOTS_EACH, posted, before)
            opened, mid_step = opened + found[0], mid_step + found[1]
            for index in charged:
                underway = PROCESSES * SLOTS_EACH * LIMIT * 150  # settled beyond the limit, and not yet told as overrun
                assert 0 <= cells.used(index) <= LIMIT * 1_000 + cells.overrun(index) + underway
                if seed % 2:  # as if a window had ended: else all would soon be spent, and each hold refused
                    charge = -cells.settled(index)
                    cells.charge(index, charge)
                    charged[index] += charge
            workers[number] = started(spend_until_killed, cells, number, rounds + seed, posted)
    finally:
        for worker in workers:
            kill(worker)
    for number in range(PROCESSES):
        end_all(cells, number * SLOTS_EACH, posted, before)
    return opened, mid_step


def test_killed_at_random_moments_no_nano_dollar_is_lost() -> None:
    count = PROCESSES * SLOTS_EACH
    cells = new_cells(capacity=128, slots=count)
    paths = [path_of(cells, ordinal, LIMIT * 1_000) for ordinal in range(count)]
    charged = {cells.find(key): 0 for key in SHARED}
    posted = FORK.Array("q", count, lock=False)
    opened, mid_step = storm(cells, 120, posted, charged)
    assert opened > 60 and mid_step > 5 and any(cells.overrun(index) for index in charged), "or this shows nothing"
    assert cells.open_slots() == []
    for index, charge in charged.items():
        total = sum(posted[ordinal] for ordinal in range(count) if index in paths[ordinal].indices) + charge
        assert words(cells, index)[:2] == (total, total)
        assert total <= LIMIT * 1_000 + cells.overrun(index)
    assert words(cells, cells.find(PARALLEL)) == (0, 0, 0)


# --- one cell a key ---------------------------------------------------------------------------------------------------


def enter_often(cells: Any, number: int, inside: Any, results: Any) -> None:
    """Holds one of six keys, each of which one call at a time may hold: who does is alone, unless the key has two cells."""
    rng = random.Random(number)
    slot = cells.slot(number)
    taken = 0
    for _ in range(30_000):
        key = rng.randrange(1, 7)
        try:
            path = compiled_cells.Path(cells, [(key, 1, UNITS), (100 + number, -1, HARD)])
        except OverflowError:
            continue
        if slot.hold(path, 1) != TAKEN:
            continue
        inside[key] = number
        taken += 1
        assert slot.extend(1) == TAKEN
        assert inside[key] == number
        slot.void()
    results[number] = taken


def forget_often(cells: Any) -> None:
    while True:
        for index in range(cells.capacity):
            cells.forget(index)


def test_a_key_has_one_cell_however_often_it_is_entered_and_forgotten() -> None:
    cells = new_cells(capacity=16, slots=3)
    inside, results = FORK.Array("q", 8, lock=False), FORK.Array("q", 3, lock=False)
    keeper = started(forget_often, cells)
    try:
        workers = [started(enter_often, cells, number, inside, results) for number in range(3)]
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0] * 3
    finally:
        kill(keeper)
    assert min(results) > 1_000
    keys = [cells.key(index) for index in cells]
    assert len(keys) == len(set(keys))
    for index in cells:
        assert words(cells, index)[1:] == (0, 0)
