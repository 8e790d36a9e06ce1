"""The state file: its pages, and whose block is whose."""

import os
from pathlib import Path

from gw.ops.state import FILE_BYTES, STATE_FILE, WORKERS_MAX, Own, StateFile, block_base


def test_state_file_has_all_its_pages_from_the_start(tmp_path: Path) -> None:
    """A hole would be filled when touched, and on a full disk that is the death of the process."""
    StateFile(tmp_path / STATE_FILE, create=True)
    assert (tmp_path / STATE_FILE).stat().st_blocks * 512 >= FILE_BYTES


def test_dead_workers_slots_are_reused_last_until_they_are_settled(tmp_path: Path) -> None:
    state = StateFile(tmp_path / STATE_FILE, create=True)
    first = state.claim_block()
    pid = state.words[block_base(first.index) + Own.PID]
    state.words[block_base(first.index) + Own.IN_FLIGHT] = 3
    assert state.live_blocks() == [first.index] and state.sum_own(Own.IN_FLIGHT) == 3
    state.release_dead(first.index, pid)
    assert state.live_blocks() == [first.index], "only the supervisor says that a worker is dead"
    state.bury(pid)
    assert state.live_blocks() == [] and state.sum_own(Own.IN_FLIGHT) == 0
    others = [state.claim_block().index for _ in range(WORKERS_MAX - 1)]
    assert first.index not in others
    assert state.claim_block().index == first.index, "when there is no other"


def test_settled_block_is_free_at_once(tmp_path: Path) -> None:
    state = StateFile(tmp_path / STATE_FILE, create=True)
    first = state.claim_block()
    pid = state.words[block_base(first.index) + Own.PID]
    state.bury(pid)
    state.release_dead(first.index, pid + 1)
    assert state.words[block_base(first.index) + Own.PID] == -pid, "of another worker that had it before"
    state.release_dead(first.index, pid)
    assert state.words[block_base(first.index) + Own.PID] == 0


def test_removed_file_is_put_back_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / STATE_FILE
    state = StateFile(path, create=True)
    block = state.claim_block()
    assert not state.restore_path()
    path.unlink()
    assert state.restore_path() and not state.restore_path()
    assert StateFile(path).live_blocks() == [block.index], "the same memory"
    path.unlink()
    path.write_bytes(bytes(FILE_BYTES))
    assert state.restore_path(), "another file is not it"
    assert StateFile(path).live_blocks() == [block.index]


def test_counters_of_a_dead_worker_stay_in_the_sum(tmp_path: Path) -> None:
    state = StateFile(tmp_path / STATE_FILE, create=True)
    first = state.claim_block()
    first.counters[5] += 7
    state.bury(os.getpid())
    state.release_dead(first.index, os.getpid())
    second = state.claim_block()
    second.counters[5] += 1
    assert state.counter_sum(5) == 8
