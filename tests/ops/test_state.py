"""The state file: blocks belong to one worker each, survive it, and their counters never go back."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gw._fast import OBSERVED_BYTES, Tap, observed_from
from gw.ops import state as of_state
from gw.ops.state import (
    CELLS_AT,
    COUNTER_BASE,
    FILE_BYTES,
    SLOT_BYTES,
    SLOT_ID_BYTES,
    SLOTS_PER_WORKER,
    STATE_FILE,
    WORKERS_MAX,
    Own,
    StateFile,
    Word,
    block_base,
    read_slot,
)

ALLOCATE = of_state._allocate  # other tests do with less (tests/conftest.py)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    one = StateFile(tmp_path / STATE_FILE, create=True)
    yield one


def claim_as(state: StateFile, pid: int) -> int:
    """A block claimed by another process."""
    block = state.claim_block()
    block.set(Own.PID, pid)
    return block.index


def test_all_processes_see_one_file_and_only_its_owner_may(state: StateFile) -> None:
    other = StateFile(state.path)
    state.words[Word.SNAPSHOT_VERSION] = 7
    assert other.words[Word.SNAPSHOT_VERSION] == 7 and other.words[Word.STARTED_US] > 0
    assert state.path.stat().st_mode & 0o777 == 0o600
    assert state.path.stat().st_size == FILE_BYTES


@pytest.mark.parametrize("content", [b"", b"x" * 100, bytes(FILE_BYTES)], ids=["empty", "short", "zeros"])
def test_another_file_is_not_taken_for_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / STATE_FILE
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a state file"):
        StateFile(path)


def test_areas_do_not_overlap() -> None:
    assert SLOT_ID_BYTES + OBSERVED_BYTES <= SLOT_BYTES and SLOT_ID_BYTES % 8 == 0 == SLOT_BYTES % 8
    owns = [value for name, value in vars(Own).items() if not name.startswith("_")]
    assert max(owns) < COUNTER_BASE
    assert block_base(WORKERS_MAX) * 8 + WORKERS_MAX * SLOTS_PER_WORKER * SLOT_BYTES == CELLS_AT


def test_each_worker_gets_a_block_of_its_own_until_there_are_none(state: StateFile) -> None:
    assert [claim_as(state, 1000 + number) for number in range(WORKERS_MAX)] == list(range(WORKERS_MAX))
    with pytest.raises(RuntimeError, match="64 workers"):
        state.claim_block()


def test_the_blocks_of_the_dead_are_reused_last_and_oldest_first(state: StateFile) -> None:
    for number in range(3):
        claim_as(state, 1000 + number)
    state.words[block_base(0) + Own.STARTED_US] = 9
    state.words[block_base(1) + Own.STARTED_US] = 5
    for pid in (1000, 1001):
        state.bury(pid)
    assert state.live_blocks() == [2]
    assert claim_as(state, 2000) == 3, "a fresh one as long as there is one"
    for number in range(4, WORKERS_MAX):
        claim_as(state, 3000 + number)
    assert [claim_as(state, 4000), claim_as(state, 4001)] == [1, 0]


def test_a_settled_block_is_free_at_once_but_only_for_the_pid_that_died(state: StateFile) -> None:
    claim_as(state, 1000)
    state.release_dead(0, 1000)
    assert state.live_blocks() == [0], "not before the supervisor has seen its end"
    state.bury(1000)
    state.release_dead(0, 999)
    state.release_dead(-1, 1000)
    state.release_dead(WORKERS_MAX, 1000)
    assert state.words[block_base(0) + Own.PID] == -1000
    state.release_dead(0, 1000)
    assert state.words[block_base(0) + Own.PID] == 0


def test_what_a_dead_worker_counted_stays_and_what_it_ran_does_not(state: StateFile) -> None:
    first, second = state.claim_block(), state.claim_block()
    second.set(Own.PID, 1000)
    for block, count in ((first, 3), (second, 4)):
        block.counters.add(5, count)
        block.set(Own.IN_FLIGHT, count)
    assert (state.counter_sum(5), state.sum_own(Own.IN_FLIGHT)) == (7, 7)
    state.bury(1000)
    assert (state.counter_sum(5), state.sum_own(Own.IN_FLIGHT)) == (7, 3)
    assert state.heartbeat_ns(os.getpid()) > 0 == state.heartbeat_ns(1)
    first.release()
    assert (state.counter_sum(5), state.live_blocks()) == (7, [])


def test_a_slot_shows_the_tap_of_its_call_and_of_no_other(state: StateFile) -> None:
    block = state.claim_block()
    slot = block.take_slot("gw_first")
    tap = Tap(0, block.observations(slot))
    tap.feed(b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":77}}}\n\n')
    seen = read_slot(StateFile(state.path), block.index, slot, "gw_first")
    assert seen is not None and observed_from(seen)[0] == 77
    assert read_slot(state, block.index, slot, "gw_other") is None
    assert read_slot(state, block.index, -1, "gw_first") is None
    assert read_slot(state, WORKERS_MAX, slot, "gw_first") is None
    block.give_slot(slot)
    again = block.take_slot("gw_second")
    fresh = block.observations(again)
    assert again == slot and fresh is not None and not any(fresh), "nothing of the call before is left"
    assert read_slot(state, block.index, slot, "gw_first") is None


def test_slots_run_out_without_harm_and_come_back(state: StateFile) -> None:
    block = state.claim_block()
    taken = [block.take_slot(f"gw_{number}") for number in range(SLOTS_PER_WORKER)]
    assert sorted(taken) == list(range(SLOTS_PER_WORKER))
    assert block.take_slot("gw_more") == -1
    block.give_slot(-1)
    assert block.take_slot("gw_more") == -1
    block.give_slot(taken[0])
    assert block.take_slot("gw_more") == taken[0]


def test_a_removed_file_is_put_back_for_those_to_come(state: StateFile) -> None:
    assert not state.restore_path()
    state.words[Word.SNAPSHOT_VERSION] = 11
    for _ in range(2):  # the second time what is removed is the stand-in
        state.path.unlink()
        assert state.restore_path()
        assert StateFile(state.path).words[Word.SNAPSHOT_VERSION] == 11
        assert not state.restore_path()


def test_the_file_has_all_its_pages_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hole would be filled when touched, and on a full disk that is the death of the process."""
    monkeypatch.setattr(of_state, "_allocate", ALLOCATE)
    state = StateFile(tmp_path / STATE_FILE, create=True)
    assert state.path.stat().st_blocks * 512 >= FILE_BYTES
