"""A busy worker's threads take turns, an idle one's run at once; a kernel that forbids it is left in peace."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gw import clock
from gw.ops import pace
from gw.ops.pace import Pace

MS = 1_000_000


class Times:
    """The two clocks, by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall = self.cpu = self.line = 0
        monkeypatch.setattr(pace, "in_line_ns", lambda: self.line)
        monkeypatch.setattr(clock, "mono_ns", lambda: self.wall)
        monkeypatch.setattr(clock, "process_ns", lambda: self.cpu)

    def tick(self, one: Pace, busy: float, calls: int, *, line: float = 0.1) -> bool:
        """100 ms of which so much is spent on the processor, and so much in line for it; whether turns are taken from then on."""
        self.wall += 100 * MS
        self.line += int(line * 100) * MS
        self.cpu += int(busy * 100) * MS
        assert one.look(calls) == pytest.approx(int(busy * 100) / 100)
        return one.in_turns


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Iterator[Times]:
    before = os.sched_getscheduler(0)
    yield Times(monkeypatch)
    monkeypatch.undo()
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):
            os.sched_setscheduler(int(thread), before, os.sched_param(0))


def policies() -> set[int]:
    found = set()
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):  # it has just ended
            found.add(os.sched_getscheduler(int(thread)))
    return found


def test_all_threads_of_a_busy_worker_take_turns_until_it_is_idle(times: Times) -> None:
    one, leave = Pace(), threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    try:
        assert not times.tick(one, 0.5, 64)
        assert policies() == {os.SCHED_OTHER}
        assert times.tick(one, 0.9, 64)
        assert policies() == {os.SCHED_BATCH}
        assert times.tick(one, 0.4, 64)  # what turns have saved does not end them
        assert not times.tick(one, 0.1, 64)
        assert policies() == {os.SCHED_OTHER}
    finally:
        leave.set()
        thread.join()


def test_who_shares_the_core_with_others_does_not_stand_behind_them(times: Times) -> None:
    one = Pace()
    assert not times.tick(one, 0.7, 64, line=0.5)
    assert times.tick(one, 0.7, 64)
    assert not times.tick(one, 0.5, 64, line=0.4)


def test_what_the_kernel_says_of_the_line_grows() -> None:
    before = pace.in_line_ns()
    assert before > 0 and pace.in_line_ns() >= before


def test_a_call_alone_has_nobody_to_take_turns_with(times: Times) -> None:
    assert not times.tick(Pace(), 0.9, 1)


def test_a_system_that_forbids_it_is_asked_once(times: Times, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def forbidden(pid: int, policy: int, param: os.sched_param) -> None:
        asked.append(pid)
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", forbidden)
    one = Pace()
    for _ in range(3):
        assert not times.tick(one, 0.9, 64)
    assert len(asked) == 1
    monkeypatch.undo()
